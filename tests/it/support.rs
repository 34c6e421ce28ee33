//! The app of a test: the whole service on a free port, in a temporary data directory, under a
//! clock that stands still; or the real program as a process. No helper sleeps for a fixed time:
//! what is waited for is looked at until it is there, or a bound is reached.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use clap::Parser as _;
use nats_userman::action::Standing;
use nats_userman::clock::{Clock, Reading, parse_moment};
use nats_userman::config::{Config, Settings};
use nats_userman::connection_limits::ConnectionLimits;
use nats_userman::hardening::{HashWorker, Rehashes};
use nats_userman::identity::{Key, MemberId, SiteId};
use nats_userman::member::Member;
use nats_userman::password::{Cost, HashKind, Hasher, Password, Vault, VerifyError, verify};
use nats_userman::service::{BlockWatch, Service};
use nats_userman::store::{CurrentFile, open_reader};
use nats_userman::writer::{LoginTimes, Writer};
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

/// The token of every test.
pub const TOKEN: &str = "test-token-0123456789abcdef-0123456789";
/// What the clock that nobody can set shows when an app starts: another time than the one that can
/// be set.
const STARTED: i64 = 5_000;
/// 2026-06-15 12:00:00 UTC, when every test begins.
pub const NOON: i64 = 1_781_524_800;
/// No wait in a test is longer.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long logins last by default, for a writer without a service.
pub const LOGIN_TIMES: LoginTimes = LoginTimes { lasts: 604_800, longest: 31_622_400, idle: None };

/// The lowest cost of new hashes, which makes tests fast.
pub fn cheap(kind: HashKind) -> Cost {
    Cost::custom(kind, 8, 1, 4).unwrap()
}

/// Whether `typed` is the password of the member with this row.
pub fn verify_member(row: &Member, vault: &Vault, typed: &Password) -> Result<bool, VerifyError> {
    verify(&row.credential.stored, row.key, vault, typed)
}

/// What came back over HTTP.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// Lower-case names, in the order received.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

/// Reads one response: to its Content-Length, or to the end of the connection.
pub fn read_response(stream: &mut impl Read) -> std::io::Result<Response> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    // A server may say "100 Continue" first.
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if !line.starts_with("HTTP/1.1 100") {
            break;
        }
        reader.read_line(&mut String::new())?;
    }
    let status = line
        .split(' ')
        .nth(1)
        .and_then(|code| code.trim().parse().ok())
        .ok_or(std::io::ErrorKind::InvalidData)?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .and_then(|(_, value)| value.parse::<u64>().ok());
    let mut body = Vec::new();
    match length {
        Some(bytes) => reader.take(bytes).read_to_end(&mut body)?,
        None => reader.read_to_end(&mut body)?,
    };
    Ok(Response { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

/// Sends these bytes as they are on a new connection and reads one response.
pub fn send_raw(address: SocketAddr, request: &[u8]) -> std::io::Result<Response> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request)?;
    read_response(&mut stream)
}

