//! Transactions: begin, the work, commit. One that the database loses is run again from its
//! beginning, a bounded number of times.

use std::time::{Duration, Instant};

use crate::store::{Engine, Fault};

/// How often the work of one caller is run again after the database has lost its transaction. The
/// usual reasons, a deadlock or a failover to another server, are over by then. A postback waits
/// for all reruns.
pub(crate) const RERUNS_MAX: u32 = 3;

/// How long and how often work is run again where another transaction has locked a row. A try waits
/// for the lock itself: on MariaDB not at all after another one has waited for a second, on MySQL
/// for a second each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LockPatience {
    /// Tries after the first one.
    pub(crate) tries: u32,
    /// No try begins after this time.
    pub(crate) time: Duration,
}

/// A command or a start waits for some seconds.
const OF_A_COMMAND: LockPatience = LockPatience { tries: 200, time: Duration::from_secs(10) };

/// Begin, `work`, commit; rolled back where anything fails. `work` may run several times, each time
/// in a new transaction of which nothing was committed. Unlike the writer, which has others to
/// answer, it waits again for a row that another transaction has locked: for a command or a start.
///
/// # Errors
///
/// Any fault of the engine or of `work`: then nothing was changed, unless the outcome of the commit
/// is unknown. Such a commit is never run again.
pub(crate) fn in_transaction<T>(
    engine: &mut dyn Engine,
    work: impl FnMut(&mut dyn Engine) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut reruns = 0;
    let done = in_patient_transaction(engine, &mut reruns, OF_A_COMMAND, work);
    log_reruns(reruns);
    done
}

/// Works as [`in_counted_transaction`], and runs `work` again where another transaction has locked
/// a row.
pub(crate) fn in_patient_transaction<T>(
    engine: &mut dyn Engine,
    reruns: &mut u32,
    patience: LockPatience,
    mut work: impl FnMut(&mut dyn Engine) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let (began, mut tries) = (Instant::now(), 0);
    loop {
        match in_counted_transaction(engine, reruns, &mut work) {
            Err(Fault::RowLocked(_))
                if tries < patience.tries && began.elapsed() < patience.time =>
            {
                tries += 1;
            }
            done => return done,
        }
    }
}

/// Logs one line for a transaction that was lost, however often.
pub(super) fn log_reruns(reruns: u32) {
    if reruns > 0 {
        log::warn!("the database lost a transaction {reruns} times; it was run again each time");
    }
}

/// Works as [`in_transaction`], for a caller that counts and logs the reruns itself. `reruns` goes
/// up to [`RERUNS_MAX`] also over several transactions of one caller.
pub(crate) fn in_counted_transaction<T>(
    engine: &mut dyn Engine,
    reruns: &mut u32,
    mut work: impl FnMut(&mut dyn Engine) -> Result<T, Fault>,
) -> Result<T, Fault> {
    loop {
        let done = run_once(engine, &mut work);
        match &done {
            Err(fault) if fault.runs_again() && *reruns < RERUNS_MAX => *reruns += 1,
            _ => return done,
        }
    }
}

fn run_once<T>(
    engine: &mut dyn Engine,
    work: &mut impl FnMut(&mut dyn Engine) -> Result<T, Fault>,
) -> Result<T, Fault> {
    engine.begin()?;
    let done = work(engine).and_then(|done| engine.commit().map(|()| done));
    if done.is_err() {
        engine.rollback();
    }
    done
}

#[cfg(test)]
mod tests {
    use super::super::losing::{Losing, NOON, Scene, postback};
    use super::super::{Postback, transact};
    use super::*;
    use crate::identity::{Key, MemberId, SiteId};
    use crate::reply::Reply;
    use crate::store::Cause;

    const NAMES: [&str; 3] = ["ann", "bob", "eve"];

    /// Three members who join. The first one changes the username and leaves again.
    fn batch() -> Vec<Postback> {
        let add = |(member, name)| {
            let secret = "password=secret";
            postback(&format!("action=ADD&siteid=1&memberid={member}&username={name}&{secret}"))
        };
        let mut all: Vec<_> = (71..).zip(NAMES).map(add).collect();
        all.push(postback("action=CHANGE&siteid=1&memberid=71&new_username=anna"));
        all.push(postback("action=DELETE&siteid=1&memberid=71"));
        all
    }

    fn bob() -> Key {
        Key { site: SiteId::parse("1").unwrap(), member: MemberId::parse("72").unwrap() }
    }

    /// The result of each postback: the reply word, or the fault.
    fn run(
        scene: &Scene,
        batch: &[Postback],
        losing: &mut Losing<'_>,
    ) -> Result<Vec<String>, Fault> {
        let postbacks: Vec<&Postback> = batch.iter().collect();
        let results = transact(losing, &scene.vault, &postbacks, || NOON)?;
        let text = |result: Result<Reply, Fault>| match result {
            Ok(reply) => reply.as_str().to_owned(),
            Err(fault) => fault.to_string(),
        };
        Ok(results.into_iter().map(text).collect())
    }

    /// One run without any loss: the replies, the rows afterwards, and the number of steps.
    fn as_one_run(batch: &[Postback], refused: Option<Key>) -> (Vec<String>, Vec<String>, usize) {
        let scene = Scene::new();
        let (answers, steps) = scene.with_losing(
            |losing| losing.refused = refused,
            |losing| (run(&scene, batch, losing).unwrap(), losing.steps),
        );
        (answers, scene.content(), steps)
    }

