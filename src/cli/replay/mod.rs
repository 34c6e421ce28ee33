//! `replay`: captured postbacks into the database, to a URL, or only looked at; or the journal of
//! another database.

mod journal;
mod send;

use std::io::{IsTerminal as _, Write as _, stdout};
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::Failure;
use crate::action::{Change, Rules};
use crate::apply::{Postback, empty_wal};
use crate::clock::Clock;
use crate::config::Config;
use crate::data_dir::DataDirError;
use crate::database;
use crate::journal::Origin;
use crate::password::Vault;
use crate::replay::{Capture, Captured, Counts, DryRun, REPLAY_BATCH, apply_captured};
use crate::reply::{Reply, Word};
use crate::store::{Engine, OpenError, with_engine};

/// What the exit code says, for --help.
const EXIT_CODES: &str = "Ends with code 1 where a postback was answered ERROR (it changed nothing; the others are applied), \
    and where a FILE is no capture or has no postback (then nothing is done). With --journal an ERROR that the journal records is \
    none: each record must give the reply that it has, or nothing is taken.";

#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Replay {
    /// Captures: urlencoded bodies, one a line, or TMM's layout; with --journal, what `journal
    /// --json` wrote; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Send them to this URL instead, in their order
    #[arg(long, value_name = "URL", conflicts_with_all = ["dry_run", "journal"])]
    to: Option<String>,
    /// Show replies and changes, and change nothing
    #[arg(long, conflicts_with = "journal")]
    dry_run: bool,
    /// The files are journals; the database must be empty
    #[arg(long)]
    journal: bool,
}

impl Replay {
    pub(super) fn run(&self, config: &Config) -> Result<(), Failure> {
        match (&self.to, self.dry_run, self.journal) {
            (Some(url), _, _) => self.send(url),
            (None, true, _) => self.look(config),
            (None, false, true) => self.journal(config),
            (None, false, false) => self.apply(config),
        }
    }

    /// All files, before anything is done with the first.
    fn captures(&self) -> Result<Vec<Capture>, Failure> {
        Capture::open_all(&self.files).map_err(|error| Failure::of(&error))
    }

    /// Every postback of every file, with a bar that follows the bytes read.
    fn each(
        &self,
        captures: Vec<Capture>,
        work: impl FnMut(Captured, String) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let bar = self.progress();
        let done = each_with(captures, &bar, work);
        bar.finish_and_clear();
        done
    }

    fn progress(&self) -> ProgressBar {
        if !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        // None where one of them is a pipe, whose end nobody knows.
        let bytes = |path: &PathBuf| {
            std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|file| file.len())
        };
        let (bar, template) = match self.files.iter().map(bytes).sum() {
            Some(bytes) => (
                ProgressBar::new(bytes),
                "{bar:40} {bytes}/{total_bytes} {elapsed} (about {eta} to go)",
            ),
            None => (ProgressBar::no_length(), "{bytes} {elapsed}"),
        };
        // Both templates are constants that parse; without them the bar looks plainer.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar
    }

    fn apply(&self, config: &Config) -> Result<(), Failure> {
        let captures = self.captures()?;
        let (_lock, rules) = take(config)?;
        let mut counts = Counts::default();
        let done = with_engine(&config.location, true, |engine| {
            let done = self.apply_with(captures, engine, &rules, &mut counts);
            empty_wal(engine);
            done
        })?;
        end(&counts, done)
    }

    fn apply_with(
        &self,
        captures: Vec<Capture>,
        engine: &mut dyn Engine,
        rules: &Rules,
        counts: &mut Counts,
    ) -> Result<(), Failure> {
        let mut batch = Batch::default();
        let read = self.each(captures, |captured, place| {
            batch.postbacks.push(read(&captured, rules));
            batch.places.push(place);
            if batch.places.len() == REPLAY_BATCH {
                flush(engine, rules, &mut batch, counts)
            } else {
                Ok(())
            }
        });
        // Also where a line is bad: all that stands before it is applied, so that its place tells
        // how far it went. What fails here stands before that line.
        flush(engine, rules, &mut batch, counts).and(read)
    }

    fn look(&self, config: &Config) -> Result<(), Failure> {
        let captures = self.captures()?;
        let reader = match database::open(config) {
            Err(OpenError::Missing(_) | OpenError::Begun(_)) => None,
            reader => Some(reader?),
        };
        // With the key an equal password is seen to be equal; without one, as before a first start,
        // nothing is sealed.
        let vault =
            Vault::load(&config.data_dir.seal_key()).unwrap_or_else(|_| Vault::from_key([0; 32]));
        let rules = rules(config, vault);
        let (mut run, mut counts) = (DryRun::new(reader.as_ref(), &rules), Counts::default());
        self.each(captures, |captured, _| {
            let postback = read(&captured, &rules);
            let outcome = run.next(&postback, Clock::System.now())?;
            counts.add(outcome.record.reply.word());
            Ok(writeln!(
                stdout(),
                "{:<7} {}",
                change_word(&outcome.change),
                outcome.record.reply.as_str()
            )?)
        })?;
        writeln!(stdout(), "{counts}; nothing was changed")?;
        judge(&counts)
    }
}

