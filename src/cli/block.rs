//! `block list` and `block lift`: the current login blocks. A running service notices within a
//! second that a block was lifted.

use std::io::{Write as _, stdout};

use clap::Subcommand;

use super::failure::Failure;
use super::lift::make_lifts;
use crate::block::{Block, LoginName, Network};
use crate::clock::{Clock, format_utc};
use crate::config::Config;
use crate::database;
use crate::login::blocks::Selection;
use crate::member_change::lift::Lift;
use crate::store::pages;

#[derive(Debug, Subcommand)]
pub(super) enum BlockCommand {
    /// List the current blocks
    List,
    /// Lift the blocks of a username, of a network, or all
    Lift {
        /// Blocks of this username
        #[arg(long, value_name = "USERNAME")]
        name: Option<String>,
        /// Blocks of this address or network, and of wider networks that contain it
        #[arg(long, value_name = "ADDRESS")]
        network: Option<String>,
        /// All blocks
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
                            "block lift: --network: expected an address or a network of `block \
                             list`, found \"{}\"",
                            text.escape_debug()
                        ))
                    };
                    Network::parse(text).ok_or_else(bad)
                });
                let name = name.as_deref().map(LoginName::new);
                let selection = Selection { name, network: network.transpose()? };
                let selected = blocks.iter().filter(|block| selection.contains(block));
                lift(config, &selected.collect::<Vec<_>>())
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
        writeln!(out, "there are no blocks")?;
    }
    Ok(())
}

fn lift(config: &Config, selected: &[&Block]) -> Result<(), Failure> {
    let lifts: Vec<Lift> =
        selected.iter().map(|&block| Lift::of_block(block.clone(), None)).collect();
    make_lifts(config, &lifts)?;
    let mut out = stdout().lock();
    for block in selected {
        writeln!(out, "lifted: {block}")?;
    }
    if selected.is_empty() {
        writeln!(out, "no such block: nothing was lifted")?;
    }
    Ok(())
}
