//! Verifies a password at a cost that does not reveal what form the row has, or whether there is a
//! row.

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, Version};

use super::credential::{Password, Stored};
use super::crypt::Setting;
use super::phc::ARGON2_OUTPUT_BYTES;
use super::step::Step;
use super::steps::Steps;
use super::vault::Vault;
use super::verify::{VerifyError, spellings, verify_in};
use super::workspace::Workspace;
use crate::identity::Key;

/// Verifies passwords, one after the other, in memory that it reuses.
pub struct Verifier {
    workspace: Workspace,
    steps: Arc<Steps>,
}

impl Verifier {
    /// A verifier whose logins all perform these computations.
    pub fn new(steps: Arc<Steps>) -> Self {
        Self { workspace: Workspace::default(), steps }
    }

    /// Whether `typed` is the password of this row; `false` without a row. In addition it performs
    /// all computations of [`Steps`] that the row itself does not need, and discards their results.
    /// This concerns logins without a row, sealed passwords (right ones too), rows of other forms
    /// and broken rows. A wrong password with other spellings, in Windows-1252 or Unicode NFC,
    /// costs as many computations as it has spellings, because a wrapped row has to try them all.
    pub fn verify_at_equal_cost(
        &mut self,
        row: Option<(&Stored, Key)>,
        vault: &Vault,
        typed: &Password,
    ) -> Result<bool, VerifyError> {
        self.workspace.begin();
        let answer = row.map_or(Ok(false), |(stored, key)| {
            verify_in(&mut self.workspace, stored, key, vault, typed)
        });
        self.steps.met(self.workspace.computed());
        let opened = matches!(answer, Ok(true));
        let due = if opened { 1 } else { spellings(typed).len() as u64 };
        let mut unused = Ok(());
        for step in self.steps.all() {
            for _ in self.workspace.times(step)..due {
                unused = unused.and(self.compute_unused(step, typed));
            }
        }
        // Without memory, a login without a row must fail like one whose hash could not be
        // computed.
        if opened { answer } else { unused.map_err(VerifyError::Argon2).and(answer) }
    }

