//! `export --watch`: the file follows the members, through restarts, a replaced database and a full
//! disk.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};

use crate::ENGINES;
use crate::support::{Program, TestDatabase, eventually, program, temp_dir};

/// A running `export --watch`.
pub struct Watching {
    pub child: Child,
    pub log: Arc<Mutex<String>>,
    pub file: PathBuf,
}

impl Watching {
    pub fn start(data: &Path, format: &str, file: &Path, flags: &[&str]) -> Self {
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

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the file has this text, or does not have it.
    pub fn wait(&self, text: &str, is_there: bool) {
        eventually(&format!("{text:?} in the file: {is_there}; {}", self.log()), || {
            fs::read_to_string(&self.file).is_ok_and(|file| file.contains(text) == is_there)
        });
    }

    /// Waits until it has logged this.
    pub fn says(&self, text: &str) {
        eventually(&format!("{text:?} in the log"), || self.log().contains(text));
    }

    pub fn signal(mut self, signal: Signal) -> ExitStatus {
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

pub fn add(member: i64, name: &str) -> String {
    format!("action=ADD&siteid=1&memberid={member}&username={name}&password=secret")
}

pub fn post(service: &Program, body: &str) {
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
