//! Recognises files that are given to `replay` and are no captures, by their first bytes. The error
//! names the kind and what to do, and shows nothing of the content.

use std::fmt;
use std::ops::Range;

use crate::text_file::{BYTE_ORDER_MARK, is_utf_16};

/// The number of first bytes that are examined. The header line of a NATS table has some 60 names.
pub(super) const HEAD_BYTES: u64 = 8 * 1024;

/// Something else than a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// Text with two bytes a character; its name for `iconv`.
    Utf16(&'static str),
    /// A compressed file or an archive; its kind, and the command that unpacks it to standard
    /// output.
    Packed(&'static str, &'static str),
    /// A database file.
    Sqlite,
    /// No text at all.
    Binary,
    /// Lines that end in a carriage return alone.
    CarriageReturns,
    /// Rows and columns; their format.
    Table(&'static str),
    /// SQL statements.
    SqlDump,
    /// The output of `journal --json`.
    Journal,
    /// The output of `journal`.
    JournalText,
    /// Other JSON.
    Json,
    /// A web page, often an error page.
    Html,
    /// The access log of a web server.
    AccessLog,
    /// Requests with their headers.
    Requests,
    /// URLs with query strings.
    Urls,
    /// None of these.
    Unknown,
}

/// The error where a capture was expected.
impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said("nats-userman replay -"))
    }
}

impl Foreign {
    /// The kind of file, and what to do. `replay` is the command that reads it from a pipe.
    pub fn said(self, replay: &str) -> String {
        let moving_in = "nats-userman import reads tables of members (docs/moving-in.md)";
        let another = "replay --journal takes what journal --json prints";
        match self {
            Foreign::Utf16(name) => {
                format!("looks like UTF-16: convert it, iconv -f {name} -t UTF-8 FILE | {replay}")
            }
            Foreign::Packed(kind, unpack) => {
                format!("looks like {kind}: pipe it, {unpack} FILE | {replay}")
            }
            Foreign::Sqlite => {
                format!("looks like an SQLite database: if it is another nats-userman's, {another}")
            }
            Foreign::Binary => "looks like a binary file, and no capture".into(),
            Foreign::CarriageReturns => format!(
                "looks like lines that end in a carriage return: convert it, \
                 tr '\\r' '\\n' < FILE | {replay}"
            ),
            Foreign::Table(kind) => format!("looks like {kind}: {moving_in}"),
            Foreign::SqlDump => format!("looks like an SQL dump: {moving_in}"),
            Foreign::Journal => {
                "looks like a journal: replay it with --journal, into an empty database".into()
            }
            Foreign::JournalText => {
                format!("looks like what journal prints, which hides secrets: {another}")
            }
            Foreign::Json => format!("looks like JSON: {LAYOUTS}"),
            Foreign::Html => {
                "looks like HTML, as a page of an error that was saved: is it the right file?"
                    .into()
            }
            Foreign::AccessLog => "looks like the access log of a web server, which has no \
                                   bodies: is there a capture of them?"
                .into(),
            Foreign::Requests => "looks like requests with their headers: expected their bodies \
                                  alone, one a line"
                .into(),
            Foreign::Urls => {
                "looks like URLs: expected the text after the ? of each, one a line".into()
            }
            Foreign::Unknown => format!("no line has action=WORD, so it is no capture: {LAYOUTS}"),
        }
    }
}

const LAYOUTS: &str = "expected urlencoded bodies, one a line, or name=value lines with a blank \
                       line between postbacks";

