//! `doctor`: checks the service, its database and its machine, and says what to do about what is
//! wrong. It changes nothing.

use std::io::{IsTerminal as _, Write as _, stderr, stdout};
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;

use super::failure::{Failure, judged};
use super::health;
use crate::clock::Clock;
use crate::config::{BadSetting, Config};
use crate::doctor::{Context, Depth, Finding, Level, Machine, examine, examine_settings};

/// How long the pages of the database are read without `--full`.
const PAGES_TIME_MAX: Duration = Duration::from_secs(20);
/// How long a backlog of passwords is watched. On a busy site the service hashes one in ten seconds
/// at least.
const BACKLOG_PATIENCE: Duration = Duration::from_secs(11);
/// How often the spinner moves.
const TICK_EVERY: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(super) struct DoctorCommand {
    /// Print JSON, with names that do not change
    #[arg(long)]
    json: bool,
    /// Do not read the database for damaged pages
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// Read the whole database for damaged pages, however long it takes [default: for at most 20
    /// seconds]
    #[arg(long)]
    full: bool,
}

/// The output of `--json`.
#[derive(Serialize)]
struct Output<'a> {
    /// The highest level of all findings.
    level: Level,
    findings: &'a [Finding],
}

impl DoctorCommand {
    /// Exit code 1 if a finding is serious.
    pub(super) fn run(&self, config: &Config, exposed: &[String]) -> Result<(), Failure> {
        let is_of_flag = config.sources().is_some_and(|sources| sources.is_of_flag("listen"));
        let wanted = health::Wanted { listen: config.listen, is_of_flag };
        let bar =
            if stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        bar.enable_steady_tick(TICK_EVERY);
        let findings = examine(&Context {
            config,
            exposed,
            machine: &Machine::default(),
            clock: &Clock::System,
            depth: match (self.quick, self.full) {
                (true, _) => Depth::Quick,
                (false, true) => Depth::Full,
                (false, false) => Depth::Within(PAGES_TIME_MAX),
            },
            patience: BACKLOG_PATIENCE,
            health: &|| health::query(wanted, &config.data_dir),
            progress: &|topic| bar.set_message(format!("checking: {topic}")),
        });
        bar.finish_and_clear();
        self.report(&findings)
    }

    /// What can be checked where settings cannot be used. Such a setting is a serious finding like
    /// any other, so a script needs no second rule for it: 2 says that `doctor` itself was called
    /// wrongly, and then it has checked nothing.
    pub(super) fn run_without_settings(&self, bad: &[BadSetting]) -> Result<(), Failure> {
        self.report(&examine_settings(bad, &Machine::default(), &Clock::System))
    }

    fn report(&self, findings: &[Finding]) -> Result<(), Failure> {
        let verdict = match count(findings, Level::Serious) {
            0 => Ok(()),
            1 => Err(Failure::Failed("1 serious finding: see above".into())),
            some => Err(Failure::Failed(format!("{some} serious findings: see above"))),
        };
        judged(self.print(findings), verdict)
    }

    fn print(&self, findings: &[Finding]) -> Result<(), Failure> {
        let mut out = stdout().lock();
        if self.json {
            let level = findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok);
            serde_json::to_writer_pretty(&mut out, &Output { level, findings })
                .map_err(std::io::Error::from)?;
            writeln!(out)?;
            return Ok(out.flush()?);
        }
        let mut topic = "";
        for finding in findings {
            if finding.topic != topic {
                topic = finding.topic;
                writeln!(out, "{topic}")?;
            }
            writeln!(out, "  {:<8} {}: {}", finding.level.as_str(), finding.name, finding.found)?;
            if let Some(remedy) = &finding.remedy {
                writeln!(out, "           -> {remedy}")?;
            }
        }
        let [serious, warning, note, ok] = [Level::Serious, Level::Warning, Level::Note, Level::Ok]
            .map(|level| count(findings, level));
        let warnings = if warning == 1 { "warning" } else { "warnings" };
        let notes = if note == 1 { "note" } else { "notes" };
        writeln!(out, "{serious} serious, {warning} {warnings}, {note} {notes}, {ok} ok")?;
        Ok(out.flush()?)
    }
}

fn count(findings: &[Finding], level: Level) -> usize {
    findings.iter().filter(|finding| finding.level == level).count()
}
