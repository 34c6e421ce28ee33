//! The address of a caller, which is the peer or the one that a trusted proxy reports, and which
//! addresses are allowed.

use super::{CHECK, FREE};
use crate::support::{App, Program, Request, TOKEN, program, temp_dir};

const ADD: &str = "action=DELETE&siteid=1&memberid=71";

/// A postback with these header lines.
fn request(headers: &[&str], body: &str) -> Request {
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    Request::post(&format!("/postback/{TOKEN}")).lines(&lines).body(body)
}

/// The address in the newest journal record.
fn recorded(app: &App) -> String {
    app.rows("SELECT address FROM journal ORDER BY id DESC LIMIT 1").join("")
}

#[test]
fn behind_listed_proxies_the_first_other_address_from_the_right_is_the_caller() {
    let app = App::start_with(&[
        "--trusted-proxy",
        "127.0.0.1",
        "--trusted-proxy",
        "10.0.0.0/8,fd00::/8",
    ]);
    for (headers, address, why) in [
        (&[][..], "127.0.0.1", "no header: the peer"),
        (&["X-Forwarded-For: 203.0.113.9"], "203.0.113.9", "one address"),
        (
            &["x-forwarded-for: 198.51.100.1, 203.0.113.9"],
            "203.0.113.9",
            "the left one is anybody's word",
        ),
        (&["X-Forwarded-For: 203.0.113.9, 10.1.2.3"], "203.0.113.9", "a listed proxy is skipped"),
        (
            &["X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 10.1.2.3, 10.1.2.4"],
            "203.0.113.9",
            "several lines are one list",
        ),
        (
            &["X-Forwarded-For: 10.1.2.3", "X-Forwarded-For: 203.0.113.9"],
            "203.0.113.9",
            "in their order",
        ),
        (&["X-Forwarded-For: 2001:db8::1, fd00::7"], "2001:db8::1", "IPv6"),
        (&["X-Forwarded-For: 203.0.113.9:4711"], "203.0.113.9", "a port"),
        (
            &["X-Forwarded-For: [2001:DB8::1]:4711, [fd00::7]:80"],
            "2001:db8::1",
            "brackets and ports",
        ),
        (&["X-Forwarded-For: ::ffff:203.0.113.9, ::ffff:10.1.2.3"], "203.0.113.9", "IPv4-mapped"),
        (&["X-Forwarded-For: 10.1.2.3, 10.1.2.4"], "10.1.2.3", "listed ones only: the leftmost"),
        (&["X-Forwarded-For: 203.0.113.9, unknown"], "127.0.0.1", "unreadable at once: the peer"),
        (
            &["X-Forwarded-For: 203.0.113.9, unknown, 10.1.2.3"],
            "10.1.2.3",
            "unreadable: the last listed hop",
        ),
        (
            &["X-Real-IP: 203.0.113.9", "Forwarded: for=203.0.113.9"],
            "127.0.0.1",
            "these are never read",
        ),
    ] {
        app.send(request(headers, ADD));
        assert_eq!(recorded(&app), address, "{why}");
    }
}

#[test]
fn without_listed_proxies_the_peer_is_the_caller_whatever_it_writes() {
    for flags in [&[][..], &["--trusted-proxy", "192.0.2.1"]] {
        let app = App::start_with(flags);
        app.send(request(&["X-Forwarded-For: 203.0.113.9", "X-Real-IP: 203.0.113.9"], ADD));
        assert_eq!(recorded(&app), "127.0.0.1");
    }
}

#[test]
fn allow_ip_lets_in_whoever_is_on_the_list_and_nobody_else() {
    let app = App::start_with(&[
        "--trusted-proxy",
        "127.0.0.1",
        "--allow-ip",
        "192.0.2.0/24",
        "--allow-ip",
        "2001:db8::/32,203.0.113.9",
    ]);
    for (address, let_in) in [
        ("192.0.2.200", true),
        ("::ffff:192.0.2.200", true),
        ("192.0.2.200:80", true),
        ("2001:db8:1::1", true),
        ("203.0.113.9", true),
        ("203.0.113.10", false),
        ("192.0.3.0", false),
        ("2001:db9::1", false),
        ("127.0.0.1", false),
        ("192.0.2.1, 198.51.100.1", false),
        ("192.0.2.1, unknown", false),
    ] {
        let response = app.send(request(&[&format!("X-Forwarded-For: {address}")], CHECK));
        let expected = if let_in { (200, FREE) } else { (403, "ERROR|not authorised") };
        assert_eq!((response.status, response.body.as_str()), expected, "{address}");
    }
    assert_eq!(app.send(request(&[], CHECK)).status, 403, "the proxy itself");
}

#[test]
fn an_unlisted_peer_does_not_talk_its_way_in_and_is_warned_about_once() {
    let dir = temp_dir();
    let mut program = Program::serve(dir.path(), &["--allow-ip", "192.0.2.0/24"]);
    for _ in 0..3 {
        let spoofed = request(&["X-Forwarded-For: 192.0.2.1"], CHECK);
        let response = crate::support::send_raw(program.address, spoofed).unwrap();
        assert_eq!((response.status, response.body.as_str()), (403, "ERROR|not authorised"));
    }
    program.terminate();
    let warning = "WARN  ignoring X-Forwarded-For from 127.0.0.1; if that is your proxy, add \
        --trusted-proxy 127.0.0.1\n";
    assert_eq!(program.stderr().matches(warning).count(), 1, "{}", program.stderr());
    assert_eq!(program.stderr().matches("X-Forwarded-For").count(), 1, "{}", program.stderr());
}

#[test]
fn an_ipv4_caller_of_an_ipv6_socket_is_an_ipv4_caller() {
    if std::net::TcpListener::bind("[::]:0").is_err() {
        eprintln!("\n*** THIS MACHINE HAS NO IPv6: this test proves nothing here ***\n");
        return;
    }
    let dir = temp_dir();
    let mut command = program();
    command.args([
        "serve",
        "--listen",
        "[::]:0",
        "--postback-token",
        TOKEN,
        "--allow-ip",
        "127.0.0.1",
        "--data-dir",
    ]);
    command.arg(dir.path()).stdout(std::process::Stdio::null());
    let program = Program::spawn(command).unwrap();
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], program.address.port()));
    assert_eq!(crate::support::post_to(address, TOKEN, CHECK.as_bytes()).unwrap().body, FREE);
}
