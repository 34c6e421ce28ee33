//! What the members area stores: logins, blocks, known networks.

use std::net::IpAddr;

use nats_userman::action::Change;
use nats_userman::block::{Block, LoginName, NameHolder, Network, Target};
use nats_userman::epoch::Epoch;
use nats_userman::identity::Key;
use nats_userman::login_record::{LoginEvent, LoginRecord, LoginWay};
use nats_userman::member::{Former, Member, Reason};
use nats_userman::password::{KeyId, Vault};
use nats_userman::shared_use::{MemberNetwork, SharingBlock, SharingReason};
use nats_userman::store::{
    CookieLogin, CookieLoginState, FindBy, KnownId, KnownNetwork, LoggedOut, Note, Seen, SharedKey,
    pages,
};

use super::{Database, key, member, name, on_every_engine, spent};
use crate::support::NOON;

const ID: [u8; 16] = [1; 16];
const OTHER: [u8; 16] = [2; 16];

fn note(database: &Database, note: &Note) {
    database.commit(|engine| engine.note(note, NOON));
}

fn login(id: [u8; 16], issued: i64) -> CookieLogin {
    CookieLogin { key: key(1, 71), id, issued, login_version: 1, wants_last_use: true }
}

fn states(database: &Database, logins: &[CookieLogin]) -> Vec<CookieLoginState> {
    database.read().cookie_logins(logins, NOON).unwrap()
}

#[test]
fn a_login_that_was_given_back_is_logged_out_and_no_other() {
    on_every_engine(|database| {
        database.save(vec![Change::Insert(member(1, 71, "bob"))]);
        let logout = LoggedOut {
            key: key(1, 71),
            id: ID,
            issued: NOON - 60,
            and_all_until: None,
            until: NOON + 60,
        };
        note(database, &Note::LogOut(logout));
        let logins = [login(ID, NOON - 60), login(OTHER, NOON - 60)];
        let found = states(database, &logins);
        assert_eq!([found[0].is_logged_out, found[1].is_logged_out], [true, false]);
        assert!(found.iter().all(|state| matches!(&state.row, Ok(Some(row)) if !row.trial)));

        let all = LoggedOut { and_all_until: Some(NOON - 30), ..logout };
        note(database, &Note::LogOut(all));
        let later = login(OTHER, NOON - 29);
        let found = states(database, &[login(OTHER, NOON - 30), later]);
        assert_eq!([found[0].is_logged_out, found[1].is_logged_out], [true, false]);

        // A logout is known after the member has left: it is not written again.
        let gone = Former::new(member(1, 71, "bob"), Reason::Deleted, NOON);
        database.save(vec![Change::Leave(gone)]);
        for (login, expected) in [(login(ID, NOON - 30), true), (later, false)] {
            let found = states(database, &[login]).remove(0);
            assert_eq!((found.row.unwrap().is_none(), found.is_logged_out), (true, expected));
        }
    });
}

#[test]
fn the_last_use_of_a_login_is_stored_until_it_is_spent() {
    on_every_engine(|database| {
        database.save(vec![Change::Insert(member(1, 71, "bob"))]);
        note(database, &Note::Seen(Seen { key: key(1, 71), id: ID, at: NOON - 9 }));
        let unasked = CookieLogin { wants_last_use: false, ..login(ID, NOON) };
        let found = states(database, &[login(ID, NOON), login(OTHER, NOON), unasked]);
        let uses: Vec<_> = found.iter().map(|state| state.last_used).collect();
        assert_eq!(uses, [Some(NOON - 9), None, None]);

        let forget = |until| database.commit(|engine| engine.forget_logins(spent(until), 10));
        assert!(!forget(NOON - 10));
        assert!(forget(NOON - 9));
        assert_eq!(states(database, &[login(ID, NOON)])[0].last_used, None);
    });
}

#[test]
fn of_many_logins_at_once_each_gets_its_own_state_in_their_order() {
    on_every_engine(|database| {
        let members = (1..=300).map(|id| Change::Insert(member(1, id, &format!("bob{id}"))));
        database.save(members.collect());
        let expired = Member { expire_at: Some(NOON), ..member(1, 301, "ann") };
        database.save(vec![Change::Insert(expired)]);
        let of = |id: i64| {
            let key = key(1, id);
            CookieLogin { key, id: u128::try_from(id).unwrap().to_be_bytes(), ..login(ID, NOON) }
        };
        for id in [5, 301, 302] {
            let CookieLogin { key, id, issued, .. } = of(id);
            let until = NOON + 60;
            let out = LoggedOut { key, id, issued, and_all_until: None, until };
            note(database, &Note::LogOut(out));
        }
        for id in [7, 302] {
            note(database, &Note::Seen(Seen { key: of(id).key, id: of(id).id, at: NOON - 9 }));
        }
        // Backwards, one of them twice, and with one who is not there at all.
        let mut asked: Vec<i64> = (1..=303).rev().collect();
        asked.push(7);
        let found = states(database, &asked.iter().map(|id| of(*id)).collect::<Vec<_>>());
        assert_eq!(found.len(), asked.len());
        for (id, state) in asked.iter().zip(found) {
            let row = state.row.unwrap().map(|row| row.key);
            assert_eq!(
                (row, state.is_logged_out, state.last_used),
                (
                    (*id <= 300).then(|| key(1, *id)),
                    [5, 301, 302].contains(id),
                    [7, 302].contains(id).then_some(NOON - 9)
                ),
                "member {id}"
            );
        }
    });
}

