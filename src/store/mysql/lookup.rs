//! The addresses of a server. A lookup by the system has no limit, so each host is looked up on a
//! thread of its own: see [`crate::host_names`].

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use parking_lot::Mutex;

use super::server::Host;
use crate::host_names::{HostNames, Unresolved};

/// How long a name server may take.
const LOOK_UP_TIME_MAX: Duration = Duration::from_secs(2);

/// By name and port. There are as many as the settings name.
static NAMES: Mutex<BTreeMap<String, HostNames>> = Mutex::new(BTreeMap::new());

/// The addresses of a host.
///
/// # Errors
///
/// A sentence that says why there is none, and what to do.
pub(super) fn addresses(host: &Host) -> Result<Vec<SocketAddr>, String> {
    match host.name.parse::<IpAddr>() {
        Ok(address) => Ok(vec![(address, host.port).into()]),
        Err(_) => names_of(host).addresses(&host.to_string(), LOOK_UP_TIME_MAX).map_err(in_words),
    }
}

/// Whether a name server answers for a host that the driver will look up itself, without a limit.
///
/// # Errors
///
/// A sentence that says why not, and what to do.
pub(super) fn can_be_looked_up(host: &Host) -> Result<(), String> {
    match host.name.parse::<IpAddr>() {
        Ok(_) => Ok(()),
        Err(_) => names_of(host).answers(&host.to_string(), LOOK_UP_TIME_MAX).map_err(in_words),
    }
}

fn names_of(host: &Host) -> HostNames {
    NAMES.lock().entry(host.to_string()).or_default().clone()
}

fn in_words(why: Unresolved) -> String {
    match why {
        Unresolved::TimedOut => format!(
            "no name server has answered within {} seconds: check /etc/resolv.conf, or give the \
             host's address instead of its name",
            LOOK_UP_TIME_MAX.as_secs()
        ),
        Unresolved::NotFound => {
            "no address is known for this name: check how it is written, DNS and /etc/hosts".into()
        }
    }
}
