//! Notices when a request gets its connection. Before that nothing of the request was sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ureq::Error;
use ureq::unversioned::transport::{ConnectionDetails, Connector, Transport};

/// The last connector of a chain, which passes the connection on. Clones share what they notice.
#[derive(Clone, Debug, Default)]
pub(super) struct Connected(Arc<AtomicBool>);

impl Connected {
    /// Whether there was a connection. With TLS, the handshake was done.
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<In: Transport> Connector<In> for Connected {
    type Out = In;

    fn connect(&self, _: &ConnectionDetails, chained: Option<In>) -> Result<Option<In>, Error> {
        if chained.is_some() {
            self.0.store(true, Ordering::Relaxed);
        }
        Ok(chained)
    }
}
