//! The messages that the pages quote are messages of the program, because operators search the
//! pages for lines of the log.

use std::fs;
use std::path::Path;

use super::{pages, root};

/// Shorter parts of a message would be found in any text.
const PART_CHARS_MIN: usize = 4;
/// At least one part of each message must have this length.
const LONGEST_PART_CHARS_MIN: usize = 12;

#[test]
fn each_message_that_a_page_quotes_is_in_the_source() {
    let mut source = String::new();
    read(&root().join("src"), &mut source);
    let pages = pages().iter().map(|page| fs::read_to_string(page).unwrap()).collect::<String>();
    let blocks = pages.split("```text\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    let (mut count, mut missing) = (0, Vec::new());
    for message in blocks.flat_map(str::lines).filter(|line| !line.trim().is_empty()) {
        let mut longest = 0;
        // `…` replaces a value, `: ` separates an error and its cause, and `|` ends the first word
        // of a reply.
        let parts = message.split('…').flat_map(|part| part.split(": "));
        for part in parts.flat_map(|part| part.split('|')).map(str::trim) {
            if part.chars().count() >= PART_CHARS_MIN {
                if !source.contains(part) {
                    missing.push(format!("{part:?} of {message:?}"));
                }
                longest = longest.max(part.chars().count());
            }
        }
        assert!(longest >= LONGEST_PART_CHARS_MIN, "quotes too little: {message}");
        count += 1;
    }
    assert!(count >= 30, "{count} messages");
    assert!(missing.is_empty(), "not in src/:\n{}", missing.join("\n"));
}

/// Appends all Rust files under a directory, with the lines of each string literal joined.
fn read(directory: &Path, source: &mut String) {
    for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            read(&path, source);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            join(&fs::read_to_string(&path).unwrap(), source);
        }
    }
}

/// Joins a line that ends in `\` with the next one, as the compiler does in a string literal.
fn join(text: &str, source: &mut String) {
    let mut goes_on = false;
    for line in text.lines() {
        let line = if goes_on { line.trim_start() } else { line };
        let (line, more) = match line.strip_suffix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        source.push_str(line);
        if !more {
            source.push('\n');
        }
        goes_on = more;
    }
}
