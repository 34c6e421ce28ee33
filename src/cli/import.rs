//! `import`: members of another program, from a file or from a table on a server.

mod target;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::ProgressBar;

use super::failure::{Failure, id};
use super::progress::{bar_of_bytes, bar_of_rows};
use super::report::Report;
use crate::action::{Added, Rules};
use crate::apply::Postback;
use crate::clock::Clock;
use crate::clock::jump::moment_of_command;
use crate::config::{Config, ImportSource};
use crate::database;
use crate::identity::SiteId;
use crate::import::{
    BadSource, Checked, FORMATS_EXPECTED, Format, IMPORT_BATCH, IMPORT_BATCH_ALONE, Input, LeftOut,
    Mapping, Prepared, Preparer, Row, Rows, Step, Unnamed, apply_batch, check, decide_batch,
};
use crate::reply::Reply;
use crate::store::{Engine, Fault, Read};
use target::Target;

const EXIT_CODES: &str = "Exit code 1: a row was refused (the others are imported), or the source \
    as a whole cannot be used (then nothing is imported). Repeats are harmless: an import that was \
    interrupted is run again.";

#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub(super) struct ImportCommand {
    /// File of members, also in gzip or UTF-16; - is standard input
    #[arg(value_name = "FILE", required_unless_present = "from")]
    file: Option<PathBuf>,
    #[command(flatten)]
    source: ImportSource,
    /// Format of the file: csv, tsv, jsonl, htpasswd, mysql-dump or mysql-batch [default:
    /// recognised by the first line]
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    format: Option<Format>,
    /// Name that a column has in the source, as in cryptpass=pass; repeatable
    #[arg(long, value_name = "COLUMN=NAME")]
    map: Vec<String>,
    /// Table of --from [default: member_auth], or of a MySQL dump where several have members
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// siteid of the rows that have none; rows of another site are refused
    #[arg(long, value_name = "SITE", value_parser = id)]
    site: Option<i64>,
    /// Import nothing unless the source has this number of rows
    #[arg(long, value_name = "ROWS")]
    expect_count: Option<u64>,
    /// Say what would be refused and changed, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON lines: an object for each refused row, and one with the counts
    #[arg(long)]
    json: bool,
}

fn format(text: &str) -> Result<Format, &'static str> {
    Format::parse(text).ok_or(FORMATS_EXPECTED)
}

impl From<BadSource> for Failure {
    fn from(error: BadSource) -> Self {
        Self::Failed(error.to_string())
    }
}

impl ImportCommand {
    pub(super) fn run(&self, config: &Config) -> Result<(), Failure> {
        let mapping =
            Mapping::parse(&self.map).map_err(|error| Failure::usage(error.to_string()))?;
        let input = self.input(config, mapping)?;
        let site = self.site.and_then(|site| SiteId::parse(&site.to_string()));
        let bar = if input.counts_rows() { bar_of_rows() } else { bar_of_bytes() };
        bar.set_length(input.length());
        bar.set_message("checking");
        let mut rows = input.rows()?;
        let checked = check(&mut *rows, site, || bar.set_position(input.position()))?;
        self.check_count(&input, checked.rows)?;
        let mut report = Report::new(self.json);
        if let Some(note) = input.note() {
            report.note(input.name(), note)?;
        }
        if !checked.unused.is_empty() {
            report.note(input.name(), &unused(&checked.unused))?;
        }
        bar.set_message("importing");
        if input.counts_rows() {
            bar.set_length(checked.rows);
        }
        let rows = input.rows()?;
        let open = Open { input: &input, rows, checked: &checked, bar: &bar, site };
        let mut counts = Counts::default();
        let done = self.apply(config, open, &mut report, &mut counts);
        bar.finish_and_clear();
        let ended = report.end(&counts.named(), self.dry_run);
        match done {
            Ok(()) => {
                report.judge(checked.rows)?;
                counts.judge(checked.rows)?;
                ended
            }
            Err(usage @ Failure::Usage(_)) => Err(usage),
            Err(Failure::OutputClosed) => Err(self.said("the output was closed", &counts)),
            Err(Failure::Failed(line)) => Err(self.said(&line, &counts)),
        }
    }

    /// A failure in the middle, with what became of the rows before it.
    fn said(&self, line: &str, counts: &Counts) -> Failure {
        Failure::Failed(match (self.dry_run, counts.applied()) {
            (true, _) => line.to_owned(),
            (false, 0) if line.contains("nothing was") => line.to_owned(),
            (false, 0) => format!("{line}; nothing was imported"),
            (false, _) => format!("{line}; {GO_ON}"),
        })
    }

