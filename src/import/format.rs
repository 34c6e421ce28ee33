//! The format of a file: as the operator says, or by its first line.

use super::batch_output::BatchOutput;
use super::columns::NO_NAMES;
use super::delimited::{Delimited, EXCEL_SEPARATOR, separator_of};
use super::dump::Dump;
use super::htpasswd::{self, Htpasswd};
use super::json::JsonLines;
use super::{BadSource, Mapping, Rows, Source};
use crate::replay::Foreign;

/// A format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Values separated by commas, semicolons or bars, with the names of the columns in the first
    /// line.
    Csv,
    /// Values separated by tabs, with the names of the columns in the first line.
    Tsv,
    /// A JSON object a line.
    JsonLines,
    /// A name and a hash a line, as Apache and nginx read it.
    Htpasswd,
    /// The output of `mysqldump`.
    MysqlDump,
    /// The output of `mysql --batch`.
    MysqlBatch,
}

/// What [`Format::parse`] accepts, for error messages.
pub const FORMATS_EXPECTED: &str = "expected csv, tsv, jsonl, htpasswd, mysql-dump or mysql-batch";

impl Format {
    /// Reads the name of a format.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "csv" => Some(Self::Csv),
            "tsv" => Some(Self::Tsv),
            "jsonl" => Some(Self::JsonLines),
            "htpasswd" => Some(Self::Htpasswd),
            "mysql-dump" => Some(Self::MysqlDump),
            "mysql-batch" => Some(Self::MysqlBatch),
            _ => None,
        }
    }

    /// Recognises the format of a file.
    ///
    /// # Errors
    ///
    /// What the file looks like instead, and what to do.
    pub fn of(source: &Source, mapping: &Mapping) -> Result<Self, BadSource> {
        let head = source.head()?;
        let text = String::from_utf8_lossy(&head);
        let said = |problem: &str| BadSource(format!("{}: {problem}", source.name()));
        let Some(first) = text.lines().find(is_content) else {
            return Err(said("has no rows"));
        };
        let trimmed = first.trim_start();
        let foreign = Foreign::of_text(&head);
        if trimmed.starts_with('{') && foreign != Some(Foreign::Journal) {
            return Ok(Self::JsonLines);
        }
        // A file of htpasswd may begin with comments.
        let second = text.lines().filter(is_content).find(|line| !line.starts_with('#'));
        if second.is_some_and(htpasswd::is_line) {
            return Ok(Self::Htpasswd);
        }
        match separator_of(first, mapping) {
            Some((b'\t', _)) if source.name().ends_with(".tsv") => return Ok(Self::Tsv),
            Some((b'\t', _)) => return Err(said(TABS)),
            Some(_) => return Ok(Self::Csv),
            None => {}
        }
        Err(said(&match foreign {
            Some(Foreign::Json) => {
                "looks like a list of JSON: expected an object a line, as from jq -c '.[]' FILE | \
                 nats-userman import -"
                    .into()
            }
            Some(Foreign::Journal) => {
                "looks like a journal: nats-userman replay --journal reads it".into()
            }
            Some(Foreign::SqlDump) => return Ok(Self::MysqlDump),
            Some(Foreign::Table(_)) | None => match first.starts_with("action=") {
                true => "looks like a capture of postbacks: nats-userman replay reads it".into(),
                false => format!("{NO_NAMES}; {GIVE_FORMAT}"),
            },
            Some(kind) => kind.said("nats-userman import -"),
        }))
    }

    /// The rows of a file of this format. `table` names one of a dump.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or its columns are not enough for a member.
    pub fn rows(
        self,
        source: &Source,
        mapping: &Mapping,
        table: Option<&str>,
    ) -> Result<Box<dyn Rows>, BadSource> {
        Ok(match self {
            Self::Csv => {
                let head = source.head()?;
                let text = String::from_utf8_lossy(&head);
                let first = text.lines().find(is_content).unwrap_or_default();
                let found = separator_of(first, mapping).map_or(b',', |(separator, _)| separator);
                let separator = if found == b'\t' { b',' } else { found };
                Box::new(Delimited::of(source, separator, mapping)?)
            }
            Self::Tsv => Box::new(Delimited::of(source, b'\t', mapping)?),
            Self::JsonLines => Box::new(JsonLines::of(source, mapping)?),
            Self::Htpasswd => Box::new(Htpasswd::of(source)?),
            Self::MysqlDump => Box::new(Dump::of(source, mapping, table)?),
            Self::MysqlBatch => Box::new(BatchOutput::of(source, mapping)?),
        })
    }
}

/// Whether a line is more than a blank one, and not the one in which Excel names the separator.
fn is_content(line: &&str) -> bool {
    !line.trim().is_empty() && !line.trim_start_matches('\u{feff}').starts_with(EXCEL_SEPARATOR)
}

const GIVE_FORMAT: &str = "or give the format with --format";

/// Their values are escaped in different ways, and a password could be read wrongly.
const TABS: &str = "the columns are separated by tabs: give --format mysql-batch for the output of \
                    mysql --batch, or --format tsv for values in quotation marks, as spreadsheets \
                    write them";

#[cfg(test)]
mod tests {
    use super::*;

    fn format(text: &str) -> Result<Format, String> {
        let source = Source::of_bytes("members", text.as_bytes());
        Format::of(&source, &Mapping::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_format_is_recognised_by_the_first_line() {
        for (text, expected) in [
            ("siteid,memberid,username,password\n", Format::Csv),
            ("\n\"Username\";\"Password\"\r\n", Format::Csv),
            ("username|cryptpass\n", Format::Csv),
            ("sep=;\r\nUsername;Password\r\n", Format::Csv),
            ("-- MySQL dump 10.13\n", Format::MysqlDump),
            ("/*M!999999\\- enable the sandbox mode */\n", Format::MysqlDump),
            ("{\"username\":\"bob\"}\n", Format::JsonLines),
            ("bob:$apr1$abcdefgh$0UjStWmXslmzQv7sQKyIS/\n", Format::Htpasswd),
            ("# members\nbob:41R19prsa7NLQ\n", Format::Htpasswd),
        ] {
            assert_eq!(format(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn another_file_is_named_with_what_to_do() {
        for (text, said) in [
            ("", "members: has no rows"),
            (" \n\n", "members: has no rows"),
            (
                "memberid\tusername\tpassword\n",
                "members: the columns are separated by tabs: give --format mysql-batch for the \
                 output of mysql --batch, or --format tsv for values in quotation marks, as \
                 spreadsheets write them",
            ),
            (
                "[{\"username\":\"bob\"}]",
                "members: looks like a list of JSON: expected an object a line, as from jq -c \
                 '.[]' FILE | nats-userman import -",
            ),
            (
                "{\"id\":1,\"fields\":\"action=ADD\",\"reply\":\"OK|\"}\n",
                "members: looks like a journal: nats-userman replay --journal reads it",
            ),
            (
                "action=ADD&siteid=1&memberid=71\n",
                "members: looks like a capture of postbacks: nats-userman replay reads it",
            ),
            (
                "<!DOCTYPE html>\n",
                "members: looks like HTML, as a page of an error that was saved: is it the right \
                 file?",
            ),
        ] {
            assert_eq!(format(text).unwrap_err(), said);
        }
        let unnamed = format("71,bob,secret\n").unwrap_err();
        assert_eq!(unnamed, format!("members: {NO_NAMES}; {GIVE_FORMAT}"));
    }
}
