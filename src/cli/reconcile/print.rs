//! The report of a comparison, as text or as JSON lines.

use std::io::{self, Write};

use serde_json::json;

use crate::clock::format_utc;
use crate::counted::counted;
use crate::identity::Username;
use crate::reconcile::{Counts, Difference, Kind, MemberList, Mended};
use crate::unicode::Visible;

/// Where the report goes.
pub(super) struct Report<'a> {
    pub(super) out: &'a mut dyn Write,
    pub(super) json: bool,
}

impl Report<'_> {
    fn object(&mut self, object: &serde_json::Value) -> io::Result<()> {
        writeln!(self.out, "{object}")
    }

    /// The rows of the list that cannot be read.
    pub(super) fn refused_rows(&mut self, list: &MemberList) -> io::Result<()> {
        let unit = if list.is_csv { "line" } else { "row" };
        for refused in &list.refused {
            match self.json {
                true => self.object(&json!({ "refused": refused.row, "why": refused.why }))?,
                false => writeln!(
                    self.out,
                    "{unit} {}: {}; correct it and run reconcile again",
                    refused.row, refused.why
                )?,
            }
        }
        let more = list.refused_count - list.refused.len() as u64;
        if more > 0 && !self.json {
            writeln!(self.out, "{} more cannot be read", counted(more, "row"))?;
        }
        Ok(())
    }

    /// One difference.
    pub(super) fn difference(&mut self, difference: &Difference) -> io::Result<()> {
        let Difference { key, name, kind } = difference;
        if self.json {
            return self.object(&as_json(difference));
        }
        let name = name.as_ref().map(|name| format!(" \"{}\"", Visible(name.as_str())));
        let name = name.unwrap_or_default();
        write!(self.out, "member {}{name} of site {}: ", key.member, key.site)?;
        match kind {
            Kind::NotHere { is_former: true, .. } => writeln!(
                self.out,
                "active at NATS, not here; a former member, whom --apply restores"
            ),
            Kind::NotHere { has_credential: true, .. } => writeln!(
                self.out,
                "active at NATS, not here; --apply adds them with the credential of the list"
            ),
            Kind::NotHere { .. } => writeln!(
                self.out,
                "active at NATS, not here, and never was; import them with a password or a \
                 cryptpass"
            ),
            Kind::NotThere => writeln!(self.out, "here, not active at NATS"),
            Kind::Provisional { here } => writeln!(
                self.out,
                "here under the provisional memberid {here}; --apply gives them that of NATS"
            ),
            Kind::Name { there } => {
                writeln!(self.out, "NATS has the name \"{}\"", Visible(there.as_str()))
            }
            Kind::Trial { there } => writeln!(
                self.out,
                "NATS has trial {}, here it is {}",
                u8::from(*there),
                u8::from(!there)
            ),
            Kind::Expiry { there, here } => writeln!(
                self.out,
                "NATS has the expiry {}, here it is {}",
                format_utc(*there),
                here.map_or_else(|| "none".into(), format_utc)
            ),
        }
    }

    /// What `--dry-run` would have done.
    pub(super) fn would_change(&mut self, changes: u64) -> io::Result<()> {
        match self.json {
            true => self.object(&json!({ "would_change": changes })),
            false => writeln!(
                self.out,
                "{} would be changed; nothing was changed",
                counted(changes, "member")
            ),
        }
    }

    /// Members whose change was refused.
    pub(super) fn refused_changes(&mut self, mended: &Mended) -> io::Result<()> {
        for (key, why) in &mended.refused {
            match self.json {
                true => self.object(&json!({
                    "not_mended": why,
                    "siteid": key.site.get(),
                    "memberid": key.member.get(),
                }))?,
                false => writeln!(
                    self.out,
                    "member {} of site {} is not mended: {why}",
                    key.member, key.site
                )?,
            }
        }
        Ok(())
    }

    /// The last line.
    pub(super) fn counts(
        &mut self,
        counts: &Counts,
        list: &MemberList,
        mended: Option<&Mended>,
    ) -> io::Result<()> {
        if self.json {
            return self.object(&counts_as_json(counts, list, mended));
        }
        let (members, listed) = (counts.members, list.members() as u64);
        write!(
            self.out,
            "{} compared with {} of the list: {counts}",
            counted(members, "member"),
            counted(listed, "active member")
        )?;
        for (count, what) in [
            (counts.changed, "changed since and left out"),
            (list.inactive, "not active in the list"),
            (list.elsewhere, "of other sites"),
        ] {
            if count > 0 {
                write!(self.out, "; {count} {what}")?;
            }
        }
        if let Some(mended) = mended {
            write!(
                self.out,
                "; {} mended, {} could not be mended, {} had changed meanwhile",
                mended.mended,
                mended.left(),
                mended.changed
            )?;
        }
        writeln!(self.out)
    }
}

fn text(name: Option<&Username>) -> Option<&str> {
    name.map(Username::as_str)
}

fn as_json(difference: &Difference) -> serde_json::Value {
    let Difference { key, name, kind } = difference;
    let (what, more) = match kind {
        Kind::NotHere { is_former, has_credential } => (
            "not_here",
            json!({ "former_member": is_former, "credential_in_list": has_credential }),
        ),
        Kind::NotThere => ("not_there", json!({})),
        Kind::Provisional { here } => {
            ("provisional", json!({ "provisional_memberid": here.get() }))
        }
        Kind::Name { there } => ("name", json!({ "nats": there.as_str() })),
        Kind::Trial { there } => {
            ("trial", json!({ "nats": u8::from(*there), "here": u8::from(!there) }))
        }
        Kind::Expiry { there, here } => ("expiry", json!({ "nats": there, "here": here })),
    };
    let mut object = json!({
        "difference": what,
        "siteid": key.site.get(),
        "memberid": key.member.get(),
        "username": text(name.as_ref()),
    });
    if let (Some(object), serde_json::Value::Object(more)) = (object.as_object_mut(), more) {
        object.extend(more);
    }
    object
}

fn counts_as_json(
    counts: &Counts,
    list: &MemberList,
    mended: Option<&Mended>,
) -> serde_json::Value {
    json!({
        "members": counts.members,
        "listed": list.members(),
        "not_here": counts.not_here,
        "not_here_former": counts.not_here_former,
        "not_there": counts.not_there,
        "provisional": counts.provisional,
        "names": counts.names,
        "trials": counts.trials,
        "expiries": counts.expiries,
        "changed_since": counts.changed,
        "not_active_in_list": list.inactive,
        "of_other_sites": list.elsewhere,
        "refused_rows": list.refused_count,
        "mended": mended.map(|mended| mended.mended),
        "not_mended": mended.map(Mended::left),
        "changed_meanwhile": mended.map(|mended| mended.changed),
    })
}
