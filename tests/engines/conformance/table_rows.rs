//! Rows of whole tables, which come out of a database as they were put into it.

use nats_userman::action::Recorded;
use nats_userman::block::{Block, LoginName, Target};
use nats_userman::login_record::{LoginEvent, LoginRecord, LoginWay, StoredLogin};
use nats_userman::member::{Credential, Former, Member, Reason};
use nats_userman::operator::{Operator, OperatorName, Role};
use nats_userman::password::{Hash, Seal, Stored};
use nats_userman::shared_use::{MemberNetwork, SharingBlock, SharingReason};
use nats_userman::store::{
    Fault, KnownId, KnownNetwork, Logout, LogoutBefore, Seen, StoredRecord, Table, TableRow,
};

use super::{Database, hash, key, member, on_every_engine};
use crate::support::{NOON, check_database};

/// More than a page has.
const MANY: i64 = 2_100;

fn id(number: i64) -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    id
}

fn record(id: i64, member: i64) -> StoredRecord {
    StoredRecord {
        id,
        at: NOON + id,
        source: "nats".into(),
        address: Some("2001:db8::7".into()),
        action: Some("ADD".into()),
        siteid: Some(1),
        memberid: Some(member),
        username: Some(format!("m{member}")),
        fields: format!("action=ADD&siteid=1&memberid={member}&username=m{member}&password=***"),
        reply: format!("OK|member {member} \"m{member}\" added to site 1"),
        moved_until: None,
        operator: (id % 3 == 0).then(|| "anna".to_owned()),
        put: Recorded {
            credential: Some(Credential { stored: hash("first"), cryptpass: None }),
            is_stale: member % 2 == 0,
            ..Recorded::default()
        },
    }
}

/// A record of a body without a readable id.
fn unreadable(id: i64) -> StoredRecord {
    StoredRecord {
        address: None,
        action: None,
        siteid: None,
        memberid: None,
        username: None,
        fields: "application/json, 12 bytes".into(),
        reply: "ERROR|no parameter".into(),
        moved_until: Some(NOON - 5),
        put: Recorded::default(),
        ..record(id, 1)
    }
}

/// Many rows of a table in the order of its key; the site and the ids change.
fn rows(table: Table) -> Vec<TableRow> {
    let of_two_sites = |number: i64| key(1 + number * 2 / MANY, number + 1);
    let row = |number: i64| match table {
        Table::Members => TableRow::Member(Member {
            key: of_two_sites(number),
            expire_at: (number % 3 == 0).then_some(NOON - 7),
            before: (number % 5 == 0).then(|| hash("before")),
            ..member(1, number + 1, &format!("m{number}"))
        }),
        Table::Formers => {
            let sealed = Stored::Sealed(Seal::from_bytes(vec![0xff; 90]));
            let row = Member {
                key: of_two_sites(MANY + number),
                credential: Credential { stored: sealed.clone(), cryptpass: None },
                before: (number % 2 == 0).then_some(sealed),
                ..member(1, number + 1, "same")
            };
            TableRow::Former(Former::new(row, Reason::Deleted, NOON - number))
        }
        // Numbers have gaps where records were pruned.
        Table::Journal if number % 7 == 0 => TableRow::Record(unreadable(3 * number + 1)),
        Table::Journal => TableRow::Record(record(3 * number + 1, 1 + number % 40)),
        Table::Logouts => {
            let of = (number % 4 > 0).then(|| (of_two_sites(number), NOON - number));
            TableRow::Logout(Logout { id: id(number), until: NOON + number, of })
        }
        Table::LogoutsBefore => TableRow::LogoutBefore(LogoutBefore {
            key: of_two_sites(number),
            issued: NOON,
            login_version: i64::MAX - number,
        }),
        Table::LastUses => TableRow::LastUse(Seen {
            key: key(1 + number / 700, 1 + number / 30),
            id: id(number),
            at: NOON,
        }),
        Table::KnownNetworks => TableRow::KnownNetwork(KnownNetwork {
            id: KnownId { member: id(number / 16), network: id(number) },
            day: number,
        }),
        Table::Blocks => TableRow::Block(Block {
            target: Target::Name(LoginName::new(&format!("{number:06} é"))),
            since: NOON,
            until: NOON + number,
        }),
        Table::Logins => TableRow::Login(StoredLogin {
            id: 2 * number + 1,
            record: LoginRecord {
                at: NOON + number,
                event: LoginEvent::ALL[usize::try_from(number).unwrap() % 7],
                way: if number % 2 == 0 { LoginWay::Page } else { LoginWay::Basic },
                site: key(1, 1).site,
                member: (number % 3 > 0).then(|| key(1, number + 1).member),
                name: (number % 5 > 0).then(|| format!("m{number} é")),
                network: format!("2001:db8:{number:x}::/64"),
            },
        }),
        Table::MemberNetworks => TableRow::MemberNetwork(MemberNetwork {
            key: key(1 + number / 700, 1 + number / 30),
            network: format!("198.51.{:05}.0/24", number),
            first_at: NOON - number,
            last_at: NOON + number,
            country: (number % 2 == 0).then(|| "NL".to_owned()),
        }),
        Table::SharingBlocks => TableRow::SharingBlock(SharingBlock {
            key: of_two_sites(number),
            since: NOON,
            until: NOON + number,
            why: [SharingReason::Networks, SharingReason::AtOnce, SharingReason::Countries]
                [usize::try_from(number).unwrap() % 3],
        }),
        Table::Operators => TableRow::Operator(Operator {
            name: OperatorName::parse(&format!("op{number:06}")).unwrap(),
            role: Role::ALL[usize::try_from(number).unwrap() % 2],
            hash: Hash::from_text(format!("$argon2id$v=19$m=8,t=1,p=1${number}")),
            created_at: NOON - number,
            changed_at: NOON + number,
        }),
    };
    (0..MANY).map(row).collect()
}

fn all_rows(database: &Database, table: Table) -> Vec<TableRow> {
    let (reader, mut all) = (database.read(), Vec::new());
    loop {
        let page = reader.rows_page(table, all.last()).unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

#[test]
fn rows_of_every_table_come_out_as_they_were_put_in_page_by_page() {
    on_every_engine(|database| {
        for table in Table::ALL {
            let rows = rows(table);
            for some in rows.chunks(999) {
                database.commit(|engine| engine.insert_rows(some));
            }
            let found = all_rows(database, table);
            assert!(rows.iter().all(|row| row.table() == table));
            for (number, (one, other)) in rows.iter().zip(&found).enumerate() {
                assert_eq!(one, other, "row {number}");
            }
            assert_eq!(found.len(), rows.len(), "{table:?}");
        }
        // Also the records of each member are numbered without a gap, as of a receiver.
        check_database(&database.location);
    });
}

#[test]
fn a_row_that_is_there_already_is_refused_and_nothing_of_its_page_is_stored() {
    on_every_engine(|database| {
        let rows = rows(Table::Logouts);
        database.commit(|engine| engine.insert_rows(&rows[3..4]));
        database.with(|engine| {
            engine.begin().unwrap();
            let again = engine.insert_rows(&rows[..10]);
            assert!(matches!(again, Err(Fault::Constraint(_))), "{again:?}");
            engine.rollback();
        });
        assert_eq!(all_rows(database, Table::Logouts), rows[3..4]);
    });
}
