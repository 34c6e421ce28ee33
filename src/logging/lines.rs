//! Writes log lines to stderr on a separate thread, which collects them for a few milliseconds. A
//! write for each line would cost a busy service as much as reading the postback, and a slow reader
//! of stderr would delay postbacks.

use std::io::{self, Write};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use log::Level;
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::priority;

/// How long lines are collected. After a SIGKILL this much of the log may be missing; the journal
/// is complete.
const GATHER: Duration = Duration::from_millis(5);
/// How long the end of the process waits for the last lines.
const FLUSH_WAIT_MAX: Duration = Duration::from_secs(2);
/// Size of the lines that may wait, in bytes. Further lines are dropped and counted: a reader of
/// stderr that stops reading must not stop the service.
const WAITING_BYTES_MAX: usize = 1 << 20;

static LINES: OnceLock<Arc<LineBuffer>> = OnceLock::new();

#[derive(Default)]
struct LineBuffer {
    state: Mutex<Buffered>,
    /// Notified when the first line comes, and when all are written.
    changed: Condvar,
}

#[derive(Default)]
struct Buffered {
    waiting: Vec<u8>,
    /// Whether lines are being written.
    writing: bool,
    /// Lines that were dropped.
    dropped: u64,
}

impl LineBuffer {
    fn state(&self) -> MutexGuard<'_, Buffered> {
        self.state.lock()
    }

    fn wait<'s>(
        &self,
        mut state: MutexGuard<'s, Buffered>,
        so_long_as: impl Fn(&Buffered) -> bool,
    ) -> MutexGuard<'s, Buffered> {
        self.changed.wait_while(&mut state, |state| so_long_as(state));
        state
    }

    /// The thread's work; never ends.
    fn write_all(&self) {
        loop {
            drop(self.wait(self.state(), |state| state.waiting.is_empty()));
            std::thread::park_timeout(GATHER);
            let mut state = self.state();
            let mut lines = std::mem::take(&mut state.waiting);
            let dropped = std::mem::take(&mut state.dropped);
            state.writing = true;
            drop(state);
            if dropped > 0 {
                let priority = match priority::is_wanted() {
                    true => priority::prefix(Level::Warn),
                    false => "",
                };
                lines.extend_from_slice(
                    format!("{priority}{dropped} log lines were dropped: stderr was not read\n")
                        .as_bytes(),
                );
            }
            // An error of the log itself cannot be logged.
            let _ = io::stderr().write_all(&lines);
            self.state().writing = false;
            self.changed.notify_all();
        }
    }
}

/// The target of the logger, which writes each line in one piece.
pub(super) struct Lines(Arc<LineBuffer>);

impl Lines {
    /// Starts the thread, once in a process; `None` if there is none, and lines go directly to
    /// stderr.
    pub(super) fn start() -> Option<Self> {
        let shared = Arc::<LineBuffer>::default();
        let writer = Arc::clone(&shared);
        std::thread::Builder::new().name("log".into()).spawn(move || writer.write_all()).ok()?;
        Some(Self(Arc::clone(LINES.get_or_init(|| shared))))
    }

    /// The lines of the thread that was started before.
    pub(super) fn started() -> Option<Self> {
        LINES.get().cloned().map(Self)
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.0.state();
        if state.waiting.len() > WAITING_BYTES_MAX {
            state.dropped += 1;
            return Ok(line.len());
        }
        let first = state.waiting.is_empty();
        state.waiting.extend_from_slice(line);
        drop(state);
        if first {
            self.0.changed.notify_all();
        }
        Ok(line.len())
    }

    /// Does nothing: the logger calls it after each line. See [`flush`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits until all lines are written, at most two seconds. For the end of the process.
pub fn flush() {
    if let Some(shared) = LINES.get() {
        let unwritten = |state: &mut Buffered| state.writing || !state.waiting.is_empty();
        // Whether they are written or the time is over, the process ends now.
        shared.changed.wait_while_for(&mut shared.state(), unwritten, FLUSH_WAIT_MAX);
    }
}
