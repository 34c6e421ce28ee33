//! Settings and their mistakes: flags, variables, files, exit codes.

mod check_config;
mod help;
mod modes;
mod nats;
mod tokens;
mod values;
mod wrong;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use clap::{Arg, CommandFactory as _};
use nats_userman::cli::Cli;

/// A second token, next to [`crate::support::TOKEN`].
const OTHER: &str = "other_token_0123456789_abcdef_0123456789";

/// Every setting: its flag and its variable.
fn settings() -> Vec<(String, String)> {
    let program = Cli::command();
    let settings = program.get_arguments().filter(|setting| setting.is_global_set());
    let both = |setting: &Arg| {
        let variable = setting.get_env().unwrap_or_else(|| panic!("{setting} has no variable"));
        (format!("--{}", setting.get_long().unwrap()), variable.to_str().unwrap().to_owned())
    };
    settings.map(both).collect()
}

/// The variable of a flag.
fn variable_of(flag: &str) -> String {
    format!("USERMAN{}", flag.replace("--", "_").replace('-', "_").to_ascii_uppercase())
}

/// Writes a file with this mode.
fn write(dir: &Path, name: &str, mode: u32, text: &str) {
    fs::write(dir.join(name), text).unwrap();
    fs::set_permissions(dir.join(name), Permissions::from_mode(mode)).unwrap();
}
