//! The journal, and the sealed credentials in it.

use nats_userman::action::{Change, Recorded, Standing};
use nats_userman::identity::Key;
use nats_userman::member::{Credential, Member};
use nats_userman::password::{Password, Seal, Stored, Vault};
use nats_userman::reply::Reply;
use nats_userman::store::{
    Engine, Fault, Hardened, JournalFilter, JournalSpan, Outcome, Rehashed, StoredRecord, pages,
};

use super::{Database, hash, key, member, ok, on_every_engine, received, record, save};
use crate::support::NOON;

/// One more than two pages.
const RECORDS: i64 = 2_001;

fn records(database: &Database, filter: &JournalFilter) -> Vec<StoredRecord> {
    let mut found = Vec::new();
    let each = |record: &StoredRecord| {
        found.push(record.clone());
        Ok::<_, Fault>(())
    };
    pages::each_record(&*database.read(), filter, each).unwrap();
    found
}

/// A record for each second from NOON on.
fn fill(database: &Database) {
    database.commit(|engine| {
        for second in 0..RECORDS {
            let (site, id) = (1 + second % 2, 71 + second % 3);
            let word = if second % 5 == 0 { "DELETE" } else { "ADD" };
            let username = if second % 11 == 0 { "" } else { &format!("&username=Name{id}") };
            let received = received(&format!(
                "action={word}&siteid={site}&memberid={id}{username}&joined={second}"
            ));
            let reply = if second % 7 == 0 { Reply::error("no") } else { ok() };
            let record = record(&received, NOON + second, reply);
            engine.save(&[Outcome { change: Change::None, record, taken_over: None }])?;
        }
        Ok(())
    });
}

#[test]
fn the_journal_is_read_page_by_page_in_the_order_of_effect() {
    on_every_engine(|database| {
        fill(database);
        let all = records(database, &JournalFilter::default());
        let times: Vec<i64> = all.iter().map(|record| record.at).collect();
        assert_eq!(times, (NOON..NOON + RECORDS).collect::<Vec<_>>());
        assert!(all.windows(2).all(|pair| pair[0].id < pair[1].id));
        assert_eq!(all[5].fields, "action=DELETE&siteid=2&memberid=73&username=Name73&joined=5");
        let reader = database.read();
        let page = reader.journal_page(&JournalFilter::default(), 0, all[9].id).unwrap();
        assert_eq!(page.len(), 10, "up to the newest that is asked for");
        let newest = all.last().map(|record| (record.id, record.at));
        assert_eq!(reader.newest_record().unwrap(), newest);
    });
}

#[test]
fn each_filter_of_the_journal_takes_what_it_says() {
    on_every_engine(|database| {
        fill(database);
        let filter = JournalFilter::default;
        let text = |text: &str| Some(text.to_owned());
        type Takes = fn(i64) -> bool;
        let cases: [(JournalFilter, Takes); 11] = [
            (JournalFilter { site: Some(2), ..filter() }, |second| second % 2 == 1),
            (JournalFilter { member: Some(72), ..filter() }, |second| second % 3 == 1),
            (JournalFilter { site: Some(1), member: Some(72), ..filter() }, |second| {
                second % 6 == 4
            }),
            (JournalFilter { username: text("nAME73"), ..filter() }, |second| {
                second % 3 == 2 && second % 11 != 0
            }),
            (JournalFilter { action: text("DELETE"), ..filter() }, |second| second % 5 == 0),
            (JournalFilter { word: text("ERROR"), ..filter() }, |second| second % 7 == 0),
            (JournalFilter { since: Some(NOON + 1_990), ..filter() }, |second| second >= 1_990),
            (JournalFilter { until: Some(NOON + 3), ..filter() }, |second| second < 3),
            (JournalFilter { source: text("nats"), ..filter() }, |_| true),
            (JournalFilter { source: text("operator"), ..filter() }, |_| false),
            (JournalFilter { text: text("|NO"), ..filter() }, |second| second % 7 == 0),
        ];
        for (filter, takes) in cases {
            let found: Vec<i64> =
                records(database, &filter).iter().map(|record| record.at - NOON).collect();
            let expected: Vec<i64> = (0..RECORDS).filter(|&second| takes(second)).collect();
            assert_eq!(found, expected, "{filter:?}");
        }
    });
}

