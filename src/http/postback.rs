//! `/postback/{token}`: the URL that is pasted into NATS. Authenticated, read whole, parsed, handed
//! to the writer, answered.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use actix_web::http::header::X_FORWARDED_FOR;
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::area::{Area, Undecided};
use super::body;
use super::caller;
use super::connections::Connections;
use super::live::Live;
use super::mistakes::{Mistake, Mistakes};
use super::refused::RefusedLog;
use super::reply;
use crate::action::{Action, Known, Rules, Standing};
use crate::apply::Postback;
use crate::authstring::stand_in::StandIn;
use crate::block::Network;
use crate::clock::{Clock, Reading};
use crate::identity::{Key, SiteId, Username};
use crate::journal::Origin;
use crate::logging::limit::NameLine;
use crate::login::guard::WrongPassword;
use crate::login::unkept::Missing;
use crate::metrics::Metrics;
use crate::network;
use crate::reply::{Refusal, Reply, Word};
use crate::store::{CurrentFile, Fault, LoginRow, Note, Read, ReadError, ReadSource, Reads};
use crate::token::current::Tokens;
use crate::writer::{Answer, Writer};

/// What all threads of the HTTP server share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// Where postbacks go.
    pub writer: Writer,
    /// Counts requests, also those that write nothing.
    pub metrics: Metrics,
    /// What reading one depends on.
    pub rules: Arc<Rules>,
    /// What time it is.
    pub clock: Clock,
    /// The database, to read.
    pub file: CurrentFile,
    /// How threads read it.
    pub reads: ReadSource,
    /// Who may call.
    pub tokens: Tokens,
    /// The settings that may change meanwhile.
    pub live: Live,
    /// Refusals, at a bounded rate.
    pub refused: Arc<RefusedLog>,
    /// Numbers the requests of this process.
    pub requests: Arc<AtomicU64>,
    /// Names this process in request ids: the second of its start, in hexadecimal.
    pub run: Arc<str>,
    /// Set when the service ends: new postbacks get 503 and the connection closes.
    pub stopping: Arc<AtomicBool>,
    /// Postbacks that were accepted and not answered yet.
    pub in_flight: Arc<AtomicUsize>,
    /// Connections, of all threads.
    pub connections: Arc<Connections>,
    /// The members area.
    pub area: Arc<Area>,
    /// Scheme and host of `--public-url`, from which the login form may come.
    pub public_origin: Option<Arc<str>>,
    /// Makes authstrings, if they come from ourselves.
    pub stand_in: Option<Arc<StandIn>>,
    /// Mistakes around logins and the REST API, at a bounded rate.
    pub mistakes: Arc<Mistakes>,
}

/// Counts a postback as under way for as long as it lives, also where the caller hangs up.
pub(super) struct InFlight<'a>(&'a AtomicUsize);

impl<'a> InFlight<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What one thread has: the shared part, and a read-only connection of its own.
#[derive(Debug)]
pub struct Desk {
    shared: Shared,
    reads: Reads,
}

impl Desk {
    /// For one thread of the server.
    pub fn new(shared: Shared) -> Self {
        let reads = Reads::new(&shared.reads);
        Self { shared, reads }
    }

    /// The shared part.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The members area.
    pub(super) fn area(&self) -> &Area {
        &self.shared.area
    }

