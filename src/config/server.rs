//! The settings of a database on a server: how to log in there, and which nodes serve reads.

use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::problems::{BadSetting, Problems, bytes};
use super::values::any_path;
use crate::nats_client::has_certificates;
use crate::store::Location;
use crate::store::mysql::{HOSTS_EXPECTED, Host, Server, ServerPassword, Tls, parse_hosts};
use crate::text_file::{self, is_quoted};

/// More than any server takes.
const PASSWORD_BYTES_MAX: usize = 1_024;
const PASSWORD_EXPECTED: &str = "expected a password of 1 to 1024 bytes in one line";

/// The settings as text. The comments are the help texts of the flags.
#[allow(rustdoc::invalid_html_tags, rustdoc::broken_intra_doc_links)]
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "MariaDB and MySQL")]
pub struct ServerSettings {
    /// Host that serves reads, with its port; repeatable, and tried in their order [default: the
    /// hosts of --database]
    #[arg(
        long,
        global = true,
        env = "USERMAN_DATABASE_READ",
        value_name = "HOST",
        value_delimiter = ','
    )]
    pub database_read: Vec<String>,
    /// Password of the user in --database
    #[arg(
        long,
        global = true,
        env = "USERMAN_DATABASE_PASSWORD",
        hide_env_values = true,
        value_name = "PASSWORD"
    )]
    pub database_password: Option<SecretString>,
    /// File with the password of the user in --database
    #[arg(
        long,
        global = true,
        env = "USERMAN_DATABASE_PASSWORD_FILE",
        value_name = "FILE",
        value_parser = any_path()
    )]
    pub database_password_file: Option<PathBuf>,
    /// Encryption of connections to the database: required or off; with --database-tls-ca it is
    /// required [default: off for loopback addresses, otherwise required]
    #[arg(long, global = true, env = "USERMAN_DATABASE_TLS", value_name = "MODE")]
    pub database_tls: Option<String>,
    /// File with PEM certificates to trust for the database, beside the public authorities
    #[arg(
        long,
        global = true,
        env = "USERMAN_DATABASE_TLS_CA",
        value_name = "FILE",
        value_parser = any_path()
    )]
    pub database_tls_ca: Option<PathBuf>,
}

/// The names of the settings of one server.
pub(super) struct Names {
    password: &'static str,
    password_file: &'static str,
    tls: &'static str,
    tls_ca: &'static str,
    /// What an error says where there are two passwords.
    file_beside: &'static str,
    url_beside: &'static str,
    /// What an error says of a file of certificates without TLS.
    without_off: &'static str,
}

const OF_DATABASE: Names = Names {
    password: "--database-password",
    password_file: "--database-password-file",
    tls: "--database-tls",
    tls_ca: "--database-tls-ca",
    file_beside: "--database-password-file beside it",
    url_beside: "one in the URL of --database beside it",
    without_off: "expected it without --database-tls off",
};

/// Of the server that an import reads.
pub(super) const OF_IMPORT: Names = Names {
    password: "--from-password",
    password_file: "--from-password-file",
    tls: "--from-tls",
    tls_ca: "--from-tls-ca",
    file_beside: "--from-password-file beside it",
    url_beside: "one in the URL of --from beside it",
    without_off: "expected it without --from-tls off",
};

/// Whether others on the network can read what the database is sent.
pub(super) fn is_open_to_others(location: &Location) -> bool {
    match location {
        Location::Sqlite(_) => false,
        Location::Mysql(server) => *server.tls() == Tls::Off && !server.is_local(),
    }
}

/// Reads the settings into the location; `None` if one is wrong.
pub(super) fn read(
    settings: &ServerSettings,
    location: Location,
    bad: &mut Problems,
) -> Option<Location> {
    let server = match location {
        Location::Mysql(server) => server,
        Location::Sqlite(_) => {
            let given = given(settings);
            bad.0.extend(given.iter().map(|flag| {
                let expected = "expected it with --database mysql://USER@HOST/DATABASE";
                BadSetting::found(flag, expected, "a database of SQLite")
            }));
            return given.is_empty().then_some(location);
        }
    };
    let before = bad.0.len();
    let server = server.with_read_hosts(read_hosts(settings, bad));
    let server = with_access(settings, server, &OF_DATABASE, bad);
    (bad.0.len() == before).then_some(Location::Mysql(server))
}

/// The server with its password, and with how connections are protected.
pub(super) fn with_access(
    settings: &ServerSettings,
    server: Server,
    names: &Names,
    bad: &mut Problems,
) -> Server {
    let password = password(settings, server.password().is_some(), names, bad);
    let tls = tls(settings, &server, names, bad);
    password.into_iter().fold(server, Server::with_password).with_tls(tls)
}

