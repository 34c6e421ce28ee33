//! What each parameter of each action is for.

use crate::action::Action;

/// Of the member and the name.
const OF_ALL: [(&str, &str); 4] = [
    ("action", "the action"),
    ("siteid", "the site"),
    ("memberid", "the member"),
    (
        "stamp",
        "when NATS wrote the record: an older one than the row's does not change it, with \
      --stale-guard",
    ),
];
const DETAILS: [(&str, &str); 10] = [
    ("username", "the login name"),
    ("password", "the password"),
    ("cryptpass", "the crypt(3) hash, where no password is given"),
    ("trial", "whether it is a trial membership"),
    ("email", "the e-mail address"),
    ("biller", "the biller"),
    ("memberidx", "the biller, where no biller is given"),
    ("session", "the session of NATS, of which the SHA-256 is kept"),
    ("joined", "when the member joined, as NATS keeps it"),
    ("expires", "when the member expires in NATS's bookkeeping, which ends no login"),
];
const OF_CHANGE: [(&str, &str); 7] = [
    ("username", "what NATS calls the member"),
    ("new_username", "the new login name"),
    ("new_password", "the new password"),
    ("new_cryptpass", "the new crypt(3) hash, where no new password is given"),
    ("new_email", "the new e-mail address"),
    ("email", "the e-mail address, where no new one is given"),
    ("new_trial", "whether it is a trial membership from now on"),
];
const OF_EXPIRE: [(&str, &str); 3] = [
    ("username", "what NATS calls the member"),
    ("expire", "when the member expires"),
    ("expires", "when the member expires, where no expire is given"),
];

/// What a parameter of this name is for in an action; `None` if the action does not use it.
pub fn meaning(action: &Action, name: &str) -> Option<&'static str> {
    let of = |table: &[(&str, &'static str)]| {
        table.iter().find(|(parameter, _)| *parameter == name).map(|(_, meaning)| *meaning)
    };
    let of_action = || match action {
        Action::Add(_) | Action::ManualAdd(_) | Action::Activate(_) => of(&DETAILS),
        // The membership is a full one afterwards, whatever the parameter says.
        Action::TrialToFull(_) => of(&DETAILS),
        Action::Change(_) => of(&OF_CHANGE),
        Action::Delete(_) => of(&OF_EXPIRE[..1]),
        Action::Expire(_) => of(&OF_EXPIRE),
        Action::Check(_) => of(&DETAILS[..1]),
    };
    let is_check = matches!(action, Action::Check(_));
    match name {
        "memberid" | "stamp" if is_check => None,
        "trial" if matches!(action, Action::TrialToFull(_)) => None,
        _ => of(&OF_ALL).or_else(of_action),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{FieldsSource, NAMES, Parsed, Rules};
    use crate::clock::{ExpiryRule, Zone};
    use crate::fields::Fields;
    use crate::password::Vault;

    /// A value that can be read, for each parameter of the contract that an action may use.
    const VALUES: [(&str, &str); 20] = [
        ("siteid", "1"),
        ("memberid", "71"),
        ("stamp", "1781524800"),
        ("username", "bob"),
        ("password", "secret"),
        ("cryptpass", "41R19prsa7NLQ"),
        ("trial", "1"),
        ("email", "b@x.example"),
        ("biller", "ccbill"),
        ("memberidx", "EPOCH:5"),
        ("session", "0123456789abcdef"),
        ("joined", "1781524800"),
        ("expires", "1781524801"),
        ("new_username", "rob"),
        ("new_password", "secret2"),
        ("new_cryptpass", "ab01FAX.bQRSU"),
        ("new_email", "r@x.example"),
        ("new_trial", "0"),
        ("expire", "2026-06-20"),
        ("status", "1"),
    ];
    /// Parameters that count only where another one is not given.
    const SECOND: [(&str, &str); 5] = [
        ("cryptpass", "password"),
        ("memberidx", "biller"),
        ("new_cryptpass", "new_password"),
        ("email", "new_email"),
        ("expires", "expire"),
    ];

    fn parse(pairs: &[(&str, &str)]) -> Parsed {
        let rules = Rules {
            vault: Vault::from_key([0; 32]),
            keep_cryptpass: false,
            expiry: ExpiryRule { zone: Zone::UTC, grace_hours: 0 },
            stale_guard: true,
        };
        let pairs = pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        Action::parse(&Fields::from_pairs(pairs), &FieldsSource::Wire(&rules))
    }

    /// A parameter is used if what is read differs with and without it.
    #[test]
    fn a_parameter_has_a_meaning_exactly_where_the_action_reads_it() {
        for action in NAMES {
            for (name, value) in VALUES {
                let first =
                    SECOND.iter().find(|(second, _)| *second == name).map(|(_, first)| *first);
                let mut others = vec![("action", action)];
                others.extend(VALUES.into_iter().filter(|(other, _)| {
                    let is_second =
                        SECOND.iter().any(|(second, first)| second == other && *first == name);
                    *other != name && Some(*other) != first && !is_second
                }));
                let without = parse(&others);
                others.push((name, value));
                let with = parse(&others);
                let text = |parsed: &Parsed| format!("{:?} {:?}", parsed.action, parsed.stamp);
                let is_used = text(&with) != text(&without);
                let read = with.action.unwrap_or_else(|refusal| panic!("{action}: {refusal}"));
                // A CHECK and a DELETE have no use for the time of the record.
                let expected = meaning(&read, name).is_some();
                let is_stamp_of_check = name == "stamp" && action == "CHECK";
                assert!(is_used == expected || is_stamp_of_check, "{action} {name}: {is_used}");
            }
        }
    }
}
