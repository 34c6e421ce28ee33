//! `block list` and `block lift`, beside a running service.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{run_on, without_times};
use crate::support::{Program, eventually, send_raw};

/// [`without_times`], the end of a block too; the lines in the order of the alphabet.
fn shown(text: &str) -> Vec<String> {
    let masked = without_times(&text.replace("until=", "until= "));
    let mut lines: Vec<String> = masked.lines().map(|line| line.replace("until= TIME", "until=TIME")).collect();
    lines.sort();
    lines
}

fn status(program: &Program, password: &str, from: &str) -> u16 {
    let basic = STANDARD.encode(format!("bob:{password}"));
    let request = format!(
        "GET /auth?site=1 HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: Basic {basic}\r\nX-Forwarded-For: {from}\r\n\r\n"
    );
    send_raw(program.address, request.as_bytes()).unwrap().status
}

#[test]
fn a_block_is_listed_logged_in_one_line_and_lifted_within_a_moment() {
    let dir = tempfile::TempDir::new().unwrap();
    let data = dir.path().join("data");
    let program = Program::serve(&data, &["--trusted-proxy", "127.0.0.1", "--login-limit-pair", "2"]);
    assert!(program.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret").unwrap().body.starts_with("OK|"));
    assert_eq!(run_on(&data, &["block", "list"]).printed(), "nobody is blocked\n");
    for from in ["203.0.113.9", "2001:db8:1:2::3"] {
        assert_eq!([status(&program, "a", from), status(&program, "b", from), status(&program, "secret", from)], [401, 401, 403]);
    }
    let [first, second] = ["network=203.0.113.9 name=\"bob\" kind=pair", "network=2001:db8:1:2::/64 name=\"bob\" kind=pair"];
    let listed = shown(&run_on(&data, &["block", "list"]).printed());
    assert_eq!(listed, [second, first].map(|what| format!("TIME {what} until=TIME")));
    eventually("the log says so", || {
        let mut lines = shown(&program.stderr());
        lines.retain(|line| line.contains("login blocked"));
        lines == [second, first].map(|what| format!("TIME WARN  login blocked: {what} until=TIME"))
    });

    run_on(&data, &["block", "lift"]).ended(2, "nats-userman: block lift: expected --name, --network or --all\n");
    run_on(&data, &["block", "lift", "--network", "x"])
        .ended(2, "nats-userman: block lift: --network: expected an address, found \"x\"\n");
    assert_eq!(run_on(&data, &["block", "lift", "--name", "ann"]).printed(), "no such block: nothing was lifted\n");
    let lifted = run_on(&data, &["block", "lift", "--name", "Bob", "--network", "203.0.113.9"]).printed();
    assert_eq!(shown(&lifted), [format!("lifted: {first} until=TIME")]);
    eventually("the service has taken it up", || status(&program, "secret", "203.0.113.9") == 200);
    assert_eq!(status(&program, "secret", "2001:db8:1:2::9"), 403, "the other one holds");
    eventually("the log says so", || program.stderr().contains(&format!("login block lifted: {first} until=")));
}
