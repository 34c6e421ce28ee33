//! Passwords in the memory of the running program, after they are hashed and their connections are
//! closed, and who may read that memory.

use std::fs;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::os::unix::process::CommandExt as _;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;

use crate::support::{
    PATIENCE, Program, Request, TOKEN, eventually, program, rows, send_raw, temp_dir,
};

/// The texts that are in the memory of the process, each with the name of its mapping.
fn places(program: &Program, texts: &[&str]) -> Vec<String> {
    let process = format!("/proc/{}", program.child.id());
    let memory = fs::File::open(format!("{process}/mem")).unwrap();
    let mut found = Vec::new();
    for mapping in fs::read_to_string(format!("{process}/maps")).unwrap().lines() {
        let mut words = mapping.split_whitespace();
        let (range, modes) = (words.next().unwrap(), words.next().unwrap());
        let name = words.nth(3).unwrap_or("memory");
        let (start, end) = range.split_once('-').unwrap();
        let [start, end] = [start, end].map(|hex| u64::from_str_radix(hex, 16).unwrap());
        if !modes.starts_with("rw") {
            continue;
        }
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        // A mapping may have been removed meanwhile.
        if memory.read_exact_at(&mut bytes, start).is_ok() {
            for text in texts {
                found.extend(
                    memmem::find_iter(&bytes, text.as_bytes())
                        .map(|at| format!("{text} at {at} of {name} {range}")),
                );
            }
        }
    }
    found
}

/// Whether this process may read the memory of another one that forbids it.
fn may_look() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        assert!(
            std::env::var("REQUIRE_REAL").as_deref() != Ok("1"),
            "only root may read the memory, and REQUIRE_REAL=1"
        );
        eprintln!(
            "\n*** NOT ROOT: this test proves nothing here, as nobody else may read the program's \
             memory ***\n"
        );
    }
    is_root
}

fn request(line: &str, headers: &str, body: &str) -> Vec<u8> {
    let (method, path) = line.split_once(' ').unwrap();
    Request::new(method, path).lines(headers).body(body).into()
}

const FORM: &str =
    "Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\n";

#[test]
fn no_password_is_left_in_memory_once_it_is_hashed() {
    if !may_look() {
        return;
    }
    let dir = temp_dir();
    let mut program = Program::serve(dir.path(), &["--log", "trace"]);
    let send = |bytes: Vec<u8>| send_raw(program.address, bytes).unwrap();
    let post = |headers: &str, body: &str| {
        send(request(&format!("POST /postback/{TOKEN}"), headers, body)).body
    };
    // Each password as it is sent, and decoded.
    let plain = "Sesame-Plain-11c5f0";
    let escaped = ("Sesame%2DEscaped+%C3%A9+8a41", "Sesame-Escaped \u{e9} 8a41");
    let western = ("Sesame%2DWestern%E9-77d0", "Sesame-Western\u{e9}-77d0");
    let part = "Sesame-Part-30bb2e";
    let add = |member: usize, password: &str| {
        format!(
            "action=ADD&siteid=1&memberid={member}&username=member{member}&password={password}&\
             email=a%40b.example"
        )
    };
    for (member, password) in [(1, plain), (2, escaped.0), (3, western.0)] {
        assert!(post(FORM, &add(member, password)).starts_with("OK|"));
    }
    let field = |name: &str, value: &str| {
        format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let parts = [
        ("action", "ADD"),
        ("siteid", "1"),
        ("memberid", "4"),
        ("username", "member4"),
        ("password", part),
    ];
    let body =
        parts.iter().map(|(name, value)| field(name, value)).collect::<String>() + "--B--\r\n";
    assert!(post("Content-Type: multipart/form-data; boundary=B\r\n", &body).starts_with("OK|"));
    let conn = rusqlite::Connection::open(dir.path().join("userman.db")).unwrap();
    eventually("all are hashed", || {
        rows(&conn, "SELECT count(*) FROM member_auth WHERE password NOT NULL") == ["4"]
    });

    let basic = |name: &str, password: &str| STANDARD.encode(format!("{name}:{password}"));
    let by_basic = |basic: &str| {
        send(request("GET /auth?site=1", &format!("Authorization: Basic {basic}\r\n"), "")).status
    };
    let by_form = |name: &str, password: &str| {
        let body =
            serde_urlencoded::to_string([("username", name), ("password", password)]).unwrap();
        send(request("POST /login?site=1", FORM, &body)).status
    };
    let (typed, wrong, wrong_in_form) =
        (basic("member1", plain), "Sesame-Wrong-b94e", "Sesame-Wrong-Form-0c3d");
    assert_eq!(by_basic(&typed), 200);
    assert_eq!(by_basic(&basic("member1", wrong)), 401);
    assert_eq!(by_basic(&basic("nobody", wrong)), 401);
    assert_eq!(by_form("member2", escaped.1), 303);
    assert_eq!(by_form("member1", wrong_in_form), 401);
    let search = [
        plain,
        escaped.0,
        escaped.1,
        western.0,
        western.1,
        part,
        &typed,
        wrong,
        &basic("member1", wrong),
        wrong_in_form,
    ];
    assert!(!places(&program, &[TOKEN]).is_empty(), "what is there is found");
    // The HTTP library keeps the head of the last request of each thread until the next one, and
    // the buffer of that head too.
    let until = Instant::now() + PATIENCE;
    loop {
        (0..8).for_each(|_| assert_eq!(send(request("GET /health", "", "")).status, 200));
        let left = places(&program, &search);
        if left.is_empty() {
            break;
        }
        assert!(Instant::now() < until, "{left:#?}");
    }
    assert!(program.terminate().success());
}

/// If a process may not be dumped, its files in /proc belong to root, whatever user it has.
#[test]
fn nobody_but_root_may_look_into_the_memory_and_no_core_is_dumped() {
    let dir = temp_dir();
    let mut command = program();
    if rustix::process::geteuid().is_root() {
        const NOBODY: u32 = 65_534;
        std::os::unix::fs::chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    }
    let mut program = Program::run(command, dir.path(), &[]).unwrap();
    let owner =
        |file: &str| fs::metadata(format!("/proc/{}/{file}", program.child.id())).unwrap().uid();
    assert_eq!([owner("mem"), owner("environ"), owner("maps")], [0; 3]);
    let pid = rustix::process::Pid::from_child(&program.child);
    let endless = rustix::process::Rlimit { current: None, maximum: None };
    let _ = rustix::process::prlimit(Some(pid), rustix::process::Resource::Core, endless);
    rustix::process::kill_process(pid, rustix::process::Signal::ABORT).unwrap();
    let status = program.child.wait().unwrap();
    assert!(!std::os::unix::process::ExitStatusExt::core_dumped(&status), "{status:?}");
}
