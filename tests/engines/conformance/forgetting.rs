//! What is stored of one person is removed, and nothing of anybody else.

use nats_userman::action::{Change, Standing};
use nats_userman::block::{Block, LoginName, Network, Target};
use nats_userman::journal::Record;
use nats_userman::login_record::{LoginEvent, LoginRecord, LoginWay};
use nats_userman::member::{Former, Reason};
use nats_userman::personal;
use nats_userman::reply::Reply;
use nats_userman::shared_use::{MemberNetwork, SharingBlock, SharingReason};
use nats_userman::store::{
    CookieLogin, Forgotten, KnownId, KnownNetwork, LoggedOut, Note, Outcome, Person, Seen,
    StoredRecord, pages,
};

use super::{Database, key, member, on_every_engine, received, record};
use crate::support::NOON;

/// Nobody has networks under a key, because this suite has none.
fn find(database: &Database, id: i64) -> Person {
    personal::find(&*database.read(), key(1, id), None, |_| ()).unwrap()
}

fn forget(database: &Database, person: &Person) -> Forgotten {
    database.with(|engine| personal::forget(engine, person, || NOON.into())).unwrap()
}

fn save(database: &Database, change: Change, text: &str, reply: Reply) {
    let received = received(text);
    let record = record(&received, NOON, reply);
    database.commit(|engine| engine.save(&[Outcome { change, record, taken_over: None }]));
}

fn records(database: &Database) -> Vec<StoredRecord> {
    let mut all = Vec::new();
    pages::each_record(&*database.read(), &Default::default(), |record| {
        all.push(record.clone());
        Ok::<_, nats_userman::store::Fault>(())
    })
    .unwrap();
    all
}

/// Everything that notes can store of a member.
fn notes(id: i64, name: &str) -> Vec<Note> {
    let (key, byte) = (key(1, id), u8::try_from(id).unwrap());
    let network = Network::parse("203.0.113.9").unwrap();
    let login = LoginRecord {
        at: NOON,
        event: LoginEvent::Login,
        way: LoginWay::Page,
        site: key.site,
        member: Some(key.member),
        name: Some(name.to_owned()),
        network: "203.0.113.9".to_owned(),
    };
    let failed = LoginRecord { event: LoginEvent::Blocked, member: None, ..login.clone() };
    let block = |target| Note::Block(Block { target, since: NOON, until: NOON + 60 });
    vec![
        Note::Login(login),
        Note::Login(failed),
        Note::Seen(Seen { key, id: [byte; 16], at: NOON }),
        Note::LogOut(LoggedOut {
            key,
            id: [byte; 16],
            issued: NOON - 60,
            and_all_until: None,
            until: NOON + 60,
        }),
        Note::Known(KnownNetwork {
            id: KnownId { member: [byte; 16], network: [byte; 16] },
            day: 20_000,
        }),
        Note::Network(MemberNetwork {
            key,
            network: "203.0.113.0/24".to_owned(),
            first_at: NOON,
            last_at: NOON,
            country: None,
        }),
        Note::Shared(SharingBlock { key, since: NOON, until: NOON, why: SharingReason::Networks }),
        block(Target::Name(LoginName::new(name))),
        block(Target::Pair(LoginName::new(name), network)),
    ]
}

/// Bob and ann, each with a row, a record and all notes.
fn told(database: &Database) {
    for (id, name) in [(71, "bob"), (72, "ann")] {
        let text = format!("action=ADD&siteid=1&memberid={id}&username={name}");
        save(database, Change::Insert(member(1, id, name)), &text, Reply::ok("added"));
        for note in notes(id, name) {
            database.commit(|engine| engine.note(&note, NOON - 120));
        }
    }
}

