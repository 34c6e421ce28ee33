//! No reply is sent before its batch is on the disk. A killed process loses nothing that the kernel
//! has, so the crash test cannot show this. Here, tests/shim/shim.c records what is written to the
//! WAL, the syncs of the WAL, and what is sent to sockets.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::shim::Shim;
use crate::support::{Caller, Program, eventually, temp_dir};

const CALLERS: usize = 8;
const ADDS_EACH: usize = 40;
/// The prefix of the names in these tests. Eight digits follow, so that a name is found in a page
/// wherever SQLite puts it.
const PREFIX: &[u8] = b"synced-";
const NAME_BYTES: usize = PREFIX.len() + 8;
/// Bytes before each page in the WAL: page number, size of the database after the commit (0 if this
/// page is not the last one), salts, checksums.
const FRAME_HEAD_BYTES: usize = 24;

/// One record of the shim, in the order of the trace.
#[derive(Clone, Debug, PartialEq)]
enum Event {
    /// These bytes were written to the WAL.
    Wrote(Vec<u8>),
    /// A sync of the WAL begins on this thread.
    Syncing(u32),
    /// The sync has ended; whether it succeeded.
    Synced(u32, bool),
    /// These bytes are about to be sent to a socket.
    Sending(Vec<u8>),
}

fn read_trace(mut bytes: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<12>() {
        let number = |at: usize| u32::from_ne_bytes(head[at..at + 4].try_into().unwrap());
        let (thread, length) = (number(4), number(8) as usize);
        let (content, rest) = rest.split_at(length);
        events.push(match head[0] {
            b'W' => Event::Wrote(content.to_vec()),
            b'B' => Event::Syncing(thread),
            b'E' => Event::Synced(thread, head[1] == 0),
            b'R' => Event::Sending(content.to_vec()),
            other => panic!("a record of kind {other}"),
        });
        bytes = rest;
    }
    events
}

/// The names of these tests in these bytes.
fn names(bytes: &[u8]) -> impl Iterator<Item = String> {
    let is_name = |window: &&[u8]| {
        window.starts_with(PREFIX) && window[PREFIX.len()..].iter().all(u8::is_ascii_digit)
    };
    bytes.windows(NAME_BYTES).filter(is_name).map(|name| String::from_utf8(name.to_vec()).unwrap())
}

/// The name in an "added" reply in these bytes.
fn acknowledged(sent: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(sent);
    let (_, line) = text.split_once("OK|member ")?;
    line.contains(" added ").then(|| names(line.as_bytes()).next()).flatten()
}

/// The progress of the commit of a name.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    /// A page with the name was written, and the last page of its transaction was not.
    Written,
    /// The last page was written too.
    Committed,
    /// Then a sync began on this thread.
    Syncing(u32),
    /// The sync succeeded.
    Safe,
}

/// The result of a trace: the number of replies that were sent after their sync, and the faults of
/// the others.
#[derive(Debug, Default, PartialEq)]
struct Verdict {
    safe: usize,
    early: Vec<String>,
}

fn judge(events: &[Event]) -> Verdict {
    let mut verdict = Verdict::default();
    let mut stages: HashMap<String, Stage> = HashMap::new();
    let mut ends_transaction = false;
    for event in events {
        match event {
            Event::Wrote(bytes) if bytes.len() == FRAME_HEAD_BYTES => {
                ends_transaction = bytes[4..8] != [0; 4]
            }
            Event::Wrote(bytes) => {
                for name in names(bytes) {
                    // Later pages with this name belong to later transactions.
                    stages.entry(name).or_insert(Stage::Written);
                }
                if std::mem::take(&mut ends_transaction) {
                    advance(&mut stages, |stage| {
                        (stage == Stage::Written).then_some(Stage::Committed)
                    });
                }
            }
            &Event::Syncing(thread) => {
                advance(&mut stages, |stage| {
                    (stage == Stage::Committed).then_some(Stage::Syncing(thread))
                });
            }
            &Event::Synced(thread, fine) => {
                let then = if fine { Stage::Safe } else { Stage::Committed };
                advance(&mut stages, |stage| (stage == Stage::Syncing(thread)).then_some(then));
            }
            Event::Sending(bytes) => match acknowledged(bytes) {
                None => {}
                Some(name) if stages.get(&name) == Some(&Stage::Safe) => verdict.safe += 1,
                Some(name) => verdict.early.push(format!("{name}: {:?}", stages.get(&name))),
            },
        }
    }
    verdict
}

fn advance(stages: &mut HashMap<String, Stage>, step: impl Fn(Stage) -> Option<Stage>) {
    for stage in stages.values_mut() {
        *stage = step(*stage).unwrap_or(*stage);
    }
}

