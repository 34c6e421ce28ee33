//! A row as a postback of the operator: a MANUALADD.

use sha2::{Digest as _, Sha256};

use super::RefusedRow;
use super::columns::Column;
use super::credential::{credential, doubt};
use super::row::Row;
use crate::action::{Action, FieldsSource, Imported, Rules};
use crate::apply::Postback;
use crate::clock::{EXPIRE_EXPECTED, ExpiryText, parse_moment};
use crate::fields::{Fields, MASK};
use crate::identity::{
    ID_EXPECTED, Key, MemberId, SessionHash, SiteId, TEXT_BYTES_MAX, USERNAME_EXPECTED, Username,
};
use crate::journal::{Origin, Received};
use crate::reply::Refusal;

/// What becomes of a row.
#[derive(Debug)]
pub enum Prepared {
    /// A postback to be applied.
    Postback(Box<Postback>),
    /// Nothing.
    LeftOut(LeftOut),
    /// The row cannot be used.
    Refused(RefusedRow),
}

/// Why a row changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// Its expiry is reached: the person is not a member any more.
    Expired,
    /// It has a date at which the member left, or has no memberid and the name of a member whom
    /// NATS had named and who has left.
    Former,
    /// Its status is not that of a member.
    Inactive,
    /// It has no memberid, and NATS has named the member who has its name. They are left as they
    /// are.
    Named,
}

impl LeftOut {
    /// Whether a row says by itself that it is not that of a member now. Such a row may repeat the
    /// name of one that is.
    pub fn of(row: &Row) -> Option<Self> {
        if row.get(Column::EndedAt).is_some_and(is_date) {
            return Some(Self::Former);
        }
        row.get(Column::Status).filter(|status| status.trim() != "1").map(|_| Self::Inactive)
    }
}

/// Makes postbacks of rows.
#[derive(Debug)]
pub struct Preparer<'a> {
    rules: &'a Rules,
    site: Option<SiteId>,
    now: i64,
}

impl<'a> Preparer<'a> {
    /// `site` is the one that the operator gives; `now` decides which expiries are reached.
    pub fn new(rules: &'a Rules, site: Option<SiteId>, now: i64) -> Self {
        Self { rules, site, now }
    }

    /// Makes a postback of a row. `notes` gets what was left out of it.
    pub fn prepare(&self, row: &Row, notes: &mut Vec<String>) -> Prepared {
        match self.try_prepare(row, notes) {
            Ok(Some(postback)) => Prepared::Postback(Box::new(postback)),
            Ok(None) => Prepared::LeftOut(LeftOut::Expired),
            Err(refused) => Prepared::Refused(refused),
        }
    }

    fn try_prepare(
        &self,
        row: &Row,
        notes: &mut Vec<String>,
    ) -> Result<Option<Postback>, RefusedRow> {
        let key = Key { site: site(row, self.site)?, member: member(row)? };
        let expire_at = self.expire_at(row).map_err(refused)?;
        if expire_at.is_some_and(|instant| instant <= self.now) {
            return Ok(None);
        }
        let credential = credential(row, key, self.rules).map_err(refused)?;
        let doubt = doubt(row, &credential.stored);
        let session = row.get(Column::Session).filter(|text| text.len() <= TEXT_BYTES_MAX);
        let imported = Imported {
            credential: Some(credential),
            session: session.map(|text| SessionHash(Sha256::digest(text).into())),
            expire_at,
        };
        let (site, member) = (key.site.to_string(), key.member.to_string());
        let mut pairs = vec![("action", "MANUALADD"), ("siteid", &site), ("memberid", &member)];
        let given = |column, name| row.get(column).map(|text| (name, text));
        // The journal never shows a secret. Here the record says which one there was.
        let secret = |column, name| row.get(column).map(|_| (name, MASK));
        pairs.extend(
            [
                given(Column::Username, "username"),
                secret(Column::Password, "password"),
                secret(Column::Cryptpass, "cryptpass"),
                given(Column::Email, "email"),
                given(Column::Trial, "trial"),
                given(Column::Biller, "biller"),
                given(Column::MemberIdx, "memberidx"),
                session.map(|_| ("session", MASK)),
                given(Column::Joined, "joined"),
                // Of a column that is mapped to both, a date is only the expiry.
                given(Column::Expires, "expires").filter(|(_, text)| {
                    row.get(Column::Expire) != Some(text)
                        || text.bytes().all(|byte| byte.is_ascii_digit())
                }),
                given(Column::Expire, "expire"),
            ]
            .into_iter()
            .flatten(),
        );
        let fields = Fields::from_pairs(
            pairs.into_iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())),
        );
        let parsed = Action::parse(&fields, &FieldsSource::Import(&imported));
        let action = parsed.action.map_err(refused)?;
        notes.extend(parsed.ignored.iter().map(|refusal| format!("{refusal}; left out")));
        notes.extend(doubt.map(ToOwned::to_owned));
        let received = Received::new(&fields, Origin::Operator, None);
        let stamp = parsed.stamp;
        Ok(Some(Postback { action: Ok(action), received, stamp, is_quiet: true }))
    }

    /// When the member expires: at the instant that `export` writes, or at the date of an EXPIRE.
    fn expire_at(&self, row: &Row) -> Result<Option<i64>, Refusal> {
        if let Some(text) = row.get(Column::ExpireAt).filter(|text| *text != "0") {
            let instant = parse_moment(text, &self.rules.expiry.zone);
            let malformed = || Refusal::malformed("expire_at", EXPIRE_EXPECTED, text);
            return instant.map(Some).ok_or_else(malformed);
        }
        let Some(text) = row.get(Column::Expire) else { return Ok(None) };
        match self.rules.expiry.instant(text) {
            ExpiryText::At(instant) => Ok(Some(instant)),
            ExpiryText::NotGiven => Ok(None),
            ExpiryText::Malformed => Err(Refusal::malformed("expire", EXPIRE_EXPECTED, text)),
        }
    }
}

