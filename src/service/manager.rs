//! The state of the service for systemd: `Type=notify`, `WatchdogSec`, and more time for a start or
//! stop that makes progress. The protocol is sd_notify(3). Without `NOTIFY_SOCKET` nothing is sent.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use crate::heartbeat::{Heartbeat, Supervisor};

/// The timeout that a start or stop requests. A single commit of an upgrade may wait for the disk
/// as long.
const EXTENSION: Duration = Duration::from_secs(300);
/// How often the timeout is extended while there is progress.
const EXTEND_EVERY: Duration = Duration::from_secs(5);
/// Signs of life in one interval of the watchdog. A few may be late on a busy machine.
const BEATS_PER_INTERVAL: u32 = 4;
/// How long a change of state waits for room in systemd's queue. A sign of life does not wait: the
/// next one comes soon.
const SEND_TIME_MAX: Duration = Duration::from_secs(2);

/// What the service does, as far as systemd is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    Starting,
    Running,
    Stopping,
}

impl Phase {
    fn of(number: u8) -> Self {
        match number {
            0 => Self::Starting,
            1 => Self::Running,
            _ => Self::Stopping,
        }
    }
}

/// A handle on the service manager; clones share it.
#[derive(Clone, Debug)]
pub struct Manager(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// `NOTIFY_SOCKET`.
    socket: Option<OsString>,
    /// The interval of the watchdog.
    watchdog: Option<Duration>,
    phase: AtomicU8,
    /// The steady clock, which cannot be set.
    began: Instant,
    /// When the last sign of life was sent: milliseconds since then.
    sent: AtomicU64,
    has_failed: AtomicBool,
}

impl Default for Manager {
    /// No service manager.
    fn default() -> Self {
        Self::new(None, None)
    }
}

impl Manager {
    /// The service manager that started this process, if one did.
    pub fn of_process() -> Self {
        let socket = env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty());
        Self::new(socket, sd_notify::watchdog_enabled())
    }

    fn new(socket: Option<OsString>, watchdog: Option<Duration>) -> Self {
        Self(Arc::new(Inner {
            socket,
            watchdog: watchdog.filter(|interval| !interval.is_zero()),
            phase: AtomicU8::new(Phase::Starting as u8),
            began: Instant::now(),
            sent: AtomicU64::new(0),
            has_failed: AtomicBool::new(false),
        }))
    }

    /// For the threads that it supervises.
    pub fn heartbeat(&self) -> Heartbeat {
        match self.0.socket {
            Some(_) => Heartbeat::to(Arc::clone(&self.0) as Arc<dyn Supervisor>),
            None => Heartbeat::default(),
        }
    }

    /// Reports what the start does now.
    pub fn starting(&self, status: &str) {
        self.0.send(&[NotifyState::Status(status)]);
    }

    /// Reports that the service answers requests.
    pub fn ready(&self, status: &str) {
        self.0.enter(Phase::Running);
        self.0.send(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// The files of the settings are being reloaded. [`Manager::reloaded`] must follow.
    pub(super) fn reloading(&self) {
        // For Type=notify-reload of systemd 253 and newer.
        let now = NotifyState::monotonic_usec_now().ok();
        let states: Vec<_> = [Some(NotifyState::Reloading), now].into_iter().flatten().collect();
        self.0.send(&states);
    }

    pub(super) fn reloaded(&self) {
        self.0.send(&[NotifyState::Ready]);
    }

    /// Reports that the service stops.
    pub(super) fn stopping(&self) {
        self.0.enter(Phase::Stopping);
        self.0
            .send(&[NotifyState::Stopping, NotifyState::Status("answering the accepted requests")]);
    }
}

impl Inner {
    fn phase(&self) -> Phase {
        Phase::of(self.phase.load(Ordering::Relaxed))
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// How often signs of life are sent now.
    fn every(&self) -> Option<Duration> {
        match self.phase() {
            Phase::Running => self.watchdog.map(|interval| interval / BEATS_PER_INTERVAL),
            Phase::Starting | Phase::Stopping => Some(EXTEND_EVERY),
        }
    }

    /// Sends a change of state.
    fn send(&self, states: &[NotifyState<'_>]) {
        self.send_within(SEND_TIME_MAX, states);
    }

    fn send_within(&self, longest: Duration, states: &[NotifyState<'_>]) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = deliver(socket, states, longest)
            && !self.has_failed.swap(true, Ordering::Relaxed)
        {
            log::warn!(
                "cannot report the state of the service to NOTIFY_SOCKET {}: {error}; the service \
                 goes on",
                socket.display()
            );
        }
    }
}

impl Supervisor for Inner {
    fn progress(&self) {
        let Some(every) = self.every() else { return };
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let due = self.sent.load(Ordering::Relaxed).saturating_add(every.as_millis() as u64);
        if now < due {
            return;
        }
        self.sent.store(now, Ordering::Relaxed);
        let state = match self.phase() {
            Phase::Running => NotifyState::Watchdog,
            Phase::Starting | Phase::Stopping => extension(EXTENSION),
        };
        self.send_within(Duration::ZERO, &[state]);
    }

    fn long_work_begins(&self, longest: Duration) {
        match (self.phase(), self.watchdog) {
            (Phase::Running, Some(usual)) if usual < longest => {
                self.send(&[NotifyState::WatchdogUsec(micros(longest))]);
            }
            (Phase::Running, _) => {}
            (Phase::Starting | Phase::Stopping, _) => self.send(&[extension(longest)]),
        }
    }

    fn long_work_ended(&self) {
        if let (Phase::Running, Some(usual)) = (self.phase(), self.watchdog) {
            self.send(&[NotifyState::WatchdogUsec(micros(usual)), NotifyState::Watchdog]);
        }
    }

    fn interval(&self) -> Option<Duration> {
        self.watchdog.and(self.every())
    }
}

fn extension(time: Duration) -> NotifyState<'static> {
    NotifyState::ExtendTimeoutUsec(micros(time))
}

/// At most 71 minutes, which is more than any time here.
fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

/// Sends one datagram. `sd_notify::notify` would wait without limit for a manager that does not
/// read, and the writer with it.
fn deliver(socket: &OsStr, states: &[NotifyState<'_>], longest: Duration) -> io::Result<()> {
    let message: String = states.iter().map(|state| format!("{state}\n")).collect();
    let sender = UnixDatagram::unbound()?;
    match longest {
        Duration::ZERO => sender.set_nonblocking(true)?,
        some => sender.set_write_timeout(Some(some))?,
    }
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        path => SocketAddr::from_pathname(OsStr::from_bytes(path))?,
    };
    sender.send_to_addr(message.as_bytes(), &address).map(|_| ())
}
