//! `member show`: the row of a member, whether they get in now, their last logins, and the journal
//! records about them.

use std::io::{BufWriter, Write, stdout};

use super::find::find;
use crate::cli::failure::Failure;
use crate::cli::journal;
use crate::clock::{Clock, format_utc};
use crate::config::Config;
use crate::database;
use crate::identity::{Key, MemberId, SiteId};
use crate::login_record::StoredLogin;
use crate::member::Member;
use crate::member_view::profile::Profile;
use crate::password::Stored;
use crate::replay::record_text;
use crate::store::{JournalFilter, Read};
use crate::unicode::Visible;

/// The last logins that are shown.
const LOGINS_MAX: usize = 10;
/// The most members that are shown at once.
const MEMBERS_MAX: usize = 20;

pub(super) fn run(config: &Config, site: Option<SiteId>, text: &str) -> Result<(), Failure> {
    let reader = database::open(config)?;
    let mut found = find(&*reader, site, text)?;
    // The history of a member is shown even if no row is left.
    if let (true, Some(site), Some(member)) = (found.is_empty(), site, MemberId::parse(text)) {
        found.push(Key { site, member });
    }
    if found.is_empty() {
        return Err(Failure::Failed(format!(
            "no member and no former member has this memberid, name or e-mail address: \"{}\"",
            text.escape_debug()
        )));
    }
    let mut out = BufWriter::new(stdout().lock());
    for (number, key) in found.iter().take(MEMBERS_MAX).enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        show(&mut out, &*reader, *key)?;
    }
    if found.len() > MEMBERS_MAX {
        let more = found.len() - MEMBERS_MAX;
        writeln!(out, "\n{more} more have it: `nats-userman member list` with it lists them")?;
    }
    Ok(out.flush()?)
}

fn show(out: &mut impl Write, reader: &dyn Read, key: Key) -> Result<(), Failure> {
    let profile = Profile::read(reader, key, None, Clock::System.now())?;
    let explanation = profile.short_explanation();
    writeln!(out, "member {} of site {}: {explanation}", key.member, key.site)?;
    let logins = profile.logins.get(..LOGINS_MAX).unwrap_or(&profile.logins);
    let row = profile.row();
    if let Some(row) = row {
        describe(out, row)?;
    }
    show_logins(out, logins)?;
    writeln!(out, "\nhistory:")?;
    let filter = JournalFilter {
        site: Some(key.site.get()),
        member: Some(key.member.get()),
        ..JournalFilter::default()
    };
    journal::print(reader, &filter, out, |record| Ok(record_text(record)))
}

fn show_logins(out: &mut impl Write, logins: &[StoredLogin]) -> Result<(), Failure> {
    if logins.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nlast logins:")?;
    for StoredLogin { record, .. } in logins {
        let (when, what) = (format_utc(record.at), record.event.sentence());
        writeln!(out, "{when} {what} ({}) from {}", record.way.as_str(), record.network)?;
    }
    Ok(())
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