/// Whether this is a date, and not what programs write for none.
pub(crate) fn is_date(text: &str) -> bool {
    text != "0" && !text.starts_with("0000-00-00")
}

/// Whom a row is about, if its ids and its name are readable. A row may have no memberid.
pub(super) fn identify(
    row: &Row,
    given: Option<SiteId>,
) -> Option<(SiteId, Option<MemberId>, Username)> {
    let member = match row.get(Column::MemberId) {
        Some(text) => Some(MemberId::parse(text)?),
        None => None,
    };
    Some((site(row, given).ok()?, member, name(row).ok()?))
}

/// The username of a row.
pub(super) fn name(row: &Row) -> Result<Username, RefusedRow> {
    let Some(text) = row.get(Column::Username) else {
        return Err(refused(Refusal::missing("username", USERNAME_EXPECTED)));
    };
    Username::typed(text)
        .ok_or_else(|| refused(Refusal::malformed("username", USERNAME_EXPECTED, text)))
}

/// The site of a row, which the operator may give for the whole file.
pub(super) fn site(row: &Row, given: Option<SiteId>) -> Result<SiteId, RefusedRow> {
    let own = row.get(Column::SiteId).map(|text| {
        SiteId::parse(text).ok_or_else(|| refused(Refusal::malformed("siteid", ID_EXPECTED, text)))
    });
    match (own.transpose()?, given) {
        (None, Some(given)) => Ok(given),
        (Some(own), Some(given)) if own != given => Err(RefusedRow {
            problem: format!("siteid: expected {given}, which --site gives, found {own}"),
            remedy: "leave --site out to import all sites",
        }),
        (Some(own), _) => Ok(own),
        (None, None) => Err(RefusedRow {
            problem: refused(Refusal::missing("siteid", ID_EXPECTED)).problem,
            remedy: "give the site of all rows with --site",
        }),
    }
}

fn member(row: &Row) -> Result<MemberId, RefusedRow> {
    match row.get(Column::MemberId) {
        Some(text) => MemberId::parse(text)
            .ok_or_else(|| refused(Refusal::malformed("memberid", ID_EXPECTED, text))),
        None => Err(refused(Refusal::missing("memberid", ID_EXPECTED))),
    }
}

