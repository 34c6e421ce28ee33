//! Copies a whole database to another location, of the same engine or another one: `migrate-store`.
//!
//! The rows of each table are copied in the order of its key, a page in each transaction. So the
//! rows of the target show how far an interrupted copy came: its rows are the first ones of the
//! source. They are compared with them before the copy continues.

mod digest;
mod error;
mod locks;
mod walk;

use self::digest::{Digest, encoded};
use self::locks::lock;
use self::walk::{TRIES_MAX, Walk, read_again};
use crate::file_system::refuse_network;
use crate::store::{
    DatabaseState, Engine, Fault, Location, MigrationTarget, Read, SharedKey, Table, TableRow,
    begin_migration, check_whole, complete_migration, is_led, migration_target, open_for_command,
    state_of, with_engine,
};
use crate::unicode::FOLDING_VERSION;

pub use self::digest::Sha256Hash;
pub use self::error::{MigrationError, Side};

/// How many of the rows that the target refuses are named.
const REFUSED_NAMED_MAX: usize = 10;

/// What was copied of a table. The source and the target have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopiedTable {
    /// The table.
    pub table: Table,
    /// Its rows.
    pub rows: u64,
    /// SHA-256 over all rows in the order of their key, in a form that no engine determines.
    pub sha256: Sha256Hash,
}

/// A copy that is complete.
#[derive(Clone, Debug)]
pub struct Migrated {
    /// The tables in the order in which they were copied.
    pub tables: Vec<CopiedTable>,
    /// Rows that an interrupted run of the same copy had copied.
    pub found: u64,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Rows are copied.
    Copying,
    /// The rows of the target are read again and compared.
    Checking,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// The rows that are done.
    pub done: u64,
    /// All rows; while they are copied about as many.
    pub all: u64,
}

/// Copies all rows from one location to another one, and compares them. No receiver uses either of
/// them meanwhile. `go_on` is called after each page of rows. If it returns false the copy ends,
/// and the next one continues it.
///
/// # Errors
///
/// See [`MigrationError`]. The source is never changed. The target is not used by any other command
/// before it is whole.
pub fn migrate(
    from: &Location,
    to: &Location,
    go_on: &mut dyn FnMut(Progress) -> bool,
) -> Result<Migrated, MigrationError> {
    let _locks = lock(from, to)?;
    check_source(from)?;
    let is_begun = check_target(to)?;

    let source = open_for_command(from).map_err(Side::Source.open())?;
    // All that is read is of one moment.
    source.begin_read().map_err(Side::Source.read())?;
    check_folding(&*source, Side::Source)?;

    let draft = begin_migration(to).map_err(Side::Target.open())?;
    let copied = with_engine(&draft, false, |engine| {
        // No receiver has the lease of marked tables, but a run that was killed may have it.
        if !is_begun && !engine.lead().map_err(MigrationError::Write)? {
            return Err(MigrationError::Served(Side::Target, to.to_string()));
        }
        let target = open_for_command(&draft).map_err(Side::Target.open())?;
        check_folding(&*target, Side::Target)?;
        let mut copy = Copy { source: &*source, target: &*target, engine, go_on, done: 0, all: 0 };
        let migrated = copy.run()?;
        check_unchanged(from, &*source)?;
        drop(target);
        match engine.finish() {
            true => Ok(migrated),
            false => Err(MigrationError::Open),
        }
    });
    let copied = copied.map_err(Side::Target.open())?;
    if let Err(MigrationError::Served(Side::Target, _)) = copied
        && !is_begun
    {
        // A receiver came between the check and the mark. Nothing was copied.
        complete_migration(to).map_err(Side::Target.open())?;
    }
    let migrated = copied?;
    complete_migration(to).map_err(Side::Target.open())?;
    Ok(migrated)
}

/// Checks that the source can be read and that no receiver uses it.
fn check_source(from: &Location) -> Result<(), MigrationError> {
    let open = Side::Source.open();
    check_whole(from).map_err(Side::Source.open())?;
    match state_of(from, false).map_err(open)? {
        DatabaseState::Missing | DatabaseState::Begun => {
            return Err(MigrationError::NoSource(from.to_string()));
        }
        DatabaseState::Older(_) => return Err(MigrationError::Older(from.to_string())),
        DatabaseState::Current => {}
    }
    match is_led(from).map_err(Side::Source.open())? {
        true => Err(MigrationError::Served(Side::Source, from.to_string())),
        false => Ok(()),
    }
}

