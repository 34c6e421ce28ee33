//! What a postback carries: name and value pairs, read by PHP's rules because NATS is PHP and its receivers read `$_REQUEST`.
//!
//! Pure and total: any bytes give fields. Pairs borrow from the body, a value is copied only where an escape has to be undone.
//! [`Fields::journal_text`] is the one way in which fields get into the journal, and what it does not know it does not show.

use std::borrow::Cow;
use std::fmt;

use encoding_rs::WINDOWS_1252;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

use crate::member::TEXT_BYTES_MAX;

/// What stands in the journal for a value, or a whole field, that is not for reading.
pub const MASK: &str = "***";

/// What stands in the journal for a value that has several fields in it. Every parameter refuses a line break, as it refuses the
/// value itself or has no need of it: the record reads back to the same outcome.
const MASK_OF_JOINED: &str = "***%0A***";

/// Length of a field of a member record in bytes, a little below the mean: the guess for the size of the list.
const FIELD_BYTES_TYPICAL: usize = 16;

/// Everything that a form value escapes, except the space, which is a `+` there.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');

/// The fields of one postback in the order received.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields<'a> {
    pairs: Vec<Pair<'a>>,
}

/// One field. An empty name says that something stood here which is no field: `a[b]=c`, or a value without a name.
#[derive(Clone, PartialEq, Eq)]
struct Pair<'a> {
    name: Cow<'a, str>,
    value: Cow<'a, str>,
}

impl<'a> Fields<'a> {
    /// Reads `application/x-www-form-urlencoded` bytes: a body or a query string. Escapes are undone once; broken ones stay.
    pub fn from_urlencoded(raw: &'a [u8]) -> Self {
        let mut pairs = Vec::with_capacity(raw.len() / FIELD_BYTES_TYPICAL + 1);
        // Looked at once for all fields: a piece of UTF-8 between two ASCII characters is UTF-8.
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
                pairs.push(pair(unescape(name), unescape(value.strip_prefix(b"=").unwrap_or_default())));
            }
        }
        Self { pairs }
    }

    /// Takes the parts of a multipart body: nothing is escaped there, the rest of the rules is the same.
    pub fn from_parts(parts: Vec<(Vec<u8>, Vec<u8>)>) -> Fields<'static> {
        let owned = |(name, value)| pair(Cow::Owned(name), Cow::Owned(value));
        Fields { pairs: parts.into_iter().map(owned).collect() }
    }

    /// Takes names and values as they are, as a capture in TMM's layout (`key=value` lines) holds them.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let borrowed = |(name, value)| pair(Cow::Borrowed(name), Cow::Borrowed(value));
        Self { pairs: pairs.into_iter().map(borrowed).collect() }
    }

    /// These fields, then those: the query string first, then the body, whose fields win.
    pub fn then(mut self, over: Fields<'a>) -> Self {
        if self.pairs.is_empty() {
            return over;
        }
        self.pairs.extend(over.pairs);
        self
    }

    /// The value of the last field of that name. Empty counts as not given, also when an earlier one was not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.last(name).filter(|value| !value.is_empty())
    }

    /// Whether a field of that name was sent at all, even an empty one.
    pub fn has(&self, name: &str) -> bool {
        self.last(name).is_some()
    }

    fn last(&self, name: &str) -> Option<&str> {
        // No field has an empty name; the pairs that do are not fields.
        let found = self.pairs.iter().rev().find(|pair| pair.name == name && !name.is_empty())?;
        Some(&found.value)
    }

    /// Whether there is no field in it.
    pub fn is_empty(&self) -> bool {
        self.pairs.iter().all(|pair| pair.name.is_empty())
    }

    /// The fields urlencoded again in the order received, fit for the journal: values of listed names as they came, secrets and
    /// personal details as `name=***`, anything else as `***`, name and all, because a password with a bare `&` in it, or JSON
    /// posted as a form, turns up as a name. An empty value stays empty, which tells that it was not given. Several unlisted
    /// fields in a row are one `***`. The text reads back through [`Fields::from_urlencoded`] to the same listed values, but for
    /// a value that is [`joined`] and that no action can have taken: it is hidden whole.
    pub fn journal_text(&self) -> String {
        self.text_that_hides(|name, value| joined(value) && !(is_text(name) && fits_text(value)))
    }

    /// The same for a postback whose parameters were refused: there every joined value is hidden, a username too.
    pub fn journal_text_of_refused(&self) -> String {
        self.text_that_hides(|_, value| joined(value))
    }

    fn text_that_hides(&self, hidden: impl Fn(&str, &str) -> bool) -> String {
        let length = |pair: &Pair<'_>| pair.name.len() + pair.value.len() + 2;
        let mut text = String::with_capacity(self.pairs.iter().map(length).sum());
        let mut after_unlisted = false;
        for pair in &self.pairs {
            let listed = listed(&pair.name);
            if listed.is_none() && after_unlisted {
                continue;
            }
            after_unlisted = listed.is_none();
            if !text.is_empty() {
                text.push('&');
            }
            let Some(shown) = listed else {
                text.push_str(MASK);
                continue;
            };
            text.push_str(&pair.name);
            text.push('=');
            match shown {
                // Most values are numbers: nothing to hide and nothing to escape.
                Shown::Value if pair.value.bytes().all(|b| b.is_ascii_alphanumeric()) => text.push_str(&pair.value),
                Shown::Value if hidden(&pair.name, &pair.value) => text.push_str(MASK_OF_JOINED),
                Shown::Value => escape(&pair.value, &mut text),
                Shown::Mask if pair.value.is_empty() => {}
                Shown::Mask => text.push_str(MASK),
            }
        }
        text
    }
}

