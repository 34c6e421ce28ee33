//! A socket that systemd has opened and that the program takes over. It exists longer than each
//! process, so a restart refuses no connection.

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::Connection;

use crate::support::{
    Caller, Program, Request, Response, TOKEN, program, read_response, rows, send_raw, temp_dir,
};

/// The program with this socket as descriptor 3, and an environment that announces `count` sockets.
fn with_socket(socket: impl Into<OwnedFd>, count: usize) -> Command {
    let mut command = Command::new("bash");
    let script = "exec 3<&0 4<&0 0</dev/null; export LISTEN_PID=$$; exec \"$0\" \"$@\"";
    command.args(["-c", script]).arg(program().get_program());
    command.env("LISTEN_FDS", count.to_string()).stdin(Stdio::from(socket.into()));
    command
}

fn serve_on(listener: &TcpListener, data: &Path) -> Program {
    let command = with_socket(listener.try_clone().unwrap(), 1);
    Program::run(command, data, &[]).unwrap()
}

fn add(member: u32) -> String {
    format!("action=ADD&siteid=1&memberid={member}&username=name-{member}&cryptpass=ab01FAX.bQRSU")
}

fn added(member: u32) -> String {
    format!("OK|member {member} \"name-{member}\" added to site 1")
}

#[test]
fn a_passed_socket_is_used_and_listen_is_ignored_with_one_line() {
    let (listener, dir) = (TcpListener::bind("127.0.0.1:0").unwrap(), temp_dir());
    let address = listener.local_addr().unwrap();
    let mut program = serve_on(&listener, dir.path());
    assert_eq!(program.address, address);
    assert_eq!(program.post(&add(1)).unwrap().body, added(1));
    assert!(program.terminate().success());
    let line = format!(
        "--listen 127.0.0.1:0 is ignored: the service was started with a socket that listens on \
         {address}; ListenStream= of its socket unit sets that address"
    );
    assert_eq!(program.stderr().matches(&line).count(), 1, "{}", program.stderr());

    let command = with_socket(listener.try_clone().unwrap(), 1);
    let mut command_with_flag = command;
    command_with_flag.args(["serve", "--listen", &address.to_string(), "--data-dir"]);
    command_with_flag.arg(dir.path()).env("USERMAN_POSTBACK_TOKEN", TOKEN).stdout(Stdio::null());
    let mut program = Program::spawn(command_with_flag).unwrap();
    assert!(program.terminate().success());
    assert!(!program.stderr().contains("is ignored"), "{}", program.stderr());
}

/// No restart changes the address of a socket that the system holds.
#[test]
fn a_reload_says_that_the_socket_decides_and_asks_for_no_restart() {
    let (listener, dir) = (TcpListener::bind("127.0.0.1:0").unwrap(), temp_dir());
    let address = listener.local_addr().unwrap();
    let file = dir.path().join("userman.toml");
    let write = |listen: &str, hours: u32| {
        let text = format!("listen = \"{listen}\"\nlogin_hours = {hours}\n");
        std::fs::write(&file, text).unwrap();
    };
    write(&address.to_string(), 2);
    let mut command = with_socket(listener.try_clone().unwrap(), 1);
    command.args(["serve", "--data-dir"]).arg(dir.path().join("data"));
    command.env("USERMAN_CONFIG", &file).env("USERMAN_POSTBACK_TOKEN", TOKEN);
    command.stdout(Stdio::null());
    let mut program = Program::spawn(command).unwrap();
    let mut reloads = 0;
    let mut reload = |program: &Program| {
        let pid = rustix::process::Pid::from_child(&program.child);
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
        reloads += 1;
        let nothing = "reload: nothing changed";
        crate::support::eventually("it has reloaded", || {
            program.stderr().matches(nothing).count() == reloads
        });
    };
    let ignored = format!(
        "WARN  reload: --listen 127.0.0.1:1 is ignored: the service was started with a socket that \
         listens on {address}; ListenStream= of its socket unit sets that address\n"
    );
    let restart = "a restart is needed";
    write("127.0.0.1:1", 2);
    reload(&program);
    assert!(program.stderr().contains(&ignored), "{}", program.stderr());
    assert!(!program.stderr().contains(restart), "{}", program.stderr());
    write("127.0.0.1:1", 3);
    reload(&program);
    assert!(program.stderr().contains("a restart is needed for login_hours\n"));
    write(&address.to_string(), 2);
    reload(&program);
    assert!(program.terminate().success());
    assert_eq!(program.stderr().matches("is ignored").count(), 2, "{}", program.stderr());
    assert_eq!(program.stderr().matches(restart).count(), 1, "{}", program.stderr());
}

#[test]
fn who_connects_while_no_service_runs_is_answered_by_the_next_one() {
    let (listener, dir) = (TcpListener::bind("127.0.0.1:0").unwrap(), temp_dir());
    let address = listener.local_addr().unwrap();
    let post = move |member| send_raw(address, Request::postback(&add(member))).unwrap();
    let before = std::thread::spawn(move || post(1));
    let mut first = serve_on(&listener, dir.path());
    assert_eq!(before.join().unwrap().body, added(1));
    assert!(first.terminate().success());
    let between = std::thread::spawn(move || post(2));
    let _second = serve_on(&listener, dir.path());
    assert_eq!(between.join().unwrap().body, added(2));
}

/// The results of a sender: for each postback a response, or the error.
type Got = Vec<(u32, std::io::Result<Response>)>;

