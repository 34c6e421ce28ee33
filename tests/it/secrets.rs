//! No secret is readable in the files of SQLite, in logs, replies and outputs; see
//! [`crate::engines::secrets`]. Nor is one in the memory of the service, on a page of the console,
//! or in what an operator's command prints.

mod memory;
mod operators;
mod pages;

use std::fs;

use crate::engines::secrets::search::Search;
use crate::engines::secrets::{
    Place, SEEN, Sent, Turn, assert_nothing_found, form, nothing_is_found_in, terminate,
};
use crate::support::stride;

/// Both stories have two turns each. Usually they show half of the members.
fn turns() -> u32 {
    if stride(2) == 1 { 4 } else { 8 }
}

#[test]
fn no_secret_is_readable_in_any_file_log_reply_or_output_with_the_log_at_trace() {
    nothing_is_found_in(&Place::new(&["--log", "trace"]), Turn { number: 0, of: turns() });
}

#[test]
fn no_secret_is_readable_with_the_log_as_json_and_passwords_as_bcrypt() {
    let place = Place::new(&["--log", "trace", "--log-format", "json"]);
    let mut caller = nothing_is_found_in(&place, Turn { number: 2, of: turns() });

    // A hash by bcrypt takes twice as long, so that only a few passwords get one.
    let served = place.serve("fourth", &["--password-hash", "bcrypt"]);
    caller.address = served.address;
    caller.add_with_passwords(3);
    place.wait_until_all_is_hashed();
    let printed = place.printed_by(&["journal", "--json"]);
    assert_nothing_found("after hashing by bcrypt", &place, &caller, &printed);
    terminate(served);
    let hashes = place.beside().rows("SELECT password FROM journal WHERE password LIKE '$2%'");
    assert_eq!(hashes.len(), 3, "passwords that were hashed by bcrypt");
}

/// A token in the settings, correct and wrong; a capture that contains secrets; a URL with a token
/// that nobody answers.
#[test]
fn no_command_repeats_a_token_or_what_a_capture_holds() {
    let mut sent = Sent::default();
    let place = Place::new(&[]);
    let (token, short) = (
        sent.plain("the token").repeat(2),
        format!("{}/", sent.plain("a token that is none").repeat(2)),
    );
    let mut pairs = vec![
        ("action", "ADD".to_owned()),
        ("siteid", "1".into()),
        ("memberid", "71".into()),
        ("username", SEEN.into()),
    ];
    pairs.extend(sent.record());
    let lines: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let file = |name: &str, text: &str| {
        let path = place.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (capture, bodies) = (file("tmm.txt", &lines.join("\n")), file("bodies.txt", &form(&pairs)));
    let (tokens, bad_tokens) =
        (file("tokens", &token), file("bad-tokens", &format!("{token}\n{short}\n")));
    let journal = place.dir.path().join("journal.json");
    let journal = journal.to_str().unwrap();
    let closed = format!("http://127.0.0.1:1/postback/{token}");
    let no_host = format!("http://127.0.0.1:x/postback/{token}");

    let mut printed = Vec::new();
    for arguments in [
        &["replay", "--dry-run", &capture, &bodies][..],
        &["replay", &capture, &bodies],
        &["replay", "--to", &closed, &bodies],
        &["replay", "--to", &no_host, &bodies],
        &["try", &closed],
        &["try", &no_host],
        &["try", &token],
        &["member", "export", "1", "71"],
        &["member", "forget", "1", "71", "--dry-run"],
        &["replay", "--to", &token, &bodies],
        &["replay", "--journal", &capture],
        &["replay", "--journal", journal],
        &["journal"],
        &["journal", "--json"],
        &["member", "show", "1", "71"],
        &["member", "remove", "1", "71"],
        &["member", "restore", "1", "71"],
        &["token", "show"],
        &["check-config"],
        &["check-config", "--postback-token", &token, "--listen", "nowhere"],
        &["check-config", "--postback-token", &short],
        &["check-config", "--postback-token-file", &tokens],
        &["check-config", "--postback-token-file", &bad_tokens],
        &["serve", "--postback-token", &short],
        &["serve", "--help"],
        &["--help"],
    ] {
        for environment in [None, Some(&token), Some(&short)] {
            let mut command = place.command();
            command
                .args(arguments)
                .args(["--log", "trace"])
                .envs(environment.map(|token| ("USERMAN_POSTBACK_TOKEN", token)));
            let output = command.output().unwrap();
            printed.extend([output.stdout, output.stderr].concat());
        }
        // As soon as there is a journal, it can be replayed.
        if arguments.first() == Some(&"replay") {
            fs::write(journal, place.run(&["journal", "--json"]).stdout).unwrap();
        }
    }
    assert_eq!(sent.search.found_in(&printed), [""; 0]);
    for (path, content) in place.files() {
        assert_eq!(sent.search.found_in(&content), [""; 0], "in {}", path.display());
    }
    let mut seen = Search::default();
    seen.add("a username", SEEN.as_bytes());
    assert!(!seen.found_in(&printed).is_empty());
}
