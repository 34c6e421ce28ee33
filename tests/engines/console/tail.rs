//! The live tail of the journal: server-sent events.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use super::on_every_engine;
use crate::support::{App, Console, PATIENCE, Request};

/// An open tail.
pub struct Tail(pub BufReader<TcpStream>);

impl Tail {
    /// Opens one and reads its head.
    pub fn open(app: &App, operator: &Console, query: &str, last: Option<&str>) -> Self {
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

    pub fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.0.read_line(&mut line).unwrap() > 0, "the tail has ended");
        line.trim_end().to_owned()
    }

    /// The next line that begins so.
    pub fn until(&mut self, begin: &str) -> String {
        loop {
            let line = self.line();
            let is_wanted = line.to_ascii_lowercase().starts_with(begin) && !line.contains("HTTP");
            if is_wanted && (begin == ":" || line.len() > begin.len()) {
                return line.to_owned();
            }
        }
    }

    /// The next record.
    pub fn record(&mut self) -> serde_json::Value {
        serde_json::from_str(self.until("data: ").strip_prefix("data: ").unwrap()).unwrap()
    }
}

pub fn add(app: &App, member: u32, name: &str) {
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
