//! A file system over the network.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::in_own_namespace;
use crate::support::{real_program, temp_dir};

/// A directory of an SFTP server, mounted by sshfs. The server runs on this machine, in place of
/// ssh.
#[test]
fn a_network_file_system_is_refused_by_serve_before_anything_is_made_there() {
    if real_program("sshfs").is_none() || !Path::new("/dev/fuse").exists() {
        eprintln!("\n*** NO FUSE: this test proves nothing here ***\n");
        return;
    }
    let dir = temp_dir();
    let (remote, mount) = (dir.path().join("remote"), dir.path().join("mount"));
    fs::create_dir(&remote).unwrap();
    fs::create_dir(&mount).unwrap();
    let ssh = dir.path().join("ssh");
    fs::write(&ssh, "#!/bin/sh\nexec /usr/lib/openssh/sftp-server\n").unwrap();
    fs::set_permissions(&ssh, Permissions::from_mode(0o755)).unwrap();
    let script = format!(
        "sshfs -o ssh_command={} host:{} \"$1\" || exit 99
         \"$2\" serve --listen 127.0.0.1:0 --data-dir \"$1/data\"; echo \"serve: $?\"
         \"$2\" doctor --data-dir \"$1/data\" | grep -A 1 file_system
         umount \"$1\"",
        ssh.display(),
        remote.display()
    );
    let Some(ran) = in_own_namespace(&script, &mount) else { return };
    let data = mount.join("data");
    let data = data.display();
    assert_eq!(
        String::from_utf8(ran.stdout).unwrap(),
        format!(
            "serve: 2\n\
             \x20 serious  file_system: {data} is on a network file system (fuse.sshfs), which \
             `serve` refuses\n\
             \x20          -> stop the service and move the data directory to a local disk\n"
        )
    );
    let err = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(
        err.lines().next().unwrap(),
        format!(
            "nats-userman: {data} is on a network file system (fuse.sshfs), where locks and syncs \
             are not reliable and a database gets damaged: use a directory on a local disk"
        )
    );
    assert_eq!(fs::read_dir(&remote).unwrap().count(), 0, "something was made");
}
