//! The slow computations of logins, and which of them every login spends.
//!
//! Rows are of several kinds: `--password-hash` was switched, a cryptpass came alone, a password is
//! still sealed. If a login cost what its row costs, the time would tell whether somebody has the
//! name. So each login spends every kind of which there are rows, and one for which there is no row
//! spends them as well. Cheap kinds count as soon as one row is of them, dear ones where many are.

use parking_lot::{Mutex, MutexGuard};

use super::cost::Cost;
use super::credential::Stored;
use super::step::{Step, steps_of};

/// Kinds beside the configured one. More than this have no site that we know of.
const OTHERS_MAX: usize = 6;
/// A dear kind is spent by everybody where one row in so many is of it.
const DEAR_ROWS_ONE_IN: usize = 4;
/// The steps that every login spends, shared by all threads that verify.
#[derive(Debug)]
pub struct Steps {
    configured: Step,
    others: Mutex<Others>,
}

#[derive(Debug, Default)]
struct Others {
    /// Of the latest sample of rows.
    sampled: Vec<Step>,
    /// Of rows that a login met and no sample did.
    met: Vec<Step>,
}

impl Steps {
    /// Of a table without rows: the kind that new hashes have.
    pub fn new(cost: Cost) -> Self {
        Self { configured: Step::configured(cost), others: Mutex::default() }
    }

    /// Takes the kinds of a sample of rows, in place of those of the sample before.
    pub fn sample(&self, rows: &[Stored]) {
        let mut counts: Vec<(Step, usize)> = Vec::new();
        for step in rows.iter().flat_map(steps_of) {
            match counts.iter_mut().find(|(counted, _)| *counted == step) {
                Some((_, count)) => *count += 1,
                None => counts.push((step, 1)),
            }
        }
        counts.retain(|&(step, count)| {
            step != self.configured && (step.is_cheap() || count * DEAR_ROWS_ONE_IN >= rows.len())
        });
        counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        self.others().sampled = counts.into_iter().take(OTHERS_MAX).map(|(step, _)| step).collect();
    }

    /// Takes the kinds that a login computed for its row: from the next login on everybody spends
    /// them.
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

    /// All of them, each once.
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

    /// Each change leaves a whole list.
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
    fn a_dear_kind_counts_where_a_quarter_of_the_rows_is_of_it() {
        let steps = Steps::new(Cost::new(HashKind::Bcrypt));
        let rows =
            |dear: usize| [vec![bcrypt(12).1; dear], vec![bcrypt(10).1; 100 - dear]].concat();
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
        assert_eq!(steps.all(), [OURS], "too dear for everybody, and the one that is spent anyway");
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
