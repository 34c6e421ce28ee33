//! The search of members, and the history of one member backwards.

use std::net::IpAddr;

use nats_userman::action::Change;
use nats_userman::block::{Block, LoginName, Network, Target};
use nats_userman::identity::MemberId;
use nats_userman::login_record::{LoginEvent, LoginRecord, LoginWay};
use nats_userman::member::{Former, Member, Reason};
use nats_userman::store::{FoundMember, FoundState, Note, Outcome, SearchBy};

use super::{Database, key, member, ok, on_every_engine, received, record};
use crate::support::NOON;

/// What a search says of each found person.
fn told(found: &[FoundMember]) -> Vec<String> {
    let told = |found: &FoundMember| {
        let state = match found.state {
            FoundState::Here(None) => "here".to_owned(),
            FoundState::Here(Some(until)) => format!("here until NOON{:+}", until - NOON),
            FoundState::Former(reason, since) => {
                format!("{} at NOON{:+}", reason.as_str(), since - NOON)
            }
        };
        format!("{}/{} {} {state}", found.key.site, found.key.member, found.username.as_str())
    };
    found.iter().map(told).collect()
}

fn search(database: &Database, by: SearchBy<'_>, site: Option<i64>, most: u32) -> Vec<String> {
    let site = site.map(|site| key(site, 1).site);
    told(&database.read().search(by, site, NOON, most).unwrap())
}

/// bob (71), Bobby (72, expires), Bo_b (73, expired, not moved) and BOBO (74, deleted) on site 1,
/// bob (71) on site 2, and ann (75).
fn bobs(database: &Database) {
    let until = |row: Member, expire_at| Member { expire_at: Some(expire_at), ..row };
    let gone = member(1, 74, "BOBO");
    database.save(vec![
        Change::Insert(member(1, 71, "bob")),
        Change::Insert(until(member(1, 72, "Bobby"), NOON + 60)),
        Change::Insert(until(member(1, 73, "Bo_b"), NOON - 60)),
        Change::Insert(gone.clone()),
        Change::Insert(member(2, 71, "bob")),
        Change::Insert(member(1, 75, "ann")),
        Change::Leave(Former::new(gone, Reason::Deleted, NOON - 5)),
    ]);
}

#[test]
fn members_and_former_members_are_found_by_the_beginning_of_their_name_on_all_sites_or_one() {
    on_every_engine(|database| {
        bobs(database);
        let named = |beginning, site, most| search(database, SearchBy::Name(beginning), site, most);
        let (bob, bob_2, bobby) =
            ("1/71 bob here", "2/71 bob here", "1/72 Bobby here until NOON+60");
        let (expired, deleted) = ("1/73 Bo_b expired at NOON-60", "1/74 BOBO deleted at NOON-5");
        assert_eq!(named("BOB", None, 9), [bob, bob_2, bobby, deleted]);
        assert_eq!(named("bo", None, 9), [expired, bob, bob_2, bobby, deleted]);
        assert_eq!(named("bo", Some(1), 9), [expired, bob, bobby, deleted]);
        assert_eq!(named("bo", None, 2), [expired, bob], "at most as many as are wanted");
        assert_eq!(named("bo_", None, 9), [expired], "no character stands for others");
        assert_eq!(named("bob%", None, 9), [""; 0]);
        assert_eq!(named("bob", Some(3), 9), [""; 0]);
        assert_eq!(named("\u{200b}", None, 9), [""; 0], "it has no folded form");
    });
}

#[test]
fn a_name_without_its_folded_form_is_found_by_its_beginning_too() {
    on_every_engine(|database| {
        let alone = Member { holds_folded: false, ..member(1, 72, "\u{dc}BER") };
        database.save(vec![
            Change::Insert(member(1, 71, "\u{fc}ber")),
            Change::Insert(alone),
            Change::Insert(Member { holds_folded: false, ..member(1, 73, "Other") }),
        ]);
        let found = search(database, SearchBy::Name("\u{dc}b"), Some(1), 9);
        assert_eq!(found, ["1/71 \u{fc}ber here", "1/72 \u{dc}BER here"]);
    });
}

