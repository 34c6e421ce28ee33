//! SIGHUP reloads the files that settings name. A file that cannot be used changes nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};

use crate::authstrings::nats::Nats;
use crate::authstrings::{STRING, get_with};
use crate::support::{Program, Request, TOKEN, eventually, post_to, program, send_raw, temp_dir};

const OTHER: &str = "other_token_0123456789_abcdef_0123456789";
const CHECK: &[u8] = b"action=CHECK&siteid=1&username=bob";
const ADD: &str = "action=ADD&siteid=1&memberid=71&username=bob&password=secret";

/// A service whose settings are in files.
pub(super) struct Scene {
    dir: tempfile::TempDir,
    program: Option<Program>,
    told: usize,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self { dir: temp_dir(), program: None, told: 0 }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Starts `serve` with these flags, and with [`TOKEN`] unless the flags give another token.
    pub(super) fn serve(&mut self, flags: &[&str]) {
        let mut command = program();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(self.path("data"));
        if !flags.contains(&"--postback-token-file") {
            command.args(["--postback-token", TOKEN]);
        }
        command.args(flags).stdout(Stdio::null());
        self.program = Some(Program::spawn(command).unwrap());
    }

    /// Starts `serve` with this configuration file, and with these flags.
    pub(super) fn serve_by_file(&mut self, text: &str, flags: &[&str]) {
        let file = self.write("userman.toml", text);
        self.serve(&[&["--config", &file], flags].concat());
    }

    pub(super) fn program(&self) -> &Program {
        self.program.as_ref().unwrap()
    }

    /// Sends SIGHUP. Returns all log lines about it.
    pub(super) fn reload(&mut self) -> String {
        kill_process(Pid::from_child(&self.program().child), Signal::HUP).unwrap();
        let told = self.told;
        let lines = || {
            let said = self.program().stderr();
            let (_, said) = said.split_at(told);
            let is_ours = |line: &&str| line.contains(" reload");
            let lines = said.lines().filter(is_ours).map(|line| line[21..].to_owned() + "\n");
            lines.collect::<String>()
        };
        let is_over =
            |said: &str| said.contains("nothing changed") || said.contains("reload: changed ");
        eventually("it is read again", || is_over(&lines()));
        let said = lines();
        self.told = self.program().stderr().len();
        let said = said.strip_prefix("INFO  SIGHUP: reloading the files of the settings\n");
        said.unwrap().replace(self.dir.path().to_str().unwrap(), "DIR")
    }

    fn post(&self, token: &str, forwarded: &str) -> u16 {
        let request = Request::post(&format!("/postback/{token}")).from(forwarded).body(CHECK);
        send_raw(self.program().address, request).unwrap().status
    }

    pub(super) fn stop(mut self) {
        let mut program = self.program.take().unwrap();
        assert_eq!(program.terminate().code(), Some(0));
    }
}

