//! Threads that compute for a long time step aside for those that answer requests.

use rustix::process::{getpriority_process, setpriority_process};
use thread_priority::unix::{set_thread_priority_and_policy, thread_native_id};
use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};

/// What a thread that somebody waits for has: beside one busy program at normal priority it gets a
/// tenth of the processor, and a request is served first.
const NICE: i32 = 10;

/// Lets this thread run only when no other wants the processor, for work that nobody waits for.
/// Beside a busy program it stands still. Not merely a low priority (nice): the kernel lets a
/// thread of that kind finish its turn of some milliseconds before one that has woken up. Measured
/// beside the hashing thread: the p99 of a check falls to a third.
pub fn step_aside() {
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    // Without it the thread only competes more.
    if let Err(error) =
        set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle)
    {
        log::warn!("a hashing thread keeps its priority: {error:?}");
    }
}

/// Lets requests go before this thread, for work that somebody waits for: it is slower beside them
/// and is never starved.
pub fn let_requests_pass() {
    // Linux has a nice value for each thread, and no process id means the thread that calls. The
    // service may run at a higher one, which is left: to lower it needs a privilege.
    let lowered = getpriority_process(None).and_then(|nice| match nice {
        ..NICE => setpriority_process(None, NICE),
        _ => Ok(()),
    });
    if let Err(error) = lowered {
        log::warn!("a login thread keeps its priority: {error}");
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
