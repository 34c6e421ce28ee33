//! SIGHUP: the real program takes the keys of all files, or none of them, and says which write.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

use super::{cookie_id, seal_id};
use crate::commands::run_on;
use crate::support::{Program, eventually, temp_dir};

struct Scene {
    dir: tempfile::TempDir,
    program: Program,
    told: usize,
}

impl Scene {
    fn new() -> Self {
        let dir = temp_dir();
        let program = Program::serve(dir.path(), &[]);
        Self { dir, program, told: 0 }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, words: &[&str]) {
        run_on(self.dir.path(), &[&["key"], words].concat()).printed();
    }

    /// SIGHUP; all that is said of it.
    fn reload(&mut self) -> String {
        self.told = self.program.stderr().len();
        kill_process(Pid::from_child(&self.program.child), Signal::HUP).unwrap();
        let said = || {
            let all = self.program.stderr();
            let lines = all[self.told..].lines().filter(|line| line.contains(" reload: "));
            lines.map(|line| line[21..].to_owned() + "\n").collect::<String>()
        };
        eventually("it is read again", || {
            said().contains("nothing changed\n") || said().contains("reload: changed ")
        });
        said().replace(self.dir.path().to_str().unwrap(), "DIR")
    }
}

#[test]
fn all_keys_are_taken_or_none_and_the_log_says_which_one_writes() {
    let mut scene = Scene::new();
    let [seal, next, cookies] =
        ["seal.key", "seal.key.next", "cookie.key"].map(|name| scene.file(name));
    let (old, old_cookies) = (seal_id(&seal), cookie_id(&cookies));
    scene.run(&["prepare", "seal"]);
    scene.run(&["prepare", "cookie"]);
    let (new, new_cookies) = (seal_id(&next), cookie_id(&scene.file("cookie.key.next")));
    assert_eq!(
        scene.reload(),
        format!(
            "INFO  reload: changed seal.key ({old} writes, {new} reads), cookie.key ({old_cookies} \
             writes, {new_cookies} reads)\n"
        )
    );
    assert_eq!(scene.reload(), "INFO  reload: nothing changed\n");

    scene.run(&["rotate", "seal"]);
    let kept = fs::read(scene.file("cookie.key.next")).unwrap();
    fs::write(scene.file("cookie.key.next"), "no-key-but-nearly-a-secret\n").unwrap();
    let before = "; the previous keys stay in effect\nINFO  reload: nothing changed\n";
    assert_eq!(
        scene.reload(),
        format!(
            "ERROR reload: key file DIR/cookie.key.next: expected 64 lower-case hex digits and a \
             line break, found 27 bytes that are not{before}"
        )
    );
    assert!(scene.program.post(&super::add(71, "bob")).unwrap().body.starts_with("OK|"));
    let listed = run_on(scene.dir.path(), &["key", "list"]);
    assert_eq!(listed.code, Some(1), "it is broken for commands too");
    fs::write(scene.file("cookie.key.next"), kept).unwrap();
    let listed = run_on(scene.dir.path(), &["key", "list"]).printed();
    let still = format!(
        "the running service writes with {old} and not with seal.key: reload it (SIGHUP)\n"
    );
    assert!(listed.ends_with(&still), "{listed}");
    assert_eq!(
        scene.reload(),
        format!("INFO  reload: changed seal.key ({new} writes, {old} reads)\n")
    );

    // A key that does not read what the service has just written.
    let current = fs::read(&cookies).unwrap();
    let other = temp_dir();
    Program::serve(other.path(), &[]).terminate();
    fs::copy(other.path().join("cookie.key"), &cookies).unwrap();
    let foreign = cookie_id(&cookies);
    assert_eq!(
        scene.reload(),
        format!(
            "ERROR reload: DIR/cookie.key: expected the key {old_cookies}, which the service \
             writes with, here or in .former, found {foreign}, {new_cookies}{before}"
        )
    );
    fs::write(&cookies, current).unwrap();
    assert_eq!(scene.reload(), "INFO  reload: nothing changed\n");
    let said = scene.program.stderr();
    for name in ["seal.key", "seal.key.former", "cookie.key", "cookie.key.next"] {
        let secret = fs::read_to_string(scene.file(name)).unwrap();
        assert!(!said.contains(secret.trim()) && !said.contains("nearly-a-secret"), "{name}");
    }
    assert_eq!(scene.program.terminate().code(), Some(0));
    assert!(Path::new(&scene.file("seal.key.former")).exists());
}
