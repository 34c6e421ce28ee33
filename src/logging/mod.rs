//! The log on stderr: one line per event, and no value can begin another line.

pub mod limit;
mod lines;
pub mod priority;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use env_logger::{Builder, Logger, Target};
use log::kv::{Error, Key, Value, VisitSource};
use log::{LevelFilter, Log, Metadata, Record};

pub use lines::flush;

use crate::clock::format_utc;
use crate::unicode::Visible;
use lines::Lines;

/// The longest log line, in bytes: values come from outside and may be longer.
const LINE_BYTES_MAX: usize = 2048;

/// The initial capacity of a line: enough for the line of a postback.
const LINE_BYTES_USUAL: usize = 256;

/// The log levels of this program's modules. Other crates are limited to warn: at debug they would
/// log the data that they handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(Vec<(String, LevelFilter)>);

impl LogFilter {
    /// Reads a comma-separated list of `level` and `module=level`. Modules are named without the
    /// crate, as in `writer` or `http::postback`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut directives = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (module, level) = part.split_once('=').unwrap_or(("", part));
            let module = module.trim_start_matches("nats_userman").trim_start_matches("::");
            let whole = if module.is_empty() {
                "nats_userman".to_owned()
            } else {
                format!("nats_userman::{module}")
            };
            directives.push((whole, level.parse().ok()?));
        }
        (!directives.is_empty()).then_some(Self(directives))
    }
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Format {
    /// Reads `text` or `json`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// The logger in effect, which a reload of the settings replaces.
struct Current(ArcSwap<Logger>);

static CURRENT: OnceLock<Current> = OnceLock::new();

impl Log for Current {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.0.load().enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        self.0.load().log(record);
    }

    fn flush(&self) {
        self.0.load().flush();
    }
}

/// Sends the log to stderr from here on. A second call changes nothing.
pub fn start(filter: &LogFilter, format: Format) {
    let mut is_first = false;
    let current = CURRENT.get_or_init(|| {
        is_first = true;
        Current(ArcSwap::from_pointee(logger(filter, format, Lines::start())))
    });
    // An error means that another test of this process has its own logger.
    if is_first && log::set_logger(current).is_ok() {
        log::set_max_level(current.0.load().filter());
    }
}

/// Replaces the levels and the format of the log that was started.
pub fn replace(filter: &LogFilter, format: Format) {
    if let Some(current) = CURRENT.get() {
        let logger = logger(filter, format, Lines::started());
        log::set_max_level(logger.filter());
        current.0.store(Arc::new(logger));
    }
}

fn logger(filter: &LogFilter, format: Format, lines: Option<Lines>) -> Logger {
    let mut builder = Builder::new();
    let target = lines.map_or(Target::Stderr, |lines| Target::Pipe(Box::new(lines)));
    builder.target(target).filter_level(LevelFilter::Warn);
    // It logs an error for every malformed request, of which a client can send any number.
    builder.filter_module("actix_http", LevelFilter::Off);
    for (module, level) in &filter.0 {
        builder.filter_module(module, *level);
    }
    let is_for_journal = priority::is_wanted();
    builder.format(move |out, record| {
        let now = chrono::Utc::now().timestamp();
        let line = match format {
            Format::Text => text_line(now, record),
            Format::Json => json_line(now, record),
        };
        // One write per line, so that lines of two threads never mix.
        match is_for_journal {
            true => out.write_all((priority::prefix(record.level()).to_owned() + &line).as_bytes()),
            false => out.write_all(line.as_bytes()),
        }
    });
    builder.build()
}

fn text_line(now: i64, record: &Record<'_>) -> String {
    let mut line = String::with_capacity(LINE_BYTES_USUAL);
    let _ = write!(line, "{} {:<5} {}", format_utc(now), record.level(), record.args());
    let mut pairs = TextPairs(&mut line);
    // Writing into a String cannot fail.
    let _ = record.key_values().visit(&mut pairs);
    one_line(line)
}