    #[test]
    fn a_batch_whose_transaction_is_lost_at_any_step_ends_as_one_run_would() {
        let batch = batch();
        let (answers, content, steps) = as_one_run(&batch, None);
        assert_eq!(answers[4], "OK|member 71 \"anna\" removed from site 1");
        assert_eq!(steps, 4, "begin, load, save, commit");
        for step in 0..steps {
            let scene = Scene::new();
            let found = scene.with_losing(
                |losing| losing.lost_at = [step].into(),
                |losing| (run(&scene, &batch, losing).unwrap(), losing.begun),
            );
            assert_eq!(found, (answers.clone(), 2), "lost at step {step}");
            assert_eq!(scene.content(), content, "lost at step {step}");
        }
    }

    #[test]
    fn a_batch_with_a_refused_row_whose_transaction_is_lost_at_any_step_ends_as_one_run_would() {
        let batch = batch();
        let (answers, content, steps) = as_one_run(&batch, Some(bob()));
        assert_eq!(answers[1], "the schema refused a row");
        assert_eq!(answers[2], "OK|member 73 \"eve\" added to site 1");
        // begin, load, save; begin, four for each postback, commit.
        assert_eq!(steps, 3 + 2 + 4 * 5);
        for step in 0..steps {
            let scene = Scene::new();
            let found = scene.with_losing(
                |losing| {
                    losing.refused = Some(bob());
                    losing.lost_at = [step].into();
                },
                |losing| (run(&scene, &batch, losing).unwrap(), losing.begun),
            );
            assert_eq!(found, (answers.clone(), 3), "lost at step {step}");
            assert_eq!(scene.content(), content, "lost at step {step}");
        }
    }

    #[test]
    fn a_batch_that_is_lost_too_often_is_refused_as_a_whole() {
        for (refused, first) in [(None, 0), (None, 3), (Some(bob()), 0), (Some(bob()), 10)] {
            let scene = Scene::new();
            let (done, begun) = scene.with_losing(
                |losing| (losing.refused, losing.lost_from) = (refused, Some(first)),
                |losing| (run(&scene, &batch(), losing), losing.begun),
            );
            assert_eq!(done.unwrap_err().to_string(), "the transaction was lost");
            // Where a row was refused, the first run ended with that.
            let others = usize::from(refused.is_some() && first > 0);
            assert_eq!(begun, 1 + RERUNS_MAX as usize + others, "lost from step {first} on");
            assert_eq!(scene.content(), [""; 0], "lost from step {first} on");
        }
    }

    #[test]
    fn work_on_a_locked_row_is_run_again_until_its_tries_or_its_time_are_over() {
        let scene = Scene::new();
        for (tries, time, expected) in [(3, Duration::MAX, 4), (3, Duration::ZERO, 1)] {
            let mut runs = 0;
            let locked = |_: &mut dyn Engine| {
                runs += 1;
                Err::<(), _>(Fault::RowLocked(Cause::new("locked", None)))
            };
            let patience = LockPatience { tries, time };
            let done = scene.with_losing(
                |_| {},
                |losing| in_patient_transaction(losing, &mut 0, patience, locked),
            );
            assert!(matches!(done, Err(Fault::RowLocked(_))), "{done:?}");
            assert_eq!(runs, expected);
        }
    }

    /// Regression: the reruns were counted over the whole batch, and the postbacks behind the third
    /// deadlock were refused.
    #[test]
    fn the_deadlocks_of_some_postbacks_of_a_batch_do_not_refuse_the_others() {
        let (answers, content, _) = as_one_run(&batch(), Some(bob()));
        let each_thrice = |losing: &mut Losing<'_>| {
            losing.ends_at_refused = true;
            // The batch is lost at each begin. Then each postback is, three times.
            losing.lost_at = (0..4).chain([4, 5, 6]).collect();
        };
        let scene = Scene::new();
        let (found, steps) = scene.with_losing(
            |losing| {
                each_thrice(losing);
                losing.refused = Some(bob());
                // begin, load, save and commit of the first one; bob is refused four times; the
                // third one is lost as well.
                let third = 7 + 4 + 4 * 3;
                losing.lost_at.extend(third..third + 3);
            },
            |losing| (run(&scene, &batch(), losing).unwrap(), losing.steps),
        );
        assert_eq!(found, answers);
        assert_eq!(steps, 7 + 4 + 4 * 3 + 3 + 4 * 3);
        assert_eq!(scene.content(), content);
    }

    #[test]
    fn where_each_postback_is_lost_too_often_none_is_done() {
        let scene = Scene::new();
        let found = scene.with_losing(
            |losing| (losing.ends_at_refused, losing.lost_from) = (true, Some(0)),
            |losing| (run(&scene, &batch(), losing).unwrap(), losing.begun),
        );
        let others = vec!["the database cannot be used"; 4];
        let refused = [vec!["the transaction was lost"], others].concat();
        assert_eq!(found, (refused.into_iter().map(String::from).collect(), 8));
        assert_eq!(scene.content(), [""; 0]);
    }

    #[test]
    fn a_batch_whose_outcome_is_unknown_is_not_run_again() {
        let scene = Scene::new();
        let (done, begun) = scene.with_losing(
            |losing| losing.outcomes_are_unknown = true,
            |losing| (run(&scene, &batch(), losing), losing.begun),
        );
        assert_eq!(done.unwrap_err().to_string(), "the outcome of a commit is unknown");
        assert_eq!(begun, 1);
    }
}
