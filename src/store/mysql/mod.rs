//! The engine for MariaDB and MySQL, where several receivers may share one database.
//!
//! What one server guarantees by locks, a cluster guarantees only for rows that are written: two
//! nodes do not see each other's locks. Therefore every decision writes a row that is keyed by the
//! member (a journal record with the next number of that member), a name is protected by a unique
//! key, and work for all receivers is protected by a written lease.

mod agreement;
mod connect;
mod connection;
mod cookies;
mod diagnosis;
mod engine;
mod fault;
mod fold;
mod forget;
mod history;
mod identity;
mod journal;
mod lease;
mod lists;
mod login_records;
mod logins;
mod lookup;
mod members;
mod migration;
mod names;
mod new_members;
mod notes;
mod operators;
mod other_table;
mod outcome;
mod probe;
mod prune;
mod read;
mod reader;
mod rows;
mod save;
mod schema;
mod seals;
mod search;
mod server;
mod shapes;
mod sharing;
mod statistics;
mod table_rows;
mod verify;

use std::time::{Duration, Instant};

use self::connect::{Attempt, Connected, Purpose, connect};
use self::engine::Mysql;
use self::reader::Reader;
use super::{
    CopyError, DatabaseState, Diagnosis, Engine, Fault, MigrationTarget, OpenError, Read,
    UpgradeError, UpgradePlan,
};

pub use other_table::{OtherRow, OtherRows, OtherTable, OtherTableError};
pub(super) use schema::VERSION;
pub(super) use server::SCHEME;
pub use server::{HOSTS_EXPECTED, Host, Server, ServerPassword, Tls, parse_hosts};

/// How long an upgrade of the tables waits for the end of a lease: longer than one lasts that is
/// not renewed.
const LEASE_WAIT: Duration = Duration::from_secs(11);
const LEASE_LOOK_EVERY: Duration = Duration::from_millis(250);

fn in_open<T>(server: &Server, done: Result<T, Fault>) -> Result<T, OpenError> {
    done.map_err(|fault| OpenError::Fault(server.setting(), fault))
}

/// Connects, and checks that the tables are those of this release.
fn connect_to_tables(server: &Server, purpose: Purpose) -> Result<Connected, OpenError> {
    let mut connected = in_open(server, connect(server, purpose, Attempt::default()))?;
    match in_open(server, schema::state(&mut connected.connection))? {
        DatabaseState::Current => {}
        DatabaseState::Missing | DatabaseState::Begun
            if !server.hosts().contains(&connected.host) =>
        {
            return Err(no_tables(server, &connected.host));
        }
        DatabaseState::Missing => return Err(OpenError::Missing(server.setting())),
        DatabaseState::Begun => return Err(OpenError::Begun(server.setting())),
        DatabaseState::Older(found) => return Err(other_version(server, found)),
    }
    if !server.takes_marked() && in_open(server, migration::is_marked(&mut connected.connection))? {
        return Err(not_whole(server));
    }
    match in_open(server, schema::odd_table(&mut connected.connection))? {
        Some(sentence) => Err(OpenError::Inconsistent(format!("{server}: {sentence}"))),
        None => Ok(connected),
    }
}

/// A host for reading has no tables.
fn no_tables(server: &Server, host: &Host) -> OpenError {
    OpenError::Inconsistent(format!(
        "{host}, which --database-read names, has no tables of the database {server}: name a \
         server that replicates it, or leave --database-read out"
    ))
}

/// A copy into the tables is not complete.
fn not_whole(server: &Server) -> OpenError {
    OpenError::Inconsistent(format!(
        "the database {server} has only a part of what `nats-userman migrate-store` copies there: \
         run the same command again, which continues, or make the database anew"
    ))
}

/// The tables are of another release, with this version.
fn other_version(server: &Server, found: i64) -> OpenError {
    if found < schema::VERSION {
        let versions = UpgradeError::Older { found, current: schema::VERSION };
        return OpenError::Upgrade(server.setting(), versions);
    }
    OpenError::Inconsistent(format!(
        "the tables of the database {server} have version {found}, and this release has version \
         {}: install the release that they are of, or a newer one",
        schema::VERSION
    ))
}

pub(super) fn with_engine<T>(
    server: &Server,
    create: bool,
    work: impl FnOnce(&mut dyn Engine) -> T,
) -> Result<T, OpenError> {
    if create && matches!(state_of(server, false)?, DatabaseState::Missing | DatabaseState::Begun) {
        in_open(server, schema::create(server))?;
    }
    let mut connected = match connect_to_tables(server, Purpose::Write) {
        Err(OpenError::Upgrade(_, UpgradeError::Older { found, current })) => {
            refuse_while_served(server)?;
            log::info!(
                "upgrading the tables of the database {server} from version {found} to {current}"
            );
            in_open(server, schema::create(server))?;
            connect_to_tables(server, Purpose::Write)?
        }
        connected => connected?,
    };
    in_open(server, probe::privileges(&mut connected.connection))?;
    in_open(server, fold::fold_if_due(&mut connected.connection))?;
    let mut engine = in_open(server, Mysql::new(server, connected))?;
    Ok(work(&mut engine))
}

/// Refuses to upgrade the tables under a receiver of an earlier release, which would go on writing
/// them. The lease of one that was killed ends within this time.
fn refuse_while_served(server: &Server) -> Result<(), OpenError> {
    let until = Instant::now() + LEASE_WAIT;
    while is_led(server)? {
        if Instant::now() >= until {
            return Err(OpenError::Inconsistent(format!(
                "the tables of the database {server} are of an earlier release, and a receiver of \
                 that release uses them: stop all receivers, then start this one, which upgrades \
                 the tables; nothing was changed"
            )));
        }
        server.heartbeat().progress();
        std::thread::sleep(LEASE_LOOK_EVERY);
    }
    Ok(())
}

