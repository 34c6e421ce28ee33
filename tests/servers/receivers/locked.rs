//! A member whose row another transaction has locked: a receiver that died in the middle, or an
//! operator who has not ended their transaction. And that no postback reads the rows of others.

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
    // One after the other: each is a batch of its own, which changes one row.
    for body in [
        "action=CHANGE&siteid=1&memberid=72&new_email=a%40example.com",
        "action=ADD&siteid=1&memberid=73&username=n73&password=another",
        "action=TRIALTOFULL&siteid=1&memberid=74&username=n74",
        "action=DELETE&siteid=1&memberid=72",
        "action=EXPIRE&siteid=1&memberid=75&expire=2001-01-01",
        "action=ACTIVATE&siteid=1&memberid=72&username=n72",
    ] {
        let reply = app.post(body);
        assert!(reply.starts_with("OK|"), "{body}: {reply}");
    }
    operator.query_drop("ROLLBACK").unwrap();
    assert!(app.post("action=DELETE&siteid=1&memberid=71").starts_with("OK|"));
}

/// The rows that the server has read so far, of tables and of indexes.
fn rows_read(conn: &mut mysql::Conn) -> u64 {
    let rows: Vec<(String, u64)> = conn.query("SHOW GLOBAL STATUS LIKE 'Handler_read%'").unwrap();
    let all = rows.into_iter().filter(|(name, _)| !name.contains("deleted"));
    all.map(|(_, count)| count).sum()
}

/// Regression: a change or a removal of one member read, and locked, all rows.
#[test]
fn no_postback_of_one_member_reads_the_rows_of_the_others() {
    const MEMBERS: u64 = 20_000;
    let Some(database) = MariaDatabase::new() else { return };
    let setting = database.setting_with_password();
    let app = App::start_in(temp_dir(), &["--database", &setting]);
    let mut operator = database.connect();
    for table in ["member_auth", "former_member"] {
        let (more, values) = match table {
            "member_auth" => (", username", ", CONCAT('n', seq)"),
            _ => (", reason, ended_at", ", 'deleted', 5"),
        };
        let rows = format!(
            "INSERT INTO {table} (siteid, memberid, username_sent, username_key, trial, password
                 {more})
             SELECT IF('{table}' = 'member_auth', 1, 2), seq, CONCAT('n', seq), CONCAT('n', seq), 0,
                 '$2y$04$......................LAtw7/ohmmBAhnXqmkuIz83Rl5Qdjhm' {values}
             FROM seq_1_to_{MEMBERS}"
        );
        operator.query_drop(rows).unwrap();
        operator.query_drop(format!("ANALYZE TABLE {table}")).unwrap();
    }
    for body in [
        "action=ADD&siteid=1&memberid=70001&username=new&password=secret",
        "action=ADD&siteid=1&memberid=71&username=n71&password=secret",
        "action=MANUALADD&siteid=1&memberid=72&username=n72&password=secret",
        "action=CHANGE&siteid=1&memberid=73&new_username=other",
        "action=CHANGE&siteid=1&memberid=74&new_email=a%40example.com",
        "action=TRIALTOFULL&siteid=1&memberid=75&username=n75",
        "action=EXPIRE&siteid=1&memberid=76&username=n76&expire=2999-01-01",
        "action=EXPIRE&siteid=1&memberid=77&username=n77&expire=2001-01-01",
        "action=DELETE&siteid=1&memberid=78&username=n78",
        "action=ACTIVATE&siteid=1&memberid=78&username=n78",
        "action=ACTIVATE&siteid=2&memberid=79&username=n79",
        "action=CHECK&siteid=1&username=n80",
    ] {
        let before = rows_read(&mut operator);
        let reply = app.post(body);
        let read = rows_read(&mut operator) - before;
        assert!(reply.starts_with("OK|"), "{body}: {reply}");
        assert!(read < MEMBERS / 10, "{body}: read {read} rows");
    }
}
