//! A bound of the bytes of one row, so that a file without an end is no list without an end.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// The most bytes of one row. NATS sends some 2 KiB.
const ROW_BYTES_MAX: u64 = 1 << 20;

/// The bytes that were read since the last row ended.
#[derive(Clone, Default)]
pub(super) struct RowBytes(Rc<Cell<u64>>);

impl RowBytes {
    /// A row has ended.
    pub(super) fn end_row(&self) {
        self.0.set(0);
    }
}

/// A reader that fails when a row has too many bytes.
pub(super) struct Guarded<R> {
    inner: R,
    bytes: RowBytes,
    last: Option<u8>,
    ends_with_line: Rc<Cell<bool>>,
}

impl<R: Read> Guarded<R> {
    pub(super) fn new(inner: R, bytes: RowBytes) -> Self {
        Self { inner, bytes, last: None, ends_with_line: Rc::new(Cell::new(true)) }
    }

    /// Becomes false when the input has ended without a line break.
    pub(super) fn ends_with_line(&self) -> Rc<Cell<bool>> {
        Rc::clone(&self.ends_with_line)
    }
}

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if let Some(last) = buffer.get(..read).and_then(<[u8]>::last) {
            self.last = Some(*last);
        } else if !buffer.is_empty() {
            self.ends_with_line.set(self.last.is_none_or(|last| last == b'\n'));
        }
        let bytes = self.bytes.0.get() + read as u64;
        self.bytes.0.set(bytes);
        if bytes > ROW_BYTES_MAX {
            return Err(io::Error::other(format!("a row has more than {ROW_BYTES_MAX} bytes")));
        }
        Ok(read)
    }
}
