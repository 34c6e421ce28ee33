//! The columns that an import knows, and what other programs call them.

/// A column of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    SiteId,
    MemberId,
    Username,
    /// Clear text, or a hash that begins with `$` or `{SHA}`.
    Password,
    /// A hash in any form.
    Cryptpass,
    /// A wrapped cryptpass, as `export` writes it.
    CryptpassWrapped,
    /// A seal in hexadecimal digits, as `export` writes it.
    Sealed,
    /// The id of the key of `sealed`.
    SealKey,
    Email,
    Trial,
    Biller,
    MemberIdx,
    Session,
    Joined,
    Expires,
    /// When the member expires, in the forms of an EXPIRE.
    Expire,
    /// When the member expires, as `export` writes it: unix seconds, with the grace in them.
    ExpireAt,
    /// What NATS's lists say of a member: only 1 is a member.
    Status,
    /// When a former member left, as `export --former` writes it.
    EndedAt,
}

/// Every column with its name, in the order of [`Column`].
pub(super) const COLUMNS: [(Column, &str); 19] = [
    (Column::SiteId, "siteid"),
    (Column::MemberId, "memberid"),
    (Column::Username, "username"),
    (Column::Password, "password"),
    (Column::Cryptpass, "cryptpass"),
    (Column::CryptpassWrapped, "cryptpass_wrapped"),
    (Column::Sealed, "sealed"),
    (Column::SealKey, "seal_key"),
    (Column::Email, "email"),
    (Column::Trial, "trial"),
    (Column::Biller, "biller"),
    (Column::MemberIdx, "memberidx"),
    (Column::Session, "session"),
    (Column::Joined, "joined"),
    (Column::Expires, "expires"),
    (Column::Expire, "expire"),
    (Column::ExpireAt, "expire_at"),
    (Column::Status, "status"),
    (Column::EndedAt, "ended_at"),
];

impl Column {
    /// The name, in lower case.
    pub(crate) fn name(self) -> &'static str {
        let (_, name) = COLUMNS[self as usize];
        name
    }
}

/// The columns that can hold a credential.
const CREDENTIALS: [Column; 4] =
    [Column::Password, Column::Cryptpass, Column::CryptpassWrapped, Column::Sealed];

/// What `--map` gives: names of the file for columns.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    pairs: Vec<(Column, String)>,
}

/// Why a `--map` cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("--map: {0}")]
pub struct BadMapping(String);

impl Mapping {
    /// Reads entries of the form `column=theirs`.
    ///
    /// # Errors
    ///
    /// If an entry has another form, names no column, or names one twice.
    pub fn parse(entries: &[String]) -> Result<Self, BadMapping> {
        let mut pairs: Vec<(Column, String)> = Vec::new();
        for entry in entries {
            let parts = entry.split_once('=').map(|(ours, theirs)| (ours.trim(), theirs.trim()));
            let Some((ours, theirs)) = parts.filter(|(_, theirs)| !theirs.is_empty()) else {
                return Err(BadMapping(format!(
                    "expected COLUMN=NAME, as in cryptpass=pass, found {entry:?}"
                )));
            };
            let Some((column, name)) = COLUMNS.into_iter().find(|(_, name)| *name == ours) else {
                let names = COLUMNS.map(|(_, name)| name).join(", ");
                return Err(BadMapping(format!("expected one of {names}, found {ours:?}")));
            };
            if pairs.iter().any(|(known, _)| *known == column) {
                return Err(BadMapping(format!("expected {name} once, found it twice")));
            }
            pairs.push((column, theirs.to_owned()));
        }
        Ok(Self { pairs })
    }

    /// The columns that a name of the file stands for. Letter case does not matter.
    pub(super) fn columns_of(&self, name: &str) -> Vec<Column> {
        let name = name.trim();
        let mapped = self.pairs.iter().filter(|(_, theirs)| theirs.eq_ignore_ascii_case(name));
        let own = COLUMNS.into_iter().filter(|(column, own)| {
            own.eq_ignore_ascii_case(name) && !self.pairs.iter().any(|(known, _)| known == column)
        });
        mapped.map(|(column, _)| *column).chain(own.map(|(column, _)| column)).collect()
    }

    /// The names that no column of the file has.
    fn missing(&self, names: &[String]) -> Option<&str> {
        let is_there = |theirs: &str| names.iter().any(|name| name.eq_ignore_ascii_case(theirs));
        self.pairs.iter().map(|(_, theirs)| theirs.as_str()).find(|theirs| !is_there(theirs))
    }
}

/// The columns of a file in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Header {
    columns: Vec<Vec<Column>>,
    /// Names that are not imported.
    pub(super) unused: Vec<String>,
}

