//! A real MariaDB: a server in a temporary directory, on a free port of the loopback address. The
//! tests of a process share one, and each has a database and a user of its own there.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use mysql::consts::ColumnType;
use mysql::prelude::Queryable as _;
use mysql::{Column, Conn, OptsBuilder, Value};
use nats_userman::store::Location;
use nats_userman::store::mysql::Server;

use super::{eventually, free_port, real_program, temp_dir};

/// Runs the server for as long as the test process holds the other end of its standard input, which
/// the system closes whatever ends that process. Then nothing is left of it.
const KEEPER: &str = r#"
trap '' INT TERM HUP
dir=$1 install=$2
shift 2
"$install" --no-defaults --datadir="$dir/data" --skip-test-db --skip-name-resolve \
    --innodb-log-file-size=16M $(test "$(id -u)" != 0 || echo --user=root) \
    >"$dir/install.log" 2>&1 </dev/null || exit
# Should this shell be killed, the server is too.
setpriv --pdeathsig KILL "$@" >"$dir/out.log" 2>&1 </dev/null &
read -r end
kill -KILL $! 2>/dev/null || tail -n 80 "$dir/error.log" >&2
wait
rm -rf "$dir"
"#;

/// The user who makes databases and users.
const ADMIN: &str = "tests";
/// The character set of columns of bytes.
const BINARY: u16 = 63;

/// The password of [`ADMIN`] at each server of this process, by the port.
static ADMINS: Mutex<Option<HashMap<u16, String>>> = Mutex::new(None);

/// A server that runs until this is dropped, or the process ends.
pub struct MariaDb {
    dir: PathBuf,
    port: u16,
    password: String,
    keeper: Mutex<Keeper>,
}

struct Keeper {
    child: Child,
    /// `None`: the server has to end.
    stdin: Option<ChildStdin>,
}

