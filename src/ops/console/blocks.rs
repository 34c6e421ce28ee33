//! `/blocks`: login blocks because of wrong passwords, and members who are blocked because several
//! people seem to use their login. Each can be lifted.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, LOCATION};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use minijinja::{Value, context};

use super::page::{Confirmation, Message, Page, Pages, address, times};
use super::row::is_nothing;
use super::times::Times;
use crate::block::{Block, BlockKind, LoginName, Network, Target};
use crate::chain::chain;
use crate::fields::Fields;
use crate::http::state::ThreadState;
use crate::identity::{Key, MemberId, SiteId};
use crate::login::settings::{SharingAction, SharingConfig};
use crate::member_change::lift::Lift;
use crate::ops::form::Form;
use crate::ops::session::Session;
use crate::ops::signed::Signed;
use crate::shared_use::SharingBlock;
use crate::store::{BlockCursor, BlockPage, Fault, Read};
use crate::unicode::Visible;
use crate::writer::Answer;

const MENU: &str = "/blocks";
/// Login blocks on a page.
const PAGE_BLOCKS: usize = 100;
/// Members who are blocked because of sharing, on the page.
const SHARING_MAX: u32 = 200;

/// What the page shows.
struct Listed {
    blocks: Vec<Block>,
    next: Option<BlockCursor>,
    unreadable: u64,
    sharing: Vec<SharingBlock>,
}

impl Listed {
    fn read(
        read: &dyn Read,
        after: Option<&BlockCursor>,
        rules: &SharingConfig,
        now: i64,
    ) -> Result<Self, Fault> {
        let BlockPage { blocks, unreadable, next } = read.blocks_page(after, now)?;
        let mut blocks: Vec<Block> = blocks.into_iter().map(|(block, _)| block).collect();
        let is_cut = blocks.len() > PAGE_BLOCKS;
        blocks.truncate(PAGE_BLOCKS);
        let next = if is_cut { blocks.last().map(BlockCursor::of) } else { next };
        // One more, which shows that there are more.
        let mut sharing = read.sharing_blocks(now, SHARING_MAX + 1)?;
        sharing.retain(|block| rules.holds(block, now));
        Ok(Self { blocks, next, unreadable, sharing })
    }
}

/// The list.
pub async fn list(
    request: HttpRequest,
    Session(signed): Session,
    state: Data<ThreadState>,
) -> HttpResponse {
    let query = Fields::from_urlencoded(request.query_string().as_bytes());
    let cursor =
        ["kind", "network", "name"].map(|name| query.get(name).unwrap_or_default().to_owned());
    let after = (!cursor[0].is_empty()).then(|| BlockCursor::behind(cursor));
    let done = match query.get("done") {
        Some("lifted") => {
            Some(Message::good("The block is lifted. The service notices it within a second."))
        }
        Some("gone") => {
            Some(Message::neutral("Nothing to do: there is no such block, or it has ended."))
        }
        _ => None,
    };
    let (now, times, is_first) = (state.shared().clock.now(), times(&request), after.is_none());
    let area = Arc::clone(&state.area().shared);
    let read = move |read: &dyn Read| Listed::read(read, after.as_ref(), &area.config.sharing, now);
    let listed = state.reads().read(read).await;
    match listed {
        Ok(listed) => {
            let rule = sharing_rule(&state);
            page(&listed, is_first, rule, &times).message(done).respond(&request, &signed)
        }
        Err(error) => unreadable(&error, &request, &signed),
    }
}

fn unreadable(
    error: &dyn std::error::Error,
    request: &HttpRequest,
    signed: &Signed,
) -> HttpResponse {
    log::warn!("the console cannot read the blocks: {}", chain(error));
    Page::unreadable().respond(request, signed)
}

fn sharing_rule(state: &ThreadState) -> &'static str {
    match state.area().shared.config.sharing.action {
        SharingAction::Off => "Logins are not watched for sharing (--sharing off).",
        SharingAction::Log => "Shared logins are only logged (--sharing log).",
        SharingAction::Block => "Members whose login is shared are blocked (--sharing block).",
    }
}

