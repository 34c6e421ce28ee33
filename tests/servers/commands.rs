//! The commands with a database on a server: what works as with a file, and what is refused with
//! one line.

use std::fs;

use crate::support::ran::{Ran, run_beside};
use crate::support::{EngineKind, Program, TestDatabase, temp_dir};

const ADD: &str = "action=ADD&siteid=1&memberid=71&username=bob&password=secret";

/// A database on a server, and a data directory.
struct Scene {
    database: TestDatabase,
    dir: tempfile::TempDir,
}

impl Scene {
    /// `None`, with a loud line, where no server is installed.
    fn new() -> Option<Self> {
        let database = TestDatabase::new(EngineKind::MariaDb)?;
        Some(Self { database, dir: temp_dir() })
    }

    fn data(&self) -> std::path::PathBuf {
        self.dir.path().join("data")
    }

    fn serve(&self) -> Program {
        let flags = self.database.flags();
        Program::serve(&self.data(), &flags.each_ref().map(String::as_str))
    }

    /// The command, without the warning that the password is in the URL.
    fn run(&self, args: &[&str]) -> Ran {
        run_beside(&self.database, &self.data(), args)
    }

    fn shown(&self) -> String {
        self.database.location().to_string()
    }
}

#[test]
fn backup_restore_and_set_wal_aside_are_refused_with_one_line_and_change_nothing() {
    let Some(scene) = Scene::new() else { return };
    let file = scene.dir.path().join("copy.db");
    fs::write(&file, "").unwrap();
    let (dir, file) = (scene.dir.path().to_str().unwrap(), file.to_str().unwrap());
    scene.run(&["backup", dir]).ended(
        1,
        "nats-userman: the database is no file: back it up with the tools of its server, as \
         docs/cluster.md shows\n",
    );
    scene.run(&["restore", file]).ended(
        1,
        "nats-userman: the database is no file: restore it with the tools of its server, as \
         docs/cluster.md shows\n",
    );
    scene.run(&["set-wal-aside"]).ended(
        1,
        &format!(
            "nats-userman: the database {} is no file of SQLite and has no WAL: there is nothing \
             to set aside\n",
            scene.shown()
        ),
    );
    scene.run(&["serve", "--backup-every", "24h"]).ended(
        2,
        "nats-userman: --backup-every: expected it with a database of SQLite, found one on a \
         server, which its own tools back up: docs/cluster.md\n",
    );
    assert!(!scene.data().exists(), "nothing was made");
}

#[test]
fn a_data_directory_serves_once_and_a_replay_wants_an_empty_database() {
    let Some(scene) = Scene::new() else { return };
    let capture = scene.dir.path().join("capture");
    fs::write(&capture, format!("{ADD}\n")).unwrap();
    let capture = capture.to_str().unwrap();
    assert_eq!(scene.run(&["replay", capture]).printed(), "1 OK, 0 NOTOK, 0 ERROR\n");
    let refused = format!(
        "nats-userman: replay: the database {} is not empty, and a receiver may serve it: send the \
         postbacks to that receiver with --to URL, or use a new database\n",
        scene.shown()
    );
    scene.run(&["replay", capture]).ended(1, &refused);
    let program = scene.serve();
    let used = format!(
        "the data directory {} is in use by a running nats-userman",
        scene.data().display()
    );
    let second = scene.run(&["serve"]);
    assert!(second.code == Some(1) && second.err.contains(&used), "{second:?}");
    let replayed = scene.run(&["replay", capture]);
    assert!(replayed.code == Some(1) && replayed.err.contains(&used), "{replayed:?}");
    drop(program);
}

#[test]
fn commands_work_beside_the_service_and_show_no_password() {
    let Some(scene) = Scene::new() else { return };
    let mut program = scene.serve();
    assert!(program.post(ADD).unwrap().body.starts_with("OK|"));
    let password =
        scene.database.flags()[1].split(':').nth(2).unwrap().split('@').next().unwrap().to_owned();
    let said = |ran: &Ran| format!("{}{}", ran.out, ran.err);
    let shown = scene.run(&["member", "show", "1", "71"]);
    assert!(shown.code == Some(0) && shown.out.contains("bob"), "{shown:?}");
    let listed = scene.run(&["journal"]);
    assert!(listed.code == Some(0) && listed.out.contains("ADD"), "{listed:?}");
    let checked = scene.run(&["check-config"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let rows =
        format!("database          {}\ndatabase access   a password, no TLS\n", scene.shown());
    assert!(checked.out.contains(&rows), "{}", checked.out);
    let removed = scene.run(&["member", "remove", "1", "71"]);
    assert_eq!(removed.code, Some(0), "{removed:?}");
    assert!(program.post("action=CHECK&siteid=1&username=bob").unwrap().body.starts_with("NOTOK|"));
    let doctor = scene.run(&["doctor"]);
    for line in [
        "not checked: the database is on a server, which checks its own pages",
        "the database is on a server, whose disk is not checked here",
        "the database is on a server, whose backups are not checked here",
    ] {
        assert!(doctor.out.contains(line), "{line}: {}", doctor.out);
    }
    assert!(!doctor.out.contains("WAL") && !doctor.out.contains("userman.db"), "{}", doctor.out);
    assert!(program.terminate().success());
    for text in [said(&shown), said(&listed), said(&checked), said(&doctor), program.stderr()] {
        assert!(!text.contains(&password), "{text}");
    }
}
