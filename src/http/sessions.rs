//! Logins by cookie: whether one lets somebody in, and what ends one. The member's row is read anew
//! at every check.

use std::collections::HashSet;

use actix_web::HttpRequest;
use futures_util::future::join_all;

use super::area::{Admission, Reason, Undecided, Wanted};
use super::postback::Desk;
use crate::login::cookie::{LOGINS_MAX, Login};
use crate::login::logouts::Way;
use crate::login::page::Said;
use crate::login::presented::Presented;
use crate::login::settings::LOGIN_SECONDS_MAX;
use crate::store::{CookieLogin, CookieLoginState, LoggedOut, LoginRow, Note, Seen};

/// A last use that is further ahead was written while the clock was wrong, and tells nothing.
const AHEAD_SECONDS_MAX: i64 = 60;

/// Whether the logins of a browser let somebody in: as with a password, the sites are tried in the
/// order asked for, and of one site the login that counts first.
pub(super) async fn by_cookie(
    request: &HttpRequest,
    desk: &Desk,
    wanted: Wanted<'_>,
    logins: &Presented,
    now: i64,
) -> Result<Admission, Undecided> {
    let mut reason = Reason::Login;
    let of_site = |&site| logins.iter().filter(move |login| login.key.site == site);
    let tried: Vec<&Login> = wanted.sites.iter().flat_map(of_site).collect();
    for (login, worth) in tried.iter().zip(worths(desk, &tried, now).await?) {
        match worth {
            Worth::Good(row, idle_for) => {
                use_login(desk, login, idle_for, now);
                if wanted.takes(&row) {
                    tell_rivals(request, desk, logins, login, now).await?;
                    return Ok(Admission::In(row));
                }
                reason = Reason::Trial;
            }
            Worth::Idle if reason == Reason::Login => reason = Reason::Idle,
            Worth::Idle | Worth::Over => {}
        }
    }
    Ok(Admission::Out(reason))
}

/// Says it where another cookie would have let in another member of the site. A neighbouring host
/// can make a browser log in under its own membership, and that must leave a trace.
async fn tell_rivals(
    request: &HttpRequest,
    desk: &Desk,
    logins: &Presented,
    taken: &Login,
    now: i64,
) -> Result<(), Undecided> {
    let rivals: Vec<&Login> = logins.rivals(taken).collect();
    for (rival, worth) in rivals.iter().zip(worths(desk, &rivals, now).await?) {
        if let Worth::Good(..) = worth {
            desk.two_members(taken.key, rival.key, desk.caller(request));
            break;
        }
    }
    Ok(())
}

/// What becomes of the logins that a browser has when it logs in once more.
pub(super) struct Before {
    /// They go on, in the new cookie.
    pub(super) kept: Vec<Login>,
    /// Logins of the sites that the new login is for, and those that the new cookie has no room
    /// for.
    pub(super) ended: Vec<Login>,
}

/// Looks at the logins that are still good. `new` are the rows of the new login. Of two cookies
/// with logins of different members of one site, the one that counts is kept.
pub(super) async fn before(
    desk: &Desk,
    logins: &Presented,
    new: &[LoginRow],
    now: i64,
) -> Result<Before, Undecided> {
    let (mut kept, mut ended) = (Vec::new(), Vec::new());
    let all: Vec<&Login> = logins.iter().collect();
    for (&login, worth) in all.iter().zip(worths(desk, &all, now).await?) {
        let Worth::Good(..) = worth else { continue };
        if new.iter().any(|row| row.key.site == login.key.site) {
            ended.push(*login);
        } else if !logins.rivals(login).any(|rival| kept.contains(rival)) {
            kept.push(*login);
        }
    }
    // The cookie has room for the newest, one to a member.
    kept.sort_by_key(|login| std::cmp::Reverse(login.issued));
    let mut members = HashSet::new();
    kept.retain(|login| members.insert(login.key));
    ended.extend(kept.split_off(kept.len().min(LOGINS_MAX.saturating_sub(new.len()))));
    Ok(Before { kept, ended })
}

/// Ends logins for good. Those that are over already cost nothing.
pub(super) async fn end(
    desk: &Desk,
    logins: impl Iterator<Item = &Login>,
) -> Result<(), Undecided> {
    // All at once: they are written in one transaction.
    let all = join_all(logins.map(|login| end_one(desk, *login))).await;
    all.into_iter().collect()
}

