//! `migrate-store`: a copy has what the source has, whichever engines they are of, also where it
//! was interrupted; and nothing that is or may be in use is touched.

mod command;
mod interrupted;
mod refused;

use mysql::prelude::Queryable as _;
use nats_userman::block::{Block, LoginName, Target};
use nats_userman::epoch::Epoch;
use nats_userman::identity::{Key, MemberId, SiteId};
use nats_userman::login_record::{LoginEvent, LoginRecord, LoginWay};
use nats_userman::migration::{Migrated, MigrationError, migrate};
use nats_userman::operator::{Operator, OperatorName, Role};
use nats_userman::password::Hash;
use nats_userman::shared_use::{MemberNetwork, SharingBlock, SharingReason};
use nats_userman::store::{
    KnownId, KnownNetwork, Location, LoggedOut, Note, Read, Seen, Table, TableRow, open_reader,
    with_engine,
};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::property::{self, Text, cases, check, postbacks};
use crate::support::{App, Beside, MariaDatabase, NOON, check_database, temp_dir};

const STORIES: u32 = 8;

fn copy(from: &Location, to: &Location) -> Result<Migrated, MigrationError> {
    migrate(from, to, &mut |_| true)
}

fn key(member: i64) -> Key {
    Key { site: SiteId::parse("1").unwrap(), member: MemberId::parse(&member.to_string()).unwrap() }
}

fn sqlite_in(dir: &TempDir, name: &str) -> Location {
    // In directories of their own, because each is locked.
    let dir = dir.path().join(name);
    std::fs::create_dir_all(&dir).unwrap();
    Location::sqlite(dir.join("userman.db"))
}

/// A database of a service that was stopped, with something in every table and column.
struct Used {
    _dir: TempDir,
    location: Location,
}

fn used() -> Used {
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
fn dump(location: &Location) -> Vec<String> {
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
fn everything(read: &dyn Read) -> Vec<TableRow> {
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

#[test]
fn a_copy_of_a_file_has_every_column_of_every_row() {
    let (used, dir) = (used(), temp_dir());
    let before = dump(&used.location);
    let to = sqlite_in(&dir, "copy");
    let migrated = copy(&used.location, &to).unwrap();
    assert_eq!(migrated.found, 0);
    let mut left: Vec<_> = std::fs::read_dir(dir.path().join("copy"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["userman.db", "userman.lock"]);
    assert_eq!(dump(&to), before);
    assert_eq!(dump(&used.location), before, "the source is not changed");
    check_database(&to);
    let rows: Vec<u64> = migrated.tables.iter().map(|table| table.rows).collect();
    assert_eq!(rows, [6, 1, 14, 2, 1, 1, 1, 1, 1, 1, 1, 1]);
}

#[test]
fn a_database_is_the_same_after_a_copy_to_mariadb_and_back() {
    let Some(maria) = MariaDatabase::new() else { return };
    let (used, dir) = (used(), temp_dir());
    let there = maria.location();
    let to_there = copy(&used.location, &there).unwrap();
    check_database(&there);
    let (here, back) = (open_reader(&used.location).unwrap(), open_reader(&there).unwrap());
    assert_eq!(everything(&*here), everything(&*back));
    assert_eq!(here.seal_key().unwrap(), back.seal_key().unwrap());
    assert_eq!(here.backlog().unwrap(), back.backlog().unwrap());
    drop((here, back));

    let again = sqlite_in(&dir, "back");
    let to_here = copy(&there, &again).unwrap();
    assert_eq!(dump(&again), dump(&used.location));
    assert_eq!(to_there.tables, to_here.tables, "the hashes do not depend on the engine");
    check_database(&again);
}

#[test]
fn a_database_of_mariadb_is_copied_to_another_one_with_the_ids_of_both_keys() {
    let (Some(first), Some(second)) = (MariaDatabase::new(), MariaDatabase::new()) else { return };
    let used = used();
    copy(&used.location, &first.location()).unwrap();
    let id = "INSERT INTO cookie_key VALUES (1, REPEAT(X'07', 16))";
    first.connect().query_drop(id).unwrap();
    copy(&first.location(), &second.location()).unwrap();
    let (one, other) =
        (open_reader(&first.location()).unwrap(), open_reader(&second.location()).unwrap());
    assert_eq!(everything(&*one), everything(&*other));
    assert_eq!(other.cookie_key().unwrap().map(|id| id.0), Some([7; 16]));
    // The service that goes on there numbers the records of a member from where they ended.
    let next: Vec<Option<i64>> = second
        .connect()
        .query("SELECT MAX(seq) FROM journal WHERE siteid = 1 AND memberid = 71")
        .unwrap();
    assert_eq!(next, [Some(4)]);
}

#[test]
fn the_service_goes_on_with_a_copy_on_mariadb() {
    let Some(maria) = MariaDatabase::new() else { return };
    let used = used();
    copy(&used.location, &maria.location()).unwrap();
    let setting = maria.setting_with_password();
    let app = App::start_in(used._dir, &["--database", &setting]);
    assert!(app.opens(1, 72, "first") && app.opens(1, 71, "third"));
    assert_eq!(
        app.post("action=ADD&siteid=1&memberid=77&username=ZO%C3%89&password=x"),
        "ERROR|username \"ZO??\" is held by member 72 of site 1, nothing was changed for member 77"
    );
    assert_eq!(
        app.post("action=DELETE&siteid=1&memberid=71"),
        "OK|member 71 \"bob\" removed from site 1"
    );
    app.harden();
    assert!(app.opens(1, 73, "testtest"));
}

/// What random postbacks leave is the same after a copy to a server and back.
#[test]
fn what_random_postbacks_leave_is_the_same_after_a_copy_to_mariadb_and_back() {
    let stories = proptest::collection::vec(postbacks(), 1..60);
    check(&stories, cases(STORIES), |postbacks| {
        let Some(maria) = MariaDatabase::new() else { return Ok(()) };
        let app = App::start_with(&["--keep-cryptpass"]);
        for (number, fields) in postbacks.iter().enumerate() {
            let text = |(name, value): &(&str, Text)| ((*name).to_owned(), value.at(NOON, 0));
            let fields: Vec<_> = fields.iter().flatten().map(text).collect();
            app.post(&serde_urlencoded::to_string(fields).unwrap());
            if number % 16 == 15 {
                app.harden();
            }
        }
        let (location, dir) = (app.config.location.clone(), temp_dir());
        let _data = app.stop();
        let back = sqlite_in(&dir, "back");
        copy(&location, &maria.location()).map_err(|error| format!("{error:?}"))?;
        copy(&maria.location(), &back).map_err(|error| format!("{error:?}"))?;
        let (before, after) = (property::dump(&location), property::dump(&back));
        if before == after { Ok(()) } else { Err(format!("{before:#?} became {after:#?}")) }
    });
}
