//! The program on whole systems: the unit, the package and the image, run by a systemd of their
//! own. Each story boots a machine (a Debian tree in a container), runs a script in it and looks at
//! what it printed.
//!
//! Needs root and programs of the system, so that `cargo test` leaves it out. Run it by
//! `cargo test --test system`, or only the stories whose names contain a word by
//! `cargo test --test system -- WORD`.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod boot;
mod container;
mod inside;
mod package;
mod runner;
mod tree;
mod unit;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((command, rest)) = arguments.split_first()
        && let Some(run) = inside::command(command)
    {
        run(rest);
        return ExitCode::SUCCESS;
    }
    let stories = [unit::STORIES, package::STORIES, container::STORIES].concat();
    let is_good = runner::run(&stories, &arguments);
    tree::remove();
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
