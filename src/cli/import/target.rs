//! The database into which an `import` writes, also beside a running service.

use crate::action::Rules;
use crate::cli::failure::Failure;
use crate::clock::Clock;
use crate::config::Config;
use crate::database;
use crate::key_file;
use crate::password::Vault;
use crate::store::{DatabaseState, OpenError, Read};

/// What an import needs to know of its database.
pub(super) struct Target {
    pub(super) rules: Rules,
    pub(super) reader: Box<dyn Read>,
    /// The last activity that the database records.
    pub(super) last_seen: Option<i64>,
}

/// What a dry run reads.
pub(super) struct DryTarget {
    pub(super) rules: Rules,
    /// `None` where there is no database yet.
    pub(super) reader: Option<Box<dyn Read>>,
}

/// Opens the database and its key. Where one of the two is missing or of an earlier release, no
/// service may run meanwhile.
pub(super) fn open(config: &Config) -> Result<Target, Failure> {
    config.data_dir.make().map_err(|error| Failure::of(&error))?;
    let has_key =
        key_file::is_there(&config.data_dir.seal_key()).map_err(|error| Failure::of(&error))?;
    let is_ready = has_key && database::state(config)? == DatabaseState::Current;
    let lock = if is_ready {
        None
    } else {
        let lock = config.data_dir.lock(config.location.file());
        Some(lock.map_err(|error| Failure::of(&error))?)
    };
    // Without it, a command in the wrong directory would look like one in the right one.
    if !is_ready && database::state(config)? == DatabaseState::Missing {
        log::warn!("there was no database at {}: a new one is made", config.location);
    }
    let vault = database::open_or_make(config).map_err(|error| Failure::of(&error))?;
    // From here on, a service may start.
    drop(lock);
    let reader = database::open(config)?;
    Ok(Target {
        rules: rules(config, vault),
        last_seen: reader.last_seen(Clock::System.now())?,
        reader,
    })
}

/// Whether a service waits for the same SQLite file now.
pub(super) fn is_served(config: &Config) -> bool {
    let file = config.location.file();
    file.is_some() && config.data_dir.is_served(file)
}

/// Opens the database, if there is one, and the key, which recognises equal passwords.
pub(super) fn for_dry_run(config: &Config) -> Result<DryTarget, Failure> {
    let reader = match database::open(config) {
        Err(OpenError::Missing(_) | OpenError::Lost(_) | OpenError::Begun(_)) => None,
        reader => Some(reader?),
    };
    let vault =
        Vault::load(&config.data_dir.seal_key()).unwrap_or_else(|_| Vault::from_key([0; 32]));
    Ok(DryTarget { rules: rules(config, vault), reader })
}

fn rules(config: &Config, vault: Vault) -> Rules {
    Rules {
        vault,
        keep_cryptpass: config.keep_cryptpass,
        expiry: config.expiry.clone(),
        stale_guard: false,
    }
}
