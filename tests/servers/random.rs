//! A system without random bytes: a directory without /dev, under a kernel or a filter without
//! getrandom(2).

use std::process::Command;

use tempfile::TempDir;

use crate::support::ran::end;
use crate::support::{program, real_program};
use crate::web::is_root;

/// Regression: a library panicked when it needed the first random number.
#[test]
fn a_system_without_random_bytes_is_told_in_one_line_before_anything_is_made() {
    let (Some(unshare), Some(_)) = (real_program("unshare"), real_program("strace")) else {
        return;
    };
    if !is_root() {
        return;
    }
    // Not a directory in memory, because that is below /dev.
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("data");
    let without = "mount -t tmpfs none /dev && exec strace -qq -f -o \"$0\" -e trace=getrandom \
                   -e inject=getrandom:error=ENOSYS \"$@\"";
    let mut command = Command::new(unshare);
    command.args(["--mount", "sh", "-c", without]).arg(dir.path().join("trace"));
    command.arg(program().get_program()).args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]);
    command.arg(&data);
    end(command).ended(
        1,
        "nats-userman: the system gives no random bytes: No such file or directory (os error 2); \
         provide /dev/urandom, or allow the system call getrandom\n",
    );
    assert!(!data.exists());
}
