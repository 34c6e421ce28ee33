//! The Debian package: its content, and its installation, upgrade and removal.

pub mod artifact;
mod build;
mod contents;
mod distributions;

use std::fs;

use rusqlite::{Connection, OpenFlags};

use super::boot::{Machine, Story};
use super::runner;
use build::Package;

const NEEDS_TO_BUILD: &[&str] = &["cargo", "cc", "dh", "dpkg-buildpackage"];
const NEEDS_TO_BOOT: &[&str] =
    &["cargo", "cc", "dh", "dpkg-buildpackage", "mmdebstrap", "systemd-nspawn"];

pub const STORIES: &[runner::Story] = &[
    runner::Story {
        name: "package: the program is small, runs on glibc 2.34 and names no path of its build",
        needs: &["cargo", "cc", "objdump"],
        run: artifact::program,
    },
    runner::Story {
        name: "package: it has the files of an operator, with owners and modes",
        needs: NEEDS_TO_BUILD,
        run: contents::files,
    },
    runner::Story {
        name: "package: the links of its pages lead to its files",
        needs: NEEDS_TO_BUILD,
        run: contents::links,
    },
    runner::Story {
        name: "package: lintian finds nothing",
        needs: &["cargo", "cc", "dh", "dpkg-buildpackage", "lintian"],
        run: contents::lintian,
    },
    runner::Story {
        name: "package: an installed one serves at once",
        needs: NEEDS_TO_BOOT,
        run: install,
    },
    runner::Story {
        name: "package: a restart and an upgrade refuse no postback and lose none",
        needs: NEEDS_TO_BOOT,
        run: upgrade,
    },
    runner::Story {
        name: "package: an edited configuration file stays, and an upgrade asks nobody",
        needs: NEEDS_TO_BOOT,
        run: conffile,
    },
    runner::Story {
        name: "package: a disabled service stays disabled over an upgrade",
        needs: NEEDS_TO_BOOT,
        run: disabled,
    },
    runner::Story {
        name: "package: remove and purge keep the data, and a new install goes on with it",
        needs: NEEDS_TO_BOOT,
        run: remove,
    },
    runner::Story {
        name: "package: it serves under the whole hardening of Debian 13",
        needs: NEEDS_TO_BOOT,
        run: distributions::debian_13,
    },
    runner::Story {
        name: "package: it serves under the whole hardening of Ubuntu 22.04",
        needs: NEEDS_TO_BOOT,
        run: distributions::ubuntu_22_04,
    },
    runner::Story {
        name: "package: it serves under the whole hardening of Ubuntu 24.04",
        needs: NEEDS_TO_BOOT,
        run: distributions::ubuntu_24_04,
    },
];

/// A machine with three packages: `first`, `second` with a higher version, and `third`, whose
/// configuration file has one more line.
fn machine() -> Machine {
    let package = Package::built();
    Machine::new()
        .with("/packages/first.deb", package.file())
        .with("/packages/second.deb", &package.newer("second", |_| ()))
        .with(
            "/packages/third.deb",
            &package.newer("third", |root| {
                let file = root.join("etc/nats-userman/nats-userman.toml");
                let text = fs::read_to_string(&file).unwrap();
                fs::write(&file, format!("{text}\n# A line of a later release.\n")).unwrap();
            }),
        )
}

/// The beginning of each script.
const PRELUDE: &str = r#"
unit=nats-userman.service
socket=nats-userman.socket
file=/etc/nats-userman/nats-userman.toml
database=/var/lib/nats-userman/userman.db
apt() { DEBIAN_FRONTEND=noninteractive apt-get -y "$@" </dev/null >>/story/apt 2>&1; }
get() { inside get 127.0.0.1:8080 "$1"; }
post() { inside post 127.0.0.1:8080 "$(cat /var/lib/nats-userman/postback-token)" "$1"; }
members() { inside count $database 'SELECT count(*) FROM member_auth'; }
until_so() { until eval "$1"; do sleep 0.05; done; }
state() { echo $(systemctl is-enabled $socket $unit) $(systemctl is-active $socket $unit); }
"#;

fn run(script: &str) -> Story {
    machine().run(&format!("{PRELUDE}{script}"))
}

