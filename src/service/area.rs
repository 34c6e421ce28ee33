//! Assembles the members area at the start of a service.

use std::sync::Arc;

use parking_lot::Mutex;

use super::error::StartError;
use crate::apply::in_transaction;
use crate::chain::chain;
use crate::clock::Clock;
use crate::config::Config;
use crate::database::{DatabaseError, agree_on_key, check_cookie_key};
use crate::hardening::Rehashes;
use crate::http::live::Live;
use crate::http::state::ServerState;
use crate::key_file;
use crate::logging::limit::Window;
use crate::login::activity::Activity;
use crate::login::area::{Area, LOGIN_LINES_MAX};
use crate::login::area_log::AreaLog;
use crate::login::blocks::{self, Ledger};
use crate::login::cookie::Signer;
use crate::login::countries::Countries;
use crate::login::failed::FailedLogins;
use crate::login::guard::Guard;
use crate::login::history::History;
use crate::login::known::KnownNetworks;
use crate::login::pool::Pool;
use crate::login::pseudonym::Pseudonyms;
use crate::login::remembered::Remembered;
use crate::login::sharing::{BLOCKS_MAX, Sharing};
use crate::login::signers::Signers;
use crate::login::unkept::Unkept;
use crate::nats_client::logins::Reporter;
use crate::password::{Cost, Steps, Vault, Verifier};
use crate::store::{Engine, Fault, Note, Read, SharedKey, open_reader, with_engine};

/// Rows that are sampled for the kinds of their hashes: half of them the oldest, half the newest.
const ROWS_SAMPLED: u32 = 4_096;

/// The members area, with the blocks of an earlier run.
///
/// The networks of members may be unknown: after an upgrade, or if they were stored under another
/// key. Then blocks of names end here, and no name is blocked for the duration of a block: members
/// must not be locked out of their own networks.
pub(super) fn open(
    config: &Config,
    vault: &Vault,
    clock: &Clock,
    cost: Cost,
    rehashes: Arc<Rehashes>,
    live: &Live,
) -> Result<Area, StartError> {
    let reader = open_reader(&config.location)?;
    let key = config.data_dir.cookie_key();
    // There was no login yet, so no cookie was ever signed.
    if key_file::is_begun(&key) && reader.is_unused().map_err(DatabaseError::Read)? {
        key_file::begin_anew(&key)?;
    }
    let has_key = key_file::is_there(&key)?;
    let signer = if has_key { Some(Signer::load(&key)?) } else { None };
    let ids = signer.as_ref().map(Signer::key_ids);
    let stored = check_cookie_key(config, &*reader, ids.as_ref())?;
    if !has_key && config.data_dir.served().exists() {
        log::warn!(
            "{} was missing, and a new key was created: whoever was logged in must log in again",
            key.display()
        );
    }
    let signer = signer.map_or_else(|| Signer::create(&key), Ok)?;
    if config.location.is_shared() {
        agree_on_key(config, SharedKey::Cookies, stored, &signer.key_ids())?;
    }
    let knows_networks = has_key && has_known_networks(&*reader);
    let limits = config.area.limits;
    let grace = clock.steady().saturating_add(i64::from(limits.block_seconds));
    let names_from = if knows_networks { i64::MIN } else { grace };
    let guard = Guard::new(limits, config.trusted_proxy.0.is_empty(), names_from);
    let ledger = Mutex::new(continue_blocks(config, &*reader, &guard, clock, knows_networks)?);
    let sharing = Sharing::new(config.area.sharing.clone());
    let now = clock.now();
    let blocked = reader.sharing_blocks(now, BLOCKS_MAX).map_err(DatabaseError::Read)?;
    sharing.take_up(blocked, now);
    let epoch = reader.login_epoch().map_err(DatabaseError::Read)?;
    let remembered = Arc::new(Remembered::new().map_err(std::io::Error::from)?);
    let steps = Arc::new(Steps::new(cost));
    match reader.sample(ROWS_SAMPLED) {
        Ok(rows) => steps.sample(&rows),
        // A damaged page is no reason to fail: all other rows are good.
        Err(fault) => log::error!("could not sample the hashes of members: {}", chain(&fault)),
    }
    let pool = Pool::start(|| Verifier::new(Arc::clone(&steps)), vault, Arc::clone(&remembered))?;
    let known = KnownNetworks::new(&signer.known_networks_keys());
    Ok(Area {
        config: config.area.clone(),
        compare_wait: config.compare_wait,
        guard,
        pseudonyms: Pseudonyms::new().map_err(std::io::Error::from)?,
        failed: FailedLogins::default(),
        history: History::new(config.area.login_days > 0),
        login_lines: Mutex::new(Window::new(LOGIN_LINES_MAX)),
        known,
        remembered,
        pool,
        steps,
        rehashes,
        activity: config.area.idle_seconds.map(Activity::new),
        logouts: Arc::default(),
        signers: Signers::new(signer, epoch),
        unkept: Unkept::default(),
        sharing,
        countries: Countries::new(config.country_file.clone()),
        log: AreaLog::default(),
        read_log: Arc::default(),
        ledger,
        reports: reports(config, clock, live)?,
    })
}

