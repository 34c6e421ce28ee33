//! The state of the members area: what all threads share, and what one thread has.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::activity::Activity;
use super::area_log::AreaLog;
use super::blocks::Ledger;
use super::countries::Countries;
use super::failed::FailedLogins;
use super::guard::{Guard, WrongPassword};
use super::history::History;
use super::known::KnownNetworks;
use super::logouts::Logouts;
use super::members::{Members, ReadLog};
use super::pool::Pool;
use super::pseudonym::Pseudonyms;
use super::remembered::Remembered;
use super::settings::AreaConfig;
use super::sharing::Sharing;
use super::signers::Signers;
use super::unkept::Unkept;
use crate::block::Network;
use crate::clock::Clock;
use crate::hardening::Rehashes;
use crate::identity::Key;
use crate::logging::limit::{LinesMax, Window};
use crate::metrics::Metrics;
use crate::nats_client::logins::Reporter;
use crate::password::Steps;
use crate::store::{LoginRow, Note, Read};
use crate::writer::Writer;

/// Lines of logins with the right password, per member. Members can log in without end, and a
/// remembered password costs no hash. The limit is high enough for all members of a large site.
pub const LOGIN_LINES_MAX: LinesMax = LinesMax { window_seconds: 60, all: 6_000, each: 10 };

/// The part that all threads share.
#[derive(Debug)]
pub struct Area {
    /// The settings.
    pub config: AreaConfig,
    /// See [`super::admission::COMPARE_WAIT_MAX`].
    pub compare_wait: Duration,
    /// Limits password guessing: counts wrong passwords and blocks their source.
    pub guard: Guard,
    /// Replaces unused names in the log and the table.
    pub pseudonyms: Pseudonyms,
    /// Limits the lines of failed logins.
    pub failed: FailedLogins,
    /// Limits the record of logins.
    pub history: History,
    /// Limits the lines of logins.
    pub login_lines: Mutex<Window<Key>>,
    /// The networks from which members have logged in.
    pub known: KnownNetworks,
    /// Remembers which password matched which stored form.
    pub remembered: Arc<Remembered>,
    /// Hashes passwords that are not remembered.
    pub pool: Pool,
    /// The duration of each kind of hash.
    pub steps: Arc<Steps>,
    /// Members whose hash has another kind than the configured one, for the hash worker.
    pub rehashes: Arc<Rehashes>,
    /// Makes and reads cookies.
    pub signers: Signers,
    /// When logins were last used, if an inactivity timeout is set.
    pub activity: Option<Activity>,
    /// How often members have logged out just now.
    pub logouts: Arc<Logouts>,
    /// Browsers that were given a cookie and have not shown it yet.
    pub unkept: Unkept,
    /// Counts the networks of members, to detect shared logins.
    pub sharing: Sharing,
    /// The countries of addresses.
    pub countries: Countries,
    /// Limits the other lines.
    pub log: AreaLog,
    /// Limits the lines about reads that fail.
    pub read_log: Arc<ReadLog>,
    /// The blocks that are logged and stored.
    pub ledger: Mutex<Ledger>,
    /// Reports logins to NATS, if the settings say so.
    pub reports: Option<Reporter>,
}

impl Area {
    /// Limits the lines of logins.
    pub fn login_lines(&self) -> MutexGuard<'_, Window<Key>> {
        self.login_lines.lock()
    }

    /// The blocks in log and database.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock()
    }
}

/// The members area as one thread uses it: the shared part, and what the thread reads and writes
/// with.
#[derive(Debug)]
pub struct ThreadArea {
    /// The part that all threads share.
    pub shared: Arc<Area>,
    /// Reads members' rows.
    pub members: Members,
    /// Writes notes of logins.
    pub writer: Writer,
    /// Counts logins that cost a hash.
    pub metrics: Metrics,
    /// The time.
    pub clock: Clock,
}

impl ThreadArea {
    /// Whether a member has logged in from a network before; `false` if that cannot be read, which
    /// is logged.
    pub(super) async fn is_known(&self, member: Key, network: Network) -> bool {
        let known = &self.shared.known;
        if known.remembers(member, network) {
            return true;
        }
        let ids = known.ids(member, network);
        let look_up = move |reader: &dyn Read| {
            for id in &ids {
                if reader.is_known_network(id)? {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        self.members.read(look_up).await.unwrap_or(false)
    }

    /// Notes that a member has logged in with the password from this network. Returns whether that
    /// was the first time today.
    pub(super) fn logged_in_from(&self, member: Key, network: Network, now: i64) -> bool {
        // If all visitors seem to come from one network, it would be known for every member.
        if self.shared.guard.is_exempt(network) {
            return self.shared.history.is_first_today(member, now);
        }
        let known = &self.shared.known;
        let Some(row) = known.opened(member, network, now) else { return false };
        if !self.writer.note(Note::Known(row)) {
            known.was_not_written(member, network);
        }
        true
    }

    /// Reports the login of a member to NATS in the background, if the settings say so. `is_login`:
    /// see [`Reporter::note`].
    pub(super) fn report_login(&self, row: &LoginRow, address: IpAddr, is_login: bool) {
        if let Some(reports) = &self.shared.reports {
            reports.note(row.key, &row.username, address, is_login);
        }
    }

    /// Counts a wrong password. A block that begins with it applies at once. It is logged and
    /// written a moment later.
    pub(super) fn count_wrong(&self, wrong: &WrongPassword<'_>) {
        let now = self.clock.read();
        if self.shared.guard.is_exempt(wrong.network) {
            self.shared.log.not_counted(wrong.network, now.steady);
        }
        self.shared.guard.wrong(wrong, now);
    }
}