#[test]
fn networks_are_read_again_and_a_bad_file_leaves_those_before() {
    let mut scene = Scene::new();
    let allowed = scene.write("allowed", "# NATS\n203.0.113.0/24\n");
    let proxies = scene.write("proxies", "192.0.2.1\n");
    let flags = ["--allow-ip-file", &allowed, "--trusted-proxy-file", &proxies];
    scene.serve(&[&flags[..], &["--allow-ip", "198.51.100.7"]].concat());
    let from = |scene: &Scene, address: &str| scene.post(TOKEN, address);
    assert_eq!(from(&scene, "203.0.113.9"), 403, "the peer itself counts");
    assert_eq!(scene.reload(), "INFO  reload: nothing changed\n");

    scene.write("proxies", "192.0.2.1\n127.0.0.1 # nginx\n");
    assert_eq!(scene.reload(), "INFO  reload: changed trusted_proxy (2)\n");
    let all = ["203.0.113.9", "198.51.100.7", "192.0.2.9"];
    assert_eq!(all.map(|address| from(&scene, address)), [200, 200, 403]);

    scene.write("allowed", "192.0.2.0/24\n");
    assert_eq!(scene.reload(), "INFO  reload: changed allow_ip (2)\n");
    assert_eq!(all.map(|address| from(&scene, address)), [403, 200, 200]);

    let kept = "; the previous values stay in effect\nINFO  reload: nothing changed\n";
    let network = "expected an address or a network, as in 192.0.2.0/24 or 2001:db8::/32";
    for (text, problem) in [
        ("192.0.2.0/24\n10.0.0.0/33\n", format!("DIR/allowed, line 2: {network}")),
        ("# none left\n", "DIR/allowed holds no network".to_owned()),
        ("", "DIR/allowed holds no network".to_owned()),
    ] {
        scene.write("allowed", text);
        assert_eq!(scene.reload(), format!("ERROR reload: --allow-ip-file: {problem}{kept}"));
    }
    fs::remove_file(scene.path("allowed")).unwrap();
    fs::remove_file(scene.path("proxies")).unwrap();
    fs::create_dir(scene.path("proxies")).unwrap();
    let unread = |flag: &str, name: &str, why: &str| {
        format!(
            "ERROR reload: {flag}: cannot read the networks in DIR/{name}: {why}; the \
             previous values stay in effect\n"
        )
    };
    let said = [
        unread("--allow-ip-file", "allowed", "No such file or directory (os error 2)"),
        unread("--trusted-proxy-file", "proxies", "Is a directory (os error 21)"),
        "INFO  reload: nothing changed\n".into(),
    ];
    assert_eq!(scene.reload(), said.concat());
    assert_eq!(all.map(|address| from(&scene, address)), [403, 200, 200]);
    scene.stop();
}

#[test]
fn tokens_of_a_settings_file_are_read_again_and_never_shown() {
    let mut scene = Scene::new();
    let tokens = scene.write("tokens", &format!("{TOKEN}\n"));
    scene.serve(&["--postback-token-file", &tokens]);
    let status =
        |scene: &Scene, token| post_to(scene.program().address, token, CHECK).unwrap().status;
    scene.write("tokens", &format!("{OTHER}\n"));
    assert_eq!(status(&scene, OTHER), 403, "not before the signal");
    assert_eq!(scene.reload(), "INFO  reload: changed tokens (1)\n");
    assert_eq!([TOKEN, OTHER].map(|token| status(&scene, token)), [403, 200]);
    scene.write("tokens", "no-token-but-nearly-a-secret\n");
    let expected = "expected 32 to 256 characters of A-Z, a-z, 0-9, _ and -";
    assert_eq!(
        scene.reload(),
        format!(
            "ERROR reload: --postback-token-file: DIR/tokens, line 1: {expected}; the \
             previous values stay in effect\n\
             INFO  reload: nothing changed\n"
        )
    );
    assert_eq!([TOKEN, OTHER].map(|token| status(&scene, token)), [403, 200]);
    let said = scene.program().stderr();
    assert!(
        ![TOKEN, OTHER, "nearly-a-secret"].iter().any(|secret| said.contains(secret)),
        "{said}"
    );
    scene.stop();
}

#[test]
fn tokens_of_the_data_directory_are_read_again() {
    let mut scene = Scene::new();
    fs::create_dir(scene.path("data")).unwrap();
    scene.write("data/postback-token", &format!("{TOKEN}\n"));
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(scene.path("data"));
    command.stdout(Stdio::null());
    scene.program = Some(Program::spawn(command).unwrap());
    assert_eq!(scene.reload(), "INFO  reload: nothing changed\n");
    scene.write("data/postback-token", "short\n");
    let expected = "expected 32 to 256 characters of A-Z, a-z, 0-9, _ and -";
    for _ in 0..2 {
        assert_eq!(
            scene.reload(),
            format!(
                "ERROR reload: DIR/data/postback-token, line 1: {expected}; the previous \
                 tokens stay in effect\n\
                 INFO  reload: nothing changed\n"
            )
        );
    }
    assert_eq!(scene.post(TOKEN, "-"), 200);
    scene.stop();
}

