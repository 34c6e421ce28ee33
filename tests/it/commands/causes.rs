//! Every failure is reported with its true cause: a table of commands and messages.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};

use super::{Ran, end, run, run_on};
use crate::authstrings::{KEY, USERNAME};
use crate::support::{
    App, NO_CONFIG, Program, Request, TOKEN, program, real_program, send_raw, temp_dir,
};

#[test]
fn an_address_that_cannot_be_had_is_told_with_the_reason() {
    let dir = temp_dir();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    for (code, address, said) in [
        (
            1,
            taken.local_addr().unwrap().to_string(),
            "Address already in use (os error 98): another program uses that port; `ss -ltnp` \
             shows which",
        ),
        (
            2,
            "192.0.2.77:8080".into(),
            "Cannot assign requested address (os error 99): no interface of this machine has that \
             address",
        ),
    ] {
        run_on(&dir.path().join("data"), &["serve", "--listen", &address])
            .ended(code, &format!("nats-userman: cannot listen on {address}: {said}\n"));
    }
}

#[test]
fn a_port_of_root_is_told_as_one() {
    let Some(runuser) = real_program("runuser") else { return };
    let dir = super::denied::dir_for_all();
    let data = dir.path().join("data");
    let mut command = std::process::Command::new(runuser);
    command.args(["-u", "nobody", "--"]).arg(program().get_program()).envs([NO_CONFIG]);
    // The machine may allow low ports to all users, as in a container. Then the program would
    // start, so this test ends here.
    let first = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    if first.trim().parse::<u16>().unwrap() < 100 {
        eprintln!("\n*** PORTS BELOW 1024 ARE FOR ALL HERE: this test proves nothing here ***\n");
        return;
    }
    command.args(["serve", "--listen", "127.0.0.1:99", "--data-dir"]).arg(&data);
    end(command).ended(
        2,
        "nats-userman: cannot listen on 127.0.0.1:99: Permission denied (os error 13): \
         ports below 1024 are reserved for root; leave them to the proxy and use a higher one\n",
    );
}

#[test]
fn a_file_that_is_none_is_told_before_the_lock_is_looked_at() {
    let app = App::start();
    let dir = temp_dir();
    let at = dir.path().display();
    let (missing, below) = (format!("{at}/nofile"), format!("{at}/no/dir/file"));
    let file = format!("{at}/file");
    fs::write(&file, "").unwrap();
    let inside = format!("{file}/x");
    for mode in [&["replay"][..], &["replay", "--journal"], &["replay", "--dry-run"]] {
        for (path, why) in [
            (&missing, "No such file or directory (os error 2)"),
            (&below, "No such file or directory (os error 2)"),
            (&inside, "Not a directory (os error 20)"),
        ] {
            run_on(app.config.data_dir.path(), &[mode, &[path]].concat())
                .ended(1, &format!("nats-userman: cannot read {path}: {why}\n"));
        }
    }
}

#[test]
fn a_data_directory_that_cannot_be_one_is_told_by_all_commands() {
    let dir = temp_dir();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let (below, at) = (file.join("data"), file.display());
    let none = "Not a directory (os error 20)";
    for (args, said) in [
        (&["serve"][..], format!("cannot use the data directory {at}/data: {none}")),
        (
            &["member", "list"],
            format!(
                "there is no database at {at}/data/userman.db: `nats-userman serve` creates \
                it"
            ),
        ),
        (
            &["member", "remove", "1", "1"],
            format!(
                "there is no database at {at}/data/userman.db: `nats-userman serve` creates \
                it"
            ),
        ),
        (
            &["token", "show"],
            format!(
                "there is no token yet at {at}/data/postback-token: `nats-userman serve` creates it"
            ),
        ),
    ] {
        let code = if args[0] == "serve" { 2 } else { 1 };
        run_on(&below, args).ended(code, &format!("nats-userman: {said}\n"));
    }
    let link = dir.path().join("link");
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    for (path, why) in [(&file, "it is not a directory"), (&link, "it is a broken symbolic link")] {
        run_on(path, &["serve"]).ended(
            2,
            &format!("nats-userman: cannot use the data directory {}: {why}\n", path.display()),
        );
    }
    let data = dir.path().join("data");
    fs::create_dir_all(data.join("userman.db")).unwrap();
    let said = format!("cannot use the database {}/userman.db: is a directory\n", data.display());
    for args in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["check-config"],
        &["member", "list"],
        &["journal"],
    ] {
        let ran = run_on(&data, args);
        let code = if args[0] == "serve" { 2 } else { 1 };
        assert!(ran.code == Some(code) && ran.err.ends_with(&said), "{args:?}: {ran:?}");
    }
    fs::remove_dir(data.join("userman.db")).unwrap();
    assert!(
        std::process::Command::new("mkfifo")
            .arg(data.join("userman.db"))
            .status()
            .unwrap()
            .success()
    );
    let said =
        format!("cannot use the database {}/userman.db: not a regular file\n", data.display());
    let ran = run_on(&data, &["member", "list"]);
    assert!(ran.code == Some(1) && ran.err.ends_with(&said), "a pipe was waited for: {ran:?}");
    fs::create_dir(data.join("postback-token")).unwrap();
    let token = format!("{}/postback-token", data.display());
    run_on(&data, &["token", "show"]).ended(
        1,
        &format!("nats-userman: cannot use the token file {token}: Is a directory (os error 21)\n"),
    );
}

