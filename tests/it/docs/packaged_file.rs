//! `packaging/nats-userman.toml` lists every setting of clap's definition of the command line,
//! commented out. With `UPDATE_DOCS=1` the test writes the list again.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use clap::{Arg, CommandFactory as _};
use nats_userman::cli::Cli;
use nats_userman::config::{RELOADED, SYSTEM_DATA_DIR, SYSTEM_FILE};

use super::root;
use super::settings_page::{help, sentence, value_name, wrap};
use crate::support::{TOKEN, country_file, program, temp_dir};

const FILE: &str = "packaging/nats-userman.toml";
/// The directory of the files that the packaged file names.
const FILES: &str = "/etc/nats-userman/";
/// The directory of Debian's geoipupdate.
const COUNTRY_FILES: &str = "/var/lib/GeoIP/";

const HEADER: &str = "\
# The configuration of nats-userman. Remove the # before a setting to change it, and then run:
#
#   nats-userman check-config
#   systemctl reload nats-userman
#
# The log names the settings that need a restart. Each setting is also a flag and a variable, as in
# --login-hours and USERMAN_LOGIN_HOURS: a flag takes precedence over a variable, and a variable
# over this file. `nats-userman config` prints each setting and where its value comes from.
#
# Secrets are not written into this file: put each into a file of its own and name that. The service
# reads files in /etc/nats-userman, but not in /home, /root and /tmp. As root:
#
#   install -m 640 -g nats-userman FILE /etc/nats-userman/
";

/// The settings that the packaged file sets.
const SET: [&str; 1] = ["ops_listen"];

/// Values of settings that have no default, as TOML.
const EXAMPLES: [(&str, &str); 41] = [
    ("public_url", "\"https://members.example.com\""),
    ("database", "\"sqlite:/var/lib/nats-userman/userman.db\""),
    ("database_read", "[\"db2.example.com\", \"db3.example.com:3307\"]"),
    ("database_tls", "\"required\""),
    ("postback_token_file", "\"/etc/nats-userman/postback-tokens\""),
    ("allow_ip_file", "\"/etc/nats-userman/allowed-networks\""),
    ("trusted_proxy", "[\"127.0.0.1\", \"::1\"]"),
    ("trusted_proxy_file", "\"/etc/nats-userman/trusted-proxies\""),
    ("journal_days", "365"),
    ("ops_listen", "\"127.0.0.1:9180\""),
    ("ops_token_file", "\"/etc/nats-userman/ops-tokens\""),
    ("alarm_command", "\"/usr/local/bin/alarm\""),
    ("alarm_url_file", "\"/etc/nats-userman/alarm-url\""),
    ("alarm_backup_age", "\"36h\""),
    ("backup_every", "\"24h\""),
    ("backup_dir", "\"/var/lib/nats-userman/backups\""),
    ("fastcgi_listen", "\"127.0.0.1:9001\""),
    ("cookie_domain", "[\"example.com\"]"),
    ("sites_file", "\"/etc/nats-userman/sites.toml\""),
    ("site_name", "\"Example\""),
    ("site_logo", "\"https://www.example.com/logo.png\""),
    ("site_accent", "\"#0b5cad\""),
    ("site_background", "\"#ffffff\""),
    ("site_dark_accent", "\"#8ab4f8\""),
    ("site_dark_background", "\"#121212\""),
    ("site_language", "\"en\""),
    ("forgot_password_url", "\"https://join.example.com/signup/password.php?siteid={siteid}\""),
    ("join_url", "\"https://join.example.com/\""),
    ("support_url", "\"mailto:support@example.com\""),
    ("upgrade_url", "\"https://join.example.com/signup/upgradeplus.php?authstring={authstring}\""),
    ("sharing_country_file", "\"/var/lib/GeoIP/GeoLite2-Country.mmdb\""),
    ("sharing_countries", "4"),
    ("sharing_exempt_member", "[\"1/71\"]"),
    ("sharing_exempt_network", "[\"192.0.2.0/24\"]"),
    ("login_template", "\"/etc/nats-userman/login.html\""),
    ("api_key_file", "\"/etc/nats-userman/api-keys\""),
    ("nats_url", "\"https://nats.example.com\""),
    ("nats_api_username", "\"userman\""),
    ("nats_api_key_file", "\"/etc/nats-userman/nats-key\""),
    ("nats_ca", "\"/etc/nats-userman/nats-ca.pem\""),
    ("reconcile_every", "\"24h\""),
];

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