/// As the journal would show it: a body is full of secrets.
impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fields({})", self.journal_text_of_refused())
    }
}

/// The usual field, of which nothing has to be undone; `None` for all others.
fn plain_pair(field: &str) -> Option<Pair<'_>> {
    let bytes = field.as_bytes();
    // One walk to the end of the name, which stops at whatever is not usual; a name is short.
    let end = bytes.iter().position(|b| matches!(b, b'=' | b'%' | b'+' | b' ' | b'.' | b'[' | 0))?;
    let plain = end > 0 && bytes[end] == b'=' && !bytes[end + 1..].iter().any(|b| matches!(b, b'%' | b'+'));
    plain.then(|| Pair { name: Cow::Borrowed(&field[..end]), value: Cow::Borrowed(&field[end + 1..]) })
}

fn pair<'a>(name: Cow<'a, [u8]>, value: Cow<'a, [u8]>) -> Pair<'a> {
    match variable_name(name) {
        Some(name) => Pair { name: text(name), value: text(value) },
        None => Pair { name: Cow::Borrowed(""), value: Cow::Borrowed("") },
    }
}

/// `php_register_variable_ex`: leading spaces go, a NUL ends the name, a space, a dot and a bracket that nothing closes become
/// `_`. None for an empty name and for an array.
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
    for byte in name.iter_mut().filter(|b| special(b)) {
        *byte = b'_';
    }
    Some(Cow::Owned(name))
}

/// `php_url_decode`: a `+` is a space, `%` and two hex digits are a byte, any other `%` is itself.
fn unescape(raw: &[u8]) -> Cow<'_, [u8]> {
    if !raw.iter().any(|&b| b == b'%' || b == b'+') {
        return Cow::Borrowed(raw);
    }
    let spaced: Vec<u8> = raw.iter().map(|&b| if b == b'+' { b' ' } else { b }).collect();
    Cow::Owned(percent_decode(&spaced).collect())
}

/// UTF-8, or else the whole of it as Windows-1252, in which every byte is a character.
fn text(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    let western = |bytes: &[u8]| WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned();
    match bytes {
        Cow::Borrowed(bytes) => str::from_utf8(bytes).map_or_else(|_| Cow::Owned(western(bytes)), Cow::Borrowed),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8(bytes).unwrap_or_else(|e| western(e.as_bytes()))),
    }
}

fn escape(value: &str, into: &mut String) {
    for (i, word) in value.split(' ').enumerate() {
        if i > 0 {
            into.push('+');
        }
        into.extend(utf8_percent_encode(word, ESCAPED));
    }
}

/// Whether a value has further fields in it: the sender put line breaks or semicolons between the fields, or escaped twice. Then
/// the first of them holds all others, passwords too, and must be shown nowhere.
pub fn joined(value: &str) -> bool {
    value.contains('=') || (value.contains('%') && (value.contains("%3D") || value.contains("%3d")))
}

/// Whether [`Fields::journal_text`] or its like for a refused postback wrote this: with no value in it that they would hide. Behind
/// the fields may stand what a body that is no form was, `application/json, 12 bytes`.
pub fn is_journal_text(text: &str) -> bool {
    let (before, last) = text.rsplit_once('&').unwrap_or(("", text));
    let form = if is_description(last) { before } else { text };
    let fields = Fields::from_urlencoded(form.as_bytes());
    fields.journal_text() == form || fields.journal_text_of_refused() == form
}

