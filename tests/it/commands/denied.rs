//! If the user has no rights, the error names the file and the user who may use it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;

use super::{Ran, end};
use crate::support::{NO_CONFIG, Program, TOKEN, program, real_program, temp_dir};

const NOBODY: u32 = 65_534;

/// A directory that all users can enter and write.
pub(super) fn dir_for_all() -> tempfile::TempDir {
    let dir = temp_dir();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
    dir
}

/// The program `runuser`, if this process may become another user.
fn runuser() -> Option<std::path::PathBuf> {
    let runuser = real_program("runuser")?;
    // Root may enter every directory, but the other users must be able to reach the program too.
    is_root().then_some(runuser)
}

pub(super) fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        assert!(std::env::var("REQUIRE_REAL").as_deref() != Ok("1"), "not root and REQUIRE_REAL=1");
        eprintln!("\n*** NOT ROOT: this test proves nothing here ***\n");
    }
    is_root
}

fn as_nobody(runuser: &Path, data: &Path, args: &[&str]) -> Ran {
    end(nobody(runuser, data, args))
}

fn nobody(runuser: &Path, data: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(runuser);
    // A developer's own machine may be a container.
    command.env_remove("container").env_remove("INVOCATION_ID");
    command
        .args(["-u", "nobody", "--"])
        .arg(program().get_program())
        .envs([NO_CONFIG])
        .args(args)
        .arg("--data-dir")
        .arg(data);
    command
}

/// A place that the service's user cannot use is a wrong setting for `serve`, so the unit must not
/// start it again.
fn code(args: &[&str]) -> i32 {
    if args[0] == "serve" { 2 } else { 1 }
}

fn set(path: &Path, owner: u32, mode: u32) {
    chown(path, Some(owner), Some(owner)).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A data directory as root leaves it after it ran the service once.
fn made_by_root(dir: &Path) -> std::path::PathBuf {
    let data = dir.join("data");
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&data);
    command.stdout(std::process::Stdio::null());
    assert!(Program::spawn(command).unwrap().terminate().success());
    data
}

#[test]
fn whoever_may_not_look_is_told_whom_to_become() {
    let Some(runuser) = runuser() else { return };
    let dir = dir_for_all();
    let data = made_by_root(dir.path());
    let at = data.display();
    let why = format!(
        "Permission denied (os error 13): {at} belongs to root with mode 0750, and this runs as \
         nobody; \
         run it as root, as in `sudo nats-userman`\n"
    );
    let capture = dir.path().join("capture");
    fs::write(&capture, "action=CHECK&siteid=1&username=bob\n").unwrap();
    let capture = capture.to_str().unwrap();
    let database = format!("nats-userman: cannot use the database {at}/userman.db: {why}");
    let token = format!("nats-userman: cannot use the token file {at}/postback-token: {why}");
    let lock = format!("nats-userman: cannot use the lock file {at}/userman.lock: {why}");
    // The service does not run as root.
    let of_service = lock.replace(
        "run it as root, as in `sudo nats-userman`",
        &format!(
            "if only this service uses it, run `chown nobody {at}` as root, else use another \
             directory"
        ),
    );
    for (args, said) in [
        (&["member", "list"][..], &database),
        (&["member", "show", "1", "71"], &database),
        (&["member", "remove", "1", "71"], &database),
        (&["member", "restore", "1", "71"], &database),
        (&["journal"], &database),
        (&["block", "list"], &database),
        (&["set-wal-aside"], &database),
        (&["replay", "--dry-run", capture], &database),
        (&["token", "show"], &token),
        (&["token", "add"], &token),
        (&["token", "retire", "1"], &token),
        (&["serve", "--listen", "127.0.0.1:0"], &of_service),
        (&["replay", capture], &lock),
    ] {
        as_nobody(&runuser, &data, args).ended(code(args), said);
    }
}

