//! `docs/security.md` names the tests of each promise. All of these tests exist.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// Collects the functions of all Rust files under a directory.
fn functions(directory: &Path, found: &mut HashSet<String>) {
    for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let names = text
                .lines()
                .filter_map(|line| line.trim_start().strip_prefix("fn ")?.split_once('('));
            found.extend(names.map(|(name, _)| name.to_owned()));
        }
    }
}

#[test]
fn each_test_that_the_document_on_security_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut there = HashSet::new();
    functions(&root.join("src"), &mut there);
    for tests in ["it", "engines", "servers", "browser"] {
        functions(&root.join("tests").join(tests), &mut there);
    }
    let document = fs::read_to_string(root.join("docs/security.md")).unwrap();
    let is_test = |word: &&str| {
        word.matches('_').count() >= 3
            && word.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric())
    };
    let named: Vec<&str> = document.split('`').filter(is_test).collect();
    assert!(named.len() >= 60, "{named:?}");
    let missing: Vec<&&str> = named.iter().filter(|name| !there.contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    assert!(readme.contains("(docs/security.md)"));
}
