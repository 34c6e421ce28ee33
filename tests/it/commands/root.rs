//! Commands that root runs in the data directory of the service's user. Files that they create
//! belong to that user, and links that this user has made are not followed.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::denied::dir_for_all;
use super::{Ran, end};
use crate::support::{DATA_FILES, NO_CONFIG, Program, post_to, program, real_program};

const USER: u32 = 61_234;
const GROUP: u32 = 61_235;
const ADD: &str = "action=ADD&siteid=1&memberid=71&username=bob&password=secret";

/// A data directory of the service's user, and the configuration file of the package for both
/// users.
struct Scene {
    dir: TempDir,
}

impl Scene {
    /// `None` unless root runs the test, because only root can become another user.
    fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            let required = std::env::var("REQUIRE_REAL").as_deref() == Ok("1");
            assert!(!required, "not root and REQUIRE_REAL=1");
            eprintln!("\n*** NOT ROOT: this test proves nothing here ***\n");
            return None;
        }
        let scene = Self { dir: dir_for_all() };
        fs::create_dir(scene.data()).unwrap();
        chown(scene.data(), Some(USER), Some(GROUP)).unwrap();
        fs::set_permissions(scene.data(), Permissions::from_mode(0o750)).unwrap();
        let config = format!(
            "data_dir = \"{}\"\npublic_url = \"https://members.example.com\"\nlisten = \
             \"127.0.0.1:0\"\n",
            scene.data().display()
        );
        fs::write(scene.config(), config).unwrap();
        chown(scene.config(), None, Some(GROUP)).unwrap();
        fs::set_permissions(scene.config(), Permissions::from_mode(0o640)).unwrap();
        Some(scene)
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("userman.toml")
    }

    /// Runs a command as root.
    fn root(&self, args: &[&str]) -> Ran {
        let mut command = program();
        command.args(args).env("USERMAN_CONFIG", self.config());
        end(command)
    }

    /// Starts the service as root.
    fn serve_as_root(&self) -> Program {
        let mut command = program();
        command.arg("serve").env("USERMAN_CONFIG", self.config()).stdout(Stdio::null());
        Program::spawn(command).unwrap()
    }

    /// Starts the service as the unit does.
    fn serve_as_user(&self, setpriv: &Path) -> Program {
        let mut command = Command::new(setpriv);
        command
            .args([format!("--reuid={USER}"), format!("--regid={GROUP}")])
            .arg("--clear-groups")
            .arg(program().get_program())
            .arg("serve")
            .env("USERMAN_CONFIG", self.config())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        Program::spawn(command).unwrap()
    }

    /// A file that the user may not write, and its path.
    fn victim(&self) -> PathBuf {
        let path = self.dir.path().join("victim");
        fs::write(&path, "root's own").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        path
    }

    fn capture(&self) -> String {
        let path = self.dir.path().join("capture");
        fs::write(&path, format!("{ADD}\n")).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn tokens(&self) -> Vec<String> {
        let file = fs::read_to_string(self.data().join("postback-token")).unwrap();
        file.lines().map(str::to_owned).collect()
    }

    /// Checks that every file of the data directory belongs to the service's user. Returns their
    /// names.
    #[track_caller]
    fn all_are_the_users(&self) -> Vec<String> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.data()).unwrap().map(Result::unwrap) {
            let (name, file) = (entry.file_name(), entry.metadata().unwrap());
            assert_eq!((file.uid(), file.gid()), (USER, GROUP), "{}", name.display());
            names.push(name.into_string().unwrap());
        }
        names.sort();
        names
    }
}

#[test]
fn a_start_of_root_leaves_everything_to_the_owner_of_the_directory() {
    let (Some(scene), Some(setpriv)) = (Scene::new(), real_program("setpriv")) else { return };
    assert!(scene.serve_as_root().terminate().success());
    assert_eq!(scene.all_are_the_users(), DATA_FILES);
    // The service's own user can continue to use the files.
    let mut service = scene.serve_as_user(&setpriv);
    let post = |token: &str| post_to(service.address, token, ADD.as_bytes()).unwrap();
    assert_eq!(post(&scene.tokens()[0]).status, 200);
    assert!(service.terminate().success());
}

