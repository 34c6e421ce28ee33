//! `replay`: captured postbacks into the database, to a URL, or only looked at; or the journal of another database.

use std::io::{BufRead as _, BufReader, IsTerminal as _, Write as _, stdout};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::Failure;
use crate::action::{Change, Rules};
use crate::apply::Postback;
use crate::clock::Clock;
use crate::config::Config;
use crate::data_dir::DataDirError;
use crate::journal::Origin;
use crate::password::Vault;
use crate::replay::{Capture, Captured, Counts, DryRun, JournalLine, REPLAY_BATCH, apply_captured, apply_records};
use crate::reply::{Reply, Word};
use crate::store::{Engine, OpenError, open_reader, with_engine};

/// How often a postback is sent again where the other side answers 503.
const TRIES_MAX: u32 = 4;
/// How long one postback may take there.
const SEND_TIME_MAX: Duration = Duration::from_secs(30);
/// The first wait before sending again; doubled each time.
const SEND_AGAIN_AFTER: Duration = Duration::from_millis(500);

#[derive(Args, Debug)]
pub(super) struct Replay {
    /// Captures: urlencoded bodies, one a line, or TMM's layout; with --journal, what `journal --json` wrote
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

    /// Every postback of every file, with a bar that follows the bytes read.
    fn each(&self, mut work: impl FnMut(Captured, String) -> Result<(), Failure>) -> Result<(), Failure> {
        let bar = self.progress();
        let mut done = 0;
        for path in &self.files {
            let mut capture = Capture::open(path).map_err(|error| Failure::of(&error))?;
            while let Some(postback) = capture.next_postback().map_err(|error| Failure::of(&error))? {
                work(postback, capture.place())?;
                bar.set_position(done + capture.bytes_read());
            }
            done += capture.bytes_read();
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn progress(&self) -> ProgressBar {
        if !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let bytes = self.files.iter().filter_map(|path| std::fs::metadata(path).ok()).map(|file| file.len()).sum();
        let bar = ProgressBar::new(bytes);
        // The template is a constant that parses; without it the bar looks plainer.
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {elapsed} (about {eta} to go)") {
            bar.set_style(style);
        }
        bar
    }

    fn apply(&self, config: &Config) -> Result<(), Failure> {
        let (_lock, rules) = take(config)?;
        let counts = with_engine(&config.location, true, |engine| self.apply_with(engine, &rules))??;
        Ok(writeln!(stdout(), "{counts}")?)
    }

    fn apply_with(&self, engine: &mut dyn Engine, rules: &Rules) -> Result<Counts, Failure> {
        let (mut counts, mut batch) = (Counts::default(), Batch::default());
        self.each(|captured, place| {
            batch.postbacks.push(read(&captured, rules));
            batch.places.push(place);
            if batch.places.len() == REPLAY_BATCH { flush(engine, rules, &mut batch, &mut counts) } else { Ok(()) }
        })?;
        flush(engine, rules, &mut batch, &mut counts)?;
        Ok(counts)
    }

    fn look(&self, config: &Config) -> Result<(), Failure> {
        let reader = match open_reader(&config.location) {
            Err(OpenError::Missing(_)) => None,
            reader => Some(reader?),
        };
        // With the key an equal password is seen to be equal; without one, as before a first start, nothing is sealed.
        let vault = Vault::load(&config.data_dir.seal_key()).unwrap_or_else(|_| Vault::from_key([0; 32]));
        let rules = rules(config, vault);
        let (mut run, mut counts) = (DryRun::new(reader.as_ref(), &rules), Counts::default());
        self.each(|captured, _| {
            let postback = read(&captured, &rules);
            let outcome = run.next(&postback, Clock::System.now())?;
            counts.add(outcome.record.reply.word());
            Ok(writeln!(stdout(), "{:<7} {}", change_word(&outcome.change), outcome.record.reply.as_str())?)
        })?;
        Ok(writeln!(stdout(), "{counts}; nothing was changed")?)
    }

    fn send(&self, url: &str) -> Result<(), Failure> {
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(Failure::usage("--to: expected http:// or https:// and the URL that NATS calls"));
        }
        let config = ureq::Agent::config_builder().timeout_global(Some(SEND_TIME_MAX)).http_status_as_error(false);
        let agent = config.build().new_agent();
        let mut counts = Counts::default();
        self.each(|captured, place| {
            let reply = send_one(&agent, url, &captured.into_body())?;
            counts.add(reply.word());
            show_error(&place, &reply)
        })?;
        Ok(writeln!(stdout(), "{counts}")?)
    }

