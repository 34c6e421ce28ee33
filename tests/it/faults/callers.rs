//! Callers that violate HTTP: they close the connection, send slowly, or stop in the middle.

use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use nats_userman::connection_limits::ConnectionLimits;

use super::{add, added};
use crate::support::{App, PATIENCE, Request, TOKEN, eventually, post_to, read_response};

fn request(body: &str) -> Vec<u8> {
    Request::post(&format!("/postback/{TOKEN}")).body(body).into()
}

fn connect(app: &App) -> TcpStream {
    let stream = TcpStream::connect(app.address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Rows and journal of a member, as counts.
fn traces(app: &App, member: usize) -> (String, String) {
    let count = |table: &str| {
        app.rows(&format!("SELECT count(*) FROM {table} WHERE memberid = {member}")).remove(0)
    };
    (count("member_auth"), count("journal"))
}

#[test]
fn a_caller_who_hangs_up_in_the_middle_of_the_body_has_changed_nothing() {
    let app = App::start();
    let whole = request(&add(1));
    for cut in [whole.len() - 1, whole.len() - 40, whole.len() - add(1).len(), 30] {
        let mut stream = connect(&app);
        stream.write_all(&whole[..cut]).unwrap();
        // Closes the sending half, so that there may be an answer to wait for. A cut head gets
        // none, or a 400.
        stream.shutdown(Shutdown::Write).unwrap();
        if let Ok(response) = read_response(&mut stream) {
            assert_eq!(response.status, 400, "{response:?}");
        }
    }
    assert_eq!(app.post(&add(2)), added(2));
    assert_eq!(app.rows("SELECT memberid FROM journal"), ["2"]);
}

#[test]
fn a_caller_who_sends_byte_by_byte_is_heard() {
    let app = App::start();
    let mut stream = connect(&app);
    request(&add(1)).chunks(1).for_each(|byte| stream.write_all(byte).unwrap());
    assert_eq!(read_response(&mut stream).unwrap().body, added(1));
}

/// The test shortens the default of ten seconds. Another test checks that default.
#[test]
fn a_caller_who_stops_in_the_middle_of_the_body_gets_408_after_ten_seconds_while_others_are_served()
{
    let body = Duration::from_secs(1);
    let app = App::start_with_limits(ConnectionLimits { body, ..ConnectionLimits::default() });
    let whole = request(&add(1));
    let mut slow = connect(&app);
    slow.write_all(&whole[..whole.len() - 1]).unwrap();
    assert_eq!(app.post(&add(2)), added(2));
    let response = read_response(&mut slow).unwrap();
    let line = "ERROR|body: expected whole within 10 seconds, found it incomplete";
    assert_eq!((response.status, response.body.as_str()), (408, line));
    assert_eq!(app.rows("SELECT memberid FROM journal"), ["2"]);
}

/// A postback is done completely. A caller who closes the connection before the reply cannot know
/// the result, and sends it again.
#[test]
fn a_caller_who_hangs_up_after_the_last_byte_leaves_a_whole_member_or_none() {
    let app = App::start();
    for member in 1..=40 {
        let mut stream = connect(&app);
        stream.write_all(&request(&add(member))).unwrap();
        match member % 3 {
            // Closed at once; half closed, as by `nc -N`, and then closed; closed while the answer
            // is being sent.
            0 => {}
            1 => stream.shutdown(Shutdown::Write).unwrap(),
            _ => drop(app.post("action=CHECK&siteid=1&username=x")),
        }
        drop(stream);
    }
    // Sent again, each postback is OK, whether it was done before or not.
    for member in 1..=40 {
        let response = post_to(app.address, TOKEN, add(member).as_bytes()).unwrap();
        assert!(response.body.starts_with(&format!("OK|member {member} ")), "{response:?}");
    }
    eventually("all are whole", || {
        (1..=40).all(|member| {
            let (rows, records) = traces(&app, member);
            rows == "1" && (records == "1" || records == "2")
        })
    });
}
