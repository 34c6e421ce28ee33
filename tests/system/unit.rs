//! The unit and its socket, in the form in which they are in `packaging/`.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::boot::{Machine, Story};
use super::runner;

const NEEDS: &[&str] = &["mmdebstrap", "systemd-nspawn"];

pub const STORIES: &[runner::Story] = &[
    runner::Story {
        name: "the service works under the whole hardening, and is ready when it is started",
        needs: NEEDS,
        run: hardened,
    },
    runner::Story {
        name: "journalctl shows errors and warnings of the service by their priority",
        needs: NEEDS,
        run: priorities,
    },
    runner::Story {
        name: "a restart refuses nobody and loses nothing",
        needs: NEEDS,
        run: restart,
    },
    runner::Story {
        name: "a connection starts the service, and a reload reads its files again",
        needs: NEEDS,
        run: on_demand,
    },
    runner::Story {
        name: "a service that stands still is restarted by the watchdog",
        needs: NEEDS,
        run: watchdog,
    },
    runner::Story {
        name: "a service that waits for the lock of its database is left alone",
        needs: NEEDS,
        run: lock,
    },
    runner::Story {
        name: "a wrong setting fails the start at once and is not tried again",
        needs: NEEDS,
        run: wrong_setting,
    },
    runner::Story {
        name: "a start that fails for a passing reason is tried again until it succeeds",
        needs: NEEDS,
        run: passing_failure,
    },
    runner::Story {
        name: "who posts during a restore is answered after it, and nothing of that is lost",
        needs: NEEDS,
        run: restore,
    },
    runner::Story {
        name: "doctor says how the unit and its socket are",
        needs: NEEDS,
        run: doctor,
    },
    runner::Story {
        name: "secrets come as credentials to a dynamic user",
        needs: NEEDS,
        run: credentials,
    },
];

/// A file of the repository.
fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A machine with the program and its unit, which is not started yet.
fn machine() -> Machine {
    let units = "/usr/lib/systemd/system/nats-userman";
    Machine::new()
        .with("/usr/bin/nats-userman", Path::new(env!("CARGO_BIN_EXE_nats-userman")))
        .with(&format!("{units}.service"), &file("packaging/nats-userman.service"))
        .with(&format!("{units}.socket"), &file("packaging/nats-userman.socket"))
        .with("/usr/lib/sysusers.d/nats-userman.conf", &file("packaging/nats-userman.sysusers"))
        .with("/usr/lib/tmpfiles.d/nats-userman.conf", &file("packaging/nats-userman.tmpfiles"))
        .with("/etc/nats-userman/nats-userman.toml", &file("packaging/nats-userman.toml"))
}

/// Adds a drop-in to the unit.
fn drop_in(machine: Machine, text: &str) -> Machine {
    machine.with_text("/etc/systemd/system/nats-userman.service.d/test.conf", text)
}

/// The beginning of each script.
const PRELUDE: &str = r#"
unit=nats-userman.service
database=/var/lib/nats-userman/userman.db
systemd-sysusers nats-userman.conf
systemd-tmpfiles --create nats-userman.conf
show() { systemctl show -P "$1" $unit; }
log() { journalctl -u $unit -o cat --no-pager; }
# What the service itself logged, from this priority on.
logged() { journalctl -u $unit -t nats-userman -p "$1" -o cat --no-pager; }
errors() { logged err; }
get() { inside get 127.0.0.1:8080 "$1"; }
post() { inside post 127.0.0.1:8080 "$(cat /var/lib/nats-userman/postback-token)" "$1"; }
until_so() { until eval "$1"; do sleep 0.05; done; }
"#;

fn run(machine: Machine, script: &str) -> Story {
    machine.run(&format!("{PRELUDE}{script}"))
}