fn record(member: Option<i64>, at: i64, event: LoginEvent) -> LoginRecord {
    let (site, member) = (key(1, 1).site, member.map(|member| key(1, member).member));
    let (way, name) = (LoginWay::Basic, Some("bob".to_owned()));
    LoginRecord { at, event, way, site, member, name, network: "203.0.113.9".into() }
}

#[test]
fn the_last_logins_of_a_member_are_read_newest_first_until_they_are_too_old() {
    on_every_engine(|database| {
        let all = [
            record(Some(71), NOON, LoginEvent::Login),
            record(Some(72), NOON + 1, LoginEvent::Login),
            record(Some(71), NOON + 2, LoginEvent::Wrong),
            record(None, NOON + 3, LoginEvent::Unknown),
            record(Some(71), NOON + 4, LoginEvent::Logout),
        ];
        all.iter().for_each(|record| note(database, &Note::Login(record.clone())));
        let last = |most| {
            let found = database.read().last_logins(key(1, 71), most).unwrap();
            found.into_iter().map(|login| login.record).collect::<Vec<_>>()
        };
        assert_eq!(last(9), [&all[4], &all[2], &all[0]].map(Clone::clone));
        assert_eq!(last(1), [all[4].clone()]);
        let forget = |until| database.commit(|engine| engine.forget_logins(spent(until), 2));
        assert!(!forget(NOON - 1));
        assert!(forget(NOON + 3), "two of the four");
        assert_eq!(last(9), [&all[4], &all[2]].map(Clone::clone));
        assert!(forget(NOON + 3));
        assert!(!forget(NOON + 3));
        assert_eq!(last(9), [all[4].clone()]);
    });
}

#[test]
fn members_and_former_members_are_found_by_name_e_mail_and_memberid() {
    on_every_engine(|database| {
        let with_email = |site, id, name: &str, email: &str| Member {
            email: Some(email.to_owned()),
            ..member(site, id, name)
        };
        let gone = with_email(3, 71, "Cleo", "Bob@Example.com");
        let unfolded =
            Member { holds_folded: false, ..with_email(2, 73, "bob\u{200b}", "x@x.org") };
        database.save(vec![
            Change::Insert(with_email(1, 71, "bob", "bob@example.com")),
            Change::Insert(with_email(1, 72, "ann", "BOB@EXAMPLE.COM")),
            Change::Insert(with_email(2, 72, "Cl\u{e9}o", "bobb@example.com")),
            Change::Insert(unfolded),
            Change::Insert(gone.clone()),
        ]);
        database.save(vec![Change::Leave(Former::new(gone, Reason::Deleted, NOON))]);
        let find = |by: FindBy<'_>| database.read().find(by, 9).unwrap();
        let named = |text: &str| find(FindBy::Name(&name(text)));
        assert_eq!(named("BOB"), [key(1, 71)]);
        assert_eq!(named("bob\u{200b}"), [key(1, 71), key(2, 73)]);
        assert_eq!(named("cl\u{c9}o"), [key(2, 72)]);
        assert_eq!(named("cleo"), [key(3, 71)]);
        assert_eq!(named("nobody"), [] as [Key; 0]);
        let of_bob = [key(1, 71), key(1, 72), key(3, 71)];
        assert_eq!(find(FindBy::Email("bob@EXAMPLE.com")), of_bob);
        assert_eq!(find(FindBy::Email("b\u{f6}b@example.com")), [] as [Key; 0], "an accent counts");
        let first = |most| database.read().find(FindBy::Email("bob@example.com"), most).unwrap();
        assert_eq!(first(2), of_bob[..2]);
        assert_eq!(find(FindBy::Member(key(1, 71).member)), [key(1, 71), key(3, 71)]);
        assert_eq!(find(FindBy::Member(key(1, 99).member)), [] as [Key; 0]);
    });
}

