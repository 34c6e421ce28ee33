//! `health` tells whether the service at an address can commit, and if not, what to check.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use super::{Ran, end, run};
use crate::authstrings::nats::{Day, Nats};
use crate::support::free_port;
use crate::support::{Program, eventually, program, temp_dir};

fn health(listen: &str) -> Ran {
    run(&["health", "--data-dir", "/nowhere", "--listen", listen])
}

fn says(day: Day) -> (SocketAddr, Ran) {
    let server = Nats::with(vec![day]);
    (server.address, health(&server.address.to_string()))
}

fn text(status: u16, body: &str) -> Day {
    Day::Answer(status, "text/plain", body.into())
}

#[test]
fn a_service_that_can_commit_is_healthy_by_each_address_of_this_machine() {
    let dir = temp_dir();
    let program = Program::serve(dir.path(), &[]);
    let port = program.address.port();
    for listen in ["127.0.0.1", "0.0.0.0", "[::]"] {
        let ran = health(&format!("{listen}:{port}"));
        assert_eq!(ran.printed(), format!("127.0.0.1:{port}: ok\n"), "{listen}");
    }
}

#[test]
fn a_service_without_its_database_is_unavailable() {
    let dir = temp_dir();
    let program = Program::serve(dir.path(), &[]);
    fs::rename(dir.path().join("userman.db"), dir.path().join("gone")).unwrap();
    let address = program.address;
    let mut ran = health(&address.to_string());
    eventually("the service misses its database", || {
        ran = health(&address.to_string());
        ran.code != Some(0)
    });
    ran.ended(
        1,
        &format!(
            "nats-userman: {address}: unavailable: the service runs and cannot commit a postback; \
             its log says why\n"
        ),
    );
}

/// The service took a free port and recorded it. The record of a stopped service is not used.
#[test]
fn port_0_is_that_of_the_service_which_runs_on_the_data_directory() {
    let dir = temp_dir();
    let of_data = || {
        let mut command = program();
        command.args(["health", "--listen", "127.0.0.1:0", "--data-dir"]).arg(dir.path());
        end(command)
    };
    let unknown = format!(
        "nats-userman: --listen has port 0, and {}/served.json names no port of a running \
         service: start the service, or give its port with --listen\n",
        dir.path().display()
    );
    of_data().ended(1, &unknown);
    let mut program = Program::serve(dir.path(), &[]);
    assert_eq!(of_data().printed(), format!("{}: ok\n", program.address));
    assert!(program.terminate().success());
    of_data().ended(1, &unknown);
}

/// The address of a socket that systemd opened may differ from the setting.
#[test]
fn a_service_that_listens_elsewhere_than_the_setting_says_is_found_by_its_record() {
    let dir = temp_dir();
    let program = Program::serve(dir.path(), &[]);
    let set = format!("127.0.0.1:{}", free_port());
    let mut command = crate::support::program();
    command.args(["health", "--listen", &set, "--data-dir"]).arg(dir.path());
    assert_eq!(end(command).printed(), format!("{}: ok\n", program.address));
}

/// Regression: the other service, at the address of the settings, was asked first.
#[test]
fn the_service_of_the_data_directory_is_asked_before_another_one_at_the_address_of_the_setting() {
    let (dir, other_dir) = (temp_dir(), temp_dir());
    let own = Program::serve(dir.path(), &[]);
    let other = Program::serve(other_dir.path(), &[]);
    let ask = |is_flag: bool| {
        let mut command = crate::support::program();
        command.args(["health", "--data-dir"]).arg(dir.path());
        match is_flag {
            true => command.args(["--listen", &other.address.to_string()]),
            false => command.env("USERMAN_LISTEN", other.address.to_string()),
        };
        end(command).printed()
    };
    assert_eq!(ask(false), format!("{}: ok\n", own.address));
    assert_eq!(ask(true), format!("{}: ok\n", other.address), "the caller named it");
}

#[test]
fn the_age_of_the_last_backup_is_printed_in_the_unit_that_a_person_would_choose() {
    for (kind, said) in [
        ("text/plain\r\nX-Backup-Age: 7260", ", last backup 2 hours ago"),
        ("text/plain\r\nX-Backup-Age: none", ", no backup yet"),
        ("text/plain\r\nX-Backup-Age: soon", ""),
    ] {
        let (address, ran) = says(Day::Answer(200, kind, "ok".to_owned()));
        assert_eq!(ran.printed(), format!("{address}: ok{said}\n"), "{kind}");
    }
}

