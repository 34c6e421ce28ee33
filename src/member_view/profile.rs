//! What is known of one member now.

use std::collections::BTreeSet;

use crate::action::Standing;
use crate::block::{Block, LoginName, Network};
use crate::identity::{Key, Username};
use crate::login::explanation::{MemberFacts, explain, explain_whole};
use crate::login::settings::SharingConfig;
use crate::login_record::StoredLogin;
use crate::member::Member;
use crate::shared_use::{MemberNetwork, SharingBlock};
use crate::store::{Fault, Read};

/// The last logins that the explanation and the search for blocked networks use.
const LOGINS_READ: u32 = 20;
/// The most networks of these logins for which a block is searched.
const NETWORKS_MAX: usize = 8;

/// One member, former member or stranger.
#[derive(Debug)]
pub struct Profile {
    /// Site and memberid.
    pub key: Key,
    /// Whether they are a member.
    pub standing: Standing,
    /// Their last logins, the newest first.
    pub logins: Vec<StoredLogin>,
    /// The current blocks of their name, and of their e-mail address, which may be typed in its
    /// place.
    pub blocks: Vec<Block>,
    /// The current blocks of networks from which they lately tried to log in.
    pub network_blocks: Vec<Block>,
    /// When they last counted as shared.
    pub sharing: Option<SharingBlock>,
    /// Whether they are blocked for that.
    sharing_holds: bool,
    /// The networks from which they used the members area lately.
    pub networks: Vec<MemberNetwork>,
    /// When this was read, unix seconds.
    pub now: i64,
}

impl Profile {
    /// Reads it. `rules` are the settings in effect; `None` for a command, which may have others
    /// than the service.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn read(
        reader: &dyn Read,
        key: Key,
        rules: Option<&SharingConfig>,
        now: i64,
    ) -> Result<Self, Fault> {
        let standing = reader.standing(key, now)?;
        let logins = reader.last_logins(key, LOGINS_READ)?;
        let mut blocks = Vec::new();
        for name in row(&standing).map(typed_names).unwrap_or_default() {
            blocks.extend(reader.blocks_of(&name, now)?);
        }
        let mut tried: Vec<Network> = Vec::new();
        for login in &logins {
            let network = Network::parse(&login.record.network);
            if let Some(network) = network.filter(|network| !tried.contains(network))
                && tried.len() < NETWORKS_MAX
            {
                tried.push(network);
            }
        }
        // A block may be one of a wider network.
        let wider: BTreeSet<Network> = tried.into_iter().flat_map(Network::and_wider).collect();
        let mut network_blocks = Vec::new();
        for network in wider {
            network_blocks.extend(reader.block_of_network(&network.to_string(), now)?);
        }
        let (sharing, networks) = (reader.sharing_of(key)?, reader.networks_of(key)?);
        let holds = |block: &SharingBlock| match rules {
            Some(rules) => rules.holds(block, now),
            None => block.until > now,
        };
        let sharing_holds = sharing.as_ref().is_some_and(holds);
        Ok(Self {
            key,
            standing,
            logins,
            blocks,
            network_blocks,
            sharing,
            sharing_holds,
            networks,
            now,
        })
    }

    /// The row, whether they are a member or not.
    pub fn row(&self) -> Option<&Member> {
        row(&self.standing)
    }

    /// The name.
    pub fn username(&self) -> Option<&Username> {
        self.row().map(|row| &row.username)
    }

    /// Whether they are a member now.
    pub fn is_here(&self) -> bool {
        matches!(self.standing, Standing::Here(_))
    }

    /// Whether they were a member and can be restored.
    pub fn is_former(&self) -> bool {
        matches!(self.standing, Standing::Former(_) | Standing::Lapsed(_))
    }

    /// The block for sharing that is in force.
    pub fn sharing_block(&self) -> Option<&SharingBlock> {
        self.sharing.as_ref().filter(|_| self.sharing_holds)
    }

    /// All blocks for wrong passwords that concern them.
    pub fn all_blocks(&self) -> Vec<Block> {
        [&self.blocks[..], &self.network_blocks[..]].concat()
    }

    /// Whether any block is in force.
    pub fn is_blocked(&self) -> bool {
        !self.blocks.is_empty() || !self.network_blocks.is_empty() || self.sharing_block().is_some()
    }

    /// The sentence whether they get in now, and if not, why. `time` writes an instant.
    pub fn explanation(&self, time: &dyn Fn(i64) -> String) -> String {
        explain_whole(&self.facts(&self.blocks_in_force()), time)
    }

    /// It without the beginning, for a line that names the member.
    pub fn short_explanation(&self) -> String {
        explain(&self.facts(&self.blocks_in_force()))
    }

    fn blocks_in_force(&self) -> Vec<Block> {
        if self.is_here() { self.all_blocks() } else { Vec::new() }
    }

    fn facts<'a>(&'a self, blocks: &'a [Block]) -> MemberFacts<'a> {
        MemberFacts {
            standing: &self.standing,
            logins: &self.logins,
            blocks,
            sharing: self.sharing_block().copied(),
            now: self.now,
        }
    }
}

fn row(standing: &Standing) -> Option<&Member> {
    match standing {
        Standing::Here(row) | Standing::Lapsed(row) => Some(row),
        Standing::Former(former) => Some(&former.member),
        Standing::Unknown => None,
    }
}

/// What a member may type as their name: it, and their e-mail address.
fn typed_names(row: &Member) -> BTreeSet<LoginName> {
    [Some(row.username.as_str()), row.email.as_deref()]
        .into_iter()
        .flatten()
        .map(LoginName::new)
        .collect()
}
