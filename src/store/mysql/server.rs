//! Which server and database a location means, and how to log in there.

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::secret::redacted;

/// The port of a server if the setting names none.
const PORT: u16 = 3306;

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
    /// In clear. For a server on this machine or in a network that nobody else reads.
    #[default]
    Off,
    /// TLS with a certificate for the host's name. The file has the certificate authority in PEM
    /// form; `None`: the public ones.
    Verified(Option<PathBuf>),
}

impl Server {
    /// Reads the setting `--database`. A password in it is taken.
    pub fn parse(text: &str) -> Option<Self> {
        let (user, rest) = text.strip_prefix("mysql://")?.rsplit_once('@')?;
        let (hosts, database) = rest.split_once('/')?;
        let (user, password) = match user.split_once(':') {
            Some((user, password)) => (user, Some(ServerPassword::new(password.to_owned()))),
            None => (user, None),
        };
        let hosts = parse_hosts(hosts)?;
        let is_name = |text: &str| {
            !text.is_empty() && !text.contains(|c: char| c.is_control() || "/?#`'\"\\ ".contains(c))
        };
        (is_name(user) && is_name(database)).then(|| Self {
            hosts,
            read_hosts: Vec::new(),
            user: user.to_owned(),
            database: database.to_owned(),
            password,
            tls: Tls::default(),
        })
    }

    /// The text that [`Server::parse`] reads, without the password.
    pub fn setting(&self) -> String {
        let hosts: Vec<_> = self.hosts.iter().map(Host::to_string).collect();
        format!("mysql://{}@{}/{}", self.user, hosts.join(","), self.database)
    }

    /// The nodes in the order in which they are tried for writing.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The nodes in the order in which they are tried for reading.
    pub fn read_hosts(&self) -> &[Host] {
        if self.read_hosts.is_empty() { &self.hosts } else { &self.read_hosts }
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

/// Reads `HOST[:PORT][,HOST[:PORT]...]`, where an IPv6 address stands in brackets.
pub fn parse_hosts(text: &str) -> Option<Vec<Host>> {
    text.split(',').map(Host::parse).collect()
}

impl Host {
    fn parse(text: &str) -> Option<Self> {
        let (name, port) = match text.strip_prefix('[') {
            Some(text) => {
                let (name, port) = text.split_once(']')?;
                name.parse::<std::net::Ipv6Addr>().ok()?;
                (name, port)
            }
            None => text.find(':').map_or((text, ""), |at| text.split_at(at)),
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().ok().filter(|&port| port > 0)?,
            None if port.is_empty() => PORT,
            None => return None,
        };
        (!name.is_empty() && name.chars().all(is_name))
            .then(|| Self { name: name.to_owned(), port })
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
