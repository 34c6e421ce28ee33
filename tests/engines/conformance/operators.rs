//! Operators of the console, and their logins.

use nats_userman::action::Change;
use nats_userman::operator::{
    OPERATOR_SESSIONS_MAX, Operator, OperatorName, OperatorSession, PasswordDigest, Role,
    TokenDigest,
};
use nats_userman::password::Hash;
use nats_userman::store::{Fault, JournalFilter, Note, Outcome, Spent, pages};

use super::{Database, ok, on_every_engine, received, record, spent};
use crate::support::NOON;

fn named(text: &str) -> OperatorName {
    OperatorName::parse(text).unwrap()
}

fn hash(text: &str) -> Hash {
    Hash::from_text(format!("$argon2id$v=19$m=8,t=1,p=1${text}"))
}

fn operator(name: &str, role: Role) -> Operator {
    Operator { name: named(name), role, hash: hash(name), created_at: NOON, changed_at: NOON }
}

fn session(token: u8, of: &Operator, began_at: i64) -> OperatorSession {
    OperatorSession {
        token: TokenDigest([token; 32]),
        name: of.name.clone(),
        password: PasswordDigest::of(&of.hash),
        began_at,
        ends_at: began_at + 600,
    }
}

fn log_in(database: &Database, session: OperatorSession) {
    let note = Note::OperatorLogin(session);
    database.commit(|engine| engine.note(&note, NOON));
}

/// Who is logged in with this token.
fn signed(database: &Database, token: u8, now: i64) -> Option<String> {
    let found = database.read().operator_session(&TokenDigest([token; 32]), now).unwrap();
    found.map(|operator| operator.name.to_string())
}

#[test]
fn operators_are_listed_by_name_and_a_name_is_taken_once() {
    on_every_engine(|database| {
        let (anna, bert) = (operator("anna", Role::Admin), operator("bert", Role::Support));
        database.commit(|engine| engine.add_operator(&bert));
        database.commit(|engine| engine.add_operator(&anna));
        assert_eq!(database.read().operators().unwrap(), [anna.clone(), bert.clone()]);
        assert_eq!(database.read().operator(&bert.name).unwrap(), Some(bert));
        assert_eq!(database.read().operator(&named("carl")).unwrap(), None);
        database.with(|engine| {
            engine.begin().unwrap();
            let again = engine.add_operator(&Operator { role: Role::Support, ..anna.clone() });
            assert!(matches!(again, Err(Fault::Constraint(_))), "{again:?}");
            engine.rollback();
        });
        assert_eq!(database.read().operator(&anna.name).unwrap(), Some(anna));
    });
}

#[test]
fn a_session_ends_by_logout_by_its_time_and_with_its_operator() {
    on_every_engine(|database| {
        let anna = operator("anna", Role::Admin);
        database.commit(|engine| engine.add_operator(&anna));
        log_in(database, session(1, &anna, NOON));
        log_in(database, session(2, &anna, NOON));
        assert_eq!(signed(database, 1, NOON + 599).as_deref(), Some("anna"));
        assert_eq!(signed(database, 1, NOON + 600), None, "its time is over");
        assert_eq!(signed(database, 3, NOON), None);

        let logout = Note::OperatorLogout(TokenDigest([1; 32]));
        database.commit(|engine| engine.note(&logout, NOON));
        assert_eq!(
            [signed(database, 1, NOON), signed(database, 2, NOON)].map(|it| it.is_some()),
            [false, true]
        );
        assert!(database.commit(|engine| engine.remove_operator(&anna.name)));
        assert!(!database.commit(|engine| engine.remove_operator(&anna.name)), "there is none");
        assert_eq!(signed(database, 2, NOON), None);
        // Who gets the name later does not get the session.
        log_in(database, session(4, &anna, NOON));
        let other = Operator { hash: hash("other"), ..anna };
        database.commit(|engine| engine.add_operator(&other));
        assert_eq!([signed(database, 2, NOON), signed(database, 4, NOON)], [None, None]);
    });
}

#[test]
fn a_new_password_ends_all_sessions_also_one_that_is_being_begun_with_the_old_one() {
    on_every_engine(|database| {
        let anna = operator("anna", Role::Support);
        database.commit(|engine| engine.add_operator(&anna));
        log_in(database, session(1, &anna, NOON));
        let set = |hash| {
            let (name, at) = (&anna.name, NOON + 9);
            database.commit(|engine| engine.set_operator_password(name, &hash, at))
        };
        assert!(set(hash("new")));
        assert_eq!(signed(database, 1, NOON + 9), None);
        let found = database.read().operator(&anna.name).unwrap().unwrap();
        assert_eq!((found.hash, found.created_at, found.changed_at), (hash("new"), NOON, NOON + 9));
        // The login had checked the old password, and its session is stored after the change.
        log_in(database, session(2, &anna, NOON + 9));
        assert_eq!(signed(database, 2, NOON + 9), None);
        let nobody = named("nobody");
        let of_nobody =
            |hash| database.commit(|engine| engine.set_operator_password(&nobody, &hash, NOON));
        assert!(!of_nobody(hash("new")));
    });
}

#[test]
fn an_operator_has_a_bounded_number_of_sessions_and_those_that_are_over_are_removed() {
    on_every_engine(|database| {
        let anna = operator("anna", Role::Support);
        database.commit(|engine| engine.add_operator(&anna));
        let count = u8::try_from(OPERATOR_SESSIONS_MAX).unwrap();
        for number in 0..=count {
            log_in(database, session(number, &anna, NOON + i64::from(number)));
        }
        let now = NOON + i64::from(count);
        assert_eq!(signed(database, 0, now), None, "the oldest has ended");
        assert!((1..=count).all(|number| signed(database, number, now).is_some()));

        let over = Spent { now: NOON + 601, ..spent(0) };
        assert!(database.commit(|engine| engine.forget_logins(over, 500)));
        assert!(!database.commit(|engine| engine.forget_logins(over, 500)));
        // Those that began a second later are there.
        assert_eq!(signed(database, 1, NOON), None);
        assert_eq!(signed(database, 2, NOON).as_deref(), Some("anna"));
    });
}

#[test]
fn a_record_keeps_the_name_of_the_operator_who_made_the_change() {
    on_every_engine(|database| {
        let mut of_anna = received("action=DELETE&siteid=1&memberid=71");
        of_anna.operator = Some(named("anna"));
        let of_nats = received("action=DELETE&siteid=1&memberid=72");
        database.commit(|engine| {
            let outcome = |received| Outcome {
                change: Change::None,
                record: record(received, NOON, ok()),
                taken_over: None,
            };
            engine.save(&[outcome(&of_anna), outcome(&of_nats)])
        });
        let mut found = Vec::new();
        pages::each_record(&*database.read(), &JournalFilter::default(), |record| {
            found.push(record.operator.clone());
            Ok::<_, Fault>(())
        })
        .unwrap();
        assert_eq!(found, [Some("anna".to_owned()), None]);
    });
}
