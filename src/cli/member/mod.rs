//! `member`: what support staff ask. Changes are postbacks of the operator: the same rules, the
//! same journal.

mod lapsed_early;
mod logout;

use std::io::{BufWriter, Write as _, stdout};

use clap::Subcommand;

use super::{Failure, journal, with_writer};
use crate::action::{Rules, Standing};
use crate::apply::transact;
use crate::clock::jump::moment_of_command;
use crate::clock::{Clock, format_utc};
use crate::config::Config;
use crate::database;
use crate::identity::{ID_EXPECTED, Key, MemberId, SiteId};
use crate::member::Member as Row;
use crate::password::{Stored, Vault};
use crate::reply::{Reply, Word};
use crate::store::JournalFilter;
use crate::unicode::Visible;

#[derive(Debug, Subcommand)]
pub(super) enum Member {
    /// Show a member, with everything that NATS said about him or her
    Show {
        /// siteid
        site: String,
        /// memberid
        memberid: String,
    },
    /// List members
    List {
        /// Only this siteid
        #[arg(long, value_parser = super::id)]
        site: Option<i64>,
        /// List those who were members and are not now
        #[arg(long)]
        former: bool,
    },
    /// Take a member out of member_auth, as a DELETE does
    Remove {
        /// siteid
        site: String,
        /// memberid
        memberid: String,
    },
    /// Put a former member back with the credential that is kept, as an ACTIVATE does; or all who
    /// lapsed under a wrong clock
    Restore {
        /// siteid
        #[arg(required_unless_present = "lapsed_early")]
        site: Option<String>,
        /// memberid
        #[arg(required_unless_present = "lapsed_early", conflicts_with = "lapsed_early")]
        memberid: Option<String>,
        /// Another username, where somebody else has the old one
        #[arg(long, conflicts_with = "lapsed_early")]
        username: Option<String>,
        /// All whose expiry is still ahead: a clock in a wrong year has moved them. Set the clock
        /// right first. With SITE, those of that site
        #[arg(long)]
        lapsed_early: bool,
    },
    /// End the logins of a member, or with --all everybody's; whoever knows the password can log in
    /// again
    Logout {
        /// siteid
        #[arg(required_unless_present = "all")]
        site: Option<String>,
        /// memberid
        #[arg(required_unless_present = "all")]
        memberid: Option<String>,
        /// Everybody's, as after a restore of a backup, which brings back logins that were ended
        /// since
        #[arg(long, conflicts_with_all = ["site", "memberid"])]
        all: bool,
    },
}

impl Member {
    pub(super) fn run(&self, config: &Config) -> Result<(), Failure> {
        match self {
            Member::Show { site, memberid } => show(config, key(site, memberid)?),
            Member::List { site, former } => list(config, *site, *former),
            Member::Remove { site, memberid } => {
                let key = key(site, memberid)?;
                database::check(config)?;
                change(config, "DELETE", key, None)
            }
            Member::Logout { site: Some(site), memberid: Some(memberid), all: _ } => {
                logout::one(config, key(site, memberid)?)
            }
            // The other arguments are needed without --all.
            Member::Logout { .. } => logout::all(config),
            Member::Restore { site, lapsed_early: true, .. } => {
                lapsed_early::run(config, site_of(site.as_deref())?)
            }
            Member::Restore { site, memberid, username, lapsed_early: false } => {
                let (site, memberid) =
                    (site.as_deref().unwrap_or_default(), memberid.as_deref().unwrap_or_default());
                restore(config, key(site, memberid)?, username.as_deref())
            }
        }
    }
}

fn key(site: &str, memberid: &str) -> Result<Key, Failure> {
    Ok(Key {
        site: SiteId::parse(site).ok_or_else(|| bad_id("SITE", site))?,
        member: MemberId::parse(memberid).ok_or_else(|| bad_id("MEMBERID", memberid))?,
    })
}

fn site_of(text: Option<&str>) -> Result<Option<i64>, Failure> {
    text.map(|text| SiteId::parse(text).map(SiteId::get).ok_or_else(|| bad_id("SITE", text)))
        .transpose()
}

fn bad_id(name: &str, text: &str) -> Failure {
    Failure::usage(format!("{name}: {ID_EXPECTED}, found {text:?}"))
}

