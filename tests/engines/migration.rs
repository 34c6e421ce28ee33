//! `migrate-store`: a copy has what the source has, whichever engines they are of, also where it
//! was interrupted; and nothing that is or may be in use is touched.

pub mod interrupted;
pub mod refused;

use nats_userman::block::{Block, LoginName, Target};
use nats_userman::epoch::Epoch;
use nats_userman::identity::{Key, MemberId, SiteId};
use nats_userman::login_record::{LoginEvent, LoginRecord, LoginWay};
use nats_userman::migration::{Migrated, MigrationError, migrate};
use nats_userman::operator::{Operator, OperatorName, Role};
use nats_userman::password::Hash;
use nats_userman::shared_use::{MemberNetwork, SharingBlock, SharingReason};
use nats_userman::store::{
    KnownId, KnownNetwork, Location, LoggedOut, Note, Read, Seen, Table, TableRow, with_engine,
};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::{App, Beside, NOON};

pub fn copy(from: &Location, to: &Location) -> Result<Migrated, MigrationError> {
    migrate(from, to, &mut |_| true)
}

pub fn key(member: i64) -> Key {
    Key { site: SiteId::parse("1").unwrap(), member: MemberId::parse(&member.to_string()).unwrap() }
}

pub fn sqlite_in(dir: &TempDir, name: &str) -> Location {
    // In directories of their own, because each is locked.
    let dir = dir.path().join(name);
    std::fs::create_dir_all(&dir).unwrap();
    Location::sqlite(dir.join("userman.db"))
}

/// A database of a service that was stopped, with something in every table and column.
pub struct Used {
    pub _dir: TempDir,
    pub location: Location,
}

pub fn used() -> Used {
    let app = App::start_with(&["--keep-cryptpass"]);
    for body in [
        "action=ADD&siteid=1&memberid=71&username=bob&password=secret&email=a@example.com&\
         session=0123&joined=1600000000&expires=1900000000&biller=NETBILLING&trial=1",
        "action=ADD&siteid=1&memberid=72&username=Zo%C3%A9&password=first",
        "action=ADD&siteid=1&memberid=73&username=ann&cryptpass=41R19prsa7NLQ",
        "action=ADD&siteid=2&memberid=71&username=bob&password=p%00q",
        "action=ADD&siteid=1&memberid=74&username=eve&password=secret",
        "action=DELETE&siteid=1&memberid=74",
        "action=ADD&siteid=1&memberid=75&username=old&password=secret",
        "action=EXPIRE&siteid=1&memberid=75&expire=2026-07-01",
        "action=ADD&siteid=1&memberid=76&username=Stra%C3%9Fe&password=secret",
        "action=UPGRADE&siteid=1",
        "{\"action\":\"ADD\"}",
    ] {
        app.post(body);
    }
    app.harden();
    // A password that is sealed over a hash, in the row and in the journal.
    app.post("action=CHANGE&siteid=1&memberid=71&new_password=second");
    app.post("action=DELETE&siteid=1&memberid=71&username=bob&reason=chargeback");
    app.post("action=ACTIVATE&siteid=1&memberid=71&username=bob&password=third");
    let location = app.config.location.clone();
    let dir = app.stop();
    note_all(&location);
    Used { _dir: dir, location }
}

/// What visitors leave, and what only older releases left.
fn note_all(location: &Location) {
    let notes = [
        Note::LogOut(LoggedOut {
            key: key(71),
            id: [1; 16],
            issued: NOON - 60,
            and_all_until: None,
            until: NOON + 600,
        }),
        Note::LogOut(LoggedOut {
            key: key(72),
            id: [2; 16],
            issued: NOON - 60,
            and_all_until: Some(NOON - 30),
            until: NOON + 600,
        }),
        Note::Seen(Seen { key: key(72), id: [3; 16], at: NOON - 9 }),
        Note::Block(Block {
            target: Target::Name(LoginName::new("zoé")),
            since: NOON,
            until: NOON + 900,
        }),
        Note::Known(KnownNetwork { id: KnownId { member: [4; 16], network: [5; 16] }, day: 7 }),
        Note::Login(LoginRecord {
            at: NOON,
            event: LoginEvent::Wrong,
            way: LoginWay::Page,
            site: key(72).site,
            member: Some(key(72).member),
            name: Some("Zoé".into()),
            network: "2001:db8::/64".into(),
        }),
        Note::Network(MemberNetwork {
            key: key(72),
            network: "203.0.113.0/24".into(),
            first_at: NOON - 60,
            last_at: NOON,
            country: Some("NL".into()),
        }),
        Note::Shared(SharingBlock {
            key: key(72),
            since: NOON,
            until: NOON + 60,
            why: SharingReason::AtOnce,
        }),
    ];
    let anna = Operator {
        name: OperatorName::parse("anna").unwrap(),
        role: Role::Admin,
        hash: Hash::from_text("$argon2id$v=19$m=8,t=1,p=1$one".into()),
        created_at: NOON,
        changed_at: NOON + 1,
    };
    with_engine(location, false, |engine| {
        engine.begin().unwrap();
        notes.iter().for_each(|one| engine.note(one, NOON).unwrap());
        engine.unfold(key(76)).unwrap();
        engine.begin_login_epoch(Epoch([9; 16])).unwrap();
        engine.add_operator(&anna).unwrap();
        engine.commit().unwrap();
        assert!(engine.finish());
    })
    .unwrap();
    if let Location::Sqlite(file) = location {
        let conn = Connection::open(file.path()).unwrap();
        let insert =
            "INSERT INTO logout (id, until) VALUES (x'0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a', ?1)";
        conn.execute(insert, [NOON + 60]).unwrap();
    }
}

/// Every column of every table that is copied.
pub fn dump(location: &Location) -> Vec<String> {
    let beside = Beside::open(location);
    let key = "siteid, memberid";
    [
        ("member_auth", key),
        ("former_member", key),
        ("journal", "id"),
        ("logout", "id"),
        ("logout_before", key),
        ("login_seen", "siteid, memberid, id"),
        ("known_network", "member, network"),
        ("block", "kind, network, username"),
        ("login", "id"),
        ("sharing_network", "siteid, memberid, network"),
        ("sharing_block", key),
        ("operator", "name"),
        ("seal_key", "one"),
        ("login_epoch", "one"),
        ("folding", "one"),
    ]
    .into_iter()
    .flat_map(|(table, order)| {
        let rows = beside.dump(table, order, &[]);
        assert!(!rows.is_empty(), "nothing in {table}");
        rows
    })
    .collect()
}

/// What is read through the store's own interface of any engine.
pub fn everything(read: &dyn Read) -> Vec<TableRow> {
    let mut all = Vec::new();
    for table in Table::ALL {
        let mut rows: Vec<TableRow> = Vec::new();
        loop {
            let page = read.rows_page(table, rows.last()).unwrap();
            if page.is_empty() {
                break;
            }
            rows.extend(page);
        }
        all.extend(rows);
    }
    all
}
