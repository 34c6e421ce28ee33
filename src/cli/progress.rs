//! Bars on a terminal that show how much is done.

use std::io::{IsTerminal as _, stderr};

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of bytes whose total is set later. Hidden where stderr is no terminal.
pub(super) fn bar_of_bytes() -> ProgressBar {
    bar("{msg} {bar:40} {bytes}/{total_bytes} {elapsed}")
}

/// A bar of rows whose total is set later. Hidden where stderr is no terminal.
pub(super) fn bar_of_rows() -> ProgressBar {
    bar("{msg} {bar:40} {human_pos}/{human_len} rows {elapsed}")
}

fn bar(template: &str) -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    // Each template is a constant that parses. Without it the bar has a plain style.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
