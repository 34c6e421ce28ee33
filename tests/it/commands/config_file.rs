//! The configuration file: what it may contain, what overrides it, and one line for each mistake.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::{Ran, end};
use crate::support::{TOKEN, program, temp_dir};

/// A configuration file in a directory of its own.
struct Scene {
    dir: TempDir,
}

impl Scene {
    fn new(content: impl AsRef<[u8]>) -> Self {
        let scene = Self { dir: temp_dir() };
        fs::write(scene.file(), content).unwrap();
        fs::set_permissions(scene.file(), Permissions::from_mode(0o640)).unwrap();
        scene
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("userman.toml")
    }

    /// The program in this directory, with this file.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = program();
        command.current_dir(self.dir.path()).args(args).env("USERMAN_CONFIG", self.file());
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        end(self.command(args))
    }

    /// The lines of the errors, each without the prefix and the path at its beginning.
    #[track_caller]
    fn refused(&self, args: &[&str]) -> Vec<String> {
        let ran = self.run(args);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{ran:?}");
        let front = format!("nats-userman: {}, ", self.file().display());
        let lines = ran
            .err
            .lines()
            .map(|line| line.strip_prefix(&front).unwrap_or_else(|| panic!("{line}")).to_owned());
        lines.collect()
    }
}

/// The value and the origin of a setting.
fn setting(ran: Ran, name: &str) -> String {
    let printed = ran.printed();
    let line = printed.lines().find(|line| line.split(' ').next() == Some(name));
    line.unwrap_or_else(|| panic!("{name}: {printed}")).to_owned()
}

#[test]
fn a_flag_goes_before_a_variable_which_goes_before_the_file_which_goes_before_the_default() {
    let scene = Scene::new("# hours\n\nlogin_hours = 3\n");
    let file = scene.file();
    let config = |flag: &[&str], variable: Option<&str>| {
        let mut command = scene.command(&[&["config"], flag].concat());
        variable.map(|value| command.env("USERMAN_LOGIN_HOURS", value));
        setting(end(command), "login_hours")
    };
    assert_eq!(config(&["--login-hours", "1"], Some("2")), "login_hours = \"1\"  # flag");
    assert_eq!(config(&[], Some("2")), "login_hours = \"2\"  # variable USERMAN_LOGIN_HOURS");
    let of_file = format!("login_hours = \"3\"  # {}:3", file.display());
    assert_eq!(config(&[], None), of_file);
    // An empty variable counts as not set.
    assert_eq!(config(&[], Some("")), of_file);
    fs::write(&file, "").unwrap();
    assert_eq!(config(&[], None), "login_hours = \"168\"  # default");
    // A flag replaces the whole list.
    fs::write(&file, "allow_ip = [\"192.0.2.1\", \"::1\"]\n").unwrap();
    let list = |args| setting(scene.run(args), "allow_ip");
    assert_eq!(
        list(&["config"]),
        format!("allow_ip = [\"192.0.2.1\", \"::1\"]  # {}:1", file.display())
    );
    assert_eq!(list(&["config", "--allow-ip", "::2"]), "allow_ip = [\"::2\"]  # flag");
}

#[test]
fn a_unit_finds_its_state_directory_without_the_systems_file_too() {
    let scene = Scene::new("");
    let config = |flag: &[&str]| {
        let mut command = scene.command(&[&["config"], flag].concat());
        command.env("STATE_DIRECTORY", "/var/lib/nats-userman");
        setting(end(command), "data_dir")
    };
    assert_eq!(config(&[]), "data_dir = \"/var/lib/nats-userman\"  # default");
    assert_eq!(config(&["--data-dir", "d"]), "data_dir = \"d\"  # flag");
}

#[test]
fn the_flag_names_the_file_before_the_variable_does() {
    let scene = Scene::new("login_hours = 3\n");
    let other = scene.dir.path().join("other.toml");
    fs::write(&other, "login_hours = 4\n").unwrap();
    let other = other.to_str().unwrap();
    let hours = |args: &[&str]| setting(scene.run(args), "login_hours");
    assert!(hours(&["config"]).starts_with("login_hours = \"3\""));
    for args in [["config", "--config", other], ["--config", other, "config"]] {
        assert_eq!(hours(&args), format!("login_hours = \"4\"  # {other}:1"));
    }
    assert!(hours(&["config", "--config", "/dev/null"]).ends_with("# default"));
    scene
        .run(&["config", "--config", ""])
        .ended(2, "nats-userman: --config: expected a path, found \"\"\n");
}

