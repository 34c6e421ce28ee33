//! Which server and database a location means, and how to log in there.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use zeroize::Zeroizing;

use crate::heartbeat::Heartbeat;
use crate::secret::redacted;
use crate::store::BadLocation;

/// How the setting begins.
pub(in crate::store) const SCHEME: &str = "mysql://";
/// The port of a server if the setting names none.
const PORT: u16 = 3306;
/// The most hosts of a setting. A Galera cluster has seldom more than seven nodes.
const HOSTS_MAX: usize = 16;
/// The longest name of DNS.
const HOST_BYTES_MAX: usize = 253;
/// The longest name of a user in MariaDB; MySQL has 32.
const USER_CHARS_MAX: usize = 80;
/// The longest name of a database.
const DATABASE_CHARS_MAX: usize = 64;

const FORM_EXPECTED: &str = "expected mysql://USER@HOST[:PORT][,HOST[:PORT]...]/DATABASE";
/// What a list of hosts is.
pub const HOSTS_EXPECTED: &str =
    "expected HOST[:PORT], up to 16 with commas between, an IPv6 address in brackets";
const PORT_EXPECTED: &str = "expected a port from 1 to 65535";
const USER_EXPECTED: &str = "expected a user of 1 to 80 characters, none of them a control \
    character";
const DATABASE_EXPECTED: &str = "expected a database's name of 1 to 64 characters, without dots, \
    slashes, quotes and control characters";
const PERCENT_EXPECTED: &str = "expected two hexadecimal digits after each % and UTF-8 by them (a \
    % itself is %25)";

/// What [`Server::setting`] escapes, besides all that is not ASCII.
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'\'')
    .add(b',')
    .add(b'/')
    .add(b':')
    .add(b'?')
    .add(b'@')
    .add(b'[')
    .add(b']')
    .add(b'\\')
    .add(b'`');

/// A MariaDB or MySQL database: `mysql://USER@HOST[:PORT][,HOST[:PORT]...]/DATABASE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The nodes, in the order in which they are tried. At least one.
    hosts: Vec<Host>,
    /// The nodes for reading; empty: the same ones.
    read_hosts: Vec<Host>,
    user: String,
    database: String,
    password: Option<ServerPassword>,
    tls: Tls,
    heartbeat: Heartbeat,
    /// Whether tables are used into which a copy is not complete.
    takes_marked: bool,
}

/// The name or address of a server, and its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// A name or an address, an IPv6 address without brackets.
    pub name: String,
    /// The TCP port.
    pub port: u16,
}

/// The password of the database's user. Wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerPassword(Zeroizing<String>);

redacted!(ServerPassword);

/// How the connection is protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// In clear. For a server on this machine or in a network that no one else can read.
    #[default]
    Off,
    /// TLS with a certificate for the host's name, by a public certificate authority or by those of
    /// the file in PEM form. (The driver cannot leave the public ones out.)
    Verified(Option<PathBuf>),
}

