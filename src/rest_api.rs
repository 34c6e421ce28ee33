//! The REST API for authstrings, without HTTP: which key may request what, which member the query
//! identifies, and the source of the authstring.

use std::net::IpAddr;

use serde::Deserialize;
use serde_json::json;
use subtle::ConstantTimeEq as _;

use crate::authstring::keys::{ApiKey, ApiKeys};
use crate::authstring::query::StringQuery;
use crate::authstring::stand_in::StandIn;
use crate::authstring::{AuthString, Lookup, Plus, Resource, Session};
use crate::clock::Clock;
use crate::identity::{Key, MemberId, SiteId, Username};
use crate::logging::limit::Interval;
use crate::login::members::{Members, Undecided};
use crate::nats_client::Error;
use crate::nats_client::relay::{Relay, Unanswered};
use crate::reply::{Found, Refusal};
use crate::store::LoginRow;

const NO_KEY: &str = "api-key, api-username: expected both headers, once each, with a key that is \
                      set with --api-key or --api-key-file";
const NO_SOURCE: &str = "there are no authstrings here: start the service with --nats-url, or with \
                         --stand-in while you develop";
const TO_REDEEM_EXPECTED: &str =
    "expected JSON as in {\"authstring\":\"877ae8d2c00e617d443643326bb848e2\"}";
/// Seconds between two lines of one kind.
const LOG_EVERY_SECONDS: i64 = 60;

/// Why a request fails. The text is for the caller, who is a developer.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The key is missing or wrong.
    #[error("{NO_KEY}")]
    NoKey,
    /// The key is not valid from this address, or for this site.
    #[error("{0}")]
    NotAllowed(String),
    /// The parameters are wrong.
    #[error("{}", .0.reply().sentence())]
    Refused(Refusal),
    /// Neither NATS nor a stand-in is configured.
    #[error("{NO_SOURCE}")]
    NoSource,
    /// No such authstring can be redeemed.
    #[error("{0}")]
    NotFound(&'static str),
    /// NATS did not answer.
    #[error(transparent)]
    Unanswered(Unanswered),
    /// The database cannot be read, or the system gives no random bytes. Both are logged.
    #[error("temporarily unavailable, try again in a moment")]
    Unavailable,
}

impl From<Undecided> for ApiError {
    fn from(Undecided: Undecided) -> Self {
        Self::Unavailable
    }
}

/// Limits the lines about requests. Shared by all threads.
#[derive(Debug)]
pub struct ApiLog {
    refused: Interval,
    timed_out: Interval,
    unreachable: Interval,
    wrong: Interval,
    busy: Interval,
    empty: Interval,
}

impl Default for ApiLog {
    fn default() -> Self {
        let interval = || Interval::new(LOG_EVERY_SECONDS);
        Self {
            refused: interval(),
            timed_out: interval(),
            unreachable: interval(),
            wrong: interval(),
            busy: interval(),
            empty: interval(),
        }
    }
}

impl ApiLog {
    fn of(&self, unanswered: &Unanswered) -> &Interval {
        match unanswered {
            Unanswered::Nats(Error::TimedOut) => &self.timed_out,
            Unanswered::Nats(Error::Unreachable(_) | Error::NoTls | Error::Tls(_)) => {
                &self.unreachable
            }
            Unanswered::Nats(Error::Wrong(_)) => &self.wrong,
            Unanswered::Busy | Unanswered::Lost => &self.busy,
        }
    }
}

/// The key that a caller sent, if it is valid from this address.
///
/// # Errors
///
/// If it is no key, or not valid from there.
pub fn authenticate<'a>(
    keys: &'a ApiKeys,
    username: &[u8],
    key: &[u8],
    address: IpAddr,
    log: &ApiLog,
    now: i64,
) -> Result<&'a ApiKey, ApiError> {
    let log_refused = |why: &str| {
        if log.refused.is_due(now) {
            log::warn!("a call of /api from {address} was refused: {why}");
        }
    };
    let Some(key) = keys.find(username, key) else {
        log_refused("api-key or api-username is missing or wrong");
        return Err(ApiError::NoKey);
    };
    if !key.is_valid_from(address) {
        log_refused("its key is limited to other addresses");
        return Err(ApiError::NotAllowed(format!("address: this key is not good from {address}")));
    }
    Ok(key)
}