/// Reads a database that a command names by a flag of its own. The settings of a server count where
/// it is on one; a password in the URL comes before them. Reads are done where writes are.
///
/// # Errors
///
/// Every setting that cannot be used, and the location.
pub fn read_location(
    flag: &'static str,
    text: &SecretString,
    settings: &ServerSettings,
) -> Result<Location, Vec<BadSetting>> {
    let mut bad = Problems::default();
    let location = bad.location(flag, text.expose_secret()).and_then(|location| match location {
        Location::Sqlite(_) => Some(location),
        Location::Mysql(_) => {
            let mut settings = settings.clone();
            settings.database_read.clear();
            if location.has_password() {
                (settings.database_password, settings.database_password_file) = (None, None);
            }
            read(&settings, location, &mut bad)
        }
    });
    location.ok_or(bad.0)
}

/// The flags of this group that are set.
fn given(settings: &ServerSettings) -> Vec<&'static str> {
    let all = [
        ("--database-read", !settings.database_read.is_empty()),
        ("--database-password", settings.database_password.is_some()),
        ("--database-password-file", settings.database_password_file.is_some()),
        ("--database-tls", settings.database_tls.is_some()),
        ("--database-tls-ca", settings.database_tls_ca.is_some()),
    ];
    all.into_iter().filter(|(_, is_set)| *is_set).map(|(flag, _)| flag).collect()
}

fn read_hosts(settings: &ServerSettings, bad: &mut Problems) -> Vec<Host> {
    let flag = "--database-read";
    let text = settings.database_read.join(",");
    if settings.database_read.is_empty() {
        return Vec::new();
    }
    if text.contains('@') {
        // Probably a URL, which may have a password.
        bad.0.push(BadSetting::found(flag, HOSTS_EXPECTED, "one with an @"));
        return Vec::new();
    }
    let hosts = parse_hosts(&text);
    let hosts =
        hosts.map_err(|host| bad.0.push(BadSetting::found(flag, host.expected, &host.found)));
    hosts.unwrap_or_default()
}

fn password(
    settings: &ServerSettings,
    in_url: bool,
    names: &Names,
    bad: &mut Problems,
) -> Option<ServerPassword> {
    let two_passwords = |found: &str, bad: &mut Problems| {
        bad.0.push(BadSetting::found(names.password, "expected one password", found));
        None
    };
    let (flag, text) = match (&settings.database_password, &settings.database_password_file) {
        (None, None) => return None,
        (Some(_), Some(_)) => return two_passwords(names.file_beside, bad),
        (Some(_), None) | (None, Some(_)) if in_url => {
            return two_passwords(names.url_beside, bad);
        }
        (Some(text), None) => {
            let text = text.expose_secret();
            // A password may have blanks around it, and none is likely to have quotes.
            if is_quoted(text) {
                bad.0.push(BadSetting::found(names.password, PASSWORD_EXPECTED, &bytes(text)));
                return None;
            }
            (names.password, Zeroizing::new(text.to_owned()))
        }
        (None, Some(path)) => (names.password_file, password_in(path, names.password_file, bad)?),
    };
    let is_password =
        (1..=PASSWORD_BYTES_MAX).contains(&text.len()) && !text.contains(char::is_control);
    if !is_password {
        bad.0.push(BadSetting::found(flag, PASSWORD_EXPECTED, &bytes(&text)));
        return None;
    }
    Some(ServerPassword::new(text.to_string()))
}

fn password_in(path: &Path, flag: &'static str, bad: &mut Problems) -> Option<Zeroizing<String>> {
    let path = bad.path(flag, path)?;
    let unreadable = |error| {
        let found = format!("{}: {error}", path.display());
        bad.0.push(BadSetting::found(flag, "expected a file", &found));
    };
    let text = Zeroizing::new(text_file::read(path).map_err(unreadable).ok()?);
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Some(Zeroizing::new(line.strip_suffix('\r').unwrap_or(line).to_owned()))
}

fn tls(settings: &ServerSettings, server: &Server, names: &Names, bad: &mut Problems) -> Tls {
    let ca = settings.database_tls_ca.as_deref().and_then(|path| ca(path, names.tls_ca, bad));
    let mode = settings.database_tls.as_deref();
    let is_required =
        bad.read_optional(names.tls, "expected required or off", mode, |text| match text {
            "required" => Some(true),
            "off" => Some(false),
            _ => None,
        });
    if is_required == Some(false) && settings.database_tls_ca.is_some() {
        bad.0.push(BadSetting::found(names.tls_ca, names.without_off, "both"));
    }
    match is_required.unwrap_or(ca.is_some() || !server.is_local()) {
        true => Tls::Verified(ca),
        false => Tls::Off,
    }
}

/// The path, if the file has certificates.
fn ca(path: &Path, flag: &'static str, bad: &mut Problems) -> Option<PathBuf> {
    let path = bad.path(flag, path)?;
    let (expected, found) = match std::fs::read(path) {
        Ok(pem) if has_certificates(&pem) => return Some(path.to_owned()),
        Ok(_) => ("expected certificates in PEM form", format!("none in {}", path.display())),
        Err(error) => {
            ("expected a file of PEM certificates", format!("{}: {error}", path.display()))
        }
    };
    bad.0.push(BadSetting::found(flag, expected, &found));
    None
}
