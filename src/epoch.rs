//! The epoch of logins: a random id in the database, which all services that use the database
//! share. The operator draws a new one to end all logins by cookie.

/// A random id that goes into the key that signs cookies. It is no secret: without `cookie.key` it
/// signs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch(pub [u8; 16]);

impl Epoch {
    /// Draws a new epoch.
    pub fn random() -> Self {
        let mut id = [0; 16];
        getrandom::fill(&mut id)
            .expect("getrandom(2) gives up to 256 bytes whole, once the system has started");
        Self(id)
    }
}