#[test]
fn everything_of_a_person_is_removed_and_counted_and_nothing_of_another_one() {
    on_every_engine(|database| {
        told(database);
        let ann = find(database, 72);
        let before = (
            database.standing(&member(1, 72, "ann")),
            database.read().traces_of(&ann).unwrap(),
            records(database).remove(1),
        );
        let bob = Person { known: vec![[71; 16]], ..find(database, 71) };
        assert_eq!(bob.names, ["71@example.com", "bob"].map(str::to_owned).into());
        let gone = forget(database, &bob);
        assert_eq!(
            gone,
            Forgotten {
                rows: 1,
                records: 1,
                logins: 2,
                cookies: 2,
                known_networks: 1,
                sharing: 2,
                blocks: 2,
            }
        );
        let read = database.read();
        assert!(matches!(database.standing(&member(1, 71, "bob")), Standing::Unknown));
        let traces = read.traces_of(&bob).unwrap();
        assert!(traces.logouts.is_empty() && traces.last_uses.is_empty());
        assert!(traces.known_days.is_empty() && traces.unassigned.is_empty());
        assert!(read.last_logins(key(1, 71), 9).unwrap().is_empty());
        assert!(read.networks_of(key(1, 71)).unwrap().is_empty());
        assert_eq!(read.sharing_of(key(1, 71)).unwrap(), None);
        assert_eq!(pages::blocks(&*read, NOON).unwrap().len(), 2, "ann's");

        let left = records(database);
        assert_eq!(left[0], before.2, "with the same number");
        let said = &left[1];
        assert_eq!(
            (said.source.as_str(), said.action.as_deref(), said.siteid, said.memberid),
            ("operator", None, Some(1), None)
        );
        assert_eq!(
            (said.fields.as_str(), said.reply.as_str(), said.username.as_deref()),
            ("action=FORGET&siteid=1", "OK|a member of site 1 was forgotten", None)
        );
        let traces = read.traces_of(&ann).unwrap();
        assert_eq!(
            format!("{:?}", before.0),
            format!("{:?}", database.standing(&member(1, 72, "ann")))
        );
        assert_eq!(format!("{:?}", before.1), format!("{traces:?}"));
        assert_eq!(read.last_logins(key(1, 72), 9).unwrap().len(), 1);

        let again = forget(database, &find(database, 71));
        assert_eq!(again, Forgotten::default(), "a second time");
        assert_eq!(records(database).len(), 2, "and nothing is written");
    });
}

#[test]
fn the_logins_of_before_do_not_count_when_the_member_is_added_again() {
    on_every_engine(|database| {
        told(database);
        forget(database, &find(database, 71));
        let bob = member(1, 71, "bob");
        let text = "action=ADD&siteid=1&memberid=71&username=bob";
        save(database, Change::Insert(bob.clone()), text, Reply::ok("added"));
        let login = |issued| CookieLogin {
            key: bob.key,
            id: [9; 16],
            issued,
            login_version: bob.login_version,
            wants_last_use: false,
        };
        let states = database.read().cookie_logins(&[login(NOON), login(NOON + 1)], NOON).unwrap();
        assert_eq!([states[0].is_logged_out, states[1].is_logged_out], [true, false]);
        assert!(matches!(&states[1].row, Ok(Some(_))));
    });
}

#[test]
fn the_logins_of_before_do_not_count_after_later_logouts_and_changes_of_the_new_member() {
    on_every_engine(|database| {
        told(database);
        forget(database, &find(database, 71));
        let bob = member(1, 71, "bob");
        database.save(vec![Change::Insert(bob.clone())]);
        let logout = LoggedOut {
            key: bob.key,
            id: [8; 16],
            issued: NOON + 1,
            and_all_until: Some(NOON + 2),
            until: NOON + 60,
        };
        database.commit(|engine| engine.note(&Note::LogOut(logout), NOON + 2));
        let changed = nats_userman::member::Member { login_version: 2, ..bob };
        database.save(vec![Change::Update(changed.clone())]);
        let login = |issued| CookieLogin {
            key: changed.key,
            id: [9; 16],
            issued,
            login_version: 2,
            wants_last_use: false,
        };
        // The member of before had changed their password too.
        let states = database.read().cookie_logins(&[login(NOON), login(NOON + 3)], NOON).unwrap();
        assert_eq!([states[0].is_logged_out, states[1].is_logged_out], [true, false]);
    });
}

#[test]
fn late_notes_are_removed_unless_the_member_has_come_back() {
    on_every_engine(|database| {
        told(database);
        let bob = find(database, 71);
        forget(database, &bob);
        // As if there had been no block and no failed login at the time of the search.
        let bob = Person { blocks: Vec::new(), logins: Vec::new(), ..bob };
        let late = |database: &Database| {
            for note in notes(71, "bob") {
                database.commit(|engine| engine.note(&note, NOON - 120));
            }
            let read = database.read();
            database.with(|engine| personal::forget_late_notes(engine, &*read, &bob)).unwrap()
        };
        let gone = late(database);
        assert_eq!((gone.logins, gone.cookies, gone.sharing, gone.blocks), (2, 2, 2, 2));
        let text = "action=ADD&siteid=1&memberid=71&username=bob";
        save(database, Change::Insert(member(1, 71, "bob")), text, Reply::ok("added"));
        assert_eq!(late(database), Forgotten::default());
    });
}

#[test]
fn a_former_name_that_another_member_has_now_stays_theirs() {
    on_every_engine(|database| {
        let bob = member(1, 71, "bob");
        for (text, change) in [
            ("action=ADD&siteid=1&memberid=71&username=bob", Change::Insert(bob.clone())),
            (
                "action=CHANGE&siteid=1&memberid=71&username=bob&new_username=rob",
                Change::Update(member(1, 71, "rob")),
            ),
            ("action=ADD&siteid=1&memberid=72&username=bob", Change::Insert(member(1, 72, "bob"))),
        ] {
            save(database, change, text, Reply::ok("done"));
        }
        for name in ["bob", "rob"] {
            let target = Target::Name(LoginName::new(name));
            let block = Block { target, since: NOON, until: NOON + 60 };
            database.commit(|engine| engine.note(&Note::Block(block.clone()), NOON));
        }
        let person = find(database, 71);
        assert_eq!(person.names, ["71@example.com", "rob"].map(str::to_owned).into());
        assert_eq!(forget(database, &person).blocks, 1);
        let blocks = pages::blocks(&*database.read(), NOON).unwrap();
        assert_eq!(blocks[0].target, Target::Name(LoginName::new("bob")));
    });
}

