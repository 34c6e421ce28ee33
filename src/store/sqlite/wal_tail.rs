//! The last transaction that this service knows in the WAL, checked again before and after each
//! one. SQLite goes by its index and never checks whether the WAL still has what that says: where
//! another program has truncated the file (to free a full disk, say) or copied another one over it,
//! it would write on behind a gap, and a restart would find nothing of what was acknowledged.
//!
//! The header of a frame has a checksum of all frames before it. So two small reads tell that
//! nothing is missing: the header of the WAL, and that of the last frame. File format:
//! sqlite.org/fileformat2.html, "The WAL File Format".

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::wal_mark::{FRAME_HEADER_BYTES, WAL_HEADER_BYTES};

type Header = [u8; WAL_HEADER_BYTES];
type FrameHeader = [u8; FRAME_HEADER_BYTES];

/// Its file holds no lock of SQLite's, so that it may be opened and closed at any time.
pub(super) struct WalTail {
    wal: Option<File>,
    last: Option<Last>,
}

struct Last {
    header: Header,
    /// From 1.
    number: u64,
    frame: FrameHeader,
    /// We have written it. Else it may be what a crash has left behind the last commit, which
    /// SQLite writes over.
    is_ours: bool,
}

impl Last {
    fn is_in(&self, tail: &WalTail) -> bool {
        tail.frame(&self.header, self.number) == Some(self.frame)
    }
}

impl WalTail {
    /// Of what is committed in this WAL.
    pub(super) fn find(wal: &Path) -> Self {
        let mut tail = Self { wal: File::open(wal).ok(), last: None };
        tail.find_again();
        tail
    }

    /// Finds the last transaction again, after another program has begun the WAL anew. By the
    /// headers of the frames alone: the checksums of a large WAL take long.
    pub(super) fn find_again(&mut self) {
        self.last = self.header().and_then(|header| {
            let is_of_it = |frame: &FrameHeader| frame[8..16] == header[16..24];
            let frames = (1..).map_while(|number| {
                self.frame(&header, number).filter(is_of_it).map(|frame| (number, frame))
            });
            let (number, frame) = frames.filter(|(_, frame)| frame[4..8] != [0; 4]).last()?;
            Some(Last { header, number, frame, is_ours: false })
        });
    }

    /// Whether the WAL still has it. Where none is known, it has.
    pub(super) fn is_there(&self) -> bool {
        self.last.as_ref().is_none_or(|last| self.header() == Some(last.header) && last.is_in(self))
    }

    /// A checkpoint of ours may have truncated the WAL.
    pub(super) fn was_checkpointed(&mut self) {
        if self.wal.as_ref().is_some_and(|wal| wal.metadata().is_ok_and(|wal| wal.len() == 0)) {
            self.last = None;
        }
    }

    /// A transaction was committed, after which the WAL has so many frames. Whether it is there,
    /// with all before it.
    pub(super) fn committed(&mut self, number: u64) -> bool {
        let Some(header) = self.header() else { return self.wal.is_none() };
        let Some(frame) = self.frame(&header, number) else { return false };
        // Of a WAL that was begun anew all frames are new.
        let is_kept = |last: &Last| !last.is_ours || header != last.header || last.is_in(self);
        let is_whole = frame[8..16] == header[16..24] && self.last.as_ref().is_none_or(is_kept);
        if is_whole {
            self.last = Some(Last { header, number, frame, is_ours: true });
        }
        is_whole
    }

    fn header(&self) -> Option<Header> {
        let mut header = [0; WAL_HEADER_BYTES];
        self.wal.as_ref()?.read_exact_at(&mut header, 0).ok()?;
        Some(header)
    }

    fn frame(&self, header: &Header, number: u64) -> Option<FrameHeader> {
        let page_bytes = u64::from(u32::from_be_bytes(*header[8..].first_chunk()?));
        let at = WAL_HEADER_BYTES as u64
            + number.checked_sub(1)? * (FRAME_HEADER_BYTES as u64 + page_bytes);
        let mut frame = [0; FRAME_HEADER_BYTES];
        self.wal.as_ref()?.read_exact_at(&mut frame, at).ok()?;
        Some(frame)
    }
}
