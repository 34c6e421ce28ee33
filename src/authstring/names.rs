//! The addresses of NATS's name. A look-up cannot be broken off, and may take long when the name
//! server is silent; so there is one at a time, however many wait for it, and the last answer is
//! good while another is looked up.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use ureq::{Error, Timeout};

/// How long an answer is taken as it is; after that it is looked up anew.
const FRESH: Duration = Duration::from_secs(30);
/// Addresses that are kept; connections are tried in their order.
const ADDRESSES_MAX: usize = 16;

/// Looks names up, of one host: each client has its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Told when a look-up has ended.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    known: Vec<SocketAddr>,
    /// When they were looked up.
    at: Option<Instant>,
    is_looking: bool,
    /// How many look-ups have ended.
    looks: u64,
}

impl Shared {
    /// A panic leaves addresses that are whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Names {
    /// The addresses, within so long.
    fn addresses(&self, host_and_port: &str, time_max: Duration) -> Result<Vec<SocketAddr>, Error> {
        let mut state = self.0.state();
        if state.at.is_none_or(|at| at.elapsed() > FRESH) && !state.is_looking {
            state.is_looking = self.look(host_and_port.to_owned());
        }
        let before = state.looks;
        // What is known is good enough until the look-up says otherwise: a silent name server shall
        // not stop us.
        if state.known.is_empty() && state.is_looking {
            let waits = |state: &mut State| state.looks == before;
            let (ended, _) = self
                .0
                .ended
                .wait_timeout_while(state, time_max, waits)
                .unwrap_or_else(PoisonError::into_inner);
            state = ended;
            if state.looks == before {
                return Err(Error::Timeout(Timeout::Resolve));
            }
        }
        if state.known.is_empty() { Err(Error::HostNotFound) } else { Ok(state.known.clone()) }
    }

    /// Looks up on a thread of its own, which may outlive the one who asked. `false` where the
    /// system gives none.
    fn look(&self, host_and_port: String) -> bool {
        let shared = Arc::clone(&self.0);
        let look = move || {
            let found = host_and_port.to_socket_addrs();
            let mut state = shared.state();
            // A name that is not found any more keeps its addresses until it is: mostly it is the
            // name server that fails.
            if let Ok(found) = found {
                state.known = found.take(ADDRESSES_MAX).collect();
                state.at = Some(Instant::now());
            }
            (state.is_looking, state.looks) = (false, state.looks + 1);
            shared.ended.notify_all();
        };
        std::thread::Builder::new().name("names".into()).spawn(look).is_ok()
    }
}

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let no_host = || Error::BadUri("no host".into());
        let (scheme, authority) =
            (uri.scheme().ok_or_else(no_host)?, uri.authority().ok_or_else(no_host)?);
        let host_and_port =
            DefaultResolver::host_and_port(scheme, authority).ok_or_else(no_host)?;
        let mut addresses = self.empty();
        self.addresses(&host_and_port, *timeout.after)?
            .into_iter()
            .for_each(|address| addresses.push(address));
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT_MAX: Duration = Duration::from_secs(30);

    #[test]
    fn an_answer_is_kept_and_one_that_failed_is_looked_up_again() {
        let names = Names::default();
        assert!(matches!(names.addresses("no such name:80", WAIT_MAX), Err(Error::HostNotFound)));
        let addresses = ["127.0.0.1:80".parse().unwrap()];
        assert_eq!(names.addresses("127.0.0.1:80", WAIT_MAX).unwrap(), addresses);
        assert_eq!(names.addresses("asked no more:80", WAIT_MAX).unwrap(), addresses);
    }

    #[test]
    fn what_is_known_is_good_while_another_look_up_is_under_way() {
        let names = Names::default();
        let known = vec!["192.0.2.1:80".parse().unwrap()];
        *names.0.state() = State { known: known.clone(), at: None, is_looking: true, looks: 1 };
        assert_eq!(names.addresses("127.0.0.1:80", Duration::ZERO).unwrap(), known);
    }

    #[test]
    fn who_waits_for_a_silent_name_server_waits_no_longer_than_his_time() {
        let names = Names::default();
        names.0.state().is_looking = true;
        for _ in 0..3 {
            assert!(matches!(
                names.addresses("127.0.0.1:80", Duration::from_millis(1)),
                Err(Error::Timeout(Timeout::Resolve))
            ));
        }
        assert_eq!(names.0.state().looks, 0, "and nobody begins a second look-up beside it");
    }
}
