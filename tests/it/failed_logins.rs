//! Failed logins in the log: the name or a pseudonym and the address, at a limited rate, and never
//! a text that may be a password.

use crate::support::{Program, Request, Response, eventually, send_raw, temp_dir};

/// A password that was typed into the field for the name.
const MISTYPED: &str = "Correct Horse, Battery!";

struct Site {
    program: Program,
    dir: tempfile::TempDir,
}

impl Site {
    /// Bob is a member of site 1, Ann of site 5, and Rob is a former member of site 1.
    fn start(flags: &[&str]) -> Self {
        let dir = temp_dir();
        let program = Program::serve(
            &dir.path().join("data"),
            &[&["--trusted-proxy", "127.0.0.1"], flags].concat(),
        );
        for body in [
            "action=ADD&siteid=1&memberid=71&username=Bob&password=secret",
            "action=ADD&siteid=5&memberid=72&username=ann&password=secret",
            "action=ADD&siteid=1&memberid=73&username=Rob&password=secret",
            "action=DELETE&siteid=1&memberid=73",
        ] {
            assert!(program.post(body).unwrap().body.starts_with("OK|"));
        }
        Self { program, dir }
    }

    fn basic(&self, name: &str, password: &str, from: &str) -> Response {
        self.send(Request::get("/auth?site=1").basic(name, password).from(from))
    }

    fn page(&self, name: &str, password: &str, from: &str) -> Response {
        let body =
            serde_urlencoded::to_string([("username", name), ("password", password)]).unwrap();
        self.send(Request::post("/login?site=1,9").same_origin().from(from).body(body))
    }

    fn send(&self, request: Request) -> Response {
        send_raw(self.program.address, request).unwrap()
    }

    /// Waits until the log has this number of lines about failed logins. Returns them without their
    /// times.
    fn lines(&self, count: usize) -> Vec<String> {
        let lines = || {
            let log = self.program.stderr();
            let lines = log
                .lines()
                .filter_map(|line| line.split_once(' '))
                .map(|(_, rest)| rest.to_owned());
            lines.filter(|line| line.contains("login failed")).collect::<Vec<String>>()
        };
        eventually("so many lines", || lines().len() >= count);
        lines()
    }
}

