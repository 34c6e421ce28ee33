//! The service in the process of the test.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix_web::dev::Server;
use clap::{CommandFactory as _, Parser as _};
use nats_userman::action::{Rules, Standing};
use nats_userman::apply::{Postback, transact};
use nats_userman::clock::{Clock, Reading, Zone, parse_moment};
use nats_userman::config::{Config, Settings, Sources};
use nats_userman::connection_limits::ConnectionLimits;
use nats_userman::data_dir::DataDirError;
use nats_userman::fields::Fields;
use nats_userman::hardening::{HashWorker, Rehashes};
use nats_userman::identity::{Key, MemberId, SiteId};
use nats_userman::journal::Origin;
use nats_userman::login::blocks::BlockSync;
use nats_userman::password::{Cost, Hasher, Password, Vault};
use nats_userman::service::{Service, StartError};
use nats_userman::store::{CurrentDatabase, open_reader, with_engine};
use nats_userman::writer::Writer;
use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use super::{
    Beside, EngineKind, NOON, PATIENCE, Response, TOKEN, TestDatabase, cheap, check_database,
    eventually, post_to, send_raw, temp_dir, verify_member,
};

/// The reading of the steady clock when an app starts. It differs from the clock that can be set.
const STARTED: i64 = 5_000;

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    settings: Settings,
}

/// The service in this process.
pub struct App {
    pub address: SocketAddr,
    /// The address of the FastCGI authorizer, where `--fastcgi-listen` is given.
    pub fastcgi: Option<SocketAddr>,
    /// The address of the operations listener, where `--ops-listen` is given.
    pub ops: Option<SocketAddr>,
    pub dir: TempDir,
    pub config: Config,
    clock: Arc<Mutex<Reading>>,
    file: CurrentDatabase,
    writer: Writer,
    rehashes: Arc<Rehashes>,
    blocks: BlockSync,
    vault: Vault,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    reload: tokio::sync::mpsc::UnboundedSender<()>,
    thread: Option<JoinHandle<()>>,
    /// A database that is not in the data directory.
    database: Option<TestDatabase>,
    /// The setting with the password of such a database.
    setting: Option<String>,
}

impl App {
    /// Starts it with the default settings.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts it with further flags, such as `["--keep-cryptpass"]`. Passwords stay sealed until
    /// [`App::harden`].
    pub fn start_with(flags: &[&str]) -> Self {
        Self::start_in(temp_dir(), flags)
    }

    /// On a new database of this engine. `None`, with a loud line, where its server is not
    /// installed.
    pub fn start_on_engine(engine: EngineKind, flags: &[&str]) -> Option<Self> {
        Self::start_in_on_engine(engine, temp_dir(), flags)
    }

    /// In this directory, on a new database of this engine.
    pub fn start_in_on_engine(engine: EngineKind, dir: TempDir, flags: &[&str]) -> Option<Self> {
        match engine {
            EngineKind::Sqlite => Some(Self::start_in(dir, flags)),
            EngineKind::MariaDb => {
                Some(Self::start_on_database(TestDatabase::new(engine)?, dir, flags, NOON))
            }
        }
    }

    /// On this database, which the app removes in the end.
    fn start_on_database(database: TestDatabase, dir: TempDir, flags: &[&str], now: i64) -> Self {
        let own = database.flags();
        let flags: Vec<&str> =
            own.iter().map(String::as_str).chain(flags.iter().copied()).collect();
        let mut app = Self::start_at(dir, &flags, now);
        app.setting = Some(database.flags()[1].clone());
        app.database = Some(database);
        app
    }

    /// Stops it, and starts it with other flags on the same data, at the same time.
    pub fn restart(mut self, flags: &[&str]) -> Self {
        let now = self.now();
        let database = self.database.take();
        let dir = self.stop();
        match database {
            Some(database) => Self::start_on_database(database, dir, flags, now),
            None => Self::start_at(dir, flags, now),
        }
    }

    /// Starts it in the directory of an earlier app (`App::stop`).
    pub fn start_in(dir: TempDir, flags: &[&str]) -> Self {
        Self::start_at(dir, flags, NOON)
    }