fn refused(refusal: Refusal) -> RefusedRow {
    RefusedRow::new(refusal.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::decide;
    use crate::clock::{ExpiryRule, Zone};
    use crate::password::Vault;
    use crate::store::View;

    /// 2026-06-15 12:00:00 UTC.
    const NOON: i64 = 1_781_524_800;

    fn prepared(values: &[(Column, &str)], site: Option<&str>) -> (String, Vec<String>) {
        let expiry = ExpiryRule { zone: Zone::UTC, grace_hours: 2 };
        let rules = Rules {
            vault: Vault::from_key([7; 32]),
            keep_cryptpass: false,
            expiry,
            stale_guard: false,
        };
        let mut row = Row::default();
        values.iter().for_each(|&(column, text)| row.set(column, text));
        let mut notes = Vec::new();
        let preparer = Preparer::new(&rules, site.and_then(SiteId::parse), NOON);
        let what = match preparer.prepare(&row, &mut notes) {
            Prepared::Postback(postback) => {
                let until = postback.action.as_ref().ok().and_then(Action::expire_at);
                format!("{} {until:?}", postback.received.fields())
            }
            Prepared::LeftOut(why) => format!("{why:?}"),
            Prepared::Refused(refused) => format!("{}; {}", refused.problem, refused.remedy),
        };
        (what, notes)
    }

    const BOB: [(Column, &str); 3] =
        [(Column::MemberId, "71"), (Column::Username, "b ob"), (Column::Password, "secret")];

    #[test]
    fn a_row_is_a_postback_whose_record_shows_no_secret() {
        let mut row = BOB.to_vec();
        row.extend([(Column::SiteId, "1"), (Column::Session, "abc"), (Column::Email, "b@a.de")]);
        assert_eq!(
            prepared(&row, None).0,
            "action=MANUALADD&siteid=1&memberid=71&username=b+ob&password=***&email=b%40a.de&\
             session=*** None"
        );
    }

    #[test]
    fn an_expiry_is_noted_with_the_grace_and_one_that_is_reached_leaves_the_row_out() {
        let until = |column, text| prepared(&[&BOB[..], &[(column, text)]].concat(), Some("1")).0;
        let noted = "action=MANUALADD&siteid=1&memberid=71&username=b+ob&password=***";
        for (column, text, expected) in [
            (Column::Expire, "2026-06-16", format!("{noted}&expire=2026-06-16 Some(1781575200)")),
            (Column::Expire, "0000-00-00", format!("{noted}&expire=0000-00-00 None")),
            (Column::ExpireAt, "1781575200", format!("{noted} Some(1781575200)")),
            (Column::ExpireAt, "0", format!("{noted} None")),
            (Column::Expire, "2026-06-15", "Expired".into()),
            (Column::ExpireAt, "1781524800", "Expired".into()),
            (Column::Expires, "1781524800", format!("{noted}&expires=1781524800 None")),
            (
                Column::Expire,
                "soon",
                format!(
                    "expire: {EXPIRE_EXPECTED}, found \"soon\"; \
                     correct the row and import again"
                ),
            ),
        ] {
            assert_eq!(until(column, text), expected, "{text}");
        }
    }

    /// Regression: the record had no credential, so that a replay left the member of before.
    #[test]
    fn a_row_that_expires_before_its_batch_is_applied_has_its_credential_in_the_record() {
        let expiry = ExpiryRule { zone: Zone::UTC, grace_hours: 0 };
        let vault = Vault::from_key([7; 32]);
        let rules = Rules { vault, keep_cryptpass: false, expiry, stale_guard: false };
        let mut row = Row::default();
        BOB.iter().for_each(|&(column, text)| row.set(column, text));
        row.set(Column::SiteId, "1");
        row.set(Column::ExpireAt, &NOON.to_string());
        let preparer = Preparer::new(&rules, None, NOON - 1);
        let Prepared::Postback(postback) = preparer.prepare(&row, &mut Vec::new()) else {
            panic!("it has not expired yet");
        };
        let outcome = decide(&rules.vault, &postback, &mut View::default(), NOON);
        let put = &outcome.record.put;
        assert!(put.credential.is_some());
        assert_eq!(put.expire_at, Some(NOON));
    }

    #[test]
    fn a_row_that_cannot_be_used_says_why() {
        let with = |more: &[(Column, &'static str)]| [&BOB[..], more].concat();
        let again = "correct the row and import again";
        for (row, site, said) in [
            (
                with(&[]),
                None,
                format!("siteid: {ID_EXPECTED}, not given; give the site of all rows with --site"),
            ),
            (
                with(&[(Column::SiteId, "5")]),
                Some("1"),
                "siteid: expected 1, which --site gives, found 5; \
                 leave --site out to import all sites"
                    .into(),
            ),
            (
                with(&[(Column::SiteId, "x")]),
                Some("1"),
                format!("siteid: {ID_EXPECTED}, found \"x\"; {again}"),
            ),
            (
                with(&[(Column::MemberId, "0")]),
                Some("1"),
                format!("memberid: {ID_EXPECTED}, found \"0\"; {again}"),
            ),
            (
                with(&[(Column::MemberId, "")]),
                Some("1"),
                format!("memberid: {ID_EXPECTED}, not given; {again}"),
            ),
            (
                with(&[(Column::Username, "a\nb")]),
                Some("1"),
                format!(
                    "username: expected 1 to 255 bytes without control characters, found \
                     \"a\nb\"; {again}"
                ),
            ),
        ] {
            assert_eq!(prepared(&row, site).0, said);
        }
    }

    #[test]
    fn what_is_left_out_of_a_row_is_noted() {
        let row = [&BOB[..], &[(Column::Trial, "yes"), (Column::Joined, "2024-01-01")]].concat();
        let (what, notes) = prepared(&row, Some("1"));
        assert!(what.contains("username=b+ob"), "{what}");
        assert_eq!(
            notes,
            [
                "trial: expected 0 or 1, found \"yes\"; left out",
                "joined: expected unix seconds of at most 11 digits, found \"2024-01-01\"; left \
                 out",
            ]
        );
        let taken = "password: taken as clear text, and it";
        let digest = format!("{taken} looks like a hash without a salt, which no login can use");
        let cut = format!("{taken} begins as a hash does: it may have been cut off");
        let broken = "password: taken as clear text with a line break in it: is a quotation mark \
                      not closed?"
            .to_owned();
        for (password, noted) in [
            ("5ebe2294ecd0e0f08eab7690d2a6ee69", Some(digest)),
            ("$1$abc$xx", Some(cut.clone())),
            ("$2y$10$short", Some(cut)),
            ("$apr1$abcdefgh$0UjStWmXslmzQv7sQKyIS/", None),
            ("$ecret$", None),
            ("a\nb", Some(broken)),
        ] {
            let row =
                [(Column::MemberId, "71"), (Column::Username, "bob"), (Column::Password, password)];
            assert_eq!(prepared(&row, Some("1")).1, Vec::from_iter(noted), "{password}");
        }
    }
}
