//! A restore by root in the data directory of another user, and its plan. It renames only the files
//! of this database, whatever the working directory is.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::interrupted::copy;
use super::{Home, names};
use crate::commands::end;
use crate::shim::{KILLED, Shim};
use crate::support::{Program, eventually, program, stride, temp_dir};

const USER: u32 = 61_234;

/// A data directory of the service's user; `None` unless root runs the test, because only root can
/// become another user.
fn home_of_another_user() -> Option<Home> {
    if !rustix::process::geteuid().is_root() {
        let required = std::env::var("REQUIRE_REAL").as_deref() == Ok("1");
        assert!(!required, "not root and REQUIRE_REAL=1");
        eprintln!("\n*** NOT ROOT: this test proves nothing here ***\n");
        return None;
    }
    let home = Home::with_members(1..=3);
    for name in names(&home.data()) {
        chown(home.data().join(name), Some(USER), Some(USER)).unwrap();
    }
    chown(home.data(), Some(USER), Some(USER)).unwrap();
    Some(home)
}

/// A directory of root with one file.
fn of_root(home: &Home) -> PathBuf {
    let dir = home.path().join("of-root");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("secret"), "root's own").unwrap();
    dir
}

#[test]
fn a_plan_that_the_services_user_wrote_makes_root_rename_no_file_of_others() {
    let Some(home) = home_of_another_user() else { return };
    let file = home.backed_up(&[]);
    let (dir, data) = (of_root(&home), home.data());
    let plan = data.join("restore.json");
    let secret = dir.join("secret");
    let evil = data.join("evil");
    fs::write(&evil, "theirs").unwrap();
    let replaced = |draft: &Path, place: &Path| {
        json!({"moves": [], "replaced": [{
            "draft": draft, "place": place, "aside": data.join("userman.db.before")
        }]})
    };
    let before = names(&data);
    for text in [
        json!({"moves": [[secret, data.join("userman.db.stolen")]], "replaced": []}),
        json!({"moves": [[data.join("userman.db"), dir.join("put")]], "replaced": []}),
        replaced(&evil, &secret),
        replaced(&data.join("userman.db"), &dir.join("put")),
        // A path that leads out of the directory, to another file.
        replaced(&data.join("userman.db/../../of-root/secret"), &data.join("userman.db")),
        replaced(&evil, &data.join("userman.db")),
        replaced(&data.join("userman.dbs"), &data.join("userman.db")),
    ] {
        fs::write(&plan, text.to_string()).unwrap();
        let said = format!(
            "{} names files that no restore of this database renames: find out who wrote it, and \
             move it elsewhere\n",
            plan.display()
        );
        home.restore(&file, &[]).ended(1, &format!("nats-userman: {said}"));
        let mut serve = program();
        serve.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&data);
        let started = end(serve);
        assert!(started.code == Some(1) && started.err.ends_with(&said), "{started:?}");
        fs::remove_file(&plan).unwrap();
        assert_eq!((names(&dir), names(&data)), (vec!["secret".to_owned()], before.clone()));
    }
    assert_eq!(home.members(), ["1", "2", "3"]);
}

#[test]
fn a_link_of_the_services_user_leads_roots_restore_to_no_directory_of_others() {
    let Some(home) = home_of_another_user() else { return };
    let file = home.backed_up(&[]);
    let dir = of_root(&home);
    let link = home.database();
    fs::rename(&link, home.data().join("apart.db")).unwrap();
    let put = |target: &Path| {
        let _ = fs::remove_file(&link);
        symlink(target, &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(USER), Some(USER)).unwrap();
    };
    for target in ["secret", "none"] {
        put(&dir.join(target));
        home.restore(&file, &[]).ended(
            1,
            &format!(
                "nats-userman: {}: a symbolic link of another user leads to another directory: \
                 replace the link by the database\n",
                link.display()
            ),
        );
        assert_eq!(names(&dir), ["secret"]);
        assert_eq!(fs::read_to_string(dir.join("secret")).unwrap(), "root's own");
    }

    // The user may link to a directory of their own. A link that root has made may lead anywhere.
    chown(&dir, Some(USER), Some(USER)).unwrap();
    put(&dir.join("userman.db"));
    home.restore(&file, &[]).printed();
    assert_eq!(super::members(&dir.join("userman.db")), ["1", "2", "3"]);
    assert!(link.is_symlink());
    chown(&dir, Some(0), Some(0)).unwrap();
    std::os::unix::fs::lchown(&link, Some(0), Some(0)).unwrap();
    home.restore(&file, &[]).printed();
}

