//! `nats-userman authstring` prints one string for a script, or the reason why there is none.

use super::nats::{Day, Nats};
use super::{KEY, SESSION, STRING, USERNAME, add_testakovsky, api_key};
use crate::commands::{run, run_with_key};
use crate::support::{App, temp_dir};

fn ask(url: &str, args: &[&str]) -> crate::commands::Ran {
    let access = ["authstring", "--nats-url", url, "--nats-api-username", USERNAME];
    run_with_key(KEY, &[&access[..], args].concat())
}

#[test]
fn the_string_is_printed_alone() {
    let nats = Nats::answering(&format!("{{\"result\":\"{STRING}\"}}"));
    assert_eq!(
        ask(&nats.url(), &["--type", "upsell", "--username", "bob", "--site", "1"]).printed(),
        format!("{STRING}\n")
    );
    assert_eq!(
        ask(&nats.url(), &["--type", "upsell", "--username", "bob", "--site", "5,1"]).printed(),
        format!("{STRING}\n")
    );
    let dir = temp_dir();
    let file = dir.path().join("session");
    std::fs::write(&file, format!("{SESSION}\n")).unwrap();
    let by_session =
        ["--type", "cancel", "--member", "342", "--session-file", file.to_str().unwrap()];
    assert_eq!(ask(&nats.url(), &by_session).printed(), format!("{STRING}\n"));
    let lines: Vec<String> =
        nats.asked().iter().map(|request| request.lines().next().unwrap().to_owned()).collect();
    let line = |query: &str| format!("GET /api/member/authstring?type={query} HTTP/1.1");
    assert_eq!(
        lines,
        [
            line("upsell&username=bob&siteid=1"),
            line("upsell&username=bob&siteids=5%2C1"),
            line(&format!("cancel&memberid=342&session={SESSION}"))
        ]
    );
    let old = Nats::answering(&format!("{{\"token_rebuy_string\":\"{STRING}\"}}"));
    assert_eq!(
        ask(&old.url(), &["--tokenrebuystring", "--username", "bob", "--site", "1"]).printed(),
        format!("{STRING}\n")
    );
}

#[test]
fn it_asks_a_running_service_as_well() {
    let app = App::start_with(&["--stand-in", &api_key("")]);
    add_testakovsky(&app);
    let url = format!("http://{}", app.address);
    let by_name = ["--type", "upsell", "--username", "testakovsky2", "--site", "1"];
    let string = ask(&url, &by_name).printed();
    assert_eq!(super::redeem(&app, string.trim_end()).status, 200);
    ask(&url, &["--type", "upsell", "--username", "nobody", "--site", "1"])
        .ended(1, &format!("nats-userman: {url}: a blank, there is no such active member\n"));
    let other = ["--api-key=tmm2:0123456789abcdef site=2", "--api-key=tmm3:0123456789abcdef"];
    let nowhere = App::start_with(&other);
    let url = format!("http://{}", nowhere.address);
    let access = |username| {
        ["authstring", "--stand-in", "--nats-url", &url, "--nats-api-username", username]
            .map(str::to_owned)
    };
    let ask = |username| {
        run_with_key(
            "0123456789abcdef",
            &access(username).iter().map(String::as_str).chain(by_name).collect::<Vec<_>>(),
        )
    };
    ask("tmm1").ended(
        1,
        &format!(
            "nats-userman: {url}: nats-userman answered with status 401: \
        api-key, api-username: expected both headers, once each, with a key that is set with \
        --api-key or --api-key-file\n"
        ),
    );
    ask("tmm3").ended(
        1,
        &format!(
            "nats-userman: {url}: nats-userman answered with status 503: \
        there are no authstrings here: start the service with --nats-url, or with --stand-in while \
        you develop\n"
        ),
    );
}

#[test]
fn what_went_wrong_is_one_line() {
    let nats = Nats::with(vec![Day::Answer(200, "text/html", "<html>".into())]);
    let by_name = ["--type", "upsell", "--username", "bob", "--site", "1"];
    ask(&nats.url(), &by_name).ended(
        1,
        &format!(
            "nats-userman: {}: NATS answered with HTML instead of JSON: the REST API is \
            switched off, this address is not in NATS's Admin API Allowed IPs, or the URL is not \
            NATS's\n",
            nats.url()
        ),
    );
    ask("http://127.0.0.1:1", &by_name).ended(
        1,
        "nats-userman: http://127.0.0.1:1: NATS cannot be reached: Connection refused \
            (os error 111); is its URL right, and is it up?\n",
    );
    run(&[&["authstring"], &by_name[..]].concat()).ended(
        2,
        "nats-userman: authstring: expected --nats-url, --nats-api-username and --nats-api-key of \
         NATS, or of a running nats-userman\n",
    );
    for (args, line) in [
        (
            ["--type", "upgrade", "--username", "bob", "--site", "1"],
            "--type: expected upsell, tokenrebuy, instantupgrade, packageupgrade, cancel or \
             signupplus, found \"upgrade\"",
        ),
        (
            ["--type", "upsell", "--username", "bob", "--site", "0"],
            "--site: expected a number from 1 to 9223372036854775807, found \"0\"",
        ),
        (
            ["--type", "upsell", "--username", "bob", "--site", "1,"],
            "--site: expected 1 to 32 siteids separated by commas, each once, found \"1,\"",
        ),
        (
            ["--type", "upsell", "--member", "x", "--session", "s"],
            "--member: expected a number from 1 to 9223372036854775807, found \"x\"",
        ),
    ] {
        ask(&nats.url(), &args).ended(2, &format!("nats-userman: {line}\n"));
    }
    ask(&nats.url(), &["--type", "upsell", "--member", "342"])
        .ended(2, "nats-userman: --member: expected --session or --session-file beside it\n");
    for args in [
        &["--username", "bob", "--site", "1"][..],
        &["--type", "upsell"],
        &["--type", "upsell", "--username", "bob"],
    ] {
        assert_eq!(ask(&nats.url(), args).code, Some(2), "{args:?}");
    }
}