#[test]
fn a_record_without_a_siteid_is_found_by_its_memberid() {
    on_every_engine(|database| {
        for (second, site) in [(0, "&siteid=1"), (1, ""), (2, "&siteid=2"), (3, "")] {
            let received = received(&format!("action=DELETE{site}&memberid={}", 71 + second / 3));
            let record = record(&received, NOON + second, Reply::error("no"));
            let outcome = [Outcome { change: Change::None, record, taken_over: None }];
            database.commit(|engine| engine.save(&outcome));
        }
        let of_71 = JournalFilter { member: Some(71), ..JournalFilter::default() };
        let found = records(database, &of_71);
        let found: Vec<_> = found.iter().map(|record| (record.at - NOON, record.siteid)).collect();
        assert_eq!(found, [(0, Some(1)), (1, None), (2, Some(2))]);
        let on_site_1 = JournalFilter { site: Some(1), ..of_71 };
        assert_eq!(records(database, &on_site_1).len(), 1);
    });
}

#[test]
fn the_journal_is_read_from_the_newest_record_on_within_bounds_of_numbers_and_count() {
    on_every_engine(|database| {
        fill(database);
        let all = records(database, &JournalFilter::default());
        let id = |second: usize| all[second].id;
        let reader = database.read();
        let read = |filter: &JournalFilter, after, newest, most| {
            let span = JournalSpan { after, newest, most, newest_first: true };
            let found = reader.journal_span(filter, span).unwrap();
            found.into_iter().map(|record| record.unwrap().at - NOON).collect::<Vec<_>>()
        };
        let filter = JournalFilter::default();
        assert_eq!(read(&filter, 0, i64::MAX, 3), [2_000, 1_999, 1_998]);
        assert_eq!(read(&filter, id(1_990), id(1_992), 9), [1_992, 1_991]);
        let errors = JournalFilter { word: Some("ERROR".into()), ..filter.clone() };
        assert_eq!(read(&errors, id(1_980), i64::MAX, 9), [1_995, 1_988, 1_981]);
        assert_eq!(read(&errors, id(1_988), id(1_994), 9), [0; 0]);
        let of_one = JournalFilter { site: Some(1), member: Some(72), ..filter.clone() };
        assert_eq!(read(&of_one, 0, id(1_990), 3), [1_990, 1_984, 1_978]);
        let on_any_site = JournalFilter { member: Some(72), ..filter.clone() };
        assert_eq!(read(&on_any_site, 0, id(1_990), 3), [1_990, 1_987, 1_984]);
        let called = JournalFilter { username: Some("nAME73".into()), ..filter };
        assert_eq!(read(&called, id(1_970), id(1_986), 9), [1_985, 1_982, 1_979, 1_976, 1_973]);
        assert_eq!(reader.record_from(id(7)).unwrap(), Some((id(7), NOON + 7)));
        assert_eq!(reader.record_from(id(2_000) + 1).unwrap(), None);
    });
}

#[test]
fn the_number_of_the_first_record_from_a_time_on_is_found_without_an_index() {
    on_every_engine(|database| {
        let reader = database.read();
        assert_eq!(pages::number_from(&*reader, NOON).unwrap(), None);
        fill(database);
        let all = records(database, &JournalFilter::default());
        for (time, second) in [(0, 0), (NOON, 0), (NOON + 777, 777), (NOON + 2_000, 2_000)] {
            let found = pages::number_from(&*reader, time).unwrap();
            assert_eq!(found, Some(all[second].id), "{time}");
        }
        assert_eq!(pages::number_from(&*reader, NOON + 2_001).unwrap(), None);
    });
}

fn vault() -> Vault {
    Vault::from_key([7; 32])
}

fn seal(key: Key, password: &str) -> Seal {
    vault().seal_password(key, &Password::parse(password).unwrap())
}

/// A member joins with a sealed password; the record holds the same seal.
fn join(database: &Database, row: &Member) {
    let received = received("action=ADD&siteid=1&memberid=71&username=bob");
    let put = Recorded { credential: Some(row.credential.clone()), ..Recorded::default() };
    database.commit(|engine| {
        let record = nats_userman::journal::Record { put, ..record(&received, NOON, ok()) };
        engine.save(&[Outcome { change: Change::Insert(row.clone()), record, taken_over: None }])
    });
}

fn sealed_bob() -> Member {
    let stored = Stored::Sealed(seal(key(1, 71), "secret"));
    let credential = Credential { stored, cryptpass: None };
    Member { credential, before: Some(hash("before")), ..member(1, 71, "bob") }
}

