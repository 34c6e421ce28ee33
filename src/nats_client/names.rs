//! Name resolution for NATS's host. See [`crate::host_names`].

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use ureq::{Error, Timeout};

use crate::host_names::{HostNames, Unresolved};

impl Resolver for HostNames {
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
        let found = self.addresses(&host_and_port, *timeout.after).map_err(|why| match why {
            Unresolved::TimedOut => Error::Timeout(Timeout::Resolve),
            Unresolved::NotFound => Error::HostNotFound,
        })?;
        found.into_iter().for_each(|address| addresses.push(address));
        Ok(addresses)
    }
}