/// Regression: MariaDB took the limit for addresses that are equal but for accents too, so that an
/// address that two members have was found once, and logged one of them in.
#[test]
fn addresses_that_differ_in_an_accent_take_no_place_of_a_list_of_one_address() {
    on_every_engine(|database| {
        let with_email = |site, id, name: &str, email: &str| Member {
            email: Some(email.to_owned()),
            ..member(site, id, name)
        };
        let accented = [
            "b\u{f6}b@x.org",
            "b\u{d6}b@x.org",
            "b\u{f3}b@x.org",
            "B\u{f2}B@x.org",
            "bob@x.\u{f6}rg",
            "bob@x.org ",
        ];
        let at = |site: i64, number: usize| 10 * site + number as i64;
        let all = (1..=3).flat_map(|site| {
            let others = accented.iter().enumerate().map(move |(number, email)| {
                with_email(site, at(site, number), &format!("n{site}{number}"), email)
            });
            others.chain([with_email(site, at(site, 7), "bob", "bob@X.org")])
        });
        let (here, gone): (Vec<Member>, Vec<Member>) = all.partition(|row| row.key.site.get() != 2);
        database.save(here.into_iter().map(Change::Insert).collect());
        database.save(gone.iter().cloned().map(Change::Insert).collect());
        let leave = |row| Change::Leave(Former::new(row, Reason::Deleted, NOON));
        database.save(gone.into_iter().map(leave).collect());
        let of_bob = [key(1, 17), key(2, 27), key(3, 37)];
        for most in 1..=9 {
            let found = database.read().find(FindBy::Email("Bob@x.org"), most).unwrap();
            assert_eq!(found, of_bob[..3.min(most as usize)], "{most}");
        }
        let accent = database.read().find(FindBy::Email("B\u{f6}b@x.org"), 2).unwrap();
        assert_eq!(accent, [key(1, 10), key(2, 20)], "the case of other letters counts");
    });
}

#[test]
fn the_networks_of_a_member_are_kept_until_they_are_old_and_at_most_sixty_four() {
    on_every_engine(|database| {
        let used = |member, number: i64, last_at| MemberNetwork {
            key: key(1, member),
            network: format!("198.18.{number}.0/24"),
            first_at: NOON,
            last_at,
            country: (number == 1).then(|| "NL".to_owned()),
        };
        for (member, number, last_at) in [(71, 1, NOON), (71, 2, NOON + 9), (72, 1, NOON)] {
            note(database, &Note::Network(used(member, number, last_at)));
        }
        note(database, &Note::Network(used(71, 1, NOON + 5)));
        let of = |member| database.read().networks_of(key(1, member)).unwrap();
        assert_eq!(of(71), [used(71, 2, NOON + 9), used(71, 1, NOON + 5)]);
        assert_eq!(of(72), [used(72, 1, NOON)]);
        let worst = |since| database.read().most_networks(since, 9).unwrap();
        assert_eq!(worst(NOON - 1), [(key(1, 71), 2), (key(1, 72), 1)]);
        assert_eq!(worst(NOON + 5), [(key(1, 71), 1)]);

        assert!(database.commit(|engine| engine.forget_logins(spent(NOON + 5), 10)));
        assert_eq!(of(71), [used(71, 2, NOON + 9)]);
        (3..80).for_each(|number| note(database, &Note::Network(used(71, number, NOON + number))));
        let found: Vec<i64> = of(71).iter().map(|row| row.last_at - NOON).collect();
        assert_eq!(found, (16..80).rev().collect::<Vec<_>>());
    });
}

#[test]
fn a_member_who_counts_as_shared_is_blocked_until_the_end_or_until_it_is_lifted() {
    on_every_engine(|database| {
        let block = |member, until| SharingBlock {
            key: key(1, member),
            since: NOON,
            until,
            why: SharingReason::AtOnce,
        };
        for (member, until) in [(71, NOON + 60), (72, NOON), (73, NOON + 90)] {
            note(database, &Note::Shared(block(member, until)));
        }
        let current = |now| database.read().sharing_blocks(now, 9).unwrap();
        assert_eq!(current(NOON), [block(73, NOON + 90), block(71, NOON + 60)]);
        assert_eq!(current(NOON + 60), [block(73, NOON + 90)]);
        let of = |member| database.read().sharing_of(key(1, member)).unwrap();
        assert_eq!((of(72), of(99)), (Some(block(72, NOON)), None));
        let lift = |member| database.commit(|engine| engine.lift_sharing(key(1, member), NOON + 9));
        assert_eq!([lift(71), lift(71), lift(72), lift(99)], [true, false, false, false]);
        assert_eq!(of(71), Some(block(71, NOON + 9)), "so that what was before does not count");
        assert!(database.commit(|engine| engine.forget_logins(spent(NOON + 9), 10)));
        assert_eq!((of(71), of(72), of(73)), (None, None, Some(block(73, NOON + 90))));
    });
}

