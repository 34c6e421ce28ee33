//! The live tail of the journal: server-sent events.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use nats_userman::operator::Role;

use super::on_every_engine;
use crate::support::{App, Console, EngineKind, OPS, PATIENCE, Request};

/// An open tail.
struct Tail(BufReader<TcpStream>);

impl Tail {
    /// Opens one and reads its head.
    fn open(app: &App, operator: &Console, query: &str, last: Option<&str>) -> Self {
        let mut request = Request::get(&format!("/postbacks/tail{query}")).cookie(&operator.cookie);
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let mut stream = TcpStream::connect(app.ops.unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&Vec::from(request)).unwrap();
        let mut tail = Self(BufReader::new(stream));
        assert_eq!(tail.line(), "HTTP/1.1 200 OK");
        assert_eq!(tail.until("content-type"), "content-type: text/event-stream");
        assert_eq!(tail.until(":"), ": following");
        tail
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.0.read_line(&mut line).unwrap() > 0, "the tail has ended");
        line.trim_end().to_owned()
    }

    /// The next line that begins so.
    fn until(&mut self, begin: &str) -> String {
        loop {
            let line = self.line();
            let is_wanted = line.to_ascii_lowercase().starts_with(begin) && !line.contains("HTTP");
            if is_wanted && (begin == ":" || line.len() > begin.len()) {
                return line.to_owned();
            }
        }
    }

    /// The next record.
    fn record(&mut self) -> serde_json::Value {
        serde_json::from_str(self.until("data: ").strip_prefix("data: ").unwrap()).unwrap()
    }
}

fn add(app: &App, member: u32, name: &str) {
    app.post(&format!("action=ADD&siteid=1&memberid={member}&username={name}&password=secret"));
}

#[test]
fn a_tail_sends_each_new_record_that_matches_and_ends_with_the_session() {
    on_every_engine(&[], |app, anna| {
        add(app, 71, "before");
        let mut all = Tail::open(app, anna, "", None);
        let mut deletes = Tail::open(app, anna, "?action=DELETE", None);
        add(app, 72, "%3Cb%3Ebob");
        let first = all.record();
        assert_eq!(first["username"], "<b>bob");
        assert_eq!(first["word"], "OK");
        assert_eq!(first["member_link"], "/members/1/72");
        assert_eq!(first["time"], "2026-06-15 12:00:00");
        app.post("action=DELETE&siteid=1&memberid=71");
        assert_eq!(all.record()["action"], "DELETE");
        assert_eq!(deletes.record()["action"], "DELETE", "the ADD is left out");

        // A browser that comes again names the last record that it has.
        let id = first["id"].to_string();
        drop(all);
        let mut again = Tail::open(app, anna, "", Some(&id));
        assert_eq!(again.record()["action"], "DELETE");

        assert_eq!(anna.post("/logout", "").status, 303);
        assert_eq!(again.until("event"), "event: end");
        assert_eq!(again.until("data"), "data: The session has ended: log in again.");
    });
}

/// With several receivers, a number is taken before the commit: a record can come after one with a
/// higher number.
#[test]
fn a_record_that_is_committed_after_one_with_a_higher_number_is_sent_once() {
    let Some(app) = App::start_on_engine(EngineKind::MariaDb, &OPS) else { return };
    let anna = app.console("anna", Role::Support);
    add(&app, 71, "first");
    let mut tail = Tail::open(&app, &anna, "", None);
    let commit = |id: u32, member: u32| {
        let insert = format!(
            "INSERT INTO journal (id, at, source, siteid, memberid, fields, reply, batch) \
             VALUES ({id}, 1781524800, 'nats', 1, {member}, '', 'OK|was so already', 0) \
             RETURNING id"
        );
        assert_eq!(app.rows(&insert), [id.to_string()]);
    };
    commit(1_002, 2);
    assert_eq!(tail.until("id:"), "id: 1002");
    assert_eq!(tail.record()["id"], 1_002);
    commit(1_001, 1);
    assert_eq!(tail.until("id:"), "id: 1002", "a browser that comes again gets no record twice");
    assert_eq!(tail.record()["id"], 1_001);
    commit(1_003, 3);
    assert_eq!(tail.record()["id"], 1_003, "and none of them again");
}

#[test]
fn nobody_follows_without_a_login_and_only_so_many_at_once() {
    let app = App::start_with(&OPS);
    let anna = app.console("anna", Role::Support);
    let unknown = app.send_ops(Request::get("/postbacks/tail"));
    assert_eq!(
        (unknown.status, unknown.header("location")),
        (303, Some("/login?back=%2Fpostbacks%2Ftail"))
    );
    let tails: Vec<Tail> = (0..8).map(|_| Tail::open(&app, &anna, "", None)).collect();
    let ninth = anna.get("/postbacks/tail");
    assert_eq!((ninth.status, ninth.header("retry-after")), (503, Some("30")));
    drop(tails);
    crate::support::eventually("a place is free", || {
        let mut stream = TcpStream::connect(app.ops.unwrap()).unwrap();
        let request = Request::get("/postbacks/tail").cookie(&anna.cookie);
        stream.write_all(&Vec::from(request)).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line.starts_with("HTTP/1.1 200")
    });
}

/// Regression: a response that comes in pieces looked like an idle connection between them.
#[test]
fn a_tail_does_not_delay_the_stop_of_the_service() {
    let app = App::start_with(&OPS);
    let anna = app.console("anna", Role::Support);
    let mut tail = Tail::open(&app, &anna, "", None);
    drop(app);
    let mut rest = String::new();
    while tail.0.read_line(&mut rest).is_ok_and(|bytes| bytes > 0) {}
    assert!(!rest.contains("event: record"), "{rest}");
}