fn page(listed: &Listed, is_first: bool, sharing_rule: &str, times: &Times) -> Page {
    let blocks: Value = listed.blocks.iter().map(|block| block_row(block, times)).collect();
    let shown = listed.sharing.iter().take(SHARING_MAX as usize);
    let sharing: Value = shown.map(|block| sharing_row(block, times)).collect();
    let has_more = listed.sharing.len() > SHARING_MAX as usize;
    let note = (listed.unreadable > 0)
        .then(|| format!("{} rows cannot be read and are left out.", listed.unreadable));
    let next = listed.next.as_ref().map(|cursor| {
        let [kind, network, name] = cursor.parts();
        address(MENU, &[("kind", kind), ("network", network), ("name", name)])
    });
    let first = (!is_first).then(|| MENU.to_owned());
    let pages = Pages { first, next, next_name: None, note };
    Page::new("blocks.html", "Blocks and sharing").with(context! {
        blocks,
        sharing,
        sharing_rule,
        more_sharing => has_more.then_some(SHARING_MAX),
        pages => pages.value(),
    })
}

fn block_row(block: &Block, times: &Times) -> Value {
    let [kind, network, name] = parts(&block.target);
    let lift = address("/blocks/lift", &[("kind", &kind), ("network", &network), ("name", &name)]);
    context! {
        lift,
        network,
        kind => in_words(block.target.kind()),
        name => Visible(&name).to_string(),
        target => described(&block.target),
        since => times.html(block.since),
        until => times.html(block.until),
    }
}

fn sharing_row(block: &SharingBlock, times: &Times) -> Value {
    let (site, member) = (block.key.site.to_string(), block.key.member.to_string());
    context! {
        why => block.why.sentence(),
        since => times.html(block.since),
        until => times.html(block.until),
        lift => address("/blocks/sharing", &[("site", &site), ("member", &member)]),
        site,
        member,
    }
}

/// Kind, network and name of a target, as they stand in an address.
fn parts(target: &Target) -> [String; 3] {
    let network = target.network().map(|network| network.to_string()).unwrap_or_default();
    let name = target.name().map(|name| name.as_str().to_owned()).unwrap_or_default();
    [target.kind().as_str().to_owned(), network, name]
}

fn in_words(kind: BlockKind) -> &'static str {
    match kind {
        BlockKind::Pair => "one name from one network",
        BlockKind::Network => "a network, for any name",
        BlockKind::Name => "a name, from unknown networks",
    }
}

fn described(target: &Target) -> String {
    let name = target.name().map(|name| format!("the name {}", Visible(name.as_str())));
    let network = target.network().map(|network| format!("the network {network}"));
    name.into_iter().chain(network).collect::<Vec<_>>().join(" and ")
}

/// The target that an address or a form names.
fn target<'f>(get: impl Fn(&str) -> Option<&'f str>) -> Option<Target> {
    let network = match get("network") {
        None => None,
        Some(text) => Some(Network::parse(text)?),
    };
    let kind = BlockKind::parse(get("kind")?)?;
    Target::from_parts(kind, get("name").map(LoginName::new), network)
}

/// The member that an address or a form names.
fn key<'f>(get: impl Fn(&str) -> Option<&'f str>) -> Option<Key> {
    Some(Key { site: SiteId::parse(get("site")?)?, member: MemberId::parse(get("member")?)? })
}