/// The word in place of the name.
fn word(line: &str) -> &str {
    let word = line.split_once("name=").unwrap().1.trim_matches('"');
    let digits = word.strip_prefix('?').unwrap_or_else(|| panic!("{line}"));
    assert!(digits.len() == 10 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
    word
}

#[test]
fn a_failed_login_has_a_line_with_the_name_if_a_member_or_a_former_member_has_it() {
    let site = Site::start(&[]);
    for name in ["BOB", "ann", " rob "] {
        assert_eq!(site.basic(name, "wrong", "203.0.113.9").status, 401);
    }
    assert_eq!(site.page("bob", "wrong", "2001:db8::1").status, 401);
    assert_eq!(site.basic("bob", "secret", "203.0.113.9").status, 200);
    assert_eq!(
        site.lines(4),
        [
            "INFO  login failed by=basic why=wrong sites=1 address=203.0.113.9 name=bob",
            "INFO  login failed by=basic why=unknown sites=1 address=203.0.113.9 name=ann",
            "INFO  login failed by=basic why=unknown sites=1 address=203.0.113.9 name=rob",
            "INFO  login failed by=page why=wrong sites=1,9 address=2001:db8::1 name=bob",
        ]
    );
}

#[test]
fn a_name_that_nobody_has_is_a_word_that_comes_again_for_the_same_name_alone() {
    let site = Site::start(&[]);
    for (name, from) in [
        (MISTYPED, "203.0.113.9"),
        (&*MISTYPED.to_lowercase(), "203.0.113.10"),
        ("another", "203.0.113.9"),
    ] {
        assert_eq!(site.basic(name, "wrong", from).status, 401);
    }
    let lines = site.lines(3);
    assert_eq!(word(&lines[0]), word(&lines[1]));
    assert_ne!(word(&lines[0]), word(&lines[2]));
    assert!(!site.program.stderr().to_lowercase().contains("correct horse"));
    let mut again = Site::start(&[]);
    again.basic(MISTYPED, "wrong", "203.0.113.9");
    assert_ne!(word(&again.lines(1)[0]), word(&lines[0]), "under another key in another run");
    assert!(again.program.terminate().success());
}

#[test]
fn what_a_browser_sends_with_every_picture_is_one_line_and_a_flood_is_ten_and_a_count() {
    let mut site = Site::start(&["--login-limit-pair", "0", "--login-limit-network", "0"]);
    for _ in 0..50 {
        site.basic("bob", "old password", "203.0.113.9");
    }
    assert_eq!(site.lines(1).len(), 1);
    for guess in 0..30 {
        site.basic("bob", &format!("guess {guess}"), "203.0.113.9");
    }
    site.basic("bob", "guess", "203.0.113.10");
    assert_eq!(site.lines(11).len(), 11, "ten, and one from elsewhere");
    assert!(site.program.terminate().success());
    assert!(
        site.program.stderr().contains("INFO  21 more failed logins\n"),
        "{}",
        site.program.stderr()
    );
}

/// Regression: a login with a cached password costs no hash, and each had a log line. Any member
/// could cause thousands of lines a second.
#[test]
fn a_member_who_logs_in_without_end_has_ten_lines_a_minute_and_a_count() {
    let mut site = Site::start(&[]);
    for _ in 0..25 {
        assert_eq!(site.page("bob", "secret", "203.0.113.9").status, 303);
    }
    assert!(site.program.terminate().success());
    let log = site.program.stderr();
    assert_eq!(
        log.matches("INFO  login site=1 member=71 address=203.0.113.9\n").count(),
        10,
        "{log}"
    );
    assert!(log.contains("INFO  15 more logins\n"), "{log}");
}

#[test]
fn a_block_of_a_name_that_nobody_has_tells_nobody_the_name() {
    let mut site = Site::start(&["--login-limit-pair", "2", "--login-limit-name", "0"]);
    let guess = |name: &str| {
        ["a", "b", "c"].map(|password| site.basic(name, password, "203.0.113.9").status)
    };
    assert_eq!(
        (guess(MISTYPED), guess("bob"), guess("rob")),
        ([401, 401, 403], [401, 401, 403], [401, 401, 403])
    );
    let word = word(&site.lines(1)[0]).to_owned();
    let data = site.dir.path().join("data");
    let list = || crate::commands::run_on(&data, &["block", "list"]).printed();
    eventually("the blocks are listed", || list().lines().count() == 3);
    let listed = list();
    for name in [word.as_str(), "bob", "rob"] {
        let shown = format!("network=203.0.113.9 name=\"{name}\" kind=pair until=");
        assert!(listed.contains(&shown), "{listed}");
        eventually("the log says so", || {
            site.program.stderr().contains(&format!("WARN  login blocked: {shown}"))
        });
    }
    let lifted = crate::commands::run_on(&data, &["block", "lift", "--name", &word]).printed();
    assert!(lifted.starts_with("lifted: ") && lifted.lines().count() == 1, "{lifted}");
    eventually("it is lifted", || site.basic(MISTYPED, "d", "203.0.113.9").status == 401);
    site.basic(MISTYPED, "e", "203.0.113.9");
    eventually("it is blocked again", || list().contains(&word));
    assert!(site.program.terminate().success());
    for file in std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()) {
        let bytes = std::fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        assert!(!text.contains("correct horse"), "{}", file.display());
    }
    // A pseudonym is valid for one run. The next run uses another one.
    let again = Program::serve(&data, &["--trusted-proxy", "127.0.0.1"]);
    assert!(!list().contains(&word) && list().contains("\"bob\""), "{}", list());
    drop(again);
}
