//! The captures of a `replay`, and a bar that shows how far it is.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};

use crate::action::Rules;
use crate::apply::Postback;
use crate::cli::failure::Failure;
use crate::journal::Origin;
use crate::replay::{Capture, Captured};

/// Opens all files before the first one is applied.
pub(super) fn open(files: &[PathBuf]) -> Result<Vec<Capture>, Failure> {
    Capture::open_all(files).map_err(|error| Failure::of(&error))
}

/// Calls `work` for every postback of every file, with a progress bar by bytes.
pub(super) fn each(
    files: &[PathBuf],
    captures: Vec<Capture>,
    work: impl FnMut(Captured, String) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let bar = progress(files);
    let done = each_with(captures, &bar, work);
    bar.finish_and_clear();
    done
}

fn progress(files: &[PathBuf]) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    // None if one of them is a pipe, whose length is unknown.
    let bytes = |path: &PathBuf| {
        std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|file| file.len())
    };
    let (bar, template) = match files.iter().map(bytes).sum() {
        Some(bytes) => (
            ProgressBar::new(bytes),
            "{bar:40} {bytes}/{total_bytes} {elapsed} (about {eta} to go)",
        ),
        None => (ProgressBar::no_length(), "{bytes} {elapsed}"),
    };
    // Both templates are constants that parse. Without them the bar has a plain style.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

fn each_with(
    captures: Vec<Capture>,
    bar: &ProgressBar,
    mut work: impl FnMut(Captured, String) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut done = 0;
    for mut capture in captures {
        while let Some(postback) = capture.next_postback().map_err(|error| Failure::of(&error))? {
            work(postback, capture.place())?;
            bar.set_position(done + capture.bytes_read());
        }
        done += capture.bytes_read();
    }
    Ok(())
}

/// Reads a captured postback, and logs the parameters that were ignored.
pub(super) fn read(captured: &Captured, rules: &Rules) -> Postback {
    let (postback, ignored) = Postback::read(&captured.fields(), rules, Origin::Replay, None);
    postback.log_ignored(&ignored);
    if postback.gives_name_unfit_for_basic() {
        Postback::log_unfit_for_basic(postback.received.site(), postback.received.member());
    }
    postback
}
