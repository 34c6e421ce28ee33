//! What `try` sends: one story of a test member, told again for each way of sending. Pure.

use crate::reply::Word;

/// One request of the story.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// What it tries, for the operator.
    pub(super) about: &'static str,
    /// The fields in the order in which they are sent.
    pub(super) fields: Vec<(&'static str, String)>,
    /// The word that the contract asks for.
    pub(super) expected: Word,
    /// What it means that the receiver answers another word.
    pub(super) meaning: &'static str,
}

impl Step {
    /// The fields for the operator, without passwords.
    pub(super) fn shown(&self) -> String {
        let hides = |name: &str| matches!(name, "password" | "new_password");
        let field = |(name, value): &(&str, String)| {
            format!("{name}={}", if hides(name) { "***" } else { value })
        };
        self.fields.iter().map(field).collect::<Vec<_>>().join("&")
    }
}

/// The test member.
#[derive(Clone, Debug)]
pub(super) struct TestMember {
    pub(super) site: String,
    pub(super) member: String,
    /// The names before and after the rename. Nobody has them.
    pub(super) names: [String; 2],
    /// The passwords before and after the change.
    pub(super) passwords: [String; 2],
    /// Unix seconds at which the member joins.
    pub(super) joined: String,
}

/// Long past, in every time zone.
const PAST: &str = "2001-02-03";
/// Far ahead, and within 32 bits of unix seconds.
const AHEAD: &str = "2037-12-31";
/// Marks the member in the database of another receiver.
const BILLER: &str = "NATS-USERMAN:TRY";

