//! The settings of authstrings: who may request them, and where they come from. NATS also gets
//! reports of logins.

use std::time::Duration;

use super::Access;
use super::report::ReportConfig;
use crate::authstring::keys::ApiKeys;

/// The settings of authstrings.
#[derive(Clone, Debug)]
pub struct AuthStringConfig {
    /// Who may request authstrings.
    pub keys: ApiKeys,
    /// Where they come from.
    pub source: StringSource,
    /// How logins are reported to NATS, if they are.
    pub reports: Option<ReportConfig>,
    /// How often the members are compared with NATS's list, in seconds, if they are.
    pub reconcile_every: Option<i64>,
}

/// Where authstrings come from.
#[derive(Clone, Debug)]
pub enum StringSource {
    /// There are none.
    None,
    /// NATS, with the total timeout of a request to it.
    Nats(Access, Duration),
    /// The stand-in of this service, whose authstrings are valid for this many seconds.
    StandIn(i64),
}
