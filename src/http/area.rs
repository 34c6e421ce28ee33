//! The members area behind `/auth` and `/login`: may whoever has this password, or this cookie,
//! come in?
//!
//! The row is read anew at every check, so that the end of a membership counts at once. What is
//! remembered is only that a stored form was opened by a password, which needs no hash a second
//! time and cannot go stale.

use std::net::IpAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::block::{BlockKind, NameHolder, Network};
use crate::hardening::Rehashes;
use crate::identity::{Key, MemberId, SiteId};
use crate::logging::limit::{LinesMax, OncePerName, Window};
use crate::login::activity::Activity;
use crate::login::ask::Ask;
use crate::login::basic::Typed;
use crate::login::blocks::Ledger;
use crate::login::cookie::LOGINS_MAX;
use crate::login::failed::FailedLogins;
use crate::login::guard::{Guard, Verdict, WrongPassword};
use crate::login::known::KnownNetworks;
use crate::login::logouts::Logouts;
use crate::login::pool::{Asker, Busy, PasswordCheck, Pool};
use crate::login::pseudonym::{Pseudonyms, TypedName};
use crate::login::remembered::{Remembered, RememberedKey, Row};
use crate::login::settings::AreaConfig;
use crate::login::signers::Signers;
use crate::login::unkept::Unkept;
use crate::password::{Steps, Stored};
use crate::store::LoginRow;

use super::failed::{self, By};
use super::postback::Desk;

/// What all threads share of it.
#[derive(Debug)]
pub struct Area {
    /// The settings.
    pub config: AreaConfig,
    /// Who guesses waits.
    pub guard: Guard,
    /// Names that nobody has.
    pub pseudonyms: Pseudonyms,
    /// Which failed logins have a line in the log.
    pub failed: FailedLogins,
    /// Which of the others have one.
    pub login_lines: Mutex<Window<Key>>,
    /// From where members have logged in.
    pub known: KnownNetworks,
    /// Which password opened which stored form.
    pub remembered: Arc<Remembered>,
    /// Where the others are hashed.
    pub pool: Pool,
    /// What each of them costs.
    pub steps: Arc<Steps>,
    /// Members whose hash is of another kind than is configured, for the hashing worker.
    pub rehashes: Arc<Rehashes>,
    /// Makes and reads cookies.
    pub signers: Signers,
    /// When logins were last used, where an inactivity timeout is set.
    pub activity: Option<Activity>,
    /// Who has logged out how often just now.
    pub logouts: Logouts,
    /// Who was given a cookie and has not shown it yet.
    pub unkept: Unkept,
    /// Hosts under no domain of `--cookie-domain`, each told once.
    pub outside_domains: OncePerName<String>,
    /// Requests so far whose cookies had logins of different members of one site.
    pub rivals: AtomicU64,
    /// Which blocks have a line in the log and a row in the database.
    pub ledger: Mutex<Ledger>,
}

/// Lines of logins with the right password, per member. Members can log in without end, and a
/// remembered password costs no hash. All members of a large site have room.
pub const LOGIN_LINES_MAX: LinesMax = LinesMax { window_seconds: 60, all: 6_000, each: 10 };

impl Area {
    /// Which logins have a line in the log. A panic elsewhere leaves counts that are one off at
    /// most.
    pub fn login_lines(&self) -> MutexGuard<'_, Window<Key>> {
        self.login_lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The blocks in log and database. A panic elsewhere leaves whole entries.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// May he come in?
#[derive(Debug)]
pub enum Admission {
    /// Yes: the member.
    In(LoginRow),
    /// No, and why.
    Out(Reason),
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No login, or a wrong one.
    Login,
    /// A trial member, where full members are asked for.
    Trial,
    /// Too many wrong passwords.
    Blocked,
    /// A login that was not used for too long.
    Idle,
}

impl Reason {
    /// The word in `X-Auth-Reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Login | Reason::Idle => "login",
            Reason::Trial => "trial",
            Reason::Blocked => "blocked",
        }
    }
}

