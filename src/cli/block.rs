//! `block list` and `block lift`: who may not try passwords now. A running service takes up within
//! a second what was lifted.

use std::io::{Write as _, stdout};

use clap::Subcommand;

use super::failure::Failure;
use crate::apply::in_transaction;
use crate::block::{Block, LoginName, Network};
use crate::clock::{Clock, format_utc};
use crate::config::Config;
use crate::database;
use crate::store::{Engine, pages};

#[derive(Debug, Subcommand)]
pub(super) enum BlockCommand {
    /// List the blocks that hold now
    List,
    /// Lift the blocks of a name, of a network, or all
    Lift {
        /// Those of this username
        #[arg(long, value_name = "USERNAME")]
        name: Option<String>,
        /// Those of this address or network, and of wider ones that hold it
        #[arg(long, value_name = "ADDRESS")]
        network: Option<String>,
        /// All of them
        #[arg(long, conflicts_with_all = ["name", "network"])]
        all: bool,
    },
}

impl BlockCommand {
    pub(super) fn run(&self, config: &Config) -> Result<(), Failure> {
        let now = Clock::System.now();
        let blocks = pages::blocks(&*database::open(config)?, now)?;
        match self {
            BlockCommand::List => list(&blocks),
            BlockCommand::Lift { name: None, network: None, all: false } => {
                Err(Failure::usage("block lift: expected --name, --network or --all"))
            }
            BlockCommand::Lift { name, network, all: _ } => {
                let network = network.as_deref().map(|text| {
                    let bad = || {
                        Failure::usage(format!(
                            "block lift: --network: expected an address or a network of `block list`, found \"{}\"",
                            text.escape_debug()
                        ))
                    };
                    Network::parse(text).ok_or_else(bad)
                });
                let (name, network) = (name.as_deref().map(LoginName::new), network.transpose()?);
                let chosen = |block: &&Block| {
                    name.as_ref().is_none_or(|name| block.target.name() == Some(name))
                        && network.is_none_or(|network| {
                            block.target.network().is_some_and(|blocked| blocked.overlaps(network))
                        })
                };
                lift(config, &blocks.iter().filter(chosen).collect::<Vec<_>>())
            }
        }
    }
}

fn list(blocks: &[Block]) -> Result<(), Failure> {
    let mut out = stdout().lock();
    for block in blocks {
        writeln!(out, "{} {block}", format_utc(block.since))?;
    }
    if blocks.is_empty() {
        writeln!(out, "nobody is blocked")?;
    }
    Ok(())
}

fn lift(config: &Config, blocks: &[&Block]) -> Result<(), Failure> {
    let lift =
        |engine: &mut dyn Engine| blocks.iter().try_for_each(|block| engine.lift(&block.target));
    database::with_writer(config, |engine| in_transaction(engine, lift))??;
    let mut out = stdout().lock();
    for block in blocks {
        writeln!(out, "lifted: {block}")?;
    }
    if blocks.is_empty() {
        writeln!(out, "no such block: nothing was lifted")?;
    }
    Ok(())
}
