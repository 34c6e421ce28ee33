//! Determines whether the WAL beside the database file belongs to it. SQLite does not check that.
//! If a backup is copied over the file while the old -wal is still beside it, SQLite mixes in pages
//! of another database, and the damage only shows when queries fail.
//!
//! Every transaction of this program gives the table `wal_mark` a new random id and keeps the
//! previous one. SQLite restarts a WAL only after the file has all of it. Therefore the id in the
//! file alone is the one before the first id in the WAL, or, after an interrupted checkpoint, one
//! of those in the WAL. A backup from before this WAL has an older id. A schema change by another
//! tool makes no mark, but changes SQLite's counter of such changes, so a backup from before it is
//! recognised by that counter.
//!
//! A WAL for which this cannot be determined counts as belonging: refusing a start after a power
//! failure is worse than what is prevented here. Therefore nothing is refused if the file cannot be
//! read, if the WAL has no mark (another program wrote it) and the same version of the schema, or
//! if a release without marks wrote both. File formats: sqlite.org/fileformat2.html.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension as _};

use super::connection::open_immutable;
use crate::store::Fault;

/// The byte string that identifies a mark in the pages of the WAL; schema.sql has it too. It is not
/// UTF-8, so no text of a member can contain it.
const TAG: [u8; 16] = *b"\xff\xc0\xe1\x7b\x9a\xd3\x4f\x10\xb6\xfe\x8c\x01\xf7\xa5\xc2\xee";
const ID_BYTES: usize = 16;
const COOKIE_BYTES: usize = 4;
/// The length of the adjacent columns in the row: tag, id, previous, cookie.
const MARK_BYTES: usize = TAG.len() + 2 * ID_BYTES + COOKIE_BYTES;
/// The bytes before them in a cell: the size of the row, its number, and the types of its columns.
const CELL_HEAD_BYTES: usize = 16;

pub(super) const WAL_HEADER_BYTES: usize = 32;
pub(super) const FRAME_HEADER_BYTES: usize = 24;
/// How often the check is repeated. A start has no other writer beside it. A command may have one,
/// which restarts the WAL during the check.
const TRIES: usize = 5;

type Id = [u8; ID_BYTES];
type Cookie = [u8; COOKIE_BYTES];

/// Gives the open transaction a new mark. Must be called last in every transaction that changed
/// anything.
pub(super) fn renew(conn: &Connection) -> Result<Newest, Fault> {
    let cookie = cookie(conn)?;
    let renew = "UPDATE wal_mark SET previous = id, id = randomblob(16), cookie = ?1 RETURNING id";
    let id = conn.prepare_cached(renew)?.query_row([cookie], |row| row.get(0))?;
    Ok(Newest { id, cookie })
}

/// The mark of the newest transaction, which identifies its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Newest {
    id: Id,
    cookie: Cookie,
}

impl Newest {
    /// Reads the mark through this connection. `None` in a database without marks.
    pub(super) fn read(conn: &Connection) -> Result<Option<Self>, Fault> {
        let id = conn
            .query_row("SELECT id FROM wal_mark WHERE tag = ?1", [TAG], |row| row.get(0))
            .optional()?;
        let cookie = cookie(conn)?;
        Ok(id.map(|id| Self { id, cookie }))
    }
}

/// Completes the mark of the transaction that created the table. It is the first and has no
/// predecessor.
pub(super) fn complete(conn: &Connection) -> Result<(), Fault> {
    conn.execute("UPDATE wal_mark SET cookie = ?1", [cookie(conn)?])?;
    Ok(())
}

fn cookie(conn: &Connection) -> Result<Cookie, Fault> {
    let number: u32 =
        conn.prepare_cached("PRAGMA schema_version")?.query_row([], |row| row.get(0))?;
    Ok(number.to_be_bytes())
}

/// Whether the WAL certainly does not belong to the file. Only before this process has a
/// connection: see [`super::check_whole`].
pub(super) fn is_foreign(database: &Path, wal: &Path) -> bool {
    is_foreign_by(database, wal, FileState::read)
}

