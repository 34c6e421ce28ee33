//! `member show`: the row of one member and the journal records about them.

use std::io::{BufWriter, Write, stdout};

use crate::action::Standing;
use crate::cli::failure::Failure;
use crate::cli::journal;
use crate::clock::{Clock, format_utc};
use crate::config::Config;
use crate::database;
use crate::identity::Key;
use crate::member::Member;
use crate::password::Stored;
use crate::store::JournalFilter;
use crate::unicode::Visible;

pub(super) fn run(config: &Config, key: Key) -> Result<(), Failure> {
    let reader = database::open(config)?;
    let mut out = BufWriter::new(stdout().lock());
    match reader.standing(key, Clock::System.now())? {
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
    journal::print(&*reader, &filter, &mut out, |record| Ok(journal::text(record)))
}

fn describe(out: &mut impl Write, row: &Member) -> Result<(), Failure> {
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
