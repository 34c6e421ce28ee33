//! `replay`: captured postbacks into the database.

use std::path::PathBuf;
use std::time::Instant;

use super::counts::{end, show_error};
use super::{captures, target};
use crate::action::Rules;
use crate::apply::Postback;
use crate::cli::failure::Failure;
use crate::clock::Clock;
use crate::config::Config;
use crate::replay::{Capture, Counts, REPLAY_BATCH, apply_captured};
use crate::store::{Engine, with_engine};

pub(super) fn run(files: &[PathBuf], config: &Config) -> Result<(), Failure> {
    let opened = captures::open(files)?;
    let (_lock, rules) = target::take(config, "send the postbacks to it with --to URL")?;
    let mut counts = Counts::default();
    let done = with_engine(&config.location, true, |engine| {
        let done = apply(files, opened, engine, &rules, &mut counts);
        engine.finish();
        done
    })?;
    end(&counts, done)
}

fn apply(
    files: &[PathBuf],
    opened: Vec<Capture>,
    engine: &mut dyn Engine,
    rules: &Rules,
    counts: &mut Counts,
) -> Result<(), Failure> {
    let mut batch = PendingBatch::default();
    let read = captures::each(files, opened, |captured, place| {
        batch.postbacks.push(captures::read(&captured, rules));
        batch.places.push(place);
        if batch.places.len() == REPLAY_BATCH {
            flush(engine, rules, &mut batch, counts)
        } else {
            Ok(())
        }
    });
    // Also after a bad line: everything before it is applied, so that its place shows how far the
    // replay went. What fails here is before that line.
    flush(engine, rules, &mut batch, counts).and(read)
}

/// Postbacks of one transaction, and the place of each in its file.
#[derive(Default)]
struct PendingBatch {
    postbacks: Vec<Postback>,
    places: Vec<String>,
}

/// Applies the batch and empties it, also where it fails.
fn flush(
    engine: &mut dyn Engine,
    rules: &Rules,
    batch: &mut PendingBatch,
    counts: &mut Counts,
) -> Result<(), Failure> {
    let PendingBatch { postbacks, places } = std::mem::take(batch);
    let mut replies = Vec::with_capacity(places.len());
    let applied =
        apply_captured(engine, rules, &Clock::System, &postbacks, |reply| replies.push(reply));
    replies.iter().for_each(|reply| counts.add(reply.word()));
    for (place, reply) in places.iter().zip(&replies) {
        show_error(place, reply).map_err(|failure| failure.at(place))?;
    }
    let at = |place: Option<&String>, fault| {
        place.iter().fold(Failure::from(fault), |failure, place| failure.at(place))
    };
    applied.map_err(|fault| at(places.get(replies.len()), fault))?;
    engine.maintain(Instant::now()).map(|_| ()).map_err(|fault| at(places.last(), fault))
}
