//! Settings for tests.

use clap::Parser;

use super::{Config, Settings};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    settings: Settings,
}

impl Config {
    /// The configuration by these flags, with a data directory.
    pub(crate) fn of_flags(flags: &[&str]) -> Self {
        let line = ["test", "--data-dir", "/srv/data"];
        Self::read(&Line::parse_from(line.iter().chain(flags)).settings).unwrap()
    }
}
