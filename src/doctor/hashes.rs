//! Stored credentials that do not fit the settings.

use super::content;
use super::context::Known;
use super::report::{Level, Report};
use crate::chain::chain;
use crate::config::Config;
use crate::hardening::leftovers;
use crate::store::pages;

pub(super) fn check(config: &Config, known: &Known, now: i64, report: &mut Report) {
    let (Some(reader), Some(diagnosis)) = (known.reader(), known.diagnosis()) else { return };
    let odd = diagnosis.credentials;
    if odd.without > 0 {
        report.add(
            Level::Serious,
            "credentials",
            format!("rows of members without any credential: {}", odd.without),
            "another program wrote them: send these members again from NATS, or remove the rows",
        );
    } else {
        report.ok("credentials", "every member has a credential");
    }
    if odd.with_cryptpass > 0 && !config.keep_cryptpass {
        report.add(
            Level::Note,
            "cryptpass",
            format!(
                "rows that still have a cryptpass, although --keep-cryptpass is off: {}",
                odd.with_cryptpass
            ),
            "each is removed when NATS next sends the password; it is a weak hash",
        );
    } else {
        report.ok("cryptpass", "the column cryptpass is as --keep-cryptpass says");
    }
    match pages::count_forms(reader, now, || true) {
        Ok(forms) => {
            let forms = forms.unwrap_or_default();
            let blocked = leftovers::blocked(&forms, config.password_hash, config.keep_cryptpass);
            let other = leftovers::still_bcrypt(&forms, config.password_hash);
            if blocked.is_empty() && other.is_none() {
                report.ok(
                    "hash_kind",
                    format!("no hash of another kind than {}", config.password_hash),
                );
            }
            for sentence in blocked {
                report.add(
                    Level::Warning,
                    "hash_kind",
                    sentence,
                    "docs/members-area.md, \"Turning on bcrypt or cryptpass later\"",
                );
            }
            if let Some(sentence) = other {
                report.add(Level::Note, "hash_kind", sentence, "nothing has to be done");
            }
        }
        Err(fault) => {
            let remedy = content::remedy_of_fault(&fault);
            report.add(Level::Serious, "hash_kind", chain(&fault), remedy);
        }
    }
}