fn asks(program: &Program, key: &str) -> (u16, String) {
    let headers = format!("api-username: shop\r\napi-key: {key}\r\n");
    let path = "/api/member/authstring?type=upsell&username=bob&siteid=1";
    let response = get_with(program.address, path, &headers);
    (response.status, response.body)
}

#[test]
fn keys_are_read_again() {
    let nats = Nats::answering(&format!("{{\"result\":\"{STRING}\"}}"));
    let (old, new) = ("0123456789abcdef", "fedcba9876543210");
    let mut scene = Scene::new();
    let (ours, theirs) =
        (scene.write("ours", &format!("shop:{old}\n")), scene.write("theirs", "1st-key\n"));
    let url = nats.url();
    let access =
        ["--nats-url", &url, "--nats-api-username", "tmm1", "--nats-api-key-file", &theirs];
    scene.serve(&[&access[..], &["--api-key-file", &ours]].concat());
    scene.program().post(ADD).unwrap();
    assert_eq!(asks(scene.program(), old).0, 200);

    scene.write("ours", &format!("shop:{new}\ndesk:{new} site=1\n"));
    scene.write("theirs", "2nd-key\n");
    assert_eq!(scene.reload(), "INFO  reload: changed api_key (2), nats_api_key_file or nats_ca\n");
    assert_eq!((asks(scene.program(), old).0, asks(scene.program(), new).0), (401, 200));
    let shown = |key: &str| nats.asked().last().unwrap().contains(&format!("api-key: {key}\r\n"));
    assert!(shown("2nd-key") && !shown("1st-key"));

    scene.write("ours", "shop\n");
    scene.write("theirs", "two keys\n");
    let said = scene.reload();
    let lines: Vec<_> = said.lines().collect();
    assert!(lines[0].starts_with("ERROR reload: --api-key-file: DIR/ours, line 1: expected "));
    assert_eq!(
        lines[1],
        "ERROR reload: --nats-api-key-file: expected 1 to 256 printable ASCII characters \
         without blanks, \
         found 8 bytes; the previous values stay in effect"
    );
    assert_eq!(lines[2..], ["INFO  reload: nothing changed"]);
    assert_eq!(asks(scene.program(), new).0, 200);
    assert!(shown("2nd-key"));
    scene.stop();
}

fn login_page(program: &Program) -> String {
    send_raw(program.address, Request::get("/login?site=1")).unwrap().body
}

#[test]
fn the_login_page_is_read_again_and_good_values_count_beside_bad_ones() {
    let mut scene = Scene::new();
    let page = scene.write("page.html", "<title>one</title>{{form}}");
    let allowed = scene.write("allowed", "127.0.0.1\n");
    scene.serve(&["--login-template", &page, "--allow-ip-file", &allowed]);
    assert!(login_page(scene.program()).contains("<title>one</title>"));
    scene.write("page.html", "<title>two</title>{{form}}");
    assert_eq!(scene.reload(), "INFO  reload: changed login_template\n");
    assert!(login_page(scene.program()).contains("<title>two</title>"));
    scene.write("page.html", "<title>three</title>");
    scene.write("allowed", "203.0.113.9\n");
    assert_eq!(
        scene.reload(),
        "ERROR reload: --login-template: DIR/page.html: expected {{form}} once, found it 0 \
         times; \
         the previous values stay in effect\n\
         INFO  reload: changed allow_ip (1)\n"
    );
    assert!(login_page(scene.program()).contains("<title>two</title>"));
    assert_eq!(scene.post(TOKEN, "-"), 403);
    scene.stop();
}