    /// Performs a computation and discards its result.
    ///
    /// # Errors
    ///
    /// If there is no memory for it.
    fn compute_unused(&mut self, step: Step, typed: &Password) -> Result<(), argon2::Error> {
        match step {
            Step::Argon2id { memory_kib, passes, lanes } => {
                let Ok(params) = Params::new(memory_kib, passes, lanes, Some(ARGON2_OUTPUT_BYTES))
                else {
                    return Ok(());
                };
                let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
                let mut output = [0; ARGON2_OUTPUT_BYTES];
                let made =
                    self.workspace.argon2id(&argon2, b"nobody", b"nobody's own salt", &mut output);
                std::hint::black_box(output);
                made
            }
            Step::Crypt(cost) => {
                let setting = cost.setting();
                let Some(setting) = Setting::parse(&setting) else { return Ok(()) };
                // The length of the password affects the cost in some forms. A password with a NUL
                // is not computed in any form.
                let typed = typed.expose().as_bytes();
                let bytes = if typed.contains(&0) { b"nobody" } else { typed };
                let _ = std::hint::black_box(self.workspace.crypt(setting, bytes));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::identity::{MemberId, SiteId};
    use crate::password::{Cost, Cryptpass, Hash, HashKind, Hasher, Seal, Wrapped};

    const KINDS: [HashKind; 2] = [HashKind::Argon2id, HashKind::Bcrypt];

    fn key() -> Key {
        Key { site: SiteId::parse("5").unwrap(), member: MemberId::parse("71").unwrap() }
    }

    fn password(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    fn vault() -> Vault {
        Vault::from_key([7; 32])
    }

    /// The rows of every form that `testtest` matches.
    fn rows() -> Vec<(&'static str, Stored)> {
        let cryptpass = Cryptpass::parse("41R19prsa7NLQ").unwrap();
        let mut hasher = Hasher::new(Cost::lowest(HashKind::Argon2id));
        let bcrypt =
            Hasher::new(Cost::lowest(HashKind::Bcrypt)).hash(&password("testtest")).unwrap();
        vec![
            (
                "a sealed password",
                Stored::Sealed(vault().seal_password(key(), &password("testtest"))),
            ),
            ("a sealed cryptpass", Stored::Sealed(vault().seal_cryptpass(key(), &cryptpass))),
            ("argon2id", Stored::Hash(hasher.hash(&password("testtest")).unwrap())),
            ("bcrypt", Stored::Hash(bcrypt)),
            ("a wrapped cryptpass", Stored::Wrapped(hasher.wrap(&cryptpass).unwrap())),
        ]
    }

    /// The computations for a table with all these rows, with new hashes of this kind.
    fn steps(kind: HashKind) -> Arc<Steps> {
        let steps = Steps::new(Cost::lowest(kind));
        steps.sample(&rows().into_iter().map(|(_, stored)| stored).collect::<Vec<_>>());
        Arc::new(steps)
    }

    /// The answer of the verifier, and how often it performed each computation.
    fn asked(
        steps: &Arc<Steps>,
        row: Option<&Stored>,
        typed: &str,
    ) -> (Option<bool>, HashSet<(Step, u64)>) {
        let mut verifier = Verifier::new(Arc::clone(steps));
        let answer = verifier.verify_at_equal_cost(
            row.map(|stored| (stored, key())),
            &vault(),
            &password(typed),
        );
        let computed = verifier
            .workspace
            .computed()
            .map(|step| (step, verifier.workspace.times(step)))
            .collect();
        (answer.ok(), computed)
    }

    fn each(steps: &Steps, times: u64) -> HashSet<(Step, u64)> {
        steps.all().into_iter().map(|step| (step, times)).collect()
    }

    /// Regression: after a change of `--password-hash`, a row of the former kind cost both kinds,
    /// and a login without a row cost one.
    #[test]
    fn every_row_costs_the_same_steps_and_so_does_nobody() {
        for kind in KINDS {
            let steps = steps(kind);
            assert_eq!(steps.all().len(), 3, "argon2id, bcrypt and DES");
            for (form, stored) in rows() {
                let right = (Some(true), each(&steps, 1));
                assert_eq!(
                    asked(&steps, Some(&stored), "testtest"),
                    right,
                    "{kind}, {form}: right"
                );
            }
            for (typed, times) in
                [("testtesu", 1), ("\0", 1), ("日本", 1), ("testtesé", 2), ("é\0", 2)]
            {
                let wrong = (Some(false), each(&steps, times));
                assert_eq!(asked(&steps, None, typed), wrong, "{kind}, nobody: {typed:?}");
                for (form, stored) in rows() {
                    assert_eq!(
                        asked(&steps, Some(&stored), typed),
                        wrong,
                        "{kind}, {form}: {typed:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_row_that_is_broken_is_a_fault_at_the_same_cost() {
        for kind in KINDS {
            let steps = steps(kind);
            for stored in [
                Stored::Sealed(Seal::from_bytes(vec![0; 104])),
                Stored::Hash(Hash::from_text("secret".into())),
                Stored::Wrapped(Wrapped::from_text("41R19prsa7NLQ".into())),
            ] {
                assert_eq!(
                    asked(&steps, Some(&stored), "secret"),
                    (None, each(&steps, 1)),
                    "{kind}: {stored:?}"
                );
            }
        }
    }

    #[test]
    fn a_kind_that_no_sample_met_is_spent_by_everybody_from_the_first_login_on() {
        let steps = Arc::new(Steps::new(Cost::lowest(HashKind::Bcrypt)));
        let nobody = || asked(&steps, None, "wrong");
        assert_eq!(nobody().1.len(), 1);
        let mut hasher = Hasher::new(Cost::lowest(HashKind::Argon2id));
        let stored = Stored::Hash(hasher.hash(&password("testtest")).unwrap());
        let of_a_row = asked(&steps, Some(&stored), "wrong");
        assert_eq!((of_a_row.1.len(), nobody()), (2, of_a_row));
    }

    #[test]
    fn a_step_of_every_form_is_computed_for_nobody() {
        let cryptpasses = [
            "41R19prsa7NLQ",
            "$1$5pZSV9va$azfrPr6af3Fc7dLblQXVa0",
            "$5$rounds=1000$roundstoolow$C7LgBKoW9Cpd8uupMmg0Kv0Lud0icu6mTwa7mcvsVSC",
            "$2y$04$......................LAtw7/ohmmBAhnXqmkuIz83Rl5Qdjhm",
        ];
        let mut hasher = Hasher::new(Cost::lowest(HashKind::Argon2id));
        let wrap = |text| Stored::Wrapped(hasher.wrap(&Cryptpass::parse(text).unwrap()).unwrap());
        let rows: Vec<Stored> = cryptpasses.map(wrap).into();
        let steps = Arc::new(Steps::new(Cost::lowest(HashKind::Argon2id)));
        steps.sample(&rows);
        let nobody = asked(&steps, None, "wrong");
        assert_eq!(nobody.1, each(&steps, 1));
        assert_eq!(nobody.1.len(), 5, "argon2id and four forms");
        for stored in &rows {
            assert_eq!(asked(&steps, Some(stored), "wrong"), nobody);
        }
    }

    #[test]
    fn one_verifier_answers_for_all_rows_in_turn() {
        let mut verifier = Verifier::new(steps(HashKind::Argon2id));
        for _ in 0..2 {
            for (form, stored) in rows() {
                for (typed, opens) in [("testtest", true), ("testtesu", false)] {
                    let answer = verifier.verify_at_equal_cost(
                        Some((&stored, key())),
                        &vault(),
                        &password(typed),
                    );
                    assert_eq!(answer.unwrap(), opens, "{form}: {typed}");
                }
            }
        }
    }

    /// Regression: without memory, an unknown name was answered "wrong", and a known one was
    /// counted as a wrong password.
    #[test]
    fn without_memory_no_login_is_answered_but_a_right_password_that_needs_none() {
        for kind in KINDS {
            let steps = steps(kind);
            let asked = |row: Option<&Stored>, typed: &str| {
                let mut verifier = Verifier::new(Arc::clone(&steps));
                verifier.workspace = Workspace::reserving(|_, _| false);
                verifier.verify_at_equal_cost(
                    row.map(|stored| (stored, key())),
                    &vault(),
                    &password(typed),
                )
            };
            let is_temporary =
                |answer: Result<bool, VerifyError>| answer.is_err_and(|error| error.is_temporary());
            assert!(is_temporary(asked(None, "testtest")), "{kind}: nobody");
            for (form, stored) in rows() {
                assert!(is_temporary(asked(Some(&stored), "testtesu")), "{kind}, {form}: wrong");
                let needs_none =
                    ["a sealed password", "a sealed cryptpass", "bcrypt"].contains(&form);
                assert_eq!(
                    asked(Some(&stored), "testtest").ok(),
                    needs_none.then_some(true),
                    "{kind}, {form}: right"
                );
            }
        }
    }
}
