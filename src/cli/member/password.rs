//! `member password`: sets the password of a member.

use super::operator::{change, rules};
use crate::cli::failure::Failure;
use crate::cli::typed_password;
use crate::config::Config;
use crate::database;
use crate::identity::Key;
use crate::key_file;
use crate::member_change::MemberChange;
use crate::password::{PASSWORD_EXPECTED, Password};

const COMMAND: &str = "member password";

pub(super) fn run(config: &Config, key: Key) -> Result<(), Failure> {
    database::check(config)?;
    let path = config.data_dir.seal_key();
    if !key_file::is_there(&path).map_err(|error| Failure::of(&error))? {
        return Err(Failure::Failed(format!(
            "{COMMAND}: {} is missing, under which passwords are sealed: start the service once, \
             or name its data directory with --data-dir; nothing was changed",
            path.display()
        )));
    }
    let typed = typed_password::read(COMMAND)?;
    let password = Password::parse(&typed).ok_or_else(|| {
        Failure::usage(format!(
            "{COMMAND}: the password: {PASSWORD_EXPECTED}, found {} bytes; nothing was changed",
            typed.len()
        ))
    })?;
    let vault = database::open_or_make(config).map_err(|error| Failure::of(&error))?;
    change(config, &MemberChange::Password(password), key, &rules(config, vault))
}