    /// Starts it in this directory at another time, in unix seconds.
    pub fn start_at(dir: TempDir, flags: &[&str], now: i64) -> Self {
        let config = Self::config(&dir, flags);
        Self::start_as(dir, config, now)
    }

    /// Starts it with a configuration file, which a reload reads again.
    pub fn start_with_file(dir: TempDir, file: &Path, flags: &[&str], now: i64) -> Self {
        let matches = Line::command().get_matches_from(Self::line(&dir, flags));
        let (sources, bad) = Sources::read(&matches, Some(file), file).unwrap();
        assert!(bad.is_empty(), "{bad:?}");
        let config = Self::read(&sources.settings()).with_sources(Arc::new(sources));
        Self::start_as(dir, config, now)
    }

    /// Starts it with other limits of connections.
    pub fn start_with_limits(limits: ConnectionLimits) -> Self {
        Self::start_with_limits_and(limits, &[])
    }

    /// Starts it with other limits of connections, and further flags.
    pub fn start_with_limits_and(limits: ConnectionLimits, flags: &[&str]) -> Self {
        let dir = temp_dir();
        let mut config = Self::config(&dir, flags);
        config.connections = limits;
        Self::start_as(dir, config, NOON)
    }

    fn config(dir: &TempDir, flags: &[&str]) -> Config {
        Self::read(&Line::parse_from(Self::line(dir, flags)).settings)
    }

    fn line(dir: &TempDir, flags: &[&str]) -> Vec<OsString> {
        let own = ["test", "--listen", "127.0.0.1:0", "--postback-token", TOKEN, "--data-dir"];
        let own = own.into_iter().map(OsString::from);
        let data = dir.path().join("data").into_os_string();
        own.chain([data]).chain(flags.iter().map(OsString::from)).collect()
    }

    fn read(settings: &Settings) -> Config {
        let mut config = Config::read(settings).unwrap();
        // After each command, so that no test has to wait.
        config.upkeep_every = Duration::ZERO;
        // Here passwords are hashed when a test says so.
        config.compare_wait = Duration::ZERO;
        config
    }

    /// Starts it on a database with other readers than those of the engine.
    pub fn start_on(database: impl FnOnce(&Config) -> CurrentDatabase) -> Self {
        let dir = temp_dir();
        let config = Self::config(&dir, &[]);
        let database = database(&config);
        Self::start_as_on(dir, config, NOON, database)
    }

    /// On a database that is read over a network, with another bound of the wait for a commit.
    pub fn start_with_commit_wait(
        commit_wait: Duration,
        database: impl FnOnce(&Config) -> CurrentDatabase,
    ) -> Self {
        let dir = temp_dir();
        let mut config = Self::config(&dir, &[]);
        config.commit_wait = commit_wait;
        // After the first one, the writer reads the clock for commands alone.
        config.upkeep_every = Duration::from_secs(3600);
        let database = database(&config);
        Self::start_as_on(dir, config, NOON, database)
    }

    /// With a bound of the wait for the comparison of a new password, and an operations listener.
    pub fn start_with_compare_wait(compare_wait: Duration) -> Self {
        let dir = temp_dir();
        let mut config = Self::config(&dir, &["--ops-listen", "127.0.0.1:0"]);
        config.compare_wait = compare_wait;
        Self::start_as(dir, config, NOON)
    }

    fn start_as(dir: TempDir, config: Config, now: i64) -> Self {
        let database = CurrentDatabase::new(config.location.clone());
        Self::start_as_on(dir, config, now, database)
    }

