//! The package on the other distributions that it is for. Their C library, systemd, dpkg and apt
//! are older or newer than those of Debian 12, on which it is built.

use std::fs;
use std::path::Path;

use super::super::boot::Machine;
use super::super::tree::{self, Release};
use super::build::Package;
use super::{PRELUDE, said_by_apt};

/// What mmdebstrap says of a mirror that it does not reach.
const UNREACHABLE: [&str; 3] =
    ["Could not resolve", "Temporary failure resolving", "Could not connect"];

pub fn debian_13() {
    serves(&Release { suite: "trixie", source: None, merges_usr: false }, "13");
}

pub fn ubuntu_22_04() {
    serves_on_ubuntu("jammy", true, "22.04");
}

pub fn ubuntu_24_04() {
    serves_on_ubuntu("noble", false, "24.04");
}

fn serves_on_ubuntu(suite: &str, merges_usr: bool, version: &str) {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/system/keys");
    let source = format!(
        "deb [signed-by={}/ubuntu-archive-2018.asc] http://archive.ubuntu.com/ubuntu {suite} main",
        keys.display()
    );
    serves(&Release { suite, source: Some(&source), merges_usr }, version);
}

/// A mirror that is out of reach says nothing about the package, so the story then passes, and says
/// loudly that it proves nothing.
fn serves(release: &Release<'_>, version: &str) {
    let tree = match tree::make(release) {
        Ok(tree) => tree,
        Err(said) if UNREACHABLE.iter().any(|words| said.contains(words)) => {
            println!("\n*** no mirror of {release:?}: this proves nothing here ***\n{said}");
            return;
        }
        Err(said) => panic!("mmdebstrap {release:?}: {said}"),
    };
    let package = Package::built();
    let machine = Machine::of(tree.path().join("root"))
        .with("/packages/first.deb", package.file())
        .with("/packages/second.deb", &package.newer("second", |_| ()));
    let story = machine.run(&format!("{PRELUDE}{SCRIPT}"));
    let read = |name: &str| fs::read_to_string(story.file(name)).unwrap();
    assert_eq!(
        story.output,
        format!(
            "{version}\n\
             enabled enabled active active\n\
             200 ok\n\
             200 OK|member 71 \"bob\" added to site 1\n\
             systemd knows every line\n\
             200 ok\n\
             two processes\n\
             71\tbob\n\
             0 serious\n\
             no settings are left\n\
             750 nats-userman\n"
        ),
        "{}{}",
        read("log"),
        said_by_apt(&story)
    );
    assert!(!read("log").contains("WARN"), "{}", read("log"));
}

const SCRIPT: &str = r#"
process() { systemctl show -P MainPID $unit; }
(. /etc/os-release; echo $VERSION_ID)
apt install /packages/first.deb
state
get /health
post 'action=ADD&siteid=1&memberid=71&username=bob&password=secret'
sealed() { inside count $database 'SELECT count(*) FROM journal WHERE sealed IS NOT NULL'; }
until_so '[ "$(sealed)" = 0 ]'
systemd-analyze verify --man=no $unit $socket 2>&1 | grep nats-userman ||
    echo 'systemd knows every line'
first=$(process)
apt install /packages/second.deb
get /health
[ $first != $(process) ] && echo 'two processes'
nats-userman member list | tail -1 | cut -f 2-3
nats-userman doctor >/story/doctor || cat /story/doctor
tail -1 /story/doctor | grep -o '^0 serious'
journalctl -u $unit -o cat --no-pager >/story/log
apt purge nats-userman
[ ! -e /etc/nats-userman ] && echo 'no settings are left'
stat -c '%a %U' /var/lib/nats-userman
"#;
