//! A bar on a terminal that shows how many bytes are done.

use std::io::{IsTerminal as _, stderr};

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of bytes whose total is set later. Hidden where stderr is no terminal.
pub(super) fn bar_of_bytes() -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    // The template is a constant that parses. Without it the bar has a plain style.
    let template = "{msg} {bar:40} {bytes}/{total_bytes} {elapsed}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
