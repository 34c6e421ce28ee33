//! Splits the fields of a record into their names, which repeat in nearly every record, and their
//! values. A database stores each list of names once.
//!
//! Both parts are text. `siteid=1&password=***&***&trial=0` of a record with siteid 1 becomes the
//! names `siteid=&password=&***&trial=` and the values `=&~&0`. In the values, `~` stands for
//! `***`, and `=` for the record's own column of that name.

use std::borrow::Cow;

use crate::fields::MASK;

/// Replaces [`MASK`] in the values. Urlencoded text has no `~`.
const MASKED: &str = "~";
/// Replaces the value of the record's column. Urlencoded values have no `=`.
const IN_COLUMN: &str = "=";

/// The columns of a record whose values its fields repeat.
#[derive(Clone, Copy, Debug, Default)]
pub struct Columns<'a> {
    /// Column `action`.
    pub action: Option<&'a str>,
    /// Column `siteid`.
    pub site: Option<i64>,
    /// Column `memberid`.
    pub member: Option<i64>,
    /// Column `username`.
    pub username: Option<&'a str>,
}

impl<'a> Columns<'a> {
    /// The value of the record's column for a field of this name, if there is such a column.
    fn value(&self, name: &str) -> Option<Cow<'a, str>> {
        let id = |id: Option<i64>| Some(Cow::Owned(id?.to_string()));
        match name.as_bytes() {
            b"action" => self.action.map(Cow::Borrowed),
            b"siteid" => id(self.site),
            b"memberid" => id(self.member),
            // Most members keep their first username.
            b"username" | b"original_username" => self.username.map(Cow::Borrowed),
            _ => None,
        }
    }
}

/// The two parts of a record's fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// Each name with its `=`, and each field that is hidden whole as [`MASK`], joined by `&`.
    pub names: String,
    /// One value for each name, joined by `&`.
    pub values: String,
}

impl Split {
    /// Splits a record's fields. `None` if [`join`] could not restore the text byte for byte:
    /// the text has a part that is neither a field nor [`MASK`], or a value that has another
    /// meaning here.
    pub fn of(fields: &str, columns: &Columns<'_>) -> Option<Self> {
        let mut split = Self {
            names: String::with_capacity(fields.len()),
            values: String::with_capacity(fields.len()),
        };
        let mut is_first_value = true;
        // Bytes, because this runs for each field of each postback. Between two `&` is UTF-8.
        let mut start = 0;
        for field in fields.as_bytes().split(|&b| b == b'&') {
            let field = &fields[start..start + field.len()];
            start += field.len() + 1;
            if !split.names.is_empty() {
                split.names.push('&');
            }
            let Some(end_of_name) = field.bytes().position(|b| b == b'=') else {
                if field != MASK {
                    return None;
                }
                split.names.push_str(MASK);
                continue;
            };
            let (name, value) = (&field[..end_of_name], &field[end_of_name + 1..]);
            split.names.push_str(&field[..=end_of_name]);
            if !std::mem::take(&mut is_first_value) {
                split.values.push('&');
            }
            split.values.push_str(match value {
                MASK => MASKED,
                MASKED | IN_COLUMN => return None,
                "" => "",
                value if columns.value(name).is_some_and(|column| column == value) => IN_COLUMN,
                value => value,
            });
        }
        Some(split)
    }
}

