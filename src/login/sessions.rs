//! Logins by cookie: whether one admits a visitor, and what ends one. Every check reads the
//! member's row again.

use std::collections::HashMap;
use std::net::IpAddr;

use futures_util::future::join_all;

use super::admission::{Admission, Allowed, Denial};
use super::area::ThreadArea;
use super::cookie::{LOGINS_MAX, Login};
use super::logouts::Way;
use super::members::Undecided;
use super::page::LoginMessage;
use super::presented::Presented;
use super::settings::LOGIN_SECONDS_MAX;
use crate::store::{CookieLogin, CookieLoginState, LoggedOut, LoginRow, Note, Seen};

/// A last use that is further ahead was written while the clock was wrong, and is ignored.
const AHEAD_SECONDS_MAX: i64 = 60;

/// Whether the logins of a browser admit a visitor. As with a password, the sites are tried in the
/// order of the query, and of one site the login that counts first. `caller` is the address, for
/// the log.
///
/// # Errors
///
/// If it cannot be decided now.
pub async fn by_cookie(
    area: &ThreadArea,
    allowed: Allowed<'_>,
    logins: &Presented,
    caller: impl Fn() -> IpAddr,
    now: i64,
) -> Result<Admission, Undecided> {
    let mut reason = Denial::Login;
    let of_site = |&site| logins.iter().filter(move |login| login.key.site == site);
    let tried: Vec<&Login> = allowed.sites.iter().flat_map(of_site).collect();
    for (login, validity) in tried.iter().zip(validities(area, &tried, now).await?) {
        match validity {
            Validity::Valid(row, idle_for) => {
                use_login(area, login, idle_for, now);
                if !allowed.admits(&row) {
                    if reason != Denial::Shared {
                        reason = Denial::Trial;
                    }
                } else if area.shared.sharing.is_on()
                    && area.is_blocked(row.key, caller(), now).await
                {
                    reason = Denial::Shared;
                } else {
                    // Only a line of the log depends on it.
                    let _ = log_rivals(area, logins, login, &caller, now).await;
                    return Ok(Admission::In(row));
                }
            }
            Validity::Idle if reason == Denial::Login => reason = Denial::Idle,
            Validity::Idle | Validity::Over => {}
        }
    }
    Ok(Admission::Out(reason))
}

/// Logs it if another cookie would have admitted another member of the site. A neighbouring host
/// can make a browser log in under its own membership, and that must leave a trace.
async fn log_rivals(
    area: &ThreadArea,
    logins: &Presented,
    accepted: &Login,
    caller: impl Fn() -> IpAddr,
    now: i64,
) -> Result<(), Undecided> {
    let rivals: Vec<&Login> = logins.rivals(accepted).collect();
    for (rival, validity) in rivals.iter().zip(validities(area, &rivals, now).await?) {
        if let Validity::Valid(..) = validity {
            let steady = area.clock.steady();
            area.shared.log.two_members(accepted.key, rival.key, caller(), steady);
            break;
        }
    }
    Ok(())
}

/// The logins that a browser has when it logs in again.
#[derive(Debug)]
pub struct Before {
    /// Those that stay valid, in the new cookie.
    pub kept: Vec<Login>,
    /// Logins of the sites that the new login is for, those that the new cookie has no room for,
    /// and those beside another login of the member or the site that is kept.
    pub ended: Vec<Login>,
}

/// Sorts the logins that are still valid. `new` are the rows of the new login. Of two cookies with
/// logins of different members of one site, the one that counts is kept.
///
/// # Errors
///
/// If it cannot be decided now.
pub async fn before(
    area: &ThreadArea,
    logins: &Presented,
    new: &[LoginRow],
    now: i64,
) -> Result<Before, Undecided> {
    let (mut kept, mut ended) = (Vec::new(), Vec::new());
    let all: Vec<&Login> = logins.iter().collect();
    for (&login, validity) in all.iter().zip(validities(area, &all, now).await?) {
        let Validity::Valid(..) = validity else { continue };
        let is_replaced = new.iter().any(|row| row.key.site == login.key.site);
        if is_replaced || logins.rivals(login).any(|rival| kept.contains(rival)) {
            ended.push(*login);
        } else {
            kept.push(*login);
        }
    }
    // The cookie has room for the newest ones, one per member.
    kept.sort_by_key(|login| std::cmp::Reverse(login.issued));
    let mut newest = HashMap::new();
    kept.retain(|login| match newest.get(&login.key) {
        None => newest.insert(login.key, login.id).is_none(),
        Some(id) => {
            // The cookies of two names may have the same login.
            if *id != login.id {
                ended.push(*login);
            }
            false
        }
    });
    ended.extend(kept.split_off(kept.len().min(LOGINS_MAX.saturating_sub(new.len()))));
    Ok(Before { kept, ended })
}

/// Ends logins for good. Those that are over already cost nothing.
///
/// # Errors
///
/// If one of them could not be ended.
pub async fn end(area: &ThreadArea, logins: impl Iterator<Item = &Login>) -> Result<(), Undecided> {
    // All at once: they are written in one transaction.
    let all = join_all(logins.map(|login| end_one(area, *login))).await;
    all.into_iter().collect()
}

