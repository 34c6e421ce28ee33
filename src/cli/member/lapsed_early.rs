//! `member restore --lapsed-early`: restores members who were moved to former_member because the
//! clock was wrong. Their expiry is still ahead, and each gets it again.
//!
//! The journal gets three records of the operator for each member: a DELETE, an ACTIVATE and an
//! EXPIRE. The DELETE changes nothing here. A replay needs the DELETE: no other record moves the
//! member to former_member there, and the replay has to end with the same rows, column for column.

use std::io::{IsTerminal as _, Write as _, stderr, stdout};
use std::time::Duration;

use chrono::DateTime;
use indicatif::ProgressBar;

use crate::action::{Rules, Standing};
use crate::apply::{Postback, apply, in_transaction};
use crate::chain::chain;
use crate::cli::failure::Failure;
use crate::clock::jump::moment_of_command;
use crate::clock::{Clock, ExpiryRule, Moment, Zone, format_utc};
use crate::config::Config;
use crate::counted::counted;
use crate::database;
use crate::identity::{Key, MemberId};
use crate::member::{Former, Reason};
use crate::password::Vault;
use crate::replay::operator_postback;
use crate::reply::Word;
use crate::store::{Engine, Fault, Read, View, Wanted, pages};

/// Members in one transaction: few enough that a postback to a running service waits for
/// milliseconds only.
const TRANSACTION_MEMBERS_MAX: usize = 64;
/// The pause between two transactions. SQLite has no queue for its lock: a process that waits tries
/// again every 25 to 50 ms, and without a pause would find the next transaction each time.
const PAUSE: Duration = Duration::from_millis(60);

/// How often the lock is tried. One try waits 400 ms, and a busy service has the lock most of the
/// time.
const LOCK_TRIES: usize = 25;

/// The result for a member.
enum RestoreOutcome {
    Restored,
    /// The member was restored, or left for another reason, meanwhile: nothing to do.
    Changed,
    /// The reason why it was not restored.
    Refused(String),
}

pub(super) fn run(config: &Config, site: Option<i64>) -> Result<(), Failure> {
    let reader = database::open(config)?;
    let now = Clock::System.now();
    // Of before: later, it is this command's own.
    let last = reader.last_seen(now)?;
    let keys = lapsed_early(&*reader, site, now)?;
    drop(reader);
    let rules = rules(config);
    let bar = if stderr().is_terminal() {
        ProgressBar::new(keys.len() as u64)
    } else {
        ProgressBar::hidden()
    };
    let (mut restored, mut refused) = (0_u64, 0_u64);
    database::with_writer(config, |engine| {
        for (number, keys) in keys.chunks(TRANSACTION_MEMBERS_MAX).enumerate() {
            if number > 0 {
                std::thread::sleep(PAUSE);
            }
            // The service may move members who expire meanwhile.
            let moment = moment_of_command(Clock::System.now(), last);
            for (key, done) in restore_when_unlocked(engine, &rules, keys, moment)? {
                match done {
                    RestoreOutcome::Restored => restored += 1,
                    RestoreOutcome::Changed => {}
                    RestoreOutcome::Refused(why) => {
                        refused += 1;
                        bar.suspend(|| {
                            writeln!(
                                stdout(),
                                "member {} of site {} is not restored: {why}",
                                key.member,
                                key.site
                            )
                        })
                        .map_err(|error| Failure::from(error).at("member restore"))?;
                    }
                }
            }
            bar.inc(keys.len() as u64);
        }
        Ok::<_, Failure>(())
    })??;
    bar.finish_and_clear();
    writeln!(
        stdout(),
        "{} restored who had expired too early, {refused} refused; the clock shows {}",
        counted(restored, "member"),
        format_utc(now)
    )?;
    if refused > 0 {
        return Err(Failure::Failed(format!(
            "{} could not be restored: see above",
            counted(refused, "member")
        )));
    }
    Ok(())
}

/// The members who were moved as expired, but whose expiry is still ahead.
fn lapsed_early(reader: &dyn Read, site: Option<i64>, now: i64) -> Result<Vec<Key>, Fault> {
    let mut keys = Vec::new();
    pages::each_former(reader, site, |former| {
        keys.extend(is_early(former, now).then_some(former.member.key));
        Ok::<_, Fault>(())
    })?;
    Ok(keys)
}

fn is_early(former: &Former, now: i64) -> bool {
    former.reason == Reason::Expired && former.ended_at > now
}

