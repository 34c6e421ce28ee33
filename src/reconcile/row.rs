//! A row of NATS's list: its values as text, and then as members have them.

use zeroize::Zeroizing;

use super::error::ReconcileError;
use crate::clock::{Zone, parse_moment};
use crate::identity::{ID_EXPECTED, MemberId, SiteId, USERNAME_EXPECTED, Username};
use crate::import::{Column, is_date};

/// A value that is read. Other columns of the list are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Site,
    Member,
    Username,
    Status,
    Trial,
    Expires,
    Password,
    Cryptpass,
    /// When a former member left, in a file of `export --former`.
    EndedAt,
}

/// The number of them.
const FIELDS: usize = 9;

impl Field {
    /// The field of a column or key, whose spelling may differ in case, blanks, `_` and `-`.
    pub(super) fn of(name: &str) -> Option<Self> {
        let plain: String = name
            .chars()
            .filter(|c| !c.is_whitespace() && !matches!(c, '_' | '-'))
            .flat_map(char::to_lowercase)
            .collect();
        let all = [Self::Site, Self::Member, Self::Username, Self::Status, Self::Trial];
        let more = [Self::Expires, Self::Password, Self::Cryptpass, Self::EndedAt];
        all.into_iter().chain(more).find(|field| field.name().replace('_', "") == plain)
    }

    /// The name, as an import has it too.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Site => Column::SiteId.name(),
            Self::Member => Column::MemberId.name(),
            Self::Username => Column::Username.name(),
            Self::Status => Column::Status.name(),
            Self::Trial => Column::Trial.name(),
            Self::Expires => Column::Expires.name(),
            Self::Password => Column::Password.name(),
            Self::Cryptpass => Column::Cryptpass.name(),
            Self::EndedAt => Column::EndedAt.name(),
        }
    }
}

/// The texts of a row, which are wiped on drop: a password may be one of them.
#[derive(Default)]
pub(super) struct RawRow([Option<Zeroizing<String>>; FIELDS]);

impl RawRow {
    /// A row with nothing but a memberid.
    pub(super) fn of_member(member: &str) -> Self {
        let mut row = Self::default();
        row.put(Field::Member, member);
        row
    }

    /// Whether it has no value.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    pub(super) fn put(&mut self, field: Field, text: &str) {
        self.0[field as usize] = Some(Zeroizing::new(text.to_owned()));
    }

    /// The value; an empty one counts as not given.
    pub(super) fn get(&self, field: Field) -> Option<&str> {
        self.0[field as usize].as_ref().map(|text| text.trim()).filter(|text| !text.is_empty())
    }

    /// A password as it is, with blanks around it.
    fn secret(&self, field: Field) -> Option<&str> {
        self.0[field as usize].as_ref().map(|text| text.as_str()).filter(|text| !text.is_empty())
    }
}

/// Takes each row with its line or number.
pub(super) type TakeRow<'a> = dyn FnMut(&RawRow, u64) -> Result<(), ReconcileError> + 'a;

/// An active member of the list.
pub(super) struct ListedRow<'a> {
    /// `None`: the row does not name its site.
    pub(super) site: Option<SiteId>,
    pub(super) member: MemberId,
    pub(super) username: Username,
    pub(super) trial: Option<bool>,
    /// Unix seconds.
    pub(super) expires: Option<i64>,
    pub(super) secret: Option<ListedSecret<'a>>,
}

/// The credential of a row.
#[derive(Clone, Copy)]
pub(super) enum ListedSecret<'a> {
    Password(&'a str),
    Cryptpass(&'a str),
}

impl<'a> ListedRow<'a> {
    /// Reads a row; `None` if the member is not active.
    ///
    /// # Errors
    ///
    /// The parameter, what was expected and what was found. The value is not shown: in a shifted
    /// row it may be a password.
    pub(super) fn read(raw: &'a RawRow, zone: &Zone) -> Result<Option<Self>, String> {
        let is_active = raw.get(Field::Status).is_none_or(|status| status == "1");
        if !is_active || raw.get(Field::EndedAt).is_some_and(is_date) {
            return Ok(None);
        }
        let member =
            raw.get(Field::Member).ok_or_else(|| refused(Field::Member, ID_EXPECTED, None))?;
        let member = MemberId::parse(member)
            .ok_or_else(|| refused(Field::Member, ID_EXPECTED, Some(member)))?;
        let site = raw
            .get(Field::Site)
            .map(|text| {
                SiteId::parse(text).ok_or_else(|| refused(Field::Site, ID_EXPECTED, Some(text)))
            })
            .transpose()?;
        // Without it, a member who was imported by name alone is not recognised.
        let name = raw
            .get(Field::Username)
            .ok_or_else(|| refused(Field::Username, USERNAME_EXPECTED, None))?;
        let username = Username::parse(name)
            .ok_or_else(|| refused(Field::Username, USERNAME_EXPECTED, Some(name)))?;
        let trial = match raw.get(Field::Trial) {
            Some("0") => Some(false),
            Some("1") => Some(true),
            _ => None,
        };
        let expires = raw.get(Field::Expires).and_then(|text| parse_moment(text, zone));
        let secret = match (raw.secret(Field::Password), raw.secret(Field::Cryptpass)) {
            (Some(password), _) => Some(ListedSecret::Password(password)),
            (None, cryptpass) => cryptpass.map(ListedSecret::Cryptpass),
        };
        Ok(Some(Self { site, member, username, trial, expires, secret }))
    }
}

fn refused(field: Field, expected: &str, found: Option<&str>) -> String {
    let parameter = field.name();
    match found {
        Some(text) => format!("{parameter}: {expected}, found {} other bytes", text.len()),
        None => format!("{parameter}: {expected}, found nothing"),
    }
}
