//! What a list of postbacks is asked for: the filters in the address of the page.

use minijinja::{Value, context};

use crate::action::{ACTION_EXPECTED, NAMES};
use crate::clock::{Zone, parse_moment};
use crate::fields::Fields;
use crate::identity::ID_EXPECTED;
use crate::journal::Origin;
use crate::ops::console::page::address;
use crate::reply::Word;
use crate::store::JournalFilter;
use crate::unicode::Visible;

/// The longest text of a filter, in bytes.
const TEXT_BYTES_MAX: usize = 255;
/// The names of the filters, in the order of the form.
const FILTERS: [&str; 8] =
    ["site", "memberid", "action", "reply", "source", "text", "from", "until"];
/// What the form calls a filter.
pub fn label(name: &'static str) -> &'static str {
    match name {
        "site" => "Site",
        "memberid" => "Memberid",
        "action" => "Action",
        "reply" => "Reply",
        "source" => "Source",
        "text" => "Text of the reply",
        "from" => "From",
        "until" => "Before (not included)",
        // It is in the address alone.
        "before" => "Number of the record before which the page begins",
        other => other,
    }
}

const MOMENT_EXPECTED: &str = "expected YYYY-MM-DD, YYYY-MM-DD hh:mm, with :ss or not, or unix \
                               seconds of 9 to 11 digits";
/// The sources of records.
const SOURCES: [Origin; 3] = [Origin::Nats, Origin::Operator, Origin::Replay];
/// The words of replies.
const WORDS: [Word; 3] = [Word::Ok, Word::NotOk, Word::Error];

/// The filters as they were typed, and the number before which the page begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// In the order of [`FILTERS`]; empty: no condition.
    typed: [String; FILTERS.len()],
    /// `before`, as it was given.
    before: String,
}

/// A filter that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFilter {
    /// The name of the filter.
    pub name: &'static str,
    /// What was expected and what was found.
    pub why: String,
}

/// What is read from the journal.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The records that match.
    pub filter: JournalFilter,
    /// Only records with lower numbers.
    pub before: Option<i64>,
}

impl Query {
    /// Reads the query of an address.
    pub fn parse(query: &str) -> Self {
        let fields = Fields::from_urlencoded(query.as_bytes());
        let typed = FILTERS.map(|name| fields.get(name).unwrap_or_default().trim().to_owned());
        Self { typed, before: fields.get("before").unwrap_or_default().to_owned() }
    }

