//! The settings of the members area. `config` reads them from flags and variables.

use ipnet::IpNet;

use super::cookie::Lifetimes;
use super::cookie_domains::CookieDomains;
use crate::block::BlockKind;
use crate::identity::Key;
use crate::shared_use::SharingBlock;

/// Seconds of an hour.
pub const HOUR_SECONDS: i64 = 3_600;
/// The longest lifetime of a login that can be set, in hours: a year.
pub const LOGIN_HOURS_MAX: u32 = 8_784;
/// The longest lifetime of a login that can be set, in seconds.
pub const LOGIN_SECONDS_MAX: i64 = LOGIN_HOURS_MAX as i64 * HOUR_SECONDS;
/// The highest limit: a counter keeps a time for each wrong password up to it.
pub const LIMIT_MAX: u32 = 1_000;

/// The settings of logins.
#[derive(Clone, Debug)]
pub struct AreaConfig {
    /// The lifetime of a login, seconds.
    pub login_seconds: i64,
    /// The lifetime of a login with the box "stay logged in", seconds; `None`: there is no box, and
    /// each login stays.
    pub stay_seconds: Option<i64>,
    /// Whether members can log in with their e-mail address.
    pub by_email: bool,
    /// The inactivity timeout of a login, seconds; `None`: only its lifetime ends it.
    pub idle_seconds: Option<i64>,
    /// How many days logins stay in the record; 0: nothing is recorded.
    pub login_days: u32,
    /// The hosts that share the cookie of logins.
    pub cookie_domains: CookieDomains,
    /// How many wrong passwords lead to a block.
    pub limits: GuessLimits,
    /// When a login counts as shared.
    pub sharing: SharingConfig,
}

/// What happens to a member whose login counts as shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharingAction {
    /// Nothing is counted.
    Off,
    /// A line in the log.
    Log,
    /// A line, and the member is blocked.
    Block,
}

impl SharingAction {
    /// The word of the setting `sharing`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Log => "log",
            Self::Block => "block",
        }
    }
}

/// When a login counts as shared. 0 turns a limit off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharingConfig {
    /// What happens then.
    pub action: SharingAction,
    /// The most networks within the period.
    pub networks: u32,
    /// The period, seconds.
    pub window_seconds: i64,
    /// The most networks at once.
    pub at_once: u32,
    /// The most countries within the period; 0 where there is no file of countries.
    pub countries: u32,
    /// How long a member is blocked, seconds.
    pub block_seconds: i64,
    /// The prefix of IPv4 that counts as one network, at most 32.
    pub ipv4_prefix: u8,
    /// The prefix of IPv6 that counts as one network, at most 64.
    pub ipv6_prefix: u8,
    /// Members who are not counted.
    pub exempt_members: Vec<Key>,
    /// Networks that are not counted.
    pub exempt_networks: Vec<IpNet>,
}

/// `docs/sharing.md` has the reasons for these numbers.
impl SharingConfig {
    /// Whether a block applies at `now` by these settings: `--sharing` may have become `log`, or
    /// the member exempt. A clock that was set back does not make a block longer.
    pub fn holds(&self, block: &SharingBlock, now: i64) -> bool {
        self.action == SharingAction::Block
            && !self.exempt_members.contains(&block.key)
            && block.until > now
            && block.until - now <= self.block_seconds
    }
}

impl Default for SharingConfig {
    fn default() -> Self {
        Self {
            action: SharingAction::Log,
            networks: 12,
            window_seconds: 24 * HOUR_SECONDS,
            at_once: 8,
            countries: 0,
            block_seconds: HOUR_SECONDS,
            ipv4_prefix: 24,
            ipv6_prefix: 48,
            exempt_members: Vec::new(),
            exempt_networks: Vec::new(),
        }
    }
}

impl AreaConfig {
    /// How long logins last.
    pub fn lifetimes(&self) -> Lifetimes {
        let plain = self.login_seconds;
        Lifetimes { plain, staying: self.stay_seconds.unwrap_or(plain) }
    }

    /// How long a browser keeps the cookie of a new login; `None`: until it is closed.
    pub fn cookie_seconds(&self, stays: bool) -> Option<i64> {
        match self.stay_seconds {
            None => Some(self.login_seconds),
            Some(seconds) => stays.then_some(seconds),
        }
    }
}

/// How many different wrong passwords lead to a block. 0 turns a limit off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuessLimits {
    /// For one name from one network.
    pub pair: u32,
    /// From one network.
    pub network: u32,
    /// For one name.
    pub name: u32,
    /// The time within which they are counted, seconds.
    pub window_seconds: u32,
    /// How long a block lasts, seconds.
    pub block_seconds: u32,
}

impl Default for GuessLimits {
    fn default() -> Self {
        Self { pair: 10, network: 100, name: 100, window_seconds: 600, block_seconds: 900 }
    }
}

impl GuessLimits {
    /// The limit for this kind of block; 0 is off.
    pub(super) fn of(&self, kind: BlockKind) -> u32 {
        let limit = match kind {
            BlockKind::Pair => self.pair,
            BlockKind::Network => self.network,
            BlockKind::Name => self.name,
        };
        limit.min(LIMIT_MAX)
    }
}
