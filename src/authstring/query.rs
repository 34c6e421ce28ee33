//! The query of the two resources, with the parameters of TMM's pages.
//!
//! A developer writes such a request, so the error names what is wrong: a parameter that is
//! missing, doubled, malformed or of another combination. Nothing is guessed. Unknown parameters
//! are ignored.

use percent_encoding::percent_decode;

use super::{Lookup, PLUS_EXPECTED, Plus, Resource, SESSION_EXPECTED, Session};
use crate::fields::Fields;
use crate::identity::{
    ID_EXPECTED, MemberId, SITES_EXPECTED, SiteId, Sites, USERNAME_EXPECTED, Username,
};
use crate::reply::{Found, Refusal};

const COMBINATION_EXPECTED: &str = "expected memberid and session, or username and siteid, or \
    username and siteids, and no other of them";
const ONE_EXPECTED: &str = "expected one value, as in siteids=1,2";
const STATUS_EXPECTED: &str = "expected a number, as in 1 for active";
/// The parameters of both resources, to detect arrays.
const NAMES: [&str; 7] = ["type", "memberid", "session", "username", "siteid", "siteids", "status"];
/// NATS's `status` of an active member.
const ACTIVE: &str = "1";

/// A valid query.
#[derive(Clone, Debug)]
pub struct StringQuery {
    /// The kind of authstring.
    pub resource: Resource,
    /// For whom.
    pub lookup: Lookup,
    /// Whether the query is about active members. NATS gives authstrings to no others, so otherwise
    /// the answer is empty.
    pub active: bool,
}

impl StringQuery {
    /// Reads the query of `authstring`, without its `?`.
    ///
    /// # Errors
    ///
    /// Names the first parameter that is missing, doubled, malformed, or of another combination
    /// than the rest.
    pub fn authstring(query: &[u8]) -> Result<Self, Refusal> {
        Self::read(query, |given| {
            let text =
                given.optional("type")?.ok_or_else(|| Refusal::missing("type", PLUS_EXPECTED))?;
            Plus::parse(text)
                .map(Resource::AuthString)
                .ok_or_else(|| Refusal::malformed("type", PLUS_EXPECTED, text))
        })
    }

    /// Reads the query of `tokenrebuystring`, which has no `type`.
    ///
    /// # Errors
    ///
    /// See [`StringQuery::authstring`].
    pub fn tokenrebuystring(query: &[u8]) -> Result<Self, Refusal> {
        Self::read(query, |_| Ok(Resource::TokenRebuyString))
    }