    /// Looks something up for a login. What keeps it from that is logged, at a bounded rate:
    /// visitors come by the thousand.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&dyn Read) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Undecided> {
        self.reads.read(job).await.map_err(|error| {
            if let ReadError::Fault(error) = error {
                self.shared.mistakes.say(Mistake::CannotRead, self.shared.clock.steady(), || {
                    log::error!("members cannot be looked up: {error}");
                });
            }
            Undecided
        })
    }

    /// A row that cannot be read is no row: logged, and no reason to refuse whoever has another
    /// one.
    pub(super) fn readable<T: Default>(&self, found: Result<T, Fault>) -> T {
        found.unwrap_or_else(|fault| {
            self.unreadable(&fault);
            T::default()
        })
    }

    /// Logs a row that cannot be read.
    pub(super) fn unreadable(&self, fault: &Fault) {
        let line = || log::error!("a member cannot log in: {fault}");
        self.shared.mistakes.say(Mistake::BadRow, self.shared.clock.steady(), line);
    }

    /// The rows that a login with this name is checked against.
    pub(super) async fn logins_by_name(
        &self,
        sites: &[SiteId],
        name: &Username,
        now: i64,
    ) -> Result<Vec<LoginRow>, Undecided> {
        let (sites, name) = (sites.to_vec(), name.clone());
        let found = self.read(move |reader| reader.logins_by_name(&sites, &name, now)).await?;
        found.unreadable.iter().for_each(|fault| self.unreadable(fault));
        Ok(found.rows)
    }

    /// Counts a request as under way: the service ends when it is answered.
    pub(super) fn under_way(&self) -> InFlight<'_> {
        InFlight::new(&self.shared.in_flight)
    }

    /// A site's configuration asks for something that cannot be.
    pub(super) fn asked_wrongly(&self, address: &str, wrong: &Refusal) {
        let line = || log::warn!("{address} was asked wrongly: {}", wrong.reply().sentence());
        self.shared.mistakes.say(Mistake::AskedWrongly, self.shared.clock.steady(), line);
    }

    /// A login was given at a host that is under none of the domains of `--cookie-domain`: said
    /// once per host.
    pub(super) fn outside_cookie_domains(&self, host: &str) {
        match self.shared.area.outside_domains.line(host) {
            Some(NameLine::Name) => log::warn!(
                host = host;
                "logins at this host are not shared: it is under no --cookie-domain; \
                 add its domain, or let the proxy pass on the visitor's Host header"
            ),
            Some(NameLine::NoFurtherNames) => log::warn!(
                host = host;
                "logins at this host are not shared: it is under no --cookie-domain; \
                 further hosts outside of all --cookie-domain are not logged"
            ),
            None => {}
        }
    }

    /// A browser that was just given the login cookie came without it.
    pub(super) fn login_not_kept(&self, missing: Missing, host: &str, address: IpAddr) {
        let why = match missing {
            Missing::ByHttp => {
                "it came by http, where browsers keep no such cookie: let the web server redirect http to https"
            }
            Missing::Unknown => {
                "it is open by http, or blocks cookies, or the proxy does not hand on Cookie and Set-Cookie"
            }
        };
        self.shared.mistakes.say(Mistake::LoginNotKept, self.shared.clock.steady(), || {
            log::warn!(host = host, address:% = address; "a browser did not keep the login: {why}");
        });
    }

    /// One request has logins of two members of a site in different cookies; the first was taken.
    pub(super) fn two_members(&self, taken: Key, other: Key, address: IpAddr) {
        let count = self.shared.area.rivals.fetch_add(1, Ordering::Relaxed) + 1;
        self.shared.mistakes.say(Mistake::Rivals, self.shared.clock.steady(), || {
            log::warn!(
                site:% = taken.site, member:% = taken.member, other:% = other.member, address:% = address, count = count;
                "a browser has logins of two members of one site in different cookies, and the first counts: a host that \
                 shares the cookie may have set the other one"
            );
        });
    }

    /// A new login was given, and the one before it in this browser could not be ended.
    pub(super) fn session_not_ended(&self) {
        self.shared.mistakes.say(Mistake::SessionNotEnded, self.shared.clock.steady(), || {
            log::warn!(
                "a browser logged in anew, and its login before could not be ended: a copy of its cookie stays good until it ends"
            );
        });
    }

    /// Whether a member has logged in from a network before. Not, where that cannot be read; the
    /// log says why.
    pub(super) async fn is_known(&self, member: Key, network: Network) -> bool {
        let known = &self.shared.area.known;
        known.remembers(member, network) || {
            let id = known.id(member, network);
            self.read(move |reader| reader.is_known_network(&id)).await.unwrap_or(false)
        }
    }

    /// A member has logged in with the password: the network is known from here on.
    pub(super) fn logged_in_from(&self, member: Key, network: Network, now: i64) {
        let area = &self.shared.area;
        // While all visitors look alike it would be everybody's.
        if area.guard.is_exempt(network) {
            return;
        }
        if let Some(known) = area.known.opened(member, network, now)
            && !self.shared.writer.note(Note::Known(known))
        {
            area.known.was_not_written(member, network);
        }
    }

    /// Counts a wrong password. A block that begins with it holds at once; it is logged and written
    /// down a moment later.
    pub(super) fn count_wrong(&self, wrong: &WrongPassword<'_>, now: Reading) {
        let network = wrong.network;
        if self.shared.area.guard.is_exempt(network) {
            self.shared.mistakes.say(Mistake::Uncounted, now.steady, || {
                log::warn!("a wrong password from {network} was not counted: list your proxy with --trusted-proxy, so that guessers can be told apart");
            });
        }
        self.shared.area.guard.wrong(wrong, now);
    }

    /// Who sent this.
    pub(super) fn caller(&self, request: &HttpRequest) -> IpAddr {
        let peer =
            request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip());
        let lines = request.headers().get_all(X_FORWARDED_FOR).map(|value| value.as_bytes());
        let caller = caller::caller(peer, lines, &self.shared.live.look().proxies);
        if caller.ignored_header {
            self.shared.refused.unlisted_proxy(caller.address);
        }
        caller.address
    }

    /// Whether a listed proxy sent this.
    pub(super) fn is_behind_proxy(&self, request: &HttpRequest) -> bool {
        let peer = request.peer_addr().map(|address| network::normalise(address.ip()));
        peer.is_some_and(|peer| network::contains(&self.shared.live.look().proxies.0, peer))
    }

    fn is_allowed(&self, address: IpAddr, token: &str) -> bool {
        let allowed = &self.shared.live.look().allowed;
        let from_here = allowed.is_empty() || network::contains(allowed, address);
        // Both are looked at in any case, so that the time does not tell which was wrong.
        let with_token = self.shared.tokens.contain(token);
        from_here & with_token
    }

    /// Answers a CHECK from the committed state.
    async fn check(&self, postback: Postback) -> Result<Reply, ReadError> {
        self.shared.metrics.count_request();
        let now = self.shared.clock.now();
        self.reads.read(move |reader| read_check(reader, &postback, now)).await
    }
}

