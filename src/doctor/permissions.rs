//! Who may read and write what: the data directory, the database, the keys, the files of secrets.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::places;
use super::report::{Level, Report};
use super::sandbox::{Sandbox, Unwritable};
use super::unread::{SEARCH, may, unread_files};
use crate::chain::chain;
use crate::config::Config;
use crate::data_dir::modes;
use crate::denied;
use crate::store::missing_privilege;

pub(super) fn check(config: &Config, sandbox: &Sandbox, report: &mut Report) {
    let before = report.len();
    for problem in places::no_access(config) {
        report.add(
            Level::Serious,
            "access",
            problem,
            "correct owner or mode, or run the command as the service's user",
        );
    }
    if let Some(fault) = missing_privilege(&config.location) {
        report.add(
            Level::Serious,
            "access",
            format!("the database cannot be written: {}", chain(&fault)),
            "run the GRANT of docs/cluster.md at the server, then restart the service",
        );
    }
    if report.len() == before {
        report.ok("access", "this user can read and write the data directory and the database");
    }
    check_files(config, sandbox, report);
}

/// The modes and the owners of the files, without a try to open one.
pub(super) fn check_files(config: &Config, sandbox: &Sandbox, report: &mut Report) {
    check_modes(config, report);
    check_owner(config, sandbox, report);
    for Unwritable { stops_service, found, remedy } in sandbox.unwritable(config) {
        let level = if stops_service { Level::Serious } else { Level::Warning };
        report.add(level, "unit_directories", found, remedy);
    }
}

fn check_modes(config: &Config, report: &mut Report) {
    let before = report.len();
    for loose in modes::loose_secrets(&config.data_dir) {
        report.add(
            Level::Serious,
            "modes",
            format!("{loose}: other users can read it"),
            format!(
                "run `chmod go= {}`; a start of the service does so too; if others have read it, \
                 replace it",
                loose.path().display()
            ),
        );
    }
    let rest = modes::loose_rest(&config.data_dir, &config.location.files());
    let backups = modes::loose_dir(&config.backup.wishes.dir);
    let named = modes::loose_named(&config.secret_files);
    for loose in rest.into_iter().chain(backups).chain(named) {
        let (level, access) = match loose.is_open_to_writes() {
            true => (Level::Serious, "change"),
            false => (Level::Warning, "access"),
        };
        report.add(level, "modes", format!("{loose}: other users can {access} it"), loose.remedy());
    }
    if report.len() == before {
        report
            .ok("modes", "only owner and group can access the files, and only the owner the keys");
    }
}

/// The owner of the data directory is the service's user.
fn check_owner(config: &Config, sandbox: &Sandbox, report: &mut Report) {
    let Ok(dir) = config.data_dir.path().canonicalize() else { return };
    let Ok(owner) = fs::metadata(&dir) else { return };
    let user = denied::name(owner.uid());
    let before = report.len();
    for file in own_files(config) {
        let Ok(metadata) = fs::metadata(&file) else { continue };
        if metadata.uid() != owner.uid() {
            report.add(
                Level::Serious,
                "owners",
                format!(
                    "{} belongs to {}, and the data directory to {user}",
                    file.display(),
                    denied::name(metadata.uid())
                ),
                format!(
                    "as root, run `chown {}{user}: {}`",
                    if metadata.is_dir() { "-R " } else { "" },
                    file.display()
                ),
            );
        }
    }
    if report.len() == before {
        report.ok("owners", format!("{user} owns the data directory and all files in it"));
    }
    let before = report.len();
    for above in dir.ancestors().skip(1) {
        if !may(above, &owner, SEARCH) && !sandbox.opens(above) {
            let remedy = match denied::is_of_system(above) {
                true => "use another directory".to_owned(),
                false => {
                    format!(
                        "as root, run `chmod o+x {}`, or use another directory",
                        above.display()
                    )
                }
            };
            report.add(
                Level::Serious,
                "directories_above",
                format!("{user} cannot enter {}", above.display()),
                remedy,
            );
        }
    }
    if report.len() == before {
        report.ok("directories_above", format!("{user} can enter the directories above"));
    }
    for unread in unread_files(config, sandbox) {
        let name = if unread.is_secret { "secret_files" } else { "settings_files" };
        report.add(Level::Serious, name, unread.found, unread.remedy);
    }
}

/// The files that the service makes.
fn own_files(config: &Config) -> Vec<PathBuf> {
    let dir = &config.data_dir;
    let mut files = Vec::from(dir.key_files());
    files.extend([dir.token_file(), dir.served(), dir.lock_file(), dir.restore_plan()]);
    files.extend(own_backups(config).map(Path::to_owned));
    files.extend(config.location.files());
    files
}

/// The directory of backups in the data directory, which the service makes.
fn own_backups(config: &Config) -> Option<&Path> {
    config.backup.creates_dir.then_some(&config.backup.wishes.dir)
}