fn show(config: &Config, key: Key) -> Result<(), Failure> {
    let reader = database::open(config)?;
    let mut out = BufWriter::new(stdout().lock());
    match reader.standing(key)?.at(Clock::System.now()) {
        Standing::Here(row) | Standing::Lapsed(row) => {
            writeln!(out, "member {} of site {}: may log in", key.member, key.site)?;
            describe(&mut out, &row)?;
        }
        Standing::Former(former) => {
            let (reason, when) = (former.reason.as_str(), format_utc(former.ended_at));
            writeln!(
                out,
                "member {} of site {}: {reason} at {when}, may not log in",
                key.member, key.site
            )?;
            describe(&mut out, &former.member)?;
        }
        Standing::Unknown => {
            writeln!(out, "member {} of site {}: was never a member", key.member, key.site)?
        }
    }
    writeln!(out, "\nhistory:")?;
    let filter = JournalFilter {
        site: Some(key.site.get()),
        member: Some(key.member.get()),
        ..JournalFilter::default()
    };
    reader
        .journal(&filter, |record| Ok::<_, Failure>(writeln!(out, "{}", journal::text(record))?))?;
    Ok(out.flush()?)
}

fn describe(out: &mut impl std::io::Write, row: &Row) -> Result<(), Failure> {
    let form = match row.credential.stored {
        Stored::Sealed(_) => "sealed, to be hashed",
        Stored::Hash(_) => "hashed",
        Stored::Wrapped(_) => "cryptpass, wrapped",
    };
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
    let time = |value: Option<i64>| {
        value.filter(|&seconds| seconds != 0).map_or_else(|| "-".into(), format_utc)
    };
    writeln!(out, "    username   {}", Visible(row.username.as_str()))?;
    writeln!(out, "    password   {form}")?;
    writeln!(out, "    trial      {}", if row.trial { "yes" } else { "no" })?;
    writeln!(out, "    email      {}", Visible(&text(&row.email)))?;
    writeln!(out, "    biller     {}", Visible(&text(&row.biller)))?;
    writeln!(out, "    joined     {}", time(row.joined))?;
    writeln!(out, "    expires    {} (as NATS sent it; locks nobody out)", time(row.expires))?;
    Ok(writeln!(out, "    expire_at  {}", time(row.expire_at))?)
}

fn list(config: &Config, site: Option<i64>, former: bool) -> Result<(), Failure> {
    let reader = database::open(config)?;
    let mut out = BufWriter::new(stdout().lock());
    if former {
        writeln!(out, "siteid\tmemberid\tusername\treason\tended_at")?;
        reader.formers(site, |former| {
            let Key { site, member } = former.member.key;
            let (name, reason) = (Visible(former.member.username.as_str()), former.reason.as_str());
            Ok::<_, Failure>(writeln!(
                out,
                "{site}\t{member}\t{name}\t{reason}\t{}",
                format_utc(former.ended_at)
            )?)
        })?;
    } else {
        writeln!(out, "siteid\tmemberid\tusername\ttrial\texpire_at")?;
        reader.members(site, Clock::System.now(), |row| {
            let (Key { site, member }, name) = (row.key, Visible(row.username.as_str()));
            let expiry = row.expire_at.map_or_else(|| "-".into(), format_utc);
            Ok::<_, Failure>(writeln!(
                out,
                "{site}\t{member}\t{name}\t{}\t{expiry}",
                u8::from(row.trial)
            )?)
        })?;
    }
    Ok(out.flush()?)
}

fn restore(config: &Config, key: Key, username: Option<&str>) -> Result<(), Failure> {
    let former = match database::open(config)?.standing(key)?.at(Clock::System.now()) {
        Standing::Former(former) => former,
        Standing::Here(_) | Standing::Lapsed(_) => {
            return Err(Failure::Failed(format!(
                "member {} of site {} is a member now, nothing to restore",
                key.member, key.site
            )));
        }
        Standing::Unknown => {
            return Err(Failure::Failed(format!(
                "member {} of site {} was never a member",
                key.member, key.site
            )));
        }
    };
    change(config, "ACTIVATE", key, Some(username.unwrap_or(former.member.username.as_str())))
}

/// Says it as a postback of the operator, in a transaction of its own beside a running service.
fn change(config: &Config, action: &str, key: Key, username: Option<&str>) -> Result<(), Failure> {
    // No password is in it, so any key does: nothing is sealed.
    let rules = Rules {
        vault: Vault::from_key([0; 32]),
        keep_cryptpass: config.keep_cryptpass,
        expiry: config.expiry.clone(),
    };
    let postback =
        crate::replay::operator_postback(action, key.site, key.member, username, None, &rules);
    let last = database::open(config)?.last_seen(Clock::System.now())?;
    let moment = || moment_of_command(Clock::System.now(), last);
    let replies =
        with_writer(config, |engine| transact(engine, &rules.vault, &[&postback], moment))??;
    for reply in replies {
        print(&reply?)?;
    }
    Ok(())
}

/// Prints an OK; anything else is a failure.
fn print(reply: &Reply) -> Result<(), Failure> {
    if reply.word() != Word::Ok {
        return Err(Failure::Failed(reply.as_str().to_owned()));
    }
    Ok(writeln!(stdout(), "{}", reply.as_str())?)
}