fn hardened() {
    let story = run(
        machine(),
        r#"
systemctl start $unit
get /health
post 'action=ADD&siteid=1&memberid=71&username=bob&password=secret'
sealed() { inside count $database 'SELECT count(*) FROM journal WHERE sealed IS NOT NULL'; }
until_so '[ "$(sealed)" = 0 ]'
get '/auth?site=1'
nats-userman member list | tail -1 | cut -f 1-3
# The 41st field is the policy: 5 is SCHED_IDLE.
for task in /proc/$(show MainPID)/task/*; do sed 's/.*) //' $task/stat | cut -d' ' -f39; done |
    sort | uniq -c | grep -c ' 5$'
stat -c '%a %U' /var/lib/nats-userman $database
log > /story/log
show StatusText
systemctl stop nats-userman.socket $unit
show Result
"#,
    );
    let log = fs::read_to_string(story.file("log")).unwrap();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
    assert_eq!(
        story.output,
        "200 ok\n\
         200 OK|member 71 \"bob\" added to site 1\n\
         401 Please log in with your username and password.\n\
         1\t71\tbob\n\
         1\n\
         750 nats-userman\n\
         640 nats-userman\n\
         listening on 127.0.0.1:8080\n\
         success\n",
        "{log}"
    );
}

fn priorities() {
    let story = run(
        machine(),
        r#"
systemctl start $unit
inside post 127.0.0.1:8080 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 'action=CHECK' >/dev/null
until_so 'logged warning | grep -q "refused a call"'
logged warning | grep -v -c 'WARN  ' || true
logged err | wc -l
logged info | grep -c 'INFO  listening on'
# A directory in the place of the token is a fault.
systemctl stop nats-userman.socket $unit
mv /var/lib/nats-userman/postback-token /root
mkdir /var/lib/nats-userman/postback-token
systemctl start $unit 2>/dev/null || true
until_so '[ "$(logged err | wc -l)" -gt 0 ]'
logged err | head -1 | grep -c '^nats-userman: .*postback-token'
"#,
    );
    assert_eq!(story.output, "0\n0\n1\n1\n");
}

fn restart() {
    let story = run(
        machine(),
        r#"
systemctl start $unit
token=$(cat /var/lib/nats-userman/postback-token)
members() { inside count $database 'SELECT count(*) FROM member_auth'; }
inside poster 127.0.0.1:8080 $token /story/stop /story/answered &
inside kept-poster 127.0.0.1:8080 $token /story/stop /story/answered-kept &
for round in 1 2 3; do
    before=$(members)
    until_so '[ $(members) -gt $((before + 100)) ]'
    systemctl restart $unit
done
before=$(members)
until_so '[ $(members) -gt $((before + 100)) ]'
touch /story/stop
wait
log > /story/log
systemctl stop nats-userman.socket $unit
cp $database* /story
"#,
    );
    let log = fs::read_to_string(story.file("log")).unwrap();
    let mut said: Vec<&str> = story.output.lines().collect();
    said.sort_unstable();
    assert_eq!(
        said,
        ["kept-poster: 0 of many not answered OK []", "poster: 0 of many not answered OK []"],
        "{log}"
    );
    assert_kept(&story, "answered");
    assert_kept(&story, "answered-kept");
    assert_eq!(log.matches("listening on 127.0.0.1:8080").count(), 4, "{log}");
}

fn on_demand() {
    let story = run(
        machine(),
        r#"
systemctl start nats-userman.socket
systemctl is-active $unit || true
get /health
systemctl is-active $unit
systemctl reload $unit
until_so 'log | grep -q "reload: nothing changed"'
until_so '[ "$(show ActiveState)" = active ]'
systemctl stop nats-userman.socket $unit
get /health
"#,
    );
    assert_eq!(
        story.output,
        "inactive\n200 ok\nactive\nno answer: Connection refused (os error 111)\n"
    );
}

fn watchdog() {
    let story = run(
        drop_in(machine(), "[Service]\nWatchdogSec=2\n"),
        r#"
systemctl start $unit
kill -STOP "$(show MainPID)"
until_so '[ "$(show NRestarts) $(show ActiveState)" = "1 active" ]'
get /health
log | grep -c 'Watchdog timeout'
"#,
    );
    assert_eq!(story.output, "200 ok\n1\n");
}

fn lock() {
    let story = run(
        drop_in(machine(), "[Service]\nWatchdogSec=5\n"),
        r#"
systemctl start $unit
pid=$(show MainPID)
inside hold-lock $database 15 &
until_so 'get /health | grep -q 503'
wait
until_so 'get /health | grep -q 200'
show NRestarts
test "$(show MainPID)" = $pid
"#,
    );
    assert_eq!(story.output, "0\n");
}

fn wrong_setting() {
    let story = run(
        drop_in(machine(), "[Service]\nEnvironment=USERMAN_TIME_ZONE=Mars/Base\n"),
        r#"
systemctl start $unit 2>/dev/null || echo "systemctl start: $?"
show Result
show ExecMainStatus
show NRestarts
systemctl status --no-pager $unit | grep -o 'nats-userman: .*' || true
errors | grep -c '^nats-userman: --time-zone'
# Connections that wait start it again, and not for ever.
get /health >/dev/null
until_so '[ "$(systemctl show -P ActiveState nats-userman.socket)" = failed ]'
test "$(log | grep -c 'nats-userman: --time-zone')" -le 6
# Once the setting is right, both units start again.
mkdir -p /run/systemd/system/nats-userman.service.d
printf '[Service]\nEnvironment=USERMAN_TIME_ZONE=UTC\n' \
    > /run/systemd/system/nats-userman.service.d/z.conf
systemctl daemon-reload
systemctl reset-failed
systemctl start $unit
get /health
"#,
    );
    assert_eq!(
        story.output,
        "systemctl start: 1\n\
         exit-code\n\
         2\n\
         0\n\
         nats-userman: --time-zone: expected a name as in Europe/Berlin or UTC, found \
         \"Mars/Base\"\n\
         1\n\
         200 ok\n"
    );
}

/// A waiting connection starts the service again immediately. That must not use up the starts that
/// systemd allows.
fn passing_failure() {
    let story = run(
        machine(),
        r#"
systemctl start $unit
systemctl stop $unit 2>/dev/null
touch /run/in-use
flock /var/lib/nats-userman/userman.lock \
    bash -c 'while [ -e /run/in-use ]; do sleep 0.1; done' &
get /health >/story/waited &
until_so '[ "$(show NRestarts)" -ge 6 ]'
rm /run/in-use
wait
cat /story/waited
show ActiveState
"#,
    );
    assert_eq!(story.output, "200 ok\nactive\n");
}

/// The operator has stopped the service and not its socket. The restore is stopped in the middle
/// until connections wait, as a large one takes longer.
fn restore() {
    let story = run(
        machine(),
        r#"
systemctl start $unit
token=$(cat /var/lib/nats-userman/postback-token)
seq 2000001 2005000 |
    sed "s/.*/action=ADD\&siteid=1\&memberid=&\&username=n&\&cryptpass=ab01FAX.bQRSU/" \
    > /tmp/capture
systemctl stop nats-userman.socket $unit
nats-userman replay /tmp/capture >/dev/null
mkdir -m 700 /tmp/backup
nats-userman backup /tmp/backup --with-keys >/dev/null
systemctl start $unit
post 'action=ADD&siteid=1&memberid=3000001&username=bob&cryptpass=ab01FAX.bQRSU'
systemctl stop nats-userman.socket $unit

nats-userman restore /tmp/backup/*.db >/tmp/restored &
restore=$!
until grep -q restore /var/lib/nats-userman/userman.lock; do :; done
kill -STOP $restore
systemctl start nats-userman.socket
inside poster 127.0.0.1:8080 $token /story/stop /story/answered &
until_so 'log | grep -q "a restore is running: the service starts when it is done"'
show ActiveState
test ! -e /story/answered
kill -CONT $restore
wait $restore
grep -E '^(lost|  1 member)' /tmp/restored | sed 's/ from .*//'
until_so '[ "$(inside count $database "SELECT count(*) FROM member_auth")" -gt 5200 ]'
touch /story/stop
wait
show NRestarts
inside count $database 'SELECT count(*) FROM member_auth WHERE memberid = 3000001'
inside count $database 'SELECT count(*) FROM member_auth WHERE memberid BETWEEN 2000001 AND 2005000'
systemctl stop nats-userman.socket $unit
cp $database* /story
"#,
    );
    assert_eq!(
        story.output,
        "200 OK|member 3000001 \"bob\" added to site 1\n\
         activating\n\
         lost: 1 journal record\n\
         \u{20} 1 member of the former database is missing (site and memberid): 1 3000001\n\
         poster: 0 of many not answered OK []\n\
         0\n\
         0\n\
         5000\n"
    );
    assert_kept(&story, "answered");
}

