//! `export`: writes all members into a file, once or whenever they change.

use std::io::{IsTerminal as _, Write as _, stderr, stdout};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::failure::Failure;
use super::signals::Signals;
use crate::clock::Clock;
use crate::config::Config;
use crate::counted::counted;
use crate::database;
use crate::export::watch::Watch;
use crate::export::{self, Exported, Format, Source, Wish};
use crate::password::Vault;
use crate::store::CurrentDatabase;

/// How often the bar is drawn again while nothing is reported.
const BAR_EVERY: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatArgument {
    /// CSV with a header line, mode 0600
    Csv,
    /// One JSON object a line, mode 0600
    Jsonl,
    /// `name:hash` lines for web servers, of members with a bcrypt hash
    Htpasswd,
}

#[derive(Args, Debug)]
pub(super) struct ExportCommand {
    /// Form of the file
    #[arg(long, value_name = "FORMAT")]
    format: FormatArgument,
    /// File to write; an existing one is replaced as a whole, and keeps its owner and group
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Only this siteid; an .htpasswd can hold one site
    #[arg(long, value_parser = super::failure::id)]
    site: Option<i64>,
    /// Also former members, with the columns reason and ended_at
    #[arg(long)]
    former: bool,
    /// Keep the file current until SIGTERM or SIGINT
    #[arg(long, conflicts_with_all = ["dry_run", "json"])]
    watch: bool,
    /// Read and count, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the result as a JSON object
    #[arg(long)]
    json: bool,
}

impl ExportCommand {
    pub(super) fn run(&self, config: &Config) -> Result<(), Failure> {
        let wish = self.wish()?;
        if self.output == Path::new("-") {
            return Err(Failure::usage(
                "--output: expected the path of a file, found \"-\": the file is replaced as a \
                 whole, so it cannot be the standard output",
            ));
        }
        let target = export::target(&self.output, &own_files(config))
            .map_err(|error| Failure::of(&error))?;
        if self.watch {
            return watch(config, wish, target);
        }
        let reader = database::open(config)?;
        let vault = vault(config);
        let source = Source { reader: &*reader, vault: vault.as_ref(), now: Clock::System.now() };
        let bar = bar_of_rows();
        let mut go_on = |rows| {
            bar.set_position(rows);
            true
        };
        let exported = match self.dry_run {
            true => export::dry_run(&source, wish, &mut go_on),
            false => export::export(&source, wish, &target, &mut go_on),
        };
        bar.finish_and_clear();
        let exported = exported.map_err(|error| Failure::of(&error))?;
        if exported.changed_meanwhile {
            log::warn!(
                "members changed while they were read in several parts: one who was renamed \
                 meanwhile may be in the file twice or not at all; export again when fewer \
                 postbacks come"
            );
        }
        let mut out = stdout().lock();
        match self.json {
            true => writeln!(out, "{}", self.as_json(&exported))?,
            false => self.print(&mut out, &exported)?,
        }
        Ok(out.flush()?)
    }

    fn wish(&self) -> Result<Wish, Failure> {
        let format = match self.format {
            FormatArgument::Csv => Format::Csv,
            FormatArgument::Jsonl => Format::JsonLines,
            FormatArgument::Htpasswd => Format::Htpasswd,
        };
        if format == Format::Htpasswd && self.former {
            return Err(Failure::usage(
                "--former: expected csv or jsonl, found htpasswd, whose members may log in",
            ));
        }
        if format == Format::Htpasswd && self.watch && self.site.is_none() {
            return Err(Failure::usage(
                "--watch: expected --site beside htpasswd, which cannot tell the members of two \
                 sites apart",
            ));
        }
        Ok(Wish { format, site: self.site, former: self.former })
    }

    fn print(&self, out: &mut impl std::io::Write, exported: &Exported) -> std::io::Result<()> {
        let counts = &exported.counts;
        if counts.formulas > 0 {
            writeln!(
                out,
                "{} with =, +, - or @ as the first character, which a spreadsheet may run as a \
                 formula: import all columns as text there",
                counted(counts.formulas, "value")
            )?;
        }
        let (done, path) = (summary(exported), self.output.display());
        match self.dry_run {
            true => writeln!(out, "{done}; nothing was written to {path}"),
            false => writeln!(out, "{done} in {path}"),
        }
    }