/// `key=value`, quoted where a value has spaces.
struct TextPairs<'a>(&'a mut String);

impl<'kvs> VisitSource<'kvs> for TextPairs<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        // Strings, which most are, without a copy.
        let text =
            value.to_borrowed_str().map_or_else(|| Cow::Owned(value.to_string()), Cow::Borrowed);
        let line = &mut *self.0;
        line.push(' ');
        line.push_str(key.as_str());
        line.push('=');
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'=')
        {
            line.push_str(&text);
        } else {
            line.push('"');
            for piece in text.split_inclusive(['"', '\\']) {
                let (plain, quote) =
                    piece.split_at(piece.len() - usize::from(piece.ends_with(['"', '\\'])));
                line.push_str(plain);
                if !quote.is_empty() {
                    line.push('\\');
                    line.push_str(quote);
                }
            }
            line.push('"');
        }
        Ok(())
    }
}

fn json_line(now: i64, record: &Record<'_>) -> String {
    let mut object =
        JsonObject { pairs: serde_json::Map::new(), room: LINE_BYTES_MAX - "{}".len() };
    object.insert("time", format_utc(now));
    object.insert("level", record.level().as_str().to_ascii_lowercase());
    object.insert("message", record.args().to_string());
    let _ = record.key_values().visit(&mut object);
    let mut line = serde_json::Value::Object(object.pairs).to_string();
    line.push('\n');
    line
}

/// The pairs of a line, and how many more bytes it may have. What comes last is cut, as in text: a
/// value to the room that is left, and a pair without room for its value is left out.
struct JsonObject {
    pairs: serde_json::Map<String, serde_json::Value>,
    room: usize,
}

impl JsonObject {
    fn insert(&mut self, key: &str, value: impl Into<serde_json::Value>) {
        let around = json_bytes(key) + r#""":"","#.len();
        let Some(room) = self.room.checked_sub(around) else { return };
        let value = match value.into() {
            serde_json::Value::String(text) => json_cut(text, room).into(),
            other => other,
        };
        let bytes = value.as_str().map_or_else(|| value.to_string().len(), json_bytes);
        if let Some(rest) = room.checked_sub(bytes) {
            self.room = rest;
            self.pairs.insert(key.to_owned(), value);
        }
    }
}

impl<'kvs> VisitSource<'kvs> for JsonObject {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        match value.to_u64() {
            Some(number) => self.insert(key.as_str(), number),
            None => self.insert(key.as_str(), value.to_string()),
        }
        Ok(())
    }
}

/// The longest prefix that has at most this many bytes in JSON.
fn json_cut(mut text: String, bytes_max: usize) -> String {
    let mut bytes = 0;
    let end = text.char_indices().find(|(_, c)| {
        bytes += json_char_bytes(*c);
        bytes > bytes_max
    });
    if let Some((at, _)) = end {
        text.truncate(at);
    }
    text
}

/// Bytes of a text in JSON, without its quotation marks.
fn json_bytes(text: &str) -> usize {
    text.chars().map(json_char_bytes).sum()
}

/// Bytes of a character as serde_json escapes it.
fn json_char_bytes(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..' ' => r"\u0000".len(),
        _ => c.len_utf8(),
    }
}

/// Replaces control characters by `?`, so that no value of a postback can begin another line. Other
/// invisible characters are shown as their number: none can reverse the line or imitate another.
fn one_line(line: String) -> String {
    // Most lines are plain ASCII, and this check is faster than one by characters.
    let plain = line.bytes().all(|b| matches!(b, b' '..=b'~'));
    let mut line =
        cut(if plain { line } else { Visible(&line.replace(char::is_control, "?")).to_string() });
    line.push('\n');
    line
}

