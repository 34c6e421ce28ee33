//! Files for the settings that the service cannot read, although root can.

use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::sandbox::Sandbox;
use crate::config::Config;
use crate::denied::{self, KEEP_IT, PASS_ON};

pub(super) const SEARCH: u32 = 0o1;
const READ: u32 = 0o4;

/// A file for the settings that the owner of the data directory cannot read.
pub(super) struct Unread {
    pub(super) found: String,
    pub(super) remedy: String,
    pub(super) is_secret: bool,
}

/// The files for the settings that the owner of the data directory, who is the service's user,
/// cannot read, or that the unit keeps from the service. Root reads them all, and would not notice.
pub(super) fn unread_files(config: &Config, sandbox: &Sandbox) -> Vec<Unread> {
    let Ok(owner) = fs::metadata(config.data_dir.path()) else { return Vec::new() };
    let user = denied::name(owner.uid());
    let unread = |path: PathBuf| {
        let is_secret = config.secret_files.contains(&path);
        let file = path.display();
        let absolute = path.canonicalize().ok()?;
        if sandbox.passes(&path) {
            return None;
        }
        if let Some(hidden) = sandbox.hides(&absolute) {
            let hidden = hidden.display();
            let found = format!("the service cannot read {file}: the unit hides {hidden} from it");
            return Some(Unread { found, remedy: KEEP_IT.to_owned(), is_secret });
        }
        let closed = absolute.ancestors().skip(1).find(|dir| !may(dir, &owner, SEARCH));
        if sandbox.is_dynamic() && (closed.is_some() || !may(&path, &owner, READ)) {
            let found = format!("the service cannot read {file}: its user is new at each start");
            return Some(Unread { found, remedy: PASS_ON.to_owned(), is_secret });
        }
        if let Some(closed) = closed {
            let dir = closed.display();
            let found = format!("{user} cannot read {file}: they cannot enter {dir}");
            let remedy = match denied::is_of_system(closed) {
                true => KEEP_IT.to_owned(),
                false => format!("as root, run `chmod o+x {dir}`, or move the file elsewhere"),
            };
            return Some(Unread { found, remedy, is_secret });
        }
        let remedy = match is_secret {
            true => format!("as root, run `chown root:{user} {file}` and `chmod 640 {file}`"),
            false => format!("as root, run `chgrp {user} {file}` and `chmod g+r {file}`"),
        };
        let found = format!("{user} cannot read {file}");
        (!may(&path, &owner, READ)).then_some(Unread { found, remedy, is_secret })
    };
    config.read_files().into_iter().filter_map(unread).collect()
}

/// Whether the owner of the data directory has this access to a file or directory, by its mode.
/// Root has all.
pub(super) fn may(path: &Path, user: &Metadata, access: u32) -> bool {
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
