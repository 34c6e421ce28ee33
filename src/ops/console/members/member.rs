//! `/members/{site}/{memberid}`: one member, whether they get in, and their history.

use std::sync::Arc;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use minijinja::{Value, context};

use super::{address, key, no_such_address, timeline, unreadable};
use crate::action::Standing;
use crate::fields::Fields;
use crate::http::state::ThreadState;
use crate::identity::Key;
use crate::login::settings::SharingConfig;
use crate::member_view::profile::Profile;
use crate::member_view::timeline::{Cursor, Page as Entries, page as read_entries};
use crate::ops::console::page::{Message, Page, Pages, times};
use crate::ops::console::row::form;
use crate::ops::console::row::is_nothing;
use crate::ops::console::times::Times;
use crate::ops::session::Session;
use crate::reply::{Reply, Word};
use crate::shared_use::MemberNetwork;
use crate::store::{Fault, Read, StoredRecord};
use crate::unicode::Visible;

/// The networks that are shown.
const NETWORKS_MAX: usize = 10;

/// What the page shows.
struct Shown {
    profile: Profile,
    entries: Entries,
    /// The record that the address names.
    done: Option<StoredRecord>,
}

impl Shown {
    fn read(
        read: &dyn Read,
        key: Key,
        after: Cursor,
        done: Option<i64>,
        rules: &SharingConfig,
        now: i64,
    ) -> Result<Self, Fault> {
        let profile = Profile::read(read, key, Some(rules), now)?;
        let blocks = profile.all_blocks();
        let entries = read_entries(read, key, after, &blocks, profile.sharing.as_ref())?;
        let wanted = done;
        let done = match wanted {
            Some(id) => read.last_records(key, id.saturating_add(1), 1)?.pop(),
            None => None,
        };
        let done = done.and_then(Result::ok).filter(|record| Some(record.id) == wanted);
        Ok(Self { profile, entries, done })
    }
}

/// The handler.
pub async fn member(
    path: Path<(String, String)>,
    request: HttpRequest,
    Session(signed): Session,
    state: Data<ThreadState>,
) -> HttpResponse {
    let Some(key) = key(&path.0, &path.1) else { return no_such_address(&request, &signed) };
    let query = Fields::from_urlencoded(request.query_string().as_bytes());
    // Another text begins at the newest entry.
    let after = query.get("before").and_then(Cursor::parse).unwrap_or(Cursor::NEWEST);
    let done = query.get("record").and_then(|id| id.parse().ok()).filter(|&id: &i64| id > 0);
    let (now, times) = (state.shared().clock.now(), times(&request));
    let area = Arc::clone(&state.area().shared);
    let shown =
        move |read: &dyn Read| Shown::read(read, key, after, done, &area.config.sharing, now);
    match state.reads().read(shown).await {
        Ok(shown) => {
            let done =
                shown.done.as_ref().and_then(|record| told(record, signed.operator.as_str()));
            page(&shown, after, &times).message(done).respond(&request, &signed)
        }
        Err(error) => unreadable(&error, &request, &signed),
    }
}

/// What was answered to a change of this operator. It is read from the journal, so that no address
/// can make the page say something.
fn told(record: &StoredRecord, operator: &str) -> Option<Message> {
    if record.operator.as_deref() != Some(operator) {
        return None;
    }
    let reply = Reply::from_line(&record.reply)?;
    let sentence = format!("{}.", reply.sentence());
    Some(match reply.word() {
        Word::Ok if is_nothing(&reply) => Message::neutral(format!("Nothing to do: {sentence}")),
        Word::Ok => Message::good(format!("Done: {sentence}")),
        Word::NotOk | Word::Error => Message::bad(format!("Not done: {sentence}")),
    })
}

fn page(Shown { profile, entries, .. }: &Shown, after: Cursor, times: &Times) -> Page {
    let Key { site, member } = profile.key;
    let title = match profile.username() {
        Some(name) => format!("{} – member {member} of site {site}", Visible(name.as_str())),
        None => format!("Member {member} of site {site}"),
    };
    let own = address(profile.key);
    let pages = Pages {
        first: (after != Cursor::NEWEST).then(|| own.clone()),
        next: entries.next.map(|next| format!("{own}?before={next}")),
        next_name: Some("Earlier".into()),
        note: None,
    };
    let rows: Value = entries.entries.iter().map(|entry| timeline::row(entry, times)).collect();
    let is_nothing = matches!(profile.standing, Standing::Unknown) && entries.entries.is_empty();
    Page::new("member.html", title).with(context! {
        site => site.to_string(),
        member => member.to_string(),
        state => state_of(profile, times),
        explanation => profile.explanation(&|at| times.text(at)),
        notes => notes(profile, is_nothing && after == Cursor::NEWEST),
        facts => facts(profile, times),
        networks => networks(&profile.networks, times),
        changes => changes(profile, &own),
        rows,
        pages => pages.value(),
    })
}