/// The source of authstrings.
#[derive(Clone, Copy, Debug)]
pub enum Strings<'a> {
    /// NATS.
    Nats(&'a Relay),
    /// The stand-in of this service.
    StandIn(&'a StandIn),
    /// No source is configured.
    None,
}

/// One request, whose key is known.
#[derive(Debug)]
pub struct ApiRequest<'a> {
    /// The key that the caller has shown.
    pub key: &'a ApiKey,
    /// The source of authstrings.
    pub strings: Strings<'a>,
    /// Reads members.
    pub members: &'a Members,
    /// The time.
    pub clock: &'a Clock,
    /// Limits log lines.
    pub log: &'a ApiLog,
}

impl ApiRequest<'_> {
    /// The authstring for a query; `None` if the query identifies no active member or NATS has
    /// none.
    ///
    /// # Errors
    ///
    /// See [`ApiError`].
    pub async fn authstring(&self, question: &StringQuery) -> Result<Option<AuthString>, ApiError> {
        if let Strings::None = self.strings {
            return Err(ApiError::NoSource);
        }
        let Some(meant) = self.find(question, self.clock.now()).await? else {
            log::debug!("authstring: empty, no active member is meant");
            return Ok(None);
        };
        // By the member who was found here, so that NATS means the same one.
        let lookup = match meant.username {
            Some(username) => Lookup::Site { username, site: meant.key.site },
            None => question.lookup.clone(),
        };
        let issuer = Issuer { strings: self.strings, clock: self.clock, log: self.log };
        issuer.issue(question.resource, lookup, meant.key).await
    }

    /// The active member whom the query identifies as of `now`, if there is one.
    async fn find(&self, question: &StringQuery, now: i64) -> Result<Option<Meant>, ApiError> {
        let (username, parameter, sites) = match &question.lookup {
            Lookup::Session { member, session } if question.active => {
                let found = self.by_session(*member, session, now).await?;
                return Ok(found.map(|key| Meant { key, username: None }));
            }
            Lookup::Session { .. } => return Ok(None),
            Lookup::Site { username, site } => (username, "siteid", std::slice::from_ref(site)),
            Lookup::Sites { username, sites } => (username, "siteids", sites.as_slice()),
        };
        // All sites, and before anything is read, so that the answer does not depend on the name.
        sites.iter().try_for_each(|&site| self.check_site(site, parameter))?;
        if !question.active {
            return Ok(None);
        }
        let rows = self.members.logins_by_name(sites, username, now).await?;
        let found = rows.into_iter().next();
        Ok(found.map(|row| Meant { key: row.key, username: Some(row.username) }))
    }

    /// To NATS a memberid is one member, who can have a row on several sites. All rows are
    /// compared, in constant time.
    async fn by_session(
        &self,
        member: MemberId,
        session: &Session,
        now: i64,
    ) -> Result<Option<Key>, ApiError> {
        let presented = session.hash();
        let rows = self.members.read(move |reader| reader.sessions(member, now)).await?;
        let matching: Vec<SiteId> = rows
            .into_iter()
            .filter(|(_, kept)| bool::from(kept.0.ct_eq(&presented.0)))
            .map(|(site, _)| site)
            .collect();
        match matching.iter().find(|&&site| self.key.is_valid_for(site)).or(matching.first()) {
            None => Ok(None),
            Some(&site) => self.check_site(site, "memberid").map(|()| Some(Key { site, member })),
        }
    }

    /// Whether the key is valid for the site that this parameter leads to.
    fn check_site(&self, site: SiteId, parameter: &str) -> Result<(), ApiError> {
        if self.key.is_valid_for(site) {
            return Ok(());
        }
        if self.log.refused.is_due(self.clock.steady()) {
            log::warn!(
                "a call of /api was refused: the key of {} is not valid for site {site}",
                self.key.username()
            );
        }
        Err(ApiError::NotAllowed(format!("{parameter}: this key is not good for site {site}")))
    }

    /// Redeems an authstring of the stand-in, which is in `body` as JSON. Returns JSON that says
    /// what it was for.
    ///
    /// # Errors
    ///
    /// See [`ApiError`].
    pub async fn redeem(&self, body: &[u8]) -> Result<String, ApiError> {
        let stand_in = match self.strings {
            Strings::None => return Err(ApiError::NoSource),
            Strings::Nats(_) => {
                return Err(ApiError::NotFound(
                    "authstring: NATS redeems its own, only a --stand-in does it here",
                ));
            }
            Strings::StandIn(stand_in) => stand_in,
        };
        // The body may hold a valid authstring, so the error has only its length.
        let wrong = || {
            let found = Found::Secret(body.len());
            let expected = TO_REDEEM_EXPECTED;
            ApiError::Refused(Refusal { parameter: "authstring", expected, found })
        };
        // serde would accept an array for the object, too.
        if !body.trim_ascii_start().starts_with(b"{") {
            return Err(wrong());
        }
        let given: ToRedeem = serde_json::from_slice(body).map_err(|_| wrong())?;
        let now = self.clock.now();
        let unknown = || ApiError::NotFound("authstring: unknown, expired or redeemed already");
        let ticket = stand_in.find(&given.authstring, self.clock.steady()).ok_or_else(unknown)?;
        let Key { site, member } = ticket.key;
        self.check_site(site, "authstring")?;
        let row = self.members.login_row(ticket.key, now).await?;
        let Some(row) = row else {
            return Err(ApiError::NotFound("authstring: its member has left"));
        };
        // Last, so that an authstring is not used up without an answer.
        stand_in.redeem(&given.authstring, self.clock.steady()).ok_or_else(unknown)?;
        log::info!(
            plus = ticket.plus.as_str(), site:% = site, member:% = member;
            "authstring redeemed by the stand-in"
        );
        let answer = json!({
            "type": ticket.plus.as_str(), "siteid": site.get(), "memberid": member.get(),
            "username": row.username.as_str(),
        });
        Ok(answer.to_string())
    }
}

