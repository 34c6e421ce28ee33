//! Modes and owners.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::Command;

use nats_userman::doctor::Level;

use super::Patient;
use crate::support::{NO_CONFIG, Program, program, real_program, temp_dir};

const NOBODY: u32 = 65_534;

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn each_mode_that_permits_too_much_is_named_with_its_remedy() {
    let patient = Patient::new();
    let data = patient.data();
    fs::create_dir(data.join("backups")).unwrap();
    mode(&data.join("backups"), 0o750);
    patient.expect_ok(
        "modes",
        "only owner and group can access the files, and only the owner the keys",
    );
    for (file, bad, good, level, expected, remedy) in [
        (
            "seal.key",
            0o644,
            0o600,
            Level::Serious,
            "expected mode 0600, found 0644: other users can read it",
            "run `chmod go= FILE`; a start of the service does so too; if others have read it, \
             replace it",
        ),
        (
            "userman.db",
            0o666,
            0o640,
            Level::Serious,
            "expected mode 0640, found 0666: other users can change it",
            "run `chmod o= FILE`",
        ),
        (
            "",
            0o777,
            0o750,
            Level::Serious,
            "expected mode 0750, found 0777: other users can change it",
            "run `chmod o= FILE`",
        ),
        (
            "backups",
            0o755,
            0o750,
            Level::Warning,
            "expected mode 0750, found 0755: other users can access it",
            "run `chmod o= FILE`",
        ),
        (
            "",
            0o755,
            0o750,
            Level::Warning,
            "expected mode 0750, found 0755: other users can access it",
            "run `chmod o= FILE`",
        ),
    ] {
        let file = if file.is_empty() { data.clone() } else { data.join(file) };
        mode(&file, bad);
        patient.expect(
            "modes",
            level,
            &format!("{}: {expected}", file.display()),
            &remedy.replace("FILE", file.to_str().unwrap()),
        );
        mode(&file, good);
    }
    // Other programs need its mode.
    let system = Patient::in_dir(temp_dir()).with(&["--backup-dir", "/usr"]);
    let found = system.findings("modes").remove(0);
    assert!(found.found.starts_with("/usr: expected mode 0750, found "), "{found:?}");
    assert_eq!(found.remedy.as_deref(), Some("use a directory of its own"));
    let secrets = patient.dir.path().join("api-keys");
    fs::write(&secrets, "shop:0123456789abcdef\n").unwrap();
    mode(&secrets, 0o604);
    let shown = secrets.to_str().unwrap();
    let patient = patient.with(&["--api-key-file", shown]);
    patient.expect(
        "modes",
        Level::Warning,
        &format!("{shown}: expected mode 0640, found 0604: other users can access it"),
        &format!("run `chmod o= {shown}`"),
    );
}

/// Only root can change the owner of files.
fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        assert!(std::env::var("REQUIRE_REAL").as_deref() != Ok("1"), "not root and REQUIRE_REAL=1");
        eprintln!("\n*** NOT ROOT: this test proves nothing here ***\n");
    }
    is_root
}

