//! Who may read and write what: the data directory, the database, the keys, the files of secrets.

use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::places;
use super::report::{Level, Report};
use crate::config::Config;
use crate::data_dir::modes;
use crate::denied;

const SEARCH: u32 = 0o1;
const READ: u32 = 0o4;

pub(super) fn check(config: &Config, report: &mut Report) {
    let before = report.len();
    for problem in places::no_access(config) {
        report.add(
            Level::Serious,
            "access",
            problem,
            "correct owner or mode, or run the command as the service's user",
        );
    }
    if report.len() == before {
        report.ok("access", "this user can read and write the data directory and the database");
    }
    check_modes(config, report);
    check_owner(config, report);
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
    for loose in rest.into_iter().chain(modes::loose_named(&config.secret_files)) {
        report.add(
            Level::Warning,
            "modes",
            format!("{loose}: other users can access it"),
            format!("run `chmod o= {}`", loose.path().display()),
        );
    }
    if report.len() == before {
        report
            .ok("modes", "only owner and group can access the files, and only the owner the keys");
    }
}

/// The owner of the data directory is the service's user.
fn check_owner(config: &Config, report: &mut Report) {
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
                format!("as root, run `chown {user}: {}`", file.display()),
            );
        }
    }
    if report.len() == before {
        report.ok("owners", format!("{user} owns the data directory and all files in it"));
    }
    let before = report.len();
    for above in dir.ancestors().skip(1) {
        if !may(above, &owner, SEARCH) {
            report.add(
                Level::Serious,
                "directories_above",
                format!("{user} cannot enter {}", above.display()),
                format!("as root, run `chmod o+x {}`, or use another directory", above.display()),
            );
        }
    }
    for file in &config.secret_files {
        if file.exists() && !may(file, &owner, READ) {
            report.add(
                Level::Serious,
                "secret_files",
                format!("{user} cannot read {}", file.display()),
                format!(
                    "as root, run `chown root:{user} {file}` and `chmod 640 {file}`",
                    file = file.display()
                ),
            );
        }
    }
    if report.len() == before {
        report.ok("directories_above", format!("{user} can enter the directories above"));
    }
}

/// The files that the service makes.
fn own_files(config: &Config) -> Vec<PathBuf> {
    let dir = &config.data_dir;
    let mut files = vec![dir.seal_key(), dir.cookie_key(), dir.token_file(), dir.served()];
    files.extend(config.location.files());
    files
}

/// Whether the owner of the data directory has this access to a file or directory, by its mode.
/// Root has all.
fn may(path: &Path, user: &Metadata, access: u32) -> bool {
    let Ok(metadata) = fs::metadata(path) else { return true };
    let mode = metadata.permissions().mode();
    let shift = if metadata.uid() == user.uid() {
        6
    } else if metadata.gid() == user.gid() {
        3
    } else {
        0
    };
    user.uid() == 0 || mode >> shift & access != 0
}
