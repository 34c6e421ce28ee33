//! A row as a line of the file.

use std::borrow::Cow;
use std::io;

use serde::{Serialize, Serializer};

use super::{ExportCounts, Format};
use crate::hex::hex;
use crate::member::{Member, Reason};
use crate::password::{Hash, KeyId, Stored};

/// The columns of CSV, which are the keys of JSON lines. `import` reads them by these names.
pub const COLUMNS: [&str; 14] = [
    "siteid",
    "memberid",
    "username",
    "password",
    "cryptpass",
    "cryptpass_wrapped",
    "sealed",
    "seal_key",
    "email",
    "trial",
    "biller",
    "joined",
    "expires",
    "expire_at",
];

/// The further columns of an export with former members. They are empty for members.
const FORMER_COLUMNS: [&str; 2] = ["reason", "ended_at"];

/// Enough for most records.
const RECORD_BYTES: usize = 512;

/// A row that is exported.
pub(super) struct ExportRow<'a> {
    pub(super) member: &'a Member,
    /// Why and when a former member left.
    pub(super) left: Option<(Reason, i64)>,
    /// The id of the key of the seal, if the row has one and the key is here.
    pub(super) seal_key: Option<KeyId>,
}

/// A value of a column.
enum Value<'a> {
    Null,
    Number(i64),
    Text(Cow<'a, str>),
}

impl<'a> Value<'a> {
    fn text(text: Option<impl Into<Cow<'a, str>>>) -> Self {
        text.map_or(Self::Null, |text| Self::Text(text.into()))
    }

    fn number(number: Option<i64>) -> Self {
        number.map_or(Self::Null, Self::Number)
    }

    /// As CSV has it: NULL is empty, as no value of a row is.
    fn into_text(self) -> Cow<'a, str> {
        match self {
            Self::Null => Cow::Borrowed(""),
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Text(text) => text,
        }
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Number(number) => serializer.serialize_i64(*number),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// Columns and values of a row, to be serialized as a JSON object without NULLs.
struct Object<'a>(Vec<(&'static str, Value<'a>)>);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let given = self.0.iter().filter(|(_, value)| !matches!(value, Value::Null));
        serializer.collect_map(given.map(|(name, value)| (*name, value)))
    }
}

/// Writes rows as lines.
pub(super) struct Lines {
    format: Format,
    former: bool,
}

impl Lines {
    pub(super) fn new(format: Format, former: bool) -> Self {
        Self { format, former }
    }

    /// The header line, if the format has one.
    pub(super) fn header(&self, out: &mut Vec<u8>) -> io::Result<()> {
        match self.format {
            Format::Csv if self.former => record(out, COLUMNS.iter().chain(&FORMER_COLUMNS)),
            Format::Csv => record(out, COLUMNS),
            Format::JsonLines | Format::Htpasswd => Ok(()),
        }
    }

    /// The line of a row, if the format can hold it, and counts what became of the row.
    pub(super) fn line(
        &self,
        out: &mut Vec<u8>,
        row: &ExportRow<'_>,
        counts: &mut ExportCounts,
    ) -> io::Result<()> {
        if self.format == Format::Htpasswd {
            let Some(hash) = htpasswd(row.member, counts) else { return Ok(()) };
            counts.members += 1;
            let name = row.member.username.as_str();
            [name, ":", hash, "\n"].iter().for_each(|part| out.extend(part.as_bytes()));
            return Ok(());
        }
        match row.left {
            Some(_) => counts.formers += 1,
            None => counts.members += 1,
        }
        if matches!(row.member.credential.stored, Stored::Sealed(_)) {
            counts.sealed += 1;
            counts.sealed_elsewhere += u64::from(row.seal_key.is_none());
        }
        let values = values(row, self.former);
        if self.format == Format::JsonLines {
            serde_json::to_writer(&mut *out, &Object(values))?;
            out.push(b'\n');
            return Ok(());
        }
        let values: Vec<_> = values.into_iter().map(|(_, value)| value.into_text()).collect();
        counts.formulas += values.iter().filter(|value| is_formula(value)).count() as u64;
        record(out, values.iter().map(|value| value.as_bytes()))
    }
}

