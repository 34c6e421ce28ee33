//! Reads pages of rows into lines in memory, all within one read transaction, up to a limit.

use super::line::{ExportRow, Lines};
use super::{ExportCounts, ExportError, Format, Source, Wish};
use crate::identity::Key;
use crate::member::{Member, Reason};
use crate::password::Stored;
use crate::store::Fault;

/// Bytes of one piece of memory. A single large one would be copied each time that it grows.
const CHUNK_BYTES: usize = 1 << 20;

/// What was gathered in one read transaction.
pub(super) struct Part {
    pub(super) chunks: Vec<Vec<u8>>,
    /// The newest journal record of that moment.
    pub(super) newest: Option<i64>,
    /// Whether all rows were read.
    pub(super) is_last: bool,
}

/// Behind which row the next page begins.
#[derive(Clone, Copy)]
enum Cursor {
    Members(Option<Key>),
    Formers(Option<Key>),
    Done,
}

/// An export while its rows are read.
pub(super) struct Gatherer<'a> {
    source: &'a Source<'a>,
    wish: Wish,
    lines: Lines,
    bytes_max: usize,
    cursor: Cursor,
    has_header: bool,
    counts: ExportCounts,
    rows: u64,
    next_expiry: Option<i64>,
    site: Option<i64>,
}

impl<'a> Gatherer<'a> {
    pub(super) fn new(source: &'a Source<'a>, wish: Wish, bytes_max: usize) -> Self {
        Self {
            source,
            wish,
            lines: Lines::new(wish.format, wish.former),
            bytes_max,
            cursor: Cursor::Members(None),
            has_header: false,
            counts: ExportCounts::default(),
            rows: 0,
            next_expiry: None,
            site: None,
        }
    }

    pub(super) fn counts(&self) -> ExportCounts {
        self.counts
    }

    /// The rows that were read.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn next_expiry(&self) -> Option<i64> {
        self.next_expiry
    }

    /// Reads the next rows in a read transaction, which has ended when this returns.
    pub(super) fn part(&mut self, go_on: &mut dyn FnMut(u64) -> bool) -> Result<Part, ExportError> {
        let reader = self.source.reader;
        reader.begin_read()?;
        let part = self.within(go_on);
        let ended = reader.end_read();
        let part = part?;
        ended?;
        Ok(part)
    }

    fn within(&mut self, go_on: &mut dyn FnMut(u64) -> bool) -> Result<Part, ExportError> {
        let newest = self.source.reader.newest_record()?.map(|(id, _)| id);
        let (mut chunks, mut chunk, mut full) = (Vec::new(), Vec::new(), 0);
        if !self.has_header {
            self.has_header = true;
            self.lines.header(&mut chunk).map_err(in_memory)?;
        }
        while full + chunk.len() < self.bytes_max {
            self.page(&mut chunk)?;
            if let Cursor::Done = self.cursor {
                break;
            }
            if chunk.len() >= CHUNK_BYTES {
                full += chunk.len();
                // It has grown by doubling, and would hold twice the bytes.
                chunk.shrink_to_fit();
                chunks.push(std::mem::take(&mut chunk));
            }
            if !go_on(self.rows) {
                return Err(ExportError::Stopped);
            }
        }
        chunks.push(chunk);
        Ok(Part { chunks, newest, is_last: matches!(self.cursor, Cursor::Done) })
    }

    /// Reads one page and moves the cursor behind it.
    fn page(&mut self, out: &mut Vec<u8>) -> Result<(), ExportError> {
        let Source { reader, now, .. } = *self.source;
        match self.cursor {
            Cursor::Members(after) => {
                // Also those whose expiry is reached and who are not moved yet.
                let rows = reader.members_page(self.wish.site, after, i64::MIN)?;
                for row in &rows {
                    self.member(out, row, now)?;
                }
                self.cursor = match rows.last() {
                    Some(last) => Cursor::Members(Some(last.key)),
                    None if self.wish.former => Cursor::Formers(None),
                    None => Cursor::Done,
                };
            }
            Cursor::Formers(after) => {
                let rows = reader.formers_page(self.wish.site, after)?;
                for row in &rows {
                    self.line(out, &row.member, Some((row.reason, row.ended_at)))?;
                }
                self.cursor = match rows.last() {
                    Some(last) => Cursor::Formers(Some(last.member.key)),
                    None => Cursor::Done,
                };
            }
            Cursor::Done => {}
        }
        Ok(())
    }

    fn member(&mut self, out: &mut Vec<u8>, row: &Member, now: i64) -> Result<(), ExportError> {
        match row.expire_at {
            Some(instant) if instant <= now => {
                if !self.wish.former {
                    return Ok(());
                }
                let gone = Member { expire_at: None, ..row.clone() };
                return self.line(out, &gone, Some((Reason::Expired, instant)));
            }
            Some(instant) => {
                self.next_expiry = Some(self.next_expiry.map_or(instant, |next| next.min(instant)));
            }
            None => {}
        }
        let site = row.key.site.get();
        if self.wish.format == Format::Htpasswd
            && let Some(other) = self.site.replace(site).filter(|other| *other != site)
        {
            return Err(ExportError::Sites(other, site));
        }
        self.line(out, row, None)
    }

    fn line(
        &mut self,
        out: &mut Vec<u8>,
        member: &Member,
        left: Option<(Reason, i64)>,
    ) -> Result<(), ExportError> {
        self.rows += 1;
        let seal_key = match &member.credential.stored {
            Stored::Sealed(seal) => {
                self.source.vault.and_then(|vault| vault.key_of(member.key, seal))
            }
            Stored::Hash(_) | Stored::Wrapped(_) => None,
        };
        let row = ExportRow { member, left, seal_key };
        self.lines.line(out, &row, &mut self.counts).map_err(in_memory)
    }
}

/// Writing to memory does not fail, and each value of a row can be written.
fn in_memory(error: std::io::Error) -> ExportError {
    ExportError::Read(Fault::BadRow(error.to_string()))
}