impl Server {
    /// Reads the setting `--database`. A password in it is taken. User, password and database may
    /// have characters as `%XX`.
    ///
    /// # Errors
    ///
    /// What was expected and what was found. If the text may have a password, none of it is shown.
    pub fn parse(text: &str) -> Result<Self, BadLocation> {
        let form = |found: &str| BadLocation::new(FORM_EXPECTED, found);
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| form("another beginning"))?;
        // The last @, because a password may have one that is not escaped.
        let (login, rest) = rest.rsplit_once('@').ok_or_else(|| form("no USER@"))?;
        let (hosts, database) = rest.split_once('/').ok_or_else(|| form("no /DATABASE"))?;
        if database.contains(['?', '#']) {
            return Err(form("a ? or a # after it"));
        }
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(password).filter(|text| !text.is_empty())),
            None => (login, None),
        };
        // What looks like the host may be the end of a password with an @ in it.
        let has_secret = login.contains([':', '@']);
        let hide = |bad: BadLocation| match has_secret {
            true => BadLocation::new(bad.expected, "another one"),
            false => bad,
        };
        let hosts = parse_hosts(hosts).map_err(hide)?;
        let user = decoded(user, USER_EXPECTED, USER_CHARS_MAX, |_| true).map_err(hide)?;
        let database = decoded(database, DATABASE_EXPECTED, DATABASE_CHARS_MAX, is_of_database)
            .map_err(hide)?;
        let password = password
            .map(|text| percent_decoded(text).map(ServerPassword::new))
            .transpose()
            .map_err(|()| BadLocation::new(PERCENT_EXPECTED, "another password"))?;
        let (read_hosts, tls) = (Vec::new(), Tls::default());
        let heartbeat = Heartbeat::default();
        let takes_marked = false;
        Ok(Self { hosts, read_hosts, user, database, password, tls, heartbeat, takes_marked })
    }

    /// The text that [`Server::parse`] reads, without the password.
    pub fn setting(&self) -> String {
        let hosts: Vec<_> = self.hosts.iter().map(Host::to_string).collect();
        let escaped = |text| utf8_percent_encode(text, ESCAPED).to_string();
        let (user, database) = (escaped(&self.user), escaped(&self.database));
        format!("{SCHEME}{user}@{}/{database}", hosts.join(","))
    }

    /// The nodes in the order in which they are tried for writing.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The nodes in the order in which they are tried for reading.
    pub fn read_hosts(&self) -> &[Host] {
        if self.read_hosts.is_empty() { &self.hosts } else { &self.read_hosts }
    }

    /// Whether reads go to nodes of their own.
    pub(super) fn reads_elsewhere(&self) -> bool {
        !self.read_hosts.is_empty()
    }

    /// The user at the server.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The name of the database at the server.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The password, if there is one.
    pub fn password(&self) -> Option<&ServerPassword> {
        self.password.as_ref()
    }

    /// How connections are protected.
    pub fn tls(&self) -> &Tls {
        &self.tls
    }

    /// Whether there is a password, and how connections are protected.
    pub(in crate::store) fn access(&self) -> String {
        let password = if self.password.is_some() { "a password" } else { "no password" };
        let tls = match &self.tls {
            Tls::Off => "no TLS".into(),
            Tls::Verified(None) => "TLS by the public authorities".into(),
            Tls::Verified(Some(file)) => format!("TLS by {}", file.display()),
        };
        let reads = match self.read_hosts() == self.hosts() {
            true => String::new(),
            false => {
                let hosts: Vec<_> = self.read_hosts().iter().map(Host::to_string).collect();
                format!(", reads from {}", hosts.join(", "))
            }
        };
        format!("{password}, {tls}{reads}")
    }

    /// Whether both mean one database, as far as their names show it.
    pub(in crate::store) fn is_same_database(&self, other: &Self) -> bool {
        let is_same = |one: &Host, other: &Host| {
            let is_name = one.name.eq_ignore_ascii_case(&other.name);
            one.port == other.port && (is_name || one.is_loopback() && other.is_loopback())
        };
        let shares_host =
            self.hosts.iter().any(|one| other.hosts.iter().any(|other| is_same(one, other)));
        shares_host && self.database == other.database
    }

    /// Whether all nodes are on this machine.
    pub fn is_local(&self) -> bool {
        self.hosts.iter().chain(&self.read_hosts).all(Host::is_loopback)
    }

    /// What is told about long work of the writer.
    pub(super) fn heartbeat(&self) -> &Heartbeat {
        &self.heartbeat
    }

    /// Reports long work of the writer to this supervisor.
    #[must_use]
    pub(in crate::store) fn watched_by(self, heartbeat: Heartbeat) -> Self {
        Self { heartbeat, ..self }
    }

    /// Whether tables are used into which `migrate-store` has not copied everything.
    pub(super) fn takes_marked(&self) -> bool {
        self.takes_marked
    }

    /// For `migrate-store` itself: uses tables into which it has not copied everything.
    #[must_use]
    pub(super) fn during_migration(self) -> Self {
        Self { takes_marked: true, ..self }
    }

    /// With this password instead.
    #[must_use]
    pub fn with_password(self, password: ServerPassword) -> Self {
        Self { password: Some(password), ..self }
    }

    /// With other nodes for reading.
    #[must_use]
    pub fn with_read_hosts(self, read_hosts: Vec<Host>) -> Self {
        Self { read_hosts, ..self }
    }

    /// With connections protected like this.
    #[must_use]
    pub fn with_tls(self, tls: Tls) -> Self {
        Self { tls, ..self }
    }
}