impl MariaDb {
    /// The server that the tests of this process share. `None`, with a loud line, where it is not
    /// installed.
    pub fn shared() -> Option<Arc<Self>> {
        static SHARED: OnceLock<Option<Arc<MariaDb>>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[])).clone()
    }

    /// A server with further options. `None`, with a loud line, where it is not installed.
    pub fn start(options: &[&str]) -> Option<Arc<Self>> {
        let program = server_program()?;
        let install = real_program("mariadb-install-db")?;
        real_program("setpriv")?;
        // Removed by the keeper, because nothing is dropped where a process is killed.
        let dir = temp_dir().keep();
        let (port, password) = (free_port(), random_word());
        let first = dir.join("first.sql");
        let admin = format!(
            "CREATE USER {ADMIN}@'127.0.0.1' IDENTIFIED BY '{password}';\n\
             GRANT ALL ON *.* TO {ADMIN}@'127.0.0.1' WITH GRANT OPTION;\n"
        );
        fs::write(&first, admin).unwrap();
        let path = |name: &str| dir.join(name).display().to_string();
        let mut command = Command::new("sh");
        // A server that starts removes the temporary tables of others from their directory.
        command.env("TMPDIR", &dir);
        command.args(["-c", KEEPER, "keeper"]).arg(&dir).arg(install).arg(program);
        command.args([
            "--no-defaults".into(),
            format!("--datadir={}", path("data")),
            format!("--socket={}", path("socket")),
            format!("--pid-file={}", path("pid")),
            format!("--log-error={}", path("error.log")),
            format!("--init-file={}", path("first.sql")),
            "--bind-address=127.0.0.1".into(),
            format!("--port={port}"),
            "--skip-name-resolve".into(),
            "--skip-log-bin".into(),
            "--innodb-flush-log-at-trx-commit=1".into(),
            "--innodb-buffer-pool-size=64M".into(),
            "--innodb-log-file-size=16M".into(),
            "--max-connections=500".into(),
            "--performance-schema=OFF".into(),
        ]);
        if rustix::process::geteuid().is_root() {
            command.arg("--user=root");
        }
        let mut child = command.args(options).stdin(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take();
        let mut admins = ADMINS.lock().unwrap_or_else(PoisonError::into_inner);
        admins.get_or_insert_default().insert(port, password.clone());
        drop(admins);
        let server = Self { dir, port, password, keeper: Mutex::new(Keeper { child, stdin }) };
        server.wait_until_it_accepts();
        Some(Arc::new(server))
    }

    fn wait_until_it_accepts(&self) {
        let mut last = String::new();
        eventually("MariaDB accepts connections", || {
            let ended = self.keeper().child.try_wait().unwrap();
            assert!(ended.is_none(), "MariaDB did not start: {}", self.logs());
            match Conn::new(options(self.port, ADMIN, &self.password)) {
                Ok(_) => true,
                Err(error) => {
                    last = error.to_string();
                    false
                }
            }
        });
    }

    fn keeper(&self) -> std::sync::MutexGuard<'_, Keeper> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection of a user who may do everything, in no database.
    pub fn admin(&self) -> Conn {
        Conn::new(options(self.port, ADMIN, &self.password)).unwrap()
    }

    /// The directory of all its files: `data`, `error.log` and other logs.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn logs(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.dir.join(name)).unwrap_or_default();
        ["install.log", "out.log", "error.log"].map(read).concat()
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        let mut keeper = self.keeper();
        keeper.stdin = None;
        let _ = keeper.child.wait();
        // There still where it did not start.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// An empty database and its user, both removed in the end.
pub struct MariaDatabase {
    server: Arc<MariaDb>,
    /// Of the database and of the user.
    name: String,
    password: String,
}

impl MariaDatabase {
    /// On the shared server.
    pub fn new() -> Option<Self> {
        MariaDb::shared().map(Self::on)
    }

    /// On this server.
    pub fn on(server: Arc<MariaDb>) -> Self {
        let (name, password) = (format!("t{}", random_word()), random_word());
        let mut admin = server.admin();
        for statement in [
            format!("CREATE DATABASE {name}"),
            format!("CREATE USER {name}@'127.0.0.1' IDENTIFIED BY '{password}'"),
            format!("GRANT ALL ON {name}.* TO {name}@'127.0.0.1'"),
        ] {
            admin.query_drop(statement).unwrap();
        }
        Self { server, name, password }
    }

    pub fn server(&self) -> &MariaDb {
        &self.server
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn port(&self) -> u16 {
        self.server.port
    }

    pub fn password(&self) -> &str {
        &self.password
    }

    /// The name of a second user, if the test makes one.
    pub fn reader(&self) -> String {
        format!("{}r", self.name)
    }

    /// The setting `--database`, without the password.
    pub fn setting(&self) -> String {
        format!("mysql://{0}@127.0.0.1:{1}/{0}", self.name, self.server.port)
    }

    /// The setting `--database` with the password in it.
    pub fn setting_with_password(&self) -> String {
        let (name, password) = (&self.name, &self.password);
        format!("mysql://{name}:{password}@127.0.0.1:{}/{name}", self.server.port)
    }

    pub fn location(&self) -> Location {
        Location::parse(&self.setting_with_password()).unwrap()
    }

    /// A connection of the database's own user.
    pub fn connect(&self) -> Conn {
        let options = options(self.server.port, &self.name, &self.password);
        Conn::new(options.db_name(Some(&self.name))).unwrap()
    }

    /// A connection of a user who may do everything, in this database.
    pub fn admin(&self) -> Conn {
        let options = options(self.server.port, ADMIN, &self.server.password);
        Conn::new(options.db_name(Some(&self.name))).unwrap()
    }
}

impl Drop for MariaDatabase {
    fn drop(&mut self) {
        let remove = || {
            let mut admin = Conn::new(options(self.server.port, ADMIN, &self.server.password))?;
            // A connection that was left in a transaction would keep the tables.
            let sessions: Vec<u64> = admin.query(format!(
                "SELECT id FROM information_schema.processlist WHERE user = '{}'",
                self.name
            ))?;
            for session in sessions {
                // It may have ended by itself.
                let _ = admin.query_drop(format!("KILL {session}"));
            }
            for user in [&self.name, &self.reader()] {
                admin.query_drop(format!("DROP USER IF EXISTS {user}@'127.0.0.1'"))?;
            }
            admin.query_drop(format!("DROP DATABASE {}", self.name))
        };
        let removed = remove();
        if !std::thread::panicking() {
            removed.unwrap();
        }
    }
}

fn options(port: u16, user: &str, password: &str) -> OptsBuilder {
    OptsBuilder::new()
        .ip_or_hostname(Some("127.0.0.1"))
        .tcp_port(port)
        .prefer_socket(false)
        .user(Some(user))
        .pass(Some(password))
}

/// A connection of a user who may do everything, in the database that the program uses there.
pub fn beside(server: &Server) -> Conn {
    let port = server.hosts()[0].port;
    let admins = ADMINS.lock().unwrap_or_else(PoisonError::into_inner);
    let password = admins.as_ref().and_then(|admins| admins.get(&port)).unwrap().clone();
    drop(admins);
    Conn::new(options(port, ADMIN, &password).db_name(Some(server.database()))).unwrap()
}

/// See [`super::App::rows`].
pub fn rows(conn: &mut Conn, sql: &str) -> Vec<String> {
    let text = |value: &Value, column: &Column| match value {
        Value::NULL => String::new(),
        Value::Bytes(bytes) if is_binary(column) => {
            bytes.iter().map(|byte| format!("{byte:02x}")).collect()
        }
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => panic!("{other:?} in {sql}"),
    };
    let mut lines = Vec::new();
    let mut result = conn.query_iter(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    for row in result.iter().unwrap() {
        let row = row.unwrap();
        let columns = row.columns();
        let values = row.unwrap_raw();
        let values = values.iter().zip(columns.iter());
        let values: Vec<String> = values
            .map(|(value, column)| value.as_ref().map(|value| text(value, column)).unwrap())
            .collect();
        lines.push(values.join("|"));
    }
    lines
}

/// Whether these are bytes. Numbers have the same character set.
fn is_binary(column: &Column) -> bool {
    let is_text = [
        ColumnType::MYSQL_TYPE_STRING,
        ColumnType::MYSQL_TYPE_VAR_STRING,
        ColumnType::MYSQL_TYPE_VARCHAR,
        ColumnType::MYSQL_TYPE_BLOB,
        ColumnType::MYSQL_TYPE_TINY_BLOB,
        ColumnType::MYSQL_TYPE_MEDIUM_BLOB,
        ColumnType::MYSQL_TYPE_LONG_BLOB,
    ];
    column.character_set() == BINARY && is_text.contains(&column.column_type())
}

/// Of letters and digits, 16 of them, never the same twice.
fn random_word() -> String {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).unwrap();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The server is in a directory that only root has in its PATH.
pub fn server_program() -> Option<PathBuf> {
    let place = PathBuf::from("/usr/sbin/mariadbd");
    if place.is_file() { Some(place) } else { real_program("mariadbd") }
}