impl Header {
    /// Reads the names of the columns.
    ///
    /// # Errors
    ///
    /// A sentence, if they are not enough for a member, or ambiguous.
    pub(super) fn of(names: &[String], mapping: &Mapping) -> Result<Self, String> {
        let names: Vec<String> = names.iter().map(|name| name.trim().to_owned()).collect();
        let columns: Vec<Vec<Column>> = names.iter().map(|name| mapping.columns_of(name)).collect();
        let all = || columns.iter().flatten().copied();
        // The first line of a file without names is a member, perhaps with a password.
        if all().next().is_none() {
            return Err(NO_NAMES.into());
        }
        let shown = names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
        if let Some(theirs) = mapping.missing(&names) {
            return Err(format!("--map: no column is named {theirs:?}; the columns are {shown}"));
        }
        for (column, name) in COLUMNS {
            if all().filter(|known| *known == column).count() > 1 {
                return Err(format!(
                    "the column {name} is there twice: remove one, or name the right one with \
                     --map {name}=NAME"
                ));
            }
        }
        if !all().any(|column| column == Column::Username) {
            return Err(format!(
                "no column is named username: name it with --map username=NAME; the columns are \
                 {shown}"
            ));
        }
        if !all().any(|column| CREDENTIALS.contains(&column)) {
            return Err(format!(
                "no column has a password: name it with --map password=NAME for clear text, or \
                 --map cryptpass=NAME for hashes; the columns are {shown}"
            ));
        }
        let unused = names.into_iter().zip(&columns).filter(|(_, columns)| columns.is_empty());
        Ok(Self { unused: unused.map(|(name, _)| name).collect(), columns })
    }

    pub(super) fn has(&self, column: Column) -> bool {
        self.columns.iter().flatten().any(|known| *known == column)
    }

    pub(super) fn len(&self) -> usize {
        self.columns.len()
    }

    /// What the columns at this place stand for.
    pub(super) fn at(&self, place: usize) -> &[Column] {
        self.columns.get(place).map_or(&[], Vec::as_slice)
    }
}

/// For a first line without any known name.
pub(super) const NO_NAMES: &str = "expected a first line with the names of the columns, \
     such as siteid, memberid, username and password or cryptpass, and found none of them; name \
     the columns in the first line, or say which is which with --map username=NAME";

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(entries: &[&str]) -> Result<Mapping, String> {
        let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
        Mapping::parse(&entries).map_err(|error| error.to_string())
    }

    fn header(names: &[&str], entries: &[&str]) -> Result<Header, String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Header::of(&names, &mapping(entries).unwrap())
    }

    #[test]
    fn each_column_is_at_its_place() {
        for (place, (column, name)) in COLUMNS.into_iter().enumerate() {
            assert_eq!(column as usize, place, "{name}");
        }
    }

    #[test]
    fn a_mapping_names_a_column_once() {
        assert!(mapping(&["cryptpass=pass", "username=Login Name"]).is_ok());
        for (entries, said) in [
            (&["pass"][..], "--map: expected COLUMN=NAME, as in cryptpass=pass, found \"pass\""),
            (&["pass="], "--map: expected COLUMN=NAME, as in cryptpass=pass, found \"pass=\""),
            (&["email=a", "email=b"], "--map: expected email once, found it twice"),
        ] {
            assert_eq!(mapping(entries).unwrap_err(), said);
        }
        let unknown = mapping(&["pass=cryptpass"]).unwrap_err();
        assert!(unknown.starts_with("--map: expected one of siteid, memberid, "), "{unknown}");
        assert!(unknown.ends_with(", ended_at, found \"pass\""), "{unknown}");
    }

    #[test]
    fn names_are_found_in_any_case_and_a_mapped_name_comes_first() {
        let found = header(&[" UserName", "PASS", "password", "note"], &["password=pass"]).unwrap();
        assert_eq!(found.at(0), [Column::Username]);
        assert_eq!(found.at(1), [Column::Password]);
        assert_eq!((found.at(2), found.at(3), found.at(9)), (&[][..], &[][..], &[][..]));
        assert_eq!(found.unused, ["password", "note"]);
        let both = header(&["email", "password"], &["username=email", "email=email"]).unwrap();
        assert_eq!(both.at(0), [Column::Username, Column::Email]);
    }

    #[test]
    fn a_header_that_is_not_enough_is_said() {
        for (names, entries, said) in [
            (&["71", "bob", "secret"][..], &[][..], NO_NAMES.to_owned()),
            (
                &["username", "pass"],
                &["cryptpass=hash"],
                "--map: no column is named \"hash\"; the columns are \"username\", \"pass\"".into(),
            ),
            (
                &["username", "USERNAME", "password"],
                &[],
                "the column username is there twice: remove one, or name the right one with --map \
                 username=NAME"
                    .into(),
            ),
            (
                &["login", "password"],
                &[],
                "no column is named username: name it with --map username=NAME; the columns are \
                 \"login\", \"password\""
                    .into(),
            ),
            (
                &["username", "pass"],
                &[],
                "no column has a password: name it with --map password=NAME for clear text, or \
                 --map cryptpass=NAME for hashes; the columns are \"username\", \"pass\""
                    .into(),
            ),
        ] {
            assert_eq!(header(names, entries).unwrap_err(), said);
        }
    }
}