    /// What it asks for.
    ///
    /// # Errors
    ///
    /// Each filter that cannot be used.
    pub fn asked(&self, zone: &Zone) -> Result<Asked, Vec<BadFilter>> {
        let mut bad = Vec::new();
        let mut refuse = |name: &'static str, expected: &str, found: &str| {
            let cut = &found[..found.floor_char_boundary(TEXT_BYTES_MAX)];
            bad.push(BadFilter { name, why: format!("{expected}, found \"{}\"", Visible(cut)) });
        };
        let mut id = |name| {
            let text = self.text(name)?;
            let id = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<i64>().ok());
            let id = id.flatten().filter(|&id| id > 0);
            if id.is_none() {
                refuse(name, ID_EXPECTED, text);
            }
            id
        };
        let (site, member) = (id("site"), id("memberid"));
        let mut one_of = |name, words: &[&str], expected: &str| {
            let text = self.text(name)?;
            let word = words.iter().find(|word| word.eq_ignore_ascii_case(text));
            if word.is_none() {
                refuse(name, expected, text);
            }
            word.map(|word| (*word).to_owned())
        };
        let action = one_of("action", &NAMES, ACTION_EXPECTED);
        let word = one_of("reply", &WORDS.map(Word::as_str), "expected OK, NOTOK or ERROR");
        let source =
            one_of("source", &SOURCES.map(Origin::as_str), "expected nats, operator or replay");
        let mut moment = |name| {
            let text = self.text(name)?;
            let moment = if text.len() == "YYYY-MM-DD hh:mm".len() {
                parse_moment(&format!("{text}:00"), zone)
            } else {
                parse_moment(text, zone)
            };
            if moment.is_none() {
                refuse(name, MOMENT_EXPECTED, text);
            }
            moment
        };
        let (since, until) = (moment("from"), moment("until"));
        let text = self.text("text");
        if let Some(long) = text.filter(|text| text.len() > TEXT_BYTES_MAX) {
            refuse("text", "expected at most 255 bytes", long);
        }
        let number = Some(self.before.as_str()).filter(|text| !text.is_empty());
        let before = number.and_then(|text| {
            let number = text.parse().ok().filter(|&number: &i64| number > 0);
            if number.is_none() {
                refuse("before", "expected the number of a record", text);
            }
            number
        });
        let filter = JournalFilter {
            site,
            member,
            username: None,
            action,
            word,
            since,
            until,
            source,
            text: text.map(str::to_owned),
        };
        if bad.is_empty() { Ok(Asked { filter, before }) } else { Err(bad) }
    }

    /// The address of this list at `path`, from the newest record on, or before a record.
    pub fn address(&self, path: &str, before: Option<i64>) -> String {
        let before = before.map(|before| before.to_string()).unwrap_or_default();
        let typed = FILTERS.iter().copied().zip(self.typed.iter().map(String::as_str));
        let pairs: Vec<(&str, &str)> = typed.chain([("before", &*before)]).collect();
        address(path, &pairs)
    }

    /// Whether any filter is set.
    pub fn has_filter(&self) -> bool {
        self.typed.iter().any(|text| !text.is_empty())
    }

    /// Whether the list begins with the newest record.
    pub fn is_first_page(&self) -> bool {
        self.before.is_empty()
    }

    /// The values of the form.
    pub fn form(&self) -> Value {
        let typed = FILTERS.iter().zip(&self.typed);
        let value = |name: &str| self.text(name).unwrap_or_default().to_owned();
        let choice = |name: &str, words: &[&str]| -> Value {
            let chosen = value(name);
            let option = |word: &&str| {
                context! { word => *word, is_chosen => word.eq_ignore_ascii_case(&chosen) }
            };
            words.iter().map(option).collect()
        };
        context! {
            typed => Value::from_pairs(typed.map(|(name, text)| (*name, text.as_str()))),
            actions => choice("action", &NAMES),
            words => choice("reply", &WORDS.map(Word::as_str)),
            sources => choice("source", &SOURCES.map(Origin::as_str)),
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        let at = FILTERS.iter().position(|filter| *filter == name)?;
        Some(self.typed[at].as_str()).filter(|text| !text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_filter_is_read_and_kept_in_the_address_of_the_next_page() {
        let query = Query::parse(
            "site=1&memberid=71&action=add&reply=error&source=NATS&text=held+by&from=2026-06-15&\
             until=2026-06-15+13%3A00%3A00&before=900&x=1",
        );
        let Asked { filter, before } = query.asked(&"Europe/Berlin".parse().unwrap()).unwrap();
        assert_eq!(
            (filter.site, filter.member, filter.since, filter.until, before),
            (Some(1), Some(71), Some(1_781_474_400), Some(1_781_521_200), Some(900))
        );
        let texts = [filter.action, filter.word, filter.source, filter.text];
        assert_eq!(texts.map(Option::unwrap), ["ADD", "ERROR", "nats", "held by"]);
        assert_eq!(
            query.address("/postbacks", Some(851)),
            "/postbacks?site=1&memberid=71&action=add&reply=error&source=NATS&text=held%20by&\
             from=2026%2D06%2D15&until=2026%2D06%2D15%2013%3A00%3A00&before=851"
        );
        assert_eq!(Query::parse("site=&text=+").address("/postbacks", None), "/postbacks");
    }

    #[test]
    fn a_time_is_a_day_or_has_minutes_and_perhaps_seconds() {
        for (text, unix) in [
            ("2026-06-15", 1_781_481_600),
            ("2026-06-15+12:00", 1_781_524_800),
            ("2026-06-15+12:00:05", 1_781_524_805),
            ("1781524800", 1_781_524_800),
        ] {
            let asked = Query::parse(&format!("from={text}&until={text}")).asked(&Zone::UTC);
            let filter = asked.unwrap().filter;
            assert_eq!((filter.since, filter.until), (Some(unix), Some(unix)), "{text}");
        }
    }

    #[test]
    fn each_filter_that_cannot_be_used_is_named_with_what_was_expected() {
        let long = "x".repeat(256);
        for (query, name, why) in [
            ("site=x", "site", format!("{ID_EXPECTED}, found \"x\"")),
            ("site=0", "site", format!("{ID_EXPECTED}, found \"0\"")),
            ("memberid=-1", "memberid", format!("{ID_EXPECTED}, found \"-1\"")),
            (
                "memberid=99999999999999999999",
                "memberid",
                format!("{ID_EXPECTED}, found \"99999999999999999999\""),
            ),
            ("action=JOIN", "action", format!("{ACTION_EXPECTED}, found \"JOIN\"")),
            ("reply=FINE", "reply", "expected OK, NOTOK or ERROR, found \"FINE\"".into()),
            ("source=me", "source", "expected nats, operator or replay, found \"me\"".into()),
            ("from=yesterday", "from", format!("{MOMENT_EXPECTED}, found \"yesterday\"")),
            ("until=2026-02-30", "until", format!("{MOMENT_EXPECTED}, found \"2026-02-30\"")),
            ("before=0", "before", "expected the number of a record, found \"0\"".into()),
            ("before=x", "before", "expected the number of a record, found \"x\"".into()),
        ] {
            let bad = Query::parse(query).asked(&Zone::UTC).unwrap_err();
            assert_eq!(bad, [BadFilter { name, why }], "{query}");
        }
        let bad = Query::parse(&format!("text={long}&site=a")).asked(&Zone::UTC).unwrap_err();
        assert_eq!(bad.iter().map(|bad| bad.name).collect::<Vec<_>>(), ["site", "text"]);
    }
}
