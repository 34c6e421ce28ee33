//! Alarms: the service runs a program and calls a URL.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use nats_userman::alarms::{AlarmUrl, Delivery, Pauses, Target, run};
use serde_json::Value;

use crate::engines::alarms::{OK, json_of, next_message, read_request, script, server};
use crate::support::{App, NOON, PATIENCE, eventually, program, temp_dir};

fn words(path: &Path, arguments: &[&str]) -> Vec<String> {
    let path = path.to_str().unwrap();
    std::iter::once(path).chain(arguments.iter().copied()).map(str::to_owned).collect()
}

const HOUR: Duration = Duration::from_secs(3_600);
const ONCE_A_MILLISECOND: Pauses =
    Pauses { after_failures: &[Duration::from_millis(1)], with_new: HOUR };
const ONCE_AN_HOUR: Pauses = Pauses { after_failures: &[HOUR], with_new: HOUR };

#[test]
fn an_alarm_survives_a_restart_without_being_told_again() {
    let (url, requests) = server(vec![OK; 4]);
    let next = |app: &App, seconds| {
        let json = json_of(&next_message(app, seconds, &requests));
        ["alarm", "state"].map(|key| json[key].as_str().unwrap().to_owned())
    };
    let flags = ["--alarm-url", url.as_str(), "--alarm-disk-mib", "1000000000"];
    let app = App::start_with(&flags);
    assert_eq!(next(&app, 30), ["disk", "raised"]);
    let file = app.config.data_dir.alarms();
    eventually("the state is kept", || file.exists());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let app = app.restart(&flags);
    // Another cause shows that the service judges again, for more than a minute.
    for member in 1..=6 {
        app.post(&format!("action=CHANGE&siteid=5&memberid={member}&new_username=kim"));
    }
    assert_eq!(next(&app, 5), ["errors", "raised"], "nothing is told again before it");
    assert!(fs::read_to_string(&file).unwrap().contains("\"alarm\":\"disk\""));
    // The limit is lowered, and an hour later there are no errors any more: both alarms end.
    let app = app.restart(&["--alarm-url", &url, "--alarm-disk-mib", "0"]);
    app.set_unix(app.now() + 3_700);
    let mut told = [next(&app, 30), next(&app, 30)];
    told.sort();
    assert_eq!(told, [["disk", "cleared"], ["errors", "cleared"]], "nor after it");
    eventually("the state is kept", || fs::read_to_string(&file).is_ok_and(|it| it == "[]"));
}

#[test]
fn a_failed_delivery_is_tried_again_and_messages_stay_in_their_order() {
    let refused = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";
    let (url, requests) = server(vec![refused, "nonsense\r\n\r\n", OK, OK]);
    let target = Target::Url(AlarmUrl::parse(&url).unwrap());
    let delivery = Delivery::with_pauses(target, ONCE_A_MILLISECOND).unwrap();
    delivery.put("1".into());
    delivery.put("2".into());
    let bodies: Vec<String> = (0..4)
        .map(|_| requests.recv_timeout(PATIENCE).unwrap())
        .map(|request| request.split_once("\r\n\r\n").unwrap().1.to_owned())
        .collect();
    assert_eq!(bodies, ["1", "1", "1", "2"]);
    eventually("all are delivered", || delivery.waiting() == 0);
    assert_eq!(delivery.stop(Instant::now()), 0);
}

#[test]
fn the_queue_of_a_target_that_takes_nothing_is_bounded() {
    let dir = temp_dir();
    let target = Target::Command(words(&dir.path().join("missing"), &[]));
    let delivery = Delivery::with_pauses(target, ONCE_AN_HOUR).unwrap();
    (0..1_000).for_each(|number| delivery.put(number.to_string()));
    assert_eq!(delivery.waiting(), 64);
    assert_eq!(delivery.stop(Instant::now() + PATIENCE), 64);
}

/// A logger of this test. The log of the program goes to stderr, which all tests share.
struct Lines(Mutex<Vec<String>>);

