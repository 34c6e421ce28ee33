//! Checks the last known transaction in the WAL before and after each transaction. SQLite relies on
//! its index and never checks whether the WAL still has the content. If another program has
//! truncated the WAL (for example to free a full disk) or copied another one over it, SQLite would
//! write behind a gap, and a restart would find none of the acknowledged changes.
//!
//! The header of a frame has a checksum of all frames before it. So two small reads are enough to
//! prove that nothing is missing: the header of the WAL and that of the last frame. File format:
//! sqlite.org/fileformat2.html, "The WAL File Format".

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::wal_mark::{FRAME_HEADER_BYTES, WAL_HEADER_BYTES};

type Header = [u8; WAL_HEADER_BYTES];
type FrameHeader = [u8; FRAME_HEADER_BYTES];

/// The WAL and its last known transaction. SQLite holds no lock on this file, so it may be opened
/// and closed at any time.
pub(super) struct WalTail {
    wal: Option<File>,
    last: Option<Last>,
}

struct Last {
    header: Header,
    /// The number of the frame, from 1.
    number: u64,
    frame: FrameHeader,
    /// This program wrote it. Otherwise a crash may have left it behind the last commit, and SQLite
    /// overwrites it.
    is_ours: bool,
}

impl Last {
    fn is_in(&self, tail: &WalTail) -> bool {
        tail.frame(&self.header, self.number) == Some(self.frame)
    }
}

impl WalTail {
    /// Finds the last committed transaction in this WAL.
    pub(super) fn find(wal: &Path) -> Self {
        let mut tail = Self { wal: File::open(wal).ok(), last: None };
        tail.find_again();
        tail
    }

    /// Finds the last transaction after another program has restarted the WAL. Reads only the
    /// headers of the frames, because the checksums of a large WAL take long.
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

    /// Whether the WAL still has the last known transaction; true if none is known.
    pub(super) fn is_there(&self) -> bool {
        self.last.as_ref().is_none_or(|last| self.header() == Some(last.header) && last.is_in(self))
    }

    /// Call after a checkpoint of this program, which may have truncated the WAL.
    pub(super) fn was_checkpointed(&mut self) {
        if self.wal.as_ref().is_some_and(|wal| wal.metadata().is_ok_and(|wal| wal.len() == 0)) {
            self.last = None;
        }
    }

    /// Call after a commit that leaves this many frames in the WAL. Returns whether the WAL has the
    /// transaction and all before it.
    pub(super) fn committed(&mut self, number: u64) -> bool {
        let Some(header) = self.header() else { return self.wal.is_none() };
        let Some(frame) = self.frame(&header, number) else { return false };
        // In a restarted WAL all frames are new.
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