/// A container has neither another user to become nor chown.
#[test]
fn in_a_container_the_remedy_is_one_for_its_host() {
    let Some(runuser) = runuser() else { return };
    let dir = dir_for_all();
    let data = made_by_root(dir.path());
    let mut command = nobody(&runuser, &data, &["serve", "--listen", "127.0.0.1:0"]);
    command.env("container", "podman");
    let at = data.display();
    end(command).ended(
        2,
        &format!(
            "nats-userman: cannot use the lock file {at}/userman.lock: Permission denied (os \
             error 13): {at} belongs to root with mode 0750, and this runs as nobody; on the \
             host, run `chown -R 65534 DIR` on the directory that is mounted there, or `podman \
             unshare chown -R 65534 DIR` with rootless Podman\n"
        ),
    );
}

/// systemd gives `/root` the mode 0000 there, and the service an empty `/tmp`.
#[test]
fn in_the_unit_a_start_says_which_directories_are_hidden() {
    let Some(runuser) = runuser() else { return };
    let dir = dir_for_all();
    let data = dir.path().join("data");
    let hides = "the unit hides /home, /root, /run/user and /tmp from the service; use another \
                 directory; keep a file that a setting names in /etc/nats-userman: `install -m 640 \
                 -g nats-userman -t /etc/nats-userman FILE`";
    for (file, cause) in [
        ("/root/no-keys", "Permission denied (os error 13)"),
        ("/tmp/no-keys-of-nats-userman", "No such file or directory (os error 2)"),
    ] {
        let args = ["serve", "--listen", "127.0.0.1:0", "--api-key-file", file];
        let mut command = nobody(&runuser, &data, &args);
        command.env("INVOCATION_ID", "0123456789abcdef0123456789abcdef");
        let ran = end(command);
        assert!(ran.code == Some(2) && ran.err.contains(&format!("{cause}: {hides}\n")), "{ran:?}");
        assert!(!ran.err.contains("chown") && !ran.err.contains("chmod"), "{ran:?}");
    }
    // A user that exists only while the service runs, as by `DynamicUser=`.
    let file = dir.path().join("keys");
    fs::write(&file, "").unwrap();
    set(&file, 0, 0o600);
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=64765", "--regid=64765", "--clear-groups"])
        .arg(program().get_program())
        .envs([NO_CONFIG])
        .env_remove("container")
        .env("INVOCATION_ID", "0123456789abcdef0123456789abcdef")
        .args(["serve", "--listen", "127.0.0.1:0", "--api-key-file"])
        .arg(&file);
    let ran = end(command);
    let pass_on =
        "runs as 64765; pass the file on by `LoadCredential=`, as docs/systemd.md shows\n";
    // Only a file that is not below /tmp is read in a unit.
    if !file.starts_with("/tmp") {
        assert!(ran.code == Some(2) && ran.err.contains(pass_on), "{ran:?}");
    }
    // Without systemd.
    let args = ["serve", "--listen", "127.0.0.1:0", "--api-key-file", "/root/no-keys"];
    let ran = as_nobody(&runuser, &data, &args);
    assert!(ran.code == Some(2) && ran.err.contains("; use another directory; keep"), "{ran:?}");
    assert!(!ran.err.contains("chown") && !ran.err.contains("chmod"), "{ran:?}");
}