    /// Opens what is imported.
    fn input(&self, config: &Config, mapping: Mapping) -> Result<Input, Failure> {
        let table = self.table.as_deref();
        if let Some(server) = self.source.server()? {
            if self.source.has_password_in_url() {
                log::warn!(
                    "--from has a password, which is visible in the process list to every user of \
                     this machine: use --from-password-file"
                );
            }
            if config.location.is_database_of(&server) {
                return Err(Failure::Failed(format!(
                    "--from: {server} is the database of --database itself: import reads tables \
                     of other programs"
                )));
            }
            return Ok(Input::server(&server, table, mapping)?);
        }
        // clap requires one of the two.
        let Some(file) = &self.file else { return Err(Failure::usage("expected FILE or --from")) };
        Ok(Input::file(file, self.format, table, mapping)?)
    }

    fn check_count(&self, input: &Input, found: u64) -> Result<(), Failure> {
        match self.expect_count.filter(|&expected| expected != found) {
            None => Ok(()),
            Some(expected) => Err(Failure::Failed(format!(
                "{}: --expect-count: expected {expected} rows, found {found}; \
                 nothing was imported: check the source, or correct the number",
                input.name()
            ))),
        }
    }

    fn apply(
        &self,
        config: &Config,
        open: Open<'_>,
        report: &mut Report,
        counts: &mut Counts,
    ) -> Result<(), Failure> {
        if self.dry_run {
            let target = target::for_dry_run(config)?;
            let reader = target.reader.as_deref();
            let apply = |batch: &[&Postback]| Sink::Dry(reader).apply(&target.rules, batch);
            return open.each_batch(&target.rules, reader, report, counts, &|| true, apply);
        }
        let Target { rules, reader, last_seen } = target::open(config)?;
        // A server has other clients. A service may start meanwhile.
        let is_shared = || config.location.file().is_none() || target::is_served(config);
        database::with_writer(config, |engine| {
            engine.expect_many()?;
            let mut sink = Sink::Engine { engine, last_seen, config };
            let apply = |batch: &[&Postback]| sink.apply(&rules, batch);
            open.each_batch(&rules, Some(&*reader), report, counts, &is_shared, apply)
        })?
    }
}

const GO_ON: &str = "all rows before it are imported: \
    remove the cause and import again, repeats are harmless";

fn unused(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    format!("columns that are not imported: {}", names.join(", "))
}

/// What became of rows, apart from refused ones.
#[derive(Debug, Default)]
struct Counts {
    added: u64,
    changed: u64,
    same: u64,
    expired: u64,
    former: u64,
    inactive: u64,
    named: u64,
}

impl Counts {
    /// The rows that were applied.
    fn applied(&self) -> u64 {
        self.added + self.changed + self.same
    }

    /// Fails if all rows were left out for their status: it may mean something else in this source.
    fn judge(&self, rows: u64) -> Result<(), Failure> {
        match rows > 0 && self.inactive == rows {
            false => Ok(()),
            true => Err(Failure::Failed(
                "no row has the status 1, which members of NATS's lists have, so none was \
                 imported: if the column status means something else, take it out of the source"
                    .into(),
            )),
        }
    }

    fn left_out(&mut self, why: LeftOut) -> &mut u64 {
        match why {
            LeftOut::Expired => &mut self.expired,
            LeftOut::Former => &mut self.former,
            LeftOut::Inactive => &mut self.inactive,
            LeftOut::Named => &mut self.named,
        }
    }

    fn named(&self) -> [(&'static str, u64, &'static str); 7] {
        [
            ("added", self.added, "added"),
            ("changed", self.changed, "changed"),
            ("same", self.same, "were so already"),
            ("expired", self.expired, "left out because they have expired"),
            ("former", self.former, "left out because they are former members"),
            ("inactive", self.inactive, "left out because their status is not 1"),
            ("named", self.named, "left out because a member with a memberid of NATS has the name"),
        ]
    }
}

/// Where batches go.
enum Sink<'a> {
    /// To nobody: a dry run, on a database or on none.
    Dry(Option<&'a dyn Read>),
    Engine {
        engine: &'a mut dyn Engine,
        last_seen: Option<i64>,
        config: &'a Config,
    },
}

impl Sink<'_> {
    fn apply(
        &mut self,
        rules: &Rules,
        batch: &[&Postback],
    ) -> Result<Vec<Result<Reply, Fault>>, Fault> {
        match self {
            Sink::Dry(reader) => {
                let replies = decide_batch(*reader, rules, batch, Clock::System.now())?;
                Ok(replies.into_iter().map(Ok).collect())
            }
            Sink::Engine { engine, last_seen, config } => {
                let begun = Instant::now();
                let moment = || moment_of_command(Clock::System.now(), *last_seen);
                let replies = apply_batch(*engine, rules, batch, moment)?;
                engine.maintain(Instant::now())?;
                if target::is_served(config) {
                    // The service waits for the lock of an SQLite file by trying again, and would
                    // hardly find a moment between two batches.
                    std::thread::sleep(begun.elapsed().max(PAUSE_MIN));
                }
                Ok(replies)
            }
        }
    }
}

/// The shortest pause between two batches beside a running service.
const PAUSE_MIN: Duration = Duration::from_millis(2);

/// An input that was checked, at its first row.
struct Open<'a> {
    input: &'a Input,
    rows: Box<dyn Rows>,
    checked: &'a Checked,
    bar: &'a ProgressBar,
    site: Option<SiteId>,
}