/// The text behind `%XX`, if it is a name of at most this many characters.
fn decoded(
    text: &str,
    expected: &'static str,
    chars_max: usize,
    takes: fn(char) -> bool,
) -> Result<String, BadLocation> {
    let name = percent_decoded(text).map_err(|()| BadLocation::quoting(PERCENT_EXPECTED, text))?;
    let is_name = (1..=chars_max).contains(&name.chars().count())
        && name.chars().all(|c| !c.is_control() && takes(c))
        && name.trim() == name;
    if is_name { Ok(name) } else { Err(BadLocation::quoting(expected, &name)) }
}

/// A server keeps a database in a directory of its name, and tools quote the name.
fn is_of_database(c: char) -> bool {
    !matches!(c, '/' | '\\' | '.' | '`' | '"' | '\'')
}

fn percent_decoded(text: &str) -> Result<String, ()> {
    let has_digits = |part: &str| {
        part.as_bytes().first_chunk::<2>().is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.split('%').skip(1).all(has_digits) {
        return Err(());
    }
    percent_decode_str(text).decode_utf8().map(Into::into).map_err(|_| ())
}

/// Reads `HOST[:PORT][,HOST[:PORT]...]`, where an IPv6 address is in brackets.
///
/// # Errors
///
/// What was expected, and the host that was found.
pub fn parse_hosts(text: &str) -> Result<Vec<Host>, BadLocation> {
    let count = text.split(',').count();
    if count > HOSTS_MAX {
        return Err(BadLocation::new(HOSTS_EXPECTED, count.to_string()));
    }
    text.split(',').map(|host| Host::parse(host.trim())).collect()
}

impl Host {
    fn parse(text: &str) -> Result<Self, BadLocation> {
        let bad = |expected| BadLocation::quoting(expected, text);
        let (name, port) = match text.strip_prefix('[') {
            Some(text) => text
                .split_once(']')
                .filter(|(name, _)| name.parse::<Ipv6Addr>().is_ok())
                .ok_or_else(|| bad(HOSTS_EXPECTED))?,
            None => {
                let parts = text.find(':').map_or((text, ""), |at| text.split_at(at));
                Some(parts).filter(|(name, _)| is_name(name)).ok_or_else(|| bad(HOSTS_EXPECTED))?
            }
        };
        let port = match (port, port.strip_prefix(':')) {
            ("", _) => PORT,
            (_, Some(port)) if port.contains(':') => return Err(bad(HOSTS_EXPECTED)),
            (_, Some(port)) => read_port(port).ok_or_else(|| bad(PORT_EXPECTED))?,
            (_, None) => return Err(bad(HOSTS_EXPECTED)),
        };
        Ok(Self { name: name.to_owned(), port })
    }

    /// Whether this is an address of this machine alone, or its usual name.
    pub fn is_loopback(&self) -> bool {
        let is_address = self.name.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        is_address || self.name.eq_ignore_ascii_case("localhost")
    }
}

/// A name of DNS, or an IPv4 address.
fn is_name(text: &str) -> bool {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    (1..=HOST_BYTES_MAX).contains(&text.len())
        && text.chars().all(is_of_name)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && (!text.chars().all(is_number) || text.parse::<Ipv4Addr>().is_ok())
}

fn read_port(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&port| is_number && port > 0)
}

