//! Whether the WAL beside the database file belongs to it. SQLite does not check: a backup that is
//! copied over the file, while the old -wal lies beside it, gets the pages of another database, and
//! nobody notices before queries fail.
//!
//! Every transaction of ours gives the table `wal_mark` a new random id and keeps the one before.
//! SQLite begins a WAL anew only when the file holds all of the last one. So the id in the file
//! alone is the one before the first id in the WAL; or, when a checkpoint was cut short, one of
//! those in the WAL. A backup from before this WAL has an older id. Where the schema was changed by
//! hand since the backup, which makes no mark, the number that counts such changes is another one.
//!
//! A WAL of which that cannot be determined counts as belonging: to refuse a start after a power
//! failure is worse than what is prevented here. Therefore nothing is refused where the file cannot
//! be read, where the WAL has no mark (another program wrote it) and no other version of the
//! schema, or where a release without marks wrote both. File formats: sqlite.org/fileformat2.html.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _};

use super::connection::open_immutable;
use crate::store::Fault;

/// What finds a mark in the pages of the WAL; schema.sql has it too. No text of a member can hold
/// it: it is no UTF-8.
const TAG: [u8; 16] = *b"\xff\xc0\xe1\x7b\x9a\xd3\x4f\x10\xb6\xfe\x8c\x01\xf7\xa5\xc2\xee";
const ID_BYTES: usize = 16;
const COOKIE_BYTES: usize = 4;
/// Of the columns that follow each other in the row: tag, id, previous, cookie.
const MARK_BYTES: usize = TAG.len() + 2 * ID_BYTES + COOKIE_BYTES;
/// Before them in a cell: the size of the row, its number, and the types of its columns.
const CELL_HEAD_BYTES: usize = 16;

pub(super) const WAL_HEADER_BYTES: usize = 32;
pub(super) const FRAME_HEADER_BYTES: usize = 24;
/// A start has no other writer beside it. A command may have one, which begins the WAL anew while
/// it is read.
const TRIES: usize = 5;

type Id = [u8; ID_BYTES];
type Cookie = [u8; COOKIE_BYTES];

/// Gives the open transaction a mark of its own. To be called last in every transaction that
/// changed anything.
pub(super) fn renew(conn: &Connection) -> Result<Newest, Fault> {
    let cookie = cookie(conn)?;
    let renew = "UPDATE wal_mark SET previous = id, id = randomblob(16), cookie = ?1 RETURNING id";
    let id = conn.prepare_cached(renew)?.query_row([cookie], |row| row.get(0))?;
    Ok(Newest { id, cookie })
}

/// What the newest transaction left, by which its file is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Newest {
    id: Id,
    cookie: Cookie,
}

impl Newest {
    /// As this connection reads it. `None` in a database that has no mark.
    pub(super) fn read(conn: &Connection) -> Result<Option<Self>, Fault> {
        let id = conn
            .query_row("SELECT id FROM wal_mark WHERE tag = ?1", [TAG], |row| row.get(0))
            .optional()?;
        let cookie = cookie(conn)?;
        Ok(id.map(|id| Self { id, cookie }))
    }
}

/// Completes the mark of the transaction that made the table: it is the first, and has none before.
pub(super) fn complete(conn: &Connection) -> Result<(), Fault> {
    conn.execute("UPDATE wal_mark SET cookie = ?1", [cookie(conn)?])?;
    Ok(())
}

fn cookie(conn: &Connection) -> Result<Cookie, Fault> {
    let number: u32 =
        conn.prepare_cached("PRAGMA schema_version")?.query_row([], |row| row.get(0))?;
    Ok(number.to_be_bytes())
}

/// Whether the WAL does not belong to the file, for certain. Before a connection is open in this
/// process: see [`super::check_whole`].
pub(super) fn is_foreign(database: &Path, wal: &Path) -> bool {
    is_foreign_by(database, wal, FileState::read)
}

fn is_foreign_by(database: &Path, wal: &Path, read: impl Fn(&Path) -> Option<FileState>) -> bool {
    let verdict = || {
        let before = wal_header(wal)?;
        let file = read(database);
        let foreign = file.is_some_and(|file| file.contradicts(wal));
        // Where the WAL was begun anew meanwhile, file and WAL were read at different times.
        (wal_header(wal) == Some(before)).then_some(foreign)
    };
    (0..TRIES).find_map(|_| verdict()).unwrap_or(false)
}

