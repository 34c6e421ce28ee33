//! The file system under a path. The database needs locks that apply to all processes, memory that
//! they share, and a sync that reaches the disk. A network file system promises none of them.

use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{major, minor, statfs, statvfs};

/// Mount points, each with the name of its file system.
const MOUNTS: &str = "/proc/self/mountinfo";

/// File systems by the number that `statfs` returns (statfs(2) and linux/magic.h), where it matters
/// which one it is.
const KINDS: [(u32, &str, Kind); 21] = [
    (0x6969, "nfs", Kind::Network),
    (0x517b, "smb", Kind::Network),
    (0xff53_4d42, "cifs", Kind::Network),
    (0xfe53_4d42, "smb3", Kind::Network),
    (0x5346_414f, "afs", Kind::Network),
    (0x6b41_4653, "afs", Kind::Network),
    (0x00c3_6400, "ceph", Kind::Network),
    (0x7375_7245, "coda", Kind::Network),
    (0x564c, "ncpfs", Kind::Network),
    (0x0bd0_0bd0, "lustre", Kind::Network),
    (0x1983_0326, "beegfs", Kind::Network),
    (0x2003_0528, "orangefs", Kind::Network),
    (0x0102_1997, "9p", Kind::Shared),
    (0x786f_4256, "vboxsf", Kind::Shared),
    (0x0116_1970, "gfs2", Kind::Shared),
    (0x7461_636f, "ocfs2", Kind::Shared),
    (FUSE, "fuse", Kind::Shared),
    (0x794c_7630, "overlay", Kind::Layer),
    (0x0102_1994, "tmpfs", Kind::Memory),
    (0x8584_58f6, "ramfs", Kind::Memory),
    (0x4d44, "vfat", Kind::WithoutModes),
];

/// Programs provide file systems by FUSE. Their names are in the list of mounts.
const FUSE: u32 = 0x6573_5546;

/// File systems by FUSE that reach another machine.
const FUSE_NETWORK: [&str; 20] = [
    "fuse.sshfs",
    "fuse.glusterfs",
    "fuse.ceph",
    "fuse.ceph-fuse",
    "fuse.s3fs",
    "fuse.goofys",
    "fuse.gcsfuse",
    "fuse.mountpoint-s3",
    "fuse.blobfuse",
    "fuse.blobfuse2",
    "fuse.rclone",
    "fuse.juicefs",
    "fuse.davfs2",
    "fuse.curlftpfs",
    "fuse.mfs",
    "fuse.moosefs",
    "fuse.lizardfs",
    "fuse.seaweedfs",
    "fuse.gvfsd-fuse",
    "fuse.hdfs",
];

/// File systems of a local disk that a FUSE program reads.
const FUSE_LOCAL: [&str; 1] = ["fuseblk"];

/// What a file system means for the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A local disk.
    Disk,
    /// It is on another machine: `serve` refuses it.
    Network,
    /// The host of a virtual machine, several machines, or an unknown program provide it: locks and
    /// syncs depend on them.
    Shared,
    /// The writable layer of a container, or of a live system: it is deleted with its container.
    Layer,
    /// In memory: a restart of the machine loses it.
    Memory,
    /// It stores no owners and no modes, so that keys are open to others.
    WithoutModes,
}

/// A file system, with the name that `mount` shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileSystem {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// A data directory or database on a network file system.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} is on a network file system ({name}), where locks and syncs are not reliable and a \
     database gets damaged: use a directory on a local disk", .path.display()
)]
pub struct NetworkFileSystem {
    path: PathBuf,
    name: String,
}

impl fmt::Display for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl FileSystem {
    /// The file system of a path that may not exist yet: then that of the directory in which it
    /// would be created.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let path = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
        let number = u32::try_from(statfs(path)?.f_type & 0xffff_ffff).unwrap_or(0);
        let device = path.metadata()?.dev();
        let mounts = std::fs::read_to_string(MOUNTS).unwrap_or_default();
        Ok(Self::new(number, mounted(&mounts, (major(device), minor(device)))))
    }

    fn new(number: u32, mounted: Option<&str>) -> Self {
        let known = KINDS.iter().find(|(known, _, _)| *known == number);
        let (name, kind) = match (known, mounted) {
            (Some((FUSE, name, _)), mounted) => {
                let name = mounted.unwrap_or(name);
                (name, fuse_kind(name))
            }
            (Some((_, name, kind)), _) => (*name, *kind),
            (None, mounted) => (mounted.unwrap_or("unknown"), Kind::Disk),
        };
        Self { name: name.to_owned(), kind }
    }
}

/// The free bytes of the file system of a directory, for users other than root. `None` for one that
/// does not report its size, such as some network file systems.
///
/// # Errors
///
/// If the directory cannot be reached.
pub(crate) fn free_bytes(dir: &Path) -> io::Result<Option<u64>> {
    let stat = statvfs(dir)?;
    Ok((stat.f_blocks > 0).then(|| stat.f_bavail.saturating_mul(stat.f_frsize)))
}

/// Whether the file system of a directory has no room for this many bytes, or for one more file.
pub(crate) fn is_full(dir: &Path, bytes: u64) -> bool {
    statvfs(dir).is_ok_and(|stat| {
        let lacks_bytes = stat.f_blocks > 0 && stat.f_bavail.saturating_mul(stat.f_frsize) < bytes;
        lacks_bytes || stat.f_files > 0 && stat.f_favail == 0
    })
}

fn fuse_kind(name: &str) -> Kind {
    if FUSE_NETWORK.contains(&name) {
        Kind::Network
    } else if FUSE_LOCAL.contains(&name) {
        Kind::Disk
    } else {
        Kind::Shared
    }
}