/// As messages show it, without the password.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.setting().fmt(f)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}

impl ServerPassword {
    /// A password in clear.
    pub fn new(password: String) -> Self {
        Self(Zeroizing::new(password))
    }

    /// The password in clear, for the driver alone.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Server {
        Server::parse(text).unwrap_or_else(|bad| panic!("{text}: {bad}"))
    }

    fn hosts(server: &Server) -> Vec<(&str, u16)> {
        server.hosts().iter().map(|host| (host.name.as_str(), host.port)).collect()
    }

    #[test]
    fn a_url_names_user_password_hosts_and_database() {
        for (text, user, password, found, database) in [
            ("mysql://u@db/nats", "u", None, vec![("db", 3306)], "nats"),
            ("mysql://u:p@db/nats", "u", Some("p"), vec![("db", 3306)], "nats"),
            ("mysql://u:@db/nats", "u", None, vec![("db", 3306)], "nats"),
            ("mysql://u:a:b@db/nats", "u", Some("a:b"), vec![("db", 3306)], "nats"),
            // What should be escaped and often is not.
            ("mysql://u:a@b/c?d#e@db/nats", "u", Some("a@b/c?d#e"), vec![("db", 3306)], "nats"),
            (
                "mysql://a%40b%3a:%25%2F%C3%A9@db/na%20ts%C3%A9",
                "a@b:",
                Some("%/\u{e9}"),
                vec![("db", 3306)],
                "na ts\u{e9}",
            ),
            (
                "mysql://u@10.1.2.3:3307, db-2.example.com,[2001:db8::1],[::1]:4000/nats_1",
                "u",
                None,
                vec![
                    ("10.1.2.3", 3307),
                    ("db-2.example.com", 3306),
                    ("2001:db8::1", 3306),
                    ("::1", 4000),
                ],
                "nats_1",
            ),
        ] {
            let server = parsed(text);
            assert_eq!(server.user(), user, "{text}");
            assert_eq!(server.password().map(ServerPassword::expose), password, "{text}");
            assert_eq!(hosts(&server), found, "{text}");
            assert_eq!(server.read_hosts(), server.hosts(), "{text}");
            assert_eq!(server.database(), database, "{text}");
        }
    }

    #[test]
    fn the_setting_is_read_as_the_same_server_and_has_no_password() {
        for (text, shown) in [
            ("mysql://u@db/nats", "mysql://u@db:3306/nats"),
            ("mysql://u:hidden@db,[::1]:1/nats", "mysql://u@db:3306,[::1]:1/nats"),
            ("mysql://a%40%2f%25@db/n%c3%a9%3f", "mysql://a%40%2F%25@db:3306/n%C3%A9%3F"),
        ] {
            let server = parsed(text);
            assert_eq!(server.setting(), shown);
            assert_eq!(parsed(shown), Server { password: None, ..server.clone() });
            assert!(!format!("{server:?}").contains("hidden"));
        }
    }

    #[test]
    fn an_error_says_what_was_expected_and_what_was_found() {
        let long = format!("mysql://u@{}/d", "a".repeat(254));
        let many = format!("mysql://u@{}/d", ["a"; 17].join(","));
        for (text, expected, found) in [
            ("mysql://", FORM_EXPECTED, "no USER@"),
            ("mysql://db/nats", FORM_EXPECTED, "no USER@"),
            ("mysql://u@db", FORM_EXPECTED, "no /DATABASE"),
            ("mysql://u@db/nats?tls=1", FORM_EXPECTED, "a ? or a # after it"),
            ("mysql://u@/nats", HOSTS_EXPECTED, "\"\""),
            ("mysql://u@a,,b/nats", HOSTS_EXPECTED, "\"\""),
            ("mysql://u@::1/nats", HOSTS_EXPECTED, "\"::1\""),
            ("mysql://u@2001:db8::1/nats", HOSTS_EXPECTED, "\"2001:db8::1\""),
            ("mysql://u@[1.2.3.4]/nats", HOSTS_EXPECTED, "\"[1.2.3.4]\""),
            ("mysql://u@[::1/nats", HOSTS_EXPECTED, "\"[::1\""),
            ("mysql://u@[::1]3306/nats", HOSTS_EXPECTED, "\"[::1]3306\""),
            ("mysql://u@d b/nats", HOSTS_EXPECTED, "\"d b\""),
            ("mysql://u@300.1.1.1/nats", HOSTS_EXPECTED, "\"300.1.1.1\""),
            ("mysql://u@-x/nats", HOSTS_EXPECTED, "\"-x\""),
            (&many, HOSTS_EXPECTED, "17"),
            ("mysql://u@db:0/nats", PORT_EXPECTED, "\"db:0\""),
            ("mysql://u@db:/nats", PORT_EXPECTED, "\"db:\""),
            ("mysql://u@db:+1/nats", PORT_EXPECTED, "\"db:+1\""),
            ("mysql://u@db:65536/nats", PORT_EXPECTED, "\"db:65536\""),
            ("mysql://@db/nats", USER_EXPECTED, "\"\""),
            ("mysql://a%0a@db/nats", USER_EXPECTED, "\"a\\n\""),
            ("mysql://a%@db/nats", PERCENT_EXPECTED, "\"a%\""),
            ("mysql://a%C3@db/nats", PERCENT_EXPECTED, "\"a%C3\""),
            ("mysql://u@db/", DATABASE_EXPECTED, "\"\""),
            ("mysql://u@db/a/b", DATABASE_EXPECTED, "\"a/b\""),
            ("mysql://u@db/a%60b", DATABASE_EXPECTED, "\"a`b\""),
            ("mysql://u@db/%2e%2e", DATABASE_EXPECTED, "\"..\""),
            ("mysql://u@db/a%4", PERCENT_EXPECTED, "\"a%4\""),
        ] {
            let bad = Server::parse(text).unwrap_err();
            assert_eq!((bad.expected, bad.found.as_str()), (expected, found), "{text}");
        }
        assert_eq!(Server::parse(&long).unwrap_err().expected, HOSTS_EXPECTED);
    }

    #[test]
    fn an_error_shows_no_part_of_a_password() {
        for text in [
            "mysql://u:hidden@db",
            "mysql://u:hidden",
            "mysql://u:hidden@",
            "mysql://u:hidden@/d",
            "mysql://u:x@hidden",
            "mysql://u:x@hidden:port/d",
            "mysql://u:x@hid den/d",
            "mysql://u:x@db/hidden/more",
            "mysql://u:hidden%@db/d",
            "mysql://u:%ffhidden@db/d",
            "mysql://:hidden@db/d",
            "mysql://u@hidden@d b/d",
            "mysql://u:hidden@db/d?x=hidden",
        ] {
            let bad = Server::parse(text).unwrap_err().to_string();
            assert!(!bad.contains("hid"), "{text}: {bad}");
        }
    }

    #[test]
    fn a_server_is_local_if_all_its_nodes_are() {
        for (text, is_local) in [
            ("mysql://u@127.0.0.1/d", true),
            ("mysql://u@127.1.2.3,[::1]:1,LocalHost/d", true),
            ("mysql://u@127.0.0.1,10.0.0.1/d", false),
            ("mysql://u@localhost.example.com/d", false),
            ("mysql://u@[2001:db8::1]/d", false),
        ] {
            assert_eq!(parsed(text).is_local(), is_local, "{text}");
        }
        let with_reader =
            parsed("mysql://u@[::1]/d").with_read_hosts(parse_hosts("db2:3307").unwrap());
        assert!(!with_reader.is_local());
        assert_eq!(with_reader.read_hosts()[0].to_string(), "db2:3307");
    }
}
