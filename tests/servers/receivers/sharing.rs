//! A login that several people share, some at one receiver and some at another.

use std::fs;

use super::Site;
use crate::support::ran::run_on;
use crate::support::visit::{BOB, Visit, admitted};
use crate::support::{App, Program, Request, country_file, eventually, send_raw, temp_dir};

/// The answer to bob from this address.
fn visit(receiver: &Program, from: &str) -> u16 {
    let request = Request::get("/auth?site=1").basic("bob", "secret").from(from);
    send_raw(receiver.address, request).unwrap().status
}

#[test]
fn who_is_counted_at_two_receivers_is_blocked_at_both_until_a_command_lifts_it() {
    let Some(site) = Site::new() else { return };
    let dir = temp_dir();
    let flags = site.flags();
    let mut flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    flags.extend(["--sharing", "block", "--sharing-networks", "2"]);
    let (here, there) = (dir.path().join("here"), dir.path().join("there"));
    let first = Program::serve(&here, &flags);
    fs::create_dir(&there).unwrap();
    for name in ["seal.key", "cookie.key"] {
        fs::copy(here.join(name), there.join(name)).unwrap();
    }
    let second = Program::serve(&there, &flags);
    first.post(BOB).unwrap();
    let sharing = |arguments: &[&str]| {
        let database = site.database.flags();
        let database = database.iter().map(String::as_str);
        let arguments = ["sharing"].into_iter().chain(arguments.iter().copied()).chain(database);
        run_on(&here, &arguments.collect::<Vec<_>>()).out
    };
    let lists = |what: &str| eventually(what, || sharing(&["list"]).contains(what));

    // The first password at a receiver is hashed, which a busy machine may refuse at first.
    eventually("bob is in", || visit(&first, "198.51.1.7") == 200);
    lists("member 71 of site 1: 1 network\n");
    eventually("bob is in", || visit(&second, "198.51.2.7") == 200);
    lists("member 71 of site 1: 2 networks\n");
    assert_eq!(visit(&first, "198.51.3.7"), 403, "the third of both together");
    eventually("the other one takes it up", || visit(&second, "198.51.2.7") == 403);

    assert_eq!(sharing(&["lift", "1", "71"]), "lifted: member 71 of site 1 may enter again\n");
    for receiver in [&first, &second] {
        eventually("bob is in again", || visit(receiver, "198.51.2.7") == 200);
    }
}

#[test]
fn countries_that_were_seen_at_another_receiver_count() {
    let Some(site) = Site::new() else { return };
    let dir = temp_dir();
    let countries = [("198.51.1.0/24", "DE"), ("198.51.2.0/24", "FR")];
    let file = country_file(&dir.path().join("countries.mmdb"), &countries);
    let rule = ["--sharing", "block", "--sharing-countries", "1", "--sharing-country-file", &file];
    let flags: Vec<String> = site.flags().into_iter().chain(rule.map(str::to_owned)).collect();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let first = App::start_in(temp_dir(), &flags);
    let second = Site::with_keys_of(&first, &flags);
    first.post(BOB);
    first.harden();
    let from = |address| Visit::with("bob", "secret").from(address);
    assert_eq!(admitted(&first, from("198.51.1.7")).0, 200);
    eventually("the network is written", || {
        first.rows("SELECT country FROM sharing_network") == ["DE"]
    });
    assert_eq!(admitted(&second, from("198.51.2.7")), (403, "shared".to_owned()));
}