pub(super) fn open_reader(server: &Server) -> Result<Box<dyn Read>, OpenError> {
    open_for(server, Purpose::Read)
}

pub(super) fn open_for_command(server: &Server) -> Result<Box<dyn Read>, OpenError> {
    open_for(server, Purpose::Command)
}

fn open_for(server: &Server, purpose: Purpose) -> Result<Box<dyn Read>, OpenError> {
    let connected = connect_to_tables(server, purpose)?;
    Ok(Box::new(Reader::new(server, purpose, connected)))
}

pub(super) fn is_there(server: &Server) -> Result<bool, OpenError> {
    Ok(state_of(server, false)? != DatabaseState::Missing)
}

/// `was_used` says that there are keys of a database that was in use.
pub(super) fn state_of(server: &Server, was_used: bool) -> Result<DatabaseState, OpenError> {
    let mut connected = in_open(server, connect(server, Purpose::Write, Attempt::default()))?;
    let state = in_open(server, schema::state(&mut connected.connection))?;
    match state {
        DatabaseState::Older(found) if found > schema::VERSION => Err(other_version(server, found)),
        DatabaseState::Missing | DatabaseState::Begun if was_used => {
            Err(OpenError::Inconsistent(format!(
                "the database {server} has no members, and the data directory has the keys of one \
                 that was in use: check --database; or copy that one here with `nats-userman \
                 migrate-store`; or move seal.key away to begin anew"
            )))
        }
        DatabaseState::Current
            if !server.takes_marked()
                && in_open(server, migration::is_marked(&mut connected.connection))? =>
        {
            Err(not_whole(server))
        }
        state => Ok(state),
    }
}

/// See [`crate::store::is_led`].
pub(super) fn is_led(server: &Server) -> Result<bool, OpenError> {
    let mut connected = in_open(server, connect(server, Purpose::Write, Attempt::default()))?;
    match in_open(server, schema::state(&mut connected.connection))? {
        DatabaseState::Current | DatabaseState::Older(_) => {
            in_open(server, migration::is_led(&mut connected.connection))
        }
        DatabaseState::Missing | DatabaseState::Begun => Ok(false),
    }
}

/// See [`crate::store::migration_target`].
pub(super) fn migration_target(server: &Server) -> Result<MigrationTarget, OpenError> {
    let mut connected = in_open(server, connect(server, Purpose::Write, Attempt::default()))?;
    let connection = &mut connected.connection;
    match in_open(server, schema::state(connection))? {
        DatabaseState::Missing | DatabaseState::Begun => return Ok(MigrationTarget::Empty),
        DatabaseState::Older(found) => return Err(other_version(server, found)),
        DatabaseState::Current => {}
    }
    if in_open(server, migration::is_marked(connection))? {
        return Ok(MigrationTarget::Begun);
    }
    Ok(match in_open(server, migration::has_rows(connection))? {
        true => MigrationTarget::Filled,
        false => MigrationTarget::Empty,
    })
}

/// See [`crate::store::begin_migration`].
pub(super) fn begin_migration(server: &Server) -> Result<Server, OpenError> {
    in_open(server, schema::create(server))?;
    let mut connected = in_open(server, connect(server, Purpose::Write, Attempt::default()))?;
    in_open(server, migration::mark(&mut connected.connection))?;
    Ok(server.clone().during_migration())
}

/// See [`crate::store::complete_migration`].
pub(super) fn complete_migration(server: &Server) -> Result<(), OpenError> {
    let mut connected = in_open(server, connect(server, Purpose::Write, Attempt::default()))?;
    in_open(server, migration::unmark(&mut connected.connection))
}

pub(super) fn diagnose(server: &Server, since: i64) -> Result<Diagnosis, OpenError> {
    let Connected { mut connection, verified, .. } = connect_to_tables(server, Purpose::Schema)?;
    let read_problems = connect::problems_of_read_hosts(server);
    in_open(server, diagnosis::diagnose(&mut connection, &verified, read_problems, since))
}

/// An upgrade changes the tables in place. The space that it needs is unknown here.
pub(super) fn planned_upgrade(server: &Server) -> Result<Option<UpgradePlan>, OpenError> {
    Ok(match state_of(server, false)? {
        DatabaseState::Older(from) => Some(UpgradePlan {
            from,
            to: schema::VERSION,
            copy: None,
            needed: None,
            free: None,
            about: None,
        }),
        DatabaseState::Missing | DatabaseState::Begun | DatabaseState::Current => None,
    })
}

pub(super) fn check_access(server: &Server) -> Result<(), OpenError> {
    match connect_to_tables(server, Purpose::Write) {
        // The next start upgrades them.
        Err(OpenError::Upgrade(_, UpgradeError::Older { .. })) => Ok(()),
        checked => checked.map(|_| ()),
    }
}

/// See [`crate::store::missing_privilege`].
pub(super) fn missing_privilege(server: &Server) -> Option<Fault> {
    let mut connected = connect_to_tables(server, Purpose::Write).ok()?;
    probe::privileges(&mut connected.connection).err()
}

/// The databases of this engine are no files.
pub(super) fn no_copy() -> CopyError {
    CopyError::NoFile
}