/// Rules under which an expiry is written as it is: in UTC, and its grace is included already.
fn rules(config: &Config) -> Rules {
    let expiry = ExpiryRule { zone: Zone::UTC, grace_hours: 0 };
    // There is no password in it: nothing is sealed, so any key will do.
    Rules {
        vault: Vault::from_key([0; 32]),
        keep_cryptpass: config.keep_cryptpass,
        expiry,
        stale_guard: false,
    }
}

fn restore_when_unlocked(
    engine: &mut dyn Engine,
    rules: &Rules,
    keys: &[Key],
    moment: Moment,
) -> Result<Vec<(Key, RestoreOutcome)>, Fault> {
    for _ in 1..LOCK_TRIES {
        match restore_or_one_by_one(engine, rules, keys, moment) {
            Err(Fault::Busy(_)) => {}
            done => return done,
        }
    }
    restore_or_one_by_one(engine, rules, keys, moment)
}

/// Restores members; a row that the schema refuses affects only its own member.
fn restore_or_one_by_one(
    engine: &mut dyn Engine,
    rules: &Rules,
    keys: &[Key],
    moment: Moment,
) -> Result<Vec<(Key, RestoreOutcome)>, Fault> {
    match restore(engine, rules, keys, moment) {
        Err(fault @ (Fault::Constraint(_) | Fault::BadRow(_))) => match keys {
            [key] => Ok(vec![(*key, RestoreOutcome::Refused(chain(&fault)))]),
            keys => {
                let mut all = Vec::new();
                for key in keys {
                    all.extend(restore_or_one_by_one(
                        engine,
                        rules,
                        std::slice::from_ref(key),
                        moment,
                    )?);
                }
                Ok(all)
            }
        },
        done => done,
    }
}

/// Restores members in one transaction, after a check of their present state.
fn restore(
    engine: &mut dyn Engine,
    rules: &Rules,
    keys: &[Key],
    moment: Moment,
) -> Result<Vec<(Key, RestoreOutcome)>, Fault> {
    in_transaction(engine, |engine| {
        let mut view = View::default();
        engine.load(
            &Wanted { keys: keys.iter().copied().collect(), ..Wanted::default() },
            &mut view,
            moment,
        )?;
        let early = |key: &Key| match view.standing(*key) {
            Standing::Former(former) if is_early(former, moment.now) => Some(former.clone()),
            _ => None,
        };
        let formers: Vec<_> = keys.iter().map(|key| (*key, early(key))).collect();
        let names = formers.iter().flat_map(|(key, former)| {
            former.iter().map(|former| (key.site, &former.member.username))
        });
        engine.load(&Wanted { names: names.collect(), ..Wanted::default() }, &mut view, moment)?;
        let one = |(key, former): (Key, Option<Former>)| {
            let done = match former {
                None => RestoreOutcome::Changed,
                Some(former) => match view.holder(key.site, &former.member.username) {
                    Some(holder) => RestoreOutcome::Refused(taken(key, &former, holder)),
                    None => say(engine, rules, &former, moment)?,
                },
            };
            Ok((key, done))
        };
        formers.into_iter().map(one).collect()
    })
}

fn taken(key: Key, former: &Former, holder: MemberId) -> String {
    let (name, until) = (&former.member.username, format_utc(former.ended_at));
    format!(
        "member {holder} has the username \"{name}\" now; \
         `nats-userman member restore {} {} --username NAME` gives another one; \
         then send the expiry at {until} again",
        key.site, key.member
    )
}

/// Applies the three postbacks. If two members had one username, the rules refuse the second.
fn say(
    engine: &mut dyn Engine,
    rules: &Rules,
    former: &Former,
    moment: Moment,
) -> Result<RestoreOutcome, Fault> {
    let Key { site, member } = former.member.key;
    let said =
        |action, username, expire| operator_postback(action, site, member, username, expire, rules);
    let until = DateTime::from_timestamp(former.ended_at, 0)
        .map(|instant| instant.format("%Y-%m-%d %H:%M:%S").to_string());
    let name = former.member.username.as_str();
    let postbacks = [
        said("DELETE", None, None),
        said("ACTIVATE", Some(name), None),
        said("EXPIRE", None, until.as_deref()),
    ];
    for postback in &postbacks {
        let postback: &Postback = postback;
        let replies = apply(engine, &rules.vault, &[postback], moment)?;
        if let Some(reply) = replies.iter().find(|reply| reply.word() != Word::Ok) {
            return Ok(RestoreOutcome::Refused(reply.as_str().to_owned()));
        }
    }
    Ok(RestoreOutcome::Restored)
}