    fn journal(&self, config: &Config) -> Result<(), Failure> {
        let (_lock, rules) = take(config)?;
        let counts = with_engine(&config.location, true, |engine| self.journal_with(engine, &rules))??;
        Ok(writeln!(stdout(), "{counts}")?)
    }

    /// Wholly or not at all: half a journal is no state that ever was.
    fn journal_with(&self, engine: &mut dyn Engine, rules: &Rules) -> Result<Counts, Failure> {
        engine.begin()?;
        let done = self.journal_within(engine, rules).and_then(|counts| Ok(engine.commit().map(|()| counts)?));
        if done.is_err() {
            engine.rollback();
        }
        done
    }

    fn journal_within(&self, engine: &mut dyn Engine, rules: &Rules) -> Result<Counts, Failure> {
        if !engine.is_empty()? {
            return Err(Failure::Failed("replay --journal: the database is not empty; name a new --data-dir".into()));
        }
        let mut counts = Counts::default();
        for path in &self.files {
            let error = |error: std::io::Error| Failure::Failed(format!("cannot read {}: {error}", path.display()));
            let lines = BufReader::new(std::fs::File::open(path).map_err(error)?).lines();
            for (index, line) in lines.enumerate() {
                let record = JournalLine::parse(&line.map_err(error)?)
                    .map_err(|bad| Failure::Failed(format!("{}, line {}: {bad}", path.display(), index + 1)))?;
                if record.seal().is_some_and(|(key, seal)| rules.vault.open(key, seal).is_err()) {
                    let hint = "put the seal.key of that database into the data directory first";
                    return Err(Failure::Failed(format!("record {} has a password under another key: {hint}", record.id)));
                }
                counts.add(record.reply.word());
                if let Some((id, now)) = apply_records(engine, rules, &[record])?.into_iter().next() {
                    let then = "which is not the reply that it records; the journal may have been pruned";
                    return Err(Failure::Failed(format!("record {id} gives \"{}\", {then}", now.as_str())));
                }
            }
        }
        engine.expire_due(Clock::System.now(), usize::MAX)?;
        Ok(counts)
    }
}

/// The data directory for ourselves, and its key.
fn take(config: &Config) -> Result<(Vec<crate::data_dir::Lock>, Rules), Failure> {
    config.data_dir.make().map_err(|error| Failure::of(&error))?;
    let lock = config.data_dir.lock(config.location.path()).map_err(|error| match error {
        DataDirError::InUse(_) => Failure::Failed(format!("{error}: send the postbacks to it with --to URL")),
        DataDirError::Io(..) => Failure::of(&error),
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
    postback
}

/// Postbacks of one transaction, and where each stands in its file.
#[derive(Default)]
struct Batch {
    postbacks: Vec<Postback>,
    places: Vec<String>,
}

fn flush(engine: &mut dyn Engine, rules: &Rules, batch: &mut Batch, counts: &mut Counts) -> Result<(), Failure> {
    let replies = apply_captured(engine, rules, &Clock::System, &batch.postbacks)?;
    for (place, reply) in batch.places.iter().zip(replies) {
        counts.add(reply.word());
        show_error(place, &reply)?;
    }
    *batch = Batch::default();
    Ok(engine.tidy()?)
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

/// Posts one body and reads the line that comes back. The URL holds the token, so no error names it.
fn send_one(agent: &ureq::Agent, url: &str, body: &[u8]) -> Result<Reply, Failure> {
    let mut wait = SEND_AGAIN_AFTER;
    for _ in 1..=TRIES_MAX {
        let sent = agent.post(url).content_type("application/x-www-form-urlencoded").send(body);
        let mut response = sent.map_err(|error| Failure::Failed(format!("--to: {}", send_error(&error))))?;
        let status = response.status().as_u16();
        if status == 503 {
            std::thread::sleep(wait);
            wait *= 2;
            continue;
        }
        let line = response.body_mut().with_config().limit(64 * 1024).read_to_string();
        let reply = line.ok().and_then(|line| Reply::from_line(line.trim_end()));
        return match (status, reply) {
            (200, Some(reply)) => Ok(reply),
            (403, _) => {
                Err(Failure::Failed("--to: not authorised; is the token in the URL right, and this address allowed?".into()))
            }
            _ => Err(Failure::Failed(format!("--to: expected status 200 and a reply line, found status {status}"))),
        };
    }
    Err(Failure::Failed(format!("--to: temporarily unavailable, {TRIES_MAX} times; send the rest later")))
}

fn send_error(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::Timeout(_) => format!("no reply within {} seconds", SEND_TIME_MAX.as_secs()),
        ureq::Error::HostNotFound => "the host was not found".into(),
        ureq::Error::ConnectionFailed => "no connection".into(),
        _ => "the postback could not be sent; is the URL right?".into(),
    }
}