/// All forms of values that people write into TOML: strings, numbers, booleans, lists, other
/// quotes.
#[test]
fn values_may_be_text_numbers_switches_and_lists() {
    for (text, name, shown) in [
        ("expire_grace_hours = 12", "expire_grace_hours", "\"12\""),
        ("expire_grace_hours = 1_000", "expire_grace_hours", "\"1000\""),
        ("expire_grace_hours = 0x10", "expire_grace_hours", "\"16\""),
        ("expire_grace_hours = \"12\"", "expire_grace_hours", "\"12\""),
        ("time_zone = 'Europe/Berlin'", "time_zone", "\"Europe/Berlin\""),
        ("\"time_zone\" = \"UTC\" # here", "time_zone", "\"UTC\""),
        ("keep_cryptpass = true", "keep_cryptpass", "true"),
        ("keep_cryptpass = false", "keep_cryptpass", "false"),
        ("keep_cryptpass = \"yes\"", "keep_cryptpass", "true"),
        ("allow_ip = \"192.0.2.1\"", "allow_ip", "[\"192.0.2.1\"]"),
        ("allow_ip = \"192.0.2.1, ::1\"", "allow_ip", "[\"192.0.2.1\", \"::1\"]"),
        (
            "allow_ip = [\n  \"192.0.2.1\", # NATS\n  \"::1\",\n]",
            "allow_ip",
            "[\"192.0.2.1\", \"::1\"]",
        ),
        ("data_dir = \"/srv/nats userman\"", "data_dir", "\"/srv/nats userman\""),
    ] {
        let scene = Scene::new(text);
        let file = scene.file().display().to_string();
        assert_eq!(setting(scene.run(&["config"]), name), format!("{name} = {shown}  # {file}:1"));
    }
    // As editors on Windows write it.
    let scene = Scene::new("\u{feff}# settings\r\nlogin_hours = 3\r\n");
    let line = format!("login_hours = \"3\"  # {}:2", scene.file().display());
    assert_eq!(setting(scene.run(&["config"]), "login_hours"), line);
}

const NO_SETTING: &str = "no setting has this name; the nearest is";

