//! The program on whole systems: the unit, the package and the image, each under a systemd of its
//! own. Each story boots a machine (a tree of Debian or Ubuntu in a container), runs a script in
//! it, and checks what the script printed.
//!
//! These tests need root and programs of the system, so `cargo test` leaves them out. Run them by
//! `cargo test --test system`. To run only the stories whose names contain a word, use `cargo test
//! --test system -- WORD`.

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
    let of_containers = runner::meant(container::STORIES, &arguments);
    if of_containers.iter().any(|story| runner::missing(story).is_none()) {
        container::begin_image();
    }
    let others = runner::meant(&[unit::STORIES, package::STORIES].concat(), &arguments);
    let is_good = runner::run(&[others, of_containers].concat());
    tree::remove();
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