fn doctor() {
    let story = run(
        machine(),
        r#"
doctor() {
    nats-userman doctor --quick >/story/doctor && echo 'nothing serious'
    awk '/^[a-z]/ { is_unit = $0 == "unit" } is_unit && /^  /' /story/doctor
}
systemctl enable --now --quiet nats-userman.socket $unit
doctor
systemctl disable --now --quiet nats-userman.socket $unit
doctor
"#,
    );
    let installed = "  ok       unit: /usr/lib/systemd/system/nats-userman.service is installed\n";
    let running = "  ok       unit_enabled: the service starts with the machine\n  \
         ok       unit_active: nats-userman.service is active\n  \
         ok       socket: nats-userman.socket keeps connections during a restart\n";
    let stopped = "  warning  unit_enabled: the service does not start with the machine: \
         nats-userman.service is disabled\n           \
         -> run `systemctl enable nats-userman`\n  \
         warning  unit_active: nats-userman.service is inactive\n           \
         -> run `systemctl start nats-userman`\n  \
         note     socket: nats-userman.socket is not active: a restart of the service refuses \
         connections\n           \
         -> run `systemctl stop nats-userman`, then `systemctl enable --now nats-userman.socket` \
         and `systemctl start nats-userman`\n";
    let good = "nothing serious\n";
    assert_eq!(story.output, [good, installed, running, good, installed, stopped].concat());
}