#[test]
fn the_configuration_file_is_read_again_and_what_needs_a_restart_is_named() {
    let mut scene = Scene::new();
    scene.serve_by_file("allow_ip = [\"127.0.0.1\"]\n", &[]);
    assert_eq!(scene.reload(), "INFO  reload: nothing changed\n");
    assert_eq!(scene.post(TOKEN, "-"), 200);
    scene.write(
        "userman.toml",
        "# the office\nallow_ip = [\"203.0.113.9\", \"203.0.113.10\"]\nlogin_hours = 3\n\
         listen = \"127.0.0.1:1\"\nfastcgi_listen = \"127.0.0.1:2\"\n\
         public_url = \"https://members.example.com\"\n",
    );
    // A flag sets `listen`, and a flag overrides the file.
    let restart = "WARN  reload: a restart is needed for fastcgi_listen, login_hours\n";
    let changed = "INFO  reload: changed public_url, allow_ip (2)\n";
    assert_eq!(scene.reload(), [restart, changed].concat());
    assert_eq!(scene.post(TOKEN, "-"), 403);
    let served = fs::read_to_string(scene.path("data/served.json")).unwrap();
    assert!(served.contains("https://members.example.com/postback/"), "{served}");
    // The warning is repeated as long as it applies.
    assert_eq!(scene.reload(), [restart, "INFO  reload: nothing changed\n"].concat());
    scene.write("userman.toml", "");
    assert_eq!(scene.reload(), "INFO  reload: changed public_url, allow_ip (any)\n");
    assert_eq!(scene.post(TOKEN, "-"), 200);
    scene.stop();
}

#[test]
fn a_bad_configuration_file_changes_nothing() {
    let mut scene = Scene::new();
    let allowed = scene.write("allowed", "127.0.0.1\n");
    let first = format!("allow_ip_file = \"{allowed}\"\n");
    scene.serve_by_file(&first, &[]);
    let line = |line: u32, problem: &str| {
        format!(
            "ERROR reload: DIR/userman.toml, line {line}: {problem}; the previous values stay in \
             effect\n"
        )
    };
    let hours = "expected a whole number of hours from 1 to 8784, found \"0\"";
    let nothing = "INFO  reload: nothing changed\n";
    // The file that a setting names is not reloaded either.
    scene.write("allowed", "203.0.113.9\n");
    for (text, said) in [
        (
            "alow_ip = \"203.0.113.9\"\npostback_token = \"x\"\n",
            [
                line(1, "alow_ip: no setting has this name; the nearest is allow_ip"),
                line(
                    2,
                    "postback_token: expected no secret in this file: put it into a file of its \
                     own and name that by postback_token_file",
                ),
            ]
            .concat(),
        ),
        (
            "allow_ip = \"203.0.113.9\"\nlogin_hours = 0\n",
            line(2, &format!("login_hours: {hours}")),
        ),
        (
            "allow_ip_file = \"/nowhere\"\n",
            line(
                1,
                "allow_ip_file: cannot read the networks in /nowhere: No such file or directory \
                 (os error 2)",
            ),
        ),
    ] {
        scene.write("userman.toml", text);
        assert_eq!(scene.reload(), [&said, nothing].concat(), "{text}");
    }
    fs::remove_file(scene.path("userman.toml")).unwrap();
    let missing = "ERROR reload: the configuration file DIR/userman.toml: No such file or \
        directory (os error 2); correct --config or USERMAN_CONFIG; the previous values stay in \
        effect\n";
    assert_eq!(scene.reload(), [missing, nothing].concat());
    assert_eq!(scene.post(TOKEN, "-"), 200);
    scene.write("userman.toml", &first);
    assert_eq!(scene.reload(), "INFO  reload: changed allow_ip (1)\n");
    assert_eq!(scene.post(TOKEN, "-"), 403);
    scene.stop();
}

#[test]
fn flags_and_variables_go_before_the_file_at_a_reload_too() {
    let mut scene = Scene::new();
    scene.serve_by_file("", &["--allow-ip", "127.0.0.1", "--login-hours", "1"]);
    scene.write("userman.toml", "allow_ip = \"203.0.113.9\"\nlogin_hours = 3\n");
    assert_eq!(scene.reload(), "INFO  reload: nothing changed\n");
    assert_eq!(scene.post(TOKEN, "-"), 200);
    scene.stop();
}

