//! The examples with the programs that they are for: curl and MariaDB.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::pages::{example, postback_url, printed};
use crate::support::{App, real_program, server_program};

/// The replies in a script's header, below "Replies:".
fn promised(script: &str) -> Vec<String> {
    let text = fs::read_to_string(example(script)).unwrap();
    let header = text.lines().skip_while(|line| *line != "# Replies:").skip(1);
    header.map_while(|line| line.strip_prefix("#   ")).map(str::to_owned).collect()
}

#[test]
fn each_script_gets_a_reply_that_its_header_promises() {
    if real_program("curl").is_none() {
        return;
    }
    let app = App::start();
    // Two members in a story. The number is the index of the expected reply in the header.
    let story = [
        ("check.sh", 0),
        ("add.sh", 0),
        ("check.sh", 1),
        ("manualadd.sh", 0),
        ("trialtofull.sh", 0),
        ("trialtofull.sh", 1),
        ("change.sh", 0),
        ("expire.sh", 0),
        ("delete.sh", 0),
        ("delete.sh", 1),
        ("activate.sh", 0),
    ];
    let mut given: Vec<(&str, usize)> = Vec::new();
    for (script, reply) in story {
        let output = Command::new(example(script)).arg(postback_url(&app)).output().unwrap();
        assert_eq!(printed(&output), format!("{}\n", promised(script)[reply]), "{script}");
        given.push((script, reply));
    }
    assert!(app.opens(1, 71, "correct horse battery staple") && app.opens(1, 72, "testtest"));

    let mut scripts: Vec<String> =
        fs::read_dir(example("")).unwrap().map(|entry| name(&entry.unwrap().path())).collect();
    scripts.retain(|name| name.ends_with(".sh"));
    assert_eq!(scripts.len(), 8, "a script for each action: {scripts:?}");
    for script in scripts {
        let tried = given.iter().filter(|(name, _)| *name == script).count();
        assert_eq!(tried, promised(&script).len(), "{script}: promised and tried");
    }
}

#[test]
fn a_script_takes_the_url_from_the_environment_and_says_when_there_is_none() {
    if real_program("curl").is_none() {
        return;
    }
    let app = App::start();
    let check = || Command::new(example("check.sh"));
    let output = check().env("NATS_POSTBACK_URL", postback_url(&app)).output().unwrap();
    assert_eq!(printed(&output), "NOTOK|username \"bob\" is free on site 1\n");
    let output = check().env_remove("NATS_POSTBACK_URL").output().unwrap();
    assert!(!output.status.success());
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("give the URL, or set NATS_POSTBACK_URL")
    );
}

pub fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn the_file_for_a_node_of_galera_has_only_settings_that_mariadb_knows() {
    let Some(mariadbd) = server_program() else { return };
    let file = format!("--defaults-file={}", example("galera.cnf").display());
    let read = Command::new(mariadbd).args([&file, "--verbose", "--help"]).output().unwrap();
    let values = printed(&read);
    for (name, value) in [
        ("innodb-flush-log-at-trx-commit", "1"),
        ("innodb-autoinc-lock-mode", "2"),
        ("binlog-format", "ROW"),
        ("wsrep-on", "TRUE"),
        ("wsrep-node-name", "db1"),
        ("wsrep-provider-options", "gcache.size=1G"),
    ] {
        let line = values.lines().find(|line| line.split(' ').next() == Some(name)).unwrap();
        assert_eq!(line.split_whitespace().nth(1), Some(value), "{line}");
    }
}