/// The first bytes of compressed files and archives, their kinds, and the commands that unpack
/// them.
const PACKED: [(&[u8], &str, &str); 9] = [
    (b"\x1f\x8b", "gzip", "gunzip -c"),
    (b"\x1f\x9d", "a file of compress", "gunzip -c"),
    (b"PK\x03\x04", "a ZIP archive", "unzip -p"),
    (b"PK\x05\x06", "an empty ZIP archive", "unzip -p"),
    (b"\xfd7zXZ\0", "xz", "xz -dc"),
    (b"\x28\xb5\x2f\xfd", "zstd", "zstd -dc"),
    (b"\x04\x22\x4d\x18", "lz4", "lz4 -dc"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z x -so"),
    (b"-----BEGIN PGP MESSAGE", "a message of GnuPG", "gpg -d"),
];

/// The position of the magic bytes of a tar archive.
const TAR_MAGIC: Range<usize> = 257..262;
/// The position of the magic bytes of bzip2, after `BZh` and its level.
const BZIP2_MAGIC: Range<usize> = 4..10;

impl Foreign {
    /// A kind that the first bytes alone show, whatever the lines contain.
    pub fn of_bytes(head: &[u8]) -> Option<Self> {
        if head.starts_with(b"SQLite format 3\0") {
            return Some(Foreign::Sqlite);
        }
        if head.get(TAR_MAGIC) == Some(b"ustar") {
            return Some(Foreign::Packed("a tar archive", "tar -xOf"));
        }
        if head.starts_with(b"BZh") && head.get(BZIP2_MAGIC) == Some(b"1AY&SY") {
            return Some(Foreign::Packed("bzip2", "bunzip2 -c"));
        }
        if let Some((_, kind, unpack)) = PACKED.iter().find(|(magic, ..)| head.starts_with(magic)) {
            return Some(Foreign::Packed(kind, unpack));
        }
        is_utf_16(head).then_some(match head {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Foreign::Utf16("UTF-16"),
            [0, ..] => Foreign::Utf16("UTF-16BE"),
            _ => Foreign::Utf16("UTF-16LE"),
        })
    }

    /// A kind that the first line shows, where no line is exactly `action=WORD`.
    pub(crate) fn of_text(head: &[u8]) -> Option<Self> {
        let text = text(head);
        let first = text.lines().map(str::trim).find(|line| !line.is_empty())?;
        let lower = first.to_ascii_lowercase();
        if !text.contains('\n') && first.contains('\r') {
            return Some(Foreign::CarriageReturns);
        }
        of_a_request(first)
            .or_else(|| of_braces(first, &lower))
            .or_else(|| is_sql(&lower).then_some(Foreign::SqlDump))
            .or_else(|| is_journal_text(first).then_some(Foreign::JournalText))
            .or_else(|| of_columns(&lower))
    }

    /// The kind of a file without a line that has `action=`.
    pub(super) fn without_action(head: &[u8]) -> Self {
        let text = text(head);
        // The last line may be cut off.
        let lines: Vec<_> =
            text.lines().filter(|line| !line.trim().is_empty()).take(ROWS_LOOKED_AT).collect();
        let separated = |separator: char| {
            lines.iter().all(|line| line.contains(separator) && !line.contains('='))
        };
        if head.contains(&0) {
            return Foreign::Binary;
        }
        match SEPARATORS
            .into_iter()
            .find(|(separator, _)| !lines.is_empty() && separated(*separator))
        {
            Some((_, kind)) => Foreign::Table(kind),
            None => Foreign::Unknown,
        }
    }
}

/// The number of lines that decide whether a file without names is a table.
const ROWS_LOOKED_AT: usize = 5;

/// Separators of columns.
const SEPARATORS: [(char, &str); 4] = [('\t', "TSV"), (',', "CSV"), (';', "CSV"), ('|', "a table")];

/// Column names of a table of members. A table has at least two of them.
const COLUMNS: [&str; 10] = [
    "memberid",
    "siteid",
    "username",
    "password",
    "cryptpass",
    "email",
    "trial",
    "action",
    "expires",
    "joined",
];

fn text(head: &[u8]) -> String {
    String::from_utf8_lossy(head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head)).into_owned()
}

fn of_a_request(first: &str) -> Option<Foreign> {
    let is_logged = first.contains("] \"") && first.contains(" HTTP/");
    let has_method = ["POST /", "GET /"].iter().any(|method| first.starts_with(method));
    let is_url = ["http://", "https://", "/"].iter().any(|front| first.starts_with(front))
        && !first.starts_with("/*");
    let is_of_headers = has_method && first.contains(" HTTP/");
    is_logged
        .then_some(Foreign::AccessLog)
        .or(is_of_headers.then_some(Foreign::Requests))
        .or((is_url && first.contains('?')).then_some(Foreign::Urls))
}

fn of_braces(first: &str, lower: &str) -> Option<Foreign> {
    match first.chars().next()? {
        '{' if first.contains("\"fields\":") && first.contains("\"reply\":") => {
            Some(Foreign::Journal)
        }
        '{' | '[' => Some(Foreign::Json),
        '<' if lower.starts_with("<!doctype")
            || lower.starts_with("<html")
            || lower.contains("<head") =>
        {
            Some(Foreign::Html)
        }
        _ => None,
    }
}

fn is_sql(lower: &str) -> bool {
    const BEGINNINGS: [&str; 9] = [
        "-- ",
        "/*",
        "insert into ",
        "create table ",
        "drop table ",
        "set names ",
        "pragma ",
        "begin transaction",
        "lock tables ",
    ];
    lower == "--" || BEGINNINGS.iter().any(|beginning| lower.starts_with(beginning))
}

/// The output of `journal`: a time, two blanks, and a reply. If its fields were read as bodies,
/// every password would become `***`.
fn is_journal_text(first: &str) -> bool {
    let is_moment =
        |word: &str| word.len() == 20 && word.ends_with('Z') && word.as_bytes()[10] == b'T';
    first.split("  ").next().is_some_and(is_moment)
        && ["  OK|", "  NOTOK|", "  ERROR|"].iter().any(|reply| first.contains(reply))
}

