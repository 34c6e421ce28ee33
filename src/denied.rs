//! Explains why the system denied access to a path: which file or directory denies it, who owns
//! that, and what to do. The system itself only says "Permission denied". A container is told what
//! to do on its host, for there is no other user in it.

use std::fs;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::process::{getegid, geteuid};

use crate::file_system;

/// Whether this process is the service.
static IS_SERVICE: AtomicBool = AtomicBool::new(false);

/// Notes that this process is the service, which runs as its own user: from now on each reason says
/// how to give the service the access.
pub(crate) fn in_the_service() {
    IS_SERVICE.store(true, Ordering::Relaxed);
}

/// Whether this process is the service.
pub(crate) fn is_service() -> bool {
    IS_SERVICE.load(Ordering::Relaxed)
}

/// Whether there is such a file or directory. Unlike `Path::exists` it returns an error where
/// access is denied.
pub(crate) fn is_there(path: &Path) -> Result<bool> {
    match path.try_exists() {
        Err(error) if error.kind() == ErrorKind::NotADirectory => Ok(false),
        there => there.map_err(|error| explain(path, error)),
    }
}

/// Whether an existing file or directory may be used in this way.
pub(crate) fn check(path: &Path, access: Access) -> Result<()> {
    may(path, access).map_err(|error| explain(path, error))
}

/// The directories that the unit hides from the service, by `ProtectHome=` and by `PrivateTmp=`.
const HIDDEN: &str = "/home /root /run/user /tmp /var/tmp";

/// Directories of the system, which other programs use. Their owner and mode are as they must be.
///
/// One text: of several, the compiler may put `/root` before another path, and a check of the
/// program would take it for a path of the machine that built it.
const OF_SYSTEM: &str = "/ /bin /boot /dev /dev/shm /etc /home /lib /lib64 /media /mnt /opt /proc \
    /root /run /run/user /sbin /srv /sys /tmp /usr /var /var/cache /var/lib /var/lib/private \
    /var/log /var/tmp";

/// The directories that the unit hides from the service.
pub(crate) fn hidden() -> impl Iterator<Item = &'static str> {
    HIDDEN.split(' ')
}

/// Where a file is that a setting names, and the service can read it.
pub(crate) const KEEP_IT: &str = "keep a file that a setting names in /etc/nats-userman: \
    `install -m 640 -g nats-userman -t /etc/nats-userman FILE`";

/// How the service gets a file of root if its user exists only while it runs.
pub(crate) const PASS_ON: &str = "pass the file on by `LoadCredential=`, as docs/systemd.md shows";

/// Whether nobody may change the owner or the mode of this directory for one service.
pub(crate) fn is_of_system(dir: &Path) -> bool {
    let is_of_user = dir
        .parent()
        .is_some_and(|above| [Path::new("/home"), Path::new("/run/user")].contains(&above));
    is_of_user || OF_SYSTEM.split(' ').any(|of_system| dir == Path::new(of_system))
}

/// Whether this process is the service in its unit. systemd gives each run of a unit an id.
fn is_in_unit() -> bool {
    let has_id = std::env::var_os("INVOCATION_ID").is_some_and(|id| !id.is_empty());
    is_service() && has_id && !is_in_container()
}

/// Whether the unit hides what is at the path, or where its symbolic link leads.
fn is_hidden(path: &Path) -> bool {
    let leads_to = fs::read_link(path).ok();
    let leads_to = leads_to.zip(path.parent()).map(|(target, dir)| dir.join(target));
    let places = leads_to.as_deref().into_iter().chain([path]);
    let mut places = places.filter_map(|place| std::path::absolute(place).ok());
    places.any(|place| hidden().any(|hidden| place.starts_with(hidden)))
}

