//! The text of fields in the journal. Only [`Fields::journal_text`] and its variant write it, and
//! they show the values of listed names only.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Fields, Pair};
use crate::identity::TEXT_BYTES_MAX;

/// Replaces a value or a whole field that the journal hides.
pub const MASK: &str = "***";

/// Replaces a value that contains further fields. No parameter accepts a line break, so the record
/// reads back to the same outcome: the value was refused or not needed.
const MASK_OF_JOINED: &str = "***%0A***";

/// Everything that a form value escapes, except the space, which is a `+` there.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');

impl Fields<'_> {
    /// The fields for the journal: urlencoded again, in the order received.
    ///
    /// Listed names keep their values. Secrets and personal details are `name=***`. Any other field
    /// is `***` without its name, because part of a password with a bare `&`, or JSON posted as a
    /// form, arrives as a name. Several such fields in a row are one `***`. An empty value stays
    /// empty, which shows that it was not given. A value that [`may_hold_fields`] and that no
    /// action can have taken is hidden completely. Otherwise [`Fields::from_urlencoded`] reads the
    /// same listed values from this text.
    pub fn journal_text(&self) -> String {
        self.text_that_hides(|name, value| may_hold_fields(name, value) && !fits(name, value))
    }

    /// The fields of a postback whose parameters were refused, for the journal. Unlike
    /// [`Fields::journal_text`] it hides every value that [`may_hold_fields`], even a username.
    pub fn journal_text_of_refused(&self) -> String {
        self.text_that_hides(may_hold_fields)
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
                // The fast path: most values are numbers, with nothing to hide or escape.
                Shown::Value if pair.value.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                    text.push_str(&pair.value)
                }
                Shown::Value if hidden(&pair.name, &pair.value) => text.push_str(MASK_OF_JOINED),
                Shown::Value => escape(&pair.value, &mut text),
                Shown::Mask if pair.value.is_empty() => {}
                Shown::Mask => text.push_str(MASK),
            }
        }
        text
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

/// Whether a value contains further fields: the sender separated the fields by line breaks or
/// semicolons, or escaped them twice. Then the first value contains all others, passwords too, and
/// must never be shown.
pub fn joined(value: &str) -> bool {
    value.contains('=') || (value.contains('%') && (value.contains("%3D") || value.contains("%3d")))
}

/// Whether the value of a parameter may contain further fields, passwords too, and must not be
/// shown: it is [`joined`], or no free text and has a mark of JSON, of XML or of a form that was
/// escaped several times. No action takes a value with such a mark.
pub fn may_hold_fields(name: &str, value: &str) -> bool {
    let is_mark = |b: u8| matches!(b, b'{' | b'"' | b'<' | b'%');
    joined(value) || !is_text(name) && value.bytes().any(is_mark)
}

/// Whether a text shows no value that [`Fields::journal_text`] or
/// [`Fields::journal_text_of_refused`] would hide. A description of a body that is no form,
/// `application/json, 12 bytes`, may follow the fields.
pub fn is_journal_text(text: &str) -> bool {
    let (before, last) = text.rsplit_once('&').unwrap_or(("", text));
    let form = if is_description(last) { before } else { text };
    let fields = Fields::from_urlencoded(form.as_bytes());
    let texts = [
        fields.journal_text(),
        fields.journal_text_of_refused(),
        // Releases before 0.9.0 hid joined values alone.
        fields.text_that_hides(|name, value| joined(value) && !fits(name, value)),
        fields.text_that_hides(|_, value| joined(value)),
    ];
    texts.iter().any(|text| text == form)
}

/// Urlencoded text has no comma and no space.
fn is_description(text: &str) -> bool {
    let of = text.strip_suffix(" bytes").and_then(|rest| rest.rsplit_once(", "));
    let is_type =
        |kind: &str| kind.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-+._? ".contains(&b));
    of.is_some_and(|(kind, bytes)| {
        is_type(kind) && !bytes.is_empty() && bytes.bytes().all(|b| b.is_ascii_digit())
    })
}

/// Listed names with free text, which may contain an `=`.
fn is_text(name: &str) -> bool {
    matches!(name, "username" | "new_username" | "email" | "new_email" | "biller" | "memberidx")
}

