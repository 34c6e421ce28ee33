//! Makes all logins cost the same: which slow computations every login performs.
//!
//! Rows have several forms: `--password-hash` was changed, a cryptpass came without a password, or
//! a password is still sealed. If a login cost only what its row costs, its duration would reveal
//! whether a member has the name. So every login computes every kind that some rows have, and so
//! does a login for which there is no row. A cheap kind is included if one row has it, a costly
//! kind only if many rows have it.

use parking_lot::{Mutex, MutexGuard};

use super::cost::Cost;
use super::credential::Stored;
use super::step::{Step, steps_of};

/// The most kinds in addition to the configured one. No known site has more.
const OTHERS_MAX: usize = 6;
/// A costly kind is included if one row in this many has it.
const COSTLY_ROWS_ONE_IN: usize = 4;
/// The computations that every login performs. All threads that verify share it.
#[derive(Debug)]
pub struct Steps {
    configured: Step,
    others: Mutex<Others>,
}

#[derive(Debug, Default)]
struct Others {
    /// From the latest sample of rows.
    sampled: Vec<Step>,
    /// From logins to rows that no sample contained.
    met: Vec<Step>,
}

impl Steps {
    /// For a table without rows: the kind of new hashes.
    pub fn new(cost: Cost) -> Self {
        Self { configured: Step::configured(cost), others: Mutex::default() }
    }

    /// Sets the kinds of a sample of rows. They replace those of the previous sample.
    pub fn sample(&self, rows: &[Stored]) {
        let mut counts: Vec<(Step, usize)> = Vec::new();
        for step in rows.iter().flat_map(steps_of) {
            match counts.iter_mut().find(|(counted, _)| *counted == step) {
                Some((_, count)) => *count += 1,
                None => counts.push((step, 1)),
            }
        }
        counts.retain(|&(step, count)| {
            step != self.configured && (step.is_cheap() || count * COSTLY_ROWS_ONE_IN >= rows.len())
        });
        counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        self.others().sampled = counts.into_iter().take(OTHERS_MAX).map(|(step, _)| step).collect();
    }

    /// Adds the kinds that a login computed for its row. Every later login computes them too.
    pub(super) fn met(&self, steps: impl Iterator<Item = Step>) {
        let mut others = self.others();
        for step in steps {
            let is_new = step != self.configured
                && !others.sampled.contains(&step)
                && !others.met.contains(&step);
            if is_new && step.is_cheap() && others.met.len() < OTHERS_MAX {
                others.met.push(step);
            }
        }
    }

    /// All kinds, each once.
    pub(super) fn all(&self) -> Vec<Step> {
        let others = self.others();
        let mut all = vec![self.configured];
        for &step in others.sampled.iter().chain(&others.met) {
            if !all.contains(&step) {
                all.push(step);
            }
        }
        all
    }

    /// A panic cannot leave a list half changed: each change is one assignment or push.
    fn others(&self) -> MutexGuard<'_, Others> {
        self.others.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password::crypt::CryptCost;
    use crate::password::{Cryptpass, Hash, HashKind, Hasher, Seal};

    const OURS: Step = Step::Argon2id { memory_kib: 19_456, passes: 2, lanes: 1 };

    fn bcrypt(cost: u32) -> (Step, Stored) {
        let text = format!("$2y${cost:02}${}", ".".repeat(53));
        (Step::Crypt(CryptCost::bcrypt(cost)), Stored::Hash(Hash::from_text(text)))
    }

    fn wrapped(cryptpass: &str) -> Stored {
        let mut hasher = Hasher::new(Cost::lowest(HashKind::Argon2id));
        Stored::Wrapped(hasher.wrap(&Cryptpass::parse(cryptpass).unwrap()).unwrap())
    }

    #[test]
    fn a_table_without_rows_costs_what_a_new_hash_costs() {
        assert_eq!(Steps::new(Cost::new(HashKind::Argon2id)).all(), [OURS]);
        assert_eq!(Steps::new(Cost::new(HashKind::Bcrypt)).all(), [bcrypt(10).0]);
    }

    #[test]
    fn a_cheap_kind_counts_as_soon_as_one_row_of_the_sample_is_of_it() {
        let steps = Steps::new(Cost::new(HashKind::Argon2id));
        let sealed = Stored::Sealed(Seal::from_bytes(vec![0; 104]));
        steps.sample(&[vec![sealed; 999], vec![bcrypt(10).1]].concat());
        assert_eq!(steps.all(), [OURS, bcrypt(10).0]);
        steps.sample(&[]);
        assert_eq!(steps.all(), [OURS], "the next sample has none");
    }

    #[test]
    fn a_costly_kind_counts_where_a_quarter_of_the_rows_is_of_it() {
        let steps = Steps::new(Cost::new(HashKind::Bcrypt));
        let rows =
            |costly: usize| [vec![bcrypt(12).1; costly], vec![bcrypt(10).1; 100 - costly]].concat();
        steps.sample(&rows(24));
        assert_eq!(steps.all(), [bcrypt(10).0]);
        steps.sample(&rows(25));
        assert_eq!(steps.all(), [bcrypt(10).0, bcrypt(12).0]);
    }

    #[test]
    fn a_wrapped_cryptpass_is_two_steps() {
        let steps = Steps::new(Cost::new(HashKind::Argon2id));
        steps.sample(&[wrapped("41R19prsa7NLQ")]);
        let cheap = Step::Argon2id { memory_kib: 8, passes: 1, lanes: 1 };
        assert_eq!(steps.all().len(), 3);
        assert!(
            steps.all().contains(&cheap)
                && steps.all().iter().any(|step| matches!(step, Step::Crypt(_)))
        );
    }

    #[test]
    fn what_a_login_met_stays_over_a_sample_and_is_bounded() {
        let steps = Steps::new(Cost::new(HashKind::Argon2id));
        steps.met([bcrypt(12).0, OURS].into_iter());
        assert_eq!(
            steps.all(),
            [OURS],
            "too costly for every login, and the one that is computed anyway"
        );
        steps.met([bcrypt(10).0, bcrypt(10).0].into_iter());
        steps.sample(&[bcrypt(10).1]);
        assert_eq!(steps.all(), [OURS, bcrypt(10).0]);
        let many = (1..100).map(|passes| Step::Argon2id { memory_kib: 8, passes, lanes: 1 });
        steps.met(many);
        assert_eq!(steps.all().len(), 1 + OTHERS_MAX);
    }

    #[test]
    fn a_text_of_no_known_form_is_no_step() {
        let steps = Steps::new(Cost::new(HashKind::Argon2id));
        steps.sample(&[Stored::Hash(Hash::from_text("secret".into()))]);
        assert_eq!(steps.all(), [OURS]);
    }
}
