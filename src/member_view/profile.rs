//! What is known of one member now.

use crate::action::Standing;
use crate::block::{Block, LoginName};
use crate::identity::{Key, Username};
use crate::login::explanation::{MemberFacts, explain_whole};
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
    /// The current blocks of their name.
    pub blocks: Vec<Block>,
    /// The current blocks of networks from which they lately tried to log in.
    pub network_blocks: Vec<Block>,
    /// When they last counted as shared.
    pub sharing: Option<SharingBlock>,
    /// The networks from which they used the members area lately.
    pub networks: Vec<MemberNetwork>,
    /// When this was read, unix seconds.
    pub now: i64,
}

impl Profile {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn read(reader: &dyn Read, key: Key, now: i64) -> Result<Self, Fault> {
        let standing = reader.standing(key, now)?;
        let logins = reader.last_logins(key, LOGINS_READ)?;
        let blocks = match row(&standing) {
            Some(row) => reader.blocks_of(&LoginName::new(row.username.as_str()), now)?,
            None => Vec::new(),
        };
        let mut tried: Vec<&str> = Vec::new();
        for login in &logins {
            let network = login.record.network.as_str();
            if !tried.contains(&network) && tried.len() < NETWORKS_MAX {
                tried.push(network);
            }
        }
        let mut network_blocks = Vec::new();
        for network in tried {
            network_blocks.extend(reader.block_of_network(network, now)?);
        }
        let (sharing, networks) = (reader.sharing_of(key)?, reader.networks_of(key)?);
        Ok(Self { key, standing, logins, blocks, network_blocks, sharing, networks, now })
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
        self.sharing.as_ref().filter(|block| block.until > self.now)
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
        let blocks = if self.is_here() { self.all_blocks() } else { Vec::new() };
        let facts = MemberFacts {
            standing: &self.standing,
            logins: &self.logins,
            blocks: &blocks,
            sharing: self.sharing,
            now: self.now,
        };
        explain_whole(&facts, time)
    }
}

fn row(standing: &Standing) -> Option<&Member> {
    match standing {
        Standing::Here(row) | Standing::Lapsed(row) => Some(row),
        Standing::Former(former) => Some(&former.member),
        Standing::Unknown => None,
    }
}