/// Restores a record's fields. `None` if the parts do not belong together.
pub fn join(names: &str, values: &str, columns: &Columns<'_>) -> Option<String> {
    let mut fields = String::with_capacity(names.len() + values.len() + 64);
    // Without a name there is no value, and `split` would find an empty one.
    let has_value = names.contains('=');
    let mut values = values.split('&').filter(|value| has_value || !value.is_empty());
    for (index, name) in names.split('&').enumerate() {
        if index > 0 {
            fields.push('&');
        }
        fields.push_str(name);
        let Some(column) = name.strip_suffix('=') else { continue };
        match values.next()? {
            MASKED => fields.push_str(MASK),
            IN_COLUMN => fields.push_str(&columns.value(column)?),
            value => fields.push_str(value),
        }
    }
    values.next().is_none().then_some(fields)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fields::Fields;

    const COLUMNS: Columns<'_> =
        Columns { action: Some("ADD"), site: Some(1), member: Some(71), username: Some("bob") };

    #[test]
    fn names_and_values_are_apart_and_nothing_is_stored_twice() {
        for (fields, names, values) in [
            ("trial=0&email=a%40b&trial=", "trial=&email=&trial=", "0&a%40b&"),
            ("password=***&zip=&***&ip=***", "password=&zip=&***&ip=", "~&&~"),
            ("***", "***", ""),
            ("***&***", "***&***", ""),
            ("trial=", "trial=", ""),
            (
                "action=ADD&siteid=1&memberid=71&username=bob&original_username=bob",
                "action=&siteid=&memberid=&username=&original_username=",
                "=&=&=&=&=",
            ),
            ("username=Bob&original_username=b%6Fb", "username=&original_username=", "Bob&b%6Fb"),
            ("siteid=01&memberid=&action=ADD", "siteid=&memberid=&action=", "01&&="),
            ("siteid=1&siteid=2", "siteid=&siteid=", "=&2"),
            ("=&=a", "=&=", "&a"),
        ] {
            let split = Split::of(fields, &COLUMNS);
            assert_eq!(split, Some(Split { names: names.into(), values: values.into() }));
            assert_eq!(join(names, values, &COLUMNS).as_deref(), Some(fields));
        }
    }

    #[test]
    fn a_text_that_could_not_be_restored_is_not_split() {
        for fields in [
            "",
            "&trial=0",
            "trial=0&",
            "trial=0&&zip=",
            "application/json, 12 bytes",
            "siteid=1&broken multipart/form-data, 3 bytes",
            "trial=~",
            "trial==",
        ] {
            assert_eq!(Split::of(fields, &COLUMNS), None, "{fields}");
        }
    }

    #[test]
    fn parts_that_do_not_belong_together_are_not_joined() {
        for (names, values) in
            [("trial=&zip=", "0"), ("trial=", "0&1"), ("trial=", "="), ("***", "~"), ("***", "0")]
        {
            assert_eq!(join(names, values, &COLUMNS), None, "{names} {values}");
        }
        assert_eq!(join("action=", "=", &Columns::default()), None);
    }

    proptest! {
        #[test]
        fn any_body_is_restored_byte_for_byte(
            body in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let fields = Fields::from_urlencoded(&body);
            for text in [fields.journal_text(), fields.journal_text_of_refused()] {
                let split = Split::of(&text, &COLUMNS);
                prop_assert!(split.is_some() || text.is_empty(), "{}", text);
                let again = split.and_then(|split| join(&split.names, &split.values, &COLUMNS));
                prop_assert!(again.is_none_or(|again| again == text));
            }
        }

        #[test]
        fn any_form_is_restored_byte_for_byte(
            form in concat!(
                "((action|siteid|memberid|username|original_username|password|trial|x|)",
                "=(ADD|0?1|71|bob|b ob|\\*\\*\\*|~|=|[^&]{0,4})&?){0,12}",
            ),
        ) {
            let text = Fields::from_urlencoded(form.as_bytes()).journal_text();
            let split = Split::of(&text, &COLUMNS);
            prop_assert!(split.is_some() || text.is_empty(), "{}", text);
            let again = split.and_then(|split| join(&split.names, &split.values, &COLUMNS));
            prop_assert!(again.is_none_or(|again| again == text));
        }

        #[test]
        fn any_text_is_restored_byte_for_byte_or_not_split(text in "[a=&~*]{0,16}|\\PC{0,40}") {
            let again = Split::of(&text, &COLUMNS)
                .map(|split| join(&split.names, &split.values, &COLUMNS));
            prop_assert!(again.is_none_or(|again| again.as_deref() == Some(&*text)));
        }
    }
}
