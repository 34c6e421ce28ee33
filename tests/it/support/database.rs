//! An empty database of any engine, and what is in one.

use std::cell::RefCell;

use mysql::Conn;
use nats_userman::store::Location;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use super::mariadb::{self, MariaDatabase};
use super::{rows, temp_dir};

/// An engine of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    Sqlite,
    MariaDb,
}

/// A database that is removed in the end.
pub enum TestDatabase {
    Sqlite { location: Location, _dir: TempDir },
    MariaDb(MariaDatabase),
}

impl TestDatabase {
    /// `None`, with a loud line, where the engine's server is not installed.
    pub fn new(engine: EngineKind) -> Option<Self> {
        match engine {
            EngineKind::Sqlite => {
                let dir = temp_dir();
                let location = Location::sqlite(dir.path().join("userman.db"));
                Some(Self::Sqlite { location, _dir: dir })
            }
            EngineKind::MariaDb => MariaDatabase::new().map(Self::MariaDb),
        }
    }

    pub fn location(&self) -> Location {
        match self {
            Self::Sqlite { location, .. } => location.clone(),
            Self::MariaDb(database) => database.location(),
        }
    }

    /// The flags for the real program.
    pub fn flags(&self) -> [String; 2] {
        let setting = match self {
            Self::Sqlite { location, .. } => location.setting(),
            Self::MariaDb(database) => database.setting_with_password(),
        };
        ["--database".to_owned(), setting]
    }
}

/// A connection to a database, beside the program.
pub enum Beside {
    Sqlite(Connection),
    MariaDb(RefCell<Conn>),
}

impl Beside {
    /// One that only reads, as far as the engine has such a thing.
    pub fn open(location: &Location) -> Self {
        match location {
            Location::Sqlite(file) => Self::Sqlite(
                Connection::open_with_flags(file.path(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap(),
            ),
            Location::Mysql(server) => Self::MariaDb(RefCell::new(mariadb::beside(server))),
        }
    }

    pub fn engine(&self) -> EngineKind {
        match self {
            Self::Sqlite(_) => EngineKind::Sqlite,
            Self::MariaDb(_) => EngineKind::MariaDb,
        }
    }

    /// See [`super::App::rows`].
    pub fn rows(&self, sql: &str) -> Vec<String> {
        match self {
            Self::Sqlite(conn) => rows(conn, sql),
            Self::MariaDb(conn) => mariadb::rows(&mut conn.borrow_mut(), sql),
        }
    }

    /// The column of a member's name as it was sent.
    pub fn username(&self) -> &'static str {
        match self.engine() {
            EngineKind::Sqlite => "username",
            EngineKind::MariaDb => "username_sent",
        }
    }

    /// Every column of a table by its name, each value so that different ones never look alike.
    pub fn dump(&self, table: &str, order: &str, leave_out: &[&str]) -> Vec<String> {
        let columns = match self.engine() {
            EngineKind::Sqlite => format!(
                "SELECT name, '''' || name || ' '' || quote(' || name || ')' FROM \
                 pragma_table_info('{table}') ORDER BY name"
            ),
            EngineKind::MariaDb => format!(
                "SELECT column_name, CONCAT('CONCAT(''', column_name, ' '', COALESCE(', \
                 IF(data_type LIKE '%binary' OR data_type LIKE '%blob', 'HEX', 'QUOTE'), '(', \
                 column_name, '), ''NULL''))') FROM information_schema.columns WHERE table_schema \
                 = DATABASE() AND table_name = '{table}' ORDER BY column_name"
            ),
        };
        let columns = self.rows(&columns);
        let shown: Vec<&str> = columns
            .iter()
            .filter_map(|line| line.split_once('|'))
            .filter(|(name, _)| !leave_out.contains(name))
            .map(|(_, shown)| shown)
            .collect();
        self.rows(&format!("SELECT '{table}', {} FROM {table} ORDER BY {order}", shown.join(", ")))
    }
}

/// Checks that the database is whole, and that no member is a former member as well.
pub fn check_database(location: &Location) {
    let beside = Beside::open(location);
    match beside.engine() {
        EngineKind::Sqlite => assert_eq!(beside.rows("PRAGMA integrity_check"), ["ok"]),
        EngineKind::MariaDb => check_tables(&beside),
    }
    let both = "SELECT siteid, memberid FROM member_auth INTERSECT SELECT siteid, memberid FROM \
        former_member";
    assert_eq!(beside.rows(both), [""; 0], "members who are former members too");
}

/// Whole tables of InnoDB with a primary key, and the records of each member numbered without a
/// gap.
fn check_tables(beside: &Beside) {
    let tables = "FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = \
        'BASE TABLE'";
    let names = beside.rows(&format!("SELECT table_name {tables}"));
    assert!(!names.is_empty(), "no tables");
    let odd = format!("SELECT table_name, engine {tables} AND engine <> 'InnoDB'");
    assert_eq!(beside.rows(&odd), [""; 0], "tables of another engine");
    let keyless = format!(
        "SELECT table_name {tables} AND table_name NOT IN (SELECT table_name FROM \
         information_schema.table_constraints WHERE table_schema = DATABASE() AND constraint_type \
         = 'PRIMARY KEY')"
    );
    assert_eq!(beside.rows(&keyless), [""; 0], "tables without a primary key");
    for line in beside.rows(&format!("CHECK TABLE {}", names.join(", "))) {
        assert!(line.ends_with("|check|status|OK"), "{line}");
    }
    let gaps = "SELECT siteid, memberid, min(seq), max(seq), count(*) FROM journal WHERE memberid \
        IS NOT NULL GROUP BY siteid, memberid HAVING count(*) <> max(seq) - min(seq) + 1";
    assert_eq!(beside.rows(gaps), [""; 0], "records that are missing in a member's order");
}