#[test]
fn each_other_answer_is_told_with_its_cause() {
    let foreign =
        |found: &str| format!("expected the health of nats-userman, found {found}; check --listen");
    let other = |status: u16| foreign(&format!("status {status} and another text"));
    for (what, day, said) in [
        ("another 200", text(200, "hello"), other(200)),
        ("almost ok", text(200, "ok, but"), other(200)),
        ("ok with another status", text(404, "ok"), other(404)),
        ("another server's 503", text(503, "<html>"), other(503)),
        ("a redirect", Day::Redirect("http://127.0.0.1:1/".into()), other(302)),
        ("no end", Day::Endless, other(200)),
        ("half of it", Day::Half, other(200)),
        ("no HTTP", Day::Nonsense, foreign("no HTTP")),
        (
            "a closed connection",
            Day::Close,
            "the connection was closed without an answer; check --listen, and the log of the \
             service"
                .into(),
        ),
    ] {
        let (address, ran) = says(day);
        ran.ended(1, &format!("nats-userman: {address}: {said}\n"));
        assert!(ran.out.is_empty(), "{what}");
    }
}

#[test]
fn nobody_at_the_port_is_the_end_at_once() {
    let address = format!("127.0.0.1:{}", free_port());
    health(&address).ended(
        1,
        &format!(
            "nats-userman: {address}: Connection refused (os error 111); check that the service \
             runs, and --listen\n"
        ),
    );
}

#[test]
fn a_service_that_does_not_answer_is_given_up_after_seconds() {
    std::thread::scope(|scope| {
        for day in [Day::Silence, Day::Trickle] {
            scope.spawn(|| {
                let (address, ran) = says(day);
                ran.ended(
                    1,
                    &format!(
                        "nats-userman: {address}: no answer within 5 seconds; look at the log of \
                         the service\n"
                    ),
                );
            });
        }
    });
}

#[test]
fn a_wrong_setting_ends_with_1_and_settings_that_do_not_matter_here_are_not_read() {
    health("8080").ended(
        1,
        "nats-userman: --listen: expected ADDRESS:PORT, as in 127.0.0.1:8080, found \"8080\"\n",
    );
    let server = Nats::with(vec![text(200, "ok")]);
    let asking = || {
        let mut command = program();
        command.args(["health", "--listen", &server.address.to_string()]);
        command
    };
    let mut command = asking();
    command.env("USERMAN_LISTN", "127.0.0.1:8080");
    let ran = end(command);
    assert!(ran.code == Some(1) && ran.err.contains("USERMAN_LISTN"), "{ran:?}");
    let mut command = asking();
    command.args(["--postback-token-file", "/nowhere", "--time-zone", "Mars"]);
    assert_eq!(end(command).printed(), format!("{}: ok\n", server.address));
}

/// Docker knows 0 and 1 as the results of a health check, and reserves 2.
#[test]
fn whatever_is_wrong_with_the_arguments_or_the_configuration_file_ends_with_1() {
    let dir = temp_dir();
    let file = dir.path().join("nats-userman.toml");
    fs::write(&file, "listen = \"8080\"\nlistn = \"x\"\n").unwrap();
    let file = file.display().to_string();
    for (args, lines) in [
        (&["health", "--config", &file][..], 2),
        (&["health", "--config", "/nowhere.toml"], 1),
        (&["--config", "/nowhere.toml", "health"], 1),
    ] {
        let ran = run(args);
        let all = ran.err.lines().filter(|line| line.starts_with("nats-userman: ")).count();
        assert_eq!((ran.code, all, ran.err.lines().count()), (Some(1), lines, lines), "{ran:?}");
    }
    for args in [&["health", "--bogus"], &["health", "now"]] {
        let ran = run(args);
        assert!(ran.code == Some(1) && ran.err.contains("Usage:"), "{ran:?}");
    }
    assert_eq!(run(&["health", "--help"]).code, Some(0));
    assert_eq!(run(&["token", "health"]).code, Some(2));
    assert_eq!(run(&["healthy"]).code, Some(2));
}

#[test]
fn no_variable_of_a_proxy_leads_elsewhere() {
    let server = Nats::with(vec![text(200, "ok")]);
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = program();
    command.args(["health", "--listen", &server.address.to_string()]);
    for name in ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"] {
        command.env(name, format!("http://{}", proxy.local_addr().unwrap()));
    }
    assert_eq!(end(command).printed(), format!("{}: ok\n", server.address));
    proxy.set_nonblocking(true).unwrap();
    assert!(proxy.accept().is_err(), "the proxy was called");
}

/// Monitoring runs as another user, who has no access to the files of the service.
#[test]
fn no_data_directory_is_needed() {
    let server = Nats::with(vec![text(200, "ok")]);
    let listen = server.address.to_string();
    for dir in ["/nowhere", "/dev/null", "/proc/1/root"] {
        let ran = run(&["health", "--data-dir", dir, "--listen", &listen]);
        assert_eq!(ran.printed(), format!("{listen}: ok\n"), "{dir}");
        assert!(!Path::new("/nowhere").exists());
    }
}
