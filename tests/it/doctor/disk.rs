//! Real file systems: one in memory that is too small, and one over the network.

use crate::support::{in_own_namespace, temp_dir};

#[test]
fn a_small_file_system_in_memory_is_told_of_both() {
    let dir = temp_dir();
    let Some(ran) = in_own_namespace(
        "mount -t tmpfs -o size=100m tmpfs \"$1\" && exec \"$2\" doctor --data-dir \"$1/data\"",
        dir.path(),
    ) else {
        return;
    };
    let out = String::from_utf8(ran.stdout).unwrap();
    let data = dir.path().join("data");
    let kind = format!(
        "  warning  file_system: {} is on tmpfs: its files are in memory, and a restart loses \
         them\n\
         \x20          -> move the data directory to a local disk\n",
        data.display()
    );
    assert!(out.contains(&kind), "{out}");
    let room = "  serious  disk_free: only 100.0 MiB are free\n\
         \x20          -> free some room, or move the data directory to a larger disk; \
         --journal-days limits the journal\n";
    assert!(out.contains(room), "{out}");
    assert_eq!(ran.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(ran.stderr).unwrap(),
        "nats-userman: 1 serious finding: see above\n"
    );
}