/// Why the service cannot write there, if its unit is the reason. It can write in the directories
/// that the unit names, unless their file system is read-only.
fn forbidden(path: &Path) -> Option<String> {
    let path = std::path::absolute(path).ok()?;
    let own = std::env::var("STATE_DIRECTORY").unwrap_or_default();
    let is_own = own.split(':').any(|own| !own.is_empty() && path.starts_with(own));
    if !is_in_unit() || is_own || file_system::is_read_only_itself(&path) {
        return None;
    }
    let above = path.parent()?;
    let dir = if path.is_dir() || is_of_system(above) { &path } else { above };
    let why = "the unit lets the service write in its own directories only";
    Some(format!("{why}; {}", let_write(dir)))
}

/// What makes the unit let the service write in a directory, which must be there for that.
pub(crate) fn let_write(dir: &Path) -> String {
    let at = dir.display();
    let make = match dir.exists() {
        true => String::new(),
        false => format!("create {at} for the service's user, "),
    };
    format!(
        "{make}run `systemctl edit nats-userman`, write the lines `[Service]` and \
         `ReadWritePaths={at}`, and restart the service"
    )
}

/// The error, with the reason if it is a denial or the file system is read-only.
pub(crate) fn explain(path: &Path, error: Error) -> Error {
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::NotFound if is_in_unit() && is_hidden(path) => {
            let why = format!(
                "{error}: the unit hides /home, /root, /run/user and /tmp from the service; use \
                 another directory; {KEEP_IT}"
            );
            Error::new(error.kind(), why)
        }
        ErrorKind::PermissionDenied => match reason(path) {
            Some(reason) => Error::new(ErrorKind::PermissionDenied, format!("{error}: {reason}")),
            None => error,
        },
        ErrorKind::ReadOnlyFilesystem => {
            let mount = || format!("mount the file system of {} read-write", path.display());
            let why = format!("{error}: {}", forbidden(path).unwrap_or_else(mount));
            Error::new(ErrorKind::ReadOnlyFilesystem, why)
        }
        _ => error,
    }
}

/// Whether the effective user of the process has this access.
fn may(path: &Path, access: Access) -> Result<()> {
    Ok(accessat(CWD, path, access, AtFlags::EACCESS)?)
}

fn reason(path: &Path) -> Option<String> {
    let path = std::path::absolute(path).ok()?;
    let blamed = blamed(&path)?;
    let metadata = fs::metadata(blamed).ok()?;
    let all = Access::READ_OK | Access::WRITE_OK;
    let all = if metadata.is_dir() { all | Access::EXEC_OK } else { all };
    if may(blamed, all).is_ok() {
        // Owner and mode permit it: something else denies it, such as SELinux.
        return None;
    }
    let (owner, us, mode) = (metadata.uid(), geteuid().as_raw(), metadata.mode() & 0o7777);
    let above = blamed.parent().and_then(|dir| fs::metadata(dir).ok()).map(|dir| dir.uid());
    let (theirs, ours, at) = (name(owner), name(us), blamed.display());
    let what = format!("{at} belongs to {theirs} with mode {mode:04o}, and this runs as {ours}");
    Some(if owner == us {
        format!("{what}; run `chmod u+rwX {at}`")
    } else if is_in_container() {
        format!(
            "{what}; on the host, run `chown -R {us} DIR` on the directory that is mounted there, \
             or `podman unshare chown -R {us} DIR` with rootless Podman"
        )
    } else if metadata.is_file() && above == Some(us) {
        // Usual after a first start by root in the directory of the service's user.
        format!("{what}; as root, run `chown {ours} {at}`")
    } else if owner == 0 && blamed != path && may(blamed, Access::EXEC_OK).is_ok() {
        // Such as /var/lib, where root creates a directory for each service.
        let new = path.display();
        format!("{what}; as root, create {new} and run `chown {ours} {new}`")
    } else if is_service() && is_of_system(blamed) {
        format!("{what}; use another directory; {KEEP_IT}")
    } else if is_service() && metadata.is_dir() {
        format!(
            "{what}; if only this service uses it, run `chown {ours} {at}` as root, else use \
             another directory"
        )
    } else if is_in_unit() && is_unnamed(us) {
        format!("{what}; {PASS_ON}")
    } else if is_service() && owner == 0 {
        let group = name_in("/etc/group", getegid().as_raw());
        format!("{what}; as root, run `chgrp {group} {at}` and `chmod 640 {at}`")
    } else if is_service() {
        format!("{what}; as root, run `chown {ours} {at}`")
    } else {
        format!("{what}; run it as {theirs}, as in `{}`", as_user(us, owner))
    })
}