/// It cannot be decided now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecided;

/// Whose members are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Of which sites, in the order in which they are tried.
    pub sites: &'a [SiteId],
    /// Not those on trial.
    pub full_only: bool,
}

impl<'a> Wanted<'a> {
    /// What a site asks for.
    pub fn of(ask: &'a Ask) -> Self {
        Self { sites: ask.sites.as_slice(), full_only: ask.full_only }
    }

    /// Whether somebody with this row is among them.
    pub(super) fn takes(&self, row: &LoginRow) -> bool {
        !(self.full_only && row.trial)
    }
}

/// Whether a name and a password let somebody in: the first row whose password opens wins, and no
/// other one costs a hash.
pub async fn by_password(
    desk: &Desk,
    wanted: Wanted<'_>,
    typed: &Typed,
    address: IpAddr,
    now: i64,
) -> Result<Admission, Undecided> {
    let opened = opened(desk, wanted, typed, address, now, Enough::OneThatIsTaken).await?;
    Ok(match opened.map(|rows| rows.into_iter().find(|row| wanted.takes(row))) {
        Ok(Some(row)) => Admission::In(row),
        Ok(None) => Admission::Out(Reason::Trial),
        Err(reason) => Admission::Out(reason),
    })
}

/// All rows that a name and a password open, if one of them lets somebody in: a login holds for
/// each of them, so that it goes on with one when another ends. Of more than a cookie holds, those
/// that let in come first.
pub async fn all_by_password(
    desk: &Desk,
    wanted: Wanted<'_>,
    typed: &Typed,
    address: IpAddr,
    now: i64,
) -> Result<Result<Vec<LoginRow>, Reason>, Undecided> {
    let opened = opened(desk, wanted, typed, address, now, Enough::All).await?;
    Ok(opened.and_then(|mut rows| {
        rows.sort_by_key(|row| !wanted.takes(row));
        rows.truncate(LOGINS_MAX);
        let is_in = rows.first().is_some_and(|row| wanted.takes(row));
        if is_in { Ok(rows) } else { Err(Reason::Trial) }
    }))
}

/// How many rows are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Enough {
    /// Until one opens that lets somebody in.
    OneThatIsTaken,
    /// All of them.
    All,
}

/// The rows of the sites asked for that a name and a password open, in the order asked for, one at
/// least; or why there is none.
async fn opened(
    desk: &Desk,
    wanted: Wanted<'_>,
    typed: &Typed,
    address: IpAddr,
    now: i64,
    enough: Enough,
) -> Result<Result<Vec<LoginRow>, Reason>, Undecided> {
    let area = desk.area();
    let (typed_name, network) =
        (TypedName::new(&area.pseudonyms, typed.name.as_str()), Network::of(address));
    let clock = &desk.shared().clock;
    let verdict = typed_name.verdict(&area.guard, network, clock.steady());
    if let Verdict::Blocked(BlockKind::Pair | BlockKind::Network) = verdict {
        return Ok(Err(Reason::Blocked));
    }
    let mut rows = desk.logins_by_name(wanted.sites, &typed.name, now).await?;
    let holder = if rows.is_empty() { NameHolder::Nobody } else { NameHolder::Member };
    let is_open = verdict == Verdict::Open;
    if let Verdict::BlockedAround(_) = verdict {
        let mut at_home = Vec::new();
        for row in rows {
            if desk.is_known(row.key, network).await {
                at_home.push(row);
            }
        }
        rows = at_home;
        if rows.is_empty() {
            return Ok(Err(Reason::Blocked));
        }
    }
    let mut attempt =
        Attempt { desk, area, typed, address, network, is_open, is_home: false, hashed: false };
    if rows.is_empty() {
        attempt.nobody(wanted.sites).await?;
    }
    let (mut opened, mut others) = (Vec::with_capacity(1), Vec::new());
    for row in rows {
        if attempt.opens(&row).await? {
            // Others may have guessed on while this was hashed: ten at once are ten.
            if attempt.hashed && attempt.is_blocked_by_now(&typed_name, attempt.is_home) {
                return Ok(Err(Reason::Blocked));
            }
            desk.logged_in_from(row.key, network, now);
            let is_taken = wanted.takes(&row);
            opened.push(row);
            if is_taken && enough == Enough::OneThatIsTaken {
                break;
            }
        } else {
            others.push(row.key);
        }
    }
    if !opened.is_empty() {
        return Ok(Ok(opened));
    }
    let mut is_known = false;
    for member in others {
        is_known = is_known || desk.is_known(member, network).await;
    }
    let blocked = attempt.is_blocked_by_now(&typed_name, is_known);
    let secret = area.remembered.secret(&typed.password);
    let name = typed_name.shown(failed::is_somebodys(desk, typed).await);
    desk.count_wrong(&WrongPassword { name, holder, network, is_known, secret }, clock.read());
    let by = if enough == Enough::All { By::Page } else { By::Basic };
    failed::log(desk, wanted, name, address, secret, by);
    Ok(Err(if blocked || !(is_open || is_known) { Reason::Blocked } else { Reason::Login }))
}