#[test]
fn each_mistake_is_one_line_that_names_the_line_and_the_setting() {
    let secret = |name: &str| {
        format!(
            "{name}: expected no secret in this file: put it into a file of its own and name that \
             by {name}_file"
        )
    };
    let empty = "expected a value, found an empty one: to leave it unset, put # before the line";
    let number = "expected text in quotes or a whole number, found";
    let list = "expected text in quotes, or a list of that in square brackets, found";
    let commands = ["check-config", "serve", "journal"].into_iter().cycle();
    let mistakes = [
        ("alow_ip = \"::1\"", format!("line 1: alow_ip: {NO_SETTING} allow_ip")),
        ("\nallow-ip = \"::1\"", format!("line 2: \"allow-ip\": {NO_SETTING} allow_ip")),
        ("USERMAN_LISTEN = \"::1\"", format!("line 1: USERMAN_LISTEN: {NO_SETTING} listen")),
        ("url = \"http://x\"", format!("line 1: url: {NO_SETTING} public_url")),
        ("token = \"x\"", format!("line 1: token: {NO_SETTING} postback_token_file")),
        (
            "frobnicate = 1",
            "line 1: frobnicate: no setting has this name; `nats-userman config` lists them".into(),
        ),
        (
            "aaa = 1",
            "line 1: aaa: no setting has this name; `nats-userman config` lists them".into(),
        ),
        (
            "config = \"/x\"",
            "line 1: config: the file cannot name itself: use --config or USERMAN_CONFIG".into(),
        ),
        ("postback_token = \"x\"", format!("line 1: {}", secret("postback_token"))),
        ("api_key = [\"shop:x\"]", format!("line 1: {}", secret("api_key"))),
        ("nats_api_key = 5", format!("line 1: {}", secret("nats_api_key"))),
        (
            "[server]\nlisten = \"::1\"",
            "line 1: server: expected settings without tables: write each as name = value".into(),
        ),
        (
            "[[x]]\nlisten = \"::1\"",
            "line 1: x: expected settings without tables: write each as name = value".into(),
        ),
        ("[listen]\nx = \"::1\"", format!("line 1: listen: {number} a table")),
        (
            "login.hours = 3",
            "line 1: login: expected settings without tables: write each as name = value".into(),
        ),
        ("login_hours = true", format!("line 1: login_hours: {number} true or false")),
        (
            "login_hours = 1.5",
            format!("line 1: login_hours: {number} a number with a decimal point"),
        ),
        ("login_hours = 2026-06-15", format!("line 1: login_hours: {number} a date or time")),
        ("login_hours = [1]", format!("line 1: login_hours: {number} a list")),
        ("data_dir = 5", "line 1: data_dir: expected a path in quotes, found a number".into()),
        (
            "keep_cryptpass = 1",
            "line 1: keep_cryptpass: expected true or false, found a number".into(),
        ),
        ("allow_ip = true", format!("line 1: allow_ip: {list} true or false")),
        ("allow_ip = [\n\"::1\",\n[\"::2\"]]", format!("line 3: allow_ip: {list} a list")),
        // An empty list of networks would mean "any".
        ("allow_ip = []", format!("line 1: allow_ip: {empty}")),
        ("allow_ip = [\"::1\", \" \"]", format!("line 1: allow_ip: {empty}")),
        ("public_url = \"\"", format!("line 1: public_url: {empty}")),
        // Values that can be read and cannot be used.
        (
            "\nlogin_hours = 0",
            "line 2: login_hours: expected a whole number of hours from 1 to 8784, found \"0\""
                .into(),
        ),
        (
            "allow_ip_file = \"/nowhere\"",
            "line 1: allow_ip_file: cannot read the networks in /nowhere: No such file or \
             directory (os error 2)"
                .into(),
        ),
        (
            "listen = 8080",
            "line 1: listen: expected ADDRESS:PORT, as in 127.0.0.1:8080, found \"8080\"".into(),
        ),
        // Text that is not TOML.
        (
            "listen = \"::1\"\nlisten = \"::2\"",
            "line 2: listen: expected it once, found it again".into(),
        ),
    ];
    for ((text, said), command) in mistakes.iter().zip(commands) {
        assert_eq!(Scene::new(text).refused(&[command]), [said.as_str()], "{command}: {text}");
    }
}

#[test]
fn all_mistakes_of_the_file_stand_beside_those_of_flags_and_variables() {
    let scene = Scene::new("alow_ip = \"::1\"\nlogin_hours = 0\nlog = true\n");
    let mut command = scene.command(&["check-config", "--journal-days", "0"]);
    command.env("USERMAN_LISTEN_ON", ":80");
    let at = scene.file().display().to_string();
    end(command).ended(
        2,
        &format!(
            "nats-userman: USERMAN_LISTEN_ON: {NO_SETTING} USERMAN_LISTEN\n\
             nats-userman: {at}, line 1: alow_ip: {NO_SETTING} allow_ip\n\
             nats-userman: {at}, line 3: log: expected text in quotes or a whole number, found \
             true or false\n\
             nats-userman: --journal-days: expected a whole number of days from 1 to 36500, found \
             \"0\"\n\
             nats-userman: {at}, line 2: login_hours: expected a whole number of hours from 1 to \
             8784, found \"0\"\n"
        ),
    );
}

