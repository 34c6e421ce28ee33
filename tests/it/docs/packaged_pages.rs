//! The man pages and shell completions in `packaging/` match the command line. With `UPDATE_DOCS=1`
//! the test writes them again.

#[path = "../../../examples/packaged/pages.rs"]
mod pages;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::root;
use crate::support::{real_program, temp_dir};

/// The committed pages and completions, by path.
fn committed() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for directory in pages::DIRECTORIES {
        let Ok(entries) = fs::read_dir(root().join("packaging").join(directory)) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_str().unwrap();
            found.insert(format!("{directory}/{name}"), fs::read_to_string(&path).unwrap());
        }
    }
    found
}

#[test]
fn the_man_pages_and_completions_are_those_of_the_command_line() {
    let fresh: BTreeMap<String, String> = pages::all().into_iter().collect();
    if std::env::var("UPDATE_DOCS").as_deref() == Ok("1") {
        pages::write(&root().join("packaging")).unwrap();
    }
    let committed = committed();
    let names = fresh.keys().chain(committed.keys());
    let stale: Vec<&String> =
        names.filter(|name| fresh.get(*name) != committed.get(*name)).collect();
    assert!(
        stale.is_empty(),
        "stale in packaging/: {stale:?}\n\
         UPDATE_DOCS=1 cargo test --locked --test it packaged_pages"
    );
}

/// The words with which bash completes the last, unfinished word.
fn completed(file: &Path, words: &str) -> String {
    let script = r#"
        source "$1"
        read -ra COMP_WORDS <<<"$2"
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _nats__userman nats-userman "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"
        echo "${COMPREPLY[*]}"
    "#;
    let output = Command::new("bash").args(["-c", script, "bash"]).arg(file).arg(words).output();
    String::from_utf8(output.unwrap().stdout).unwrap().trim_end().to_owned()
}

#[test]
fn bash_completes_commands_and_their_options() {
    if real_program("bash").is_none() {
        return;
    }
    // A copy, because the test above may be writing the file in `packaging/`.
    let dir = temp_dir();
    let file = dir.path().join("completions");
    let name = "completions/nats-userman.bash";
    let (_, text) = pages::all().into_iter().find(|(path, _)| path == name).unwrap();
    fs::write(&file, text).unwrap();
    for (words, wanted) in [
        ("nats-userman ser", "serve"),
        ("nats-userman member l", "list logout"),
        ("nats-userman member list --f", "--former"),
        ("nats-userman serve --public", "--public-url"),
        ("nats-userman --public", "--public-url"),
    ] {
        assert_eq!(completed(&file, words), wanted, "{words}");
    }
}