/// One name and password, tried at rows.
struct Attempt<'a> {
    desk: &'a Desk,
    area: &'a Area,
    typed: &'a Typed,
    address: IpAddr,
    network: Network,
    /// Nothing is blocked. Else only what is remembered counts, and members in networks of theirs.
    is_open: bool,
    /// Whether the network is known for the member whose row was hashed last.
    is_home: bool,
    /// Whether it has cost a hash.
    hashed: bool,
}

impl Attempt<'_> {
    async fn opens(&mut self, row: &LoginRow) -> Result<bool, Undecided> {
        let key = self.area.remembered.key(Row::Member(row.key, &row.stored), &self.typed.password);
        let opened = self.answer(key, row.key, Some(&row.stored)).await?;
        if opened {
            self.area.rehashes.note(row.key, &row.stored, &self.typed.password);
        }
        Ok(opened)
    }

    fn is_blocked_by_now(&self, typed_name: &TypedName<'_>, is_home: bool) -> bool {
        match typed_name.verdict(&self.area.guard, self.network, self.desk.shared().clock.steady())
        {
            Verdict::Open | Verdict::Blocked(BlockKind::Name) => false,
            Verdict::Blocked(BlockKind::Pair | BlockKind::Network) => true,
            Verdict::BlockedAround(_) => !is_home,
        }
    }

    /// Nobody has the name: as dear as a wrong password, so that the time does not tell.
    async fn nobody(&mut self, sites: &[SiteId]) -> Result<(), Undecided> {
        let Some(&site) = sites.first() else { return Ok(()) };
        let key = self
            .area
            .remembered
            .key(Row::Nobody(site, self.typed.name.folded()), &self.typed.password);
        // Looked up as for somebody who has it.
        let member = Key { site, member: MemberId::parse("1").ok_or(Undecided)? };
        self.answer(key, member, None).await.map(|_| ())
    }

    /// Whether the password opens what is stored for the member; nothing is, where nobody has the
    /// name.
    async fn answer(
        &mut self,
        key: RememberedKey,
        member: Key,
        stored: Option<&Stored>,
    ) -> Result<bool, Undecided> {
        if let Some(opened) = self.area.remembered.get(&key) {
            return Ok(opened);
        }
        // What others do, elsewhere or in a wider network, keeps no member out of a network of
        // theirs.
        self.is_home = self.desk.is_known(member, self.network).await && stored.is_some();
        if !(self.is_open || self.is_home) {
            return Ok(false);
        }
        self.hashed = true;
        self.desk.shared().metrics.count_login();
        let row = stored.map(|stored| (member, stored.clone()));
        let check = PasswordCheck { row, typed: self.typed.password.clone() };
        let asker = Asker { address: self.address, is_known: self.is_home };
        self.area.pool.run(key, check, asker).await.map_err(|Busy| Undecided)
    }
}