fn values<'a>(row: &ExportRow<'a>, former: bool) -> Vec<(&'static str, Value<'a>)> {
    let member = row.member;
    let (password, wrapped, sealed) = match &member.credential.stored {
        Stored::Hash(hash) => (Some(hash.as_str()), None, None),
        Stored::Wrapped(wrapped) => (None, Some(wrapped.as_str()), None),
        Stored::Sealed(seal) => (None, None, Some(hex(seal.as_bytes()))),
    };
    let values = [
        Value::Number(member.key.site.get()),
        Value::Number(member.key.member.get()),
        Value::Text(member.username.as_str().into()),
        Value::text(password),
        Value::text(member.credential.cryptpass.as_ref().map(|cryptpass| cryptpass.expose())),
        Value::text(wrapped),
        Value::text(sealed),
        Value::text(row.seal_key.map(|id| id.to_string())),
        Value::text(member.email.as_deref()),
        Value::Number(member.trial.into()),
        Value::text(member.biller.as_deref()),
        Value::number(member.joined),
        Value::number(member.expires),
        Value::number(member.expire_at),
    ];
    let mut all: Vec<_> = COLUMNS.into_iter().zip(values).collect();
    if former {
        let (reason, ended_at) = row.left.unzip();
        let values = [Value::text(reason.map(Reason::as_str)), Value::number(ended_at)];
        all.extend(FORMER_COLUMNS.into_iter().zip(values));
    }
    all
}

/// The hash of a member for an .htpasswd; `None`, and a count, if it cannot hold the member.
fn htpasswd<'a>(member: &'a Member, counts: &mut ExportCounts) -> Option<&'a str> {
    let hash = match &member.credential.stored {
        Stored::Sealed(_) => {
            counts.not_hashed_yet += 1;
            return None;
        }
        Stored::Wrapped(_) => {
            counts.wrapped += 1;
            return None;
        }
        Stored::Hash(hash) => hash.as_str(),
    };
    // A row may have been edited: nothing but a hash gets into the file.
    if !Hash::parse(hash).is_some_and(|hash| hash.is_bcrypt()) {
        counts.argon2id += 1;
        return None;
    }
    if !fits_htpasswd(member.username.as_str()) {
        counts.unfit_names += 1;
        return None;
    }
    Some(hash)
}

/// Whether a line of an .htpasswd can have this name: the first colon ends the name, a line break
/// ends the line, and a line that begins with `#` is a comment.
fn fits_htpasswd(name: &str) -> bool {
    !name.starts_with('#') && !name.contains(|c: char| c == ':' || c.is_control())
}

/// Whether a spreadsheet may run this value as a formula.
fn is_formula(value: &str) -> bool {
    value.starts_with(['=', '+', '-', '@'])
}

fn record<T: AsRef<[u8]>>(
    out: &mut Vec<u8>,
    values: impl IntoIterator<Item = T>,
) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().buffer_capacity(RECORD_BYTES).from_writer(out);
    writer.write_record(values)?;
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_htpasswd_holds_no_name_that_would_end_early_or_be_another_line() {
        for (name, fits) in [
            ("bob", true),
            ("bob smith", true),
            ("\u{e9}ve@example.com", true),
            ("b#b", true),
            ("#bob", false),
            ("bob:x", false),
            (":", false),
            ("bob\nroot:x", false),
            ("bob\r", false),
            ("bob\t", false),
            ("bob\0", false),
            ("bob\u{85}", false),
        ] {
            assert_eq!(fits_htpasswd(name), fits, "{name:?}");
        }
    }

    #[test]
    fn a_record_of_csv_is_quoted_where_a_value_has_a_comma_a_quote_or_a_line_break() {
        let mut out = Vec::new();
        record(&mut out, ["bob", "a,b", "say \"x\"", "two\nlines", "", "=1+1"]).unwrap();
        let line = "bob,\"a,b\",\"say \"\"x\"\"\",\"two\nlines\",,=1+1\n";
        assert_eq!(String::from_utf8(out).unwrap(), line);
    }

    #[test]
    fn a_value_that_a_spreadsheet_may_run_is_counted() {
        for (value, is_one) in [
            ("=1+1", true),
            ("@sum", true),
            ("+49", true),
            ("-1", true),
            ("a=1", false),
            ("", false),
        ] {
            assert_eq!(is_formula(value), is_one, "{value}");
        }
    }
}