#[test]
fn a_start_of_the_services_user_names_each_file_that_root_has_left() {
    let Some(runuser) = runuser() else { return };
    let dir = dir_for_all();
    let data = made_by_root(dir.path());
    chown(&data, Some(NOBODY), Some(NOBODY)).unwrap();
    let at = data.display();
    let files = [
        ("userman.lock", 0o600, "cannot use the lock file AT/userman.lock"),
        ("seal.key", 0o600, "key file AT/seal.key: cannot be read"),
        ("userman.db", 0o640, "cannot use the database AT/userman.db"),
        ("userman.db-wal", 0o640, "cannot use the database AT/userman.db"),
        ("userman.db-shm", 0o640, "cannot use the database AT/userman.db"),
        ("cookie.key", 0o600, "key file AT/cookie.key: cannot be read"),
        ("postback-token", 0o600, "cannot use the token file AT/postback-token"),
    ];
    for (file, mode, _) in files {
        set(&data.join(file), NOBODY, mode);
    }
    for (file, mode, said) in files {
        set(&data.join(file), 0, mode);
        as_nobody(&runuser, &data, &["serve", "--listen", "127.0.0.1:0"]).ended(
            2,
            &format!(
                "nats-userman: {}: Permission denied (os error 13): {at}/{file} belongs to root \
                 with mode {mode:04o}, \
                 and this runs as nobody; as root, run `chown nobody {at}/{file}`\n",
                said.replace("AT", &at.to_string())
            ),
        );
        set(&data.join(file), NOBODY, mode);
    }
    // Without write permission alone, which SQLite reports only at the first postback.
    for file in ["userman.db", "userman.db-wal", "userman.db-shm"] {
        set(&data.join(file), 0, 0o644);
        let named = format!("{at}/{file} belongs to root with mode 0644, ");
        for args in [&["serve", "--listen", "127.0.0.1:0"][..], &["check-config"]] {
            let ran = as_nobody(&runuser, &data, args);
            assert!(
                ran.code == Some(code(args)) && ran.err.matches(&named).count() == 1,
                "{args:?}: {ran:?}"
            );
        }
        set(&data.join(file), NOBODY, 0o640);
    }
    // A WAL that cannot be read is reported once, and not as damage.
    set(&data.join("userman.db-wal"), 0, 0o600);
    let ran = as_nobody(&runuser, &data, &["doctor", "--quick"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ran.out.matches("cannot use the database").count(), 1, "{ran:?}");
    assert!(!ran.out.contains("restore the last backup"), "{ran:?}");
    set(&data.join("userman.db-wal"), NOBODY, 0o640);
    set(&data, NOBODY, 0o550);
    let closed =
        format!("{at} belongs to nobody with mode 0550, and this runs as nobody; run `chmod u+rwX");
    let ran = as_nobody(&runuser, &data, &["token", "add"]);
    assert!(ran.code == Some(1) && ran.err.contains(&closed), "{ran:?}");
    set(&data, NOBODY, 0o750);
    // The files that the error named were the only problem. `setpriv`, not `runuser`, because
    // `runuser` waits for its child, and would leave it running when it is killed.
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(program().get_program())
        .envs([NO_CONFIG]);
    let program = Program::run(command, &data, &[]).unwrap();
    let status =
        crate::support::post_to(program.address, TOKEN, b"action=CHECK&siteid=1&username=bob")
            .unwrap()
            .status;
    assert_eq!(status, 200);
}

#[test]
fn a_directory_in_which_nothing_can_be_made_is_named() {
    let Some(runuser) = runuser() else { return };
    let dir = temp_dir();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    let data = dir.path().join("a/data");
    let at = dir.path().display();
    as_nobody(&runuser, &data, &["serve", "--listen", "127.0.0.1:0"]).ended(
        2,
        &format!(
            "nats-userman: cannot use the data directory {at}/a/data: Permission denied (os error \
             13): \
             {at} belongs to root with mode 0755, and this runs as nobody; \
             as root, create {at}/a/data and run `chown nobody {at}/a/data`\n"
        ),
    );
    fs::create_dir_all(&data).unwrap();
    let ran = as_nobody(&runuser, &data, &["serve", "--listen", "127.0.0.1:0"]);
    let named = format!(
        "{at}/a/data belongs to root with mode 0755, and this runs as nobody; if only this service \
         uses it, run `chown nobody {at}/a/data` as root"
    );
    assert!(ran.code == Some(2) && ran.err.contains(&named), "{ran:?}");
}

#[test]
fn a_wal_that_cannot_be_renamed_is_told_with_the_directory_that_prevents_it() {
    let Some(runuser) = runuser() else { return };
    let dir = dir_for_all();
    let data = made_by_root(dir.path());
    let (at, wal) = (data.display(), data.join("userman.db-wal"));
    fs::write(&wal, "old").unwrap();
    ["userman.db", "userman.db-wal", "userman.lock"]
        .iter()
        .for_each(|name| set(&data.join(name), NOBODY, 0o600));
    set(&data, 0, 0o755);
    let why = format!(
        "Permission denied (os error 13): {at} belongs to root with mode 0755, and this runs as \
         nobody"
    );
    let said = format!("cannot set the WAL of {at}/userman.db aside: {why}; run it as root");
    let ran = as_nobody(&runuser, &data, &["set-wal-aside"]);
    assert!(ran.code == Some(1) && ran.err.contains(&said), "{ran:?}");
    assert_eq!(fs::read(&wal).unwrap(), b"old");
}