#[test]
fn a_file_of_another_owner_is_named_as_is_a_directory_that_the_owner_cannot_enter() {
    if !is_root() {
        return;
    }
    let patient = Patient::new();
    let data = patient.data();
    patient.expect_ok("owners", "root owns the data directory and all files in it");
    patient.expect_ok("directories_above", "root can enter the directories above");
    chown(&data, Some(NOBODY), Some(NOBODY)).unwrap();
    for file in fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()) {
        chown(file, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    mode(patient.dir.path(), 0o700);
    let above = patient.dir.path().canonicalize().unwrap();
    patient.expect_ok("owners", "nobody owns the data directory and all files in it");
    patient.expect(
        "directories_above",
        Level::Serious,
        &format!("nobody cannot enter {}", above.display()),
        &format!("as root, run `chmod o+x {}`, or use another directory", above.display()),
    );
    mode(patient.dir.path(), 0o711);
    patient.expect_ok("directories_above", "nobody can enter the directories above");
    let database = patient.database();
    chown(&database, Some(0), Some(0)).unwrap();
    patient.expect(
        "owners",
        Level::Serious,
        &format!("{} belongs to root, and the data directory to nobody", database.display()),
        &format!("as root, run `chown nobody: {}`", database.display()),
    );
    chown(&database, Some(NOBODY), Some(NOBODY)).unwrap();
    let lock = data.join("userman.lock");
    chown(&lock, Some(0), Some(0)).unwrap();
    patient.expect(
        "owners",
        Level::Serious,
        &format!("{} belongs to root, and the data directory to nobody", lock.display()),
        &format!("as root, run `chown nobody: {}`", lock.display()),
    );
    chown(&lock, Some(NOBODY), Some(NOBODY)).unwrap();
    let backups = data.join("backups");
    fs::create_dir(&backups).unwrap();
    patient.expect(
        "owners",
        Level::Serious,
        &format!("{} belongs to root, and the data directory to nobody", backups.display()),
        &format!("as root, run `chown -R nobody: {}`", backups.display()),
    );
    chown(&backups, Some(NOBODY), Some(NOBODY)).unwrap();
    let secrets = patient.dir.path().join("api-keys");
    fs::write(&secrets, "shop:0123456789abcdef\n").unwrap();
    mode(&secrets, 0o640);
    let shown = secrets.to_str().unwrap().to_owned();
    let patient = patient.with(&["--api-key-file", &shown]);
    patient.expect(
        "secret_files",
        Level::Serious,
        &format!("nobody cannot read {shown}"),
        &format!("as root, run `chown root:nobody {shown}` and `chmod 640 {shown}`"),
    );
    chown(&secrets, Some(0), Some(NOBODY)).unwrap();
    assert!(patient.findings("secret_files").is_empty());
}

/// As the service's user runs it after root has restored a file by hand.
#[test]
fn what_is_denied_is_one_finding_whichever_file_or_directory_denies_it() {
    let Some(setpriv) = real_program("setpriv").filter(|_| is_root()) else { return };
    let dir = temp_dir();
    mode(dir.path(), 0o755);
    let data = dir.path().join("data");
    assert!(Program::serve(&data, &[]).terminate().success());
    let own = |path: &Path, owner: u32| chown(path, Some(owner), Some(owner)).unwrap();
    let own_all = || {
        own(&data, NOBODY);
        fs::read_dir(&data).unwrap().for_each(|entry| own(&entry.unwrap().path(), NOBODY));
    };
    for file in ["userman.db", "userman.db-wal", "userman.db-shm", ""] {
        own_all();
        let denied = if file.is_empty() { data.clone() } else { data.join(file) };
        own(&denied, 0);
        mode(&denied, if file.is_empty() { 0o750 } else { 0o600 });
        let mut doctor = Command::new(&setpriv);
        doctor
            .args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")])
            .arg("--clear-groups")
            .arg(program().get_program())
            .args(["doctor", "--listen", "127.0.0.1:1", "--data-dir"])
            .arg(&data)
            .envs([NO_CONFIG]);
        let output = doctor.output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let cause = format!("{} belongs to root with mode", denied.display());
        assert_eq!(said.matches(&cause).count(), 1, "{file}: {said}");
        assert!(said.contains("\n  serious  access: "), "{file}: {said}");
    }
}

/// Root can read all files, and would find nothing.
#[test]
fn each_file_for_the_settings_must_be_readable_to_the_service() {
    if !is_root() {
        return;
    }
    let patient = Patient::new();
    chown(patient.data(), Some(NOBODY), Some(NOBODY)).unwrap();
    mode(patient.dir.path(), 0o711);
    let networks = patient.dir.path().join("networks");
    fs::write(&networks, "127.0.0.1\n").unwrap();
    mode(&networks, 0o640);
    let shown = networks.to_str().unwrap().to_owned();
    let patient = patient.with(&["--allow-ip-file", &shown]);
    patient.expect(
        "settings_files",
        Level::Serious,
        &format!("nobody cannot read {shown}"),
        &format!("as root, run `chgrp nobody {shown}` and `chmod g+r {shown}`"),
    );
    let mut check = program();
    check.args(["check-config", "--allow-ip-file", &shown, "--data-dir"]).arg(patient.data());
    let ran = check.output().unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    let expected = format!(
        "nobody cannot read {shown}: as root, run `chgrp nobody {shown}` and `chmod g+r {shown}`\n"
    );
    assert!(ran.status.code() == Some(1) && said.contains(&expected), "{said}");

    mode(&networks, 0o644);
    assert!(patient.findings("settings_files").is_empty());
    mode(patient.dir.path(), 0o700);
    let above = patient.dir.path().canonicalize().unwrap();
    patient.expect(
        "settings_files",
        Level::Serious,
        &format!("nobody cannot read {shown}: they cannot enter {}", above.display()),
        &format!("as root, run `chmod o+x {}`, or move the file elsewhere", above.display()),
    );
}

/// A machine whose unit has these properties and this text. The data directory is the unit's own.
fn in_unit(patient: &Patient, properties: &str, unit: &str) {
    let own = patient.root().join("var/lib/private/nats-userman");
    let link = patient.root().join("var/lib/nats-userman");
    fs::create_dir_all(own.parent().unwrap()).unwrap();
    mode(own.parent().unwrap(), 0o700);
    fs::rename(patient.data(), &own).unwrap();
    symlink(&own, &link).unwrap();
    symlink(&link, patient.data()).unwrap();
    fs::create_dir_all(patient.root().join("run/systemd/system")).unwrap();
    patient.put("/usr/lib/systemd/system/nats-userman.service", "");
    let script = format!(
        "#!/bin/sh\ncase \"$1\" in\nshow) printf '{properties}';;\ncat) printf '{unit}';;\nesac\n"
    );
    mode(&patient.put("/usr/bin/systemctl", &script), 0o755);
    own_all(&own);
}

/// Gives the data directory to the user of the unit.
fn own_all(data: &Path) {
    chown(data, Some(NOBODY), Some(NOBODY)).unwrap();
    for file in fs::read_dir(data).unwrap() {
        chown(file.unwrap().path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

const KEEP_IT: &str = "keep a file that a setting names in /etc/nats-userman: `install -m 640 -g \
    nats-userman -t /etc/nats-userman FILE`";

/// However the modes are.
#[test]
fn a_file_that_the_unit_hides_is_found_and_no_mode_is_advised() {
    if !is_root() {
        return;
    }
    let patient = Patient::new();
    mode(patient.dir.path(), 0o711);
    let properties = "User=nobody\\nProtectHome=yes\\nPrivateTmp=no\\nStateDirectory=x y\\n";
    in_unit(&patient, properties, "");
    let (home, tmp) = (patient.put("/home/op/keys", ""), patient.put("/tmp/keys", ""));
    for file in [&home, &tmp] {
        fs::write(file, "127.0.0.1\n").unwrap();
        mode(file, 0o644);
    }
    let patient = patient.with(&["--allow-ip-file", home.to_str().unwrap()]);
    let hidden = patient.root().canonicalize().unwrap().join("home");
    let found = format!(
        "the service cannot read {}: the unit hides {} from it",
        home.display(),
        hidden.display()
    );
    patient.expect("settings_files", Level::Serious, &found, KEEP_IT);
    // The unit shows the real /tmp.
    let mut patient = patient;
    patient.flags = vec!["--allow-ip-file".into(), tmp.to_str().unwrap().into()];
    assert!(patient.findings("settings_files").is_empty());
}

#[test]
fn a_directory_of_the_system_is_not_opened_for_the_service() {
    if !is_root() {
        return;
    }
    let patient = Patient::new();
    own_all(&patient.data());
    mode(patient.dir.path(), 0o711);
    let file = Path::new("/root/.nats-userman-test");
    let is_open = fs::metadata("/root").unwrap().permissions().mode() & 1 == 1;
    if is_open || file.exists() {
        return;
    }
    fs::write(file, "127.0.0.1\n").unwrap();
    let patient = patient.with(&["--allow-ip-file", file.to_str().unwrap()]);
    let found = patient.findings("settings_files");
    fs::remove_file(file).unwrap();
    assert_eq!(found[0].remedy.as_deref(), Some(KEEP_IT), "{found:?}");
}

/// As examples/nats-userman-credentials.conf has it: systemd mounts the data directory elsewhere,
/// and reads files of root.
#[test]
fn with_a_user_that_is_new_at_each_start_a_file_of_root_is_a_credential_or_is_passed_on() {
    if !is_root() {
        return;
    }
    let patient = Patient::new();
    mode(patient.dir.path(), 0o711);
    let networks = patient.put("/etc/nats-userman/networks", "127.0.0.1\n");
    mode(&networks, 0o600);
    let unit = format!("[Service]\\nLoadCredential=networks:{}\\n", networks.display());
    let properties = "User=new\\nDynamicUser=yes\\nProtectSystem=strict\\nStateDirectory=\
        nats-userman\\n";
    in_unit(&patient, properties, &unit);
    let patient = patient.with(&["--allow-ip-file", networks.to_str().unwrap()]);
    for name in ["settings_files", "unit_directories"] {
        assert!(patient.findings(name).is_empty(), "{name}: {:?}", patient.findings(name));
    }
    patient.expect_ok("directories_above", "nobody can enter the directories above");
    let other = patient.put("/etc/nats-userman/proxies", "127.0.0.1\n");
    mode(&other, 0o600);
    let patient = patient.with(&["--trusted-proxy-file", other.to_str().unwrap()]);
    patient.expect(
        "settings_files",
        Level::Serious,
        &format!("the service cannot read {}: its user is new at each start", other.display()),
        "pass the file on by `LoadCredential=`, as docs/systemd.md shows",
    );
    // Without an answer of systemd, nothing is known of these files.
    fs::remove_file(patient.root().join("usr/bin/systemctl")).unwrap();
    assert!(patient.findings("settings_files").is_empty());
    patient.expect_ok("directories_above", "nobody can enter the directories above");
}

#[test]
fn a_directory_in_which_the_unit_does_not_let_the_service_write_is_named() {
    if !is_root() {
        return;
    }
    let patient = Patient::new();
    mode(patient.dir.path(), 0o711);
    let properties = "User=nobody\\nProtectSystem=strict\\nReadWritePaths=/srv/b -/srv/c\\n\
        StateDirectory=nats-userman\\n";
    in_unit(&patient, properties, "");
    let root = patient.root();
    let flags = |dir: &str| {
        let dir = root.join(dir).to_str().unwrap().to_owned();
        ["--backup-every", "1h", "--backup-dir", &dir].map(str::to_owned).to_vec()
    };
    let mut patient = patient;
    for allowed in ["srv/b", "srv/b/deep", "srv/c", "var/lib/nats-userman/backups"] {
        patient.flags = flags(allowed);
        assert!(patient.findings("unit_directories").is_empty(), "{allowed}");
    }
    patient.flags = flags("backup");
    let at = patient.root().join("backup");
    patient.expect(
        "unit_directories",
        Level::Warning,
        &format!("--backup-dir: the unit does not let the service write in {}", at.display()),
        &format!(
            "create {0} for the service's user, run `systemctl edit nats-userman`, write the \
             lines `[Service]` and `ReadWritePaths={0}`, and restart the service",
            at.display()
        ),
    );
}
