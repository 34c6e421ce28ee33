//! A report of a login, and the settings of reports.

use std::net::IpAddr;

use crate::identity::{SiteId, Username};

/// Where NATS takes reports. TMM has documented all three; which one works depends on the version
/// of NATS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportPath {
    /// `POST /api/member/recordlogin`.
    RecordLogin,
    /// `POST /api/member/login`, its later name.
    Login,
    /// `GET /member_loginlog.php`, of older versions, for addresses in `SECURE_IPS`.
    LoginLog,
}

impl ReportPath {
    /// The path below NATS's URL.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            ReportPath::RecordLogin => "/api/member/recordlogin",
            ReportPath::Login => "/api/member/login",
            ReportPath::LoginLog => "/member_loginlog.php",
        }
    }
}

/// The settings of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportConfig {
    /// The path that is called.
    pub path: ReportPath,
    /// A member is reported once in this many seconds; 0 means each login.
    pub once_in_seconds: i64,
}

/// A login of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginReport {
    /// The site of the member.
    pub site: SiteId,
    /// The name as NATS has sent it.
    pub username: Username,
    /// The address of the visitor.
    pub address: IpAddr,
}