/// A urlencoded POST to `/postback/{token}` on a connection of its own.
pub fn post_to(address: SocketAddr, token: &str, body: &[u8]) -> std::io::Result<Response> {
    let head = format!(
        "POST /postback/{token} HTTP/1.1\r\nHost: test\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    send_raw(address, &[head.as_bytes(), body].concat())
}

/// A client that keeps its connection, as a busy NATS does.
pub struct Caller(TcpStream);

impl Caller {
    pub fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    /// A urlencoded POST with the right token, and its response.
    pub fn post(&mut self, body: &str) -> std::io::Result<Response> {
        let request = format!(
            "POST /postback/{TOKEN} HTTP/1.1\r\nHost: test\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.0.write_all(request.as_bytes())?;
        read_response(&mut self.0)
    }
}

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    settings: Settings,
}

/// The service in this process.
pub struct App {
    pub address: SocketAddr,
    pub dir: TempDir,
    pub config: Config,
    clock: Arc<Mutex<Reading>>,
    writer: Writer,
    rehashes: Arc<Rehashes>,
    blocks: BlockWatch,
    vault: Vault,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl App {
    /// With the default settings.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With further flags, as in `["--keep-cryptpass"]`. Passwords stay sealed until
    /// [`App::harden`].
    pub fn start_with(flags: &[&str]) -> Self {
        Self::start_in(TempDir::new().unwrap(), flags)
    }

    /// In a directory that an earlier app left (`App::stop`).
    pub fn start_in(dir: TempDir, flags: &[&str]) -> Self {
        Self::start_at(dir, flags, NOON)
    }

    /// The same at another time, unix seconds.
    pub fn start_at(dir: TempDir, flags: &[&str], now: i64) -> Self {
        let config = Self::config(&dir, flags);
        Self::start_as(dir, config, now)
    }

    /// With other bounds of connections.
    pub fn start_with_limits(limits: ConnectionLimits) -> Self {
        Self::start_with_limits_and(limits, &[])
    }

    /// The same with further flags.
    pub fn start_with_limits_and(limits: ConnectionLimits, flags: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        let mut config = Self::config(&dir, flags);
        config.connections = limits;
        Self::start_as(dir, config, NOON)
    }

    fn config(dir: &TempDir, flags: &[&str]) -> Config {
        let data = dir.path().join("data");
        let mut line = vec![
            "test",
            "--listen",
            "127.0.0.1:0",
            "--postback-token",
            TOKEN,
            "--data-dir",
            data.to_str().unwrap(),
        ];
        line.extend(flags);
        let mut config = Config::read(&Line::parse_from(line).settings).unwrap();
        // After each command, so that no test has to wait for it.
        config.upkeep_every = Duration::ZERO;
        config
    }

    fn start_as(dir: TempDir, config: Config, now: i64) -> Self {
        let clock = Arc::new(Mutex::new(Reading { wall: now, steady: STARTED }));
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (started, start) = mpsc::channel();
        let (config_there, clock_there) = (config.clone(), Clock::Set(Arc::clone(&clock)));
        let cost = cheap(config.password_hash);
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let (service, server) = Service::start(&config_there, clock_there, cost).unwrap();
                let server = actix_web::rt::spawn(server);
                let handles = (
                    service.writer().clone(),
                    Arc::clone(service.rehashes()),
                    service.block_watch(),
                );
                started.send((service.address(), handles)).unwrap();
                let _ = stopped.await;
                service.stop().await;
                let _ = server.await;
            });
        });
        let (address, (writer, rehashes, blocks)) =
            start.recv().expect("the service did not start");
        let vault = Vault::load(&config.data_dir.seal_key()).unwrap();
        Self {
            address,
            dir,
            config,
            clock,
            writer,
            rehashes,
            blocks,
            vault,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Sets the clock, as in "2026-06-15 13:00:00" (UTC), and does what the writer does each half
    /// second.
    pub fn set_time(&self, moment: &str) {
        self.set_unix(parse_moment(moment, chrono_tz::UTC).unwrap());
    }

    /// The same in unix seconds.
    pub fn set_unix(&self, now: i64) {
        self.set_unix_unnoticed(now);
        self.tick();
    }

    /// The same without the writer's look at the clock: rows that are due have not moved yet.
    pub fn set_unix_unnoticed(&self, now: i64) {
        let mut clock = self.clock.lock().unwrap();
        clock.steady += now - clock.wall;
        clock.wall = now;
    }

    /// Somebody sets the machine's clock: no time passes.
    pub fn jump_to(&self, now: i64) {
        self.clock.lock().unwrap().wall = now;
        self.tick();
    }

    pub fn now(&self) -> i64 {
        self.clock.lock().unwrap().wall
    }

    /// Waits for the writer's upkeep, which moves members who have expired: it runs after the first
    /// probe, and the second one is answered after that.
    pub fn tick(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert!(runtime.block_on(async { self.writer.probe().await && self.writer.probe().await }));
    }

    /// Logs the blocks that began, writes them down and takes up those that a command lifted, as is
    /// done each second.
    pub fn look_at_blocks(&self) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(self.blocks.look());
    }

    /// Posts a urlencoded body with the right token; the reply line.
    pub fn post(&self, body: &str) -> String {
        let response = post_to(self.address, TOKEN, body.as_bytes()).unwrap();
        assert_eq!(response.status, 200, "{}", response.body);
        response.body
    }

    /// Sends bytes as they are.
    pub fn send(&self, request: impl AsRef<[u8]>) -> Response {
        send_raw(self.address, request.as_ref()).unwrap()
    }

    /// A read-only look at the database.
    pub fn database(&self) -> Connection {
        let path = self.config.location.path();
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
    }

    /// The rows of a query as text: columns by `|`, NULL as nothing, BLOB as hexadecimal digits.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        rows(&self.database(), sql)
    }

    /// Hashes all that is sealed, and anew what logins found to be of another kind, cheaply.
    pub fn harden(&self) {
        let file = CurrentFile::new(self.config.location.clone());
        let hasher = Hasher::new(cheap(self.config.password_hash));
        let mut worker = HashWorker::new(file, self.vault.clone(), hasher, self.writer.clone())
            .with_rehashes(Arc::clone(&self.rehashes));
        while worker.round().unwrap() {}
    }

    /// Forgets which hashes logins found to be of another kind, as a restart or a full queue does.
    pub fn forget_rehashes(&self) {
        while let Some(lost) = self.rehashes.take() {
            self.rehashes.done(lost.key);
        }
    }

    /// Whether this password opens this member's row.
    pub fn opens(&self, site: i64, member: i64, typed: &str) -> bool {
        let site = SiteId::parse(&site.to_string()).unwrap();
        let member = MemberId::parse(&member.to_string()).unwrap();
        let reader = open_reader(&self.config.location).unwrap();
        let typed = Password::parse(typed).unwrap();
        match reader.standing(Key { site, member }).unwrap().at(self.now()) {
            Standing::Here(row) => verify_member(&row, &self.vault, &typed).unwrap(),
            Standing::Lapsed(_) | Standing::Former(_) | Standing::Unknown => false,
        }
    }

    /// Ends the service as SIGTERM does and gives its directory back.
    pub fn stop(mut self) -> TempDir {
        self.end();
        std::mem::replace(&mut self.dir, TempDir::new().unwrap())
    }

    fn end(&mut self) {
        if let (Some(stop), Some(thread)) = (self.stop.take(), self.thread.take()) {
            let _ = stop.send(());
            thread.join().unwrap();
        }
    }
}

