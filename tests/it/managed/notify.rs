//! The state of the service in `NOTIFY_SOCKET`, and the watchdog.

use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nats_userman::heartbeat::{Heartbeat, Supervisor};
use nats_userman::store::{Location, with_engine};
use rusqlite::Connection;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

use crate::shim::Shim;
use crate::support::{PATIENCE, Program, Request, eventually, program, rows, send_raw, temp_dir};

const ALIVE: &str = "WATCHDOG=1\n";
/// A start or a stop extends its timeout to 10 minutes before work that waits for the disk.
const DISK: &str = "EXTEND_TIMEOUT_USEC=600000000\n";
/// The number of watchdog messages in three intervals.
const THREE_INTERVALS: usize = 12;

/// Takes the place of systemd: receives what the service reports.
struct Manager {
    socket: UnixDatagram,
    _dir: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let dir = temp_dir();
        let socket = UnixDatagram::bind(dir.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, _dir: dir }
    }

    /// The program, with this socket in its environment.
    fn program(&self) -> Command {
        self.start(program())
    }

    fn start(&self, mut command: Command) -> Command {
        let address = self.socket.local_addr().unwrap();
        command.env("NOTIFY_SOCKET", address.as_pathname().unwrap());
        command
    }

    /// The next message; `None` if there is none within this time.
    fn next_within(&self, time: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(time)).unwrap();
        let mut bytes = [0; 4096];
        match self.socket.recv(&mut bytes) {
            Ok(length) => Some(String::from_utf8(bytes[..length].to_vec()).unwrap()),
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::WouldBlock), "{error}");
                None
            }
        }
    }

    fn next(&self) -> String {
        self.next_within(PATIENCE).expect("a message")
    }

    /// All messages up to the one with this beginning, which is included.
    fn until(&self, begin: &str) -> Vec<String> {
        let mut all = vec![self.next()];
        while !all.last().unwrap().starts_with(begin) {
            all.push(self.next());
        }
        all
    }

    /// Waits for this number of watchdog messages. Ignores those that were sent before.
    fn sees_it_alive(&self, times: usize) {
        while self.next_within(Duration::from_millis(1)).is_some() {}
        (0..times).for_each(|_| assert_eq!(self.next(), ALIVE));
    }

    /// All messages until the end of the program.
    fn rest(&self) -> Vec<String> {
        std::iter::from_fn(|| self.next_within(Duration::from_millis(1))).collect()
    }
}

fn signal(program: &Program, signal: Signal) {
    kill_process(Pid::from_child(&program.child), signal).unwrap();
}

fn add(member: u32) -> String {
    format!("action=ADD&siteid=1&memberid={member}&username=name-{member}&cryptpass=ab01FAX.bQRSU")
}

/// Starts `serve` with a watchdog of this interval.
fn watched(manager: &Manager, mut command: Command, micros: u32, data: &Path) -> Program {
    command.env("WATCHDOG_USEC", micros.to_string());
    let program = Program::run(manager.start(command), data, &[]).unwrap();
    manager.until("READY=1\n");
    program
}

#[test]
fn a_start_a_reload_and_a_stop_are_reported_in_their_order() {
    let (manager, dir) = (Manager::new(), temp_dir());
    let mut program = Program::run(manager.program(), dir.path(), &[]).unwrap();
    assert_eq!(manager.next(), "STATUS=opening the database\n");
    // The schema is committed, and then copied into the database file.
    assert_eq!([manager.next(), manager.next()], [DISK, DISK]);
    assert_eq!(manager.next(), format!("READY=1\nSTATUS=listening on {}\n", program.address));
    signal(&program, Signal::HUP);
    let reloading = manager.next();
    let since = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
    assert!(since.trim_end().parse::<u64>().unwrap() > 0);
    assert_eq!(manager.next(), "READY=1\n");
    assert!(program.terminate().success());
    assert_eq!(manager.rest(), ["STOPPING=1\nSTATUS=answering the accepted requests\n", DISK]);
}

/// READY means that the service answers, so a script may continue at once.
#[test]
fn a_start_that_fails_is_never_ready() {
    let (manager, dir) = (Manager::new(), temp_dir());
    std::fs::write(dir.path().join("userman.db"), "no database, but 100 bytes or more".repeat(4))
        .unwrap();
    assert!(Program::run(manager.program(), dir.path(), &[]).is_err());
    assert_eq!(manager.rest(), ["STATUS=opening the database\n"]);
}

