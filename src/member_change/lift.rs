//! Lifts blocks for an operator: all of one member (those of their name, those of networks, and the
//! one for sharing), or one block of the list.

use crate::action::{Change, Recorded};
use crate::apply::tell_move;
use crate::block::Block;
use crate::clock::Moment;
use crate::counted::counted;
use crate::identity::{Key, Username};
use crate::journal::{Received, Record};
use crate::operator::OperatorName;
use crate::replay::operator_received;
use crate::reply::Reply;
use crate::store::{Engine, Fault, Outcome};

/// The operator's command to lift blocks.
#[derive(Clone, Debug)]
pub struct Lift {
    /// The member whose block for sharing is lifted too.
    key: Option<Key>,
    blocks: Vec<Block>,
    received: Received,
}

impl Lift {
    /// Lifts these blocks, and the one for sharing if there is one. `by` is who does it in the
    /// console. A running service notices within a second.
    pub fn of_member(
        key: Key,
        name: Option<&Username>,
        blocks: Vec<Block>,
        by: Option<&OperatorName>,
    ) -> Self {
        let (site, member) = (key.site.to_string(), key.member.to_string());
        let mut pairs =
            vec![("action", "LIFT"), ("siteid", site.as_str()), ("memberid", member.as_str())];
        pairs.extend(name.map(|name| ("username", name.as_str())));
        let mut received = operator_received(&pairs);
        received.operator = by.cloned();
        Self { key: Some(key), blocks, received }
    }

    /// Lifts one block for wrong passwords.
    pub fn of_block(block: Block, by: Option<&OperatorName>) -> Self {
        let mut pairs = vec![("action", "LIFT")];
        pairs.extend(block.target.name().map(|name| ("username", name.as_str())));
        let mut received = operator_received(&pairs);
        received.operator = by.cloned();
        Self { key: None, blocks: vec![block], received }
    }

    /// Lifts them in the open transaction, and journals that. A replay ignores the record, as
    /// blocks are not among the rows that it restores.
    ///
    /// # Errors
    ///
    /// If the database cannot be written.
    pub fn run(&self, engine: &mut dyn Engine, moment: Moment) -> Result<Reply, Fault> {
        for block in &self.blocks {
            engine.lift(&block.target)?;
        }
        let reply = match self.key {
            Some(key) => self.reply(key, engine.lift_sharing(key, moment.now)?),
            None => {
                let lifted: Vec<String> = self.blocks.iter().map(Block::to_string).collect();
                Reply::ok(format_args!("lifted: {}", lifted.join(", ")))
            }
        };
        let record = Record {
            at: moment.now,
            received: &self.received,
            moved_until: (moment.moved_until != moment.now).then_some(moment.moved_until),
            reply: reply.clone(),
            put: Recorded::default(),
        };
        tell_move(engine, moment)?;
        engine.save(&[Outcome { change: Change::None, record, taken_over: None }])?;
        Ok(reply)
    }

    fn reply(&self, Key { site, member }: Key, was_shared: bool) -> Reply {
        let guesses = match self.blocks.len() as u64 {
            0 => None,
            count => Some(format!("{} for wrong passwords", counted(count, "block"))),
        };
        let sharing = was_shared.then(|| "the block for sharing".to_owned());
        let lifted: Vec<String> = guesses.into_iter().chain(sharing).collect();
        match lifted.as_slice() {
            [] => Reply::ok(format_args!(
                "member {member} of site {site} is not blocked, nothing was lifted"
            )),
            lifted => Reply::ok(format_args!(
                "lifted for member {member} of site {site}: {}",
                lifted.join(" and ")
            )),
        }
    }
}