/// What must hold at the end of every test, whatever it was about.
impl Drop for App {
    fn drop(&mut self) {
        if std::thread::panicking() || !self.config.location.path().exists() {
            return;
        }
        self.end();
        check_invariants(self.config.location.path());
    }
}

/// The database is whole, and nobody is a member and a former member at once.
pub fn check_invariants(database: &Path) {
    let conn = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    assert_eq!(rows(&conn, "PRAGMA integrity_check"), ["ok"]);
    let both = "SELECT siteid, memberid FROM member_auth INTERSECT SELECT siteid, memberid FROM former_member";
    assert_eq!(rows(&conn, both), [""; 0], "members who are former members too");
}

/// See [`App::rows`].
pub fn rows(conn: &Connection, sql: &str) -> Vec<String> {
    use rusqlite::types::ValueRef;
    let mut statement = conn.prepare(sql).unwrap();
    let columns = statement.column_count();
    let text = |value: ValueRef<'_>| match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        ValueRef::Blob(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    let row = |row: &rusqlite::Row<'_>| {
        let values: Vec<String> =
            (0..columns).map(|index| text(row.get_ref(index).unwrap())).collect();
        Ok(values.join("|"))
    };
    statement.query_map([], row).unwrap().map(Result::unwrap).collect()
}

/// The real program as a process of its own.
pub struct Program {
    pub address: SocketAddr,
    pub child: Child,
    stderr: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

/// Where cargo put the program.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nats-userman"));
    command.stdin(Stdio::null());
    command
}

impl Program {
    /// `serve` in this data directory, on a free port, with [`TOKEN`].
    pub fn serve(data: &Path, flags: &[&str]) -> Self {
        Self::run(program(), data, flags)
            .unwrap_or_else(|stderr| panic!("the program did not start:\n{stderr}"))
    }

    /// The same with a command of the caller's (an environment, a limit); what it said if it ended
    /// instead.
    pub fn run(mut command: Command, data: &Path, flags: &[&str]) -> Result<Self, String> {
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data).args(flags);
        // As a flag it would be warned of in each log.
        command.env("USERMAN_POSTBACK_TOKEN", TOKEN);
        command.stdout(Stdio::null());
        Self::spawn(command)
    }

    /// The same with all arguments, and the place of stdout, the caller's.
    pub fn spawn(mut command: Command) -> Result<Self, String> {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = Arc::new(Mutex::new(String::new()));
        let (said, address) = mpsc::channel();
        let (lines, kept) =
            (BufReader::new(child.stderr.take().unwrap()).lines(), Arc::clone(&stderr));
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some((_, address)) = line.split_once("listening on ") {
                    let _ = said.send(
                        address.trim_end_matches('"').split('"').next().unwrap().parse().unwrap(),
                    );
                }
                let mut kept = kept.lock().unwrap();
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        match address.recv_timeout(PATIENCE) {
            Ok(address) => Ok(Self { address, child, stderr, reader: Some(reader) }),
            Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                reader.join().unwrap();
                Err(stderr.lock().unwrap().clone())
            }
        }
    }

    /// All that it has written to stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    pub fn post(&self, body: &str) -> std::io::Result<Response> {
        post_to(self.address, TOKEN, body.as_bytes())
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and its exit status.
    pub fn terminate(&mut self) -> ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        status
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Looks until it is so, and fails when [`PATIENCE`] is over.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "not within {PATIENCE:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// A program of the system, or a loud line and `None`; with REQUIRE_REAL=1 its absence fails the
/// test.
pub fn real_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file());
    if found.is_none() {
        assert!(
            std::env::var("REQUIRE_REAL").as_deref() != Ok("1"),
            "{name} is not installed and REQUIRE_REAL=1"
        );
        eprintln!("\n*** {name} IS NOT INSTALLED: this test proves nothing here ***\n");
    }
    found
}

/// Numbers that look random and come again with their seed (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }
}
