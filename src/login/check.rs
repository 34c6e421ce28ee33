//! Whether a visitor may open a protected page, and the answer to the web server. All listeners use
//! this module, so that their answers are equal.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::admission::{Admission, Allowed, Denial, by_password};
use super::area::ThreadArea;
use super::ask::{Ask, Challenge};
use super::back::Back;
use super::basic::Typed;
use super::members::Undecided;
use super::page::{LoginMessage, Shown};
use super::presented::Presented;
use super::sessions::by_cookie;
use super::visit::Visit;
use crate::identity::{MemberId, SiteId};
use crate::metrics::{Asker, Outcome, Way};
use crate::store::LoginRow;

/// The challenge of HTTP Basic.
pub const CHALLENGE: &str = "Basic realm=\"members\", charset=\"UTF-8\"";

/// All characters of a name that are escaped in a header.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request for a protected page.
#[derive(Clone, Debug)]
pub struct PageRequest<'a> {
    /// Who sends it.
    pub visit: Visit<'a>,
    /// The name and the password that the browser sends with it, by HTTP Basic. Unreadable ones are
    /// treated as a wrong login: the browser prompts again.
    pub typed: Option<Typed>,
    /// The address of the page as the web server sends it, or an empty text. It is used only for a
    /// visitor who is not admitted.
    pub page: &'a [u8],
}

impl PageRequest<'_> {
    /// The path to which the browser goes after a login.
    pub fn back(&self) -> Back {
        Back::read(&String::from_utf8_lossy(self.page))
    }
}

/// The answer about a request, for a listener to put into its protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: Status,
    /// The member who is admitted.
    pub member: Option<Told>,
    /// Why the visitor is not admitted.
    pub reason: Option<Denial>,
    /// Whether the browser is asked for name and password by [`CHALLENGE`].
    pub is_challenge: bool,
    /// What the visitor reads.
    pub body: Body,
}

/// The status of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// A member.
    Admitted,
    /// They must log in.
    LogIn,
    /// They are denied.
    Denied,
    /// It cannot be decided now.
    Undecided,
}

/// The body of the answer for a visitor who is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing: the visitor is admitted.
    Nothing,
    /// A sentence, where the operator has no page for that.
    Sentence(&'static str),
    /// A page of the members area.
    Page(Shown),
}

/// The values about a member for the protected page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The memberid.
    pub id: MemberId,
    /// The name, percent-encoded: at most 765 bytes of ASCII without control characters.
    pub name: String,
    /// The siteid.
    pub site: SiteId,
    /// Whether it is a trial membership. Web servers get 1 or 0.
    pub trial: bool,
}

impl Told {
    fn of(row: &LoginRow) -> Self {
        Self {
            id: row.key.member,
            name: utf8_percent_encode(row.username.as_str(), ESCAPED).to_string(),
            site: row.key.site,
            trial: row.trial,
        }
    }
}

/// Decides a request of this listener.
pub async fn check(
    area: &ThreadArea,
    asker: Asker,
    ask: &Ask,
    request: &PageRequest<'_>,
) -> Answer {
    let logins = request.visit.presented(&area.shared, area.clock.now());
    let (way, admission) = admit(area, ask, request, &logins).await;
    let outcome = match &admission {
        Ok(Admission::In(_)) => Outcome::Admitted,
        Ok(Admission::Out(reason)) => reason.outcome(),
        Err(Undecided) => Outcome::Undecided,
    };
    area.metrics.count_check(asker, way, outcome);
    match admission {
        Ok(Admission::In(row)) => Answer {
            status: Status::Admitted,
            member: Some(Told::of(&row)),
            reason: None,
            is_challenge: false,
            body: Body::Nothing,
        },
        Ok(Admission::Out(reason)) => keep_out(area, ask, request, reason, &logins),
        Err(Undecided) => Answer {
            status: Status::Undecided,
            member: None,
            reason: None,
            is_challenge: false,
            body: match ask.challenge {
                Challenge::Basic => {
                    Body::Sentence("It cannot be decided now. Please try again in a moment.")
                }
                Challenge::Page => Body::Page(Shown::Unavailable),
            },
        },
    }
}

/// Whether the visitor is admitted, and what decided that.
async fn admit(
    area: &ThreadArea,
    ask: &Ask,
    request: &PageRequest<'_>,
    logins: &Presented,
) -> (Way, Result<Admission, Undecided>) {
    let (now, allowed, address) = (area.clock.now(), Allowed::of(ask), request.visit.address);
    let of_cookie = if logins.iter().next().is_some() { Way::Cookie } else { Way::Nothing };
    let by_cookie = by_cookie(area, allowed, logins, || address, now).await;
    match (by_cookie, &request.typed) {
        (Ok(Admission::Out(reason)), Some(typed)) => {
            match by_password(area, allowed, typed, address, now).await {
                // The better of the two reasons: a visitor who is logged in and on trial gets that
                // reason.
                Ok(Admission::Out(other))
                    if other == Denial::Login
                        || matches!(reason, Denial::Trial | Denial::Shared) =>
                {
                    (Way::Basic, Ok(Admission::Out(reason)))
                }
                other => (Way::Basic, other),
            }
        }
        (decided, _) => (of_cookie, decided),
    }
}

fn keep_out(
    area: &ThreadArea,
    ask: &Ask,
    request: &PageRequest<'_>,
    reason: Denial,
    logins: &Presented,
) -> Answer {
    let status = match reason {
        Denial::Login | Denial::Idle => Status::LogIn,
        Denial::Trial | Denial::Blocked | Denial::Shared => Status::Denied,
    };
    let body = match ask.challenge {
        Challenge::Basic => Body::Sentence(sentence(reason)),
        Challenge::Page => Body::Page(match reason {
            Denial::Login => Shown::Login(request.visit.not_kept(area, logins, &request.back())),
            Denial::Idle => Shown::Login(LoginMessage::Idle),
            // The visitor may have another account, with a full membership.
            Denial::Trial => Shown::Trial(LoginMessage::Trial),
            Denial::Blocked => Shown::Blocked,
            Denial::Shared => Shown::Shared,
        }),
    };
    Answer {
        status,
        member: None,
        reason: Some(reason),
        is_challenge: ask.challenge == Challenge::Basic && status == Status::LogIn,
        body,
    }
}

/// What visitors read who cancel the browser's prompt, if the operator has no page for that.
fn sentence(reason: Denial) -> &'static str {
    match reason {
        Denial::Login | Denial::Idle => "Please log in with your username and password.",
        Denial::Trial => "This part is for full members.",
        Denial::Shared => {
            "This login was used from too many places. Please try again later, or contact support."
        }
        Denial::Blocked => {
            "There were too many wrong passwords. Please wait a while before the next try."
        }
    }
}