fn of_columns(lower: &str) -> Option<Foreign> {
    if let Some((name, _)) = lower.split_once('=') {
        // A body has %22 there: these quotes are around the body, and the last one would become
        // part of a password.
        return name.contains('"').then_some(Foreign::Table("CSV"));
    }
    if lower.starts_with("+--") {
        return Some(Foreign::Table("a table"));
    }
    let names_in = |separator: char| {
        let cells = lower.split(separator).map(|cell| cell.trim().trim_matches(['"', '\'', '`']));
        cells.filter(|cell| COLUMNS.contains(cell)).count()
    };
    SEPARATORS
        .into_iter()
        .find(|(separator, _)| names_in(*separator) >= 2)
        .map(|(_, kind)| Foreign::Table(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(head: &[u8]) -> Option<Foreign> {
        Foreign::of_bytes(head).or_else(|| Foreign::of_text(head))
    }

    #[test]
    fn what_is_no_capture_is_known_by_how_it_begins() {
        for (head, found) in [
            (&b"\x1f\x8b\x08\0"[..], Foreign::Packed("gzip", "gunzip -c")),
            (b"PK\x03\x04\x14\0", Foreign::Packed("a ZIP archive", "unzip -p")),
            (b"BZh91AY&SY", Foreign::Packed("bzip2", "bunzip2 -c")),
            (b"\xfd7zXZ\0\0", Foreign::Packed("xz", "xz -dc")),
            (b"\x28\xb5\x2f\xfd\x04", Foreign::Packed("zstd", "zstd -dc")),
            (b"SQLite format 3\0\x10", Foreign::Sqlite),
            (b"\xff\xfea\0c\0", Foreign::Utf16("UTF-16")),
            (b"\xfe\xff\0a\0c", Foreign::Utf16("UTF-16")),
            (b"a\0c\0t\0i\0", Foreign::Utf16("UTF-16LE")),
            (b"\0a\0c\0t\0i", Foreign::Utf16("UTF-16BE")),
            (b"action=ADD\rsiteid=1\r", Foreign::CarriageReturns),
            (b"\xef\xbb\xbf\"MemberID\",\"Username\"\r\n1,bob\r\n", Foreign::Table("CSV")),
            (b"siteid;memberid;username\n", Foreign::Table("CSV")),
            (b"siteid\tmemberid\tusername\n", Foreign::Table("TSV")),
            (b"+--------+\n| siteid |\n", Foreign::Table("a table")),
            (b"\n-- MySQL dump 10.13\n", Foreign::SqlDump),
            (b"/*M!999999\\- enable the sandbox mode */\n", Foreign::SqlDump),
            (b"INSERT INTO `member_auth` VALUES (1,'a=b');\n", Foreign::SqlDump),
            (b"{\"id\":1,\"fields\":\"action=ADD\",\"reply\":\"OK|\"}\n", Foreign::Journal),
            (b"[{\"action\":\"ADD\"}]", Foreign::Json),
            (b"<!DOCTYPE html>\n<html>", Foreign::Html),
            (
                b"10.0.0.1 - - [15/Jun/2026:12:00:00 +0000] \"GET /postback/x?a=1&action=ADD \
                  HTTP/1.1\" 200 5\n",
                Foreign::AccessLog,
            ),
            (b"POST /postback/x HTTP/1.1\r\nHost: a\r\n", Foreign::Requests),
            (b"https://a.example/postback/x?memberid=1&action=ADD\n", Foreign::Urls),
            (
                b"2026-06-15T12:00:00Z  ADD          1  OK|member 71 added\n    from ::1: \
                  a=1&action=ADD\n",
                Foreign::JournalText,
            ),
        ] {
            assert_eq!(kind(head), Some(found), "{}", head.escape_ascii());
        }
        let mut tar = vec![b'x'; 512];
        tar[TAR_MAGIC].copy_from_slice(b"ustar");
        assert_eq!(kind(&tar), Some(Foreign::Packed("a tar archive", "tar -xOf")));
    }

    #[test]
    fn what_could_be_a_capture_is_not_taken_for_something_else() {
        for head in [
            &b""[..],
            b"\n\n",
            b"action=ADD&siteid=1&username=a,b&password=x,y\n",
            b"username,memberid=1&action=ADD\n",
            b"nonsense\naction=CHECK&siteid=1&username=a\n",
            b"\xef\xbb\xbfaction=ADD\r\nmemberid=1\r\n",
            b"password=\0\x01&action=ADD\n",
            b"BZh9=1&action=ADD\n",
            b"email=a@example.com; b@example.com&action=ADD\n",
        ] {
            assert_eq!(kind(head), None, "{}", head.escape_ascii());
        }
    }

    #[test]
    fn without_an_action_rows_of_columns_are_a_table_and_nul_is_no_text() {
        for (head, found) in [
            (&b"71,bob,secret\n72,ann,secret\n"[..], Foreign::Table("CSV")),
            (b"71\tbob\n", Foreign::Table("TSV")),
            (b"71,bob\n72\n", Foreign::Unknown),
            (b"a,b=c\n", Foreign::Unknown),
            (b"hello\n", Foreign::Unknown),
            (b"\x7fELF\x02\x01\x01\0\0", Foreign::Binary),
        ] {
            assert_eq!(Foreign::without_action(head), found, "{}", head.escape_ascii());
        }
    }
}
