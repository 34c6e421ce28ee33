//! `sharing list` and `sharing lift`: members whose login several people seem to use. A running
//! service notices within a second that a block was lifted.

use std::collections::BTreeSet;
use std::io::{BufWriter, Write as _, stdout};

use clap::Subcommand;

use super::failure::Failure;
use super::lift::make_lifts;
use crate::clock::{Clock, format_utc};
use crate::config::Config;
use crate::counted::counted;
use crate::database;
use crate::identity::{ID_EXPECTED, Key, MemberId, SiteId};
use crate::member_change::lift::Lift;
use crate::shared_use::MemberNetwork;

/// The members that are listed by default.
const LISTED: &str = "20";

#[derive(Debug, Subcommand)]
pub(super) enum SharingCommand {
    /// List the members with the most networks within the period, and those who are blocked, with
    /// their networks and times
    List {
        /// The most members of each kind
        #[arg(long, value_name = "COUNT", default_value = LISTED, value_parser =
            clap::value_parser!(u32).range(1..=1_000))]
        most: u32,
    },
    /// Let a member in again who is blocked because of sharing
    Lift {
        /// siteid
        site: String,
        /// memberid
        memberid: String,
    },
}

impl SharingCommand {
    pub(super) fn run(&self, config: &Config) -> Result<(), Failure> {
        match self {
            SharingCommand::List { most } => list(config, *most),
            SharingCommand::Lift { site, memberid } => {
                let bad = |name: &str, text: &str| {
                    Failure::usage(format!("{name}: {ID_EXPECTED}, found {text:?}"))
                };
                let key = Key {
                    site: SiteId::parse(site).ok_or_else(|| bad("SITE", site))?,
                    member: MemberId::parse(memberid).ok_or_else(|| bad("MEMBERID", memberid))?,
                };
                lift(config, key)
            }
        }
    }
}

fn list(config: &Config, most: u32) -> Result<(), Failure> {
    let (reader, now) = (database::open(config)?, Clock::System.now());
    let since = now - config.area.sharing.window_seconds;
    let mut members: Vec<Key> =
        reader.most_networks(since, most)?.into_iter().map(|(key, _)| key).collect();
    // Too many countries need not be many networks.
    for block in reader.sharing_blocks(now, most)? {
        if !members.contains(&block.key) {
            members.push(block.key);
        }
    }
    let mut out = BufWriter::new(stdout().lock());
    for key in &members {
        let used = reader.networks_of(*key)?;
        let within: Vec<_> = used.iter().filter(|used| used.last_at > since).collect();
        let networks = counted(within.len() as u64, "network");
        write!(out, "member {} of site {}: {networks}{}", key.member, key.site, among(&within))?;
        match reader.sharing_of(*key)? {
            Some(block) if block.until > now => {
                let (until, why) = (format_utc(block.until), block.why.sentence());
                writeln!(out, ", blocked until {until} ({why})")?;
            }
            Some(block) => {
                let (since, why) = (format_utc(block.since), block.why.sentence());
                writeln!(out, ", noticed at {since} ({why})")?;
            }
            None => writeln!(out)?,
        }
        for MemberNetwork { network, first_at, last_at, country, .. } in used {
            let country = country.map(|country| format!(" ({country})")).unwrap_or_default();
            let (first, last) = (format_utc(first_at), format_utc(last_at));
            writeln!(out, "    {network}{country} from {first} to {last}")?;
        }
    }
    if members.is_empty() {
        writeln!(out, "there are no networks of members")?;
    }
    Ok(out.flush()?)
}

/// The number of countries of these networks, if any is known.
fn among(networks: &[&MemberNetwork]) -> String {
    let countries: BTreeSet<&str> =
        networks.iter().filter_map(|used| used.country.as_deref()).collect();
    match countries.len() {
        0 => String::new(),
        some => format!(" in {}", counted(some as u64, "country")),
    }
}

fn lift(config: &Config, key: Key) -> Result<(), Failure> {
    let Key { site, member } = key;
    let now = Clock::System.now();
    let block = database::open(config)?.sharing_of(key)?;
    if block.is_none_or(|block| block.until <= now) {
        let line = format!("member {member} of site {site} is not blocked: nothing was lifted");
        return Ok(writeln!(stdout(), "{line}")?);
    }
    make_lifts(config, &[Lift::of_member(key, None, Vec::new(), None)])?;
    Ok(writeln!(stdout(), "lifted: member {member} of site {site} may enter again")?)
}