fn is_foreign_by(database: &Path, wal: &Path, read: impl Fn(&Path) -> Option<FileState>) -> bool {
    let verdict = || {
        let before = wal_header(wal)?;
        let file = read(database);
        let foreign = file.is_some_and(|file| file.contradicts(wal));
        // If the WAL was restarted meanwhile, file and WAL were read at different times.
        (wal_header(wal) == Some(before)).then_some(foreign)
    };
    (0..TRIES).find_map(|_| verdict()).unwrap_or(false)
}

/// Whether a service that has the file and the WAL open can continue with them after another
/// program has written. It can if the WAL belongs to the file, and if the service's newest
/// transaction is in the file or in the WAL, or is the one before those.
///
/// `others` says that another program has committed since then; such a commit may have no mark.
/// `None` if the file alone cannot be read, as during a checkpoint that makes it longer. Safe at
/// any time: SQLite itself opens and closes the file, and keeps its locks.
pub(super) fn continues(database: &Path, wal: &Path, newest: Newest, others: bool) -> Option<bool> {
    let state = FileState::read_by_sqlite(database)?;
    let (id, previous) = match state.mark {
        FileMark::Is { id, previous } => (id, previous),
        FileMark::None => return Some(false),
        FileMark::Unreadable => return None,
    };
    let head = state.head;
    let logged = || Frames::open(wal).map(Frames::marks).unwrap_or_default();
    // SQLite's backups have another counter.
    let same_cookie = head.cookie == newest.cookie;
    let is_known = || match logged() {
        // The file has everything.
        marks if marks.is_empty() && id == newest.id => same_cookie || others,
        marks if marks.is_empty() => previous == newest.id,
        marks => {
            [id, previous].contains(&newest.id) || marks.iter().any(|mark| mark.id == newest.id)
        }
    };
    Some(is_known() && !is_foreign_by(database, wal, FileState::read_by_sqlite))
}

/// Whether the newest transaction in the file without its WAL is one of these. Safe at any time, as
/// [`continues`] is.
pub(super) fn has_one_of(database: &Path, newest: &[Newest]) -> bool {
    match FileState::read_by_sqlite(database) {
        Some(FileState { mark: FileMark::Is { id, .. }, .. }) => {
            newest.iter().any(|newest| newest.id == id)
        }
        _ => false,
    }
}

/// Whether a transaction of this program is in the WAL.
pub(super) fn has_marks(wal: &Path) -> bool {
    Frames::open(wal).is_some_and(|frames| !frames.marks().is_empty())
}

fn wal_header(wal: &Path) -> Option<[u8; WAL_HEADER_BYTES]> {
    let mut header = [0; WAL_HEADER_BYTES];
    File::open(wal).ok()?.read_exact_at(&mut header, 0).ok()?;
    Some(header)
}

/// The state of the database file without its WAL.
struct FileState {
    /// The header names no WAL, as in a copy by VACUUM INTO or from a dump: no WAL belongs to it.
    is_of_rollback_mode: bool,
    head: Head,
    mark: FileMark,
}

/// The header on the first page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    /// SQLite's schema cookie, which counts schema changes. SQLite's backups and VACUUM give the
    /// copy another number.
    cookie: Cookie,
    /// The version of our schema: `user_version`.
    version: [u8; 4],
}

impl Head {
    fn of(page: &[u8]) -> Option<Self> {
        let bytes = |at| page.get(at..)?.first_chunk().copied();
        Some(Self { cookie: bytes(40)?, version: bytes(60)? })
    }
}

enum FileMark {
    Unreadable,
    /// The table is missing, so its first row must be in the WAL.
    None,
    Is {
        id: Id,
        previous: Id,
    },
}

impl FileState {
    /// `None` for a file that is not a SQLite database or has no page yet.
    fn read(database: &Path) -> Option<Self> {
        let mut header = [0; 100];
        File::open(database).ok()?.read_exact_at(&mut header, 0).ok()?;
        let head = Head::of(&header)?;
        let is_ours = header.starts_with(b"SQLite format 3\0");
        is_ours.then(|| Self {
            is_of_rollback_mode: header[18] == 1,
            head,
            mark: FileMark::read(database),
        })
    }