/// Posts until `is_over` is set, each postback on its own connection.
fn post_all(address: SocketAddr, first: u32, is_over: &AtomicBool) -> Got {
    let post = |member| (member, send_raw(address, Request::postback(&add(member))));
    (first..).take_while(|_| !is_over.load(Ordering::Relaxed)).map(post).collect()
}

/// Posts until `is_over` is set, on one connection for as long as the server keeps it open.
fn post_kept(address: SocketAddr, first: u32, is_over: &AtomicBool) -> Got {
    let mut kept: Option<Caller> = None;
    let mut post = |member| {
        let mut caller = match kept.take() {
            Some(caller) => caller,
            None => Caller::connect(address)?,
        };
        let response = caller.post(&add(member))?;
        kept = (response.header("connection") != Some("close")).then_some(caller);
        Ok(response)
    };
    let members = (first..).take_while(|_| !is_over.load(Ordering::Relaxed));
    members.map(|member| (member, post(member))).collect()
}

#[test]
fn restarts_under_load_refuse_nobody_and_lose_nothing() {
    let (listener, dir) = (TcpListener::bind("127.0.0.1:0").unwrap(), temp_dir());
    let address = listener.local_addr().unwrap();
    let (is_over, database) = (AtomicBool::new(false), dir.path().join("userman.db"));
    let all: Got = std::thread::scope(|scope| {
        let posters = [
            scope.spawn(|| post_all(address, 1, &is_over)),
            scope.spawn(|| post_all(address, 1_000_000, &is_over)),
            scope.spawn(|| post_kept(address, 2_000_000, &is_over)),
        ];
        for _ in 0..4 {
            let mut program = serve_on(&listener, dir.path());
            let count = || {
                let conn = Connection::open(&database).unwrap();
                rows(&conn, "SELECT count(*) FROM member_auth")[0].parse::<u32>().unwrap()
            };
            let enough = count() + 100;
            crate::support::eventually("the posters post", || count() >= enough);
            assert!(program.terminate().success(), "{}", program.stderr());
        }
        is_over.store(true, Ordering::Relaxed);
        // Serves the senders that still wait.
        let _last = serve_on(&listener, dir.path());
        posters.into_iter().flat_map(|poster| poster.join().unwrap()).collect()
    });
    assert!(all.len() > 400, "{}", all.len());
    let conn = Connection::open(&database).unwrap();
    let there = rows(&conn, "SELECT memberid FROM member_auth");
    for (member, result) in &all {
        assert_eq!(result.as_ref().map(|response| &response.body).unwrap(), &added(*member));
        assert!(there.contains(&member.to_string()), "{member} was answered and is lost");
    }
}

/// A client that keeps its connection must not send on one that is about to be closed.
#[test]
fn a_kept_connection_is_closed_with_its_next_answer() {
    let (listener, dir) = (TcpListener::bind("127.0.0.1:0").unwrap(), temp_dir());
    let mut program = serve_on(&listener, dir.path());
    // This request delays the stop, because its body is incomplete.
    let mut begun = TcpStream::connect(program.address).unwrap();
    let mut kept = Caller::connect(program.address).unwrap();
    assert_eq!(kept.post(&add(1)).unwrap().header("connection"), None);
    std::io::Write::write_all(
        &mut begun,
        &Request::post(&format!("/postback/{TOKEN}"))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .announcing(add(2).len()),
    )
    .unwrap();
    let pid = rustix::process::Pid::from_child(&program.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let mut last = None;
    crate::support::eventually("the answer says that it is the last", || {
        let response = kept.post(&add(1)).unwrap();
        let is_last = response.header("connection") == Some("close");
        last = Some(response);
        is_last
    });
    let last = last.unwrap();
    assert_eq!((last.status, last.body.split('|').next()), (200, Some("OK")));
    std::io::Write::write_all(&mut begun, add(2).as_bytes()).unwrap();
    begun.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    assert_eq!(read_response(&mut begun).unwrap().body, added(2));
    assert!(program.child.wait().unwrap().success());
}

#[test]
fn a_socket_for_another_process_is_left_alone() {
    let (listener, dir) = (TcpListener::bind("127.0.0.1:0").unwrap(), temp_dir());
    let mut command = program();
    command.env("LISTEN_FDS", "1").env("LISTEN_PID", "1");
    let program = Program::run(command, dir.path(), &[]).unwrap();
    assert_ne!(program.address, listener.local_addr().unwrap());
    assert_eq!(program.post(&add(1)).unwrap().body, added(1));
}

#[test]
fn sockets_that_cannot_be_used_are_wrong_settings_and_create_nothing() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let one = "the socket unit must have one ListenStream=";
    let no_tcp = format!("the socket that was passed (LISTEN_FDS) is no TCP socket: {one}");
    for (socket, count, said) in [
        (
            OwnedFd::from(listener.try_clone().unwrap()),
            2,
            format!("2 sockets were passed (LISTEN_FDS), expected one: {one}"),
        ),
        (UdpSocket::bind("127.0.0.1:0").unwrap().into(), 1, no_tcp.clone()),
        (UnixListener::bind(dir.path().join("socket")).unwrap().into(), 1, no_tcp.clone()),
        (std::fs::File::open("/dev/null").unwrap().into(), 1, no_tcp),
        (
            connected.into(),
            1,
            "the socket that was passed (LISTEN_FDS) does not listen: the socket unit must have \
             Accept=no"
                .into(),
        ),
    ] {
        let mut command = with_socket(socket, count);
        command.args(["serve", "--data-dir"]).arg(&data);
        let output = command.output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{err}");
        assert!(err.starts_with(&format!("nats-userman: {said}")), "{err}");
        assert_eq!(err.lines().count(), 1, "{err}");
        assert!(!data.exists());
    }
}