fn each_with(
    captures: Vec<Capture>,
    bar: &ProgressBar,
    mut work: impl FnMut(Captured, String) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut done = 0;
    for mut capture in captures {
        while let Some(postback) = capture.next_postback().map_err(|error| Failure::of(&error))? {
            work(postback, capture.place())?;
            bar.set_position(done + capture.bytes_read());
        }
        done += capture.bytes_read();
    }
    Ok(())
}

/// The data directory for ourselves, and its key.
fn take(config: &Config) -> Result<(Vec<crate::data_dir::Lock>, Rules), Failure> {
    config.data_dir.make().map_err(|error| Failure::of(&error))?;
    let lock = config.data_dir.lock(config.location.path()).map_err(|error| match error {
        DataDirError::InUse(_) => {
            Failure::Failed(format!("{error}: send the postbacks to it with --to URL"))
        }
        DataDirError::Io(..) | DataDirError::Lock(..) => Failure::of(&error),
    })?;
    let vault = crate::service::open_database(config).map_err(|error| Failure::of(&error))?;
    Ok((lock, rules(config, vault)))
}

fn rules(config: &Config, vault: Vault) -> Rules {
    Rules { vault, keep_cryptpass: config.keep_cryptpass, expiry: config.expiry.clone() }
}

fn read(captured: &Captured, rules: &Rules) -> Postback {
    let (postback, ignored) = Postback::read(&captured.fields(), rules, Origin::Replay, None);
    postback.log_passed_over(&ignored);
    if postback.gives_name_unfit_for_basic() {
        Postback::log_unfit_for_basic(postback.heard.site, postback.heard.member);
    }
    postback
}

/// Postbacks of one transaction, and where each stands in its file.
#[derive(Default)]
struct Batch {
    postbacks: Vec<Postback>,
    places: Vec<String>,
}

/// Leaves the batch empty, also where it fails.
fn flush(
    engine: &mut dyn Engine,
    rules: &Rules,
    batch: &mut Batch,
    counts: &mut Counts,
) -> Result<(), Failure> {
    let Batch { postbacks, places } = std::mem::take(batch);
    let mut replies = Vec::with_capacity(places.len());
    let applied =
        apply_captured(engine, rules, &Clock::System, &postbacks, |reply| replies.push(reply));
    replies.iter().for_each(|reply| counts.add(reply.word()));
    for (place, reply) in places.iter().zip(&replies) {
        show_error(place, reply).map_err(|failure| failure.at(place))?;
    }
    let at = |place: Option<&String>, fault| {
        place.iter().fold(Failure::from(fault), |failure, place| failure.at(place))
    };
    applied.map_err(|fault| at(places.get(replies.len()), fault))?;
    engine.tidy(Instant::now()).map(|_| ()).map_err(|fault| at(places.last(), fault))
}

/// The counts at the end of a replay that changed something, also of one that ended early.
fn end(counts: &Counts, done: Result<(), Failure>) -> Result<(), Failure> {
    match done {
        Ok(()) => {
            writeln!(stdout(), "{counts}")?;
            judge(counts)
        }
        Err(Failure::Failed(line)) if *counts != Counts::default() => {
            // Stdout may be what failed.
            let _ = writeln!(stdout(), "{counts}");
            let then = "what stands before it was applied; replay the whole capture again once it is mended, repeats are harmless";
            Err(Failure::Failed(format!("{line}; {then}")))
        }
        Err(failure) => Err(failure),
    }
}

/// A postback that was answered ERROR changed nothing: whoever only looks at the exit code has to
/// know.
fn judge(counts: &Counts) -> Result<(), Failure> {
    match counts.error {
        0 => Ok(()),
        errors => Err(Failure::Failed(format!(
            "{errors} of {} postbacks got ERROR and changed nothing: see above",
            counts.all()
        ))),
    }
}

/// Of many replies, those that want somebody's eye.
fn show_error(place: &str, reply: &Reply) -> Result<(), Failure> {
    if reply.word() == Word::Error {
        writeln!(stdout(), "{place}: {}", reply.as_str())?;
    }
    Ok(())
}

fn change_word(change: &Change) -> &'static str {
    match change {
        Change::None => "-",
        Change::Insert(_) => "insert",
        Change::Restore(_) => "restore",
        Change::Update(_) => "update",
        Change::Leave(_) => "leave",
    }
}