fn install() {
    let story = run(r#"
apt install /packages/first.deb
state
get /health
stat -c '%a %U:%G %n' $file /var/lib/nats-userman $database
post 'action=ADD&siteid=1&memberid=71&username=bob&password=secret'
# Root's commands read the settings of the service, and leave its files to it.
nats-userman member list | tail -1
nats-userman token add >/dev/null
find /var/lib/nats-userman ! -user nats-userman
dpkg --verify nats-userman
"#);
    assert_eq!(
        story.output,
        "enabled enabled active active\n\
         200 ok\n\
         640 root:nats-userman /etc/nats-userman/nats-userman.toml\n\
         750 nats-userman:nats-userman /var/lib/nats-userman\n\
         640 nats-userman:nats-userman /var/lib/nats-userman/userman.db\n\
         200 OK|member 71 \"bob\" added to site 1\n\
         1\t71\tbob\t0\t-\n",
        "{}",
        said_by_apt(&story)
    );
}

fn upgrade() {
    let story = run(r#"
apt install /packages/first.deb
token=$(cat /var/lib/nats-userman/postback-token)
inside poster 127.0.0.1:8080 $token /story/stop /story/answered &
more() { before=$(members); until_so '[ $(members) -gt $((before + 100)) ]'; }
process() { systemctl show -P MainPID $unit; }
more
first=$(process)
systemctl restart $unit
more
restarted=$(process)
apt install /packages/second.deb
more
upgraded=$(process)
touch /story/stop
wait
[ $first != $restarted ] && [ $restarted != $upgraded ] && echo 'two new processes'
dpkg-query -W -f '${Status}\n' nats-userman
dpkg-query -W -f '${Version}\n' nats-userman | grep -c second
systemctl stop $socket $unit
cp $database* /story
"#);
    assert_eq!(
        story.output,
        "poster: 0 of many not answered OK []\n\
         two new processes\n\
         install ok installed\n\
         1\n",
        "{}",
        said_by_apt(&story)
    );
    let database = story.file("userman.db");
    let conn = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut is_there = conn.prepare("SELECT 1 FROM member_auth WHERE memberid = ?1").unwrap();
    let answered = fs::read_to_string(story.file("answered")).unwrap();
    assert!(answered.lines().count() > 300, "{}", answered.lines().count());
    for member in answered.lines() {
        assert!(is_there.exists([member.parse::<i64>().unwrap()]).unwrap(), "lost: {member}");
    }
}

fn conffile() {
    let story = run(r#"
apt install /packages/first.deb
# Nobody has edited the file: the newer one takes its place, with owner and mode.
apt install /packages/third.deb
tail -1 $file
stat -c '%a %U:%G' $file

apt install --allow-downgrades /packages/first.deb
sed -i 's/^#time_zone = .*/time_zone = "Europe\/Berlin"/' $file
edited=$(sha256sum $file)
process=$(systemctl show -P MainPID $unit)
# Without a terminal and without an answer: dpkg fails, and the service runs on.
apt install /packages/third.deb || echo 'apt failed'
get /health
[ $process = $(systemctl show -P MainPID $unit) ] && echo 'the old process'
apt -o Dpkg::Options::=--force-confold install /packages/third.deb
[ "$edited" = "$(sha256sum $file)" ] && echo 'the edited file'
tail -1 $file.dpkg-dist
nats-userman check-config | grep -c Europe/Berlin
get /health
dpkg-query -W -f '${Status}\n' nats-userman
"#);
    assert_eq!(
        story.output,
        "# A line of a later release.\n\
         640 root:nats-userman\n\
         apt failed\n\
         200 ok\n\
         the old process\n\
         the edited file\n\
         # A line of a later release.\n\
         1\n\
         200 ok\n\
         install ok installed\n",
        "{}",
        said_by_apt(&story)
    );
}

fn disabled() {
    let story = run(r#"
apt install /packages/first.deb
systemctl disable --now --quiet $socket $unit
apt install /packages/second.deb
state || true
get /health
# Enabled again, it is restarted by upgrades again.
systemctl enable --now --quiet $socket $unit
apt install /packages/third.deb
state
get /health
"#);
    assert_eq!(
        story.output,
        "disabled disabled inactive inactive\n\
         no answer: Connection refused (os error 111)\n\
         enabled enabled active active\n\
         200 ok\n",
        "{}",
        said_by_apt(&story)
    );
}

fn remove() {
    let story = run(r#"
apt install /packages/first.deb
post 'action=ADD&siteid=1&memberid=71&username=bob&password=secret'
apt remove nats-userman
get /health
[ ! -e /usr/bin/nats-userman ] && [ -e $file ] && echo 'only the settings are left'
members
apt purge nats-userman
[ ! -e /etc/nats-userman ] && echo 'no settings are left'
members
stat -c '%U' $database
grep -o 'nats-userman: /var/lib.*' /story/apt | tr -d '\r'
apt install /packages/second.deb
nats-userman member list | tail -1
get /health
"#);
    assert_eq!(
        story.output,
        "200 OK|member 71 \"bob\" added to site 1\n\
         no answer: Connection refused (os error 111)\n\
         only the settings are left\n\
         1\n\
         no settings are left\n\
         1\n\
         nats-userman\n\
         nats-userman: /var/lib/nats-userman stays: it has the members and keys.\n\
         1\t71\tbob\t0\t-\n\
         200 ok\n",
        "{}",
        said_by_apt(&story)
    );
}

fn said_by_apt(story: &Story) -> String {
    fs::read_to_string(story.file("apt")).unwrap_or_default()
}
