//! `/members`: the search field and what it finds.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use minijinja::{Value, context};

use super::{address, unreadable};
use crate::fields::Fields;
use crate::http::state::ThreadState;
use crate::identity::{ID_EXPECTED, SiteId};
use crate::member_view::search::{RESULTS_MAX, Results, SEARCH_BYTES_MAX, search};
use crate::ops::console::page::{self, Page, times};
use crate::ops::console::times::Times;
use crate::ops::session::Session;
use crate::store::{FoundMember, FoundState, Read};
use crate::unicode::Visible;

/// The handler.
pub async fn list(
    request: HttpRequest,
    Session(signed): Session,
    state: Data<ThreadState>,
) -> HttpResponse {
    let query = Fields::from_urlencoded(request.query_string().as_bytes());
    let (text, typed_site) = (query.get("q").unwrap_or_default(), query.get("site"));
    let text = text.trim().to_owned();
    let site = typed_site.map(str::trim).filter(|site| !site.is_empty()).map(SiteId::parse);
    let asked = context! { q => text.clone(), site => typed_site.unwrap_or_default() };
    let whole = |more: Value| {
        let context = context! { ..more, ..asked };
        Page::new("members.html", "Members").with(context)
    };
    if site == Some(None) {
        let why = format!("Site: {ID_EXPECTED}.");
        return whole(context! { why }).respond(&request, &signed);
    }
    if text.is_empty() {
        return whole(context! {}).respond(&request, &signed);
    }
    if text.len() > SEARCH_BYTES_MAX {
        let why = format!(
            "This is too long: no name and no address has more than {SEARCH_BYTES_MAX} bytes."
        );
        return whole(context! { why }).respond(&request, &signed);
    }
    let (now, times) = (state.shared().clock.now(), times(&request));
    let (wanted, wants_emails) = (text.clone(), query.get("emails").is_some());
    let find = move |read: &dyn Read| search(read, &wanted, site.flatten(), wants_emails, now);
    match state.reads().read(find).await {
        Ok(found) => {
            let site = typed_site.unwrap_or_default();
            let pairs = [("q", text.as_str()), ("site", site), ("emails", "1")];
            let emails = (!found.has_emails).then(|| page::address("/members", &pairs));
            whole(context! { emails, ..shown(&found, &times) }).respond(&request, &signed)
        }
        Err(error) => unreadable(&error, &request, &signed),
    }
}

fn shown(Results { found, exact, has_more, .. }: &Results, times: &Times) -> Value {
    let only = if *exact == 1 { found.first() } else { None };
    let only = only.map(|person| {
        let name = Visible(person.username.as_str()).to_string();
        let (site, member) = (person.key.site.to_string(), person.key.member.to_string());
        context! { address => address(person.key), name, site, member }
    });
    let rows: Value = found.iter().map(|person| row(person, times)).collect();
    let more = has_more.then_some(RESULTS_MAX);
    context! { is_searched => true, only, rows, more, count => found.len() }
}

fn row(person: &FoundMember, times: &Times) -> Value {
    let (word, class, since, expiry) = match person.state {
        FoundState::Here(expiry) => ("member", "good", None, expiry),
        FoundState::Former(reason, since) => (reason.as_str(), "", Some(since), None),
    };
    context! {
        address => address(person.key),
        site => person.key.site.to_string(),
        member => person.key.member.to_string(),
        name => Visible(person.username.as_str()).to_string(),
        email => person.email.as_deref().map_or_else(|| "–".into(), |it| Visible(it).to_string()),
        trial => if person.trial { "yes" } else { "no" },
        word,
        class,
        since => since.map(|since| times.html(since)),
        expiry => times.html_or_none(expiry),
    }
}
