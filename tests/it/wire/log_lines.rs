//! The log line of a call, and what no log line contains.

use std::sync::LazyLock;

use crate::support::{Program, Request, TOKEN, post_to, send_raw, temp_dir};

/// Values that must not be in a log, in whatever way they are sent.
const SECRETS: [&str; 8] = [
    "sesame-one",
    "41R19prsa7NLQ",
    "session-4b23bba5",
    "gateway-11334",
    "token-hash-2856",
    "unlisted-value",
    "query-secret",
    "path-that-is-wrong-0123456789abcdef",
];

/// All log lines of a program at its most verbose level, after calls of every kind.
fn run(flags: &[&str]) -> String {
    let dir = temp_dir();
    let mut program = Program::serve(dir.path(), &[&["--log", "trace"], flags].concat());
    for body in [
        "action=ADD&siteid=1&memberid=71&username=bob&password=sesame-one&cryptpass=41R19prsa7NLQ&\
         session=session-4b23bba5",
        "action=ADD&siteid=1&memberid=72&username=a%22b%20id%3D7&password=sesame-one&\
         x=unlisted-value&gateway_token=gateway-11334",
        "action=ADD&siteid=1&memberid=73&username=ann&cryptpass=41R19prsa7NLQ&\
         joined=never%0A2026-01-01T00:00:00Z+INFO+forged",
        "action=ADD&siteid=1&memberid=74&username=eve%0D%0A2026-01-01T00:00:00Z+INFO++forged&\
         password=sesame-one",
        "action=%0A2026-01-01T00:00:00Z+INFO++forged&token_hash=token-hash-2856",
        "action=ADD&siteid=1&memberid=75&username=%E2%80%A8forged%E2%80%AE%C2%85&\
         password=sesame-one",
        "action=EXPIRE&siteid=1&memberid=71&expire=%0Aforged",
        "action=DELETE&siteid=1&memberid=81&username=%0Aforged&stamp=soon",
        "action=CHANGE&siteid=1&memberid=82&username=%0Aforged&stamp=soon",
        "action=EXPIRE&siteid=1&memberid=83&username=%0Aforged&stamp=soon&expire=2026-01-01",
        "action=CHECK&siteid=1&username=bob&password=sesame-one",
        "sesame-one",
    ] {
        assert_eq!(program.post(body).unwrap().status, 200);
    }
    for (path, kind) in [
        (format!("{TOKEN}?password=query-secret&action=DELETE&siteid=1&memberid=71"), "text/plain"),
        (format!("{TOKEN}?new_password=query-secret"), "application/json; sesame-one"),
        (TOKEN.to_owned(), "unlisted-value%0aforged"),
        (
            "path-that-is-wrong-0123456789abcdef%0aforged?password=query-secret".to_owned(),
            "text/plain",
        ),
        ("path-that-is-wrong-0123456789abcdef/x".to_owned(), "text/plain"),
    ] {
        let request = Request::post(&format!("/postback/{path}"))
            .host("sesame-one")
            .header("User-Agent", "sesame-one")
            .header("Authorization", "Basic sesame-one")
            .header("Content-Type", kind)
            .body("sesame-one");
        send_raw(program.address, request).unwrap();
    }
    let path = format!("/postback/{TOKEN}?x=query-secret");
    assert_eq!(
        send_raw(program.address, Request::post(&path).announcing(70_000)).unwrap().status,
        413
    );
    // Bytes that are not HTTP.
    let _ = send_raw(program.address, b"sesame-one\r\n\r\n");
    program.terminate();
    program.stderr()
}

static TEXT: LazyLock<String> = LazyLock::new(|| run(&[]));
static JSON: LazyLock<String> = LazyLock::new(|| run(&["--log-format", "json"]));

#[test]
fn no_line_of_the_log_has_a_secret_or_a_token() {
    for log in [&*TEXT, &*JSON] {
        for secret in SECRETS.iter().chain([&TOKEN]).filter(|&&secret| secret != "unlisted-value") {
            assert!(!log.contains(secret), "{secret}:\n{log}");
        }
    }
}

/// The type of a body is shown, limited to the characters of a type. Other unlisted values are not.
#[test]
fn an_unlisted_value_is_shown_as_the_type_of_a_body_alone() {
    for log in [&*TEXT, &*JSON] {
        for line in log.lines().filter(|line| line.contains("unlisted-value")) {
            assert!(line.contains("unlisted-value?0aforged, 10 bytes"), "{line}");
        }
    }
}

#[test]
fn every_line_of_the_log_is_one_of_ours() {
    for line in TEXT.lines() {
        let (time, rest) = line.split_at_checked(20).unwrap_or_else(|| panic!("{line:?}"));
        assert!(time.starts_with("20") && time.ends_with('Z') && &time[10..11] == "T", "{line:?}");
        assert!(!time.starts_with("2026-01-01"), "{line:?}");
        assert!(
            [" ERROR ", " WARN  ", " INFO  ", " DEBUG ", " TRACE "]
                .iter()
                .any(|level| rest.starts_with(level)),
            "{line:?}"
        );
        assert!(!line.contains(['\u{2028}', '\u{202e}', '\u{85}', '\r']), "{line:?}");
    }
    for line in JSON.lines() {
        let object: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!(
            object["time"].is_string()
                && object["level"].is_string()
                && object["message"].is_string(),
            "{line}"
        );
    }
}

