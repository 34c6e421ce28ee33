//! A reading request sees everything that was acknowledged before it was sent, even when the
//! threads are busy.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{App, Caller, eventually};

/// The number of names that are added and looked up.
const NAMES: usize = 60;
/// The number of connections that keep the threads busy with reads.
const BUSY: usize = 3;

struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_check_sees_what_was_acknowledged_while_other_checks_keep_looking() {
    let app = App::start();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..BUSY {
            scope.spawn(|| {
                let mut caller = Caller::connect(app.address).unwrap();
                while !done.load(Ordering::Relaxed) {
                    caller.post("action=CHECK&siteid=1&username=nobody").unwrap();
                }
            });
        }
        // A failed assertion must also end the busy threads, or the scope would wait for them
        // forever.
        let _end = SetAtEnd(&done);
        // Separate connections, which the server assigns to different threads.
        let [mut adding, mut asking, mut asking_too] =
            [(); 3].map(|()| Caller::connect(app.address).unwrap());
        let stale: Vec<usize> = (1..=NAMES)
            .filter(|member| {
                let add = format!(
                    "action=ADD&siteid=1&memberid={member}&username=m{member}&password=secret"
                );
                assert!(adding.post(&add).unwrap().body.starts_with("OK|"));
                let check = format!("action=CHECK&siteid=1&username=m{member}");
                [&mut asking, &mut asking_too]
                    .into_iter()
                    .any(|caller| !caller.post(&check).unwrap().body.starts_with("OK|"))
            })
            .collect();
        assert_eq!(stale, [0; 0], "members who were added and not seen");
    });
}

#[test]
fn a_thread_that_has_nothing_to_read_holds_no_look_at_the_database() {
    let app = App::start();
    app.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret");
    app.post("action=CHECK&siteid=1&username=bob");
    let writer = rusqlite::Connection::open(app.config.location.file().unwrap()).unwrap();
    // An open read transaction keeps the WAL from being restarted. The first column, `busy`, would
    // then be 1.
    eventually("the log can start anew", || {
        writer.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get::<_, i64>(0)).unwrap()
            == 0
    });
}