/// The page that asks whether a login block is to be lifted.
pub async fn confirm_lift(request: HttpRequest, Session(signed): Session) -> HttpResponse {
    let query = Fields::from_urlencoded(request.query_string().as_bytes());
    let Some(target) = target(|name| query.get(name)) else { return bad(&request, &signed) };
    let [kind, network, name] = parts(&target);
    let confirmation = Confirmation {
        question: format!(
            "Lift the block of {}? Passwords can then be tried again from there.",
            described(&target)
        ),
        action: "/blocks/lift".into(),
        fields: [("kind", kind), ("network", network), ("name", name)]
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec(),
        button: "Lift the block".into(),
        back: MENU.into(),
        ..Confirmation::default()
    };
    confirmation.page("Lift a login block").respond(&request, &signed)
}

/// The page that asks whether a block because of sharing is to be lifted.
pub async fn confirm_sharing(request: HttpRequest, Session(signed): Session) -> HttpResponse {
    let query = Fields::from_urlencoded(request.query_string().as_bytes());
    let Some(key) = key(|name| query.get(name)) else { return bad(&request, &signed) };
    let (site, member) = (key.site.to_string(), key.member.to_string());
    let confirmation = Confirmation {
        question: format!("Let member {member} of site {site} in again?"),
        action: "/blocks/sharing".into(),
        fields: vec![("site".into(), site), ("member".into(), member)],
        button: "Lift the block".into(),
        back: MENU.into(),
        ..Confirmation::default()
    };
    confirmation.page("Lift a block because of sharing").respond(&request, &signed)
}

fn bad(request: &HttpRequest, signed: &Signed) -> HttpResponse {
    Page::problem(
        StatusCode::BAD_REQUEST,
        "No such block",
        "The address or the form names no block. Begin again with the list of blocks.",
    )
    .respond(request, signed)
}

/// Lifts a login block.
pub async fn lift(request: HttpRequest, form: Form, state: Data<ThreadState>) -> HttpResponse {
    let fields = form.fields();
    let Some(target) = target(|name| fields.get(name)) else { return bad(&request, &form.signed) };
    let now = state.shared().clock.now();
    let wanted = target.clone();
    let found = state.reads().read(move |read| block_of(read, &wanted, now)).await;
    match found {
        Ok(None) => done("gone"),
        Ok(Some(block)) => {
            let lift = Lift::of_block(block, Some(&form.signed.operator));
            answered(&state.shared().writer.lift(lift).await, &request, &form.signed)
        }
        Err(error) => unreadable(&error, &request, &form.signed),
    }
}

/// Lifts a block because of sharing.
pub async fn lift_sharing(
    request: HttpRequest,
    form: Form,
    state: Data<ThreadState>,
) -> HttpResponse {
    let fields = form.fields();
    let Some(key) = key(|name| fields.get(name)) else { return bad(&request, &form.signed) };
    let lift = Lift::of_member(key, None, Vec::new(), Some(&form.signed.operator));
    answered(&state.shared().writer.lift(lift).await, &request, &form.signed)
}

/// The block with this target, if it is in force.
fn block_of(read: &dyn Read, target: &Target, now: i64) -> Result<Option<Block>, Fault> {
    let blocks = match target {
        Target::Pair(name, _) | Target::Name(name) => read.blocks_of(name, now)?,
        Target::Network(network) => {
            read.block_of_network(&network.to_string(), now)?.into_iter().collect()
        }
    };
    Ok(blocks.into_iter().find(|block| block.target == *target))
}

fn answered(answer: &Answer, request: &HttpRequest, signed: &Signed) -> HttpResponse {
    match answer {
        Answer::Reply(reply) if is_nothing(reply) => done("gone"),
        Answer::Reply(_) => done("lifted"),
        Answer::Unavailable | Answer::OutcomeUnknown => Page::problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "Not lifted",
            "The database cannot be written now. Look at the list of blocks, and try again.",
        )
        .respond(request, signed),
    }
}

/// Back to the list, which says what was done.
fn done(word: &str) -> HttpResponse {
    let mut response = HttpResponse::new(StatusCode::SEE_OTHER);
    if let Ok(address) = HeaderValue::from_str(&format!("{MENU}?done={word}")) {
        response.headers_mut().insert(LOCATION, address);
    }
    response
}
