//! `/members`: the search of members, and the pages of one member.

mod change;
mod member;
mod results;
mod timeline;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};

pub use change::{apply, confirm};
pub use member::member;
pub use results::list;

use super::page::Page;
use crate::chain::chain;
use crate::identity::{Key, MemberId, SiteId};
use crate::ops::session::Signed;

const MENU: &str = "/members";

/// The member whom the parts of an address name.
fn key(site: &str, member: &str) -> Option<Key> {
    Some(Key { site: SiteId::parse(site)?, member: MemberId::parse(member)? })
}

/// The address of a member's page.
fn address(key: Key) -> String {
    format!("{MENU}/{}/{}", key.site, key.member)
}

fn unreadable(
    error: &dyn std::error::Error,
    request: &HttpRequest,
    signed: &Signed,
) -> HttpResponse {
    log::warn!("the console cannot read the members: {}", chain(error));
    Page::unreadable().respond(request, signed)
}

fn no_such_address(request: &HttpRequest, signed: &Signed) -> HttpResponse {
    Page::problem(
        StatusCode::NOT_FOUND,
        "No such page",
        "The address names no member: it has a siteid and a memberid, which are numbers from 1 on. \
         Search for the member.",
    )
    .respond(request, signed)
}
