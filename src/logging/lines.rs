//! The way of the lines to stderr: gathered for a few milliseconds and written together by a thread
//! of their own, because a write for each would cost a busy service as much as reading the
//! postback, and a slow reader of stderr would hold postbacks up.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// How long lines are gathered. After a SIGKILL so much of the log may be missing; the journal is
/// what is safe.
const GATHER: Duration = Duration::from_millis(5);
/// How long the end of the process waits for the last lines.
const FLUSH_WAIT_MAX: Duration = Duration::from_secs(2);
/// Lines that may wait, in bytes. Beyond it lines are left out and counted: whoever reads stderr
/// must not be able to stop the service.
const WAITING_BYTES_MAX: usize = 1 << 20;

static LINES: OnceLock<Arc<Shared>> = OnceLock::new();

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Told when the first line comes, and when all are written.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// Lines that were taken and are on their way.
    writing: bool,
    /// Lines that found no room.
    left_out: u64,
}

impl Shared {
    /// A panic of another thread leaves whole lines or none.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(
        &self,
        state: MutexGuard<'s, State>,
        so_long_as: impl Fn(&State) -> bool,
    ) -> MutexGuard<'s, State> {
        self.changed
            .wait_while(state, |state| so_long_as(state))
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread's work; never ends.
    fn write_all(&self) {
        loop {
            drop(self.wait(self.state(), |state| state.waiting.is_empty()));
            std::thread::park_timeout(GATHER);
            let mut state = self.state();
            let mut lines = std::mem::take(&mut state.waiting);
            let left_out = std::mem::take(&mut state.left_out);
            state.writing = true;
            drop(state);
            if left_out > 0 {
                lines.extend_from_slice(
                    format!("{left_out} log lines were left out: stderr was not read\n").as_bytes(),
                );
            }
            // There is nowhere to say that the log cannot be written.
            let _ = io::stderr().write_all(&lines);
            self.state().writing = false;
            self.changed.notify_all();
        }
    }
}

/// Where the logger writes its lines to, each in one piece.
pub(super) struct Lines(Arc<Shared>);

impl Lines {
    /// Starts the thread; without one, lines go straight to stderr.
    pub(super) fn start() -> Option<Self> {
        let shared = Arc::clone(LINES.get_or_init(Arc::default));
        let writer = Arc::clone(&shared);
        std::thread::Builder::new().name("log".into()).spawn(move || writer.write_all()).ok()?;
        Some(Self(shared))
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.0.state();
        if state.waiting.len() > WAITING_BYTES_MAX {
            state.left_out += 1;
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

    /// The logger calls this after each line, which is just what is not wanted: see [`flush`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits until all lines are written, or for two seconds: for the end of the process.
pub fn flush() {
    if let Some(shared) = LINES.get() {
        let unwritten = |state: &mut State| state.writing || !state.waiting.is_empty();
        // Whether they are written or the time is over: there is nothing else to be done.
        drop(shared.changed.wait_timeout_while(shared.state(), FLUSH_WAIT_MAX, unwritten));
    }
}
