//! Waits for a program that this one has started, within a limit of time and output.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process_group};

/// How often the program is checked for its end.
const CHECK_EVERY: Duration = Duration::from_millis(10);

/// How much of a program is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest time until its end.
    pub time: Duration,
    /// The most bytes of its output that are kept. The rest is read and dropped.
    pub bytes: usize,
}

/// Waits for the end of the program, which leads a process group of its own. After the time, or
/// once `is_over` is true, kills the group. Returns its status, or `None` if it was killed, and the
/// beginning of what it wrote into `output`.
///
/// # Errors
///
/// If the system refuses to wait or to kill.
pub fn wait(
    child: &mut Child,
    output: Option<OwnedFd>,
    limits: Limits,
    is_over: &AtomicBool,
) -> io::Result<(Option<ExitStatus>, Vec<u8>)> {
    let until = Instant::now() + limits.time;
    let mut output = output.map(File::from);
    if let Some(pipe) = &output {
        // A child of the program may keep the pipe open for ever.
        fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?;
    }
    let (mut kept, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        let status = child.try_wait()?;
        while let Some(pipe) = &mut output
            && Instant::now() < until
            && let Ok(read @ 1..) = pipe.read(&mut buffer)
        {
            let room = limits.bytes.saturating_sub(kept.len());
            kept.extend_from_slice(&buffer[..read.min(room)]);
        }
        if status.is_some() {
            return Ok((status, kept));
        }
        if Instant::now() >= until || is_over.load(Ordering::Relaxed) {
            if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process_group(group, Signal::KILL);
            }
            child.kill()?;
            child.wait()?;
            return Ok((None, kept));
        }
        std::thread::sleep(CHECK_EVERY);
    }
}
