//! The form of our text: lines of at most 100 columns, and doc comments that are complete by
//! themselves.

use std::fs;
use std::path::{Path, PathBuf};

/// The maximum number of columns.
const COLUMNS: usize = 100;

/// Our files, by the end of their names.
const OURS: [&str; 10] =
    [".rs", ".md", ".sql", ".sh", ".py", ".toml", ".conf", ".yaml", ".ci/run", "Dockerfile"];

/// Files that we do not write for readers, or that must not change.
const APART: [(&str, &str); 8] = [
    ("target", "built"),
    ("fuzz/target", "built"),
    ("fuzz/corpus", "inputs, byte for byte"),
    ("examples/captures", "what NATS sent, byte for byte"),
    ("tests/golden", "transcripts, byte for byte"),
    ("tests/releases", "data of earlier releases, and the script that made it"),
    ("tests/schemas", "the schema of an earlier release"),
    ("tests/servers/authstrings/samples", "as NATS's manual has them"),
];

/// Our files as (path below the root, content).
fn texts() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut found, mut open) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(root.join(&dir)).unwrap().map(Result::unwrap) {
            let path = dir.join(entry.file_name());
            let name = path.to_str().unwrap().to_owned();
            let is_hidden = name.starts_with('.') && name != ".ci" && name != ".cargo";
            if entry.file_type().unwrap().is_dir() {
                if !is_hidden && !APART.iter().any(|(apart, _)| *apart == name) {
                    open.push(path);
                }
            } else if OURS.iter().any(|end| name.ends_with(end)) {
                let text = fs::read_to_string(root.join(&path)).unwrap();
                found.push((name, text));
            }
        }
    }
    assert!(found.len() > 300, "{}", found.len());
    found
}

/// Each line in our files for which the check of the line and the one before it is true.
fn places(is_bad: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let mut all = Vec::new();
    for (name, text) in texts() {
        let mut before = "";
        for (index, line) in text.lines().enumerate() {
            if is_bad(before, line) {
                all.push(format!("{name}:{}: {line}", index + 1));
            }
            before = line;
        }
    }
    all.sort();
    all
}

fn is_too_long(line: &str) -> bool {
    line.chars().count() > COLUMNS
}

fn doc_comment(line: &str) -> Option<&str> {
    ["///", "//!"].iter().find_map(|mark| line.trim_start().strip_prefix(mark))
}

fn leans_on_another(before: &str, line: &str) -> bool {
    let begins = doc_comment(before).is_none_or(|text| text.trim().is_empty());
    begins && doc_comment(line).is_some_and(|text| text.trim_start().starts_with("The same"))
}

#[test]
fn no_line_is_longer_than_100_columns() {
    assert_eq!(places(|_, line| is_too_long(line)), [""; 0]);
    assert!(!is_too_long(&"\u{e9}".repeat(100)) && is_too_long(&"x".repeat(101)));
}

#[test]
fn no_doc_comment_begins_with_the_same() {
    assert_eq!(places(leans_on_another), [""; 0]);
    assert!(leans_on_another("}", "    /// The same for sites."));
    assert!(
        !leans_on_another("/// Opens", "/// The same file.") && !leans_on_another("", "The same")
    );
}
