//! The fields of a postback: name and value pairs, read by PHP's rules, because NATS and its other
//! receivers are written in PHP.
//!
//! Any bytes can be read as fields. Pairs borrow from the body; a value is copied only where an
//! escape has to be decoded. `journal_text` has their form in the journal.

mod journal_text;

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use percent_encoding::percent_decode;
use zeroize::Zeroizing;

use crate::unicode::from_windows_1252;

pub use journal_text::{MASK, is_journal_text, joined, may_hold_fields};

/// The longest body that is read as a postback. A whole NATS4 record has about 1.5 KiB.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Typical length of a field in bytes, a little below the mean. It sizes the list in advance.
const FIELD_BYTES_TYPICAL: usize = 16;

/// The fields of one postback in the order received.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields<'a> {
    pairs: Vec<Pair<'a>>,
}

/// One field. An empty name marks input that is no field: an array (`a[b]=c`) or a value without a
/// name.
#[derive(Clone, PartialEq, Eq)]
struct Pair<'a> {
    name: Text<'a>,
    value: Text<'a>,
}

/// A name or a value. It may be a password, so copied text is zeroed when it is dropped.
#[derive(Clone, PartialEq, Eq)]
enum Text<'a> {
    Borrowed(&'a str),
    Owned(Zeroizing<String>),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Text::Borrowed(text) => text,
            Text::Owned(text) => text,
        }
    }
}

impl<'a> Fields<'a> {
    /// Reads `application/x-www-form-urlencoded` bytes: a body or a query string. Decodes escapes
    /// once; malformed escapes stay as they are.
    pub fn from_urlencoded(raw: &'a [u8]) -> Self {
        let mut pairs = Vec::with_capacity(raw.len() / FIELD_BYTES_TYPICAL + 1);
        // Checked once for all fields: a piece of UTF-8 between two ASCII characters is UTF-8.
        let utf8 = std::str::from_utf8(raw).ok();
        let mut start = 0;
        for field in raw.split(|&b| b == b'&') {
            let span = start..start + field.len();
            start = span.end + 1;
            if let Some(plain) = utf8.and_then(|text| plain_pair(&text[span])) {
                pairs.push(plain);
            } else if !field.is_empty() {
                let end_of_name = field.iter().position(|&b| b == b'=').unwrap_or(field.len());
                let (name, value) = field.split_at(end_of_name);
                pairs.push(pair(
                    unescape(name),
                    unescape(value.strip_prefix(b"=").unwrap_or_default()),
                ));
            }
        }
        Self { pairs }
    }

    /// Takes the parts of a multipart body. Values are not escaped there; otherwise PHP's rules
    /// apply.
    pub fn from_parts(parts: Vec<(Vec<u8>, Vec<u8>)>) -> Fields<'static> {
        let owned = |(name, value)| pair(Cow::Owned(name), Cow::Owned(value));
        Fields { pairs: parts.into_iter().map(owned).collect() }
    }

    /// Takes literal names and values, as in a capture in TMM's layout (`key=value` lines).
    pub fn from_pairs(pairs: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let borrowed = |(name, value)| pair(Cow::Borrowed(name), Cow::Borrowed(value));
        Self { pairs: pairs.into_iter().map(borrowed).collect() }
    }

    /// Appends the fields of `over`, which override equal names. The query string comes first, then
    /// the body.
    pub fn then(mut self, over: Fields<'a>) -> Self {
        if self.pairs.is_empty() {
            return over;
        }
        self.pairs.extend(over.pairs);
        self
    }

    /// The value of the last field of that name. An empty one counts as not given, even when an
    /// earlier one is not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.last(name).filter(|value| !value.is_empty())
    }

    /// Whether a field of that name was sent, even with an empty value.
    pub fn has(&self, name: &str) -> bool {
        self.last(name).is_some()
    }

    /// All fields in the order received, with duplicates. Input that is no field has an empty name.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|pair| (&*pair.name, &*pair.value))
    }

    fn last(&self, name: &str) -> Option<&str> {
        // Pairs with an empty name are no fields.
        let found = self.pairs.iter().rev().find(|pair| *pair.name == *name && !name.is_empty())?;
        Some(&found.value)
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.pairs.iter().all(|pair| pair.name.is_empty())
    }
}

/// Hides secrets as the journal does.
impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fields({})", self.journal_text_of_refused())
    }
}

