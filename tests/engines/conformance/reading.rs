//! Read transactions, lists and counts.

use nats_userman::action::{Change, Standing};
use nats_userman::identity::SessionHash;
use nats_userman::member::{Former, Member, Reason};
use nats_userman::store::{Fault, Forms, pages};

use super::{Database, hash, key, member, on_every_engine};
use crate::support::NOON;

fn join(database: &Database, id: i64) {
    database.save(vec![Change::Insert(member(1, id, &format!("name{id}")))]);
}

#[test]
fn a_read_transaction_sees_one_moment_and_the_next_read_sees_the_commit() {
    on_every_engine(|database| {
        let reader = database.read();
        let count = || reader.members_page(None, None, NOON).unwrap().len();
        join(database, 71);
        reader.begin_read().unwrap();
        assert_eq!(count(), 1);
        join(database, 72);
        assert_eq!(count(), 1, "of the moment at which it began");
        reader.end_read().unwrap();
        assert_eq!(count(), 2, "without a read transaction each read is of its own moment");
        reader.begin_read().unwrap();
        assert_eq!(count(), 2);
        reader.end_read().unwrap();
        reader.end_read().unwrap();
    });
}

#[test]
fn lists_come_in_pages_that_lose_and_double_nobody() {
    on_every_engine(|database| {
        let rows: Vec<Member> =
            (1..=2_100).map(|id| member(1 + id % 2, id, &format!("name{id}"))).collect();
        database.save(rows.iter().cloned().map(Change::Insert).collect());
        let listed = |site| {
            let mut found = Vec::new();
            pages::each_member(&*database.read(), site, NOON, |row| {
                found.push(row.key);
                Ok::<_, Fault>(())
            })
            .unwrap();
            found
        };
        let mut keys: Vec<_> = rows.iter().map(|row| row.key).collect();
        keys.sort();
        assert_eq!(listed(None), keys);
        assert_eq!(listed(Some(2)), keys[1_050..]);

        let leave = |row: Member| Change::Leave(Former::new(row, Reason::Deleted, NOON));
        database.save(rows.into_iter().map(leave).collect());
        let mut formers = Vec::new();
        pages::each_former(&*database.read(), Some(1), |former| {
            formers.push(former.member.key);
            Ok::<_, Fault>(())
        })
        .unwrap();
        assert_eq!((listed(None), formers), (vec![], keys[..1_050].to_vec()));
    });
}

#[test]
fn the_forms_of_passwords_are_counted() {
    on_every_engine(|database| {
        let rows = (1..=1_500).map(|id| Change::Insert(member(1, id, &format!("name{id}"))));
        database.save(rows.collect());
        let reader = database.read();
        let forms = pages::count_forms(&*reader, NOON, || true).unwrap();
        let all =
            Forms { members: 1_500, argon2id: 1_500, without_cryptpass: 1_500, ..Forms::default() };
        assert_eq!(forms, Some(all));
        let mut pages_left = 1;
        let go_on = || {
            pages_left -= 1;
            pages_left >= 0
        };
        assert_eq!(pages::count_forms(&*reader, NOON, go_on).unwrap(), None, "given up in between");
        assert_eq!(reader.sample(10).unwrap(), vec![hash("first"); 10]);
    });
}

#[test]
fn the_sessions_of_a_member_are_found_on_every_site() {
    on_every_engine(|database| {
        let with = |site, session: Option<u8>| Member {
            session: session.map(|byte| SessionHash([byte; 32])),
            ..member(site, 71, "bob")
        };
        let over = Member { expire_at: Some(NOON), ..with(4, Some(4)) };
        let rows = [with(1, Some(1)), with(2, None), with(3, Some(3)), over];
        database.save(rows.into_iter().map(Change::Insert).collect());
        let found = database.read().sessions(key(1, 71).member, NOON).unwrap();
        let sessions = [(1, [1; 32]), (3, [3; 32])];
        assert_eq!(
            found,
            sessions.map(|(site, hash)| (key(site, 71).site, SessionHash(hash))).to_vec()
        );
    });
}

#[test]
fn a_login_row_is_that_of_a_member_who_may_log_in_now() {
    on_every_engine(|database| {
        let row = Member { expire_at: Some(NOON + 1), ..member(1, 72, "Bob") };
        database.save(vec![Change::Insert(row.clone())]);
        let found = |now| database.read().login_row(row.key, now).unwrap();
        let login = found(NOON).unwrap();
        assert_eq!(
            (login.key, login.username, login.trial, login.login_version, login.stored),
            (row.key, row.username.clone(), true, 1, hash("first"))
        );
        assert!(found(NOON + 1).is_none());
        let standing = database.read().standing(row.key, NOON + 1).unwrap();
        assert!(matches!(standing, Standing::Former(_)), "{standing:?}");
    });
}

#[test]
fn the_last_sign_of_life_is_the_newest_record_or_a_later_probe() {
    on_every_engine(|database| {
        let last_seen = |now| database.read().last_seen(now).unwrap();
        assert_eq!(last_seen(NOON), None);
        join(database, 71);
        assert_eq!(last_seen(NOON + 99), Some(NOON));
        database.commit(|engine| engine.probe(NOON + 50));
        assert_eq!(last_seen(NOON + 99), Some(NOON + 50));
        assert_eq!(last_seen(NOON + 49), Some(NOON), "a probe that is ahead says nothing");
    });
}
