//! `export --watch`: the file follows the members, through restarts, a replaced database and a full
//! disk.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::{ENGINES, Mounted, Program, TestDatabase, eventually, program, temp_dir};

/// A running `export --watch`.
struct Watching {
    child: Child,
    log: Arc<Mutex<String>>,
    file: PathBuf,
}

impl Watching {
    fn start(data: &Path, format: &str, file: &Path, flags: &[&str]) -> Self {
        let mut command = program();
        command.args(["export", "--watch", "--site", "1", "--format", format, "--output"]);
        command.arg(file).arg("--data-dir").arg(data).args(flags);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (stderr, log) = (child.stderr.take().unwrap(), Arc::<Mutex<String>>::default());
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut kept = kept.lock().unwrap();
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        Self { child, log, file: file.to_owned() }
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the file has this text, or does not have it.
    fn wait(&self, text: &str, is_there: bool) {
        eventually(&format!("{text:?} in the file: {is_there}; {}", self.log()), || {
            fs::read_to_string(&self.file).is_ok_and(|file| file.contains(text) == is_there)
        });
    }

    /// Waits until it has logged this.
    fn says(&self, text: &str) {
        eventually(&format!("{text:?} in the log"), || self.log().contains(text));
    }

    fn signal(mut self, signal: Signal) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn add(member: i64, name: &str) -> String {
    format!("action=ADD&siteid=1&memberid={member}&username={name}&password=secret")
}

fn post(service: &Program, body: &str) {
    assert!(service.post(body).unwrap().body.starts_with("OK|"), "{body}");
}

#[test]
fn an_htpasswd_follows_each_postback_and_ends_cleanly_on_a_signal_on_every_engine() {
    for engine in ENGINES {
        let Some(database) = TestDatabase::new(engine) else { continue };
        let dir = temp_dir();
        let own = database.flags();
        let own = own.each_ref().map(String::as_str);
        let data = dir.path().join("data");
        let bcrypt = [&own[..], &["--password-hash", "bcrypt"]].concat();
        let service = Program::serve(&data, &bcrypt);
        post(&service, &add(1, "bob"));
        for signal in [Signal::TERM, Signal::INT] {
            let file = dir.path().join("htpasswd");
            let watching = Watching::start(&data, "htpasswd", &file, &own);
            watching.wait("bob:$2y$", true);
            post(&service, &add(2, "ann"));
            watching.wait("ann:$2y$", true);
            post(&service, "action=CHANGE&siteid=1&memberid=2&new_username=anna");
            watching.wait("anna:$2y$", true);
            post(&service, "action=DELETE&siteid=1&memberid=2");
            watching.wait("ann", false);
            assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 1, "{engine:?}");
            assert_eq!(watching.signal(signal).code(), Some(0), "{engine:?}");
            assert!(!dir.path().join("htpasswd.new").exists());
        }
    }
}

#[test]
fn an_expiry_that_is_reached_takes_the_member_out_also_without_a_service() {
    let dir = temp_dir();
    let mut service = Program::serve(dir.path(), &[]);
    post(&service, &add(1, "bob"));
    post(&service, &add(2, "ann"));
    // Far enough ahead that the service stops before it.
    let soon = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let soon = soon.as_secs() + 4;
    post(&service, &format!("action=EXPIRE&siteid=1&memberid=2&expire={soon}"));
    assert!(service.terminate().success());
    let file = dir.path().join("members.csv");
    let watching = Watching::start(dir.path(), "csv", &file, &[]);
    watching.wait(",bob,", true);
    watching.wait(",ann,", false);
}

#[test]
fn a_restart_of_the_service_and_a_replaced_database_are_followed() {
    let dir = temp_dir();
    let (data, other) = (dir.path().join("data"), dir.path().join("other"));
    let mut elsewhere = Program::serve(&other, &[]);
    post(&elsewhere, &add(9, "eve"));
    assert!(elsewhere.terminate().success());
    let mut service = Program::serve(&data, &[]);
    post(&service, &add(1, "bob"));
    let file = dir.path().join("members.jsonl");
    let watching = Watching::start(&data, "jsonl", &file, &[]);
    watching.wait("\"bob\"", true);

    assert!(service.terminate().success());
    let mut service = Program::serve(&data, &[]);
    post(&service, &add(2, "ann"));
    watching.wait("\"ann\"", true);
    service.kill();
    let mut service = Program::serve(&data, &[]);
    post(&service, &add(3, "cleo"));
    watching.wait("\"cleo\"", true);

    assert!(service.terminate().success());
    for name in ["userman.db", "userman.db-wal", "userman.db-shm"] {
        fs::rename(data.join(name), data.join(format!("{name}.aside"))).unwrap();
    }
    watching.says("the file is not current, and will be tried again: ");
    assert!(fs::read_to_string(&file).unwrap().contains("\"bob\""), "the file stays");
    for name in ["userman.db-wal", "userman.db-shm", "userman.db"] {
        fs::rename(other.join(name), data.join(name)).unwrap();
    }
    watching.wait("\"eve\"", true);
    watching.wait("\"bob\"", false);
    watching.says("the database was replaced");
    watching.says("the file is current again");
    assert_eq!(watching.signal(Signal::TERM).code(), Some(0));
}

#[test]
fn a_file_that_another_program_removes_or_replaces_is_written_again() {
    let dir: TempDir = temp_dir();
    let service = Program::serve(dir.path(), &[]);
    post(&service, &add(1, "bob"));
    let file = dir.path().join("members.csv");
    let watching = Watching::start(dir.path(), "csv", &file, &[]);
    watching.wait(",bob,", true);
    fs::remove_file(&file).unwrap();
    watching.wait(",bob,", true);
    let other = dir.path().join("other");
    fs::write(&other, "other").unwrap();
    fs::rename(&other, &file).unwrap();
    watching.wait(",bob,", true);
    watching.says(&format!(
        "{} was removed or replaced by another program: it is written again",
        file.display()
    ));
}

#[test]
fn a_full_disk_is_said_and_tried_again() {
    let dir = temp_dir();
    let service = Program::serve(&dir.path().join("data"), &[]);
    post(&service, &add(1, "bob"));
    let small = dir.path().join("small");
    fs::create_dir(&small).unwrap();
    let Some(_mounted) = Mounted::tmpfs(&small, "64k") else { return };
    let file = small.join("members.csv");
    let watching = Watching::start(&dir.path().join("data"), "csv", &file, &[]);
    watching.wait(",bob,", true);
    // The file has one block. A new one beside it finds none.
    let filler = small.join("filler");
    let mut size: usize = 64 << 10;
    while fs::write(&filler, vec![1; size]).is_err() {
        size -= 4 << 10;
    }
    post(&service, &add(2, "ann"));
    watching.says(&format!(
        "the file is not current, and will be tried again: cannot write {}: No space left on \
         device (os error 28)",
        file.display()
    ));
    assert!(fs::read_to_string(&file).unwrap().contains(",bob,"), "the file stays");
    fs::remove_file(&filler).unwrap();
    watching.wait(",ann,", true);
    watching.says("the file is current again");
}

#[test]
fn a_watch_that_cannot_begin_ends_with_code_1() {
    let dir = temp_dir();
    let mut watching =
        Watching::start(&dir.path().join("none"), "csv", &dir.path().join("members.csv"), &[]);
    assert_eq!(watching.child.wait().unwrap().code(), Some(1));
    watching.says("nats-userman: there is no database at ");
}