#[test]
fn a_token_file_that_holds_none_is_filled_by_the_command_that_it_names() {
    let dir = temp_dir();
    let file = dir.path().join("postback-token");
    fs::write(&file, "\n").unwrap();
    let said = format!(
        "nats-userman: {} holds no token: `nats-userman token add` makes one\n",
        file.display()
    );
    run_on(dir.path(), &["token", "show"]).ended(1, &said);
    run_on(dir.path(), &["token", "add"]).printed();
    assert_eq!(fs::read_to_string(&file).unwrap().trim_end().len(), 48);
}

#[test]
fn tokens_that_are_added_at_the_same_time_are_all_kept() {
    let dir = temp_dir();
    let file = dir.path().join("postback-token");
    fs::write(&file, format!("{TOKEN}\n")).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| run_on(dir.path(), &["token", "add"]).printed());
        }
    });
    let tokens = fs::read_to_string(&file).unwrap();
    assert!(
        tokens.starts_with(TOKEN) && tokens.lines().count() == 9,
        "{} lines",
        tokens.lines().count()
    );
}

#[test]
fn a_public_url_may_be_all_of_the_url_or_its_front() {
    let dir = temp_dir();
    fs::write(dir.path().join("postback-token"), format!("{TOKEN}\n")).unwrap();
    let url = |front: &str| format!("1  {front}/postback/test...\n");
    for (given, front) in [
        ("https://x", "https://x"),
        ("https://x/", "https://x"),
        ("https://x//", "https://x"),
        ("https://x/postback", "https://x"),
        ("https://x/postback/", "https://x"),
        ("https://x/postback//", "https://x"),
        (&format!("https://x/postback/{TOKEN}"), "https://x"),
        (&format!("https://x/nats/postback/{TOKEN}"), "https://x/nats"),
        ("https://x/nats/", "https://x/nats"),
        ("https://x//nats", "https://x/nats"),
        ("https://x/postback/nats", "https://x/postback/nats"),
        ("https://postback/", "https://postback"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
    ] {
        let printed = run_on(dir.path(), &["token", "show", "--public-url", given]).printed();
        assert_eq!(printed.split_inclusive('\n').next(), Some(&*url(front)), "{given}");
    }
}

#[test]
fn a_public_url_that_is_refused_shows_no_secret() {
    let expected = "expected http:// or https://, a host, and no query";
    for (given, found) in [
        ("https://user:hunter2@members.example.com", "a user, a query or a #".to_owned()),
        ("https://members.example.com/?key=hunter2", "a user, a query or a #".to_owned()),
        (&format!("ftp://members.example.com/postback/{TOKEN}"), "a token in it".to_owned()),
        (&format!("members.example.com/postback/{TOKEN} "), "a token in it".to_owned()),
        ("members.example.com", "\"members.example.com\"".to_owned()),
    ] {
        let line = format!("nats-userman: --public-url: {expected}, found {found}\n");
        run(&["check-config", "--public-url", given]).ended(2, &line);
    }
}

/// A server that accepts one call after the other and always answers with these bytes.
fn server(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer);
        }
    });
    address
}