#[test]
fn an_idle_writer_reports_that_it_is_alive() {
    let (manager, dir) = (Manager::new(), temp_dir());
    let mut program = watched(&manager, program(), 400_000, dir.path());
    manager.sees_it_alive(THREE_INTERVALS);
    assert!(program.terminate().success());
    let rest = manager.rest();
    let stopping = rest.iter().position(|message| message.starts_with("STOPPING=1\n")).unwrap();
    assert!(!rest[stopping..].contains(&ALIVE.to_owned()), "{rest:?}");
}

#[test]
fn a_watchdog_of_another_process_is_not_fed() {
    let (manager, dir) = (Manager::new(), temp_dir());
    let mut command = manager.program();
    command.env("WATCHDOG_USEC", "1000").env("WATCHDOG_PID", "1");
    let mut program = Program::run(command, dir.path(), &[]).unwrap();
    (1..50).for_each(|member| assert_eq!(program.post(&add(member)).unwrap().status, 200));
    assert!(program.terminate().success());
    // How often the disk is reported depends on how fast it is.
    let mut all = manager.rest();
    all.retain(|message| message != DISK);
    let ready = format!("READY=1\nSTATUS=listening on {}\n", program.address);
    let stopping = "STOPPING=1\nSTATUS=answering the accepted requests\n";
    assert_eq!(all, ["STATUS=opening the database\n", &ready, stopping]);
}

#[test]
fn a_writer_that_waits_for_a_lock_is_alive() {
    let (manager, dir) = (Manager::new(), temp_dir());
    let mut program = watched(&manager, program(), 1_000_000, dir.path());
    let holder = Connection::open(dir.path().join("userman.db")).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(program.post(&add(1)).unwrap().status, 503);
    manager.sees_it_alive(THREE_INTERVALS);
    assert_eq!(program.post(&add(1)).unwrap().status, 503, "the lock is still held");
    holder.execute_batch("ROLLBACK").unwrap();
    assert_eq!(program.post(&add(2)).unwrap().status, 200);
    assert!(program.terminate().success());
}

#[test]
fn a_writer_whose_disk_is_full_is_alive() {
    let (manager, dir) = (Manager::new(), temp_dir());
    let mut program = watched(&manager, program(), 400_000, dir.path());
    let limit = |current| {
        let limit = Rlimit { current, maximum: None };
        prlimit(Some(Pid::from_child(&program.child)), Resource::Fsize, limit).unwrap();
    };
    limit(Some(4096));
    assert_eq!(program.post(&add(1)).unwrap().status, 503);
    manager.sees_it_alive(THREE_INTERVALS);
    limit(None);
    eventually("the disk has room", || program.post(&add(2)).unwrap().status == 200);
    assert!(program.terminate().success());
}

/// While the database is replaced, the writer refuses postbacks and checks whether it can continue.
#[test]
fn a_writer_without_a_database_is_alive() {
    let (manager, dir) = (Manager::new(), temp_dir());
    let data = dir.path().join("data");
    let program = watched(&manager, program(), 400_000, &data);
    std::fs::rename(data.join("userman.db"), dir.path().join("elsewhere")).unwrap();
    eventually("it is noticed", || program.post(&add(1)).unwrap().status == 503);
    manager.sees_it_alive(THREE_INTERVALS);
}

/// A sync that never returns is not a known cause of waiting, so only the watchdog can end it.
#[test]
fn a_writer_that_is_stuck_is_not_alive() {
    let Some(shim) = Shim::new() else { return };
    let (manager, dir) = (Manager::new(), temp_dir());
    let data = dir.path().canonicalize().unwrap().join("data");
    let program = watched(&manager, shim.program(&data, false), 400_000, &data);
    shim.hold_syncs();
    let address = program.address;
    let post = std::thread::spawn(move || send_raw(address, Request::postback(&add(1))));
    eventually("the commit waits for the disk", || shim.is_holding());
    manager.rest();
    assert_eq!(manager.next_within(Duration::from_secs(1)), None);
    // The other threads still work.
    let check = "action=CHECK&siteid=1&username=bob";
    assert_eq!(program.post(check).unwrap().status, 200);
    shim.heal("hold");
    assert_eq!(post.join().unwrap().unwrap().status, 200);
    manager.sees_it_alive(1);
}