/// Refuses a path on a network file system. If the system does not report the type, the path is
/// accepted.
///
/// # Errors
///
/// [`NetworkFileSystem`].
pub(crate) fn refuse_network(path: &Path) -> Result<(), NetworkFileSystem> {
    match FileSystem::of(path) {
        Ok(FileSystem { name, kind: Kind::Network }) => {
            Err(NetworkFileSystem { path: path.to_owned(), name })
        }
        _ => Ok(()),
    }
}

/// Whether the file system of this path is mounted with the option `discard`: it tells the disk of
/// each deleted block, at once. One that cannot be found in the list of mounts counts as without.
///
/// # Errors
///
/// If there is nothing at the path, or it cannot be reached.
pub(crate) fn is_mounted_with_discard(path: &Path) -> io::Result<bool> {
    let device = path.metadata()?.dev();
    let mounts = std::fs::read_to_string(MOUNTS).unwrap_or_default();
    Ok(has_option(&mounts, (major(device), minor(device)), "discard"))
}

/// Whether the file system on this device has an option that holds for all its mounts.
fn has_option(mounts: &str, device: (u32, u32), wanted: &str) -> bool {
    let options = mount_of(mounts, device).and_then(|mut fields| fields.nth(2));
    options.is_some_and(|options| options.split(',').any(|option| option == wanted))
}

/// Whether the file system of a path that may not exist yet is read-only itself, and not only where
/// it is mounted for this process. One that cannot be found counts as writable.
pub(crate) fn is_read_only_itself(path: &Path) -> bool {
    let existing = path.ancestors().find_map(|path| path.metadata().ok());
    let Some(metadata) = existing else { return false };
    let mounts = std::fs::read_to_string(MOUNTS).unwrap_or_default();
    let device = metadata.dev();
    has_option(&mounts, (major(device), minor(device)), "ro")
}

/// The name of the file system on this device in a list of mounts.
fn mounted(mounts: &str, device: (u32, u32)) -> Option<&str> {
    mount_of(mounts, device)?.next()
}

/// The fields for the file system on this device in a list of mounts (proc_pid_mountinfo(5)): its
/// name, its source and its options. They follow a single `-`; the third field is the device.
fn mount_of(mounts: &str, (major, minor): (u32, u32)) -> Option<impl Iterator<Item = &str>> {
    let device = format!("{major}:{minor}");
    let mut lines = mounts.lines().map(|line| line.split(' '));
    let mut fields = lines.find(|fields| fields.clone().nth(2) == Some(device.as_str()))?;
    fields.find(|field| *field == "-")?;
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_system_has_its_kind() {
        for (number, mounted, name, kind) in [
            (0xef53, Some("ext4"), "ext4", Kind::Disk),
            (0x5846_5342, None, "unknown", Kind::Disk),
            (0x6969, Some("nfs4"), "nfs", Kind::Network),
            (0xff53_4d42, Some("cifs"), "cifs", Kind::Network),
            (0x0102_1997, Some("9p"), "9p", Kind::Shared),
            (FUSE, Some("fuse.sshfs"), "fuse.sshfs", Kind::Network),
            (FUSE, Some("virtiofs"), "virtiofs", Kind::Shared),
            (FUSE, Some("fuseblk"), "fuseblk", Kind::Disk),
            (FUSE, None, "fuse", Kind::Shared),
            (0x794c_7630, Some("overlay"), "overlay", Kind::Layer),
            (0x0102_1994, Some("tmpfs"), "tmpfs", Kind::Memory),
        ] {
            let found = FileSystem::new(number, mounted);
            assert_eq!((found.name.as_str(), found.kind), (name, kind), "{number:x} {mounted:?}");
        }
    }

    #[test]
    fn the_list_of_mounts_names_the_file_system_of_a_device() {
        let mounts = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
             42 27 0:39 / /mnt rw shared:7 master:2 - fuse.sshfs host:/srv rw,user_id=0\n";
        assert_eq!(mounted(mounts, (254, 0)), Some("ext4"));
        assert_eq!(mounted(mounts, (0, 39)), Some("fuse.sshfs"));
        assert_eq!(mounted(mounts, (0, 3)), None);
        assert_eq!(mounted("", (0, 3)), None);
    }

    #[test]
    fn the_list_of_mounts_tells_whether_deleted_blocks_are_discarded_at_once() {
        let mounts = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard,commit=30\n\
             28 1 254:1 / /srv rw,discard - ext4 /dev/vdb rw,nodiscard\n\
             29 1 0:40 / /data rw - btrfs /dev/vdc rw,discard=async,space_cache=v2\n";
        let found = [(254, 0), (254, 1), (0, 40), (0, 3)];
        let found = found.map(|device| has_option(mounts, device, "discard"));
        assert_eq!(found, [true, false, false, false]);
    }

    /// The unit mounts all directories but those of the service read-only.
    #[test]
    fn a_mount_that_is_read_only_is_told_from_a_file_system_that_is() {
        let mounts = "27 1 254:0 / / ro,relatime - ext4 /dev/vda rw,errors=remount-ro\n\
             28 1 254:1 / /srv ro - ext4 /dev/vdb ro,errors=remount-ro\n";
        let found = [(254, 0), (254, 1), (0, 3)].map(|device| has_option(mounts, device, "ro"));
        assert_eq!(found, [false, true, false]);
    }

    #[test]
    fn the_kind_of_a_real_path_is_found_before_it_exists() {
        let proc = FileSystem::of(Path::new("/proc/none/there")).unwrap();
        assert_eq!((proc.name.as_str(), proc.kind), ("proc", Kind::Disk));
        assert!(refuse_network(Path::new("/proc/none/there")).is_ok());
    }
}