#[test]
fn a_value_of_the_file_is_never_shown_where_it_may_be_a_secret() {
    for text in [
        format!("postback_token = \"{TOKEN}\""),
        format!("postback_tokens = \"{TOKEN}\""),
        format!("api_key = [\"shop:{TOKEN}\"]"),
        format!("nats_api_key = {TOKEN}"),
        format!("\"{TOKEN}"),
        format!("secret = \"{TOKEN}\nlog = \"info\""),
    ] {
        let ran = Scene::new(&text).run(&["config"]);
        assert_eq!(ran.code, Some(2), "{text}");
        assert!(!ran.err.contains(TOKEN) && !ran.out.contains(TOKEN), "{text}: {ran:?}");
    }
    let scene = Scene::new("");
    let mut command = scene.command(&["config"]);
    command.env("USERMAN_POSTBACK_TOKEN", TOKEN);
    let ran = end(command);
    assert!(!ran.out.contains(TOKEN), "{ran:?}");
    let line = "# postback_token is set and not shown  # variable USERMAN_POSTBACK_TOKEN\n";
    assert!(ran.printed().contains(line));
}

#[test]
fn config_does_not_show_an_address_with_a_password_or_a_token() {
    for (key, value) in [
        ("nats_url", "https://user:secretpw@nats.example.com".to_owned()),
        ("nats_url", "https://nats.example.com/?key=secretpw".to_owned()),
        ("public_url", "https://user:secretpw@members.example.com".to_owned()),
        ("public_url", format!("https://members.example.com/postback/{TOKEN}")),
        ("database", "postgres://user:secretpw@db.example.com/users".to_owned()),
        ("database", "sqlite:/srv/userman.db?key=secretpw".to_owned()),
    ] {
        let scene = Scene::new(format!("{key} = \"{value}\"\n"));
        let line = format!("# {key} is set and not shown  # {}:1\n", scene.file().display());
        let ran = scene.run(&["config"]);
        let json = scene.run(&["config", "--json"]);
        assert!(ran.out.contains(&line), "{key}: {ran:?}");
        for said in [&ran.out, &ran.err, &json.out, &json.err] {
            assert!(!said.contains("secretpw") && !said.contains(TOKEN), "{key}: {said}");
        }
    }
    let scene = Scene::new("database = \"sqlite:/srv/me@example.com/userman.db\"\n");
    let shown = setting(scene.run(&["config"]), "database");
    assert!(shown.starts_with("database = \"sqlite:/srv/me@example.com/userman.db\""), "{shown}");
}

