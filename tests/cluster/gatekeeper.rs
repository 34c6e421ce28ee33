//! Asks at one receiver about what the other one has just acknowledged. Who has left is not let in,
//! and who has joined is not turned away; "try again later" is allowed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::deeds::{Answer, Sender, Sent};
use super::http::{Request, send_raw};

const PAUSE: Duration = Duration::from_millis(20);

pub struct Gatekeeper {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

/// What was seen.
#[derive(Default)]
pub struct Seen {
    pub sent: Vec<Sent>,
    /// Questions with an answer.
    pub asked: usize,
    /// Of these, with a cookie of the first receiver.
    pub by_cookie: usize,
    /// Answers by a row of the past.
    pub stale: Vec<String>,
}

impl Gatekeeper {
    pub fn start(receivers: [SocketAddr; 2]) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            let mut seen = Seen::default();
            for round in 0.. {
                if until.load(Ordering::Relaxed) {
                    break;
                }
                let mut pair = receivers;
                if round % 2 == 1 {
                    pair.reverse();
                }
                one_round(round, pair, &mut seen);
                std::thread::sleep(PAUSE);
            }
            seen
        });
        Self { ended, thread }
    }

    pub fn end(self) -> Seen {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn one_round(round: usize, [writer, reader]: [SocketAddr; 2], seen: &mut Seen) {
    let member = 900_000 + round;
    let name = format!("guest{round}");
    let mut sender = Sender::new(writer);
    let mut post = |step: &str, body: String, seen: &mut Seen| {
        let mark = format!("mark-guest-{round}-{step}-end");
        let answer = sender.post(&format!("{body}&biller={mark}"))?;
        seen.sent.push(Sent { mark, answer: answer.clone() });
        matches!(answer, Answer::Reply(text) if text.starts_with("OK|")).then_some(())
    };
    let of = format!("siteid=1&memberid={member}");
    let add = format!("action=ADD&{of}&username={name}&password=secret");
    if post("add", add, seen).is_none() {
        return;
    }
    let cookie = log_in(writer, &name);
    ask(reader, &name, cookie.as_deref(), true, seen);
    if post("delete", format!("action=DELETE&{of}"), seen).is_some() {
        ask(reader, &name, cookie.as_deref(), false, seen);
    }
}

/// The cookie of a login; `None` where that did not work just now.
fn log_in(receiver: SocketAddr, name: &str) -> Option<String> {
    let form = Request::post("/login?site=1").same_origin();
    let form = form.form(&format!("username={name}&password=secret"));
    let response = send_raw(receiver, form).ok()?;
    let cookie = response.header("set-cookie")?.split(';').next()?;
    (response.status == 303).then(|| cookie.to_owned())
}

fn ask(reader: SocketAddr, name: &str, cookie: Option<&str>, is_member: bool, seen: &mut Seen) {
    let when = if is_member { "joined" } else { "left" };
    let door = || Request::get("/auth?site=1");
    let visits = [Some(door().basic(name, "secret")), cookie.map(|cookie| door().cookie(cookie))];
    for (by, visit) in ["password", "cookie"].into_iter().zip(visits) {
        let Some(visit) = visit else { continue };
        let Ok(response) = send_raw(reader, visit) else { continue };
        seen.asked += 1;
        seen.by_cookie += usize::from(by == "cookie" && response.status != 503);
        let is_right = match response.status {
            200 => is_member,
            401 => !is_member,
            503 => true,
            _ => false,
        };
        if !is_right {
            seen.stale.push(format!("{name} has {when}: by {by} /auth says {}", response.status));
        }
    }
    let check = Request::postback(&format!("action=CHECK&siteid=1&username={name}"));
    if let Ok(response) = send_raw(reader, check) {
        seen.asked += 1;
        let is_right = match response.body.split_once('|') {
            Some(("OK", _)) => is_member,
            Some(("NOTOK", _)) => !is_member,
            _ => response.status == 503,
        };
        if !is_right {
            seen.stale.push(format!("{name} has {when}: CHECK says {}", response.body));
        }
    }
}