    fn as_json(&self, exported: &Exported) -> serde_json::Value {
        let counts = &exported.counts;
        json!({
            "file": self.output.display().to_string(),
            "written": !self.dry_run,
            "bytes": exported.bytes,
            "members": counts.members,
            "former_members": counts.formers,
            "sealed_passwords": counts.sealed,
            "sealed_under_missing_keys": counts.sealed_elsewhere,
            "left_out": {
                "not_hashed_yet": counts.not_hashed_yet,
                "argon2id": counts.argon2id,
                "wrapped_cryptpass": counts.wrapped,
                "unfit_names": counts.unfit_names,
            },
            "possible_formulas": counts.formulas,
            "changed_meanwhile": exported.changed_meanwhile,
        })
    }
}

/// The counts in words.
fn summary(exported: &Exported) -> String {
    let counts = &exported.counts;
    let mut text = counted(counts.members, "member");
    if counts.formers > 0 {
        text += &format!(" and {}", counted(counts.formers, "former member"));
    }
    if counts.sealed > 0 {
        text += &format!(", {} not hashed yet", counts.sealed);
    }
    if counts.sealed_elsewhere > 0 {
        text += &format!(" ({} under a key that is not here)", counts.sealed_elsewhere);
    }
    let reasons = [
        (counts.not_hashed_yet, "not hashed yet"),
        (counts.argon2id, "with argon2id"),
        (counts.wrapped, "with a cryptpass only"),
        (counts.unfit_names, "with a name that the file cannot hold"),
    ];
    let reasons: Vec<_> = reasons
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, reason)| format!("{count} {reason}"))
        .collect();
    if !reasons.is_empty() {
        text += &format!(", {} left out ({})", counts.left_out(), reasons.join(", "));
    }
    text
}

/// Finds the keys of seals. A user who may not read the key file gets seals without the id.
fn vault(config: &Config) -> Option<Vault> {
    Vault::load(&config.data_dir.seal_key()).ok()
}

/// The files that an export must not replace.
fn own_files(config: &Config) -> Vec<PathBuf> {
    let mut files = config.location.files();
    files.extend(config.data_dir.key_files());
    files.push(config.data_dir.token_file());
    files.extend(config.secret_files.iter().cloned());
    files
}

/// Exports whenever members have changed, until a signal comes.
fn watch(config: &Config, wish: Wish, target: export::Target) -> Result<(), Failure> {
    // Its error says more than that of a database that becomes current later.
    drop(database::open(config)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals = runtime.block_on(async { Signals::catch() })?;
    let (opened, keys) = (config.clone(), config.clone());
    let database = CurrentDatabase::with_readers(
        config.location.clone(),
        config.location.reads_are_local(),
        move |_| database::open(&opened),
    );
    let stop = Arc::<AtomicBool>::default();
    let mut watch = Watch::new(database, Box::new(move || vault(&keys)), wish, target, summary);
    watch.begin(&stop).map_err(|error| Failure::of(&error))?;
    let (wake, woken) = sync_channel::<()>(0);
    let stopped = Arc::clone(&stop);
    let thread = std::thread::Builder::new()
        .name("export".into())
        .spawn(move || watch.run(&woken, &stopped))?;
    let signal = runtime.block_on(signals.stop(|_| {}));
    log::info!("{signal}: stopping");
    stop.store(true, Ordering::Relaxed);
    drop(wake);
    match thread.join() {
        Ok(()) => Ok(()),
        Err(_) => Err(Failure::Failed("the export panicked: restart it".into())),
    }
}

/// A counter of rows. Hidden where stderr is no terminal.
fn bar_of_rows() -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::no_length();
    // The template is a constant that parses. Without it the bar has a plain style.
    if let Ok(style) = ProgressStyle::with_template("{spinner} {human_pos} rows {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(BAR_EVERY);
    bar
}