fn bob(database: &Database) -> Member {
    match database.read().standing(key(1, 71), NOON).unwrap() {
        Standing::Here(row) => row,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_hash_takes_the_place_of_its_seal_in_the_row_and_in_the_journal() {
    for differs in [false, true] {
        on_every_engine(|database| {
            join(database, &sealed_bob());
            let pending = database.read().pending(10).unwrap();
            assert_eq!((pending.len(), database.read().backlog().unwrap()), (1, 1));
            assert_eq!(pending[0].before, Some(hash("before")));

            let form = hash("hardened");
            let hardened = [Hardened { pending: pending[0].clone(), form: form.clone(), differs }];
            database.commit(|engine| engine.harden(&hardened));

            let (row, record) =
                (bob(database), records(database, &JournalFilter::default()).remove(0));
            assert_eq!((&row.credential.stored, &row.before), (&form, &None));
            assert_eq!(record.put.credential.map(|credential| credential.stored), Some(form));
            assert_eq!(row.login_version, if differs { 2 } else { 1 });
            assert_eq!(record.put.logins_ended, differs);
            assert_eq!(database.read().backlog().unwrap(), 0);
        });
    }
}

#[test]
fn a_seal_that_was_replaced_meanwhile_leaves_the_newer_one() {
    on_every_engine(|database| {
        join(database, &sealed_bob());
        let pending = database.read().pending(10).unwrap().remove(0);
        let newer = Stored::Sealed(seal(key(1, 71), "newer"));
        let mut row = bob(database);
        row.credential.stored = newer.clone();
        row.before = Some(Stored::Sealed(pending.seal.clone()));
        database.save(vec![Change::Update(row)]);

        let form = hash("hardened");
        let hardened = [Hardened { pending, form: form.clone(), differs: false }];
        database.commit(|engine| engine.harden(&hardened));
        let row = bob(database);
        assert_eq!(row.credential.stored, newer);
        assert_eq!(row.before, Some(form), "what the newer one is compared with");
    });
}

#[test]
fn a_hash_is_replaced_only_where_it_still_stands() {
    on_every_engine(|database| {
        database.save(vec![Change::Insert(member(1, 71, "bob"))]);
        let hash_of = |stored| match stored {
            Stored::Hash(hash) => hash,
            other => panic!("{other:?}"),
        };
        let rehash = |old, new| {
            let (old, new) = (hash_of(hash(old)), hash_of(hash(new)));
            database.commit(|engine| engine.rehash(&Rehashed { key: key(1, 71), old, new }));
            bob(database).credential.stored
        };
        assert_eq!(rehash("other", "third"), hash("first"));
        assert_eq!(rehash("first", "second"), hash("second"));
    });
}

#[test]
fn pruning_takes_the_oldest_and_leaves_the_newest_and_what_is_sealed() {
    on_every_engine(|database| {
        join(database, &sealed_bob());
        for second in 1..=5 {
            let received = received("action=DELETE&siteid=1&memberid=72");
            let record = record(&received, NOON + second, ok());
            let outcome = [Outcome { change: Change::None, record, taken_over: None }];
            database.commit(|engine| engine.save(&outcome));
        }
        let prune = |before, most| database.commit(|engine| engine.prune(before, before, most));
        let left = || -> Vec<i64> {
            let all = records(database, &JournalFilter::default());
            all.iter().map(|record| record.at - NOON).collect()
        };
        assert_eq!((prune(NOON + 3, 1), left()), (1, vec![0, 2, 3, 4, 5]));
        assert_eq!((prune(NOON + 3, 10), left()), (1, vec![0, 3, 4, 5]));
        assert_eq!((prune(NOON + 99, 10), left()), (2, vec![0, 5]));
    });
}

#[test]
fn pruning_passes_over_a_record_of_a_time_to_come() {
    on_every_engine(|database| {
        // The clock was wrong for the second record.
        for second in [0, 9_999, 1, 2, 3] {
            let received = received("action=DELETE&siteid=1&memberid=72");
            let record = record(&received, NOON + second, ok());
            let outcome = [Outcome { change: Change::None, record, taken_over: None }];
            database.commit(|engine| engine.save(&outcome));
        }
        let prune = |most| database.commit(|engine| engine.prune(NOON + 2, NOON + 4, most));
        let left = || -> Vec<i64> {
            let all = records(database, &JournalFilter::default());
            all.iter().map(|record| record.at - NOON).collect()
        };
        assert_eq!((prune(1), left()), (1, vec![9_999, 1, 2, 3]));
        assert_eq!((prune(10), left()), (1, vec![9_999, 2, 3]));
        assert_eq!((prune(10), left()), (0, vec![9_999, 2, 3]));
    });
}

#[test]
fn a_database_is_empty_until_the_first_record() {
    on_every_engine(|database| {
        let is_empty = || {
            let engine = database.with(|engine| engine.is_empty().unwrap());
            assert_eq!(database.read().is_unused().unwrap(), engine);
            engine
        };
        assert!(is_empty());
        database.commit(|engine| save(engine, vec![Change::None]));
        assert!(!is_empty());
    });
}

#[test]
fn a_new_database_has_nothing_to_convert() {
    on_every_engine(|database| {
        let convert = |engine: &mut dyn Engine| Ok(engine.convert_journal(10)?.is_none());
        assert!(database.commit(convert));
        fill(database);
        assert!(database.commit(convert));
    });
}
