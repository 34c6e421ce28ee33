//! Debian's real fail2ban with the filter and the jail of `examples/fail2ban`, on log lines of the
//! real program.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::{Program, Request, real_program, send_raw, temp_dir};

/// Lets fail2ban's own code make the line of a journal entry. The module that reads the journal is
/// left out, because there is no journal here.
const JOURNAL: &str = "
import datetime, sys, types
journal = types.ModuleType('systemd.journal')
journal.__version__ = '235'
sys.modules['systemd'] = types.ModuleType('systemd')
sys.modules['systemd'].journal = sys.modules['systemd.journal'] = journal
from fail2ban.server.filtersystemd import FilterSystemd
class Formatter(FilterSystemd):
    jailName = 'test'
    def __init__(self): pass
    def getLogEncoding(self): return 'utf-8'
now = datetime.datetime(2026, 6, 15, 12)
for line in sys.stdin:
    entry = {'_HOSTNAME': 'www1', 'SYSLOG_IDENTIFIER': sys.argv[1], '_PID': 812,
        'MESSAGE': line.rstrip('\\n'),
        '_SOURCE_REALTIME_TIMESTAMP': now}
    (_, date, text), _ = Formatter().formatJournalEntry(entry)
    print(date + text)
";

/// A configuration of fail2ban like Debian's, with the two files of the examples.
struct Fail2ban(TempDir);

impl Fail2ban {
    fn new() -> Option<Self> {
        real_program("fail2ban-regex")?;
        let dir = temp_dir();
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/fail2ban");
        for from in [Path::new("/etc/fail2ban"), &ours] {
            let copied = Command::new("cp")
                .args(["-r", "--"])
                .arg(from.join("."))
                .arg(dir.path())
                .status()
                .unwrap();
            assert!(copied.success());
        }
        Some(Self(dir))
    }