async fn end_one(desk: &Desk, login: Login) -> Result<(), Undecided> {
    let shared = desk.shared();
    let found = state(desk, &[&login], shared.clock.now(), |_| false).await?;
    if found.into_iter().any(|found| is_over(desk, &login, found)) {
        return Ok(());
    }
    // Whatever --login-hours will be then: a longer one must not open the login again.
    let until = login.ends_at(LOGIN_SECONDS_MAX);
    let alone = LoggedOut {
        key: login.key,
        id: login.id.0,
        issued: login.issued,
        and_all_until: None,
        until,
    };
    let logouts = &desk.area().logouts;
    let done = match logouts.begin(login.key, shared.clock.steady()) {
        Way::Alone => shared.writer.note_and_wait(Note::LogOut(alone)).await,
        Way::WithAllBefore => {
            let all =
                LoggedOut { and_all_until: Some(login.issued.max(shared.clock.now())), ..alone };
            let done = shared.writer.note_and_wait(Note::LogOut(all)).await;
            logouts.done(login.key);
            done
        }
        Way::Later => false,
    };
    if done { Ok(()) } else { Err(Undecided) }
}

/// Whether a logout would tell nothing: it was written down, or the row has a newer version.
fn is_over(desk: &Desk, login: &Login, found: CookieLoginState) -> bool {
    let row = desk.readable(found.row);
    found.is_logged_out || row.is_some_and(|row| row.login_version > login.login_version)
}

/// What is stored about logins.
async fn state(
    desk: &Desk,
    logins: &[&Login],
    now: i64,
    wants_last_use: impl Fn(&Login) -> bool,
) -> Result<Vec<CookieLoginState>, Undecided> {
    if logins.is_empty() {
        return Ok(Vec::new());
    }
    let asked = |login: &&Login| CookieLogin {
        key: login.key,
        id: login.id.0,
        issued: login.issued,
        login_version: login.login_version,
        wants_last_use: wants_last_use(login),
    };
    let asked: Vec<_> = logins.iter().map(asked).collect();
    desk.read(move |reader| reader.cookie_logins(&asked, now)).await
}

/// What a login is worth.
enum Worth {
    /// It lets in the member with this row. It was not used for so many seconds.
    Good(LoginRow, i64),
    /// It was not used for too long.
    Idle,
    /// The member has left, the login was given back or ended otherwise.
    Over,
}

/// What these logins are worth, in their order: of the row's version, not given back, and used not
/// too long ago.
async fn worths(desk: &Desk, logins: &[&Login], now: i64) -> Result<Vec<Worth>, Undecided> {
    // Another service on this database may have seen one that is not in memory.
    let wants_last_use = |login: &Login| {
        desk.area().activity.as_ref().is_some_and(|_| in_memory(desk, login).is_none())
    };
    let found = state(desk, logins, now, wants_last_use).await?;
    Ok(logins.iter().zip(found).map(|(login, found)| worth(desk, login, found, now)).collect())
}

fn worth(desk: &Desk, login: &Login, found: CookieLoginState, now: i64) -> Worth {
    let row = desk.readable(found.row);
    let Some(row) = row.filter(|row| row.login_version == login.login_version) else {
        return Worth::Over;
    };
    if found.is_logged_out {
        return Worth::Over;
    }
    let Some(activity) = &desk.area().activity else { return Worth::Good(row, 0) };
    let idle_for = in_memory(desk, login).unwrap_or_else(|| {
        let seen = found.last_used.filter(|&seen| seen <= now + AHEAD_SECONDS_MAX);
        now - seen.unwrap_or(login.issued)
    });
    if activity.is_over(idle_for) { Worth::Idle } else { Worth::Good(row, idle_for) }
}

/// For how long a login was not used, as far as this service saw it used not too long ago.
fn in_memory(desk: &Desk, login: &Login) -> Option<i64> {
    let activity = desk.area().activity.as_ref()?;
    let idle_for = activity.idle_for(login.id, desk.shared().clock.steady());
    idle_for.filter(|&idle_for| !activity.is_over(idle_for))
}

/// Notes that a login was used.
fn use_login(desk: &Desk, login: &Login, idle_for: i64, now: i64) {
    if let Some(activity) = &desk.area().activity {
        let seen = Seen { key: login.key, id: login.id.0, at: now };
        let write = || desk.shared().writer.note(Note::Seen(seen));
        activity.used(login.id, desk.shared().clock.steady(), idle_for, write);
    }
}

/// Why the login page is shown to a browser with logins, as far as they tell it.
pub(super) async fn why_out(
    desk: &Desk,
    wanted: Wanted<'_>,
    logins: &Presented,
    now: i64,
) -> Result<Said, Undecided> {
    let of_sites: Vec<&Login> =
        logins.iter().filter(|login| wanted.sites.contains(&login.key.site)).collect();
    let worths = worths(desk, &of_sites, now).await?;
    let is_idle = worths.iter().any(|worth| matches!(worth, Worth::Idle));
    Ok(if is_idle { Said::Idle } else { Said::Nothing })
}