/// Each member whose ADD was answered OK is in the database.
fn assert_kept(story: &Story, answered: &str) {
    let database = story.file("userman.db");
    let conn = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut is_there = conn.prepare("SELECT 1 FROM member_auth WHERE memberid = ?1").unwrap();
    for member in fs::read_to_string(story.file(answered)).unwrap().lines() {
        assert!(is_there.exists([member.parse::<i64>().unwrap()]).unwrap(), "lost: {member}");
    }
}

fn credentials() {
    let example = fs::read_to_string(file("examples/nats-userman-credentials.conf")).unwrap();
    let token = "a-token-of-a-credential-0123456789-abcdef";
    let story = run(
        drop_in(machine(), &example)
            .with_text("/etc/nats-userman/postback-token", &format!("{token}\n")),
        &format!(
            r#"
systemctl start $unit
get /health
inside post 127.0.0.1:8080 {token} 'action=ADD&siteid=1&memberid=71&username=bob&password=secret'
test -L /var/lib/nats-userman
# A dynamic user.
test "$(stat -c %u /proc/$(show MainPID))" -ge 61184
log > /story/log
"#
        ),
    );
    let log = fs::read_to_string(story.file("log")).unwrap();
    assert!(!log.contains(token) && !log.contains("WARN"), "{log}");
    assert_eq!(story.output, "200 ok\n200 OK|member 71 \"bob\" added to site 1\n", "{log}");
}