impl log::Log for Lines {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target() == "nats_userman::alarms::delivery"
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.lock().unwrap().push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

static LINES: Lines = Lines(Mutex::new(Vec::new()));

#[test]
fn a_target_that_takes_alarms_again_gets_the_newest_64_and_the_log_counts_the_others() {
    log::set_logger(&LINES).unwrap();
    log::set_max_level(log::LevelFilter::Error);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    let (hold, is_held) = channel::<()>();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let request = read_request(&mut stream);
            let body = request.split_once("\r\n\r\n").unwrap().1.to_owned();
            // The test ends while the server waits for the next request.
            let _ = sender.send(body);
            let _ = is_held.recv();
            let _ = stream.write_all(OK.as_bytes());
        }
    });
    let target = Target::Url(AlarmUrl::parse(&url).unwrap());
    let delivery = Delivery::with_pauses(target, ONCE_AN_HOUR).unwrap();
    let next = || requests.recv_timeout(PATIENCE).unwrap();
    delivery.put("0".into());
    assert_eq!(next(), "0");
    (1..1_000).for_each(|number| delivery.put(number.to_string()));
    assert_eq!(delivery.waiting(), 64);
    drop(hold);
    for number in 936..1_000 {
        assert_eq!(next(), number.to_string());
    }
    eventually("all are delivered", || delivery.waiting() == 0);
    assert_eq!(delivery.stop(Instant::now() + PATIENCE), 0);
    let line = "936 alarms not delivered: too many wait".to_owned();
    assert!(LINES.0.lock().unwrap().contains(&line));
}

#[test]
fn a_new_alarm_does_not_wait_for_the_end_of_a_long_pause_after_a_failure() {
    let refused = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";
    let (url, requests) = server(vec![refused, OK, OK]);
    let target = Target::Url(AlarmUrl::parse(&url).unwrap());
    let pauses = Pauses { with_new: Duration::from_millis(1), ..ONCE_AN_HOUR };
    let delivery = Delivery::with_pauses(target, pauses).unwrap();
    let body = || {
        let request = requests.recv_timeout(PATIENCE).unwrap();
        request.split_once("\r\n\r\n").unwrap().1.to_owned()
    };
    delivery.put("old".into());
    assert_eq!(body(), "old");
    delivery.put("new".into());
    assert_eq!([body(), body()], ["old", "new"]);
}

#[test]
fn a_program_that_still_runs_at_the_stop_is_killed_with_its_children() {
    let dir = temp_dir();
    let started = dir.path().join("started");
    let text =
        format!("sleep 600 & echo $! >{0}.new; mv {0}.new {0}; sleep 600", started.display());
    let target = Target::Command(words(&script(dir.path(), &text), &[]));
    let delivery = Delivery::with_pauses(target, ONCE_AN_HOUR).unwrap();
    delivery.put("1".into());
    eventually("the program runs", || started.exists());
    let child = fs::read_to_string(&started).unwrap();
    let runs = || {
        // A process that was killed may wait for its parent, as a zombie.
        fs::read_to_string(format!("/proc/{}/stat", child.trim()))
            .is_ok_and(|stat| !stat.contains(") Z "))
    };
    assert!(runs());
    assert_eq!(delivery.stop(Instant::now()), 1, "it was not delivered");
    eventually("its child was killed", || !runs());
}

#[test]
fn an_alarm_and_its_end_that_were_not_delivered_before_a_stop_are_told_after_it() {
    let dir = temp_dir();
    let tried = dir.path().join("tried");
    let alarm = script(dir.path(), &format!("touch {}; exit 1", tried.display()));
    let app = App::start_with(&[
        "--alarm-command",
        alarm.to_str().unwrap(),
        "--alarm-disk-mib",
        "1000000000",
    ]);
    let mut now = NOON;
    eventually("it is tried", || {
        now += 30;
        app.set_unix(now);
        tried.exists()
    });
    let (url, requests) = server(vec![OK]);
    let app = app.restart(&["--alarm-url", &url, "--alarm-disk-mib", "1000000000"]);
    let mut told = None;
    eventually("it is told", || {
        now += 30;
        app.set_unix(now);
        told = requests.try_recv().ok();
        told.is_some()
    });
    let raised = json_of(&told.unwrap());
    assert_eq!((&raised["alarm"], &raised["state"]), (&"disk".into(), &"raised".into()));

    // The same with its end.
    fs::remove_file(&tried).unwrap();
    let app = app.restart(&["--alarm-command", alarm.to_str().unwrap(), "--alarm-disk-mib", "0"]);
    eventually("the end is tried", || {
        now += 100;
        app.set_unix(now);
        tried.exists()
    });
    let (url, requests) = server(vec![OK]);
    let app = app.restart(&["--alarm-url", &url, "--alarm-disk-mib", "0"]);
    let mut told = None;
    eventually("the end is told", || {
        now += 100;
        app.set_unix(now);
        told = requests.try_recv().ok();
        told.is_some()
    });
    let cleared = json_of(&told.unwrap());
    assert_eq!((&cleared["alarm"], &cleared["state"]), (&"disk".into(), &"cleared".into()));
}