/// The fast path: a field without escapes and special characters. `None` for all others.
fn plain_pair(field: &str) -> Option<Pair<'_>> {
    let bytes = field.as_bytes();
    // One pass to the end of the name, which stops at any special character.
    let end =
        bytes.iter().position(|b| matches!(b, b'=' | b'%' | b'+' | b' ' | b'.' | b'[' | 0))?;
    let plain =
        end > 0 && bytes[end] == b'=' && !bytes[end + 1..].iter().any(|b| matches!(b, b'%' | b'+'));
    plain.then(|| Pair {
        name: Text::Borrowed(&field[..end]),
        value: Text::Borrowed(&field[end + 1..]),
    })
}

fn pair<'a>(name: Cow<'a, [u8]>, value: Cow<'a, [u8]>) -> Pair<'a> {
    let value = text(value);
    match variable_name(name) {
        Some(name) => Pair { name: text(name), value },
        None => Pair { name: Text::Borrowed(""), value: Text::Borrowed("") },
    }
}

/// PHP's `php_register_variable_ex`: removes leading spaces, ends the name at a NUL, and replaces
/// spaces, dots and unclosed brackets by `_`. `None` for an empty name, for an array, and for a
/// name to which only the replacement gives the protected prefix of a cookie.
fn variable_name(name: Cow<'_, [u8]>) -> Option<Cow<'_, [u8]>> {
    let special = |&b: &u8| matches!(b, b' ' | b'.' | b'[' | 0);
    if !name.iter().any(special) {
        return (!name.is_empty()).then_some(name);
    }
    let end = name.iter().position(|&b| b == 0).unwrap_or(name.len());
    let start = name[..end].iter().position(|&b| b != b' ')?;
    let mut name = name[start..end].to_vec();
    if let Some(open) = name.iter().position(|&b| b == b'[')
        && (open == 0 || name[open..].contains(&b']'))
    {
        return None;
    }
    let is_protected =
        |name: &[u8]| [&b"__Host-"[..], b"__Secure-"].iter().any(|prefix| name.starts_with(prefix));
    let was_protected = is_protected(&name);
    for byte in name.iter_mut().filter(|b| special(b)) {
        *byte = b'_';
    }
    (was_protected || !is_protected(&name)).then_some(Cow::Owned(name))
}

/// PHP's `php_url_decode`: a `+` is a space, `%` and two hex digits are a byte, any other `%`
/// stays.
fn unescape(raw: &[u8]) -> Cow<'_, [u8]> {
    if !raw.iter().any(|&b| b == b'%' || b == b'+') {
        return Cow::Borrowed(raw);
    }
    let spaced: Zeroizing<Vec<u8>> =
        Zeroizing::new(raw.iter().map(|&b| if b == b'+' { b' ' } else { b }).collect());
    // With its full capacity at once: growing would leave copies in memory.
    let mut bytes = Vec::with_capacity(raw.len());
    bytes.extend(percent_decode(&spaced));
    Cow::Owned(bytes)
}

