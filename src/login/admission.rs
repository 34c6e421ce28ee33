//! Whether a visitor of the members area behind `/auth` and `/login` is admitted, by password.
//!
//! Every check reads the row again, so that the end of a membership takes effect at once. Only one
//! thing is remembered: that a password opened a stored form. It saves the second hash and cannot
//! become stale.

use std::net::IpAddr;
use std::time::Duration;

use super::area::ThreadArea;
use super::ask::Ask;
use super::attempt::Attempt;
use super::basic::Typed;
use super::cookie::LOGINS_MAX;
use super::failed::FailedLogin;
use super::guard::{Verdict, WrongPassword};
use super::members::Undecided;
use super::pseudonym::TypedName;
use super::recording::{Failure, Meant};
use crate::block::{BlockKind, NameHolder, Network};
use crate::identity::{Key, SiteId};
use crate::login_record::{LoginEvent, LoginWay};
use crate::metrics::{Outcome, TypedAt};
use crate::store::LoginRow;

/// How often a login reads a row that changes while its password is hashed.
const ROW_READS_MAX: u32 = 4;
/// The longest time that a login waits until a new password was compared with the one before it.
/// The newest is hashed first, so it takes longer only while the machine is busy.
pub const COMPARE_WAIT_MAX: Duration = Duration::from_secs(5);
/// How soon it is noticed.
const COMPARE_LOOK_EVERY: Duration = Duration::from_millis(20);

/// Whether a visitor is admitted.
#[derive(Debug)]
pub enum Admission {
    /// Yes: this member.
    In(LoginRow),
    /// No, and why.
    Out(Denial),
}

/// Why a visitor is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// No login, or a wrong one.
    Login,
    /// A trial member, where only full members are admitted.
    Trial,
    /// Too many wrong passwords.
    Blocked,
    /// A login that was not used for too long.
    Idle,
    /// Several people seem to use the member's login.
    Shared,
}

impl Denial {
    /// The word in `X-Auth-Denial`.
    pub fn as_str(self) -> &'static str {
        match self {
            Denial::Login | Denial::Idle => "login",
            Denial::Trial => "trial",
            Denial::Blocked => "blocked",
            Denial::Shared => "shared",
        }
    }

    /// As it is counted.
    pub fn outcome(self) -> Outcome {
        match self {
            Denial::Login => Outcome::LogIn,
            Denial::Idle => Outcome::Idle,
            Denial::Trial => Outcome::Trial,
            Denial::Blocked => Outcome::Blocked,
            Denial::Shared => Outcome::Shared,
        }
    }
}

/// The members whom a site admits.
#[derive(Clone, Copy, Debug)]
pub struct Allowed<'a> {
    /// Members of these sites, in the order in which they are tried.
    pub sites: &'a [SiteId],
    /// No members on trial.
    pub full_only: bool,
}

impl<'a> Allowed<'a> {
    /// The query of a site.
    pub fn of(ask: &'a Ask) -> Self {
        Self { sites: ask.sites.as_slice(), full_only: ask.full_only }
    }

    /// Whether it admits a member with this row.
    pub fn admits(&self, row: &LoginRow) -> bool {
        !(self.full_only && row.trial)
    }
}

/// Whether a name and a password admit a visitor. The first row that they open and that is allowed
/// decides; further rows cost no hash.
///
/// # Errors
///
/// If it cannot be decided now.
pub async fn by_password(
    area: &ThreadArea,
    allowed: Allowed<'_>,
    typed: &Typed,
    address: IpAddr,
    now: i64,
) -> Result<Admission, Undecided> {
    let opened = counted(area, allowed, typed, address, now, LoginWay::Basic).await?;
    Ok(match opened.map(|rows| rows.into_iter().find(|row| allowed.admits(row))) {
        Ok(Some(row)) => Admission::In(row),
        Ok(None) => Admission::Out(Denial::Trial),
        Err(reason) => Admission::Out(reason),
    })
}

/// All rows that a name and a password open, at least one, the allowed ones first. A login is valid
/// for each of them, so that it continues with one when another ends. There are no more than fit
/// into a cookie.
///
/// # Errors
///
/// If it cannot be decided now.
pub async fn all_by_password(
    area: &ThreadArea,
    allowed: Allowed<'_>,
    typed: &Typed,
    address: IpAddr,
    now: i64,
) -> Result<Result<Vec<LoginRow>, Denial>, Undecided> {
    let opened = counted(area, allowed, typed, address, now, LoginWay::Page).await?;
    Ok(opened.map(|mut rows| {
        rows.sort_by_key(|row| !allowed.admits(row));
        rows.truncate(LOGINS_MAX);
        rows
    }))
}