    /// Reads the state through SQLite, which does not show whether the header names a WAL. The
    /// copies that this would reveal are recognised in another way: one by VACUUM has another
    /// cookie, and one from a dump has no mark of ours.
    fn read_by_sqlite(database: &Path) -> Option<Self> {
        let read = || {
            let conn = open_immutable(database)?;
            // A checkpoint that a reader cuts short may leave a file without its last page, for as
            // long as the reader stays. With this setting SQLite reads such a file without its WAL.
            conn.set_db_config(DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, true)?;
            let number = |pragma: &str| {
                conn.query_row(pragma, [], |row| row.get::<_, u32>(0).map(u32::to_be_bytes))
            };
            let head = Head {
                cookie: number("PRAGMA schema_version")?,
                version: number("PRAGMA user_version")?,
            };
            Ok::<_, rusqlite::Error>(Self {
                is_of_rollback_mode: false,
                head,
                mark: FileMark::of(&conn),
            })
        };
        read().ok()
    }

    /// Whether the WAL cannot have been started on this file.
    fn contradicts(&self, wal: &Path) -> bool {
        let Some(mut frames) = Frames::open(wal) else { return false };
        match self.mark {
            _ if self.is_of_rollback_mode => frames.next_transaction().is_some(),
            FileMark::Unreadable => false,
            FileMark::None => {
                frames.first_mark().is_some_and(|mark| mark.previous != [0; ID_BYTES])
            }
            FileMark::Is { id, .. } => self.is_refuted(id, frames),
        }
    }

    /// Whether the WAL was started on another file than this one, whose mark is `id`: either no
    /// mark in the WAL follows `id`, or the schema changed between the two. Such a change (a
    /// VACUUM, a CREATE INDEX by hand) makes no mark, and shows in the cookie.
    fn is_refuted(&self, id: Id, mut frames: Frames) -> bool {
        let (mut known, mut marked, mut other_version) = (false, false, false);
        // The cookie of the file when the WAL was started, if the WAL shows it, and the cookies
        // that a checkpoint sets.
        let (mut cookie_before, mut cookies) = (None, HashSet::new());
        while let Some(Transaction { mark, head, is_whole }) = frames.next_transaction() {
            if is_whole && !marked {
                return false;
            }
            let is_upgrade = head.is_some_and(|head| head.version != self.head.version);
            if let Some(mark) = mark {
                known |= mark.id == id || !marked && mark.previous == id;
                if !marked && cookies.is_empty() && !is_upgrade {
                    cookie_before = Some(mark.cookie);
                }
                marked = true;
            }
            other_version |= is_upgrade;
            cookies.extend(head.map(|head| head.cookie));
            let own = self.head.cookie;
            if known && (cookie_before.is_none_or(|cookie| cookie == own) || cookies.contains(&own))
            {
                return false;
            }
        }
        // Without a mark, the previous release wrote the WAL, which never belongs to a file of this
        // one.
        marked || other_version
    }
}

impl FileMark {
    fn read(database: &Path) -> Self {
        open_immutable(database).map_or(FileMark::Unreadable, |conn| Self::of(&conn))
    }

    fn of(conn: &Connection) -> Self {
        let read = || {
            let there = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'wal_mark')";
            if !conn.query_row(there, [], |row| row.get(0))? {
                return Ok(FileMark::None);
            }
            let is = |row: &rusqlite::Row<'_>| {
                Ok(FileMark::Is { id: row.get(0)?, previous: row.get(1)? })
            };
            let mark =
                conn.query_row("SELECT id, previous FROM wal_mark WHERE tag = ?1", [TAG], is);
            Ok::<_, rusqlite::Error>(mark.optional()?.unwrap_or(FileMark::Unreadable))
        };
        read().unwrap_or(FileMark::Unreadable)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    id: Id,
    previous: Id,
    cookie: Cookie,
}

impl Mark {
    /// The mark in a page of the table, which has one row.
    fn find(page: &[u8]) -> Option<Self> {
        // A leaf of a table with one cell, and where that cell begins.
        let &[0x0d, _, _, 0, 1, _, _, _, high, low, ..] = page else { return None };
        let cell = page.get(usize::from(u16::from_be_bytes([high, low]))..)?;
        let at = cell.windows(TAG.len()).take(CELL_HEAD_BYTES).position(|bytes| bytes == TAG)?;
        let (id, rest) = cell.get(at..at + MARK_BYTES)?[TAG.len()..].split_first_chunk()?;
        let (previous, rest) = rest.split_first_chunk()?;
        Some(Self { id: *id, previous: *previous, cookie: rest.try_into().ok()? })
    }
}

