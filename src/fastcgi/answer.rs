//! The answer to a question, as a CGI program prints it.
//!
//! Of a 200, a web server takes the headers `Variable-NAME` alone, and the page gets them as
//! variables. Any other answer goes to the visitor.

use std::fmt::Write as _;
use std::net::IpAddr;

use actix_web::http::StatusCode;

use super::question::Params;
use crate::http::respond::status_of_answer;
use crate::http::state::ThreadState;
use crate::http::visitor_log::Queried;
use crate::login::ask::Ask;
use crate::login::back::Back;
use crate::login::check::{Answer, Body, CHALLENGE, Told, check};
use crate::login::cookie_domains::host_of;
use crate::login::page::{Facts, Pages, Rendered};
use crate::metrics::{Asker, Outcome, Way};

/// The longest page that Apache passes on: it reads 8 KiB with the end of the head, which takes two
/// bytes.
const PAGE_BYTES_MAX: usize = 8 * 1024 - 2;
/// The longest return address in the short page, so that the whole answer fits into one segment of
/// any network.
const SHORT_BACK_BYTES_MAX: usize = 256;

/// What is printed.
#[derive(Debug, PartialEq, Eq)]
pub struct Printed {
    /// The head, without the empty line at its end.
    pub head: String,
    /// The body: a page, or nothing.
    pub body: String,
}

/// Answers a question of this peer.
pub async fn answer(state: &ThreadState, params: Params<'_>, peer: IpAddr) -> Printed {
    let shared = state.shared();
    let live = shared.live.now();
    let asked = params.question(&live.proxies).and_then(|question| {
        let ask = Ask::parse(question.query)?;
        Ok((ask, question.request))
    });
    let (ask, request) = match asked {
        Ok(asked) => asked,
        Err(wrong) => {
            shared.metrics.count_check(Asker::Fastcgi, Way::Nothing, Outcome::Invalid);
            let now = shared.clock.steady();
            shared.visitor_log.invalid_query(Queried::Authorizer, &wrong, now);
            return refusal(StatusCode::BAD_REQUEST);
        }
    };
    let answer = check(state.area(), Asker::Fastcgi, &ask, &request).await;
    if let Some(member) = &answer.member {
        return let_in(member);
    }
    let mut printed = refusal(status_of_answer(answer.status));
    describe(&mut printed.head, &answer);
    // A sentence is for a web server without pages of its own. Apache would show it as HTML in
    // place of the operator's page.
    if let Body::Page(shown) = answer.body {
        let back = request.back();
        let facts = Facts {
            host: host_of(request.visit.host),
            languages: params.languages(),
            // The button of the upgrade needs a login by cookie.
            can_upgrade: !request.visit.cookies.is_empty(),
            ..Facts::new(shown, &ask, back.as_str())
        };
        let facts = state.with_settings(&live, facts);
        let whole = live.pages.render(&facts);
        show(&mut printed, if fits(&whole, peer) { whole } else { short(&live.pages, &facts) });
    }
    printed
}

fn show(printed: &mut Printed, page: Rendered) {
    let _ = write!(
        printed.head,
        "Content-Type: text/html; charset=utf-8\r\nContent-Security-Policy: {}\r\n\
         Referrer-Policy: same-origin\r\nX-Content-Type-Options: nosniff\r\n",
        page.policy
    );
    printed.body = page.html;
}

/// The answer where too many questions are asked at once.
pub fn busy() -> Printed {
    refusal(StatusCode::SERVICE_UNAVAILABLE)
}

fn refusal(status: StatusCode) -> Printed {
    let retry = if status == StatusCode::SERVICE_UNAVAILABLE { "Retry-After: 5\r\n" } else { "" };
    let head = format!("Status: {status}\r\nCache-Control: no-store\r\n{retry}");
    Printed { head, body: String::new() }
}

fn let_in(member: &Told) -> Printed {
    let Told { id, name, site, .. } = member;
    let trial = u8::from(member.trial);
    let head = format!(
        "Status: 200 OK\r\nVariable-MEMBER_ID: {id}\r\nVariable-MEMBER_NAME: {name}\r\n\
         Variable-MEMBER_SITE: {site}\r\nVariable-MEMBER_TRIAL: {trial}\r\n"
    );
    Printed { head, body: String::new() }
}

fn describe(head: &mut String, answer: &Answer) {
    if answer.is_challenge {
        let _ = write!(head, "WWW-Authenticate: {CHALLENGE}\r\n");
    }
    if let Some(reason) = answer.reason {
        let _ = write!(head, "X-Auth-Reason: {}\r\n", reason.as_str());
    }
}

/// Whether a web server there passes on the whole page. Apache takes one read of it, which has all
/// bytes of the page only if no network is in between.
fn fits(page: &Rendered, peer: IpAddr) -> bool {
    page.html.len() <= PAGE_BYTES_MAX && peer.is_loopback()
}

/// A page that leads to `/login`, and from there to where the visitor wanted to go, unless that
/// address is too long.
fn short(pages: &Pages, facts: &Facts<'_>) -> Rendered {
    let front = Back::default();
    let is_long = facts.back.len() > SHORT_BACK_BYTES_MAX;
    pages.short(&Facts { back: if is_long { front.as_str() } else { facts.back }, ..*facts })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::page::{LoginMessage, Shown};

    fn page(query: &str, back: &str) -> String {
        let ask = Ask::parse(query.as_bytes()).unwrap();
        let facts = Facts::new(Shown::Login(LoginMessage::Nothing), &ask, back);
        short(&Pages::default(), &facts).html
    }

    #[test]
    fn a_short_page_leads_to_the_login_page_and_back() {
        let page = page("site=1,5&trial=no&ask=page", "/a?b=c&d=%20");
        let to = "/login?site=1,5&amp;trial=no&amp;back=%2Fa%3Fb%3Dc%26d%3D%2520";
        assert!(page.contains(&format!("<a href=\"{to}\">Log in</a>")), "{page}");
        assert!(page.contains(&format!("content=\"0; url={to}\">")), "{page}");
    }

    #[test]
    fn a_short_page_stays_short() {
        let back = |length: usize| format!("/{}", "x".repeat(length - 1));
        let longest = page("site=1&trial=no&ask=page", &back(SHORT_BACK_BYTES_MAX));
        assert!(longest.contains(&back(SHORT_BACK_BYTES_MAX)[1..]), "{longest}");
        assert!(longest.len() < 1000, "with the head in one segment: {}", longest.len());
        let longer = page("site=1", &back(SHORT_BACK_BYTES_MAX + 1));
        assert!(longer.contains("&amp;back=%2F\""), "{longer}");
    }

    #[test]
    fn a_page_is_passed_on_whole_within_the_bound_on_one_machine() {
        let (here, there) = ([127, 0, 0, 1].into(), [192, 0, 2, 1].into());
        let page = |length| Rendered { html: "x".repeat(length), policy: String::new() };
        assert!(fits(&page(8190), here) && !fits(&page(8191), here) && !fits(&page(1), there));
    }
}
