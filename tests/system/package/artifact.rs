//! The program of the package as a file.

use std::env;
use std::fs;
use std::process::Command;

use memchr::memmem;

use super::build::{build, root, run};

/// Release 0.7.0 had 10.9 MB. Import, export, reconcile, `try` and `forget` add 0.8 MB, and the
/// console, metrics and alarms 1.3 MB.
const BYTES_MAX: usize = 13_500_000;
/// The newest glibc that the program may need. Debian 12 has 2.36, Ubuntu 22.04 has 2.35.
const GLIBC_MAX: (u32, u32) = (2, 34);

/// Neither of this machine, nor of the directory in which the program was built.
pub fn names_no_path(program: &[u8], built_in: &str) {
    let home = format!("{}/", env::var("HOME").unwrap());
    for path in [built_in, &home, ".cargo/", ".rustup/", "/target/"] {
        let at = memmem::find(program, path.as_bytes());
        let around = at.map(|at| &program[at.saturating_sub(40)..program.len().min(at + 80)]);
        assert!(around.is_none(), "{path}: {}", String::from_utf8_lossy(around.unwrap()));
    }
}

pub fn program() {
    build("program");
    let path = root().join("target/dist/nats-userman");
    let program = fs::read(&path).unwrap();
    println!("the program has {} bytes", program.len());
    assert!(program.len() <= BYTES_MAX, "{} bytes", program.len());

    names_no_path(&program, root().to_str().unwrap());

    let symbols = run(Command::new("objdump").arg("-T").arg(&path));
    let versions = symbols.split("GLIBC_").skip(1).filter_map(|rest| {
        let digits: Vec<u32> = rest
            .split(|c: char| !c.is_ascii_digit() && c != '.')
            .next()?
            .split('.')
            .filter_map(|number| number.parse().ok())
            .collect();
        Some((*digits.first()?, *digits.get(1)?))
    });
    let highest = versions.max().unwrap();
    println!("the highest version of a symbol of glibc is {highest:?}");
    assert!(highest <= GLIBC_MAX, "{highest:?}:\n{symbols}");
}