/// Starts the thread that reports logins to NATS, if the settings say so. It follows a reload.
fn reports(config: &Config, clock: &Clock, live: &Live) -> std::io::Result<Option<Reporter>> {
    let Some(reports) = config.api.reports else { return Ok(None) };
    let live = live.clone();
    let client = move || live.load().relay.as_ref().map(|relay| Arc::clone(relay.client()));
    Reporter::start(reports, clock.clone(), client).map(Some)
}

/// Continues the blocks of an earlier run, and deletes those that end here.
fn continue_blocks(
    config: &Config,
    reader: &dyn Read,
    guard: &Guard,
    clock: &Clock,
    knows_networks: bool,
) -> Result<Ledger, StartError> {
    if config.location.is_shared() {
        // Other receivers need the rows. The receiver that began a block has logged it.
        let (mut ledger, now) = (Ledger::default(), clock.read());
        let stored = blocks::stored_blocks(reader).map_err(DatabaseError::Read)?;
        blocks::take_up(&mut ledger, guard, stored, now, true);
        return Ok(ledger);
    }
    let continued = blocks::continue_stored(reader, guard, clock.read(), knows_networks)
        .map_err(DatabaseError::Read)?;
    let Some((ledger, kept)) = continued else { return Ok(Ledger::default()) };
    let keep = |engine: &mut dyn Engine| engine.keep_blocks(&kept);
    with_engine(&config.location, false, |engine| in_transaction(engine, keep))?
        .map_err(DatabaseError::Write)?;
    Ok(ledger)
}

fn has_known_networks(reader: &dyn Read) -> bool {
    reader.has_known_networks().unwrap_or_else(|fault| {
        // A damaged page is no reason to fail: all other rows are good.
        log::error!("could not read the networks of members: {}", chain(&fault));
        false
    })
}

/// Reads on the pool where reads cross a network, else on this thread.
async fn read<T: Send + 'static>(
    shared: &ServerState,
    job: impl FnOnce(&dyn Read) -> Result<T, Fault> + Send + 'static,
) -> Result<T, String> {
    match shared.reads.pool() {
        Some(pool) => pool.read(job).await.map_err(|error| chain(&error)),
        None => {
            let reader = shared.file.open().map_err(|error| chain(&error))?;
            job(&*reader).map_err(|fault| chain(&fault))
        }
    }
}

/// Samples the kinds of hashes again, which decide what every login costs.
pub(super) async fn sample_rows(shared: &ServerState) {
    match read(shared, |reader| reader.sample(ROWS_SAMPLED)).await {
        Ok(rows) => shared.area.steps.sample(&rows),
        // The latest sample stays in effect, and faults of the database are logged elsewhere.
        Err(error) => log::debug!("could not sample the hashes of members: {error}"),
    }
}

/// Logs the counts of suppressed lines of logins and failed logins when their window is over, or
/// in any case with `at_the_end`.
pub(super) fn say_left_out(shared: &ServerState, at_the_end: bool) {
    let (area, now) = (&shared.area, shared.clock.steady());
    let failed = if at_the_end { area.failed.close() } else { area.failed.suppressed(now) };
    let logins = if at_the_end { area.login_lines().close() } else { area.login_lines().end(now) };
    for (left_out, what) in [(failed, "failed logins"), (logins, "logins")] {
        if let Some(count) = left_out {
            log::info!("{count} more {what}");
        }
    }
    let (unrecorded, lost) = area.history.left_out(now);
    if let Some(count) = unrecorded {
        log::info!("{count} failed logins were not recorded: there were too many");
    }
    if lost > 0 {
        log::warn!("{lost} logins were not recorded, because the database was too slow");
    }
}

/// Applies the blocks because of sharing that other receivers began, and ends those that a command
/// lifted. While the database cannot be read, all blocks stay. Blocks that the lane of notes
/// refused are noted again.
pub(super) async fn take_up_sharing(shared: &ServerState) {
    let (sharing, now) = (&shared.area.sharing, shared.clock.now());
    let has_others = shared.reads.pool().is_some();
    if !sharing.blocks() || (sharing.blocked() == 0 && !has_others) {
        return;
    }
    for block in sharing.take_refused() {
        if !shared.writer.note(Note::Shared(block)) {
            sharing.was_refused(block.key);
        }
    }
    let after = sharing.reads_after(now);
    match read(shared, move |reader| reader.sharing_blocks(after, BLOCKS_MAX)).await {
        Ok(stored) => {
            for member in sharing.take_up(stored, now) {
                log::info!(
                    site:% = member.site, member:% = member.member;
                    "a block because of sharing was lifted"
                );
            }
        }
        Err(error) => log::debug!("cannot read the blocks because of sharing: {error}"),
    }
}

/// Adopts the login epoch of the database, which `member logout --all` changes. While the database
/// cannot be read, the epoch stays, and the fault is logged elsewhere.
pub(super) async fn take_up_epoch(shared: &ServerState, is_replaced: bool) {
    match read(shared, |reader| reader.login_epoch()).await {
        Ok(epoch) if !shared.area.signers.take_up(epoch) => {}
        Ok(_) if is_replaced => {
            log::warn!(
                "the database was replaced: cookie logins are valid as they were at its time"
            )
        }
        Ok(_) => log::warn!("a command ended all cookie logins"),
        Err(error) => log::debug!("could not read whether all logins were ended: {error}"),
    }
}
