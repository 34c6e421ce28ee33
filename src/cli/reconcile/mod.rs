//! `reconcile`: compares the members with NATS's list of active members, and mends the differences.

mod limit;
mod print;

use std::fs;
use std::io::{BufWriter, IsTerminal as _, Write as _, stderr, stdout};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::UNIX_EPOCH;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use self::limit::Limit;
use self::print::Report;
use super::failure::Failure;
use crate::action::Rules;
use crate::clock::jump::moment_of_command;
use crate::clock::{Clock, EXPIRE_EXPECTED, format_utc, parse_moment};
use crate::config::Config;
use crate::counted::counted;
use crate::database;
use crate::identity::{ID_EXPECTED, SiteId};
use crate::import::plain_text;
use crate::nats_client::Client;
use crate::nats_client::settings::StringSource;
use crate::password::Vault;
use crate::reconcile::schedule::SLACK_SECONDS;
use crate::reconcile::{
    Counts, Here, ListWish, MemberList, Mended, Mending, Plan, ReconcileError, Since,
    changed_since, compare, fetch, read_list, sites_here,
};
use crate::replay::Input;
use crate::store::Read;

/// A file may have been begun this long before its time of modification.
const FILE_SLACK_SECONDS: i64 = 15 * 60;
/// The oldest list that is mended by: later changes must still be in the journal, which keeps a day
/// at least.
const LIST_AGE_MAX: i64 = 86_400;

/// The exit codes, for `--help`.
const EXIT_CODES: &str = "Exit code 0: no difference is left, or a dry run ended. Exit code 1: \
    there are differences, a row of the list was refused, or nothing could be compared.";

#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub(super) struct ReconcileCommand {
    /// NATS's list of active members: CSV with a header line, or JSON; - is standard input
    #[arg(value_name = "FILE", required_unless_present = "from_nats")]
    file: Option<PathBuf>,
    /// Request the list from NATS's REST API (--nats-url, --nats-api-username and --nats-api-key)
    #[arg(long, conflicts_with = "file")]
    from_nats: bool,
    /// Only this siteid; repeatable [default: the sites of the list; with --from-nats, those of
    /// the members here]
    #[arg(long, value_name = "SITEID", value_parser = site)]
    site: Vec<SiteId>,
    /// Mend what differs: remove who is not active at NATS, restore former members, add who comes
    /// with a credential, change names and trial flags
    #[arg(long)]
    apply: bool,
    /// With --apply, change nothing if more members than this would be changed: a number, or a
    /// percentage of the members here
    #[arg(long, value_name = "NUMBER|N%", default_value = "2%", requires = "apply")]
    max_changes: Limit,
    /// With --apply, change also more members than --max-changes says
    #[arg(long, requires = "apply")]
    allow_many: bool,
    /// With --apply, say what would be changed, and change nothing
    #[arg(long, requires = "apply")]
    dry_run: bool,
    /// When NATS made the list: members who have changed since are left out. YYYY-MM-DD,
    /// "YYYY-MM-DD hh:mm:ss" (in --time-zone) or unix seconds [default: a quarter of an hour
    /// before the file was written]
    #[arg(long, value_name = "TIME", conflicts_with = "from_nats")]
    list_time: Option<String>,
    /// Print JSON objects: one for each difference and refused row, and the counts at the end
    #[arg(long)]
    json: bool,
}

impl ReconcileCommand {
    pub(super) fn run(&self, config: &Config) -> Result<(), Failure> {
        match self.compare(config) {
            // A reader of the report that ends early, such as `head`, must not look like success.
            Err(Failure::OutputClosed) if self.apply && !self.dry_run => Err(Failure::Failed(
                "reconcile: the output was closed before the end: run it again with a reader that \
                 takes all of it; repeats are harmless"
                    .into(),
            )),
            done => done,
        }
    }

