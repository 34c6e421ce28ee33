//! Members, former members and their names.

use nats_userman::action::{Change, Standing};
use nats_userman::clock::Moment;
use nats_userman::member::{Former, Member, Reason};
use nats_userman::store::{Fault, View, Wanted, pages};

use super::{Database, hash, key, loaded, member, name, on_every_engine};
use crate::support::NOON;

pub fn here(standing: &Standing) -> &Member {
    match standing {
        Standing::Here(row) => row,
        other => panic!("not here: {other:?}"),
    }
}

pub fn former(standing: &Standing) -> &Former {
    match standing {
        Standing::Former(former) => former,
        other => panic!("not a former member: {other:?}"),
    }
}

/// The members who may log in at this time.
pub fn members_at(database: &Database, now: i64) -> Vec<String> {
    let mut found = Vec::new();
    let each = |row: &Member| {
        found.push(format!("{} {} {}", row.key.site, row.key.member, row.username.as_str()));
        Ok::<_, Fault>(())
    };
    pages::each_member(&*database.read(), None, now, each).unwrap();
    found
}

#[test]
fn each_change_is_read_back_as_it_was_saved() {
    on_every_engine(|database| {
        let bob = member(1, 71, "Bob");
        assert!(matches!(database.standing(&bob), Standing::Unknown));
        database.save(vec![Change::Insert(bob.clone())]);
        assert_eq!(here(&database.standing(&bob)), &bob);

        let mut renamed = Member { username: name("Robert"), email: None, ..bob.clone() };
        renamed.credential.stored = hash("second");
        database.save(vec![Change::Update(renamed.clone())]);
        assert_eq!(here(&database.standing(&bob)), &renamed);

        let left = Former::new(renamed.clone(), Reason::Deleted, NOON - 5);
        database.save(vec![Change::Leave(left.clone())]);
        assert_eq!(former(&database.standing(&bob)), &left);

        let back = Member { login_version: 3, ..renamed };
        database.save(vec![Change::Restore(back.clone())]);
        assert_eq!(here(&database.standing(&bob)), &back);
        let mut formers = 0;
        pages::each_former(&*database.read(), None, |_| {
            formers += 1;
            Ok::<_, Fault>(())
        })
        .unwrap();
        assert_eq!(formers, 0, "a member who is restored is no former member");
    });
}

#[test]
fn a_name_is_held_in_its_folded_form_by_one_member_of_a_site() {
    on_every_engine(|database| {
        let (bob, cyd) = (member(1, 71, "Bob"), member(2, 81, "bob"));
        database.save(vec![Change::Insert(bob.clone()), Change::Insert(cyd)]);
        let holder = |site, text| {
            let holder = database.read().holder(key(site, 1).site, &name(text), NOON).unwrap();
            holder.map(|member| member.get())
        };
        assert_eq!(
            [holder(1, "bOB"), holder(2, "BOB"), holder(3, "bob")],
            [Some(71), Some(81), None]
        );

        let taken = database.with(|engine| {
            engine.begin().unwrap();
            let taken = super::save(engine, vec![Change::Insert(member(1, 72, "BOB"))]);
            engine.rollback();
            taken
        });
        assert!(matches!(taken, Err(Fault::Constraint(_))), "{taken:?}");

        database.save(vec![Change::Leave(Former::new(bob, Reason::Deleted, NOON))]);
        assert_eq!(holder(1, "bob"), None, "the name of a former member is free");
        assert!(database.read().is_name_known(&name("Bob")).unwrap(), "and known");
    });
}

#[test]
fn a_member_without_the_folded_form_is_found_by_the_exact_name_and_gets_the_form_when_it_is_free() {
    on_every_engine(|database| {
        let holder = member(1, 71, "\u{fc}ber");
        let alone = Member { holds_folded: false, ..member(1, 72, "\u{dc}ber") };
        database.save(vec![Change::Insert(holder.clone()), Change::Insert(alone.clone())]);

        let reader = database.read();
        assert_eq!(reader.count_unfolded().unwrap(), 1);
        let unfolded = reader.unfolded(10).unwrap();
        assert_eq!((unfolded[0].key, unfolded[0].holder), (alone.key, Some(holder.key.member)));
        let logins = reader.logins_by_name(&[key(1, 1).site], &alone.username, NOON).unwrap();
        let members: Vec<_> = logins.rows.iter().map(|row| row.key.member.get()).collect();
        assert_eq!(members, [72, 71], "the exact name first");

        let name = holder.username.clone();
        database.save(vec![Change::Leave(Former::new(holder, Reason::Deleted, NOON))]);
        assert_eq!(database.read().count_unfolded().unwrap(), 0);
        let holder = database.read().holder(key(1, 1).site, &name, NOON).unwrap();
        assert_eq!(holder, Some(alone.key.member));
    });
}

