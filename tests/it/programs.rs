//! `cargo test` needs a compiler and the programs that every Debian has. Stories with others are in
//! `tests/servers`.

use std::fs;
use std::path::Path;

/// Programs of the compiler and of packages that Debian calls essential.
const BASIC: [&str; 7] = ["bash", "cc", "gunzip", "gzip", "runuser", "setpriv", "unshare"];

/// What starts a MariaDB.
const SERVERS: [&str; 3] = ["MariaDatabase::", "MariaDb::", "EngineKind::MariaDb"];

/// The lines of all files below a directory, with their places. Files that stories share start
/// other programs only for the stories that say so.
fn lines(directory: &Path, found: &mut Vec<(String, String)>) {
    for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() && !path.ends_with("support") {
            lines(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let places = text.lines().enumerate();
            found.extend(places.map(|(index, line)| {
                (format!("{}:{}", path.display(), index + 1), line.to_owned())
            }));
        }
    }
}

/// The programs that a line asks for.
fn asked(line: &str) -> impl Iterator<Item = &str> {
    let calls = line.split("real_program(\"").skip(1);
    calls.filter_map(|rest| Some(rest.split_once('"')?.0))
}

#[test]
fn no_story_beside_the_servers_starts_a_program_of_others() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let (mut ours, mut all) = (Vec::new(), Vec::new());
    lines(&tests.join("it"), &mut ours);
    ours.retain(|(place, _)| !place.contains("/programs.rs:"));
    lines(&tests.join("engines"), &mut all);
    all.extend(ours.iter().cloned());
    let asks: Vec<(&str, &str)> =
        all.iter().flat_map(|(place, line)| asked(line).map(|name| (&**place, name))).collect();
    assert!(asks.len() > 10, "{asks:?}");
    let others = asks.iter().filter(|(_, name)| !BASIC.contains(name)).map(|(place, _)| *place);
    let starts = |line: &str| SERVERS.iter().any(|server| line.contains(server));
    let servers = ours.iter().filter(|(_, line)| starts(line)).map(|(place, _)| &**place);
    assert_eq!(others.chain(servers).collect::<Vec<_>>(), [""; 0]);
}