fn state_of(profile: &Profile, times: &Times) -> Value {
    let (word, class, since) = match &profile.standing {
        Standing::Here(_) if profile.is_blocked() => ("member, blocked", "bad", None),
        Standing::Here(_) => ("member", "good", None),
        Standing::Lapsed(row) => ("expired", "warn", row.expire_at),
        Standing::Former(former) => (former.reason.as_str(), "warn", Some(former.ended_at)),
        Standing::Unknown => ("unknown", "warn", None),
    };
    context! { word, class, since => since.map(|since| times.html(since)) }
}

/// What an operator should know who does not know the program.
fn notes(profile: &Profile, is_nothing: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if is_nothing {
        notes.push(
            "Nothing is stored about this memberid on this site. Either they were never a member \
             of it, or everything about them was forgotten, or the siteid is another one."
                .to_owned(),
        );
    }
    if profile.key.member.is_provisional() {
        notes.push(
            "The memberid is provisional: an import had none. The first postback of NATS with \
             this name brings the real one, and the history before it stays here."
                .to_owned(),
        );
    }
    if let Standing::Lapsed(_) = profile.standing {
        notes.push(
            "Their time is over by a clock that may be wrong. The row stays until the clock is \
             confirmed; they cannot log in meanwhile."
                .to_owned(),
        );
    }
    if !profile.network_blocks.is_empty() {
        let networks = profile.network_blocks.iter().filter_map(|block| block.target.network());
        let all: Vec<String> = networks.map(|network| network.to_string()).collect();
        notes.push(format!(
            "A network from which they lately tried to log in is blocked for every name: {}.",
            all.join(", ")
        ));
    }
    notes
}

fn facts(profile: &Profile, times: &Times) -> Value {
    let Some(row) = profile.row() else { return Value::from(Vec::<Value>::new()) };
    let text = |text: &Option<String>| {
        text.as_deref().map_or_else(|| "–".into(), |text| Visible(text).to_string())
    };
    let moment = |at: Option<i64>| times.html_or_none(at.filter(|&at| at != 0));
    let expiry = row.expire_at.map_or_else(|| Value::from("none"), |at| times.html(at));
    let facts = [
        ("Name", Value::from(Visible(row.username.as_str()).to_string())),
        ("E-mail", text(&row.email).into()),
        ("Trial", if row.trial { "yes" } else { "no" }.into()),
        ("Expiry", expiry),
        ("Password", form(&row.credential.stored).into()),
        ("Biller", text(&row.biller).into()),
        ("Joined", moment(row.joined)),
        ("Expires in NATS (ends no login)", moment(row.expires)),
    ];
    facts.into_iter().map(|(name, value)| context! { name, value }).collect()
}

fn networks(networks: &[MemberNetwork], times: &Times) -> Value {
    let shown = networks.iter().take(NETWORKS_MAX);
    shown
        .map(|used| {
            context! {
                network => used.network.clone(),
                country => used.country.clone(),
                first => times.html(used.first_at),
                last => times.html(used.last_at),
            }
        })
        .collect()
}

/// The links to what can be changed now.
fn changes(profile: &Profile, own: &str) -> Value {
    let (is_here, is_former) = (profile.is_here(), profile.is_former());
    let all = [
        ("lift", "Lift the blocks", "second", profile.is_blocked()),
        ("expiry", "New expiry", "second", is_here),
        ("password", "Set a password", "second", is_here),
        ("logout", "End logins", "second", is_here),
        ("restore", "Restore", "second", is_former),
        ("remove", "Remove", "danger", is_here),
    ];
    let shown = all.into_iter().filter(|(.., is_shown)| *is_shown);
    shown
        .map(|(word, name, class, _)| context! { address => format!("{own}/{word}"), name, class })
        .collect()
}