#[test]
fn what_is_no_readable_file_is_one_line() {
    let dir = temp_dir();
    let at = |name: &str| dir.path().join(name);
    let write = |name: &str, content: &[u8], mode: u32| {
        fs::write(at(name), content).unwrap();
        fs::set_permissions(at(name), Permissions::from_mode(mode)).unwrap();
    };
    fs::create_dir(at("directory")).unwrap();
    assert!(Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
    write("huge", &b"#\n".repeat(600_000), 0o640);
    write("open", b"", 0o646);
    write("utf-16", b"\xff\xfel\0o\0g\0", 0o640);
    write("latin-1", b"# jos\xe9\n", 0o640);
    std::os::unix::fs::symlink(at("nowhere"), at("link")).unwrap();
    let open = at("open").display().to_string();
    for (name, said) in [
        ("directory", "expected a file, found a directory"),
        ("pipe", "expected a file, found a named pipe"),
        ("huge", "it has more than 1048576 bytes"),
        ("open", &format!("all users can write it (mode 0646): run `chmod o-w {open}`")),
        ("utf-16", "expected UTF-8, found UTF-16: convert it with iconv -f UTF-16 -t UTF-8"),
        ("latin-1", "expected UTF-8, found bytes that are not"),
        ("nowhere", "No such file or directory (os error 2)"),
        ("link", "No such file or directory (os error 2)"),
        ("huge/x", "Not a directory (os error 20)"),
    ] {
        let (file, path) = (at(name), at(name).display().to_string());
        for args in [["token", "show"], ["serve", "--listen=x"]] {
            let mut command = program();
            command.args(args).env("USERMAN_CONFIG", &file);
            let gone = said.contains("os error");
            let then = if gone { "; correct --config or USERMAN_CONFIG" } else { "" };
            let said = format!("nats-userman: the configuration file {path}: {said}{then}\n");
            end(command).ended(2, &said);
        }
    }
    // These do not read the file.
    for args in [["--help"], ["--version"]] {
        let mut command = program();
        command.args(args).env("USERMAN_CONFIG", at("directory"));
        end(command).printed();
    }
}

#[test]
fn help_shows_the_defaults_and_not_the_values_of_the_file() {
    let scene = Scene::new("login_hours = 3\n");
    let help = || scene.run(&["serve", "--help"]).printed();
    let with_values = help();
    fs::write(scene.file(), "").unwrap();
    assert_eq!(help(), with_values);
    let broken = Scene::new("login_hours = = 3\n");
    broken.run(&["serve", "--help"]).printed();
}

/// The output can be the start of a configuration file.
#[test]
fn what_config_prints_is_a_configuration_file_of_the_same_settings() {
    let first = Scene::new(
        "listen = \"127.0.0.1:9000\"\nallow_ip = [\"192.0.2.1\", \"::1\"]\nkeep_cryptpass = true\n\
         login_hours = 3\npublic_url = \"https://members.example.com\"\n",
    );
    let printed = first.run(&["config"]).printed();
    let again = Scene::new(&printed).run(&["config"]).printed();
    let settings = |text: &str| {
        let lines = text.lines().skip(1).map(|line| line.split("  # ").next().unwrap().to_owned());
        lines.collect::<Vec<_>>()
    };
    assert_eq!(settings(&printed), settings(&again));
    assert!(settings(&printed).len() > 30);
    assert!(printed.starts_with(&format!("# Configuration file: {}\n", first.file().display())));
    assert!(printed.contains("\n# journal_days is not set: for ever\n"), "{printed}");
}

#[test]
fn json_has_each_setting_with_its_value_and_origin() {
    let scene = Scene::new("allow_ip = [\"::1\"]\nkeep_cryptpass = true\n");
    let mut command = scene.command(&["config", "--json", "--login-hours", "1"]);
    command.env("USERMAN_POSTBACK_TOKEN", TOKEN);
    let printed: serde_json::Value = serde_json::from_str(&end(command).printed()).unwrap();
    let file = scene.file().display().to_string();
    assert_eq!(printed["file"], file.as_str());
    let settings = &printed["settings"];
    for (name, expected) in [
        ("allow_ip", format!(r#"{{"origin":"file","place":"{file}:1","value":["::1"]}}"#)),
        ("keep_cryptpass", format!(r#"{{"origin":"file","place":"{file}:2","value":true}}"#)),
        ("login_hours", r#"{"origin":"flag","place":null,"value":"1"}"#.into()),
        ("listen", r#"{"origin":"default","place":null,"value":"127.0.0.1:8080"}"#.into()),
        ("public_url", r#"{"origin":"default","place":null,"value":null}"#.into()),
        (
            "postback_token",
            r#"{"origin":"variable","place":"USERMAN_POSTBACK_TOKEN","value":null}"#.into(),
        ),
    ] {
        assert_eq!(settings[name].to_string(), expected, "{name}");
    }
}

/// A bad value is printed with its origin.
#[test]
fn config_prints_the_settings_also_where_one_is_bad() {
    let scene = Scene::new("login_hours = 0\n");
    let ran = scene.run(&["config"]);
    let at = scene.file().display().to_string();
    assert!(ran.out.contains(&format!("login_hours = \"0\"  # {at}:1\n")), "{ran:?}");
    ran.ended(
        2,
        &format!(
            "nats-userman: {at}, line 1: login_hours: expected a whole number of hours from 1 to \
             8784, found \"0\"\n"
        ),
    );
}

fn check(path: &Path) -> String {
    let mut command = program();
    command.arg("check-config").env("USERMAN_CONFIG", path);
    command.current_dir(path.parent().unwrap());
    end(command).printed()
}

#[test]
fn check_config_names_the_file() {
    let scene = Scene::new("time_zone = \"Europe/Berlin\"\n");
    let printed = check(&scene.file());
    let file = scene.file().display().to_string();
    assert!(printed.starts_with(&format!("settings file     {file}\n")), "{printed}");
    assert!(printed.contains("time zone         Europe/Berlin, 0 hours of grace\n"), "{printed}");
}