/// Whether file and WAL are what a service goes on with that has them open: the WAL belongs to the
/// file, and the newest transaction that it knows is in one of both, or is the one before. `None`
/// where the file cannot be read by itself, as in the middle of a checkpoint by which it grows.
/// `others` says that another program has committed since, which makes no mark. Good at any time:
/// the file is opened by SQLite alone, which knows of its own locks.
pub(super) fn continues(database: &Path, wal: &Path, newest: Newest, others: bool) -> Option<bool> {
    let state = FileState::read_by_sqlite(database)?;
    let (id, previous) = match state.mark {
        FileMark::Is { id, previous } => (id, previous),
        FileMark::None => return Some(false),
        FileMark::Unreadable => return None,
    };
    let head = state.head;
    let logged = || Frames::open(wal).map(Frames::marks).unwrap_or_default();
    // Backups by SQLite have another one.
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

/// Whether a transaction of ours is in the WAL.
pub(super) fn has_marks(wal: &Path) -> bool {
    Frames::open(wal).is_some_and(|frames| !frames.marks().is_empty())
}

fn wal_header(wal: &Path) -> Option<[u8; WAL_HEADER_BYTES]> {
    let mut header = [0; WAL_HEADER_BYTES];
    File::open(wal).ok()?.read_exact_at(&mut header, 0).ok()?;
    Some(header)
}

/// What the database file says without its WAL.
struct FileState {
    /// Of a file that was not made for a WAL: a copy by VACUUM INTO or from a dump.
    is_of_rollback_mode: bool,
    head: Head,
    mark: FileMark,
}

/// What the first page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    /// Counts the changes of the schema. SQLite's backups and VACUUM give the copy another number.
    cookie: Cookie,
    /// Of our schema: `user_version`.
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
    /// The table is not there, so that its first row must be in the WAL.
    None,
    Is {
        id: Id,
        previous: Id,
    },
}

impl FileState {
    /// `None` for a file that is none of SQLite's or has no page yet.
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

    /// Checks the WAL without opening the file except by SQLite, which does not tell for which mode
    /// it was made. A copy by VACUUM has another cookie, and one from a dump no mark of ours.
    fn read_by_sqlite(database: &Path) -> Option<Self> {
        let read = || {
            let conn = open_immutable(database)?;
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

    /// Whether this file cannot be the one on which the WAL was begun.
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

    /// Whether the WAL was begun on a file with another mark, or on one with this mark after a
    /// change of the schema: by VACUUM, say, or CREATE INDEX by hand, neither of which makes a new
    /// mark.
    fn is_refuted(&self, id: Id, mut frames: Frames) -> bool {
        let (mut known, mut marked, mut other_version) = (false, false, false);
        // The cookie of the file when the WAL was begun, where the WAL tells it; and those that a
        // checkpoint gives it.
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
        // Without a mark, the release before wrote the WAL; it never has a file of this one.
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

/// What a committed transaction in the WAL has.
struct Transaction {
    mark: Option<Mark>,
    head: Option<Head>,
    /// It wrote every page, as VACUUM and a `.restore` by hand do: what the file was before is of
    /// no matter.
    is_whole: bool,
}

/// The transactions of a WAL, to the last one that was committed, as SQLite would read them.
struct Frames {
    wal: BufReader<File>,
    salts: [u8; 8],
    big_endian: bool,
    sums: [u32; 2],
    page: Vec<u8>,
}

impl Frames {
    /// `None` for a WAL that SQLite would take as empty.
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

    /// The first mark that was made for what the file was.
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
            // Of a page that is written twice the later one counts.
            mark = Mark::find(&self.page).or(mark);
            if page == 1 {
                head = Head::of(&self.page);
            }
            pages.insert(page);
            // The last frame of a commit says how many pages the database has then. One is never
            // written, in a large one: the page with the bytes that SQLite locks.
            let pages_after = usize::try_from(number(&header, 4)).ok()?;
            if pages_after > 0 {
                return Some(Transaction { mark, head, is_whole: pages.len() + 1 >= pages_after });
            }
        }
    }

    /// The header of the next valid frame, whose page is in `page` then.
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