/// What [`opened`] returns, which is counted here.
async fn counted(
    area: &ThreadArea,
    allowed: Allowed<'_>,
    typed: &Typed,
    address: IpAddr,
    now: i64,
    way: LoginWay,
) -> Result<Result<Vec<LoginRow>, Denial>, Undecided> {
    let done = opened(area, allowed, typed, address, now, way).await;
    let outcome = match &done {
        Ok(Ok(rows)) if rows.iter().any(|row| allowed.admits(row)) => Outcome::Admitted,
        Ok(Ok(_)) => Outcome::Trial,
        Ok(Err(reason)) => reason.outcome(),
        Err(Undecided) => Outcome::Undecided,
    };
    let at = match way {
        LoginWay::Page => TypedAt::Page,
        LoginWay::Basic => TypedAt::Basic,
    };
    area.metrics.count_typed(at, outcome);
    done
}

/// The rows of the allowed sites that a name and a password open, in the order of the sites and at
/// least one; or why there is none. By the browser's prompt, no row is tried behind one that is
/// allowed; on the page all are.
async fn opened(
    area: &ThreadArea,
    allowed: Allowed<'_>,
    typed: &Typed,
    address: IpAddr,
    now: i64,
    way: LoginWay,
) -> Result<Result<Vec<LoginRow>, Denial>, Undecided> {
    let typed_name = &TypedName::new(&area.shared.pseudonyms, typed.name.as_str());
    let network = Network::of(address);
    let login = Login { area, allowed, typed, typed_name, address, network, now, way };
    let verdict = typed_name.verdict(&area.shared.guard, network, area.clock.steady());
    if let Verdict::Blocked(BlockKind::Pair | BlockKind::Network) = verdict {
        return Ok(Err(login.blocked().await));
    }
    let mut rows = login.rows().await?;
    let holder = if rows.is_empty() { NameHolder::Nobody } else { NameHolder::Member };
    if let Verdict::BlockedAround(_) = verdict {
        rows = login.known_here(rows).await;
        if rows.is_empty() {
            return Ok(Err(login.blocked().await));
        }
    }
    let is_open = verdict == Verdict::Open;
    let (is_home, hashes, compared_for) = (false, 0, Duration::ZERO);
    let mut attempt =
        Attempt { area, typed, address, network, is_open, is_home, hashes, compared_for };
    if rows.is_empty() {
        attempt.unknown_name(allowed.sites).await?;
    }
    let Some(Tried { opened, others, shared_by }) = login.try_rows(&mut attempt, rows).await?
    else {
        return Ok(Err(login.blocked().await));
    };
    if !opened.is_empty() {
        if !opened.iter().any(|row| allowed.admits(row)) {
            let members = opened.iter().map(|row| row.key).collect();
            login.record(LoginEvent::Trial, Meant::Known(members, true)).await;
        }
        return Ok(Ok(opened));
    }
    if !shared_by.is_empty() {
        login.record(LoginEvent::Shared, Meant::Known(shared_by, true)).await;
        return Ok(Err(Denial::Shared));
    }
    Ok(Err(login.wrong(&attempt, holder, others).await))
}

/// A name and a password that are tried.
struct Login<'a> {
    area: &'a ThreadArea,
    allowed: Allowed<'a>,
    typed: &'a Typed,
    typed_name: &'a TypedName<'a>,
    address: IpAddr,
    network: Network,
    now: i64,
    way: LoginWay,
}

/// What became of the rows.
#[derive(Default)]
struct Tried {
    /// The password opens these.
    opened: Vec<LoginRow>,
    /// It does not open those of these members.
    others: Vec<Key>,
    /// It opens those of these members, who are blocked because of sharing.
    shared_by: Vec<Key>,
}

