//! What can be blocked: a door for a network, a network, a door.

use std::fmt;
use std::sync::Arc;

use super::network::Network;
use crate::identity::USERNAME_BYTES_MAX;
use crate::unicode::folded;

/// Of a name that is longer than any member's when folded (lower case takes more bytes of some
/// letters) the beginning is enough.
const DOOR_BYTES_MAX: usize = 4 * USERNAME_BYTES_MAX;

/// What is guessed at: a name. On whatever sites: a visitor of the login page can choose among
/// them, and must not get a new count for each choice. Clones are cheap.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Door(Arc<str>);

impl Door {
    /// The name in whatever spelling. One that folds to nothing stands for itself: somebody may
    /// have it, and log in by it.
    pub fn new(name: &str) -> Self {
        let name = &name[..name.floor_char_boundary(DOOR_BYTES_MAX)];
        let form = folded(name);
        Self(if form.is_empty() { name.into() } else { form.into() })
    }

    /// The folded name, which is somebody's text: for comparing and for a column, not for a line.
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// `name="bob"`, in printable ASCII whatever the name is. No `=` of a name is shown: nobody can
/// write `network=` into a log line from which addresses are banned.
impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("name=\"")?;
        for byte in self.name().bytes() {
            match byte {
                b'"' => f.write_str("\\\"")?,
                b'\\' => f.write_str("\\\\")?,
                b'=' => f.write_str("?")?,
                b' '..=b'~' => write!(f, "{}", char::from(byte))?,
                _ => f.write_str("?")?,
            }
        }
        f.write_str("\"")
    }
}

/// Which of the limits was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One network at one door.
    Pair,
    /// One network, at whatever doors.
    Network,
    /// One door, from whatever networks. Networks that opened it before are not blocked, and logins
    /// that are remembered go on.
    Name,
}

impl Kind {
    /// The word in log, table and list.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Pair => "pair",
            Kind::Network => "network",
            Kind::Name => "name",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        [Kind::Pair, Kind::Network, Kind::Name].into_iter().find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whom a block is against.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// See [`Kind::Pair`].
    Pair(Door, Network),
    /// See [`Kind::Network`].
    Network(Network),
    /// See [`Kind::Name`].
    Name(Door),
}

impl Target {
    /// From the columns of a stored block; `None` where one is missing that the kind needs.
    pub fn from_parts(kind: Kind, door: Option<Door>, network: Option<Network>) -> Option<Self> {
        match kind {
            Kind::Pair => door.zip(network).map(|(door, network)| Target::Pair(door, network)),
            Kind::Network => network.map(Target::Network),
            Kind::Name => door.map(Target::Name),
        }
    }

    /// Which limit it is about.
    pub fn kind(&self) -> Kind {
        match self {
            Target::Pair(..) => Kind::Pair,
            Target::Network(_) => Kind::Network,
            Target::Name(_) => Kind::Name,
        }
    }

    /// The door, if it is about one.
    pub fn door(&self) -> Option<&Door> {
        match self {
            Target::Pair(door, _) | Target::Name(door) => Some(door),
            Target::Network(_) => None,
        }
    }

    /// The network, if it is about one.
    pub fn network(&self) -> Option<Network> {
        match self {
            Target::Pair(_, network) | Target::Network(network) => Some(*network),
            Target::Name(_) => None,
        }
    }

    /// The same with another network; of a name there is none.
    pub(super) fn at(&self, network: Network) -> Self {
        match self {
            Target::Pair(door, _) => Target::Pair(door.clone(), network),
            Target::Network(_) => Target::Network(network),
            Target::Name(_) => self.clone(),
        }
    }

    /// The same with the next wider network.
    pub(super) fn wider(&self) -> Option<Self> {
        self.network()?.wider().map(|network| self.at(network))
    }

    /// The targets of the next narrower kind of network that it holds.
    pub(super) fn narrower(&self) -> impl Iterator<Item = Self> {
        self.network().into_iter().flat_map(Network::narrower).map(|network| self.at(network))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_a_name_in_whatever_spelling() {
        for name in ["BobÉ", "bobé", "BOBE\u{301}", " bobé ", "b\u{200b}obé"] {
            assert_eq!(Door::new(name).name(), "bobé", "{}", name.escape_unicode());
        }
        assert_ne!(Door::new("bobe"), Door::new("bobé"));
        // What stands in a column is read again as the same door.
        for name in [&"É".repeat(1_000), &"İ".repeat(127), "\u{200b}", "\u{200b}\u{200b}", " bob"]
        {
            assert_eq!(Door::new(Door::new(name).name()), Door::new(name), "{name}");
        }
        assert_eq!(Door::new(&"É".repeat(1_000)).name().len(), 1_020);
        assert_ne!(Door::new("\u{200b}"), Door::new("\u{200b}\u{200b}"));
    }

    #[test]
    fn whatever_a_name_is_nothing_of_it_ends_the_quotes_or_looks_like_an_address() {
        for (name, shown) in [
            ("bob smith", r#"name="bob smith""#),
            (r#"a" sites=9"#, r#"name="a\" sites?9""#),
            (r#"a\"#, r#"name="a\\""#),
            ("login blocked: network=1.2.3.4 x", r#"name="login blocked: network?1.2.3.4 x""#),
            ("a\r\nb\0\u{1b}[2J\u{7f}", r#"name="a??b??[2j?""#),
            ("é\u{85}\u{2028}x", r#"name="???????x""#),
        ] {
            assert_eq!(Door::new(name).to_string(), shown, "{name:?}");
        }
    }

    #[test]
    fn a_target_is_made_of_the_parts_that_its_kind_needs() {
        let (door, network) = (Door::new("bob"), Network::parse("203.0.113.9").unwrap());
        for (kind, needs) in [
            (Kind::Pair, (true, true)),
            (Kind::Network, (false, true)),
            (Kind::Name, (true, false)),
        ] {
            let target = Target::from_parts(kind, Some(door.clone()), Some(network)).unwrap();
            assert_eq!(
                (target.kind(), target.door().is_some(), target.network().is_some()),
                (kind, needs.0, needs.1)
            );
            let again = Target::from_parts(kind, target.door().cloned(), target.network());
            assert_eq!((again, Target::from_parts(kind, None, None)), (Some(target), None));
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(Kind::parse("Pair"), None);
    }
}
