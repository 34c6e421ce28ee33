//! Writes the man pages and the completions of the shells, which the Debian package installs:
//!
//! ```sh
//! cargo run --locked --example packaged
//! ```
//!
//! They are made from the program's own definition of its command line. The test
//! `docs::packaged_pages` compares them with what `packaging/` has.

#![allow(missing_docs)]

mod pages;

use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    pages::write(&Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging"))
}