/// UTF-8, or else the whole of it as Windows-1252, in which every byte is a character.
fn text(bytes: Cow<'_, [u8]>) -> Text<'_> {
    match bytes {
        Cow::Borrowed(bytes) => str::from_utf8(bytes)
            .map_or_else(|_| Text::Owned(from_windows_1252(bytes)), Text::Borrowed),
        Cow::Owned(bytes) => Text::Owned(match String::from_utf8(bytes) {
            Ok(text) => Zeroizing::new(text),
            Err(error) => from_windows_1252(&Zeroizing::new(error.into_bytes())),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `parse_str` of PHP 8.2 makes of odd bodies. An array, which PHP keeps as such, is no
    /// field here.
    #[test]
    fn a_form_is_read_as_php_reads_it() {
        let table: &[(&str, &[(&str, &str)])] = &[
            ("", &[]),
            ("&&a=1&", &[("a", "1")]),
            ("a", &[("a", "")]),
            ("a=", &[("a", "")]),
            ("=b", &[]),
            ("=a=1", &[]),
            ("%3Da=1", &[("=a", "1")]),
            ("a=b=c", &[("a", "b=c")]),
            ("a;b=1;c=2", &[("a;b", "1;c=2")]),
            ("a%26b=1", &[("a&b", "1")]),
            ("%61=1", &[("a", "1")]),
            // Escapes, once.
            ("a=+", &[("a", " ")]),
            ("a=%2B", &[("a", "+")]),
            ("a=%2541", &[("a", "%41")]),
            ("a=%", &[("a", "%")]),
            ("a=%4", &[("a", "%4")]),
            ("a=%zz", &[("a", "%zz")]),
            ("a=%%34", &[("a", "%4")]),
            ("a%=1", &[("a%", "1")]),
            ("a=b%00c", &[("a", "b\0c")]),
            // Names: spaces and dots.
            ("+=1", &[]),
            ("++a+=1", &[("a_", "1")]),
            ("a+b=1", &[("a_b", "1")]),
            ("a%2eb=1", &[("a_b", "1")]),
            (".a=1", &[("_a", "1")]),
            ("+.a=1", &[("_a", "1")]),
            (
                "..Host-a=1&_.Secure-b=2&__Host-c=3&+__Host-d=4",
                &[("__Host-c", "3"), ("__Host-d", "4")],
            ),
            ("\ta%0a=1", &[("\ta\n", "1")]),
            // Names: cut at NUL.
            ("%00a=1", &[]),
            ("a%00b=1", &[("a", "1")]),
            ("a%00[b]=1", &[("a", "1")]),
            ("a[b%00]=1", &[("a_b", "1")]),
            // Names: brackets.
            ("a[b]=1&a[]=2&a[b][c=3&a[b]c=4&a[b[c]=5", &[]),
            ("[a]=1&[]=2&[a=3&[[a=4&+[b=5&%5B=6", &[]),
            ("a%5Bb%5D=1", &[]),
            ("a]b=1", &[("a]b", "1")]),
            ("a[b=1", &[("a_b", "1")]),
            ("a%5Bb=1", &[("a_b", "1")]),
            ("a[=1", &[("a_", "1")]),
            ("a[ =1", &[("a__", "1")]),
            ("a[[b=1", &[("a__b", "1")]),
            ("a.b[c.d [e=1", &[("a_b_c_d__e", "1")]),
            ("a=1&a[b=2", &[("a", "1"), ("a_b", "2")]),
            // Beyond ASCII: UTF-8, or else Windows-1252.
            ("a=%C3%A9&\u{e9}=1", &[("a", "é"), ("é", "1")]),
            ("a=%E9%80", &[("a", "é€")]),
            ("a=%C3%A9%E9", &[("a", "Ã©é")]),
            ("%E9=%81", &[("é", "\u{81}")]),
        ];
        for (form, expected) in table {
            let fields = Fields::from_urlencoded(form.as_bytes());
            let found: Vec<(&str, &str)> = fields.all().filter(|p| !p.0.is_empty()).collect();
            assert_eq!(&found, expected, "{form}");
            assert_eq!(fields.is_empty(), expected.is_empty(), "{form}");
        }
    }

    #[test]
    fn the_last_one_of_a_name_counts_and_an_empty_one_is_not_given() {
        let fields = Fields::from_urlencoded(b"a=1&b=2&a=3&b=&a[x]=4&=5");
        assert_eq!(
            (fields.get("a"), fields.get("b"), fields.get("c"), fields.get("")),
            (Some("3"), None, None, None)
        );
        assert_eq!(
            (fields.has("a"), fields.has("b"), fields.has("c"), fields.has("")),
            (true, true, false, false)
        );
    }

    #[test]
    fn a_body_is_read_after_the_query_string_and_over_it() {
        let fields = Fields::from_urlencoded(b"action=ADD&trial=1")
            .then(Fields::from_urlencoded(b"trial=0&siteid=1"));
        assert_eq!(fields.get("trial"), Some("0"));
        assert_eq!(fields.journal_text(), "action=ADD&trial=1&trial=0&siteid=1");
    }

    #[test]
    fn parts_and_captured_lines_are_literal() {
        let parts = Fields::from_parts(vec![
            (b"user.name".to_vec(), b"a+b%41\xe9".to_vec()),
            (b"a[]".to_vec(), b"1".to_vec()),
        ]);
        assert_eq!(parts.get("user_name"), Some("a+b%41é"));
        assert_eq!(parts.pairs.len(), 2);
        let lines =
            Fields::from_pairs([(&b"username"[..], &b"a+b%41\xe9"[..]), (b"email", b"a=b&c")]);
        assert_eq!((lines.get("username"), lines.get("email")), (Some("a+b%41é"), Some("a=b&c")));
    }
}