fn replay(url: &str) -> Ran {
    let dir = temp_dir();
    let capture = dir.path().join("capture");
    fs::write(&capture, "action=CHECK&siteid=1&username=bob\n").unwrap();
    run_on(dir.path(), &["replay", "--to", url, capture.to_str().unwrap()])
}

const BAD_REQUEST: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const NO_GATEWAY: &[u8] =
    b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 6\r\nConnection: \
        close\r\n\r\n<html>";
const NOT_FOUND: &[u8] =
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const MOVED: &[u8] =
    b"HTTP/1.1 301 Moved\r\nLocation: https://x/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
/// A TLS alert: record type, version, two bytes of length, level "fatal", "unexpected message".
const TLS_ALERT: &[u8] = b"\x15\x03\x03\x00\x02\x02\x0a";

#[test]
fn replay_tells_what_is_at_the_other_end_and_never_the_token() {
    let found = "expected status 200 and a reply line, found status";
    for (scheme, answer, said) in [
        ("https", BAD_REQUEST, "HOST does not speak TLS; try http://".to_owned()),
        ("http", TLS_ALERT, "HOST does not answer with HTTP; try https://".to_owned()),
        ("http", b"", "HOST closed the connection without an answer; try https://".to_owned()),
        ("https", b"", "HOST closed the connection without an answer; try http://".to_owned()),
        ("http", BAD_REQUEST, format!("{found} 400; try https://")),
        (
            "http",
            NO_GATEWAY,
            format!("{found} 502, and a page of HTML: a proxy answered, or another program"),
        ),
        (
            "http",
            NOT_FOUND,
            format!("{found} 404, check that the URL is complete, with /postback/ and the token"),
        ),
        ("http", MOVED, format!("{found} 301, a redirect: give the URL that it leads to")),
    ] {
        let host = server(answer).to_string();
        let said = said.replace("HOST", &host);
        replay(&format!("{scheme}://{host}/postback/{TOKEN}"))
            .ended(1, &format!("nats-userman: --to: {said}\n"));
    }
    for scheme in ["http", "https"] {
        replay(&format!("{scheme}://127.0.0.1:1/postback/{TOKEN}")).ended(
            1,
            "nats-userman: --to: 127.0.0.1:1 refuses the connection: check that the \
                service runs and that the port is right\n",
        );
        replay(&format!("{scheme}://nobody.invalid/postback/{TOKEN}"))
            .ended(1, "nats-userman: --to: the host of nobody.invalid is not known\n");
    }
    for url in [
        "127.0.0.1/x",
        "http://",
        "http://127.0.0.1:port/",
        "http://127.0.0.1:99999/",
        "http://[::1/",
        "ftp://x/",
    ] {
        replay(url).ended(
            2,
            "nats-userman: --to: expected http:// or https:// and the URL that NATS calls\n",
        );
    }
}

#[test]
fn authstring_tells_what_is_at_the_other_end() {
    let ask = |scheme: &str, answer| {
        let url = format!("{scheme}://{}", server(answer));
        let access = ["authstring", "--nats-url", &url, "--nats-api-username", USERNAME];
        let ran = super::run_with_key(
            KEY,
            &[&access[..], &["--type", "upsell", "--username", "bob", "--site", "1"]].concat(),
        );
        assert_eq!(ran.code, Some(1));
        ran.err.replace(&url, "URL")
    };
    assert_eq!(
        ask("https", BAD_REQUEST),
        "nats-userman: URL: no TLS with NATS: this port does not support \
         it; is the URL http://, or is the port wrong?\n"
    );
    assert!(ask("http", TLS_ALERT).starts_with("nats-userman: URL: "));
}

#[test]
fn a_wrong_query_of_a_visitor_hides_none_of_the_web_server() {
    let dir = temp_dir();
    let mut program = Program::serve(&dir.path().join("data"), &[]);
    for path in ["/login?site=x", "/auth?site=x"] {
        let answer = send_raw(program.address, Request::get(path).host("localhost")).unwrap();
        assert_eq!(answer.status, 400);
    }
    assert!(program.terminate().success());
    for address in ["/login", "/auth"] {
        let said = format!("invalid query of {address}: ");
        assert!(program.stderr().contains(&said), "{}", program.stderr());
    }
}