#[test]
fn each_command_of_root_without_a_service_leaves_its_files_to_the_owner_of_the_directory() {
    let (Some(scene), Some(setpriv)) = (Scene::new(), real_program("setpriv")) else { return };
    scene.root(&["replay", &scene.capture()]).printed();
    let of_a_start = ["cookie.key", "postback-token", "served.json"];
    let mut expected = DATA_FILES.to_vec();
    expected.retain(|name| !of_a_start.contains(name));
    assert_eq!(scene.all_are_the_users(), expected);
    // SQLite creates them again.
    fs::remove_file(scene.data().join("userman.db-shm")).unwrap();
    fs::remove_file(scene.data().join("userman.db-wal")).unwrap();
    scene.root(&["member", "remove", "1", "71"]).printed();
    scene.all_are_the_users();
    let mut service = scene.serve_as_user(&setpriv);
    assert!(service.terminate().success());
    scene.root(&["token", "add"]).printed();
    assert_eq!(scene.all_are_the_users(), DATA_FILES);
    assert!(scene.serve_as_user(&setpriv).terminate().success());
}

/// The environment of root has no settings of the service.
#[test]
fn token_add_of_root_beside_the_service_prints_the_url_and_the_service_takes_the_token() {
    let (Some(scene), Some(setpriv)) = (Scene::new(), real_program("setpriv")) else { return };
    let mut service = scene.serve_as_user(&setpriv);
    let printed = scene.root(&["token", "add"]).printed();
    let tokens = scene.tokens();
    let shown: String = (1..)
        .zip(&tokens)
        .map(|(number, token)| {
            format!("{number}  https://members.example.com/postback/{}...\n", &token[..4])
        })
        .collect();
    let file = scene.data().join("postback-token");
    let then = "the running service accepts the last URL now: paste it into NATS; then retire the \
        old one with `nats-userman token retire 1`\n";
    let expected = format!("{shown}the full tokens are in {}\n{then}", file.display());
    assert_eq!(printed, expected);
    for token in &tokens {
        assert_eq!(post_to(service.address, token, ADD.as_bytes()).unwrap().status, 200);
    }
    scene.root(&["member", "remove", "1", "71"]).printed();
    scene.root(&["token", "retire", "1"]).printed();
    assert_eq!(scene.all_are_the_users(), DATA_FILES);
    assert_eq!(post_to(service.address, &tokens[1], ADD.as_bytes()).unwrap().status, 200);
    assert!(service.terminate().success());
}

#[test]
fn the_copy_that_an_upgrade_of_root_keeps_belongs_to_the_owner_of_the_database() {
    let (Some(scene), Some(setpriv)) = (Scene::new(), real_program("setpriv")) else { return };
    let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/releases/0.2.0/data");
    for entry in fs::read_dir(old).unwrap().map(Result::unwrap) {
        let to = scene.data().join(entry.file_name());
        fs::copy(entry.path(), &to).unwrap();
        chown(&to, Some(USER), Some(GROUP)).unwrap();
    }
    assert!(scene.serve_as_root().terminate().success());
    let names = scene.all_are_the_users();
    assert!(names.iter().any(|name| name.starts_with("userman.db.v")), "{names:?}");
    assert!(scene.serve_as_user(&setpriv).terminate().success());
}