#[test]
fn the_folded_form_is_taken_from_a_member_who_keeps_the_exact_name() {
    on_every_engine(|database| {
        database.save(vec![Change::Insert(member(1, 71, "\u{dc}ber"))]);
        database.commit(|engine| engine.unfold(key(1, 71)));
        let is_held =
            |text| database.read().holder(key(1, 1).site, &name(text), NOON).unwrap().is_some();
        assert_eq!([is_held("\u{dc}ber"), is_held("\u{fc}ber")], [true, false]);
    });
}

#[test]
fn who_has_lapsed_is_a_former_member_before_and_after_the_row_is_moved() {
    on_every_engine(|database| {
        let due = [None, Some(NOON - 1), Some(NOON), Some(NOON + 1)];
        let rows: Vec<Member> = due
            .into_iter()
            .zip(71..)
            .map(|(expire_at, id)| Member { expire_at, ..member(1, id, &format!("name{id}")) })
            .collect();
        database.save(rows.iter().cloned().map(Change::Insert).collect());
        let standings = || -> Vec<String> {
            rows.iter().map(|row| format!("{:?}", database.standing(row))).collect()
        };
        let (before, listed) = (standings(), members_at(database, NOON));
        assert_eq!(listed, ["1 71 name71", "1 74 name74"]);

        assert_eq!(database.commit(|engine| engine.expire_due(NOON, 1)), 1, "as many as may move");
        assert_eq!(standings(), before);
        assert_eq!(database.commit(|engine| engine.expire_due(NOON, 10)), 1);
        assert_eq!(database.commit(|engine| engine.expire_due(NOON, 10)), 0);
        assert_eq!(standings(), before, "the bulk move says what the decision on one row says");
        assert_eq!(members_at(database, NOON), listed);
        let left = database.standing(&rows[2]);
        assert_eq!((former(&left).reason, former(&left).ended_at), (Reason::Expired, NOON));
        assert_eq!(former(&left).member.login_version, 2, "it ends logins");
    });
}

#[test]
fn a_load_moves_who_has_lapsed_unless_the_clock_may_be_wrong() {
    on_every_engine(|database| {
        let bob = Member { expire_at: Some(NOON), ..member(1, 71, "bob") };
        database.save(vec![Change::Insert(bob.clone())]);
        let standing = |moment: Moment| {
            database.commit(|engine| {
                let mut wanted = Wanted::default();
                wanted.keys.insert(bob.key);
                wanted.names.insert((bob.key.site, &bob.username));
                let mut view = View::default();
                engine.load(&wanted, &mut view, moment)?;
                Ok((view.standing(bob.key).clone(), view.holder(bob.key.site, &name("bob"))))
            })
        };
        let (unsure, holder) = standing(Moment { now: NOON + 9, moved_until: NOON - 1 });
        assert!(matches!(unsure, Standing::Lapsed(_)), "{unsure:?}");
        assert_eq!(holder, None, "they hold no name");
        assert!(matches!(database.read().standing(bob.key, NOON - 1).unwrap(), Standing::Here(_)));

        let (sure, _) = standing((NOON + 9).into());
        assert_eq!(former(&sure).ended_at, NOON, "the instant of the expiry, not of the move");
        let moved = database.read().standing(bob.key, NOON - 1).unwrap();
        assert!(matches!(moved, Standing::Former(_)), "{moved:?}");
    });
}

#[test]
fn a_batch_is_loaded_at_once() {
    on_every_engine(|database| {
        let rows: Vec<Member> = (1..=300).map(|id| member(1, id, &format!("name{id}"))).collect();
        database.save(rows.iter().cloned().map(Change::Insert).collect());
        let (mut keys, mut names) = (vec![key(1, 999)], vec![(1, "nobody".to_owned())]);
        for row in &rows {
            keys.push(row.key);
            names.push((1, row.username.as_str().to_uppercase()));
        }
        let names: Vec<_> = names.iter().map(|(site, text)| (*site, text.as_str())).collect();
        let view = database.commit(|engine| Ok(loaded(engine, &keys, &names)));
        for row in &rows {
            assert_eq!(here(view.standing(row.key)), row);
            assert_eq!(view.holder(row.key.site, &row.username), Some(row.key.member));
        }
        assert!(matches!(view.standing(key(1, 999)), Standing::Unknown));
        assert_eq!(view.holder(key(1, 1).site, &name("nobody")), None);
    });
}
