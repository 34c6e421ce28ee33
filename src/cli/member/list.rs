//! `member list`: members, or former members, as tab-separated lines.

use std::io::{BufWriter, Write, stderr, stdout};

use super::find::find;
use crate::action::Standing;
use crate::cli::failure::Failure;
use crate::clock::{Clock, format_utc};
use crate::config::Config;
use crate::database;
use crate::identity::{Key, SiteId};
use crate::member::{Former, Member};
use crate::store::pages;
use crate::unicode::Visible;

const HEAD: &str = "siteid\tmemberid\tusername\ttrial\texpire_at";
const FORMER_HEAD: &str = "siteid\tmemberid\tusername\treason\tended_at";

/// Lists all members, or those whose memberid, name or e-mail address is `text`.
pub(super) fn run(
    config: &Config,
    site: Option<i64>,
    former: bool,
    text: Option<&str>,
) -> Result<(), Failure> {
    let reader = database::open(config)?;
    let mut out = BufWriter::new(stdout().lock());
    let now = Clock::System.now();
    writeln!(out, "{}", if former { FORMER_HEAD } else { HEAD })?;
    match text {
        Some(text) => {
            let site = site.and_then(|site| SiteId::parse(&site.to_string()));
            let (mut listed, mut others) = (0, 0);
            for key in find(&*reader, site, text)? {
                match reader.standing(key, now)? {
                    Standing::Here(row) if !former => member_line(&mut out, &row)?,
                    Standing::Former(row) if former => former_line(&mut out, &row)?,
                    Standing::Here(_) | Standing::Former(_) => {
                        others += 1;
                        continue;
                    }
                    Standing::Lapsed(_) | Standing::Unknown => continue,
                }
                listed += 1;
            }
            out.flush()?;
            if listed == 0 {
                writeln!(stderr(), "nats-userman: {}", nobody(former, others))?;
            }
        }
        None if former => {
            pages::each_former(&*reader, site, |row| former_line(&mut out, row))?;
        }
        None => pages::each_member(&*reader, site, now, |row| member_line(&mut out, row))?,
    }
    Ok(out.flush()?)
}

/// Says that nobody was found, and where there is somebody.
fn nobody(former: bool, others: usize) -> String {
    match (former, others) {
        (false, 0) => "no member or former member is found".into(),
        (false, _) => "no member is found; --former lists the former members".into(),
        (true, 0) => "no former member or member is found".into(),
        (true, _) => "no former member is found; without --former, members are listed".into(),
    }
}

fn member_line(out: &mut impl Write, row: &Member) -> Result<(), Failure> {
    let (Key { site, member }, name) = (row.key, Visible(row.username.as_str()));
    let expiry = row.expire_at.map_or_else(|| "-".into(), format_utc);
    Ok(writeln!(out, "{site}\t{member}\t{name}\t{}\t{expiry}", u8::from(row.trial))?)
}

fn former_line(out: &mut impl Write, former: &Former) -> Result<(), Failure> {
    let Key { site, member } = former.member.key;
    let (name, reason) = (Visible(former.member.username.as_str()), former.reason.as_str());
    let ended = format_utc(former.ended_at);
    Ok(writeln!(out, "{site}\t{member}\t{name}\t{reason}\t{ended}")?)
}
