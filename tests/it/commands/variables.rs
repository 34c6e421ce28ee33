//! `USERMAN_` variables that are no settings, and values that a file of variables has changed: they
//! are reported, never ignored.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use super::{end, run_on};
use crate::support::{Program, TOKEN, program, stride, temp_dir};

const NO_SETTING: &str = "no setting has this name; the nearest is";
const NO_NAME: &str = "no setting has this name; `nats-userman --help` lists them";

#[test]
fn a_variable_that_is_no_setting_is_an_error_with_the_nearest_name() {
    let mut commands = ["check-config", "serve", "journal", "token show"].into_iter().cycle();
    for (name, value, said) in [
        (
            "USERMAN_ALLOW_IPS",
            "203.0.113.0/24",
            format!("USERMAN_ALLOW_IPS: {NO_SETTING} USERMAN_ALLOW_IP"),
        ),
        (
            "USERMAN_ALOW_IP",
            "203.0.113.0/24",
            format!("USERMAN_ALOW_IP: {NO_SETTING} USERMAN_ALLOW_IP"),
        ),
        (
            "USERMAN_TRUSTED_PROXIES",
            "::1",
            format!("USERMAN_TRUSTED_PROXIES: {NO_SETTING} USERMAN_TRUSTED_PROXY"),
        ),
        ("USERMAN_DATADIR", "/srv", format!("USERMAN_DATADIR: {NO_SETTING} USERMAN_DATA_DIR")),
        (
            "USERMAN_NATS_API_KEYFILE",
            "/srv",
            format!("USERMAN_NATS_API_KEYFILE: {NO_SETTING} USERMAN_NATS_API_KEY_FILE"),
        ),
        ("USERMAN_TIMEZONE", "UTC", format!("USERMAN_TIMEZONE: {NO_SETTING} USERMAN_TIME_ZONE")),
        (
            "USERMAN_LISTEN_PORT",
            "9000",
            format!("USERMAN_LISTEN_PORT: {NO_SETTING} USERMAN_LISTEN"),
        ),
        ("USERMAN_allow_ip", "::1", format!("USERMAN_allow_ip: {NO_SETTING} USERMAN_ALLOW_IP")),
        ("userman_allow_ip", "::1", format!("userman_allow_ip: {NO_SETTING} USERMAN_ALLOW_IP")),
        (
            "USERMAN_ALLOW_IP ",
            "::1",
            format!("\"USERMAN_ALLOW_IP \": {NO_SETTING} USERMAN_ALLOW_IP"),
        ),
        (
            "\u{feff}USERMAN_LISTEN",
            "::1",
            format!("\"\\u{{feff}}USERMAN_LISTEN\": {NO_SETTING} USERMAN_LISTEN"),
        ),
        // Also if it is empty, because a later value may not be.
        ("USERMAN_ALLOW_IPS", "", format!("USERMAN_ALLOW_IPS: {NO_SETTING} USERMAN_ALLOW_IP")),
        ("USERMAN_TOKEN", TOKEN, format!("USERMAN_TOKEN: {NO_SETTING} USERMAN_POSTBACK_TOKEN")),
        ("USERMAN_IP", "::1", format!("USERMAN_IP: {NO_SETTING} USERMAN_ALLOW_IP")),
        ("USERMAN_PASSWORD", "x", format!("USERMAN_PASSWORD: {NO_SETTING} USERMAN_PASSWORD_HASH")),
        ("USERMAN_URL", "http://x", format!("USERMAN_URL: {NO_SETTING} USERMAN_PUBLIC_URL")),
        ("USERMAN_FROBNICATE", "1", format!("USERMAN_FROBNICATE: {NO_NAME}")),
        ("USERMAN_", "1", format!("USERMAN_: {NO_NAME}")),
    ] {
        let dir = temp_dir();
        let data = dir.path().join("data");
        let mut command = program();
        command.args(commands.next().unwrap().split(' ')).arg("--data-dir").arg(&data);
        command.env(name, value);
        end(command).ended(2, &format!("nats-userman: {said}\n"));
        assert!(!data.exists(), "nothing was made");
    }
}

#[test]
fn all_unknown_variables_are_told_at_once_with_the_bad_settings_and_without_their_values() {
    let mut command = program();
    command.args(["check-config", "--journal-days", "0"]);
    command
        .env("USERMAN_POSTBACK_TOKENS", TOKEN)
        .env("USERMAN_LISTEN_ON", ":80")
        .env("USERMAN_LOG", "loud");
    end(command).ended(
        2,
        &format!(
            "nats-userman: USERMAN_LISTEN_ON: {NO_SETTING} USERMAN_LISTEN\n\
             nats-userman: USERMAN_POSTBACK_TOKENS: {NO_SETTING} USERMAN_POSTBACK_TOKEN\n\
             nats-userman: --journal-days: expected a whole number of days from 1 to 36500, found \
             \"0\"\n\
             nats-userman: --log: expected error, warn, info, debug, trace or off, or \
             module=level, found \"loud\"\n"
        ),
    );
    let mut help = program();
    help.arg("--help").env("USERMAN_ALLOW_IPS", "::1");
    assert!(end(help).printed().contains("USERMAN_ALLOW_IP="), "help is there also then");
}