/// Gets authstrings for members who are known.
#[derive(Debug)]
pub struct Issuer<'a> {
    /// The source of authstrings.
    pub strings: Strings<'a>,
    /// The time.
    pub clock: &'a Clock,
    /// Limits log lines.
    pub log: &'a ApiLog,
}

impl Issuer<'_> {
    /// The authstring with which this member becomes a full one; `None` if NATS has none.
    ///
    /// # Errors
    ///
    /// See [`ApiError`].
    pub async fn upgrade(&self, member: &LoginRow) -> Result<Option<AuthString>, ApiError> {
        let resource = Resource::AuthString(Plus::InstantUpgrade);
        let (username, site) = (member.username.clone(), member.key.site);
        self.issue(resource, Lookup::Site { username, site }, member.key).await
    }

    async fn issue(
        &self,
        resource: Resource,
        lookup: Lookup,
        key: Key,
    ) -> Result<Option<AuthString>, ApiError> {
        match self.strings {
            Strings::None => Err(ApiError::NoSource),
            Strings::StandIn(stand_in) => {
                let plus = resource.plus();
                log::info!(
                    plus = plus.as_str(), site:% = key.site, member:% = key.member;
                    "authstring of the stand-in"
                );
                let string = stand_in.issue(plus, key, self.clock.steady());
                string.map(Some).map_err(|error| {
                    log::error!("no random bytes for an authstring: {error}");
                    ApiError::Unavailable
                })
            }
            Strings::Nats(relay) => self.ask_nats(relay, resource, lookup, key).await,
        }
    }

    async fn ask_nats(
        &self,
        relay: &Relay,
        resource: Resource,
        lookup: Lookup,
        Key { site, member }: Key,
    ) -> Result<Option<AuthString>, ApiError> {
        let answer = relay.ask(resource, lookup).await;
        let plus = resource.plus().as_str();
        let now = self.clock.steady();
        match &answer {
            Ok(Some(_)) => {
                log::info!(plus = plus, site:% = site, member:% = member; "authstring of NATS");
            }
            Ok(None) if self.log.empty.is_due(now) => log::warn!(
                plus = plus, site:% = site, member:% = member;
                "NATS has no authstring for a member who is active here"
            ),
            Err(unanswered) if self.log.of(unanswered).is_due(now) => {
                let url = relay.url();
                log::error!(
                    plus = plus, site:% = site, member:% = member;
                    "no authstring from {url}: {unanswered}"
                );
            }
            Ok(None) | Err(_) => {}
        }
        answer.map_err(ApiError::Unanswered)
    }
}

/// The member whom a query identifies.
struct Meant {
    key: Key,
    /// The name as NATS sent it, if the query has a name: NATS compares names by rules of its own.
    username: Option<Username>,
}

/// The body of a redemption.
#[derive(Deserialize)]
struct ToRedeem {
    authstring: String,
}