async fn end_one(area: &ThreadArea, login: Login) -> Result<(), Undecided> {
    let found = stored(area, &[&login], area.clock.now(), |_| false).await?;
    if found.into_iter().any(|found| is_over(area, &login, found)) {
        return Ok(());
    }
    // The longest lifetime, so that a longer --login-hours later does not make the login valid
    // again.
    let until = login.ends_at(LOGIN_SECONDS_MAX);
    let alone = LoggedOut {
        key: login.key,
        id: login.id.0,
        issued: login.issued,
        and_all_until: None,
        until,
    };
    let logouts = &area.shared.logouts;
    let done = match logouts.begin(login.key, area.clock.steady()) {
        Way::Alone => area.writer.note_and_wait(Note::LogOut(alone)).await,
        Way::WithAllBefore => {
            let all =
                LoggedOut { and_all_until: Some(login.issued.max(area.clock.now())), ..alone };
            let writer = area.writer.clone();
            let stored = async move { writer.note_and_wait(Note::LogOut(all)).await };
            logouts.store(login.key, stored).await
        }
        Way::Later => false,
    };
    if done { Ok(()) } else { Err(Undecided) }
}

/// Whether a logout need not be stored: it is stored already, or the row has a newer version.
fn is_over(area: &ThreadArea, login: &Login, found: CookieLoginState) -> bool {
    let row = area.members.readable(found.row);
    found.is_logged_out || row.is_some_and(|row| row.login_version > login.login_version)
}

/// Reads what is stored about logins.
async fn stored(
    area: &ThreadArea,
    logins: &[&Login],
    now: i64,
    wants_last_use: impl Fn(&Login) -> bool,
) -> Result<Vec<CookieLoginState>, Undecided> {
    if logins.is_empty() {
        return Ok(Vec::new());
    }
    let queried = |login: &&Login| CookieLogin {
        key: login.key,
        id: login.id.0,
        issued: login.issued,
        login_version: login.login_version,
        wants_last_use: wants_last_use(login),
    };
    area.members.cookie_logins(logins.iter().map(queried).collect(), now).await
}

/// Whether a login is valid.
enum Validity {
    /// It admits the member with this row. It was not used for this many seconds.
    Valid(LoginRow, i64),
    /// It was not used for too long.
    Idle,
    /// The member has left, has logged out, or the login ended otherwise.
    Over,
}

/// Whether these logins are valid, in their order: of the row's version, not logged out, and used
/// not too long ago.
async fn validities(
    area: &ThreadArea,
    logins: &[&Login],
    now: i64,
) -> Result<Vec<Validity>, Undecided> {
    // If the last use is not in memory, another service on this database may have stored it.
    let wants_last_use = |login: &Login| {
        area.shared.activity.as_ref().is_some_and(|_| idle_in_memory(area, login).is_none())
    };
    let found = stored(area, logins, now, wants_last_use).await?;
    Ok(logins.iter().zip(found).map(|(login, found)| validity(area, login, found, now)).collect())
}

fn validity(area: &ThreadArea, login: &Login, found: CookieLoginState, now: i64) -> Validity {
    let row = area.members.readable(found.row);
    let Some(row) = row.filter(|row| row.login_version == login.login_version) else {
        return Validity::Over;
    };
    if found.is_logged_out {
        return Validity::Over;
    }
    let Some(activity) = &area.shared.activity else { return Validity::Valid(row, 0) };
    let idle_for = idle_in_memory(area, login).unwrap_or_else(|| {
        let seen = found.last_used.filter(|&seen| seen <= now + AHEAD_SECONDS_MAX);
        now - seen.unwrap_or(login.issued)
    });
    if activity.is_over(idle_for) { Validity::Idle } else { Validity::Valid(row, idle_for) }
}

/// How long ago a login was used at this service, if that is not too long ago.
fn idle_in_memory(area: &ThreadArea, login: &Login) -> Option<i64> {
    let activity = area.shared.activity.as_ref()?;
    let idle_for = activity.idle_for(login.id, area.clock.steady());
    idle_for.filter(|&idle_for| !activity.is_over(idle_for))
}

/// Records that a login was used.
fn use_login(area: &ThreadArea, login: &Login, idle_for: i64, now: i64) {
    if let Some(activity) = &area.shared.activity {
        let seen = Seen { key: login.key, id: login.id.0, at: now };
        let write = || area.writer.note(Note::Seen(seen));
        activity.used(login.id, area.clock.steady(), idle_for, write);
    }
}

/// The row of a valid login on trial, of the site that comes first.
///
/// # Errors
///
/// If it cannot be decided now.
pub async fn on_trial(
    area: &ThreadArea,
    allowed: Allowed<'_>,
    logins: &Presented,
    now: i64,
) -> Result<Option<LoginRow>, Undecided> {
    let of_site = |&site| logins.iter().filter(move |login| login.key.site == site);
    let tried: Vec<&Login> = allowed.sites.iter().flat_map(of_site).collect();
    let trial = |validity| match validity {
        Validity::Valid(row, _) if row.trial => Some(row),
        _ => None,
    };
    Ok(validities(area, &tried, now).await?.into_iter().find_map(trial))
}

/// Why the login page is shown to a browser that has logins, if they say why.
///
/// # Errors
///
/// If it cannot be decided now.
pub async fn why_out(
    area: &ThreadArea,
    allowed: Allowed<'_>,
    logins: &Presented,
    now: i64,
) -> Result<LoginMessage, Undecided> {
    let of_sites: Vec<&Login> =
        logins.iter().filter(|login| allowed.sites.contains(&login.key.site)).collect();
    let validities = validities(area, &of_sites, now).await?;
    let (mut is_in, mut is_trial, mut is_idle) = (false, false, false);
    for validity in &validities {
        match validity {
            Validity::Valid(row, _) if allowed.admits(row) => is_in = true,
            Validity::Valid(..) => is_trial = true,
            Validity::Idle => is_idle = true,
            Validity::Over => {}
        }
    }
    Ok(match (is_in, is_trial, is_idle) {
        (false, true, _) => LoginMessage::Trial,
        (_, _, true) => LoginMessage::Idle,
        _ => LoginMessage::Nothing,
    })
}