#[test]
fn check_config_finds_settings_of_alarms_that_do_nothing() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, Permissions::from_mode(0o700)).unwrap();
    let run = |flags: &[&str]| {
        let mut command = program();
        command.args(["check-config", "--data-dir"]).arg(&data).args(flags);
        let output = command.output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), text)
    };
    let alarm = script(dir.path(), "exit 0");
    let alarm = alarm.to_str().unwrap();
    let fine = ["--alarm-command", alarm, "--alarm-backup-age", "36h", "--backup-every", "24h"];
    assert_eq!(run(&fine).0, Some(0), "{}", run(&fine).1);
    let plain = dir.path().join("plain");
    fs::write(&plain, "").unwrap();
    fs::set_permissions(&plain, Permissions::from_mode(0o644)).unwrap();
    let plain = plain.to_str().unwrap();
    for (flag, value, expected, code) in [
        (
            "--alarm-command",
            "/nonexist/x",
            "--alarm-command: /nonexist/x cannot be run: No such file or directory (os error 2): \
             correct the path, or the modes of the program",
            1,
        ),
        ("--alarm-command", "/", "--alarm-command: / is not a file: ", 1),
        ("--alarm-command", plain, "is not executable: correct the path, or the modes", 1),
        (
            "--alarm-backup-age",
            "36h",
            "--alarm-backup-age has no effect without --backup-every: the service does not know \
             of other backups: set --backup-every, or leave --alarm-backup-age away",
            1,
        ),
    ] {
        let (found, said) = run(&[flag, value, "--listen", "127.0.0.1:8080"]);
        assert!(said.contains(expected), "{said}");
        assert_eq!(found, Some(code), "{said}");
    }
    let port_0 = ["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];
    assert_eq!(run(&port_0).0, Some(0), "each gets a free port of its own");
}

#[test]
fn what_a_program_does_wrong_is_told_and_its_time_and_its_output_are_bounded() {
    let dir = temp_dir();
    let long = Duration::from_secs(60);
    let error = |text: &str, time: Duration| {
        let path = script(dir.path(), text);
        let done = run(&words(&path, &["a", "b c"]), "{\"x\":1}", time);
        done.map_err(|error| error.to_string().replace(path.to_str().unwrap(), "ALARM"))
    };
    let fails = |text: &str, expected: &str| {
        assert_eq!(error(text, long), Err(expected.to_owned()), "{text}");
    };
    assert_eq!(error("read line; test \"$line\" = '{\"x\":1}' -a \"$2\" = 'b c'", long), Ok(()));
    assert_eq!(error("exec <&-; exit 0", long), Ok(()), "it need not read");
    assert_eq!(error("test $(pwd) = / -a -z \"$CARGO_MANIFEST_DIR\"", long), Ok(()));
    fails("echo 'no mail' >&2; exit 3", "ALARM ended with exit code 3: no mail");
    fails("printf 'a\\033[31m\\nb' >&2; exit 1", "ALARM ended with exit code 1: a [31m b");
    fails("kill -9 $$", "ALARM ended with signal 9");
    // Ten megabytes on both outputs neither block it nor fill our memory.
    let much = error("head -c 10000000 /dev/zero | tr '\\0' x | tee /dev/stderr; exit 4", long);
    let said = much.unwrap_err();
    assert!(said.starts_with("ALARM ended with exit code 4: xxx") && said.len() < 600, "{said}");
    // It hangs, and so does its child, which has the pipe open.
    let began = Instant::now();
    let hangs = error("sleep 600 & sleep 600", Duration::from_secs(1));
    assert_eq!(hangs, Err("ALARM did not end within 1 seconds and was killed".to_owned()));
    assert!(began.elapsed() < Duration::from_secs(30));
    // A child that is left behind keeps the pipe open, and nobody waits for it.
    let began = Instant::now();
    assert_eq!(error("sleep 30 & exit 0", long), Ok(()));
    assert!(began.elapsed() < Duration::from_secs(20));

    let missing = words(&dir.path().join("missing"), &[]);
    let said = run(&missing, "", long).unwrap_err().to_string();
    assert!(
        said.ends_with("missing cannot be run: No such file or directory (os error 2)"),
        "{said}"
    );
}