#[test]
fn the_directory_for_backups_that_root_makes_belongs_to_the_owner_of_the_data_directory() {
    let Some(home) = home_of_another_user() else { return };
    let dir = home.data().join("backups");
    let owner = || dir.metadata().unwrap().uid();
    crate::commands::run_on(&home.data(), &["backup"]).printed();
    assert_eq!((owner(), names(&dir).len()), (USER, 1));
    fs::remove_dir_all(&dir).unwrap();
    let mut service = Program::serve(&home.data(), &["--backup-every", "24h"]);
    eventually("it is made", || names_if_there(&dir).iter().any(|name| name.ends_with(".db")));
    assert!(service.terminate().success());
    assert_eq!(owner(), USER);
}

fn names_if_there(dir: &Path) -> Vec<String> {
    if dir.exists() { names(dir) } else { Vec::new() }
}

/// The plan is valid in every working directory. If the database is a link, the copy that the
/// killed restore left beside the link's target is removed.
#[test]
fn a_killed_restore_by_a_relative_path_is_completed_from_another_directory() {
    let Some(shim) = Shim::new() else { return };
    let before = Home::with_members(1..=3);
    let file = before.backed_up(&["--with-keys"]);
    let other = Home::with_members(7..=8);
    let mut planned = 0;
    // The story of `interrupted` kills at every rename.
    let every = stride(2);
    for step in (every - 1..).step_by(every) {
        assert!(step < 100, "it is always killed");
        let home = Home { dir: temp_dir() };
        copy(&other.data(), &home.data());
        let elsewhere = home.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::rename(home.database(), elsewhere.join("userman.db")).unwrap();
        symlink("../elsewhere/userman.db", home.database()).unwrap();
        shim.fail("rename", KILLED, step);
        let mut command = shim.program(&home.path(), false);
        command.args(["restore", "--data-dir", "data"]).arg(&file).current_dir(home.path());
        let ran = command.output().unwrap();
        shim.heal("rename");
        if ran.status.success() {
            break;
        }
        let is_planned = home.data().join("restore.json").exists();
        planned += usize::from(is_planned);
        // The service starts in the working directory of the test.
        home.serving(|_| ());
        let key = |home: &Home| fs::read(home.data().join("cookie.key")).unwrap();
        let (members, whose) = match is_planned {
            true => (&["1", "2", "3"][..], &before),
            false => (&["7", "8"][..], &other),
        };
        assert_eq!(home.members(), members, "{step}");
        assert!(key(&home) == key(whose), "{step}: the key is lost");
        let left = names(&elsewhere);
        assert!(!left.iter().any(|name| name.contains(".new")), "{step}: {left:?}");
        assert!(home.database().is_symlink(), "{step}");
    }
    assert!(planned > 2, "{planned}");
}

#[test]
fn a_plan_whose_files_are_missing_or_that_cannot_be_read_is_named() {
    let home = Home::with_members(1..=1);
    let file = home.backed_up(&[]);
    let (data, plan) = (home.data(), home.data().join("restore.json"));
    fs::write(&plan, "half of").unwrap();
    home.restore(&file, &[]).ended(
        1,
        &format!(
            "nats-userman: cannot read the plan of an interrupted restore, {}: expected value at \
             line 1 column 1; move it elsewhere, then restore again\n",
            plan.display()
        ),
    );
    let key = data.join("cookie.key");
    let (draft, aside) = (data.join("cookie.key.new"), data.join("cookie.key.before"));
    fs::remove_file(&key).unwrap();
    let text = json!({"moves": [], "replaced": [{"draft": draft, "place": key, "aside": aside}]});
    fs::write(&plan, text.to_string()).unwrap();
    home.restore(&file, &[]).ended(
        1,
        &format!(
            "nats-userman: the restore is not complete, and the next start of the service \
             completes it by {}: there is neither {} nor {}\n",
            plan.display(),
            draft.display(),
            key.display()
        ),
    );
    assert!(plan.exists());
}