/// The one question of a CHECK, and the same decision as everywhere.
fn read_check(reader: &dyn Read, postback: &Postback, now: i64) -> Result<Reply, Fault> {
    let action = match &postback.action {
        Ok(action) => action,
        Err(refusal) => return Ok(refusal.reply()),
    };
    let holder = match action.wanted() {
        Some((site, name)) => reader.holder(site, name, now)?,
        None => None,
    };
    Ok(action
        .decide(
            &Known { standing: &Standing::Unknown, holder, namesake: None, was_done: false },
            now,
        )
        .reply)
}

/// What stands in the path where the token belongs, possibly nothing; `None` for a path that is
/// none of ours.
fn token(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/postback")?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix('/') }
}

/// The handler of `/postback/{token}`, for every method.
pub async fn receive(request: HttpRequest, payload: Payload, desk: Data<Desk>) -> HttpResponse {
    let began = Instant::now();
    let shared = desk.shared();
    let Some(token) = token(request.path()) else { return HttpResponse::NotFound().finish() };
    let address = desk.caller(&request);
    if !desk.is_allowed(address, token) {
        shared.refused.refused(address, shared.clock.steady());
        return reply::not_authorised();
    }
    if !matches!(*request.method(), Method::GET | Method::POST) {
        return reply::method_not_allowed();
    }
    // Counted before the flag is looked at: whoever sets the flag and then sees a count of 0 has
    // missed nobody.
    let _under_way = InFlight::new(&shared.in_flight);
    if shared.stopping.load(Ordering::SeqCst) {
        return reply::unavailable();
    }
    let read = if *request.method() == Method::POST {
        body::read(&request, payload).await
    } else {
        Ok(actix_web::web::Bytes::new())
    };
    let body = match read {
        Ok(body) => body,
        Err(unread) => {
            log::warn!("a postback from {address} was not read whole: {}", reply::why(unread));
            return reply::unread(unread);
        }
    };
    let postback = parse(&request, &body, shared, address);
    let entry = Entry::new(&postback, shared);
    let (status, response) = answer(&desk, postback).await;
    entry.log(&response, status, began);
    reply::line(status, response)
}