impl Login<'_> {
    /// The rows that the name means, in the order of the sites. Where addresses may be typed, it is
    /// an e-mail address on each site that has no member of this name.
    async fn rows(&self) -> Result<Vec<LoginRow>, Undecided> {
        let (area, sites, name) = (self.area, self.allowed.sites, &self.typed.name);
        let mut rows = area.members.logins_by_name(sites, name, self.now).await?;
        if area.shared.config.by_email {
            let has_name = |site: &&SiteId| rows.iter().any(|row| row.key.site == **site);
            let others: Vec<SiteId> =
                sites.iter().filter(|site| !has_name(site)).copied().collect();
            rows.extend(area.members.logins_by_email(&others, name.as_str(), self.now).await?);
            rows.sort_by_key(|row| sites.iter().position(|site| *site == row.key.site));
        }
        Ok(rows)
    }

    /// The rows of members who have logged in from this network before.
    async fn known_here(&self, rows: Vec<LoginRow>) -> Vec<LoginRow> {
        let mut known = Vec::with_capacity(rows.len());
        for row in rows {
            if self.area.is_known(row.key, self.network).await {
                known.push(row);
            }
        }
        known
    }

    /// Tries the password on the rows. `None` if the name was blocked meanwhile.
    async fn try_rows(
        &self,
        attempt: &mut Attempt<'_>,
        rows: Vec<LoginRow>,
    ) -> Result<Option<Tried>, Undecided> {
        let Self { area, network, way, .. } = *self;
        let mut tried = Tried { opened: Vec::with_capacity(1), ..Tried::default() };
        for row in rows {
            let key = row.key;
            let Some(row) = self.opened_row(attempt, row).await? else {
                tried.others.push(key);
                continue;
            };
            // More guesses may have been counted while this was hashed: ten at once are ten.
            if attempt.hashes > 0 && attempt.is_blocked_by_now(self.typed_name, attempt.is_home) {
                return Ok(None);
            }
            let is_admitted = self.allowed.admits(&row);
            if is_admitted && area.is_blocked(row.key, self.address, self.now).await {
                tried.shared_by.push(row.key);
                continue;
            }
            // The login on the page is one for every row. The browser's prompt has only one.
            let is_new = (is_admitted || way == LoginWay::Page)
                && area.logged_in_from(row.key, network, self.now);
            if is_admitted && is_new && way == LoginWay::Basic {
                area.record_login(way, &row, network);
            }
            if is_admitted {
                // A browser sends the name and the password with each request.
                let is_login = way == LoginWay::Page || is_new || attempt.hashes > 0;
                area.report_login(&row, self.address, is_login);
            }
            tried.opened.push(row);
            if is_admitted && way == LoginWay::Basic {
                break;
            }
        }
        Ok(Some(tried))
    }

    /// The row, as it is after the wait for a hash, if the password opens it: what NATS was
    /// answered meanwhile counts.
    async fn opened_row(
        &self,
        attempt: &mut Attempt<'_>,
        mut row: LoginRow,
    ) -> Result<Option<LoginRow>, Undecided> {
        for _ in 0..ROW_READS_MAX {
            let hashes = attempt.hashes;
            if !attempt.opens(&row).await? {
                return Ok(None);
            }
            if attempt.hashes == hashes && !self.waits_for(&row) {
                return Ok(Some(row));
            }
            match self.read_again(attempt, &row).await? {
                Some(current) if current.username == row.username => {
                    if current.stored == row.stored {
                        return Ok(Some(current));
                    }
                    row = current;
                }
                _ => return Ok(None),
            }
        }
        Err(Undecided)
    }

    /// Whether a login waits until the password of this row was compared with the one before it.
    /// If it is another one, the logins before it end, and this one would end with them. A password
    /// in the browser's prompt is no login that could end.
    fn waits_for(&self, row: &LoginRow) -> bool {
        self.way == LoginWay::Page && row.is_uncompared
    }

    /// Reads the row again, after the wait of [`Login::waits_for`], which is bounded.
    async fn read_again(
        &self,
        attempt: &mut Attempt<'_>,
        row: &LoginRow,
    ) -> Result<Option<LoginRow>, Undecided> {
        let (area, key) = (self.area, row.key);
        loop {
            let row = area.members.login_row(key, area.clock.now()).await?;
            let waits = row.as_ref().is_some_and(|row| self.waits_for(row));
            if !waits || attempt.compared_for >= area.shared.compare_wait {
                return Ok(row);
            }
            tokio::time::sleep(COMPARE_LOOK_EVERY).await;
            attempt.compared_for += COMPARE_LOOK_EVERY;
        }
    }

    /// Counts, logs and records a wrong password or an unknown name. `others` are the members whose
    /// rows it did not open.
    async fn wrong(&self, attempt: &Attempt<'_>, holder: NameHolder, others: Vec<Key>) -> Denial {
        let Self { area, typed, typed_name, address, network, way, .. } = *self;
        let shared = &area.shared;
        let mut is_known = false;
        for &member in &others {
            is_known = is_known || area.is_known(member, network).await;
        }
        let blocked = attempt.is_blocked_by_now(typed_name, is_known);
        // Read for every failed login, so that the time of the answer does not reveal whether the
        // name exists. If the rows cannot be read, the name counts as unknown and is not shown.
        let name = typed.name.clone();
        let is_taken = area.members.read(move |reader| reader.is_name_known(&name)).await;
        let is_taken = is_taken.unwrap_or(false);
        // Without a member of this name, `others` have it as their e-mail address.
        let name = typed_name.shown(is_taken || !others.is_empty());
        let secret = shared.remembered.secret(&typed.password);
        area.count_wrong(&WrongPassword { name, holder, network, is_known, secret });
        let is_let_in = attempt.is_open || is_known;
        let reason = if blocked || !is_let_in { Denial::Blocked } else { Denial::Login };
        let event = match reason {
            Denial::Blocked => LoginEvent::Blocked,
            _ if others.is_empty() => LoginEvent::Unknown,
            _ => LoginEvent::Wrong,
        };
        let sites = self.allowed.sites;
        let failed = FailedLogin { by: way, why: event, sites, name, address, secret };
        shared.failed.log(&failed, area.clock.steady());
        self.record(event, Meant::Known(others, is_taken)).await;
        reason
    }

    /// Records that it was refused without a look at the password.
    async fn blocked(&self) -> Denial {
        self.record(LoginEvent::Blocked, Meant::Unread).await;
        Denial::Blocked
    }

    async fn record(&self, event: LoginEvent, meant: Meant) {
        let Self { typed, typed_name, network, way, .. } = *self;
        let failure = Failure { way, sites: self.allowed.sites, typed, typed_name, network };
        self.area.record_failure(&failure, event, meant).await;
    }
}
