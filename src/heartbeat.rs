//! Signs of life of a thread, for a supervisor that restarts a process which is stuck.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The supervisor to which a thread reports that it is alive.
pub trait Supervisor: fmt::Debug + Send + Sync {
    /// The thread has completed a step. It is called after each one, so it must cost little.
    fn progress(&self);

    /// The thread begins work without steps, which may take this long.
    fn long_work_begins(&self, longest: Duration);

    /// That work has ended.
    fn long_work_ended(&self);

    /// How often an idle thread must report progress; `None` if the supervisor does not watch it.
    fn interval(&self) -> Option<Duration>;
}

/// What a thread reports to its supervisor. Without a supervisor it does nothing.
#[derive(Clone, Debug, Default)]
pub struct Heartbeat(Option<Arc<dyn Supervisor>>);

impl Heartbeat {
    /// Reports to this supervisor.
    pub fn to(supervisor: Arc<dyn Supervisor>) -> Self {
        Self(Some(supervisor))
    }

    /// Reports a completed step.
    pub fn progress(&self) {
        if let Some(supervisor) = &self.0 {
            supervisor.progress();
        }
    }

    /// Runs work of a known kind that cannot report progress, such as a call that waits for the
    /// disk.
    pub fn during<T>(&self, longest: Duration, work: impl FnOnce() -> T) -> T {
        let Some(supervisor) = &self.0 else { return work() };
        supervisor.long_work_begins(longest);
        let done = work();
        supervisor.long_work_ended();
        done
    }

    /// The time after which an idle thread must report progress, at most `longest`.
    pub fn limit_wait(&self, longest: Duration) -> Duration {
        let interval = self.0.as_ref().and_then(|supervisor| supervisor.interval());
        interval.map_or(longest, |interval| interval.min(longest))
    }
}

/// Two are equal if they have the same supervisor.
impl PartialEq for Heartbeat {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        }
    }
}

impl Eq for Heartbeat {}