#[test]
fn a_manager_that_cannot_be_reached_is_told_once_and_the_service_goes_on() {
    let dir = temp_dir();
    let nowhere = dir.path().join("nowhere");
    let mut command = program();
    command.env("NOTIFY_SOCKET", &nowhere).env("WATCHDOG_USEC", "1000");
    let mut program = Program::run(command, &dir.path().join("data"), &[]).unwrap();
    (1..20).for_each(|member| assert_eq!(program.post(&add(member)).unwrap().status, 200));
    assert!(program.terminate().success());
    let said = program.stderr();
    let warnings: Vec<_> = said.lines().filter(|line| line.contains(" WARN ")).collect();
    assert_eq!(warnings.len(), 1, "{said}");
    let expected = format!(
        "cannot report the state of the service to NOTIFY_SOCKET {}: No such file or directory (os \
         error 2); the service goes on",
        nowhere.display()
    );
    assert!(warnings[0].ends_with(&expected), "{said}");
}

/// The system queues few messages for a manager that does not read them. A sender then waits.
#[test]
fn a_manager_that_does_not_read_holds_nobody_up() {
    let (manager, dir) = (Manager::new(), temp_dir());
    let mut command = manager.program();
    command.env("WATCHDOG_USEC", "4");
    let mut program = Program::run(command, dir.path(), &[]).unwrap();
    eventually("the queue is full", || {
        assert_eq!(program.post(&add(1)).unwrap().status, 200);
        program.stderr().contains("cannot report the state")
    });
    assert_eq!(program.post(&add(2)).unwrap().status, 200);
    assert!(program.terminate().success());
}

/// Older managers, and those of containers, use an abstract socket, whose name is no file.
#[test]
fn the_socket_may_be_an_abstract_one() {
    let name = format!("nats-userman-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let socket = UnixDatagram::bind_addr(&address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let dir = temp_dir();
    let mut command = program();
    command.env("NOTIFY_SOCKET", format!("@{name}"));
    let mut program = Program::run(command, dir.path(), &[]).unwrap();
    let mut bytes = [0; 64];
    let length = socket.recv(&mut bytes).unwrap();
    assert_eq!(&bytes[..length], b"STATUS=opening the database\n");
    assert!(program.terminate().success());
}

/// Records the log lines.
#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<String>>);

impl Supervisor for Recorder {
    fn progress(&self) {
        self.0.lock().unwrap().push("progress".into());
    }

    fn long_work_begins(&self, longest: Duration) {
        self.0.lock().unwrap().push(format!("at most {} s", longest.as_secs()));
    }

    fn long_work_ended(&self) {
        self.0.lock().unwrap().push("ended".into());
    }

    fn interval(&self) -> Option<Duration> {
        None
    }
}

#[test]
fn a_checkpoint_is_long_work_of_a_known_kind() {
    let (recorder, dir) = (Arc::new(Recorder::default()), temp_dir());
    let location = Location::sqlite(dir.path().join("userman.db"))
        .with_checkpoint_every(1)
        .watched_by(Heartbeat::to(recorder.clone()));
    with_engine(&location, true, |engine| {
        recorder.0.lock().unwrap().clear();
        engine.begin().unwrap();
        engine.probe(1).unwrap();
        engine.commit().unwrap();
        assert_eq!(*recorder.0.lock().unwrap(), [""; 0]);
        engine.maintain(std::time::Instant::now()).unwrap();
    })
    .unwrap();
    assert_eq!(*recorder.0.lock().unwrap(), ["at most 600 s", "ended"]);
}

#[test]
fn an_upgrade_reports_its_progress_and_asks_for_time_before_its_commit() {
    let (recorder, dir) = (Arc::new(Recorder::default()), temp_dir());
    let database = dir.path().join("userman.db");
    let conn = Connection::open(&database).unwrap();
    conn.execute_batch(include_str!("../../schemas/version_1.sql")).unwrap();
    conn.execute_batch(
        "PRAGMA application_id = 0x4e55736d; PRAGMA user_version = 1;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
         INSERT INTO member_auth (siteid, memberid, username, password, trial)
             SELECT 1, i, 'name-' || i, 'x', 0 FROM n;",
    )
    .unwrap();
    drop(conn);
    let location = Location::sqlite(&database).watched_by(Heartbeat::to(recorder.clone()));
    with_engine(&location, false, |_| ()).unwrap();
    let copied = Connection::open(dir.path().join("userman.db.v1")).unwrap();
    assert_eq!(rows(&copied, "SELECT count(*) FROM member_auth"), ["20000"]);
    let heard = recorder.0.lock().unwrap();
    let commit = heard.iter().position(|said| said == "at most 600 s").unwrap();
    assert!(commit > 10 && heard[..commit].iter().all(|said| said == "progress"), "{heard:?}");
}
