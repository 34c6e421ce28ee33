//! A batch of postbacks: runs them in one transaction, and then answers them.

use super::queue::{Answer, QueuedPostback};
use super::transactions::Transactions;
use crate::apply::Postback;
use crate::clock::Moment;
use crate::password::{Stored, Vault};
use crate::reply::Reply;
use crate::store::{Engine, Fault};

/// Postbacks that the writer has taken. Each is answered after this batch's commit.
pub(super) struct Batch(Vec<QueuedPostback>);

/// The result of a batch.
pub(super) struct Committed {
    /// Whether any postback was committed.
    pub(super) any: bool,
    /// Whether a committed postback brought a sealed credential.
    pub(super) sealed: bool,
    /// The faults of the postbacks that were not committed.
    pub(super) faults: Vec<Fault>,
}

impl Batch {
    pub(super) fn new(postbacks: Vec<QueuedPostback>) -> Self {
        Self(postbacks)
    }

    /// Runs the batch and answers every postback. If all were withdrawn, nothing is run.
    pub(super) fn run(
        self,
        engine: &mut dyn Engine,
        vault: &Vault,
        transactions: &mut Transactions,
        now: impl FnMut() -> Moment,
    ) -> Result<Committed, Fault> {
        if self.0.is_empty() {
            return Ok(Committed { any: false, sealed: false, faults: Vec::new() });
        }
        let postbacks: Vec<&Postback> = self.0.iter().map(QueuedPostback::postback).collect();
        let sealed = postbacks.iter().any(|postback| brings_a_seal(postback));
        match transactions.run_batch(engine, vault, &postbacks, now) {
            Ok(results) => {
                let any = results.iter().any(Result::is_ok);
                Ok(Committed { any, sealed, faults: self.answer_each(results) })
            }
            Err(fault) => {
                let answer = answer_to(&fault);
                for queued in self.0 {
                    queued.answer(answer.clone());
                }
                Err(fault)
            }
        }
    }

    fn answer_each(self, results: Vec<Result<Reply, Fault>>) -> Vec<Fault> {
        let mut answers: Vec<_> = self.0.into_iter().zip(results).collect();
        // Answers are sent thread by thread: the first answer wakes a thread, which then finds its
        // others. Alternating between threads would wake each of them many times.
        answers.sort_by_key(|(queued, _)| queued.thread());
        let mut faults = Vec::new();
        for (queued, result) in answers {
            match result {
                Ok(reply) => queued.answer(Answer::Reply(reply)),
                Err(fault) => {
                    queued.answer(answer_to(&fault));
                    faults.push(fault);
                }
            }
        }
        faults
    }
}

/// The answer to the sender of a postback that was not committed.
pub(super) fn answer_to(fault: &Fault) -> Answer {
    match fault {
        Fault::OutcomeUnknown(_) => Answer::OutcomeUnknown,
        _ => Answer::Unavailable,
    }
}

fn brings_a_seal(postback: &Postback) -> bool {
    let credential = postback.action.as_ref().ok().and_then(|action| action.credential());
    credential.is_some_and(|given| matches!(given.stored, Stored::Sealed(_)))
}
