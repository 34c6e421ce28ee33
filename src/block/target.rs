//! What can be blocked: a login name from one network, a network, or a login name.

use std::fmt;

use super::login_name::LoginName;
use super::network::Network;

/// The limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockKind {
    /// Wrong passwords for one name from one network.
    Pair,
    /// Wrong passwords from one network, for any names.
    Network,
    /// Wrong passwords for one name, from any networks. Networks from which the member logged in
    /// before are not blocked, and logins that are remembered stay valid.
    Name,
}

impl BlockKind {
    /// The word for log, table and list.
    pub fn as_str(self) -> &'static str {
        match self {
            BlockKind::Pair => "pair",
            BlockKind::Network => "network",
            BlockKind::Name => "name",
        }
    }

    /// Reads the word that [`BlockKind::as_str`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        [BlockKind::Pair, BlockKind::Network, BlockKind::Name]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for BlockKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The target of a block.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// See [`BlockKind::Pair`].
    Pair(LoginName, Network),
    /// See [`BlockKind::Network`].
    Network(Network),
    /// See [`BlockKind::Name`].
    Name(LoginName),
}

impl Target {
    /// Makes a target of the columns of a stored block. `None` if the kind needs a column that is
    /// empty.
    pub fn from_parts(
        kind: BlockKind,
        name: Option<LoginName>,
        network: Option<Network>,
    ) -> Option<Self> {
        match kind {
            BlockKind::Pair => name.zip(network).map(|(name, network)| Target::Pair(name, network)),
            BlockKind::Network => network.map(Target::Network),
            BlockKind::Name => name.map(Target::Name),
        }
    }

    /// The limit that led to the block.
    pub fn kind(&self) -> BlockKind {
        match self {
            Target::Pair(..) => BlockKind::Pair,
            Target::Network(_) => BlockKind::Network,
            Target::Name(_) => BlockKind::Name,
        }
    }

    /// The login name, if the target has one.
    pub fn name(&self) -> Option<&LoginName> {
        match self {
            Target::Pair(name, _) | Target::Name(name) => Some(name),
            Target::Network(_) => None,
        }
    }

    /// The network, if the target has one.
    pub fn network(&self) -> Option<Network> {
        match self {
            Target::Pair(_, network) | Target::Network(network) => Some(*network),
            Target::Name(_) => None,
        }
    }

    /// A target of this kind with another network. A name has no network and stays as it is.
    pub(crate) fn at(&self, network: Network) -> Self {
        match self {
            Target::Pair(name, _) => Target::Pair(name.clone(), network),
            Target::Network(_) => Target::Network(network),
            Target::Name(_) => self.clone(),
        }
    }

    /// A target of this kind with the next wider network.
    pub(crate) fn wider(&self) -> Option<Self> {
        self.network()?.wider().map(|network| self.at(network))
    }

    /// The targets with the networks of the next narrower kind inside this one.
    pub(crate) fn narrower(&self) -> impl Iterator<Item = Self> {
        self.network().into_iter().flat_map(Network::narrower).map(|network| self.at(network))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_made_of_the_parts_that_its_kind_needs() {
        let (name, network) = (LoginName::new("bob"), Network::parse("203.0.113.9").unwrap());
        for (kind, needs) in [
            (BlockKind::Pair, (true, true)),
            (BlockKind::Network, (false, true)),
            (BlockKind::Name, (true, false)),
        ] {
            let target = Target::from_parts(kind, Some(name.clone()), Some(network)).unwrap();
            assert_eq!(
                (target.kind(), target.name().is_some(), target.network().is_some()),
                (kind, needs.0, needs.1)
            );
            let again = Target::from_parts(kind, target.name().cloned(), target.network());
            assert_eq!((again, Target::from_parts(kind, None, None)), (Some(target), None));
            assert_eq!(BlockKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(BlockKind::parse("Pair"), None);
    }
}