/// The settings that the configuration file can contain.
fn settings() -> Vec<Arg> {
    let program = Cli::command();
    let settings = program.get_arguments().filter(|arg| arg.get_env().is_some());
    let of_the_file = |arg: &&Arg| !arg.is_hide_env_values_set() && *arg.get_id() != "config";
    settings.filter(of_the_file).cloned().collect()
}

fn name(setting: &Arg) -> String {
    setting.get_long().unwrap().replace('-', "_")
}

/// The value after the `=`: the default or an example.
fn value(setting: &Arg) -> String {
    let name = name(setting);
    if name == "data_dir" {
        return format!("\"{SYSTEM_DATA_DIR}\"");
    }
    if !setting.get_action().takes_values() {
        return "false".into();
    }
    if let [default] = setting.get_default_values() {
        let text = default.to_str().unwrap();
        return if text.parse::<u32>().is_ok() { text.into() } else { format!("\"{text}\"") };
    }
    if let Some((_, value)) = EXAMPLES.iter().find(|(example, _)| *example == name) {
        return (*value).into();
    }
    match value_name(setting).as_str() {
        "FILE" => format!("\"{FILES}{}\"", name.trim_end_matches("_file").replace('_', "-")),
        "DIR" => format!("\"{SYSTEM_DATA_DIR}/{}\"", name.trim_end_matches("_dir")),
        "CIDR" => "[\"192.0.2.0/24\"]".into(),
        _ => panic!("{name} has no default: write a value for it into EXAMPLES"),
    }
}

fn default(setting: &Arg) -> String {
    let (_, in_words) = help(setting);
    match (setting.get_default_values(), in_words) {
        _ if name(setting) == "data_dir" => SYSTEM_DATA_DIR.into(),
        _ if !setting.get_action().takes_values() => "off".into(),
        ([default], _) => default.to_str().unwrap().into(),
        (_, Some(default)) => default,
        _ => "none".into(),
    }
}

fn generated() -> String {
    let settings = settings();
    let mut file = HEADER.to_owned();
    let mut section = String::new();
    for setting in &settings {
        let heading = setting.get_help_heading().unwrap_or("Service");
        if heading != section {
            heading.clone_into(&mut section);
            let _ = writeln!(file, "\n\n## {section}");
        }
        let name = name(setting);
        let mut meaning = sentence(&help(setting).0);
        if name == "data_dir" {
            // The rest of the text is about other files.
            meaning = sentence(meaning.split(';').next().unwrap());
        }
        let again = if RELOADED.contains(&name.as_str()) { "" } else { " Needs a restart." };
        let text = format!("{meaning} Default: {}.{again}", default(setting));
        let mut text = in_keys(&text, &settings).replace("<data-dir>", "<data_dir>");
        if name == "listen" {
            text += " With the package, systemd opens the address: change it there as well, by \
                     systemctl edit nats-userman.socket.";
        }
        let is_set = SET.contains(&name.as_str());
        if is_set {
            text += " It is on here, for this machine alone.";
        }
        let wrapped = wrap(&text, "# ", "# ").replace('`', "");
        let sign = if is_set { "" } else { "#" };
        let _ = writeln!(file, "\n{wrapped}\n{sign}{name} = {}", value(setting));
    }
    file
}