/// How this user runs a command as that one. Only root can use `runuser`.
fn as_user(us: u32, owner: u32) -> String {
    match (us, owner) {
        (0, _) => format!("runuser -u {} -- nats-userman", name(owner)),
        (_, 0) => "sudo nats-userman".to_owned(),
        _ => format!("sudo -u {} nats-userman", name(owner)),
    }
}

/// Whether this is a container. Podman and systemd set this variable, and our image does.
fn is_in_container() -> bool {
    std::env::var_os("container").is_some_and(|kind| !kind.is_empty())
}

/// The directory on the path that denies access; if none does, the file itself, or the directory in
/// which it cannot be created.
fn blamed(path: &Path) -> Option<&Path> {
    let denies = |error: Error| error.kind() == ErrorKind::PermissionDenied;
    let mut dirs: Vec<&Path> = path.ancestors().skip(1).collect();
    dirs.reverse();
    let closed = dirs.into_iter().find(|dir| may(dir, Access::EXEC_OK).is_err_and(denies));
    closed.or_else(|| path.ancestors().find(|path| path.symlink_metadata().is_ok()))
}

/// Whether /etc/passwd has no such user, as it has none of a unit with `DynamicUser=`.
fn is_unnamed(uid: u32) -> bool {
    name(uid) == uid.to_string()
}

/// The group that may read this file, if it has one.
pub(crate) fn reading_group(path: &Path) -> Option<String> {
    const GROUP_READS: u32 = 0o040;
    let metadata = fs::metadata(path).ok()?;
    (metadata.mode() & GROUP_READS != 0).then(|| name_in("/etc/group", metadata.gid()))
}

/// The user's name, or their number where /etc/passwd has none. A container has no such file.
pub(crate) fn name(uid: u32) -> String {
    if uid == 0 { "root".to_owned() } else { name_in("/etc/passwd", uid) }
}

/// The name in the first column for the number in the third one.
fn name_in(table: &str, id: u32) -> String {
    let table = fs::read_to_string(table).unwrap_or_default();
    let mut lines = table.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let line = lines.find(|line| line.get(2).is_some_and(|number| *number == id.to_string()));
    line.map_or_else(|| id.to_string(), |line| line[0].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_the_system_is_told_from_one_of_the_service() {
        for dir in ["/", "/root", "/home", "/home/op", "/run/user/1000", "/var/lib/private"] {
            assert!(is_of_system(Path::new(dir)), "{dir}");
        }
        for dir in ["/backup", "/srv/nu", "/home/op/nu", "/var/lib/nats-userman"] {
            assert!(!is_of_system(Path::new(dir)), "{dir}");
        }
    }

    #[test]
    fn what_the_unit_hides_is_known_by_its_path_and_by_a_link_to_it() {
        let dir = tempfile::TempDir::new_in("/dev/shm").unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        std::os::unix::fs::symlink("/root/keys", &link).unwrap();
        for path in ["/root/keys", "/home/op/keys", "/tmp/keys", "/var/tmp/a/b"] {
            assert!(is_hidden(Path::new(path)), "{path}");
        }
        assert!(is_hidden(&link) && !is_hidden(&file) && !is_hidden(Path::new("/rooted/keys")));
    }

    #[test]
    fn only_root_is_told_to_use_runuser() {
        for (us, owner, said) in [
            (0, 4_000_000, "runuser -u 4000000 -- nats-userman"),
            (4_000_001, 0, "sudo nats-userman"),
            (4_000_001, 4_000_000, "sudo -u 4000000 nats-userman"),
        ] {
            assert_eq!(as_user(us, owner), said);
        }
    }
}