#[test]
fn what_a_url_does_wrong_is_told_without_its_secret() {
    let post_within = |time: Duration, url: &str| {
        let parsed = AlarmUrl::parse(url).unwrap();
        let said = parsed.post("{}", time).unwrap_err().to_string();
        assert!(!said.contains("s3cret"), "{said}");
        said
    };
    let post = |url: &str| post_within(PATIENCE, url);
    let said = |answer: &'static str| {
        let (url, requests) = server(vec![answer]);
        let host = url.trim_start_matches("http://").split('/').next().unwrap().to_owned();
        let said = post(&url).replace(&host, "HOST");
        drop(requests);
        said
    };
    assert_eq!(
        said("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/s3cret\r\n\r\n"),
        "HOST answered with the status 302, and not 200 to 299 (a redirect is not followed)"
    );
    assert_eq!(
        said("HTTP/1.1 404 Not Found\r\n\r\n"),
        "HOST answered with the status 404, and not 200 to 299"
    );
    assert_eq!(said("s3cret\r\n\r\n"), "HOST cannot be reached: its answer is no HTTP");
    // Nobody listens.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = post(&format!("http://{free}/s3cret"));
    let expected = format!("{free} cannot be reached: Connection refused (os error 111)");
    assert_eq!(refused, expected);
    // It takes the request and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap();
    assert_eq!(
        post_within(Duration::from_millis(100), &format!("http://{place}/s3cret")),
        format!("{place} did not answer within 10 seconds")
    );
}

#[test]
fn alarm_test_says_what_happened_at_each_target() {
    let dir = temp_dir();
    let run = |flags: &[&str]| {
        let mut command = program();
        command.args(["alarm", "test", "--data-dir"]).arg(dir.path().join("data")).args(flags);
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, _, said) = run(&[]);
    assert_eq!(code, Some(1));
    let nothing = "there is nothing to test: neither --alarm-command nor --alarm-url is set";
    assert!(said.contains(nothing), "{said}");

    let told = dir.path().join("told");
    let alarm = script(dir.path(), &format!("cat >{}", told.display()));
    let (url, requests) = server(vec![OK]);
    let file = dir.path().join("url");
    fs::write(&file, format!("{url}\n")).unwrap();
    let (alarm, file) = (alarm.to_str().unwrap(), file.to_str().unwrap());
    let (code, printed, _) = run(&["--alarm-command", alarm, "--alarm-url-file", file]);
    assert_eq!(
        (code, printed.as_str()),
        (
            Some(0),
            "--alarm-command has taken the test message\n--alarm-url has taken the test message\n"
        )
    );
    let json = json_of(&requests.recv_timeout(PATIENCE).unwrap());
    assert_eq!((&json["alarm"], &json["state"]), (&"test".into(), &"test".into()));
    assert_eq!(serde_json::from_str::<Value>(&fs::read_to_string(told).unwrap()).unwrap(), json);

    let (code, printed, said) = run(&["--alarm-command", "/nowhere/alarm"]);
    assert_eq!(code, Some(1));
    assert_eq!(
        printed,
        "--alarm-command has not taken it: /nowhere/alarm cannot be run: No such file or \
         directory (os error 2)\n"
    );
    assert!(said.contains("1 of 1 targets did not take the message"), "{said}");
}

#[test]
fn the_url_of_alarms_may_come_from_a_file() {
    let dir = temp_dir();
    let check = |flags: &[&str]| {
        let mut command = program();
        command.args(["config", "--data-dir"]).arg(dir.path().join("data")).args(flags);
        let output = command.output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let file = dir.path().join("url");
    fs::write(&file, "not a url s3cret\n").unwrap();
    let file = file.to_str().unwrap();
    let said = check(&["--alarm-url-file", file]);
    assert!(said.contains("--alarm-url-file: expected one URL"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
    let both = check(&["--alarm-url-file", file, "--alarm-url", "https://x.example/s3cret"]);
    assert!(
        both.contains("--alarm-url: expected one URL, found --alarm-url-file beside it"),
        "{both}"
    );
    assert!(!both.contains("s3cret"), "{both}");
    let missing = check(&["--alarm-url-file", "/nowhere"]);
    assert!(missing.contains("--alarm-url-file: /nowhere: No such file"), "{missing}");
}