    fn compare(&self, config: &Config) -> Result<(), Failure> {
        let reader = database::open(config)?;
        let now = Clock::System.now();
        let wish = ListWish {
            sites: self.site.clone(),
            zone: config.expiry.zone.clone(),
            keeps_secrets: self.apply,
        };
        let bar = bar_of_members();
        let listed = match &self.file {
            Some(file) => self.list_of_file(file, config, &wish, now, &bar),
            None => list_of_nats(config, &*reader, wish, now, &bar),
        };
        bar.finish_and_clear();
        let (list, since) = listed?;
        if self.apply {
            self.check_age(since, now)?;
        }
        let newest = reader.newest_record()?.map(|(id, _)| id);
        let changed = changed_since(&*reader, since)?;
        // Whoever had changed until now is left out already.
        let since = Since { record: newest, ..since };
        let mut out = BufWriter::new(stdout().lock());
        let mut report = Report { out: &mut out, json: self.json };
        let mut plan = Plan::default();
        let mut go_on = || true;
        let mut here = Here { reader: &*reader, now, changed: &changed, go_on: &mut go_on };
        report.refused_rows(&list)?;
        let counts = compare(&mut here, &list, &mut |difference| {
            plan.add(difference);
            report.difference(difference).map_err(ReconcileError::Report)
        });
        let counts = counts.map_err(|error| match error {
            ReconcileError::Report(error) => error.into(),
            error => Failure::of(&error),
        })?;
        plan.end();
        let done = match self.apply {
            true => self.mend(config, &*reader, &list, since, &counts, plan, &mut report),
            false => Ok(None),
        };
        let mended = match &done {
            Ok(mended) => mended.as_ref(),
            Err(_) => None,
        };
        report.counts(&counts, &list, mended)?;
        out.flush()?;
        self.judge(&counts, &list, done?)
    }

    /// The list of a file, and since when changes count.
    fn list_of_file(
        &self,
        file: &Path,
        config: &Config,
        wish: &ListWish,
        now: i64,
        bar: &ProgressBar,
    ) -> Result<(MemberList, Since), Failure> {
        let at = match &self.list_time {
            Some(text) => parse_moment(text, &config.expiry.zone).ok_or_else(|| {
                Failure::usage(format!("--list-time: {EXPIRE_EXPECTED}, found {text:?}"))
            })?,
            None => match written_at(file) {
                Some(at) => at - FILE_SLACK_SECONDS,
                None if self.apply => {
                    return Err(Failure::usage(
                        "--list-time: expected it beside --apply, as the input is no file whose \
                         time says when NATS made the list",
                    ));
                }
                None => now - FILE_SLACK_SECONDS,
            },
        };
        let place = file.display();
        let unreadable = |error| Failure::Failed(format!("cannot read {place}: {error}"));
        let input = Input::open(file).map_err(unreadable)?;
        let text = plain_text(input.lines(), &place.to_string(), "nats-userman reconcile -")?;
        let list = read_list(text, wish, &mut |members| bar.set_position(members as u64))
            .map_err(|error| Failure::of(&error).at(&place.to_string()))?;
        Ok((list, Since { at, record: None }))
    }

    fn check_age(&self, since: Since, now: i64) -> Result<(), Failure> {
        if since.at > now {
            return Err(Failure::usage(format!(
                "--list-time: expected a time in the past, found {}",
                format_utc(since.at)
            )));
        }
        match now - since.at > LIST_AGE_MAX {
            true => Err(Failure::Failed(format!(
                "the list is of {}: --apply mends by a list of the last day; get a new one",
                format_utc(since.at)
            ))),
            false => Ok(()),
        }
    }

