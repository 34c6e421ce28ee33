//! `member list`: members, or former members, as tab-separated lines.

use std::io::{BufWriter, Write as _, stdout};

use crate::cli::failure::Failure;
use crate::clock::{Clock, format_utc};
use crate::config::Config;
use crate::database;
use crate::identity::Key;
use crate::store::pages;
use crate::unicode::Visible;

pub(super) fn run(config: &Config, site: Option<i64>, former: bool) -> Result<(), Failure> {
    let reader = database::open(config)?;
    let mut out = BufWriter::new(stdout().lock());
    if former {
        writeln!(out, "siteid\tmemberid\tusername\treason\tended_at")?;
        pages::each_former(&*reader, site, |former| {
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
        pages::each_member(&*reader, site, Clock::System.now(), |row| {
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