/// Kubernetes gives every program the addresses of the services of its namespace in variables.
/// Docker's links do the same.
#[test]
fn what_an_orchestrator_says_of_services_is_no_setting_and_no_mistake() {
    let dir = temp_dir();
    let mut command = program();
    command.args(["check-config", "--data-dir"]).arg(dir.path().join("data"));
    for (name, value) in [
        ("USERMAN_SERVICE_HOST", "10.0.0.1"),
        ("USERMAN_SERVICE_PORT", "8080"),
        ("USERMAN_SERVICE_PORT_HTTP", "8080"),
        ("USERMAN_PORT", "tcp://10.0.0.1:8080"),
        ("USERMAN_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("USERMAN_PORT_8080_TCP_PROTO", "tcp"),
        ("USERMAN_PORT_8080_TCP_PORT", "8080"),
        ("USERMAN_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("USERMAN_NAME", "/web/userman"),
        ("USERMAN_ENV_PATH", "/bin"),
        // Variables about a service named userman-db.
        ("USERMAN_DB_SERVICE_HOST", "10.0.0.2"),
        ("USERMAN_DB_SERVICE_PORT", "3306"),
        ("USERMAN_DB_SERVICE_PORT_MYSQL", "3306"),
        ("USERMAN_DB_PORT", "tcp://10.0.0.2:3306"),
        ("USERMAN_DB_PORT_3306_TCP_ADDR", "10.0.0.2"),
        // Variables of other programs.
        ("NATS_USERMAN_SERVICE_HOST", "10.0.0.1"),
        ("MY_USERMAN_ALLOW_IPS", "x"),
        ("USERMAND", "x"),
        ("userman_url", "x"),
    ] {
        command.env(name, value);
    }
    assert!(end(command).printed().ends_with("configuration OK\n"));
}

#[test]
fn names_and_values_that_are_not_utf_8_are_told_and_a_path_may_be_one() {
    let bytes = |text: &'static [u8]| OsStr::from_bytes(text);
    for (name, value, said) in [
        (bytes(b"USERMAN_JOS\xe9"), bytes(b"x"), format!("\"USERMAN_JOS\u{fffd}\": {NO_NAME}")),
        (
            bytes(b"USERMAN_ALLOW_IP\xff"),
            bytes(b"\xff"),
            format!("\"USERMAN_ALLOW_IP\u{fffd}\": {NO_SETTING} USERMAN_ALLOW_IP"),
        ),
        (
            bytes(b"USERMAN_LISTEN"),
            bytes(b"\xff"),
            "USERMAN_LISTEN: expected UTF-8, found bytes that are not".into(),
        ),
        (
            bytes(b"USERMAN_ALLOW_IP"),
            bytes(b"::1,\xff"),
            "USERMAN_ALLOW_IP: expected UTF-8, found bytes that are not".into(),
        ),
        (
            bytes(b"USERMAN_POSTBACK_TOKEN"),
            bytes(b"secret\xe9"),
            "USERMAN_POSTBACK_TOKEN: expected UTF-8, found bytes that are not".into(),
        ),
    ] {
        let mut command = program();
        command.arg("check-config").env(name, value);
        end(command).ended(2, &format!("nats-userman: {said}\n"));
    }
    let dir = temp_dir();
    let mut command = program();
    command.arg("check-config").env("USERMAN_DATA_DIR", dir.path().join(bytes(b"jos\xe9")));
    assert!(end(command).printed().ends_with("configuration OK\n"));
}

/// In a file of variables from Windows, every value ends in a carriage return. Quotes stay in the
/// value if no shell reads the file, as with Docker.
#[test]
fn a_path_that_cannot_be_meant_is_refused_with_what_was_found() {
    let control = "expected a path without control characters, found";
    let quotes = "expected a path without quotes, found";
    let blanks = "expected a path without blanks around it, found";
    // Another path with the next value.
    let every = stride(3);
    let values = [
        ("/x\r", format!("{control} \"/x\\r\"")),
        ("/x\n", format!("{control} \"/x\\n\"")),
        ("/x\ny", format!("{control} \"/x\\ny\"")),
        ("/x\u{1b}[0m", format!("{control} \"/x\\u{{1b}}[0m\"")),
        ("\"/x\"", format!("{quotes} \"\\\"/x\\\"\"")),
        ("'/x'", format!("{quotes} \"\\'/x\\'\"")),
        ("\"/x", format!("{quotes} \"\\\"/x\"")),
        ("\u{201c}/x\u{201d}", format!("{quotes} \"\u{201c}/x\u{201d}\"")),
        ("/x ", format!("{blanks} \"/x \"")),
        (" /x", format!("{blanks} \" /x\"")),
        ("\u{feff}/x", format!("{blanks} \"\\u{{feff}}/x\"")),
        (
            "~/x",
            "expected a path without ~ at its beginning, which only a shell replaces, found \
             \"~/x\""
                .to_owned(),
        ),
    ];
    for (turn, (value, problem)) in values.into_iter().enumerate() {
        for flag in PATHS.into_iter().skip(turn % every).step_by(every) {
            let variable = format!(
                "USERMAN{}",
                flag.replace("--", "_").replace('-', "_").to_ascii_uppercase()
            );
            let mut command = program();
            command.arg("check-config").env(&variable, value);
            beside(flag).iter().for_each(|(name, value)| {
                command.env(name, value);
            });
            end(command).ended(2, &format!("nats-userman: {flag}: {problem}\n"));
        }
    }
    // Blanks around a database were never part of its path.
    for (value, problem) in [
        ("sqlite:/x/a.db\r", format!("{control} \"/x/a.db\\r\"")),
        ("sqlite:'/x/a.db'", format!("{quotes} \"\\'/x/a.db\\'\"")),
        (
            "\"sqlite:/x/a.db\"",
            "expected sqlite:PATH or mysql://USER@HOST/DATABASE, found quotes around it".into(),
        ),
        ("sqlite:/x/a.db\n?key=secret", format!("{control} \"/x/a.db\\n\"")),
    ] {
        let mut command = program();
        command.arg("check-config").env("USERMAN_DATABASE", value);
        end(command).ended(2, &format!("nats-userman: --database: {problem}\n"));
    }
}

/// The settings that are paths.
const PATHS: [&str; 6] = [
    "--data-dir",
    "--postback-token-file",
    "--login-template",
    "--api-key-file",
    "--nats-api-key-file",
    "--nats-ca",
];

/// The settings that are required together with it.
fn beside(flag: &str) -> &'static [(&'static str, &'static str)] {
    const NATS: [(&str, &str); 3] = [
        ("USERMAN_NATS_URL", "https://nats.example.com"),
        ("USERMAN_NATS_API_USERNAME", "tmm1"),
        ("USERMAN_NATS_API_KEY", "0123456789abcdef"),
    ];
    match flag {
        "--nats-api-key-file" => &NATS[..2],
        "--nats-ca" => &NATS,
        _ => &[],
    }
}

#[test]
fn a_carriage_return_behind_a_value_that_is_no_path_is_no_part_of_it() {
    let dir = temp_dir();
    let mut command = program();
    command.args(["check-config", "--data-dir"]).arg(dir.path().join("data"));
    for (name, value) in [
        ("USERMAN_LISTEN", "127.0.0.1:9000"),
        ("USERMAN_PUBLIC_URL", "https://members.example.com"),
        ("USERMAN_ALLOW_IP", "192.0.2.0/24,::1"),
        ("USERMAN_TIME_ZONE", "Europe/Berlin"),
        ("USERMAN_KEEP_CRYPTPASS", "yes"),
        ("USERMAN_COOKIE_DOMAIN", "example.com"),
        ("USERMAN_POSTBACK_TOKEN", TOKEN),
        ("USERMAN_API_KEY", "shop:0123456789abcdef site=1"),
        ("USERMAN_NATS_URL", "https://nats.example.com"),
        ("USERMAN_NATS_API_USERNAME", "tmm1"),
        ("USERMAN_NATS_API_KEY", "0123456789abcdef"),
        ("USERMAN_LOG", "info"),
        ("USERMAN_LOG_FORMAT", "text"),
        // A line of which only the carriage return is left.
        ("USERMAN_JOURNAL_DAYS", ""),
    ] {
        command.env(name, format!("{value}\r"));
    }
    let printed = end(command).printed();
    for line in [
        "listen            127.0.0.1:9000\n",
        "public URL        https://members.example.com/postback/***\n",
        "allowed networks  192.0.2.0/24, ::1/128\n",
        "time zone         Europe/Berlin, ",
        "keep cryptpass    yes\n",
        "shared by example.com",
        "API keys          of shop site=1\n",
        "authstrings       of https://nats.example.com as tmm1, ",
        "log               info, text\n",
    ] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
}

/// Regression: the quotes around a key were sent as part of it, and NATS then reported a wrong key.
#[test]
fn a_value_in_quotes_is_refused_also_where_quotes_could_be_a_part_of_it() {
    let token = format!("\"{TOKEN}\"");
    for (name, value, said) in [
        (
            "USERMAN_LISTEN",
            "\"127.0.0.1:80\"",
            "--listen: expected ADDRESS:PORT, as in 127.0.0.1:8080, found \"\\\"127.0.0.1:80\\\"\"",
        ),
        (
            "USERMAN_TIME_ZONE",
            "'UTC'",
            "--time-zone: expected a name as in Europe/Berlin or UTC, found \"\\'UTC\\'\"",
        ),
        (
            "USERMAN_COOKIE_DOMAIN",
            "'example.com'",
            "--cookie-domain: expected a host name without a port, as in example.com, found \
             \"\\'example.com\\'\"",
        ),
        (
            "USERMAN_PUBLIC_URL",
            "\"https://example.com\"",
            "--public-url: expected http:// or https://, a host, and no query, found \
             \"\\\"https://example.com\\\"\"",
        ),
        (
            "USERMAN_LOG",
            "\"info\"",
            "--log: expected error, warn, info, debug, trace or off, or module=level, found \
             \"\\\"info\\\"\"",
        ),
        (
            "USERMAN_POSTBACK_TOKEN",
            &token,
            "--postback-token: expected 32 to 256 characters of A-Z, a-z, 0-9, _ and -, found 40 \
             bytes with quotes around them",
        ),
        (
            "USERMAN_API_KEY",
            "'shop:0123456789abcdef'",
            "--api-key: expected USERNAME:KEY with a KEY of at least 16 characters and no comma, \
             then site=SITEID and ip=CIDR \
             as often as wanted, with blanks between, found 23 bytes with quotes around them",
        ),
    ] {
        let mut command = program();
        command.arg("check-config").env(name, value);
        end(command).ended(2, &format!("nats-userman: {said}\n"));
    }
    let nats = |username: &str, key: &str| {
        let mut command = program();
        command.arg("check-config").env("USERMAN_NATS_URL", "https://nats.example.com");
        command.env("USERMAN_NATS_API_USERNAME", username).env("USERMAN_NATS_API_KEY", key);
        end(command)
    };
    let credential = "expected 1 to 256 printable ASCII characters without blanks";
    nats("\"tmm1\"", "0123").ended(
        2,
        &format!("nats-userman: --nats-api-username: {credential}, found \"\\\"tmm1\\\"\"\n"),
    );
    nats("tmm1", "'0123'").ended(
        2,
        &format!(
            "nats-userman: --nats-api-key: {credential}, found 6 bytes with quotes around them\n"
        ),
    );
}

/// Files with a byte order mark and carriage returns, as written on Windows. The error names the
/// line that cannot be read.
#[test]
fn files_that_settings_name_may_come_from_windows() {
    let dir = temp_dir();
    let (data, file) = (dir.path().join("data"), dir.path().join("file"));
    let path = file.to_str().unwrap();
    let nats = ["--nats-url", "https://nats.example.com", "--nats-api-username", "tmm1"];
    for (flag, text) in [
        ("--postback-token-file", format!("{TOKEN}\r\n")),
        ("--api-key-file", "# pages\r\nshop:0123456789abcdef\r\n".into()),
        ("--nats-api-key-file", "0123456789abcdef\r\n".into()),
        ("--login-template", "<p>{{form}}</p>\r\n".into()),
    ] {
        let more = if flag == "--nats-api-key-file" { &nats[..] } else { &[] };
        let args = [&["check-config", flag, path], more].concat();
        fs::write(&file, format!("\u{feff}{text}")).unwrap();
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        assert!(run_on(&data, &args).printed().ends_with("configuration OK\n"), "{flag}");
        let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for content in [&[&b"\xff\xfe"[..], &utf_16].concat(), &utf_16] {
            fs::write(&file, content).unwrap();
            let ran = run_on(&data, &args);
            assert_eq!(ran.code, Some(2), "{flag}: {ran:?}");
            let said = "expected UTF-8, found UTF-16: convert it with iconv -f UTF-16 -t UTF-8\n";
            assert!(ran.err.contains(path) && ran.err.ends_with(said), "{flag}: {ran:?}");
        }
    }
    fs::create_dir(&data).unwrap();
    fs::write(data.join("postback-token"), format!("\u{feff}{TOKEN}\r\n")).unwrap();
    let mut command = program();
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(&data)
        .stdout(std::process::Stdio::null());
    let program = Program::spawn(command).unwrap();
    assert_eq!(program.post("action=CHECK&siteid=1&username=bob").unwrap().status, 200);
}