/// Whether the target has a part of a copy. Fails if it has something else, or a receiver.
fn check_target(to: &Location) -> Result<bool, MigrationError> {
    if let Some(file) = to.file() {
        refuse_network(file)?;
    }
    match migration_target(to).map_err(Side::Target.open())? {
        MigrationTarget::Begun => Ok(true),
        MigrationTarget::Empty => match is_led(to).map_err(Side::Target.open())? {
            true => Err(MigrationError::Served(Side::Target, to.to_string())),
            false => Ok(false),
        },
        MigrationTarget::Filled if to.file().is_some() => {
            Err(MigrationError::FileExists(to.to_string()))
        }
        MigrationTarget::Filled => Err(MigrationError::NotEmpty(to.to_string())),
    }
}

/// The folded names are copied as they are.
fn check_folding(read: &dyn Read, side: Side) -> Result<(), MigrationError> {
    match read.folding_version().map_err(side.read())? {
        Some(FOLDING_VERSION) => Ok(()),
        _ => Err(MigrationError::Folding(side)),
    }
}

/// Checks that the source has not changed since its rows were read.
fn check_unchanged(from: &Location, source: &dyn Read) -> Result<(), MigrationError> {
    let newest = source.newest_record().map_err(Side::Source.read())?;
    source.end_read().map_err(Side::Source.read())?;
    let is_same = source.newest_record().map_err(Side::Source.read())? == newest;
    match is_same && !is_led(from).map_err(Side::Source.open())? {
        true => Ok(()),
        false => Err(MigrationError::Changed),
    }
}

/// The copy while it runs.
struct Copy<'a> {
    source: &'a dyn Read,
    target: &'a dyn Read,
    engine: &'a mut dyn Engine,
    go_on: &'a mut dyn FnMut(Progress) -> bool,
    done: u64,
    all: u64,
}