#[test]
fn records_without_a_readable_siteid_or_memberid_are_found_by_the_name() {
    on_every_engine(|database| {
        told(database);
        for text in [
            "action=ADD&siteid=1&username=Bob&email=bob@example.com",
            "action=ADD&memberid=71&username=x",
            "action=ADD&username=bob",
            "action=ADD&siteid=1&username=ann",
            "action=ADD&siteid=2&username=bob",
            "action=ADD&memberid=72&username=bob",
        ] {
            save(database, Change::None, text, Reply::error("missing"));
        }
        assert_eq!(forget(database, &find(database, 71)).records, 1 + 3);
        let left: Vec<String> = records(database).into_iter().map(|record| record.fields).collect();
        assert_eq!(
            left,
            [
                "action=ADD&siteid=1&memberid=72&username=ann",
                "action=ADD&siteid=1&username=ann",
                "action=ADD&siteid=2&username=bob",
                "action=ADD&memberid=72&username=bob",
                "action=FORGET&siteid=1",
            ]
        );
    });
}

#[test]
fn a_record_that_a_replay_needs_for_other_members_is_emptied_in_its_place() {
    on_every_engine(|database| {
        let received = received("action=ADD&siteid=1&memberid=71&username=bob&email=b@x.org");
        let record = Record {
            moved_until: Some(NOON + 5),
            ..super::record(&received, NOON, Reply::ok("member 71 \"bob\" added"))
        };
        let change = Change::Insert(member(1, 71, "bob"));
        database.commit(|engine| engine.save(&[Outcome { change, record, taken_over: None }]));
        let number = records(database)[0].id;
        assert_eq!(forget(database, &find(database, 71)).records, 1);
        let left = records(database);
        assert_eq!((left.len(), left[0].id, left[0].at), (2, number, NOON));
        assert_eq!(left[0].moved_until, Some(NOON + 5));
        assert_eq!(left[0].fields, "action=FORGET");
        assert_eq!(left[0].reply, "OK|this record of a forgotten member was emptied");
        let found = (&left[0].username, left[0].memberid, left[0].put.credential.is_none());
        assert_eq!(found, (&None, None, true));
        assert_eq!(forget(database, &find(database, 71)), Forgotten::default());
    });
}

#[test]
fn no_number_of_a_record_is_used_twice() {
    on_every_engine(|database| {
        told(database);
        let newest = records(database)[1].id;
        forget(database, &find(database, 72));
        let left = records(database);
        assert!(left[1].id > newest, "{left:?}");
    });
}

#[test]
fn a_former_member_is_forgotten_and_a_name_goes_to_who_waits_for_it() {
    on_every_engine(|database| {
        let gone = Former::new(member(1, 71, "bob"), Reason::Deleted, NOON);
        save(database, Change::Leave(gone), "action=DELETE&siteid=1&memberid=71", Reply::ok("-"));
        let forgotten = forget(database, &find(database, 71));
        assert_eq!((forgotten.rows, forgotten.records), (1, 1));

        database.save(vec![
            Change::Insert(member(1, 73, "\u{e9}mile")),
            Change::Insert(nats_userman::member::Member {
                holds_folded: false,
                ..member(1, 74, "\u{c9}mile")
            }),
        ]);
        forget(database, &find(database, 73));
        let holder = database.read().holder(key(1, 1).site, &super::name("\u{e9}mile"), NOON);
        assert_eq!(holder.unwrap(), Some(key(1, 74).member));
    });
}

#[test]
fn of_the_test_member_no_row_is_kept() {
    on_every_engine(|database| {
        let bob = member(1, 71, "bob");
        for former in [false, true] {
            database.save(vec![Change::Insert(bob.clone())]);
            if former {
                let gone = Former::new(bob.clone(), Reason::Expired, NOON);
                database.save(vec![Change::Leave(gone)]);
            }
            database.save(vec![Change::Erase(bob.key)]);
            assert!(matches!(database.standing(&bob), Standing::Unknown), "{former}");
        }
        // In one batch, and the name is free for another member of the same batch.
        database.save(vec![
            Change::Insert(bob.clone()),
            Change::Erase(bob.key),
            Change::Insert(member(1, 72, "bob")),
        ]);
        assert!(matches!(database.standing(&bob), Standing::Unknown));
        assert!(matches!(database.standing(&member(1, 72, "bob")), Standing::Here(_)));
    });
}