fn cut(mut line: String) -> String {
    line.truncate(line.floor_char_boundary(LINE_BYTES_MAX));
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::Level;

    const NOW: i64 = 1_496_792_016;

    fn lines(message: &str, username: &str) -> (String, String) {
        let pairs = [("site", "1"), ("username", username)];
        let args = format_args!("{message}").to_string();
        let with = |make: fn(i64, &Record<'_>) -> String| {
            make(
                NOW,
                &Record::builder()
                    .args(format_args!("{args}"))
                    .level(Level::Info)
                    .key_values(&pairs)
                    .build(),
            )
        };
        (with(text_line), with(json_line))
    }

    #[test]
    fn a_line_has_its_time_its_level_and_its_pairs() {
        let (text, json) = lines("postback", "bob smith");
        assert_eq!(text, "2017-06-06T23:33:36Z INFO  postback site=1 username=\"bob smith\"\n");
        assert_eq!(
            json,
            concat!(
                r#"{"level":"info","message":"postback","site":"1","time":"2017-06-06T23:33:36Z","#,
                r#""username":"bob smith"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn no_value_begins_a_line_of_its_own() {
        for value in ["a\nb", "a\r\nb", "a\u{85}b", "a\u{1b}[2Jb"] {
            let (text, json) = lines(value, value);
            assert_eq!((text.lines().count(), json.lines().count()), (1, 1), "{value:?}");
            assert!(!text.trim_end().contains(char::is_control), "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_seen_stands_as_its_number() {
        let (text, _) = lines("found \u{202e}1", "\u{2066}bob\u{200b} ren\u{e9}\n");
        let line = "INFO  found \\u{202e}1 site=1 username=\"\\u{2066}bob\\u{200b} ren\u{e9}?\"\n";
        assert_eq!(text, format!("2017-06-06T23:33:36Z {line}"));
    }

    #[test]
    fn a_line_is_bounded() {
        let (text, json) = lines("m", &"x".repeat(100_000));
        assert_eq!((text.len(), json.len()), (LINE_BYTES_MAX + 1, LINE_BYTES_MAX));
    }

    /// Regression: each value had its own bound, so a line with many values had none.
    #[test]
    fn a_line_of_json_is_bounded_as_a_whole_and_still_json() {
        for value in ["x", "é", "\"", "\\", "\n", "\u{1}", "\u{8}\u{c}", "\u{7f}", "\u{2028}", "𝄞"]
        {
            for (message, length) in
                [("m", 10), ("m", 300), ("m", 3000), (&value.repeat(3000)[..], 10)]
            {
                let values = value.repeat(length);
                let pairs =
                    ["a", "b", "c", "d", "e", "f", "g", "h"].map(|key| (key, values.as_str()));
                let line = json_line(
                    NOW,
                    &Record::builder()
                        .args(format_args!("{message}"))
                        .level(Level::Info)
                        .key_values(&pairs)
                        .build(),
                );
                assert!(line.len() <= LINE_BYTES_MAX + 1, "{value:?}: {} bytes", line.len());
                let object: serde_json::Map<String, serde_json::Value> =
                    serde_json::from_str(&line).unwrap();
                assert_eq!(
                    (object["time"].as_str(), object["level"].as_str()),
                    (Some("2017-06-06T23:33:36Z"), Some("info"))
                );
                assert!(message.starts_with(object["message"].as_str().unwrap()), "{line}");
                assert!(
                    object
                        .iter()
                        .all(|(key, kept)| key.len() > 1
                            || values.starts_with(kept.as_str().unwrap())),
                    "{line}"
                );
            }
        }
    }

    #[test]
    fn a_filter_names_our_own_modules_alone() {
        let filter = LogFilter::parse("info, writer=debug").unwrap();
        let expected = [
            ("nats_userman".to_owned(), LevelFilter::Info),
            ("nats_userman::writer".to_owned(), LevelFilter::Debug),
        ];
        assert_eq!(filter, LogFilter(expected.to_vec()));
        assert_eq!(LogFilter::parse("actix_web=trace").unwrap().0[0].0, "nats_userman::actix_web");
        assert_eq!((LogFilter::parse(""), LogFilter::parse("loud")), (None, None));
    }
}
