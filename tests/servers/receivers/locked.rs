//! A member whose row another transaction has locked: a receiver that died in the middle, or an
//! operator who has not ended their transaction.

use std::net::SocketAddr;

use mysql::prelude::Queryable as _;

use crate::support::{App, MariaDatabase, Response, TOKEN, post_to, temp_dir};

const NOTHING: &str = "ERROR|temporarily unavailable, nothing was changed";

/// Posts all of these at once: the responses.
fn post_all(address: SocketAddr, bodies: &[String]) -> Vec<Response> {
    std::thread::scope(|scope| {
        let post = |body: &String| post_to(address, TOKEN, body.as_bytes()).unwrap();
        let threads: Vec<_> = bodies.iter().map(|body| scope.spawn(move || post(body))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn a_member_whose_row_is_locked_is_refused_and_all_others_get_their_replies() {
    let Some(database) = MariaDatabase::new() else { return };
    let setting = database.setting_with_password();
    let app = App::start_in(temp_dir(), &["--database", &setting]);
    let add = |member: u32| {
        format!("action=ADD&siteid=1&memberid={member}&username=n{member}&password=secret")
    };
    (71..81).for_each(|member| assert!(app.post(&add(member)).starts_with("OK|")));
    let mut operator = database.connect();
    operator.query_drop("START TRANSACTION").unwrap();
    let one = "SELECT * FROM member_auth WHERE siteid = 1 AND memberid = 71 FOR UPDATE";
    operator.query_drop(one).unwrap();
    // The first one waits, and then no further postback waits.
    let delete = "action=DELETE&siteid=1&memberid=71".to_owned();
    let first = post_to(app.address, TOKEN, delete.as_bytes()).unwrap();
    assert_eq!((first.status, first.body.as_str()), (503, NOTHING));
    let bodies = [vec![delete], (1_000..1_020).map(add).collect()].concat();
    let responses = post_all(app.address, &bodies);
    let (locked, others) = responses.split_first().unwrap();
    assert_eq!((locked.status, locked.body.as_str()), (503, NOTHING));
    for other in others {
        assert!(other.status == 200 && other.body.starts_with("OK|"), "{other:?}");
    }
    operator.query_drop("ROLLBACK").unwrap();
    assert!(app.post("action=DELETE&siteid=1&memberid=71").starts_with("OK|"));
}