#[test]
fn a_new_epoch_is_read_back() {
    on_every_engine(|database| {
        assert_eq!(database.read().login_epoch().unwrap(), None);
        for epoch in [Epoch([3; 16]), Epoch([4; 16])] {
            database.commit(|engine| engine.begin_login_epoch(epoch));
            assert_eq!(database.read().login_epoch().unwrap(), Some(epoch));
        }
    });
}

#[test]
fn the_key_of_the_seals_is_read_back() {
    on_every_engine(|database| {
        let id: KeyId = Vault::from_key([7; 32]).key_id();
        assert_eq!(database.read().seal_key().unwrap(), None);
        database.commit(|engine| engine.set_seal_key(id));
        assert_eq!(database.read().seal_key().unwrap(), Some(id));
    });
}

/// A database with one receiver stores no key of the cookies.
#[test]
fn a_key_that_receivers_agreed_on_is_replaced_at_a_rotation() {
    on_every_engine(|database| {
        let [one, other] = [7, 8].map(|byte| Vault::from_key([byte; 32]).key_id());
        let is_shared = database.location.is_shared();
        let stored =
            || (database.read().seal_key().unwrap(), database.read().cookie_key().unwrap());
        database.commit(|engine| {
            assert_eq!(engine.agree_on_key(SharedKey::Seals, one)?, one);
            assert_eq!(engine.agree_on_key(SharedKey::Cookies, one)?, one);
            Ok(())
        });
        assert_eq!(stored(), (Some(one), is_shared.then_some(one)));
        database.commit(|engine| {
            engine.set_seal_key(other)?;
            engine.set_cookie_key(other)
        });
        assert_eq!(stored(), (Some(other), is_shared.then_some(other)));
    });
}

fn network(number: u16) -> Network {
    let [high, low] = number.to_be_bytes();
    Network::of(IpAddr::from([198, 18, high, low]))
}

fn block(target: Target, since: i64, until: i64) -> Block {
    Block { target, since, until }
}

#[test]
fn blocks_are_stored_lifted_and_replaced() {
    on_every_engine(|database| {
        database.save(vec![Change::Insert(member(1, 71, "Bob"))]);
        let name = |text: &str| Target::Name(LoginName::new(text));
        let (of_bob, of_nobody) =
            (block(name("bob"), NOON, NOON + 60), block(name("nobody"), NOON + 1, NOON + 60));
        let of_network = block(Target::Network(network(1)), NOON + 2, NOON + 30);
        for block in [&of_bob, &of_nobody, &of_network] {
            note(database, &Note::Block(block.clone()));
        }
        let blocks = |now| pages::blocks(&*database.read(), now).unwrap();
        assert_eq!(blocks(NOON), [of_bob.clone(), of_nobody.clone(), of_network.clone()]);
        assert_eq!(blocks(NOON + 30), [of_bob.clone(), of_nobody.clone()], "those that hold");
        let mut named = Vec::new();
        pages::each_block(&*database.read(), NOON, |block, holder| {
            if holder == NameHolder::Member {
                named.push(block);
            }
        })
        .unwrap();
        assert_eq!(named, std::slice::from_ref(&of_bob));

        let longer = Block { until: NOON + 90, ..of_bob.clone() };
        note(database, &Note::Block(longer.clone()));
        note(database, &Note::Lift(of_nobody.target));
        assert_eq!(blocks(NOON), [longer, of_network.clone()], "one block for a target");
        database.commit(|engine| engine.lift(&of_bob.target));
        database.commit(|engine| engine.keep_blocks(std::slice::from_ref(&of_network)));
        assert_eq!((blocks(NOON), database.read().count_blocks().unwrap()), (vec![of_network], 1));
    });
}

#[test]
fn more_blocks_than_a_page_holds_are_each_read_once() {
    on_every_engine(|database| {
        let all: Vec<Block> = (0..2_500)
            .map(|number| {
                block(Target::Network(network(number)), NOON + i64::from(number), NOON * 2)
            })
            .collect();
        database.commit(|engine| engine.keep_blocks(&all));
        assert_eq!(pages::blocks(&*database.read(), NOON).unwrap(), all);
    });
}

#[test]
fn a_network_is_known_for_the_member_who_came_from_it() {
    on_every_engine(|database| {
        let id = |member, network| KnownId { member: [member; 16], network: [network; 16] };
        assert!(!database.read().has_known_networks().unwrap());
        note(database, &Note::Known(KnownNetwork { id: id(1, 2), day: 20_000 }));
        let reader = database.read();
        assert!(reader.has_known_networks().unwrap());
        let known = [id(1, 2), id(1, 3), id(4, 2)].map(|id| reader.is_known_network(&id).unwrap());
        assert_eq!(known, [true, false, false]);
    });
}
