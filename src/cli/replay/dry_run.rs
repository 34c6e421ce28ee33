//! `replay --dry-run`: what captured postbacks would do.

use std::io::{Write as _, stdout};
use std::path::PathBuf;

use super::counts::judge;
use super::{captures, target};
use crate::action::Change;
use crate::cli::failure::{Failure, judged};
use crate::clock::Clock;
use crate::config::Config;
use crate::database;
use crate::password::Vault;
use crate::replay::{Counts, DryRun};
use crate::store::OpenError;

pub(super) fn run(files: &[PathBuf], config: &Config) -> Result<(), Failure> {
    let opened = captures::open(files)?;
    let reader = match database::open(config) {
        Err(OpenError::Missing(_) | OpenError::Lost(_) | OpenError::Begun(_)) => None,
        reader => Some(reader?),
    };
    // The key is needed to recognise equal passwords. Without one, as before a first start, nothing
    // is sealed.
    let vault =
        Vault::load(&config.data_dir.seal_key()).unwrap_or_else(|_| Vault::from_key([0; 32]));
    let rules = target::rules(config, vault);
    let (mut run, mut counts) = (DryRun::new(reader.as_deref(), &rules), Counts::default());
    let shown = captures::each(files, opened, |captured, _| {
        let postback = captures::read(&captured, &rules);
        let outcome = run.next(&postback, Clock::System.now())?;
        counts.add(outcome.record.reply.word());
        Ok(writeln!(
            stdout(),
            "{:<7} {}",
            change_word(&outcome.change),
            outcome.record.reply.as_str()
        )?)
    });
    let printed = shown.and_then(|()| Ok(writeln!(stdout(), "{counts}; nothing was changed")?));
    judged(printed, judge(&counts))
}

fn change_word(change: &Change) -> &'static str {
    match change {
        Change::None => "-",
        Change::Insert(_) => "insert",
        Change::Restore(_) => "restore",
        Change::Update(_) => "update",
        Change::Leave(_) => "leave",
        Change::Erase(_) => "erase",
    }
}