/// Root could otherwise change the mode of any file, or write to it.
#[test]
fn a_link_of_the_services_user_leads_root_to_no_other_file() {
    let Some(scene) = Scene::new() else { return };
    assert!(scene.serve_as_root().terminate().success());
    let victim = scene.victim();
    let at = scene.data().display().to_string();
    let put = |name: &str| {
        let link = scene.data().join(name);
        let _ = fs::remove_file(&link);
        symlink(&victim, &link).unwrap();
        link
    };
    let is_untouched = || {
        let file = fs::metadata(&victim).unwrap();
        assert_eq!((file.mode() & 0o7777, file.uid(), file.gid()), (0o644, 0, 0));
        assert_eq!(fs::read_to_string(&victim).unwrap(), "root's own");
    };

    let lock = put("userman.lock");
    scene.root(&["replay", &scene.capture()]).ended(
        1,
        &format!(
            "nats-userman: cannot use the lock file {at}/userman.lock: it is a symbolic link: \
             expected a file\n"
        ),
    );
    is_untouched();
    fs::remove_file(lock).unwrap();

    // Files that are first written as NAME.new.
    for name in ["postback-token.new", "served.json.new"] {
        put(name);
    }
    scene.root(&["token", "add"]).printed();
    is_untouched();

    // Files whose modes a start restores.
    let key = put("cookie.key");
    let refused = scene.root(&["serve"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    let warned = "expected mode 0600, found 0644; cannot fix it: it is a symbolic link: expected \
        a file\n";
    assert!(refused.err.contains(&format!("{at}/cookie.key: {warned}")), "{refused:?}");
    is_untouched();
    fs::remove_file(key).unwrap();

    for suffix in ["-wal", "-shm"] {
        let link = put(&format!("userman.db{suffix}"));
        let ran = scene.root(&["member", "remove", "1", "71"]);
        assert_ne!(ran.code, Some(0), "{suffix}: {ran:?}");
        is_untouched();
        fs::remove_file(link).unwrap();
    }
    scene.all_are_the_users();
}

/// A lock file would be created beside the target, and its WAL renamed.
#[test]
fn a_link_of_the_services_user_in_place_of_the_database_leads_root_to_no_other_directory() {
    let Some(scene) = Scene::new() else { return };
    assert!(scene.serve_as_root().terminate().success());
    let (database, foreign) = (scene.data().join("userman.db"), scene.dir.path().join("foreign"));
    fs::create_dir(&foreign).unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let name = format!("userman.db{suffix}");
        fs::rename(scene.data().join(&name), foreign.join(&name)).unwrap();
    }
    fs::write(foreign.join("userman.db-wal"), "of others").unwrap();
    let listed = || {
        let names = fs::read_dir(&foreign).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    };
    let before = listed();
    symlink(foreign.join("userman.db"), &database).unwrap();
    rustix::fs::chownat(
        rustix::fs::CWD,
        &database,
        Some(rustix::fs::Uid::from_raw(USER)),
        Some(rustix::fs::Gid::from_raw(GROUP)),
        rustix::fs::AtFlags::SYMLINK_NOFOLLOW,
    )
    .unwrap();
    let said = format!(
        "nats-userman: {}: a symbolic link of another user leads to another directory: replace \
         the link by the database\n",
        database.display()
    );
    for (args, code) in
        [(vec!["serve"], 2), (vec!["replay", &scene.capture()], 1), (vec!["set-wal-aside"], 1)]
    {
        scene.root(&args).ended(code, &said);
        assert_eq!(listed(), before, "{args:?}");
    }
}

/// The user of the service may not read the configuration file.
#[test]
fn another_user_is_told_how_to_read_the_configuration_file() {
    let (Some(scene), Some(setpriv)) = (Scene::new(), real_program("setpriv")) else { return };
    let file = scene.config();
    let as_nobody = |args: &[&str], config: (&str, &str)| {
        let mut command = Command::new(&setpriv);
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(program().get_program())
            .args(args)
            .envs([config])
            .stdin(Stdio::null());
        end(command)
    };
    let file = file.display().to_string();
    let said = |mode: &str, group: &str| {
        format!(
            "nats-userman: the configuration file {file}: Permission denied (os error 13): {file} \
             belongs to root with mode {mode}, and this runs as nobody; run it as root, as in \
             `sudo nats-userman`; {group}or leave the file out by `--config \
             /dev/null`\n"
        )
    };
    let group = format!("or join the group {GROUP}, ");
    let token = ["token", "show"];
    as_nobody(&token, ("USERMAN_CONFIG", &file)).ended(2, &said("0640", &group));
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    as_nobody(&token, ("USERMAN_CONFIG", &file)).ended(2, &said("0600", ""));
    let of_service = format!(
        "nats-userman: the configuration file {file}: Permission denied (os error 13): {file} \
         belongs to root with mode 0600, and this runs as nobody; as root, run `chgrp nogroup \
         {file}` and `chmod 640 {file}`\n"
    );
    as_nobody(&["serve"], ("USERMAN_CONFIG", &file)).ended(2, &of_service);
    as_nobody(&["serve", "--allow-ip-file", &file], NO_CONFIG).ended(
        2,
        &of_service.replace(
            &format!("the configuration file {file}: "),
            &format!("--allow-ip-file: cannot read the networks in {file}: "),
        ),
    );
    let help = as_nobody(&["token", "--help"], ("USERMAN_CONFIG", &file));
    assert!(help.printed().contains("--config"));
    let without = as_nobody(&["--version"], NO_CONFIG);
    assert!(without.printed().starts_with("nats-userman "));
}