impl TestMember {
    fn step(
        &self,
        about: &'static str,
        action: &'static str,
        more: &[(&'static str, &str)],
        expected: Word,
        meaning: &'static str,
    ) -> Step {
        let mut fields = vec![("action", action.to_owned()), ("siteid", self.site.clone())];
        if action != "CHECK" {
            fields.push(("memberid", self.member.clone()));
        }
        fields.extend(more.iter().map(|&(name, value)| (name, value.to_owned())));
        Step { about, fields, expected, meaning }
    }

    fn check(
        &self,
        about: &'static str,
        name: usize,
        expected: Word,
        meaning: &'static str,
    ) -> Step {
        self.step(about, "CHECK", &[("username", &self.names[name])], expected, meaning)
    }

    /// Removes the member. Any receiver has to answer OK, whether there is one or not.
    pub(super) fn removal(&self, about: &'static str) -> Step {
        self.step(
            about,
            "DELETE",
            &[("username", &self.names[1])],
            Word::Ok,
            "a DELETE of a member who is not there has to be answered OK too, or NATS reports an \
             error",
        )
    }

    /// A whole record, as later NATS4 and NATS5 send it.
    fn record(&self, name: usize, password: usize) -> Vec<(&'static str, &str)> {
        vec![
            ("username", &self.names[name]),
            ("password", &self.passwords[password]),
            ("email", "test@example.invalid"),
            ("trial", "1"),
            ("memberidx", BILLER),
            ("status", "1"),
            ("joined", &self.joined),
            ("expires", "0"),
            ("stamp", &self.joined),
        ]
    }

    /// The whole story. It begins and ends without the member.
    pub(super) fn story(&self) -> Vec<Step> {
        use Word::{Error, NotOk, Ok};
        let [old, new] = [0, 1];
        let added = self.record(old, 0);
        let renamed = [("username", self.names[old].as_str()), ("new_username", &self.names[new])];
        let changed =
            [("username", self.names[new].as_str()), ("new_password", &self.passwords[1])];
        let named = [("username", self.names[new].as_str())];
        let expire = |date| [("username", self.names[new].as_str()), ("expire", date)];
        let free = "a name that nobody has is free: NOTOK; if OK and NOTOK are the wrong way \
                    round, NATS refuses every name or none";
        let taken = "a name that a member has is taken: OK; if OK and NOTOK are the wrong way \
                     round, NATS refuses every name or none";
        let full = [("username", self.names[new].as_str()), ("memberidx", BILLER)];
        let back = self.record(new, 1);
        vec![
            self.removal("remove what an earlier trial may have left"),
            self.check("a free name", old, NotOk, free),
            self.step("a new member", "ADD", &added, Ok, "a member who has paid is not added"),
            self.step(
                "the same again, as NATS repeats it",
                "ADD",
                &added,
                Ok,
                "a repeated ADD has to be answered OK, or NATS reports an error",
            ),
            self.check("the name is taken", old, Ok, taken),
            self.step("another name", "CHANGE", &renamed, Ok, "members cannot be renamed"),
            self.check(
                "the former name is free",
                old,
                NotOk,
                "new_username is not applied: whoever gets the former name gets this membership",
            ),
            self.check("the new name is taken", new, Ok, "new_username is not applied"),
            self.step("another password", "CHANGE", &changed, Ok, "passwords cannot be changed"),
            self.step(
                "a trial becomes a full membership",
                "TRIALTOFULL",
                &full,
                Ok,
                "members stay on trial",
            ),
            self.step(
                "the same again, as NATS repeats it",
                "TRIALTOFULL",
                &full,
                Ok,
                "TMM says that TRIALTOFULL may come more than once for a conversion",
            ),
            self.step("an expiry ahead", "EXPIRE", &expire(AHEAD), Ok, "expiries are refused"),
            self.check(
                "before the expiry the member stays",
                new,
                Ok,
                "an expiry ahead removes the member at once",
            ),
            self.step(
                "an expiry that is past",
                "EXPIRE",
                &expire(PAST),
                Ok,
                "expiries are refused",
            ),
            self.check(
                "after the expiry the name is free",
                new,
                NotOk,
                "a past expiry does not remove the member, who can go on logging in",
            ),
            self.step("the member comes back", "ACTIVATE", &back, Ok, "members cannot come back"),
            self.check("the name is taken again", new, Ok, "ACTIVATE does not put the member back"),
            self.step("the member leaves", "DELETE", &named, Ok, "members cannot be removed"),
            self.check(
                "the name is free again",
                new,
                NotOk,
                "DELETE does not remove the member, who can go on logging in",
            ),
            self.step(
                "the same again, as NATS repeats it",
                "DELETE",
                &named,
                Ok,
                "a repeated DELETE has to be answered OK, or NATS reports an error",
            ),
            self.step(
                "a member that is added by hand",
                "MANUALADD",
                &back,
                Ok,
                "members cannot be added by hand",
            ),
            self.step(
                "an action that does not exist",
                "NOSUCHACTION",
                &named,
                Error,
                "an unknown action is answered as if it were done",
            ),
            self.removal("the test member is removed"),
            self.check("nothing is left of it", new, NotOk, "the test member was not removed"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::NAMES;

    fn member() -> TestMember {
        TestMember {
            site: "5".into(),
            member: "2147483600".into(),
            names: ["testold".into(), "testnew".into()],
            passwords: ["Secret1".into(), "Secret2".into()],
            joined: "1781524800".into(),
        }
    }

    #[test]
    fn the_story_has_every_action_and_a_change_of_nobody_but_the_test_member() {
        let story = member().story();
        for action in NAMES {
            assert!(story.iter().any(|step| step.fields[0].1 == action), "{action}");
        }
        for step in &story {
            let value = |name| step.fields.iter().find(|(field, _)| *field == name);
            assert_eq!(value("siteid").unwrap().1, "5", "{}", step.about);
            match step.fields[0].1.as_str() {
                "CHECK" => assert!(value("memberid").is_none(), "{}", step.about),
                _ => assert_eq!(value("memberid").unwrap().1, "2147483600", "{}", step.about),
            }
        }
    }

    #[test]
    fn no_step_shows_a_password() {
        for step in member().story() {
            let shown = step.shown();
            assert!(!shown.contains("Secret"), "{shown}");
        }
        let add = &member().story()[2];
        assert!(
            add.shown().starts_with(
                "action=ADD&siteid=5&memberid=2147483600&username=testold&password=***&email="
            ),
            "{}",
            add.shown()
        );
    }
}
