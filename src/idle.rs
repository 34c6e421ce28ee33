//! Lowers the priority of threads that compute for a long time, so that requests are served first.

use rustix::process::{getpriority_process, setpriority_process};
use thread_priority::unix::{set_thread_priority_and_policy, thread_native_id};
use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};

/// The nice value of a thread that a visitor waits for. Beside one busy program at normal priority
/// it gets a tenth of the processor.
const NICE: i32 = 10;

/// Gives the calling thread the scheduling policy SCHED_IDLE: it only runs when no other thread
/// uses the processor. For background work. A nice value alone is not enough: the kernel lets such
/// a thread finish its time slice of some milliseconds before a thread that has woken up. Measured
/// beside the hashing thread, SCHED_IDLE lowers the p99 of a CHECK to a third.
pub fn step_aside() {
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    // `nice` comes too, because without it the thread competes more.
    if let Err(error) =
        set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle)
    {
        log::warn!("a hashing thread keeps its priority: {error:?}");
    }
}

/// Raises the nice value of the calling thread, for work that a client waits for: it is slower
/// under load and never starves.
pub fn let_requests_pass() {
    // On Linux each thread has its own nice value, and no process id means the calling thread. A
    // higher nice value that the service already has is kept, because lowering it needs a
    // privilege.
    let lowered = getpriority_process(None).and_then(|nice| match nice {
        ..NICE => setpriority_process(None, NICE),
        _ => Ok(()),
    });
    if let Err(error) = lowered {
        log::warn!("a thread keeps its priority: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_thread_that_asks_gets_a_higher_nice_value_and_one_that_has_it_keeps_it() {
        let nice = || getpriority_process(None).unwrap();
        let before = nice();
        let there = std::thread::spawn(move || {
            let_requests_pass();
            let first = nice();
            setpriority_process(None, 15).unwrap();
            let_requests_pass();
            (first, nice())
        });
        assert_eq!((there.join().unwrap(), nice()), ((before.max(NICE), 15.max(before)), before));
    }
}
