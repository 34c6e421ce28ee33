//! The pages of the repository and its examples.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use super::{App, TOKEN};

/// A file of the repository.
pub fn page(path: &str) -> String {
    fs::read_to_string(root(path)).unwrap()
}

/// The lines of the code block after a marker.
pub fn block_after(page: &str, marker: &str) -> Vec<String> {
    let (_, rest) = page.split_once(marker).unwrap();
    rest.lines()
        .skip_while(|line| !line.starts_with("```"))
        .skip(1)
        .take_while(|line| !line.starts_with("```"))
        .map(str::to_owned)
        .collect()
}

pub fn example(name: &str) -> PathBuf {
    root("examples").join(name)
}

pub fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub fn postback_url(app: &App) -> String {
    format!("http://{}/postback/{TOKEN}", app.address)
}