    fn printed(output: &Output) -> String {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Address and time (unix seconds) of each failure that the filter finds in a file with these
    /// lines.
    fn finds(&self, log: &str) -> Vec<(String, f64)> {
        let file = self.0.path().join("a.log");
        fs::write(&file, log).unwrap();
        let mut command = Command::new("fail2ban-regex");
        command
            .args(["--out", "<ip> <time>", "--config"])
            .arg(self.0.path())
            .arg(&file)
            .arg("nats-userman");
        let printed = Self::printed(&command.output().unwrap());
        let pairs = printed.lines().map(|line| line.split_once(' ').unwrap());
        pairs.map(|(address, time)| (address.to_owned(), time.parse().unwrap())).collect()
    }

    /// The addresses alone, sorted, because blocks of the same second have no order.
    fn finds_addresses(&self, log: &str) -> Vec<String> {
        let mut found: Vec<String> =
            self.finds(log).into_iter().map(|(address, _)| address).collect();
        found.sort();
        found
    }

    /// These lines as the systemd backend gives them to the filter. Each begins with a time, which
    /// the test in a file needs.
    fn as_journal(&self, log: &str, identifier: &str) -> String {
        let file = self.0.path().join("journal.in");
        fs::write(&file, log).unwrap();
        let mut command = Command::new("/usr/bin/python3");
        command.args(["-c", JOURNAL, identifier]).stdin(fs::File::open(&file).unwrap());
        Self::printed(&command.output().unwrap())
    }
}

fn guess(program: &Program, name: &str, password: &str, from: &str) {
    let request = Request::get("/auth?site=1").basic(name, password).from(from);
    assert_eq!(send_raw(program.address, request).unwrap().status, 401);
}

/// Names and values that imitate the log line of a block of 192.0.2.66.
const LIES: [&str; 7] = [
    "login blocked: network=192.0.2.66 ",
    "WARN  login blocked: network=192.0.2.66 ",
    "x\" kind=pair login blocked: network=192.0.2.66 name=\"y",
    "\",\"message\":\"login blocked: network=192.0.2.66 \",\"time\":\"2026-06-15T12:00:00Z\"}",
    "{\"level\":\"warn\",\"message\":\"login blocked: network=192.0.2.66 ",
    "www1 nats-userman[812]: WARN  login blocked: network=192.0.2.66 ",
    "2026-06-15T12:00:00Z WARN  login blocked: network=192.0.2.66 ",
];

/// The addresses that the filter must find in [`log`].
const BLOCKED: [&str; 15] = [
    "198.51.100.20",
    "198.51.100.21",
    "198.51.100.22",
    "198.51.100.23",
    "198.51.100.24",
    "198.51.100.25",
    "198.51.100.26",
    "198.51.100.7",
    "2001:db8:1:2::/64",
    "2001:db8:5:1::/64",
    "2001:db8:5:2::/64",
    "2001:db8:5:3::/64",
    "2001:db8:5::/56",
    "2001:db8:5::/64",
    "203.0.113.9",
];

/// The log of a service with password guesses: bob's password from two networks and from four that
/// are part of a wider one, three names from one network, and one imitation from each of some
/// networks. Postbacks contain the imitations as well.
fn log(format: &str) -> String {
    let dir = temp_dir();
    let limits = ["--login-limit-pair", "2", "--login-limit-network", "3"];
    let flags = [&["--trusted-proxy", "127.0.0.1", "--log-format", format][..], &limits].concat();
    let mut program = Program::serve(&dir.path().join("data"), &flags);
    let within = (0..4).map(|number| format!("2001:db8:5:{number}::1"));
    for from in ["203.0.113.9", "2001:db8:1:2::3"].map(String::from).into_iter().chain(within) {
        guess(&program, "bob", "a", &from);
        guess(&program, "bob", "b", &from);
    }
    for name in ["ann", "eve", "joe"] {
        guess(&program, name, "a", "198.51.100.7");
    }
    for (lie, number) in LIES.into_iter().zip(20..) {
        let value = lie.replace(' ', "+").replace('"', "%22").replace('=', "%3D");
        for body in [
            format!(
                "action=ADD&siteid=1&memberid={number}&username={value}&password=secret&\
                 trial={value}"
            ),
            format!("action=CHECK&siteid=1&username={value}"),
            format!("action={value}&siteid=1"),
        ] {
            assert_eq!(program.post(&body).unwrap().status, 200, "{lie}");
        }
        // A name in HTTP Basic cannot contain a colon.
        let (typed, from) = (lie.replace(':', ";"), format!("198.51.100.{number}"));
        guess(&program, &typed, "a", &from);
        guess(&program, &typed, "b", &from);
    }
    assert!(program.terminate().success());
    program.stderr()
}

#[test]
fn fail2ban_finds_each_block_in_a_file_in_the_journal_and_in_syslog_and_nothing_else() {
    let Some(fail2ban) = Fail2ban::new() else { return };
    for format in ["text", "json"] {
        let log = log(format);
        assert!(
            log.matches("192.0.2.66").count() >= 3 * LIES.len(),
            "the lies are in the log:\n{log}"
        );
        assert_eq!(fail2ban.finds_addresses(&log), BLOCKED, "{format}, in a file:\n{log}");
        // Under the unit, and in a container whose log driver writes to the journal.
        for identifier in ["nats-userman", "0123456789ab"] {
            let journal = fail2ban.as_journal(&log, identifier);
            assert_eq!(
                fail2ban.finds_addresses(&journal),
                BLOCKED,
                "{format}, in the journal:\n{journal}"
            );
        }
        let syslog: String = log
            .lines()
            .map(|line| format!("Jun 15 12:00:00 www1 nats-userman[812]: {line}\n"))
            .collect();
        assert_eq!(
            fail2ban.finds_addresses(&syslog),
            BLOCKED,
            "{format}, in a file of syslog:\n{syslog}"
        );
    }
}

/// With another time, fail2ban would ban because of an old block, or would not ban at all.
#[test]
fn fail2ban_takes_the_time_of_a_block_from_its_line() {
    let Some(fail2ban) = Fail2ban::new() else { return };
    for line in [
        "2026-06-15T12:00:00Z WARN  login blocked: network=203.0.113.9 name=\"bob\" kind=pair \
         until=2026-06-15T12:15:00Z",
        "{\"level\":\"warn\",\"message\":\"login blocked: network=203.0.113.9 kind=network \
         until=2026-06-15T12:15:00Z\",\"time\":\"2026-06-15T12:00:00Z\"}",
    ] {
        assert_eq!(
            fail2ban.finds(&format!("{line}\n")),
            [("203.0.113.9".to_owned(), 1_781_524_800.0)],
            "{line}"
        );
    }
}

#[test]
fn fail2ban_finds_the_network_of_a_block_however_wide_it_is() {
    let Some(fail2ban) = Fail2ban::new() else { return };
    for network in ["203.0.113.0/24", "2001:db8::/64", "2001:db8:1:200::/56", "2001:db8:1::/48"] {
        for block in [
            format!("network={network} name=\"bob\" kind=pair"),
            format!("network={network} kind=network"),
        ] {
            let line = format!(
                "2026-06-15T12:00:00Z WARN  login blocked: {block} until=2026-06-15T12:15:00Z\n"
            );
            assert_eq!(fail2ban.finds_addresses(&line), [network], "{line}");
        }
    }
}

#[test]
fn fail2ban_takes_the_jail_which_bans_at_the_first_line_and_never_this_machine() {
    let Some(fail2ban) = Fail2ban::new() else { return };
    let mut command = Command::new("fail2ban-client");
    let dump =
        Fail2ban::printed(&command.arg("-c").arg(fail2ban.0.path()).arg("--dp").output().unwrap());
    for line in [
        "['add', 'nats-userman', 'systemd']",
        "['set', 'nats-userman', 'addjournalmatch', '_SYSTEMD_UNIT=nats-userman.service']",
        "['set', 'nats-userman', 'maxretry', 1]",
        "['set', 'nats-userman', 'bantime', '1h']",
        "['set', 'nats-userman', 'addignoreip', '127.0.0.0/8', '::1']",
        "['start', 'nats-userman']",
    ] {
        assert!(dump.contains(line), "{line} is not in\n{dump}");
    }
}