    fn start_as_on(dir: TempDir, config: Config, now: i64, database: CurrentDatabase) -> Self {
        let clock = Arc::new(Mutex::new(Reading { wall: now, steady: STARTED }));
        let (stop, mut stopped) = tokio::sync::oneshot::channel();
        let (reload, mut reloads) = tokio::sync::mpsc::unbounded_channel();
        let (started, start) = mpsc::channel();
        let (config_there, clock_there) = (config.clone(), Clock::Set(Arc::clone(&clock)));
        let (cost, file) = (cheap(config.password_hash), database.clone());
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let (service, server) = start_service(&config_there, &database, &clock_there, cost);
                let server = actix_web::rt::spawn(server);
                let handles = (
                    service.writer().clone(),
                    Arc::clone(service.rehashes()),
                    service.block_sync(),
                );
                let addresses =
                    (service.address(), service.fastcgi_address(), service.ops_address());
                started.send((addresses, handles)).unwrap();
                loop {
                    tokio::select! {
                        _ = &mut stopped => break,
                        Some(()) = reloads.recv() => service.reload(),
                    }
                }
                service.stop().await;
                let _ = server.await;
            });
        });
        let ((address, fastcgi, ops), (writer, rehashes, blocks)) =
            start.recv().expect("the service did not start");
        let vault = Vault::load(&config.data_dir.seal_key()).unwrap();
        Self {
            address,
            fastcgi,
            ops,
            dir,
            config,
            clock,
            file,
            writer,
            rehashes,
            blocks,
            vault,
            stop: Some(stop),
            reload,
            thread: Some(thread),
            database: None,
            setting: None,
        }
    }

    /// Sets the clock, as in "2026-06-15 13:00:00" (UTC), and waits for the work that the writer
    /// does each half second.
    pub fn set_time(&self, moment: &str) {
        self.set_unix(parse_moment(moment, &Zone::UTC).unwrap());
    }

    /// Sets the clock to unix seconds, and waits for the writer's upkeep.
    pub fn set_unix(&self, now: i64) {
        self.set_unix_unnoticed(now);
        self.tick();
    }

    /// Sets the clock without the writer's upkeep, so expired members are not moved yet.
    pub fn set_unix_unnoticed(&self, now: i64) {
        let mut clock = self.clock.lock();
        clock.steady += now - clock.wall;
        clock.wall = now;
    }

    /// Sets the clock of the machine, without any time passing.
    pub fn jump_to(&self, now: i64) {
        self.clock.lock().wall = now;
        self.tick();
    }

    /// Does `work` while the writer is stuck: it waits for the time before each transaction. For
    /// an app of [`start_with_commit_wait`](Self::start_with_commit_wait), whose writer takes a
    /// postback before it waits.
    pub fn while_the_writer_is_stuck<T>(&self, work: impl FnOnce() -> T) -> T {
        self.tick();
        let _clock = self.clock.lock();
        work()
    }

    pub fn now(&self) -> i64 {
        self.clock.lock().wall
    }

    /// Waits for the writer's upkeep, which moves expired members. It runs after the first probe,
    /// and the second probe is answered after it.
    pub fn tick(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        assert!(runtime.block_on(async { self.writer.probe().await && self.writer.probe().await }));
    }

    /// Does what happens each second: logs and stores new blocks, and reads which blocks a command
    /// has lifted.
    pub fn look_at_blocks(&self) {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
            .block_on(self.blocks.run_once());
    }

    /// Posts a urlencoded body with the right token. Returns the reply line.
    pub fn post(&self, body: &str) -> String {
        let response = post_to(self.address, TOKEN, body.as_bytes()).unwrap();
        assert_eq!(response.status, 200, "{}", response.body);
        response.body
    }

    /// Applies a urlencoded postback as the operator's, beside the service, as a command does.
    pub fn post_as_operator(&self, body: &str) {
        let reply = self.reply_to_operator(body);
        assert!(reply.starts_with("OK|"), "{body}: {reply}");
    }

    /// The reply to what a command does.
    pub fn reply_to_operator(&self, body: &str) -> String {
        let rules = Rules {
            vault: self.vault.clone(),
            keep_cryptpass: self.config.keep_cryptpass,
            expiry: self.config.expiry.clone(),
            stale_guard: false,
        };
        let fields = Fields::from_urlencoded(body.as_bytes());
        let postback = Postback::read(&fields, &rules, Origin::Operator, None).0;
        let replies = with_engine(&self.config.location, false, |engine| {
            transact(engine, &rules.vault, &[&postback], || self.now()).unwrap()
        });
        replies.unwrap().remove(0).unwrap().as_str().to_owned()
    }

    /// Sends a request, or plain bytes.
    pub fn send(&self, request: impl Into<Vec<u8>>) -> Response {
        send_raw(self.address, request).unwrap()
    }

    /// A read-only connection to the database of SQLite.
    pub fn database(&self) -> Connection {
        let path = self.config.location.file().unwrap();
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
    }

    /// The rows of a query as text: columns separated by `|`, NULL as an empty text, BLOB as
    /// hexadecimal digits.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        Beside::open(&self.config.location).rows(sql)
    }

    /// Reads the files of the settings again as SIGHUP does, and waits until other keys have taken
    /// effect.
    pub fn reload_keys(&self) {
        let record = self.config.data_dir.path().join("served.json");
        let _ = fs::remove_file(&record);
        self.reload.send(()).unwrap();
        // It is written after that.
        eventually("the keys have taken effect", || record.exists());
        self.vault.take_keys_of(&Vault::load(&self.config.data_dir.seal_key()).unwrap());
    }

    /// The setting that names the database, with the password.
    pub fn database_setting(&self) -> String {
        self.setting.clone().unwrap_or_else(|| self.config.location.setting())
    }

    /// Another receiver of the same database, in this directory.
    pub fn another(&self, dir: TempDir, flags: &[&str]) -> Self {
        let setting = self.database_setting();
        let mut app = Self::start_in(dir, &[&["--database", &setting], flags].concat());
        app.setting = Some(setting);
        app
    }

    /// Hashes all sealed passwords at a low cost, and replaces hashes for which logins have asked.
    /// Of several receivers one hashes what is sealed.
    pub fn harden(&self) {
        self.harden_despite(0);
    }

    /// As [`App::harden`]. A round that fails is run again, at most so often in all, as by the
    /// service: another receiver may have locked the rows.
    pub fn harden_despite(&self, mut failures: u32) {
        let hasher = Hasher::new(cheap(self.config.password_hash));
        let mut worker =
            HashWorker::new(self.file.clone(), self.vault.clone(), hasher, self.writer.clone())
                .with_rehashes(Arc::clone(&self.rehashes));
        loop {
            match worker.round() {
                Ok(true) => {}
                Ok(false) => return,
                Err(_) if failures > 0 => failures -= 1,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Drops the requests of logins for another kind of hash, as a restart or a full queue does.
    pub fn forget_rehashes(&self) {
        while let Some(lost) = self.rehashes.take() {
            self.rehashes.done(lost.key);
        }
    }

    /// Whether this password matches the row of this member.
    pub fn opens(&self, site: i64, member: i64, typed: &str) -> bool {
        let site = SiteId::parse(&site.to_string()).unwrap();
        let member = MemberId::parse(&member.to_string()).unwrap();
        let reader = open_reader(&self.config.location).unwrap();
        let typed = Password::parse(typed).unwrap();
        match reader.standing(Key { site, member }, self.now()).unwrap() {
            Standing::Here(row) => verify_member(&row, &self.vault, &typed).unwrap(),
            Standing::Lapsed(_) | Standing::Former(_) | Standing::Unknown => false,
        }
    }

    /// Stops the service as SIGTERM does, and returns its directory.
    pub fn stop(mut self) -> TempDir {
        self.end();
        std::mem::replace(&mut self.dir, temp_dir())
    }

    fn end(&mut self) {
        if let (Some(stop), Some(thread)) = (self.stop.take(), self.thread.take()) {
            let _ = stop.send(());
            thread.join().unwrap();
        }
    }
}

/// Starts the service. A process that another test has just forked holds a copy of the lock of a
/// stopped app's directory until it runs its own program, so the start is repeated.
fn start_service(
    config: &Config,
    database: &CurrentDatabase,
    clock: &Clock,
    cost: Cost,
) -> (Service, Server) {
    let until = Instant::now() + PATIENCE;
    loop {
        match Service::start_on(config, database.clone(), clock.clone(), cost) {
            Err(StartError::DataDir(DataDirError::InUse(_))) if Instant::now() < until => {
                std::thread::park_timeout(Duration::from_millis(5));
            }
            started => return started.unwrap(),
        }
    }
}

/// Checks what must hold at the end of every test.
impl Drop for App {
    fn drop(&mut self) {
        let is_gone = self.config.location.file().is_some_and(|file| !file.exists());
        if std::thread::panicking() || is_gone {
            return;
        }
        self.end();
        check_database(&self.config.location);
    }
}
