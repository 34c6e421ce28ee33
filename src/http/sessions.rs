//! Logins by cookie: whether one lets somebody in, and what ends one. The member's row is read anew
//! at every check.

use actix_web::HttpRequest;

use super::area::{Admission, Reason, Undecided, Wanted};
use super::postback::Desk;
use crate::config::LOGIN_SECONDS_MAX;
use crate::login::cookie::Login;
use crate::login::presented::Presented;
use crate::store::{LoggedOut, LoginRow, Note};

/// Whether the logins of a browser let somebody in: as with a password, the sites are tried in the
/// order asked for, and of one site the login that counts first.
pub(super) fn by_cookie(
    request: &HttpRequest,
    desk: &Desk,
    wanted: Wanted<'_>,
    logins: &Presented,
    now: i64,
) -> Result<Admission, Undecided> {
    let mut reason = Reason::Login;
    for site in wanted.sites {
        for login in logins.iter().filter(|login| login.key.site == *site) {
            match row_of(desk, login, now)? {
                Some(row) if wanted.takes(&row) => {
                    tell_rivals(request, desk, logins, login, now)?;
                    return Ok(Admission::In(row));
                }
                Some(_) => reason = Reason::Trial,
                None => {}
            }
        }
    }
    Ok(Admission::Out(reason))
}

/// Says it where another cookie would have let in another member of the site. A neighbouring host
/// can make a browser log in under its own membership, and that must leave a trace.
fn tell_rivals(request: &HttpRequest, desk: &Desk, logins: &Presented, taken: &Login, now: i64) -> Result<(), Undecided> {
    for rival in logins.rivals(taken) {
        if row_of(desk, rival, now)?.is_some() {
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
    /// Logins of the sites that the new login is for.
    pub(super) ended: Vec<Login>,
}

/// Looks at the logins that are still good. `new` are the rows of the new login. Of two cookies
/// with logins of different members of one site, the one that counts is kept.
pub(super) fn before(desk: &Desk, logins: &Presented, new: &[LoginRow], now: i64) -> Result<Before, Undecided> {
    let (mut kept, mut ended) = (Vec::new(), Vec::new());
    for login in logins.iter() {
        if row_of(desk, login, now)?.is_none() {
            continue;
        }
        if new.iter().any(|row| row.key.site == login.key.site) {
            ended.push(*login);
        } else if !logins.rivals(login).any(|rival| kept.contains(rival)) {
            kept.push(*login);
        }
    }
    // The cookie has room for the newest.
    kept.sort_by_key(|login| std::cmp::Reverse(login.issued));
    Ok(Before { kept, ended })
}

/// Ends logins for good. Those that have ended already cost nothing.
pub(super) async fn end(desk: &Desk, logins: impl Iterator<Item = &Login>) -> Result<(), Undecided> {
    for login in logins {
        if desk.read(|reader| reader.is_logged_out(&login.id.0))? {
            continue;
        }
        // Whatever --login-hours will be then: a longer one must not open the login again.
        let logged_out = LoggedOut { id: login.id.0, until: login.ends_at(LOGIN_SECONDS_MAX) };
        if !desk.shared().writer.note_and_wait(Note::LogOut(logged_out)).await {
            return Err(Undecided);
        }
    }
    Ok(())
}

/// The row of a login, as it is now, if it is of the login's version and nobody has logged out.
fn row_of(desk: &Desk, login: &Login, now: i64) -> Result<Option<LoginRow>, Undecided> {
    desk.read(|reader| match desk.readable(reader.login_by_key(login.key, now))? {
        Some(row) if row.login_version == login.login_version && !reader.is_logged_out(&login.id.0)? => Ok(Some(row)),
        Some(_) | None => Ok(None),
    })
}