#[test]
fn members_and_former_members_are_found_by_the_beginning_of_their_address_in_any_case() {
    on_every_engine(|database| {
        let with = |row: Member, email: &str| Member { email: Some(email.to_owned()), ..row };
        let gone = with(member(1, 73, "cleo"), "A_N@example.com");
        database.save(vec![
            Change::Insert(with(member(1, 71, "bob"), "Ann@example.com")),
            Change::Insert(with(member(2, 72, "eve"), "annabel@example.com")),
            Change::Insert(Member { email: None, ..member(1, 74, "dan") }),
            Change::Insert(gone.clone()),
            Change::Leave(Former::new(gone, Reason::Deleted, NOON)),
        ]);
        for is_indexed in [true, false] {
            database.commit(|engine| engine.index_emails(is_indexed));
            let with = |beginning, site| search(database, SearchBy::Email(beginning), site, 9);
            assert_eq!(with("aNN", None), ["1/71 bob here", "2/72 eve here"]);
            assert_eq!(with("ann@EXAMPLE.com", None), ["1/71 bob here"]);
            assert_eq!(with("ann", Some(2)), ["2/72 eve here"]);
            assert_eq!(with("a_n", None), ["1/73 cleo deleted at NOON+0"]);
            assert_eq!(with("an%", None), [""; 0]);
        }
    });
}

#[test]
fn the_records_of_a_member_come_backwards_page_by_page() {
    on_every_engine(|database| {
        for at in 0..5 {
            let mine = received("action=DELETE&siteid=1&memberid=71&username=bob");
            let other = received("action=DELETE&siteid=2&memberid=71");
            database.commit(|engine| {
                let outcomes = [&mine, &other].map(|received| Outcome {
                    change: Change::None,
                    record: record(received, NOON + at, ok()),
                    taken_over: None,
                });
                engine.save(&outcomes)
            });
        }
        let page = |before| {
            let records = database.read().last_records(key(1, 71), before, 2).unwrap();
            records.into_iter().map(Result::unwrap).collect::<Vec<_>>()
        };
        let (mut before, mut times) = (i64::MAX, Vec::new());
        loop {
            let records = page(before);
            let Some(last) = records.last() else { break };
            before = last.id;
            for record in records {
                assert_eq!(record.fields, "action=DELETE&siteid=1&memberid=71&username=bob");
                times.push(record.at - NOON);
            }
        }
        assert_eq!(times, [4, 3, 2, 1, 0]);
    });
}

#[test]
fn the_logins_of_a_member_come_backwards_page_by_page() {
    on_every_engine(|database| {
        let login = |at, member: i64| LoginRecord {
            at: NOON + at,
            event: LoginEvent::Login,
            way: LoginWay::Page,
            site: key(1, 71).site,
            member: MemberId::parse(&member.to_string()),
            name: None,
            network: "203.0.113.9".into(),
        };
        database.commit(|engine| {
            (0..3).try_for_each(|at| {
                engine.note(&Note::Login(login(at, 71)), NOON)?;
                engine.note(&Note::Login(login(at, 72)), NOON)
            })
        });
        let page = |before| database.read().logins_before(key(1, 71), before, 2).unwrap();
        let (first, second) = (page(i64::MAX), page(page(i64::MAX)[1].id));
        let at: Vec<_> = first.iter().chain(&second).map(|login| login.record.at - NOON).collect();
        assert_eq!((first.len(), at), (2, vec![2, 1, 0]));
        assert_eq!(page(second[0].id), []);
    });
}

#[test]
fn the_blocks_of_a_name_are_those_of_the_name_alone_and_of_its_pairs() {
    on_every_engine(|database| {
        let network = Network::of(IpAddr::from([203, 0, 113, 9]));
        let (bob, ann) = (LoginName::new("bob"), LoginName::new("ann"));
        let until = |target, seconds| Block { target, since: NOON, until: NOON + seconds };
        let own =
            [until(Target::Name(bob.clone()), 60), until(Target::Pair(bob.clone(), network), 60)];
        let others = [
            until(Target::Network(network), 60),
            until(Target::Pair(ann, network), 60),
            until(Target::Pair(bob.clone(), Network::of(IpAddr::from([203, 0, 114, 9]))), 0),
        ];
        database.commit(|engine| {
            own.iter()
                .chain(&others)
                .try_for_each(|block| engine.note(&Note::Block(block.clone()), NOON))
        });
        let mut found = database.read().blocks_of(&bob, NOON).unwrap();
        found.sort_by(|one, other| other.target.cmp(&one.target));
        let mut expected = own.to_vec();
        expected.sort_by(|one, other| other.target.cmp(&one.target));
        assert_eq!(found, expected);

        let blocked = |network: &str, now| {
            database.read().block_of_network(network, now).unwrap().map(|block| block.target)
        };
        assert_eq!(blocked("203.0.113.9", NOON), Some(Target::Network(network)));
        assert_eq!(blocked("203.0.113.9", NOON + 60), None, "it has ended");
        assert_eq!((blocked("203.0.113.8", NOON), blocked("x", NOON)), (None, None));
    });
}
