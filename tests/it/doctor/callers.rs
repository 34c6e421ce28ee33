//! Trusted proxies and allowed networks compared with the addresses in the journal, and the public
//! URL.

use nats_userman::doctor::Level;

use super::Patient;

/// Records this number of postbacks for each address, one per hour, the last one an hour ago.
fn seen(patient: &Patient, callers: &[(&str, i64)]) {
    let conn = rusqlite::Connection::open(patient.database()).unwrap();
    for (address, count) in callers {
        for hour in 1..=*count {
            conn.execute(
                "INSERT INTO journal (at, source, address, action, fields, reply)
                     VALUES (?1, 'nats', ?2, 'ADD', '', 'OK|')",
                (patient.now - 3_600 * (count + 1 - hour), address),
            )
            .unwrap();
        }
    }
}

#[test]
fn callers_that_are_all_on_this_machine_are_a_proxy_that_is_not_listed() {
    let patient = Patient::new();
    seen(&patient, &[("127.0.0.1", 3), ("10.1.2.3", 2)]);
    patient.expect(
        "proxies",
        Level::Warning,
        "every postback of the last seven days came from 127.0.0.1,10.1.2.3, and no proxy is \
         listed: a proxy hides the callers",
        "set --trusted-proxy 127.0.0.1,10.1.2.3, if your web server is there",
    );
    seen(&patient, &[("203.0.113.9", 1)]);
    patient.expect_ok("proxies", "postbacks came from 127.0.0.1,10.1.2.3,203.0.113.9");
}

#[test]
fn a_listed_proxy_that_is_itself_the_caller_sends_no_header() {
    let patient = Patient::new().with(&["--trusted-proxy", "127.0.0.1"]);
    seen(&patient, &[("127.0.0.1", 3), ("203.0.113.9", 9)]);
    patient.expect(
        "proxies",
        Level::Warning,
        "3 of the newest postbacks came from 127.0.0.1 itself, which --trusted-proxy lists: it \
         sends no X-Forwarded-For, or NATS runs on that machine",
        "if NATS runs elsewhere, let the proxy set X-Forwarded-For, as the files in examples/ do",
    );
}

#[test]
fn a_caller_outside_the_allowed_networks_is_named() {
    let patient = Patient::new().with(&["--allow-ip", "203.0.113.0/24"]);
    seen(&patient, &[("203.0.113.9", 2), ("2001:db8::7", 3)]);
    patient.expect(
        "allowed_networks",
        Level::Warning,
        "postbacks of the last seven days came from 2001:db8::7, which --allow-ip does not have: \
         they get 403 now",
        "if that is NATS, add --allow-ip 2001:db8::7",
    );
    let patient = patient.with(&["--allow-ip", "2001:db8::7"]);
    patient.expect_ok("allowed_networks", "every address that posted recently is in --allow-ip");
}

#[test]
fn a_limit_is_proposed_where_the_callers_never_change() {
    let patient = Patient::new();
    seen(&patient, &[("203.0.113.9", 19)]);
    patient.expect_ok("allowed_networks", "every address may post with the token");
    seen(&patient, &[("203.0.113.10", 30)]);
    patient.expect(
        "allowed_networks",
        Level::Note,
        "every address may post, and all 49 postbacks of the last 30 hours came from \
         203.0.113.10,203.0.113.9",
        "limit it: --allow-ip 203.0.113.10,203.0.113.9",
    );
}

#[test]
fn old_callers_say_nothing() {
    let mut patient = Patient::new();
    seen(&patient, &[("127.0.0.1", 3)]);
    patient.now += 8 * 86_400;
    patient.expect_ok("proxies", "not checked: no postback came in the last seven days");
    assert!(patient.findings("allowed_networks").is_empty());
}

#[test]
fn a_network_of_all_addresses_is_no_limit() {
    patient_with(&["--trusted-proxy", "0.0.0.0/0"]).expect(
        "networks",
        Level::Serious,
        "--trusted-proxy has 0.0.0.0/0, which is every address: anybody can pretend to have any \
         address",
        "list the addresses that you mean",
    );
    patient_with(&["--allow-ip", "::/0"]).expect(
        "networks",
        Level::Note,
        "--allow-ip has ::/0, which is every address: it limits nothing",
        "list the addresses that you mean",
    );
}

/// A directory that no service has used: these checks need no database.
fn patient_with(flags: &[&str]) -> Patient {
    Patient::in_dir(crate::support::temp_dir()).with(flags)
}

#[test]
fn a_public_url_without_https_is_a_warning_and_none_is_a_note() {
    patient_with(&["--public-url", "http://members.example.com"]).expect(
        "public_url",
        Level::Warning,
        "http://members.example.com is not https: passwords and the token travel unencrypted",
        "set up TLS in the web server and set --public-url to https://…",
    );
    patient_with(&[]).expect(
        "public_url",
        Level::Note,
        "--public-url is not set, so that the printed URL is that of the listener",
        "set it to the https:// URL of your web server",
    );
    patient_with(&["--public-url", "https://members.example.com"])
        .expect_ok("public_url", "https://members.example.com is encrypted");
}