#[test]
fn no_reply_is_written_before_the_sync_of_its_batch_has_returned() {
    let Some(shim) = Shim::new() else { return };
    let dir = temp_dir();
    let data = dir.path().canonicalize().unwrap().join("data");
    let mut program = Program::run(shim.program(&data, true), &data, &[]).unwrap();
    let address = program.address;

    // The first sync waits until all have posted, so that the next batch has several postbacks.
    shim.hold_syncs();
    let posted = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for number in 0..CALLERS {
            let posted = &posted;
            scope.spawn(move || {
                let mut caller = Caller::connect(address).unwrap();
                for count in 0..ADDS_EACH {
                    let member = 1 + number * ADDS_EACH + count;
                    let name = format!("synced-{member:08}");
                    posted.fetch_add(1, Ordering::SeqCst);
                    let body =
                        format!("action=ADD&siteid=1&memberid={member}&username={name}&password=p");
                    // On a busy machine the first sync may take too long for postbacks that wait.
                    // They get 503, and are sent again.
                    let reply = loop {
                        let reply = caller.post(&body).unwrap();
                        if reply.status != 503 {
                            break reply.body;
                        }
                    };
                    assert_eq!(reply, format!("OK|member {member} \"{name}\" added to site 1"));
                }
            });
        }
        eventually("a sync waits and all have posted", || {
            shim.is_holding() && posted.load(Ordering::SeqCst) >= CALLERS
        });
        shim.heal("hold");
    });
    assert!(program.terminate().success());

    let events = read_trace(&shim.trace());
    let replies = CALLERS * ADDS_EACH;
    assert_eq!(judge(&events), Verdict { safe: replies, early: Vec::new() });
    let commits = events
        .iter()
        .filter(|event| matches!(event, Event::Wrote(b) if b.len() == 24 && b[4..8] != [0; 4]))
        .count();
    assert!(
        commits < replies,
        "every reply had a commit of its own: this run has shown nothing about batches"
    );
    eprintln!("{replies} replies, {commits} commits, those of the hashing included");
}

/// Checks that the check can fail: traces that were made by hand, each wrong in one way.
mod judge {
    use super::{Event, Verdict, judge};
    use Event::{Sending, Synced, Syncing, Wrote};

    const ANN: &str = "synced-00000001";
    const BOB: &str = "synced-00000002";
    const WRITER: u32 = 7;

    fn head(ends_transaction: bool) -> Event {
        let mut bytes = vec![0; 24];
        bytes[7] = u8::from(ends_transaction);
        Wrote(bytes)
    }

    fn page(names: &[&str]) -> Event {
        Wrote([vec![0; 50], names.join("\0").into_bytes(), vec![0; 50]].concat())
    }

    fn reply(name: &str) -> Event {
        Sending(
            format!("HTTP/1.1 200 OK\r\n\r\nOK|member 1 \"{name}\" added to site 1").into_bytes(),
        )
    }

    fn early(trace: &[Event]) -> Vec<String> {
        judge(trace).early
    }

    #[test]
    fn a_reply_after_write_commit_and_sync_is_safe_and_so_is_a_batch_of_two() {
        let trace = [
            head(false),
            page(&[ANN, BOB]),
            head(true),
            page(&[]),
            Syncing(WRITER),
            Synced(WRITER, true),
            reply(ANN),
            // The next batch writes this page again before the second reply of the first batch is
            // sent.
            head(false),
            page(&[ANN, BOB]),
            reply(BOB),
        ];
        assert_eq!(judge(&trace), Verdict { safe: 2, early: vec![] });
    }

    #[test]
    fn a_reply_before_any_write_is_found() {
        assert_eq!(early(&[reply(ANN)]), [format!("{ANN}: None")]);
    }

    #[test]
    fn a_reply_between_write_and_sync_is_found() {
        assert_eq!(
            early(&[head(true), page(&[ANN]), reply(ANN), Syncing(WRITER), Synced(WRITER, true)]),
            [format!("{ANN}: Some(Committed)")]
        );
    }

    #[test]
    fn a_reply_during_the_sync_is_found() {
        assert_eq!(
            early(&[head(true), page(&[ANN]), Syncing(WRITER), reply(ANN), Synced(WRITER, true)]),
            [format!("{ANN}: Some(Syncing({WRITER}))")]
        );
    }

    #[test]
    fn a_reply_after_a_sync_that_failed_is_found() {
        assert_eq!(
            early(&[head(true), page(&[ANN]), Syncing(WRITER), Synced(WRITER, false), reply(ANN)]),
            [format!("{ANN}: Some(Committed)")]
        );
    }

    #[test]
    fn a_reply_after_a_sync_that_began_before_the_write_is_found() {
        assert_eq!(
            early(&[Syncing(WRITER), head(true), page(&[ANN]), Synced(WRITER, true), reply(ANN)]),
            [format!("{ANN}: Some(Committed)")]
        );
    }

    #[test]
    fn a_reply_after_a_sync_of_half_a_transaction_is_found() {
        let trace = [
            head(false),
            page(&[ANN]),
            Syncing(WRITER),
            Synced(WRITER, true),
            head(true),
            page(&[]),
            reply(ANN),
        ];
        assert_eq!(early(&trace), [format!("{ANN}: Some(Committed)")]);
    }

    #[test]
    fn the_end_of_another_threads_sync_does_not_count() {
        assert_eq!(
            early(&[head(true), page(&[ANN]), Syncing(WRITER), Synced(8, true), reply(ANN)]),
            [format!("{ANN}: Some(Syncing({WRITER}))")]
        );
    }
}