#[test]
fn the_grace_of_an_expiry_applies_to_later_postbacks() {
    let mut scene = Scene::new();
    scene.serve_by_file("expire_grace_hours = 0\n", &[]);
    let expire_at = |scene: &Scene| {
        let expire = "action=EXPIRE&siteid=1&memberid=71&expire=2100-01-01";
        scene.program().post(expire).unwrap();
        let database = Connection::open(scene.path("data/userman.db")).unwrap();
        let sql = "SELECT expire_at FROM member_auth";
        database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    scene.program().post(ADD).unwrap();
    assert_eq!(expire_at(&scene), 4_102_444_800);
    scene.write("userman.toml", "expire_grace_hours = 12\ntime_zone = \"Europe/Berlin\"\n");
    assert_eq!(scene.reload(), "INFO  reload: changed time_zone, expire_grace_hours\n");
    assert_eq!(expire_at(&scene), 4_102_444_800 - 3_600 + 12 * 3_600);
    scene.stop();
}

#[test]
fn the_log_changes_its_level_and_its_format() {
    let mut scene = Scene::new();
    scene.serve_by_file("", &[]);
    let added = |scene: &Scene, member: u32| {
        let add = format!("action=ADD&siteid=1&memberid={member}&username=u{member}&password=x");
        scene.program().post(&add).unwrap();
    };
    scene.write("userman.toml", "log = \"warn,service=info,cli=info\"\n");
    assert_eq!(scene.reload(), "INFO  reload: changed log\n");
    // The log line precedes the change, which is complete when the next reload begins.
    assert_eq!(scene.reload(), "INFO  reload: nothing changed\n");
    added(&scene, 71);
    scene.write("userman.toml", "log_format = \"json\"\n");
    assert_eq!(scene.reload(), "INFO  reload: changed log, log_format\n");
    kill_process(Pid::from_child(&scene.program().child), Signal::HUP).unwrap();
    let last = "\"message\":\"reload: nothing changed\"";
    eventually("it is JSON", || scene.program().stderr().contains(last));
    added(&scene, 72);
    eventually("it is logged", || scene.program().stderr().contains("\"member\":\"72\""));
    let said = scene.program().stderr();
    assert!(!said.contains("member=71") && !said.contains("\"member\":\"71\""), "{said}");
    scene.stop();
}

#[test]
fn a_change_of_the_log_is_logged_also_where_the_new_level_hides_it() {
    let mut scene = Scene::new();
    scene.serve_by_file("", &[]);
    scene.write("userman.toml", "log = \"error\"\n");
    assert_eq!(scene.reload(), "INFO  reload: changed log\n");
    scene.stop();
}

#[test]
fn another_nats_is_asked_after_a_reload() {
    let [old, new] = [1, 2].map(|_| Nats::answering(&format!("{{\"result\":\"{STRING}\"}}")));
    let key = "0123456789abcdef";
    let mut scene = Scene::new();
    let (ours, theirs) =
        (scene.write("ours", &format!("shop:{key}\n")), scene.write("theirs", "nats-key\n"));
    let text = |url: &str| {
        format!(
            "api_key_file = \"{ours}\"\nnats_url = \"{url}\"\nnats_api_username = \"tmm1\"\n\
             nats_api_key_file = \"{theirs}\"\n"
        )
    };
    scene.serve_by_file(&format!("api_key_file = \"{ours}\"\n"), &[]);
    scene.program().post(ADD).unwrap();
    assert_ne!(asks(scene.program(), key).0, 200, "there is no NATS yet");
    scene.write("userman.toml", &text(&old.url()));
    assert_eq!(scene.reload(), "INFO  reload: changed nats_url (set)\n");
    assert_eq!(asks(scene.program(), key).0, 200);
    scene.write("userman.toml", &text(&new.url()));
    assert_eq!(scene.reload(), "INFO  reload: changed nats_url\n");
    assert_eq!(asks(scene.program(), key).0, 200);
    assert_eq!((old.asked().len(), new.asked().len()), (1, 1));
    scene.stop();
}

/// The start decides whether tokens come from settings or from the data directory.
#[test]
fn tokens_do_not_move_between_the_data_directory_and_the_settings_at_a_reload() {
    let mut scene = Scene::new();
    fs::create_dir(scene.path("data")).unwrap();
    scene.write("data/postback-token", &format!("{TOKEN}\n"));
    let (file, tokens) = (scene.write("userman.toml", ""), scene.write("tokens", OTHER));
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(scene.path("data"));
    command.env("USERMAN_CONFIG", &file).stdout(Stdio::null());
    scene.program = Some(Program::spawn(command).unwrap());
    scene.write("userman.toml", &format!("postback_token_file = \"{tokens}\"\n"));
    let restart = "WARN  reload: a restart is needed for postback_token_file\n";
    assert_eq!(scene.reload(), [restart, "INFO  reload: nothing changed\n"].concat());
    assert_eq!([TOKEN, OTHER].map(|token| scene.post(token, "-")), [200, 403]);
    scene.stop();
}

/// Requests are under way while the settings are replaced.
#[test]
fn a_service_that_is_told_a_thousand_times_answers_all_the_while() {
    let mut scene = Scene::new();
    let allowed = scene.write("allowed", "127.0.0.1\n");
    scene.serve(&["--allow-ip-file", &allowed]);
    let pid = Pid::from_child(&scene.program().child);
    std::thread::scope(|scope| {
        let told = scope.spawn(|| {
            for number in 0..1_000 {
                // Replaced at once by a rename, as an editor does it.
                let new = scene.write("new", &format!("127.0.0.1\n192.0.2.{}\n", number % 256));
                fs::rename(new, Path::new(&allowed)).unwrap();
                kill_process(pid, Signal::HUP).unwrap();
            }
        });
        while !told.is_finished() {
            assert_eq!(scene.post(TOKEN, "-"), 200);
        }
        told.join().unwrap();
    });
    scene.stop();
}

/// A pipe without a writer is like a file on a network drive that does not answer.
#[test]
fn a_file_that_never_answers_keeps_no_signal_from_stopping_the_service() {
    let mut scene = Scene::new();
    let allowed = scene.write("allowed", "127.0.0.1\n");
    scene.serve(&["--allow-ip-file", &allowed]);
    fs::remove_file(&allowed).unwrap();
    assert!(Command::new("mkfifo").arg(&allowed).status().unwrap().success());
    let pid = Pid::from_child(&scene.program().child);
    for told in 1..=3 {
        kill_process(pid, Signal::HUP).unwrap();
        eventually("it is told", || scene.program().stderr().matches("SIGHUP: ").count() == told);
    }
    assert_eq!(scene.post(TOKEN, "-"), 200);
    scene.stop();
}

#[test]
fn tokens_of_the_operations_listener_are_read_again_and_a_bad_file_leaves_those_before() {
    let mut scene = Scene::new();
    let (first, second) =
        ("first-token-0123456789-0123456789-0", "second-token-0123456789-012345678");
    let tokens = scene.write("tokens", first);
    scene.serve(&["--ops-listen", "127.0.0.1:0", "--ops-token-file", &tokens]);
    let address = scene.program().operations();
    let statuses = || {
        [first, second].map(|token| {
            let bearer = format!("Bearer {token}");
            let request = Request::get("/health/live").header("Authorization", &bearer);
            send_raw(address, request.from("192.0.2.1")).unwrap().status
        })
    };
    assert_eq!(statuses(), [200, 401]);
    scene.write("tokens", &format!("{first}\n{second}\n"));
    assert_eq!(scene.reload(), "INFO  reload: changed ops_token_file (2)\n");
    assert_eq!(statuses(), [200, 200]);
    scene.write("tokens", "short\n");
    assert_eq!(
        scene.reload(),
        "ERROR reload: --ops-token-file: DIR/tokens, line 1: expected 32 to 256 characters of \
         A-Z, a-z, 0-9, _ and -; the previous values stay in effect\nINFO  reload: nothing \
         changed\n"
    );
    assert_eq!(statuses(), [200, 200]);
    scene.stop();
}
