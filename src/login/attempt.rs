//! One login by password: the blocks, the remembered answers, and at last a hash.

use std::net::IpAddr;
use std::time::Duration;

use super::area::ThreadArea;
use super::basic::Typed;
use super::guard::Verdict;
use super::members::Undecided;
use super::pool::{Asker, Busy, PasswordCheck};
use super::pseudonym::TypedName;
use super::remembered::{CheckedRow, RememberedKey};
use crate::block::{BlockKind, Network};
use crate::identity::{Key, MemberId, SiteId};
use crate::password::Stored;
use crate::store::LoginRow;

/// One name and password that is compared with rows.
pub(super) struct Attempt<'a> {
    pub(super) area: &'a ThreadArea,
    pub(super) typed: &'a Typed,
    pub(super) address: IpAddr,
    pub(super) network: Network,
    /// Nothing is blocked. Otherwise only remembered passwords count, and members in networks that
    /// are known for them.
    pub(super) is_open: bool,
    /// Whether the network is known for the member whose row was hashed last.
    pub(super) is_home: bool,
    /// How many hashes it has cost.
    pub(super) hashes: u32,
    /// How long it has waited for the comparison of new passwords, on all sites together.
    pub(super) compared_for: Duration,
}

impl Attempt<'_> {
    /// Whether the password opens this row.
    pub(super) async fn opens(&mut self, row: &LoginRow) -> Result<bool, Undecided> {
        let key = self
            .area
            .shared
            .remembered
            .key(CheckedRow::Member(row.key, &row.stored), &self.typed.password);
        let opened = self.answer(key, row.key, Some(&row.stored)).await?;
        if opened {
            self.area.shared.rehashes.note(row.key, &row.stored, &self.typed.password);
        }
        Ok(opened)
    }

    /// Whether a block has begun meanwhile.
    pub(super) fn is_blocked_by_now(&self, typed_name: &TypedName<'_>, is_home: bool) -> bool {
        match typed_name.verdict(&self.area.shared.guard, self.network, self.area.clock.steady()) {
            Verdict::Open | Verdict::Blocked(BlockKind::Name) => false,
            Verdict::Blocked(BlockKind::Pair | BlockKind::Network) => true,
            Verdict::BlockedAround(_) => !is_home,
        }
    }

    /// Spends the time of a wrong password for a name that no member has, so that the time does not
    /// reveal whether a member has the name.
    pub(super) async fn unknown_name(&mut self, sites: &[SiteId]) -> Result<(), Undecided> {
        let Some(&site) = sites.first() else { return Ok(()) };
        let key = self
            .area
            .shared
            .remembered
            .key(CheckedRow::UnknownName(site, self.typed.name.folded()), &self.typed.password);
        // Any member id will do: it is looked up as if the name existed.
        let member = Key { site, member: MemberId::parse("1").ok_or(Undecided)? };
        self.answer(key, member, None).await.map(|_| ())
    }

    /// Whether the password opens what is stored for the member; `None` if no member has the name.
    async fn answer(
        &mut self,
        key: RememberedKey,
        member: Key,
        stored: Option<&Stored>,
    ) -> Result<bool, Undecided> {
        if let Some(opened) = self.area.shared.remembered.get(&key) {
            return Ok(opened);
        }
        // Guesses from elsewhere, or from a wider network, do not keep members out of networks that
        // are known for them.
        self.is_home = self.area.is_known(member, self.network).await && stored.is_some();
        if !(self.is_open || self.is_home) {
            return Ok(false);
        }
        self.hashes += 1;
        self.area.metrics.count_login();
        let row = stored.map(|stored| (member, stored.clone()));
        let check = PasswordCheck { row, typed: self.typed.password.clone() };
        let asker = Asker { address: self.address, is_known: self.is_home };
        self.area.shared.pool.run(key, check, asker).await.map_err(|Busy| Undecided)
    }
}