    /// Mends, or says why not. `None` if nothing was to be changed.
    #[expect(clippy::too_many_arguments, reason = "each is of another kind")]
    fn mend(
        &self,
        config: &Config,
        reader: &dyn Read,
        list: &MemberList,
        since: Since,
        counts: &Counts,
        plan: Plan,
        report: &mut Report<'_>,
    ) -> Result<Option<Mended>, Failure> {
        let nothing = "nothing was changed";
        if list.refused_count > 0 {
            return Err(Failure::Failed(format!(
                "{} of the list cannot be read, so it may lack members: {nothing}; correct the \
                 list first",
                counted(list.refused_count, "row")
            )));
        }
        if list.may_be_cut {
            return Err(Failure::Failed(format!(
                "the list does not end with a line break, so it may be cut off: {nothing}; get a \
                 whole list"
            )));
        }
        let most = self.max_changes.of(counts.members);
        if plan.changes() > most && !self.allow_many {
            return Err(Failure::Failed(format!(
                "{} would be changed, and --max-changes {} allows {most}: {nothing}; check the \
                 list, then add --allow-many",
                counted(plan.changes(), "member"),
                self.max_changes
            )));
        }
        if self.dry_run {
            report.would_change(plan.changes())?;
            return Ok(None);
        }
        let rules = Rules {
            vault: Vault::load(&config.data_dir.seal_key()).map_err(|error| Failure::of(&error))?,
            keep_cryptpass: config.keep_cryptpass,
            expiry: config.expiry.clone(),
            stale_guard: false,
        };
        // The service may move members who expire meanwhile. The last activity is that of before:
        // later, it is this command's own.
        let last = reader.last_seen(Clock::System.now())?;
        let moment = || moment_of_command(Clock::System.now(), last);
        let mending = Mending { list, rules: &rules, reader, since, moment: &moment };
        let bar = bar_of_members();
        bar.set_length(plan.changes());
        let mended = database::with_writer(config, |engine| {
            mending.run(engine, plan, &mut |done| bar.inc(done))
        });
        bar.finish_and_clear();
        let mended = mended??;
        report.refused_changes(&mended)?;
        Ok(Some(mended))
    }

    /// The exit code. Another expiry ends no membership and is no failure.
    fn judge(
        &self,
        counts: &Counts,
        list: &MemberList,
        mended: Option<Mended>,
    ) -> Result<(), Failure> {
        if list.refused_count > 0 {
            return Err(Failure::Failed(format!(
                "{} of the list cannot be read: see above; correct the list and run reconcile \
                 again",
                counted(list.refused_count, "row")
            )));
        }
        let (left, what) = match &mended {
            Some(mended) => (mended.left(), "could not be mended: see above"),
            None if self.apply => (0, ""),
            None => (counts.mendable(), "found: see above; --apply mends what can be mended"),
        };
        match left {
            0 => Ok(()),
            left => Err(Failure::Failed(format!("{} {what}", counted(left, "difference")))),
        }
    }
}

/// The list of NATS's REST API, and since when changes count.
fn list_of_nats(
    config: &Config,
    reader: &dyn Read,
    mut wish: ListWish,
    now: i64,
    bar: &ProgressBar,
) -> Result<(MemberList, Since), Failure> {
    let StringSource::Nats(access, time_max) = &config.api.source else {
        return Err(Failure::usage(
            "--from-nats: expected --nats-url, --nats-api-username and --nats-api-key beside it",
        ));
    };
    if wish.sites.is_empty() {
        wish.sites = sites_here(reader, now)?;
    }
    if wish.sites.is_empty() {
        return Err(Failure::of(&ReconcileError::NoSites));
    }
    let record = reader.newest_record()?.map(|(id, _)| id);
    let client = Client::new(access.clone(), *time_max);
    let list = fetch(&client, &wish, &AtomicBool::new(false), &mut |members| {
        bar.set_position(members as u64);
    });
    let list = list.map_err(|error| Failure::of(&error).at(client.url()))?;
    Ok((list, Since { at: now - SLACK_SECONDS, record }))
}

/// When the file was written, unix seconds; `None` if the input is no file.
fn written_at(path: &Path) -> Option<i64> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

/// Parses a siteid for clap.
fn site(text: &str) -> Result<SiteId, &'static str> {
    SiteId::parse(text).ok_or(ID_EXPECTED)
}

/// A counter of members. Hidden where stderr is no terminal.
fn bar_of_members() -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::no_length();
    // The template is a constant that parses. Without it the bar has a plain style.
    if let Ok(style) = ProgressStyle::with_template("{spinner} {human_pos} members {elapsed}") {
        bar.set_style(style);
    }
    bar
}