impl Copy<'_> {
    fn run(&mut self) -> Result<Migrated, MigrationError> {
        self.all = self.source.count_rows().map_err(Side::Source.read())?;
        let (mut tables, mut found) = (Vec::new(), 0);
        for table in Table::ALL {
            let (copied, of_before) = self.copy(table)?;
            tables.push(copied);
            found += of_before;
        }
        self.copy_single_values()?;
        (self.done, self.all) = (0, tables.iter().map(|copied| copied.rows).sum());
        for copied in &tables {
            self.check(copied)?;
        }
        Ok(Migrated { tables, found })
    }

    /// Copies the rows that the target does not have yet. Returns also how many it had.
    fn copy(&mut self, table: Table) -> Result<(CopiedTable, u64), MigrationError> {
        let mut digest = Digest::default();
        let mut source = Walk::new(self.source, table, Side::Source);
        let mut target = Walk::new(self.target, table, Side::Target);
        while let Some(there) = target.next()? {
            let here = source.next()?.map(|row| encoded(&row));
            if here.as_ref() != Some(&encoded(&there)) {
                return Err(MigrationError::OtherCopy(there.subject()));
            }
            digest.add(&there);
            if digest.rows().is_multiple_of(1_000) {
                self.report(Phase::Copying, 1_000)?;
            }
        }
        let found = digest.rows();
        self.report(Phase::Copying, found % 1_000)?;
        loop {
            let rows = source.rest_of_page()?;
            if rows.is_empty() {
                let (rows, sha256) = (digest.rows(), digest.finish());
                return Ok((CopiedTable { table, rows, sha256 }, found));
            }
            self.insert(&rows)?;
            rows.iter().for_each(|row| digest.add(row));
            self.report(Phase::Copying, rows.len() as u64)?;
        }
    }

    /// Inserts rows in one transaction.
    fn insert(&mut self, rows: &[TableRow]) -> Result<(), MigrationError> {
        match self.transact(|engine| engine.insert_rows(rows)) {
            Err(fault) if fault.is_of_one_row() => Err(self.refused(rows, fault)),
            done => done.map_err(MigrationError::Write),
        }
    }

    fn transact(
        &mut self,
        work: impl Fn(&mut dyn Engine) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut tries = 1;
        loop {
            let done = self
                .engine
                .begin()
                .and_then(|()| work(self.engine))
                .and_then(|()| self.engine.commit());
            match done {
                Ok(()) => {
                    // How long readers block the log does not matter here.
                    self.engine.maintain(std::time::Instant::now())?;
                    return Ok(());
                }
                Err(fault) => {
                    self.engine.rollback();
                    if !fault.runs_again() || tries == TRIES_MAX {
                        return Err(fault);
                    }
                    tries += 1;
                }
            }
        }
    }

    /// Finds the rows that the target refuses.
    fn refused(&mut self, rows: &[TableRow], fault: Fault) -> MigrationError {
        let mut refused = Vec::new();
        for row in rows {
            let tried = self
                .engine
                .begin()
                .and_then(|()| self.engine.insert_rows(std::slice::from_ref(row)));
            self.engine.rollback();
            match tried {
                Err(fault) if fault.is_of_one_row() => refused.push(row.subject()),
                Err(fault) => return MigrationError::Write(fault),
                Ok(()) => {}
            }
            if refused.len() == REFUSED_NAMED_MAX {
                break;
            }
        }
        if let ([first, .., last], true) = (rows, refused.is_empty()) {
            // Two of them contradict each other.
            refused.push(format!("one of those from {} to {}", first.subject(), last.subject()));
        }
        MigrationError::Refused(refused.join(", "), fault)
    }

    /// Copies what has one row: the ids of the keys, the epoch of logins, the time of last use.
    fn copy_single_values(&mut self) -> Result<(), MigrationError> {
        let read = Side::Source.read();
        let source = self.source;
        let values = || {
            let seen = source.last_seen(i64::MAX)?;
            Ok((source.seal_key()?, source.cookie_key()?, source.login_epoch()?, seen))
        };
        let (seals, cookies, epoch, seen) = values().map_err(read)?;
        let write = |engine: &mut dyn Engine| {
            if let Some(id) = seals {
                engine.set_seal_key(id)?;
            }
            if let Some(id) = cookies {
                engine.agree_on_key(SharedKey::Cookies, id)?;
            }
            if let Some(epoch) = epoch {
                engine.begin_login_epoch(epoch)?;
            }
            seen.map_or(Ok(()), |at| engine.probe(at))
        };
        self.transact(write).map_err(MigrationError::Write)?;
        let target = self.target;
        let there = || Ok((target.seal_key()?, target.cookie_key()?, target.login_epoch()?));
        let (seals_there, cookies_there, epoch_there) =
            read_again(there).map_err(Side::Target.read())?;
        // An engine whose database has one receiver stores no id of the cookie key.
        for (name, is_same) in [
            ("seal_key", seals == seals_there),
            (
                "cookie_key",
                cookies.is_none() || cookies_there.is_none() || cookies == cookies_there,
            ),
            ("login_epoch", epoch == epoch_there),
        ] {
            if !is_same {
                return Err(MigrationError::Differs(name, "another value".into()));
            }
        }
        Ok(())
    }

    /// Reads a table of the target again and compares it with what was read from the source.
    fn check(&mut self, copied: &CopiedTable) -> Result<(), MigrationError> {
        let mut digest = Digest::default();
        let mut target = Walk::new(self.target, copied.table, Side::Target);
        loop {
            let rows = target.rest_of_page()?;
            if rows.is_empty() {
                break;
            }
            rows.iter().for_each(|row| digest.add(row));
            self.report(Phase::Checking, rows.len() as u64)?;
        }
        let (rows, sha256) = (digest.rows(), digest.finish());
        if (rows, sha256) == (copied.rows, copied.sha256) {
            return Ok(());
        }
        let found = format!(
            "{} rows with SHA-256 {} in the source, {rows} rows with SHA-256 {sha256}",
            copied.rows, copied.sha256
        );
        Err(MigrationError::Differs(copied.table.name(), found))
    }

    fn report(&mut self, phase: Phase, rows: u64) -> Result<(), MigrationError> {
        if rows == 0 {
            return Ok(());
        }
        self.done += rows;
        let all = self.all.max(self.done);
        match (self.go_on)(Progress { phase, done: self.done, all }) {
            true => Ok(()),
            false => Err(MigrationError::Interrupted),
        }
    }
}
