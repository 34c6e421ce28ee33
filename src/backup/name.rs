//! The names of the files of a backup.

use crate::clock::{Zone, format_utc, parse_moment};

const PREFIX: &str = "userman-";
/// The length of `YYYYMMDDThhmmssZ`.
const STAMP_BYTES: usize = 16;
/// The most backups of one second.
pub(super) const NUMBER_MAX: u32 = 99;
/// What a file has at the end of its name until it is complete.
const DRAFT: &str = ".new";
/// What it has there while it is aside, to be deleted later.
const ASIDE: &str = ".old";

/// Between the date and the number of a further backup of the same second. A program that sorts
/// names puts it behind the `.db` of the first one, by the bytes and by the letters.
const NEXT: &str = "_next";
/// What release 0.5.0 wrote there, with a number of any length.
const FORMER_NEXT: &str = "-";

/// The name of one backup: its date, and a number from 2 for a further one of the same second.
/// Ordered by age, as the files are when they are sorted by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    /// Unix seconds.
    pub(super) at: i64,
    pub(super) number: u32,
    /// Whether the number is written as release 0.5.0 did it, where a program that sorts names
    /// finds it before the first one of its second.
    is_former: bool,
}

impl Name {
    /// The name of a new backup.
    pub(super) fn new(at: i64, number: u32) -> Self {
        Self { at, number, is_former: false }
    }

    /// Reads the name of a database file.
    pub(super) fn parse(file: &str) -> Option<Self> {
        let stem = file.strip_prefix(PREFIX)?.strip_suffix(".db")?;
        let (stamp, rest) = stem.split_at_checked(STAMP_BYTES)?;
        let (number, is_former) = match (rest.strip_prefix(NEXT), rest.strip_prefix(FORMER_NEXT)) {
            _ if rest.is_empty() => (1, false),
            (Some(digits), _) => (digits.parse().ok()?, false),
            (_, Some(digits)) => (digits.parse().ok()?, true),
            (None, None) => return None,
        };
        let at = moment(stamp)?;
        let name = Self { at, number, is_former };
        // A leading zero, a sign or a date that does not exist is not ours.
        ((1..=NUMBER_MAX).contains(&number) && name.database() == file).then_some(name)
    }

    /// Reads the name of a database file that was not completed.
    pub(super) fn parse_draft(file: &str) -> Option<Self> {
        Self::parse(file.strip_suffix(DRAFT)?)
    }

    /// Reads the name of a database file that was put aside.
    pub(super) fn parse_aside(file: &str) -> Option<Self> {
        Self::parse(file.strip_suffix(ASIDE)?)
    }

    fn stem(self) -> String {
        let number = match (self.number, self.is_former) {
            (1, _) => String::new(),
            (number, true) => format!("{FORMER_NEXT}{number}"),
            (number, false) => format!("{NEXT}{number:02}"),
        };
        format!("{PREFIX}{}{number}", stamp(self.at))
    }

    /// The files that the backups with this date and number have, in both forms of a name.
    pub(super) fn files(self) -> impl Iterator<Item = String> {
        let forms = [self, Self { is_former: true, ..self }];
        forms.into_iter().flat_map(|name| [name.database(), name.keys()])
    }

    /// The file of the database.
    pub(super) fn database(self) -> String {
        self.stem() + ".db"
    }

    /// The file of the keys.
    pub(super) fn keys(self) -> String {
        self.stem() + ".keys"
    }

    /// The file of the database until it is complete.
    pub(super) fn draft(self) -> String {
        self.database() + DRAFT
    }

    /// The file of the database that was put aside.
    pub(super) fn aside(self) -> String {
        self.database() + ASIDE
    }
}

/// The moment as `YYYYMMDDThhmmssZ`.
pub(super) fn stamp(at: i64) -> String {
    format_utc(at).replace(['-', ':'], "")
}

fn moment(stamp: &str) -> Option<i64> {
    let part = |from: usize, to: usize| stamp.get(from..to);
    let date = format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let time = format!("{}:{}:{}", part(9, 11)?, part(11, 13)?, part(13, 15)?);
    parse_moment(&format!("{date} {time}"), &Zone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_781_524_800;

    #[test]
    fn a_name_has_the_date_of_its_snapshot_and_is_read_again() {
        let first = Name::new(NOON, 1);
        assert_eq!(first.database(), "userman-20260615T120000Z.db");
        assert_eq!(first.keys(), "userman-20260615T120000Z.keys");
        assert_eq!(first.draft(), "userman-20260615T120000Z.db.new");
        assert_eq!(first.aside(), "userman-20260615T120000Z.db.old");
        let second = Name::new(NOON, 2);
        assert_eq!(second.database(), "userman-20260615T120000Z_next02.db");
        let former = Name { is_former: true, ..second };
        assert_eq!(former.database(), "userman-20260615T120000Z-2.db");
        for name in [first, second, former, Name::new(NOON, 99)] {
            assert_eq!(Name::parse(&name.database()), Some(name));
            assert_eq!(Name::parse_draft(&name.draft()), Some(name));
            assert_eq!(Name::parse_aside(&name.aside()), Some(name));
        }
    }

    /// `ls` sorts by the bytes or, in most languages, by letters and digits alone.
    #[test]
    fn names_that_are_sorted_are_in_the_order_of_their_age() {
        let names = [(NOON, 1), (NOON, 2), (NOON, 3), (NOON, 10), (NOON, 99), (NOON + 1, 1)]
            .map(|(at, number)| Name::new(at, number));
        assert!(names.is_sorted());
        assert!(names.map(Name::database).is_sorted());
        let letters = |name: Name| name.database().replace(|c: char| !c.is_alphanumeric(), "");
        assert!(names.map(letters).is_sorted());
    }

    #[test]
    fn no_other_name_is_taken_for_a_backup() {
        for other in [
            "userman.db",
            "userman-20260615T120000Z.db.new",
            "userman-20260615T120000Z.keys",
            "userman-20260615T120000Z.db.v4",
            "userman-20260615T120000.db",
            "userman-20260615T120000Z-1.db",
            "userman-20260615T120000Z_next01.db",
            "userman-20260615T120000Z_next2.db",
            "userman-20260615T120000Z_next+2.db",
            "userman-20260615T120000Z_next.db",
            "userman-20260615T120000Z_next100.db",
            "userman-20260615T120000Z-02.db",
            "userman-20260615T120000Z-+2.db",
            "userman-20260615T120000Z-100.db",
            "userman-20260615T120000Zx.db",
            "userman-20260615t120000z.db",
            "userman-20260615x120000Z.db",
            "userman-20261315T120000Z.db",
            "userman-20260615T126000Z.db",
            "xuserman-20260615T120000Z.db",
            "userman-20260615T12000\u{e9}Z.db",
        ] {
            assert_eq!(Name::parse(other), None, "{other}");
        }
    }
}