/// A comma and a space stand in no urlencoded text.
fn is_description(text: &str) -> bool {
    let of = text.strip_suffix(" bytes").and_then(|rest| rest.rsplit_once(", "));
    let is_type = |kind: &str| kind.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-+._? ".contains(&b));
    of.is_some_and(|(kind, bytes)| is_type(kind) && !bytes.is_empty() && bytes.bytes().all(|b| b.is_ascii_digit()))
}

/// Listed names of which an action takes a free text, in which an `=` may well stand.
fn is_text(name: &str) -> bool {
    matches!(name, "username" | "new_username" | "email" | "new_email" | "biller" | "memberidx")
}

/// Whether an action can have taken this text.
fn fits_text(value: &str) -> bool {
    value.len() <= TEXT_BYTES_MAX && !value.contains(char::is_control)
}

/// How a listed name appears in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// With its value.
    Value,
    /// With [`MASK`] for its value.
    Mask,
}

/// What the journal does with a field of that name; None for one that is on neither list. Bytes, because the compiler turns
/// a match on them into a tree of lengths and letters, and every name of every postback passes here.
fn listed(name: &str) -> Option<Shown> {
    match name.as_bytes() {
        // The documented parameters and the record's bookkeeping.
        b"action"
        | b"active"
        | b"biller"
        | b"biller_expires"
        | b"billerid"
        | b"cascade_item_id"
        | b"cascadeid"
        | b"charges"
        | b"cost"
        | b"cost_charge"
        | b"created_date"
        | b"defaulted_optionid"
        | b"email"
        | b"expire"
        | b"expired"
        | b"expires"
        | b"first_login"
        | b"flat_price"
        | b"forced_optionid"
        | b"identid"
        | b"identid_assigned"
        | b"joined"
        | b"landing_page_lookup_id"
        | b"last_login"
        | b"last_modified"
        | b"loginid"
        | b"loginid_assigned"
        | b"mailok"
        | b"marked"
        | b"max_password_display_time"
        | b"member_identid"
        | b"member_loginid"
        | b"member_subscription_id"
        | b"memberid"
        | b"memberidx"
        | b"nats_expires"
        | b"networkid"
        | b"new_email"
        | b"new_trial"
        | b"new_username"
        | b"next_rebill"
        | b"optionid"
        | b"original_optionid"
        | b"original_username"
        | b"rebills"
        | b"refunded"
        | b"refurl_lookup_id"
        | b"renamed"
        | b"siteid"
        | b"spent"
        | b"stamp"
        | b"statid"
        | b"status"
        | b"third_party_partner_id"
        | b"trial"
        | b"trial_leftover_time"
        | b"username"
        | b"xsell_success" => Some(Shown::Value),
        // Secrets and personal details.
        b"address1" | b"address2" | b"bin_hash" | b"city" | b"country" | b"cryptpass" | b"firstname" | b"gateway_token"
        | b"ip" | b"lastname" | b"new_cryptpass" | b"new_password" | b"new_token" | b"password" | b"session" | b"state"
        | b"token_hash" | b"zip" => Some(Shown::Mask),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `parse_str` of PHP 8.2 makes of odd bodies. An array, which PHP keeps as such, is no field here.
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
            let found: Vec<(&str, &str)> =
                fields.pairs.iter().map(|p| (&*p.name, &*p.value)).filter(|p| !p.0.is_empty()).collect();
            assert_eq!(&found, expected, "{form}");
            assert_eq!(fields.is_empty(), expected.is_empty(), "{form}");
        }
    }

    #[test]
    fn the_last_one_of_a_name_counts_and_an_empty_one_is_not_given() {
        let fields = Fields::from_urlencoded(b"a=1&b=2&a=3&b=&a[x]=4&=5");
        assert_eq!((fields.get("a"), fields.get("b"), fields.get("c"), fields.get("")), (Some("3"), None, None, None));
        assert_eq!((fields.has("a"), fields.has("b"), fields.has("c"), fields.has("")), (true, true, false, false));
    }

    #[test]
    fn a_body_is_read_after_the_query_string_and_over_it() {
        let fields = Fields::from_urlencoded(b"action=ADD&trial=1").then(Fields::from_urlencoded(b"trial=0&siteid=1"));
        assert_eq!(fields.get("trial"), Some("0"));
        assert_eq!(fields.journal_text(), "action=ADD&trial=1&trial=0&siteid=1");
    }

    #[test]
    fn parts_and_captured_lines_are_literal() {
        let parts = Fields::from_parts(vec![(b"user.name".to_vec(), b"a+b%41\xe9".to_vec()), (b"a[]".to_vec(), b"1".to_vec())]);
        assert_eq!(parts.get("user_name"), Some("a+b%41é"));
        assert_eq!(parts.pairs.len(), 2);
        let lines = Fields::from_pairs([(&b"username"[..], &b"a+b%41\xe9"[..]), (b"email", b"a=b&c")]);
        assert_eq!((lines.get("username"), lines.get("email")), (Some("a+b%41é"), Some("a=b&c")));
    }

    /// `curl -d @capture`, a PHP whose `arg_separator.output` is not `&`, a form that was escaped twice: all fields are one.
    #[test]
    fn a_value_with_further_fields_in_it_is_hidden() {
        let table = [
            ("memberid=71%0Apassword=p%0Aaction=ADD", "memberid=***%0A***", "memberid=***%0A***"),
            ("action=ADD;memberid=71;password=p", "action=***%0A***", "action=***%0A***"),
            ("status=1%26password%3Dp&siteid=1", "status=***%0A***&siteid=1", "status=***%0A***&siteid=1"),
            ("status=1%2526password%253Dp", "status=***%0A***", "status=***%0A***"),
            ("username=b%0Apassword=p", "username=***%0A***", "username=***%0A***"),
            // A name that a member can have is needed to replay the journal; a refused one is not.
            ("username=b=c&email=b=c@d", "username=b%3Dc&email=b%3Dc%40d", "username=***%0A***&email=***%0A***"),
            ("password=a=b&trial=0", "password=***&trial=0", "password=***&trial=0"),
        ];
        for (form, accepted, refused) in table {
            let fields = Fields::from_urlencoded(form.as_bytes());
            assert_eq!((&*fields.journal_text(), &*fields.journal_text_of_refused()), (accepted, refused), "{form}");
            let again = Fields::from_urlencoded(accepted.as_bytes());
            assert_eq!(again.journal_text(), accepted);
        }
    }

    #[test]
    fn the_journal_shows_listed_values_and_nothing_else() {
        let table = [
            ("", ""),
            ("action=ADD&memberid=71&siteid=1", "action=ADD&memberid=71&siteid=1"),
            ("password=x&username=b", "password=***&username=b"),
            ("password=&new_password&username=", "password=&new_password=&username="),
            ("firstname=J&ip=168430278&zip=", "firstname=***&ip=***&zip="),
            // A password with a bare `&` and `=` in it, between listed fields.
            ("password=a&b=c&d&trial=0&e", "password=***&***&trial=0&***"),
            ("{\"password\":\"a&b\"}", "***"),
            ("password[x]=y&=z&trial=1&mychanges_password=p", "***&trial=1&***"),
            ("token=1&Password=p", "***"),
            ("password%00x=p&user.name=q&mail[ok=1", "password=***&***"),
            ("username=a+b%2Bc%0A%26%25*-._~@%E9", "username=a+b%2Bc%0A%26%25*-._%7E%40%C3%A9"),
        ];
        for (form, journal) in table {
            let fields = Fields::from_urlencoded(form.as_bytes());
            assert_eq!(fields.journal_text(), journal, "{form}");
            assert_eq!(format!("{fields:?}"), format!("Fields({journal})"), "{form}");
        }
    }

    #[test]
    fn the_journal_reads_back_to_the_same_values() {
        for name in ["p+&=% é", " ", "a  b", "***", "%41", "\0\r\n", "a[b]", "日本", "\u{81}~"] {
            let text = Fields::from_pairs([(&b"username"[..], name.as_bytes()), (b"x", b"y"), (b"trial", b"1")]).journal_text();
            let back = Fields::from_urlencoded(text.as_bytes());
            assert_eq!((back.get("username"), back.get("trial"), back.has("x")), (Some(name), Some("1"), false), "{text}");
            assert_eq!(back.journal_text(), text);
        }
    }

    #[test]
    fn a_text_that_shows_more_than_the_journal_does_is_none_of_it() {
        for text in
            ["", "action=ADD&password=***&***", "application/json, 12 bytes", "siteid=1&broken multipart/form-data, 3 bytes"]
        {
            assert!(is_journal_text(text), "{text}");
        }
        for text in
            ["password=secret", "x=1", "action=ADD&***&***", "username=a b", "{\"a\"}, 12 bytes", "text/plain, secret bytes"]
        {
            assert!(!is_journal_text(text), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_give_fields_and_a_journal_text_that_reads_back(bytes in proptest::collection::vec(0..=255_u8, 0..200)) {
            let text = Fields::from_urlencoded(&bytes).journal_text();
            proptest::prop_assert_eq!(Fields::from_urlencoded(text.as_bytes()).journal_text(), &*text);
            proptest::prop_assert!(is_journal_text(&text));
            proptest::prop_assert!(is_journal_text(&Fields::from_urlencoded(&bytes).journal_text_of_refused()));
        }
    }
}