    fn read(
        query: &[u8],
        resource: impl FnOnce(&QueryFields<'_>) -> Result<Resource, Refusal>,
    ) -> Result<Self, Refusal> {
        let fields = Fields::from_urlencoded(query);
        let given = QueryFields(&fields);
        no_array(query)?;
        let resource = resource(&given)?;
        let active = match given.optional("status")? {
            None => true,
            // No number is too long, because every number but 1 gives an empty answer.
            Some(text) if text.bytes().all(|b| b.is_ascii_digit()) => {
                text.trim_start_matches('0') == ACTIVE
            }
            Some(text) => return Err(Refusal::malformed("status", STATUS_EXPECTED, text)),
        };
        Ok(Self { resource, lookup: lookup(&given)?, active })
    }
}

/// Refuses arrays. PHP writes one as `siteids[0]=1`, which is not a field here, so the error would
/// otherwise be that the parameter is missing.
fn no_array(query: &[u8]) -> Result<(), Refusal> {
    for field in query.split(|&b| b == b'&') {
        let name: Vec<u8> =
            percent_decode(field.split(|&b| b == b'=').next().unwrap_or_default()).collect();
        let Some(open) = name.iter().position(|&b| b == b'[') else { continue };
        if let Some(parameter) =
            NAMES.into_iter().find(|parameter| parameter.as_bytes() == &name[..open])
        {
            return Err(Refusal {
                parameter,
                expected: ONE_EXPECTED,
                found: Found::Words("an array".into()),
            });
        }
    }
    Ok(())
}

/// Reads one of the three combinations.
fn lookup(given: &QueryFields<'_>) -> Result<Lookup, Refusal> {
    let (member, session) = (given.optional("memberid")?, given.optional("session")?);
    let (username, site, sites) =
        (given.optional("username")?, given.optional("siteid")?, given.optional("siteids")?);
    if member.is_some() || session.is_some() {
        for (name, value) in [("username", username), ("siteid", site), ("siteids", sites)] {
            if let Some(value) = value {
                return Err(Refusal::malformed(name, COMBINATION_EXPECTED, value));
            }
        }
        let member = member.ok_or_else(|| Refusal::missing("memberid", COMBINATION_EXPECTED))?;
        let session = session.ok_or_else(|| Refusal::missing("session", COMBINATION_EXPECTED))?;
        return Ok(Lookup::Session {
            member: MemberId::parse(member)
                .ok_or_else(|| Refusal::malformed("memberid", ID_EXPECTED, member))?,
            session: Session::parse(session)
                .ok_or_else(|| Refusal::malformed_secret("session", SESSION_EXPECTED, session))?,
        });
    }
    let username = username.ok_or_else(|| Refusal::missing("username", COMBINATION_EXPECTED))?;
    let username = Username::typed(username)
        .ok_or_else(|| Refusal::malformed("username", USERNAME_EXPECTED, username))?;
    match (site, sites) {
        (Some(_), Some(sites)) => Err(Refusal::malformed("siteids", COMBINATION_EXPECTED, sites)),
        (None, None) => Err(Refusal::missing("siteid", COMBINATION_EXPECTED)),
        (Some(site), None) => {
            let site = SiteId::parse(site)
                .ok_or_else(|| Refusal::malformed("siteid", ID_EXPECTED, site))?;
            Ok(Lookup::Site { username, site })
        }
        (None, Some(sites)) => {
            let sites = Sites::parse(sites)
                .ok_or_else(|| Refusal::malformed("siteids", SITES_EXPECTED, sites))?;
            Ok(Lookup::Sites { username, sites })
        }
    }
}

/// The parameters. An empty one counts as not given, because PHP writes an unset variable like
/// that.
struct QueryFields<'a>(&'a Fields<'a>);

impl<'a> QueryFields<'a> {
    fn optional(&self, name: &'static str) -> Result<Option<&'a str>, Refusal> {
        let mut values = self.0.all().filter(|(found, _)| *found == name).map(|(_, value)| value);
        let value = values.next();
        match values.count() {
            0 => Ok(value.filter(|value| !value.is_empty())),
            more => Err(Refusal {
                parameter: name,
                expected: ONE_EXPECTED,
                found: Found::Words(format!("{} of them", more + 1)),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The query in one line, for the log. A session is shown as its length.
    fn read(query: &str) -> String {
        let question = match StringQuery::authstring(query.as_bytes()) {
            Ok(question) => question,
            Err(refusal) => return refusal.reply().sentence().to_owned(),
        };
        let who = match &question.lookup {
            Lookup::Session { member, session } => {
                format!("member {member}, session of {} bytes", session.expose().len())
            }
            Lookup::Site { username, site } => format!("{username} on {site}"),
            Lookup::Sites { username, sites } => format!("{username} on one of {sites}"),
        };
        format!(
            "{} {who}{}",
            question.resource.plus().as_str(),
            if question.active { "" } else { ", not active" }
        )
    }

    #[test]
    fn the_three_combinations_are_read_and_no_other_is() {
        let one = COMBINATION_EXPECTED;
        let session = "a".repeat(256);
        let table = [
            (
                "type=upsell&memberid=342&session=d2877c33",
                "upsell member 342, session of 8 bytes".to_owned(),
                "the first",
            ),
            ("type=cancel&username=bob&siteid=1", "cancel bob on 1".into(), "the second"),
            (
                "type=tokenrebuy&username=bob&siteids=5,1",
                "tokenrebuy bob on one of 5,1".into(),
                "the third, in its order",
            ),
            (
                "type=signupplus&username=b+o%2Bb&siteid=1",
                "signupplus b o+b on 1".into(),
                "escapes",
            ),
            (
                "type=packageupgrade&username=jos%E9&siteid=1",
                "packageupgrade josé on 1".into(),
                "Windows-1252",
            ),
            (
                "type=instantupgrade&username=bob&siteid=1&x=2&x=3",
                "instantupgrade bob on 1".into(),
                "unknown names",
            ),
            (
                "type=upsell&username=bob&siteid=1&memberid=&session=",
                "upsell bob on 1".into(),
                "empty ones",
            ),
            ("type=upsell&username=bob&siteid=1&status=1", "upsell bob on 1".into(), "active"),
            (
                "type=upsell&username=bob&siteid=1&status=01",
                "upsell bob on 1".into(),
                "active as a number",
            ),
            (
                "type=upsell&username=bob&siteid=1&status=2",
                "upsell bob on 1, not active".into(),
                "expired",
            ),
            (
                "type=upsell&username=bob&siteid=1&status=0",
                "upsell bob on 1, not active".into(),
                "never joined",
            ),
            (
                "type=upsell&username=bob&siteid=1&status=-1",
                format!("status: {STATUS_EXPECTED}, found \"-1\""),
                "no number",
            ),
            (
                "type=upsell&username=bob&siteid=1&status=yes",
                format!("status: {STATUS_EXPECTED}, found \"yes\""),
                "no number",
            ),
            ("", format!("type: {PLUS_EXPECTED}, not given"), "nothing"),
            ("username=bob&siteid=1", format!("type: {PLUS_EXPECTED}, not given"), "no type"),
            (
                "type=&username=bob&siteid=1",
                format!("type: {PLUS_EXPECTED}, not given"),
                "an empty type",
            ),
            (
                "type=Upsell&username=bob&siteid=1",
                format!("type: {PLUS_EXPECTED}, found \"Upsell\""),
                "case counts",
            ),
            (
                "type=upsell&type=upsell&username=b&siteid=1",
                format!("type: {ONE_EXPECTED}, found 2 of them"),
                "doubled",
            ),
            (
                "type=upsell&username=b&siteid=1&siteid=",
                format!("siteid: {ONE_EXPECTED}, found 2 of them"),
                "doubled, empty",
            ),
            (
                "type=upsell&memberid=1&session=a&session=b",
                format!("session: {ONE_EXPECTED}, found 2 of them"),
                "no secret",
            ),
            ("type=upsell", format!("username: {one}, not given"), "nobody"),
            ("type=upsell&username=bob", format!("siteid: {one}, not given"), "no site"),
            ("type=upsell&siteid=1", format!("username: {one}, not given"), "a site alone"),
            ("type=upsell&memberid=342", format!("session: {one}, not given"), "no session"),
            ("type=upsell&session=a", format!("memberid: {one}, not given"), "a session alone"),
            (
                "type=upsell&memberid=1&session=a&siteid=1",
                format!("siteid: {one}, found \"1\""),
                "one too many",
            ),
            (
                "type=upsell&memberid=1&username=bob&siteid=1",
                format!("username: {one}, found \"bob\""),
                "two halves",
            ),
            (
                "type=upsell&username=bob&siteid=1&siteids=2",
                format!("siteids: {one}, found \"2\""),
                "both kinds of site",
            ),
            (
                "type=upsell&username=bob&siteid=0",
                format!("siteid: {ID_EXPECTED}, found \"0\""),
                "no siteid",
            ),
            (
                "type=upsell&username=bob&siteid=1,2",
                format!("siteid: {ID_EXPECTED}, found \"1,2\""),
                "siteids in siteid",
            ),
            (
                "type=upsell&username=bob&siteids=1,,2",
                format!("siteids: {SITES_EXPECTED}, found \"1,,2\""),
                "an empty entry",
            ),
            (
                "type=upsell&username=bob&siteids=1,",
                format!("siteids: {SITES_EXPECTED}, found \"1,\""),
                "another",
            ),
            (
                "type=upsell&username=bob&siteids=1,1",
                format!("siteids: {SITES_EXPECTED}, found \"1,1\""),
                "one twice",
            ),
            (
                "type=upsell&username=bob&siteids[]=1",
                "siteids: expected one value, as in siteids=1,2, found an array".into(),
                "an array",
            ),
            (
                "type=upsell&memberid=1&session%5B0%5D=secret",
                "session: expected one value, as in siteids=1,2, found an array".into(),
                "another",
            ),
            (
                "type=upsell&username=bob&siteid=1&utm[x]=2&=3&",
                "upsell bob on 1".into(),
                "unknown ones",
            ),
            (
                "type=upsell&username=bob&siteid=1&status=99999999999999999999999",
                "upsell bob on 1, not active".into(),
                "a long number",
            ),
            (
                "type=upsell&username=a%0Ab&siteid=1",
                format!("username: {USERNAME_EXPECTED}, found \"a?b\""),
                "a control character",
            ),
            (
                &format!("type=upsell&memberid=1&session={session}"),
                format!("session: {SESSION_EXPECTED}, found 256 bytes"),
                "too long",
            ),
        ];
        for (query, expected, why) in table {
            assert_eq!(read(query), expected, "{query}: {why}");
        }
    }

    #[test]
    fn the_older_resource_has_no_type() {
        let question = StringQuery::tokenrebuystring(b"username=bob&siteid=1").unwrap();
        assert_eq!(question.resource, Resource::TokenRebuyString);
        let refusal = StringQuery::tokenrebuystring(b"username=bob").unwrap_err();
        assert_eq!(
            refusal.reply().sentence(),
            format!("siteid: {COMBINATION_EXPECTED}, not given")
        );
    }
}
