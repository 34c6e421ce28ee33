//! Name resolution of hosts that we call. A lookup cannot be cancelled and takes long if the name
//! server does not answer. So there is at most one at a time for each host, all callers wait for
//! it, and the last result stays in use while another lookup runs.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

/// How long a result is used before the name is looked up again.
const FRESH: Duration = Duration::from_secs(30);
/// Addresses that are kept. Connections are tried in their order.
const ADDRESSES_MAX: usize = 16;

/// Resolves the name of one host. Each client has its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostNames(Arc<Lookups>);

#[derive(Debug, Default)]
struct Lookups {
    result: Mutex<LookupResult>,
    /// Notified when a lookup has ended.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct LookupResult {
    known: Vec<SocketAddr>,
    /// When they were resolved.
    at: Option<Instant>,
    is_running: bool,
    /// How many lookups have ended.
    count: u64,
    /// Whether the last one found an address.
    was_found: bool,
}

/// Why no address is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unresolved {
    /// The name server did not answer in time.
    TimedOut,
    /// There is no address for the name.
    NotFound,
}

impl HostNames {
    /// The addresses of the host; waits for at most `timeout`, and only if none is known.
    pub(crate) fn addresses(
        &self,
        host_and_port: &str,
        timeout: Duration,
    ) -> Result<Vec<SocketAddr>, Unresolved> {
        let mut result = self.0.result.lock();
        if result.at.is_none_or(|at| at.elapsed() > FRESH) && !result.is_running {
            result.is_running = self.start_lookup(host_and_port.to_owned());
        }
        // Known addresses are used until the lookup returns others, so that a name server that does
        // not answer does not stop us.
        if result.known.is_empty() && result.is_running {
            self.wait(&mut result, timeout)?;
        }
        if result.known.is_empty() { Err(Unresolved::NotFound) } else { Ok(result.known.clone()) }
    }

    /// Waits for at most `timeout` until a lookup has ended. After it the name server answers, so
    /// that one by a library, which has no limit, also ends soon.
    pub(crate) fn answers(&self, host_and_port: &str, timeout: Duration) -> Result<(), Unresolved> {
        let mut result = self.0.result.lock();
        if !result.is_running {
            result.is_running = self.start_lookup(host_and_port.to_owned());
        }
        if result.is_running {
            self.wait(&mut result, timeout)?;
        }
        if result.was_found { Ok(()) } else { Err(Unresolved::NotFound) }
    }

    fn wait(
        &self,
        result: &mut MutexGuard<'_, LookupResult>,
        timeout: Duration,
    ) -> Result<(), Unresolved> {
        let before = result.count;
        self.0.ended.wait_while_for(result, |result| result.count == before, timeout);
        if result.count == before { Err(Unresolved::TimedOut) } else { Ok(()) }
    }

    /// Starts a lookup on a thread of its own, which may outlive the caller. `false` if the system
    /// gives no thread.
    fn start_lookup(&self, host_and_port: String) -> bool {
        let lookups = Arc::clone(&self.0);
        let look_up = move || {
            let found = host_and_port.to_socket_addrs();
            let mut result = lookups.result.lock();
            result.was_found = found.is_ok();
            // A name that is not found any more keeps its addresses, because mostly the name server
            // has failed.
            if let Ok(found) = found {
                result.known = found.take(ADDRESSES_MAX).collect();
                result.at = Some(Instant::now());
            }
            (result.is_running, result.count) = (false, result.count + 1);
            lookups.ended.notify_all();
        };
        std::thread::Builder::new().name("names".into()).spawn(look_up).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT_MAX: Duration = Duration::from_secs(30);

    #[test]
    fn a_result_is_kept_and_a_failed_lookup_is_repeated() {
        let names = HostNames::default();
        assert!(matches!(names.addresses("no such name:80", WAIT_MAX), Err(Unresolved::NotFound)));
        let addresses = ["127.0.0.1:80".parse().unwrap()];
        assert_eq!(names.addresses("127.0.0.1:80", WAIT_MAX).unwrap(), addresses);
        assert_eq!(names.addresses("not looked up:80", WAIT_MAX).unwrap(), addresses);
    }

    #[test]
    fn known_addresses_are_used_while_another_lookup_runs() {
        let names = HostNames::default();
        let known = vec!["192.0.2.1:80".parse().unwrap()];
        *names.0.result.lock() =
            LookupResult { known: known.clone(), is_running: true, ..LookupResult::default() };
        assert_eq!(names.addresses("127.0.0.1:80", Duration::ZERO).unwrap(), known);
    }

    #[test]
    fn a_caller_waits_for_a_silent_name_server_no_longer_than_the_timeout() {
        let names = HostNames::default();
        names.0.result.lock().is_running = true;
        for _ in 0..3 {
            assert!(matches!(
                names.addresses("127.0.0.1:80", Duration::from_millis(1)),
                Err(Unresolved::TimedOut)
            ));
            let answers = names.answers("127.0.0.1:80", Duration::from_millis(1));
            assert_eq!(answers, Err(Unresolved::TimedOut));
        }
        assert_eq!(names.0.result.lock().count, 0, "no second lookup was started");
    }

    #[test]
    fn whether_a_name_server_answers_is_asked_anew_each_time() {
        let names = HostNames::default();
        assert_eq!(names.answers("127.0.0.1:80", WAIT_MAX), Ok(()));
        assert_eq!(names.answers("no such name:80", WAIT_MAX), Err(Unresolved::NotFound));
        let known = names.addresses("no such name:80", WAIT_MAX).unwrap();
        assert_eq!(known, ["127.0.0.1:80".parse().unwrap()], "what was found stays in use");
    }
}
