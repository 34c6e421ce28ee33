//! Counts members whose row does not match the settings because these changed, in sentences for the
//! log and for `check-config`.

use crate::password::HashKind;
use crate::store::Forms;

/// The members that an Apache cannot admit, because their row lacks the form that the settings
/// promise, and what will change that.
pub fn blocked(forms: &Forms, kind: HashKind, keep_cryptpass: bool) -> Vec<String> {
    let mut sentences = Vec::new();
    let without_bcrypt = forms.argon2id + forms.wrapped;
    if kind == HashKind::Bcrypt && without_bcrypt > 0 {
        let wrapped = match forms.wrapped {
            0 => String::new(),
            some => format!(
                " ({some} of them have a cryptpass instead, which only a password from NATS \
                 replaces)"
            ),
        };
        sentences.push(format!(
            "members without a bcrypt hash: {without_bcrypt} of {}; an Apache that reads \
             `password` does not let them in; each gets one at the member's next login (/login or \
             /auth), or when NATS next sends the password{wrapped}",
            forms.members
        ));
    }
    if keep_cryptpass && forms.without_cryptpass > 0 {
        sentences.push(format!(
            "members without a cryptpass: {} of {}; an Apache that reads `cryptpass` does not let \
             them in; each gets one when NATS next sends it, or by an import of NATS's own table \
             (docs/moving-in.md)",
            forms.without_cryptpass, forms.members
        ));
    }
    sentences
}

/// The members whose bcrypt hash will become argon2id. They can log in meanwhile.
pub fn still_bcrypt(forms: &Forms, kind: HashKind) -> Option<String> {
    (kind == HashKind::Argon2id && forms.bcrypt > 0).then(|| {
        format!(
            "members with a bcrypt hash: {} of {}; each becomes argon2id at the member's next \
             login, or when NATS next sends the password",
            forms.bcrypt, forms.members
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMS: Forms =
        Forms { members: 10, bcrypt: 2, argon2id: 3, wrapped: 1, without_cryptpass: 7 };

    #[test]
    fn only_what_the_settings_promise_is_missed() {
        for (kind, keep_cryptpass, sentences) in [
            (HashKind::Argon2id, false, [false, false, true]),
            (HashKind::Argon2id, true, [false, true, true]),
            (HashKind::Bcrypt, false, [true, false, false]),
            (HashKind::Bcrypt, true, [true, true, false]),
        ] {
            let said = blocked(&FORMS, kind, keep_cryptpass);
            let has = |beginning: &str| said.iter().any(|sentence| sentence.starts_with(beginning));
            let found = [
                has("members without a bcrypt hash: 4 of 10; "),
                has("members without a cryptpass: 7 of 10; "),
                still_bcrypt(&FORMS, kind)
                    .is_some_and(|said| said.starts_with("members with a bcrypt hash: 2 of 10; ")),
            ];
            assert_eq!(found, sentences, "{kind}, {keep_cryptpass}: {said:?}");
        }
    }

    #[test]
    fn nothing_is_said_where_nothing_is_missing() {
        for kind in [HashKind::Argon2id, HashKind::Bcrypt] {
            let none = Forms { members: 10, ..Forms::default() };
            assert!(blocked(&none, kind, true).is_empty() && still_bcrypt(&none, kind).is_none());
        }
    }
}