/// One committed transaction in the WAL.
struct Transaction {
    mark: Option<Mark>,
    head: Option<Head>,
    /// It wrote every page, as VACUUM and `.restore` do. The earlier state of the file does not
    /// matter then.
    is_whole: bool,
}

/// The transactions of a WAL, up to the last committed one, as SQLite would read them.
struct Frames {
    wal: BufReader<File>,
    salts: [u8; 8],
    big_endian: bool,
    sums: [u32; 2],
    page: Vec<u8>,
}

impl Frames {
    /// `None` for a WAL that SQLite would treat as empty.
    fn open(wal: &Path) -> Option<Self> {
        let mut wal = BufReader::with_capacity(1 << 20, File::open(wal).ok()?);
        let mut header = [0; WAL_HEADER_BYTES];
        wal.read_exact(&mut header).ok()?;
        let big_endian = match header[..4] {
            [0x37, 0x7f, 0x06, 0x82] => false,
            [0x37, 0x7f, 0x06, 0x83] => true,
            _ => return None,
        };
        let page_bytes = usize::try_from(number(&header, 8)).ok()?;
        let sums = checksum([0, 0], &header[..24], big_endian);
        let valid = sums == sums_at(&header, 24)
            && (512..=65_536).contains(&page_bytes)
            && page_bytes.is_power_of_two();
        let salts = header[16..24].try_into().ok()?;
        valid.then(|| Self { wal, salts, big_endian, sums, page: vec![0; page_bytes] })
    }

    /// The first mark that was made on the earlier state of the file.
    fn first_mark(&mut self) -> Option<Mark> {
        let transactions = std::iter::from_fn(|| self.next_transaction());
        transactions
            .take_while(|transaction| !transaction.is_whole)
            .find_map(|transaction| transaction.mark)
    }

    /// The marks of all transactions that have one.
    fn marks(mut self) -> Vec<Mark> {
        std::iter::from_fn(|| self.next_transaction())
            .filter_map(|transaction| transaction.mark)
            .collect()
    }

    fn next_transaction(&mut self) -> Option<Transaction> {
        let (mut mark, mut head, mut pages) = (None, None, HashSet::new());
        loop {
            let header = self.next_frame()?;
            let page = number(&header, 0);
            // If a page is written twice, the later one counts.
            mark = Mark::find(&self.page).or(mark);
            if page == 1 {
                head = Head::of(&self.page);
            }
            pages.insert(page);
            // The last frame of a commit has the number of pages that the database then has. In a
            // large database one page is never written: the page with the bytes that SQLite locks.
            let pages_after = usize::try_from(number(&header, 4)).ok()?;
            if pages_after > 0 {
                return Some(Transaction { mark, head, is_whole: pages.len() + 1 >= pages_after });
            }
        }
    }

    /// Returns the header of the next valid frame and puts its page into `page`.
    fn next_frame(&mut self) -> Option<[u8; FRAME_HEADER_BYTES]> {
        let mut header = [0; FRAME_HEADER_BYTES];
        self.wal.read_exact(&mut header).ok()?;
        self.wal.read_exact(&mut self.page).ok()?;
        self.sums = checksum(
            checksum(self.sums, &header[..8], self.big_endian),
            &self.page,
            self.big_endian,
        );
        (header[8..16] == self.salts && sums_at(&header, 16) == self.sums).then_some(header)
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |number, &byte| number << 8 | u32::from(byte))
}

fn sums_at(bytes: &[u8], at: usize) -> [u32; 2] {
    [number(bytes, at), number(bytes, at + 4)]
}

/// "Checksum Algorithm" of the WAL: over pairs of 32-bit numbers, wrapping.
fn checksum([mut first, mut second]: [u32; 2], bytes: &[u8], big_endian: bool) -> [u32; 2] {
    let (words, _) = bytes.as_chunks::<4>();
    for pair in words.chunks_exact(2) {
        let word = |bytes: [u8; 4]| {
            if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
        };
        first = first.wrapping_add(word(pair[0])).wrapping_add(second);
        second = second.wrapping_add(word(pair[1])).wrapping_add(first);
    }
    [first, second]
}