fn parse(
    request: &HttpRequest,
    body: &actix_web::web::Bytes,
    shared: &Shared,
    address: IpAddr,
) -> Postback {
    let said = body::fields(request, body);
    let (mut postback, ignored) =
        Postback::read(&said.fields, &shared.rules, Origin::Nats, Some(address));
    postback.log_passed_over(&ignored);
    if let Some(what) = said.no_form {
        if said.fields.get("action").is_none() {
            let expected = "expected application/x-www-form-urlencoded or multipart/form-data";
            postback.action = Err(Refusal::malformed("body", expected, &what));
        }
        if !postback.heard.fields.is_empty() {
            postback.heard.fields.push('&');
        }
        postback.heard.fields.push_str(&what);
    }
    postback
}

async fn answer(desk: &Desk, postback: Postback) -> (StatusCode, Reply) {
    if postback.is_check() {
        return match desk.check(postback).await {
            Ok(reply) => (StatusCode::OK, reply),
            Err(error) => {
                if let ReadError::Fault(error) = error {
                    log::error!("a CHECK could not be read: {error}");
                }
                (StatusCode::SERVICE_UNAVAILABLE, reply::nothing_changed())
            }
        };
    }
    match desk.shared().writer.submit(postback).await {
        Answer::Reply(reply) => (StatusCode::OK, reply),
        Answer::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, reply::nothing_changed()),
        Answer::OutcomeUnknown => (StatusCode::SERVICE_UNAVAILABLE, reply::outcome_unknown()),
    }
}

/// What the log says of one postback. Taken before the postback is handed over.
struct Entry {
    id: String,
    action: &'static str,
    site: Option<crate::identity::SiteId>,
    member: Option<crate::identity::MemberId>,
    username: Option<String>,
    unfit_for_basic: bool,
}

impl Entry {
    fn new(postback: &Postback, shared: &Shared) -> Self {
        let number = shared.requests.fetch_add(1, Ordering::Relaxed);
        let heard = &postback.heard;
        Self {
            id: format!("{}-{number}", shared.run),
            action: heard.action.or(postback.action.as_ref().ok().map(Action::name)).unwrap_or("-"),
            site: heard.site,
            member: heard.member,
            username: heard.username.as_ref().map(|name| name.as_str().to_owned()),
            unfit_for_basic: postback.gives_name_unfit_for_basic(),
        }
    }

    fn log(&self, reply: &Reply, status: StatusCode, began: Instant) {
        if self.unfit_for_basic && reply.word() == Word::Ok {
            Postback::log_unfit_for_basic(self.site, self.member);
        }
        log::info!(
            id = self.id.as_str(), action = self.action, site:% = Shown(self.site), member:% = Shown(self.member),
            username = self.username.as_deref().unwrap_or("-"), status = status.as_u16(), reply = reply.as_str(),
            us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
            "postback"
        );
    }
}

/// A value, or `-`.
struct Shown<T>(Option<T>);

impl<T: std::fmt::Display> std::fmt::Display for Shown<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("-"),
        }
    }
}