#[test]
fn a_postback_has_a_line_that_says_who_what_and_how_long() {
    let line = |member: &str| {
        TEXT.lines().find(|line| line.contains(&format!(" member={member} "))).unwrap()
    };
    let added = line("71");
    let (front, us) = added.rsplit_once(" us=").unwrap();
    assert!(us.parse::<u64>().is_ok(), "{added}");
    assert!(
        front.ends_with(
            " action=ADD site=1 member=71 username=bob status=200 reply=\"OK|member 71 \
                \\\"bob\\\" added to site 1\""
        ),
        "{added}"
    );
    assert!(added[20..].starts_with(" INFO  postback id="), "{added}");
    // A name cannot look like another pair.
    assert!(line("72").contains(r#" username="a\"b id=7" "#), "{}", line("72"));

    let json: Vec<serde_json::Value> =
        JSON.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let added = json.iter().find(|object| object["member"] == "71").unwrap();
    assert_eq!(
        (&added["action"], &added["site"], &added["username"]),
        (&"ADD".into(), &"1".into(), &"bob".into())
    );
    assert_eq!(added["reply"], "OK|member 71 \"bob\" added to site 1");
    assert!(added["id"].is_string() && added["us"].is_u64() && added["status"] == 200);
    let ids: std::collections::HashSet<_> =
        json.iter().filter_map(|object| object["id"].as_str()).collect();
    assert_eq!(
        ids.len(),
        json.iter().filter(|object| object["message"] == "postback").count(),
        "every request has its own"
    );
}

#[test]
fn a_value_that_was_passed_over_is_named() {
    let passed = "ignored parameter, member 73: joined: expected unix seconds of at most 11 \
        digits, found \"never?2026-01-01T00:00:00Z INFO forged\"";
    let found = TEXT.lines().find(|line| line.contains("ignored parameter, member 73")).unwrap();
    assert!(found.ends_with(passed), "{found}");
    for member in [81, 82, 83] {
        let begins = format!("ignored parameter, member {member}: ");
        let names = ["username: ", "stamp: "].map(|name| format!("{begins}{name}"));
        assert!(names.iter().all(|name| TEXT.contains(name)), "{names:?}");
    }
    let dropped = "ignored parameter, member 71: ";
    assert!(!TEXT.contains(dropped), "a cryptpass beside a password is no news");
}

#[test]
fn refused_calls_are_logged_with_their_address_at_a_bounded_rate() {
    let dir = temp_dir();
    let mut program = Program::serve(dir.path(), &["--log", "trace"]);
    for number in 0..40 {
        let token = format!("wrong-{number}-0123456789abcdef0123456789");
        assert_eq!(post_to(program.address, &token, b"action=CHECK").unwrap().status, 403);
    }
    program.terminate();
    let said = program.stderr();
    let line = "WARN  refused a call from 127.0.0.1: the token in its URL is wrong\n";
    let lines = said.matches(line).count();
    // The limit is ten in ten seconds. On a slow machine, forty calls may take longer than that.
    assert!((10..40).contains(&lines), "{lines}:\n{said}");
    // The others are counted, and the count is logged at the end of the service at the latest.
    let more = said.lines().filter_map(|line| {
        line.strip_suffix(" more refused calls")?.rsplit(' ').next()?.parse::<usize>().ok()
    });
    assert_eq!(lines + more.sum::<usize>(), 40, "{said}");
    assert!(!said.contains("wrong-") && !said.contains("CHECK"), "{said}");
}

#[test]
fn a_refused_call_says_in_the_log_which_check_failed_and_nothing_to_the_caller() {
    let dir = temp_dir();
    let flags = ["--allow-ip", "192.0.2.0/24", "--trusted-proxy", "127.0.0.1"];
    let mut program = Program::serve(dir.path(), &flags);
    let wrong = TOKEN.replace("test", "other");
    let mut bodies = Vec::new();
    for (token, from) in [(TOKEN, "203.0.113.9"), (&*wrong, "192.0.2.7"), (&*wrong, "203.0.113.9")]
    {
        let request = Request::post(&format!("/postback/{token}")).from(from).form("action=CHECK");
        let refused = send_raw(program.address, request).unwrap();
        assert_eq!(refused.status, 403);
        bodies.push(refused.body);
    }
    assert_eq!(bodies, ["ERROR|not authorised"; 3]);
    program.terminate();
    let said = program.stderr();
    for line in [
        "refused a call from 203.0.113.9: its token is right, and its address is not in \
         --allow-ip\n",
        "refused a call from 192.0.2.7: the token in its URL is wrong\n",
        "refused a call from 203.0.113.9: the token in its URL is wrong, and its address is not \
         in --allow-ip\n",
    ] {
        assert!(said.contains(line), "{line}{said}");
    }
}