/// Whether an action can have taken this text.
fn fits(name: &str, value: &str) -> bool {
    is_text(name) && value.len() <= TEXT_BYTES_MAX && !value.contains(char::is_control)
}

/// How a listed name appears in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// With its value.
    Value,
    /// With [`MASK`] for its value.
    Mask,
}

/// How the journal shows a field of this name; `None` for an unlisted name. It matches bytes,
/// because the compiler turns that into a fast decision tree, and this runs for each field of each
/// postback.
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
        b"address1" | b"address2" | b"bin_hash" | b"city" | b"country" | b"cryptpass"
        | b"firstname" | b"gateway_token" | b"ip" | b"lastname" | b"new_cryptpass"
        | b"new_password" | b"new_token" | b"password" | b"session" | b"state" | b"token_hash"
        | b"zip" => Some(Shown::Mask),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `curl -d @capture`, a PHP whose `arg_separator.output` is not `&`, a form that was escaped
    /// twice: all fields are one.
    #[test]
    fn a_value_with_further_fields_in_it_is_hidden() {
        let table = [
            ("memberid=71%0Apassword=p%0Aaction=ADD", "memberid=***%0A***", "memberid=***%0A***"),
            ("action=ADD;memberid=71;password=p", "action=***%0A***", "action=***%0A***"),
            (
                "status=1%26password%3Dp&siteid=1",
                "status=***%0A***&siteid=1",
                "status=***%0A***&siteid=1",
            ),
            ("status=1%2526password%253Dp", "status=***%0A***", "status=***%0A***"),
            ("username=b%0Apassword=p", "username=***%0A***", "username=***%0A***"),
            // JSON, XML, a form that was escaped three times.
            ("action={\"password\":\"p\"}", "action=***%0A***", "action=***%0A***"),
            ("status=<password>p", "status=***%0A***", "status=***%0A***"),
            ("siteid=1%252526password%25253Dp", "siteid=***%0A***", "siteid=***%0A***"),
            // A name that a member can have is needed to replay the journal; a refused one is not.
            (
                "username=b=c&email=b=c@d",
                "username=b%3Dc&email=b%3Dc%40d",
                "username=***%0A***&email=***%0A***",
            ),
            ("password=a=b&trial=0", "password=***&trial=0", "password=***&trial=0"),
        ];
        for (form, accepted, refused) in table {
            let fields = Fields::from_urlencoded(form.as_bytes());
            assert_eq!(
                (&*fields.journal_text(), &*fields.journal_text_of_refused()),
                (accepted, refused),
                "{form}"
            );
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
            let text = Fields::from_pairs([
                (&b"username"[..], name.as_bytes()),
                (b"x", b"y"),
                (b"trial", b"1"),
            ])
            .journal_text();
            let back = Fields::from_urlencoded(text.as_bytes());
            assert_eq!(
                (back.get("username"), back.get("trial"), back.has("x")),
                (Some(name), Some("1"), false),
                "{text}"
            );
            assert_eq!(back.journal_text(), text);
        }
    }

    #[test]
    fn a_text_that_shows_more_than_the_journal_does_is_none_of_it() {
        for text in [
            "",
            "action=ADD&password=***&***",
            "application/json, 12 bytes",
            "siteid=1&broken multipart/form-data, 3 bytes",
            // As releases before 0.9.0 wrote them.
            "action=%7Bx%7D&siteid=1",
            "action=a%3Cb&username=***%0A***",
        ] {
            assert!(is_journal_text(text), "{text}");
        }
        for text in [
            "password=secret",
            "x=1",
            "action=ADD&***&***",
            "username=a b",
            "{\"a\"}, 12 bytes",
            "text/plain, secret bytes",
        ] {
            assert!(!is_journal_text(text), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_give_fields_and_a_journal_text_that_reads_back(
            bytes in proptest::collection::vec(0..=255_u8, 0..200),
        ) {
            let fields = Fields::from_urlencoded(&bytes);
            let text = fields.journal_text();
            let again = Fields::from_urlencoded(text.as_bytes()).journal_text();
            proptest::prop_assert_eq!(again, &*text);
            proptest::prop_assert!(is_journal_text(&text));
            proptest::prop_assert!(is_journal_text(&fields.journal_text_of_refused()));
        }
    }
}