/// The text with the names of settings instead of flags.
fn in_keys(text: &str, settings: &[Arg]) -> String {
    let word = |word: &str| {
        let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let flag = settings
            .iter()
            .find(|arg| bare.strip_prefix("--").is_some_and(|flag| arg.get_long() == Some(flag)));
        flag.map_or_else(|| word.to_owned(), |arg| word.replace(bare, &name(arg)))
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_packaged_file_has_what_the_command_line_has() {
    let path = root().join(FILE);
    let fresh = generated();
    if std::env::var("UPDATE_DOCS").as_deref() == Ok("1") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &fresh).unwrap();
    }
    assert!(
        fs::read_to_string(&path).is_ok_and(|file| file == fresh),
        "{FILE} is stale: UPDATE_DOCS=1 cargo test --locked --test it docs"
    );
    assert_eq!(Path::new(SYSTEM_FILE), Path::new(FILES).join(path.file_name().unwrap()));
}

/// The lines of settings, without the `#`.
pub(crate) fn lines() -> Vec<String> {
    let file = fs::read_to_string(root().join(FILE)).unwrap();
    let setting = |line: &str| {
        let line = line.strip_prefix('#').unwrap_or(line);
        let (name, _) = line.split_once(" = ")?;
        let is_of_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let is_name = !name.is_empty() && name.chars().all(is_of_name);
        is_name.then(|| line.to_owned())
    };
    file.lines().filter_map(setting).collect()
}

#[test]
fn only_the_operations_listener_is_set_in_the_packaged_file_and_every_line_of_it_may_be() {
    let file = fs::read_to_string(root().join(FILE)).unwrap();
    let is_set = |line: &&str| !line.is_empty() && !line.starts_with('#');
    let set: Vec<&str> = file.lines().filter(is_set).collect();
    assert_eq!(set, ["ops_listen = \"127.0.0.1:9180\""]);
    let lines = lines();
    assert_eq!(lines.len(), settings().len());

    let dir = temp_dir();
    let (files, data) = (dir.path().join("files"), dir.path().join("data"));
    fs::create_dir(&files).unwrap();
    // The service does not create a directory for backups that a setting names.
    fs::create_dir_all(data.join("backups")).unwrap();
    fs::set_permissions(&data, Permissions::from_mode(0o750)).unwrap();
    let put = |name: &str, content: &str| {
        fs::write(files.join(name), content).unwrap();
        fs::set_permissions(files.join(name), Permissions::from_mode(0o640)).unwrap();
    };
    put("postback-tokens", TOKEN);
    put("ops-tokens", TOKEN);
    put("allowed-networks", "192.0.2.0/24\n");
    put("trusted-proxies", "192.0.2.1\n");
    put("login.html", "{{form}}");
    put("sites.toml", "site_name = \"Films\"\n");
    put("api-keys", "shop:0123456789abcdef\n");
    put("nats-key", "0123456789abcdef\n");
    put("nats-ca.pem", CERTIFICATE);
    put("alarm-url", "https://hooks.example.com/alarms\n");
    country_file(&files.join("GeoLite2-Country.mmdb"), &[("192.0.2.0/24", "DE")]);
    put("database-password", "secret\n");
    put("database-tls-ca", CERTIFICATE);
    let (of_server, others): (Vec<_>, Vec<_>) =
        lines.into_iter().partition(|line| line.starts_with("database_"));
    let server = "database = \"mysql://userman@db1.example.com/userman\"".to_owned();
    let of_server: Vec<_> = of_server.into_iter().chain([server]).collect();
    // `config` checks the settings alone: there is no server.
    for (lines, command) in [(others, "check-config"), (of_server, "config")] {
        let config = lines.join("\n").replace(FILES, &format!("{}/", files.display()));
        let config = config.replace(COUNTRY_FILES, &format!("{}/", files.display()));
        let config = config.replace("/usr/local/bin/alarm", "/bin/true");
        put("userman.toml", &config.replace(SYSTEM_DATA_DIR, data.to_str().unwrap()));
        let mut check = program();
        check.arg(command).env("USERMAN_CONFIG", files.join("userman.toml"));
        let output = check.output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{config}: {output:?}");
    }
}