/// Postbacks of one transaction, and the place of each in the file.
#[derive(Default)]
struct Pending {
    postbacks: Vec<Postback>,
    places: Vec<String>,
}

impl Open<'_> {
    /// Makes postbacks of all rows and passes them to `apply` in batches: in small ones while
    /// others wait for the end of each (`is_shared`).
    fn each_batch(
        mut self,
        rules: &Rules,
        reader: Option<&dyn Read>,
        report: &mut Report,
        counts: &mut Counts,
        is_shared: &dyn Fn() -> bool,
        mut apply: impl FnMut(&[&Postback]) -> Result<Vec<Result<Reply, Fault>>, Fault>,
    ) -> Result<(), Failure> {
        let mut pending = Pending::default();
        let read =
            self.each_row(rules, reader, &mut pending, report, counts, is_shared, &mut apply);
        // Also after a failure: everything before it is applied.
        let flushed = pending.flush(report, counts, &mut apply);
        let read = read?;
        flushed?;
        if read != self.checked.rows {
            return Err(Failure::Failed(format!(
                "{}: had {} rows at first and {read} now: it was changed while it was read",
                self.input.name(),
                self.checked.rows
            )));
        }
        Ok(())
    }

    /// Makes postbacks of all rows, and passes them to `apply` but for the last ones. Returns the
    /// number of rows.
    #[expect(clippy::too_many_arguments, reason = "each is of another kind")]
    fn each_row(
        &mut self,
        rules: &Rules,
        reader: Option<&dyn Read>,
        pending: &mut Pending,
        report: &mut Report,
        counts: &mut Counts,
        is_shared: &dyn Fn() -> bool,
        apply: &mut impl FnMut(&[&Postback]) -> Result<Vec<Result<Reply, Fault>>, Fault>,
    ) -> Result<u64, Failure> {
        let now = Clock::System.now();
        let preparer = Preparer::new(rules, self.site, now);
        let mut unnamed = Unnamed::new(reader, self.site, now)
            .map_err(|error| Failure::Failed(format!("cannot draw a memberid: {error}")))?;
        let (mut row, mut notes, mut read) = (Row::default(), Vec::new(), 0);
        loop {
            let step = self.rows.next(&mut row)?;
            let prepared = match step {
                Step::End => break,
                Step::Refused(refused) => Prepared::Refused(refused),
                Step::Row => {
                    if let Some(refused) = self.checked.refusal(read) {
                        Prepared::Refused(refused)
                    } else if let Some(why) = LeftOut::of(&row) {
                        Prepared::LeftOut(why)
                    } else if let Some(unnamed) = unnamed.name(&mut row)? {
                        unnamed
                    } else {
                        preparer.prepare(&row, &mut notes)
                    }
                }
            };
            read += 1;
            match prepared {
                Prepared::LeftOut(why) => *counts.left_out(why) += 1,
                Prepared::Refused(refused) => {
                    report.refuse(&row.place(), &refused.problem, refused.remedy)?;
                }
                Prepared::Postback(postback) => {
                    pending.postbacks.push(*postback);
                    pending.places.push(row.place());
                }
            }
            for note in notes.drain(..) {
                report.note(&row.place(), &note)?;
            }
            let rows = pending.places.len();
            let is_small = rows > 0 && rows.is_multiple_of(IMPORT_BATCH);
            if is_small && (rows >= IMPORT_BATCH_ALONE || is_shared()) {
                pending.flush(report, counts, apply)?;
                self.bar.set_position(self.input.position());
            }
        }
        Ok(read)
    }
}

impl Pending {
    /// Applies the batch and empties it.
    fn flush(
        &mut self,
        report: &mut Report,
        counts: &mut Counts,
        apply: &mut impl FnMut(&[&Postback]) -> Result<Vec<Result<Reply, Fault>>, Fault>,
    ) -> Result<(), Failure> {
        let Pending { postbacks, places } = std::mem::take(self);
        let Some(first) = places.first() else { return Ok(()) };
        let batch: Vec<&Postback> = postbacks.iter().collect();
        let replies = apply(&batch).map_err(|fault| Failure::from(fault).at(first))?;
        for (place, reply) in places.iter().zip(replies) {
            match reply {
                Ok(reply) => match Added::of(&reply) {
                    Some(Added::New) => counts.added += 1,
                    Some(Added::Changed) => counts.changed += 1,
                    Some(Added::Same) => counts.same += 1,
                    None => report.refuse(place, reply.sentence(), HELD_REMEDY)?,
                },
                Err(fault) if fault.is_of_one_postback() => {
                    let problem = crate::chain::chain(&fault);
                    report.refuse(place, &problem, "run nats-userman doctor, then import again")?;
                }
                Err(fault) => return Err(Failure::from(fault).at(place)),
            }
        }
        Ok(())
    }
}

/// For a row that the rules refuse: mostly because another member holds the name.
const HELD_REMEDY: &str = "correct one of the two and import again";
