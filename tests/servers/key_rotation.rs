//! Two receivers of one database, which share their keys and are rotated one after the other.

use std::fs;

use crate::support::rotation::{add, cookie_id, done, file, key, logs_in, recorded, seal_id};
use crate::support::visit::{Visit, admitted, cookie, log_in};
use crate::support::{App, EngineKind, temp_dir};

const FLAGS: [&str; 2] = ["--trusted-proxy", "127.0.0.1"];

/// Copies keys from one receiver to the other, as an operator does.
fn copy(from: &App, to: &App, names: &[&str]) {
    for name in names {
        fs::copy(file(from, name), file(to, name)).unwrap();
    }
}

/// A second receiver of the database of `first`, with its keys.
fn second_of(first: &App) -> App {
    let dir = temp_dir();
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    for name in ["seal.key", "cookie.key"] {
        fs::copy(file(first, name), data.join(name)).unwrap();
    }
    first.another(dir, &FLAGS)
}

#[test]
fn two_receivers_are_rotated_one_after_the_other_and_each_reads_what_the_other_writes() {
    let Some(one) = App::start_on_engine(EngineKind::MariaDb, &FLAGS) else { return };
    let two = second_of(&one);
    let mut members = 71..;
    // A member who has just joined at one receiver logs in at both, and so does their browser.
    let mut holds = |when: &str| {
        for app in [&one, &two] {
            let member = members.next().unwrap();
            let name = format!("m{member}");
            app.post(&add(member, &name));
            let held = cookie(&log_in(app, &name, "secret"));
            for other in [&one, &two] {
                assert!(logs_in(other, &name, "secret"), "{when}: {name}");
                assert_eq!(admitted(other, Visit::holding(&held)).0, 200, "{when}: {name}");
            }
        }
    };
    holds("before");
    let said = done(&one, &["prepare", "seal"]);
    assert!(said.contains("copy this file to the data directory of each other receiver"), "{said}");
    done(&one, &["prepare", "cookie"]);
    copy(&one, &two, &["seal.key.next", "cookie.key.next"]);
    one.reload_keys();
    holds("one knows the next keys");
    two.reload_keys();
    holds("both do");
    let (seal, cookies) =
        (seal_id(&file(&one, "seal.key.next")), cookie_id(&file(&one, "cookie.key.next")));
    for which in ["seal", "cookie"] {
        done(&one, &["rotate", which]);
    }
    assert_eq!([recorded(&one, "seal_key"), recorded(&one, "cookie_key")], [seal.clone(), cookies]);
    holds("the files of one are rotated");
    one.reload_keys();
    holds("one is rotated");
    assert_eq!(recorded(&one, "seal_key"), seal);
    for which in ["seal", "cookie"] {
        done(&two, &["rotate", which]);
    }
    two.reload_keys();
    holds("both are rotated");
    // One of them hashes for both.
    for app in [&one, &two] {
        app.harden();
    }
    assert_eq!(one.rows("SELECT count(*) FROM journal WHERE sealed IS NOT NULL"), ["0"]);
    for app in [&one, &two] {
        for which in ["seal", "cookie"] {
            done(app, &["forget", which]);
        }
        app.reload_keys();
    }
    holds("the former keys are forgotten");
    assert_eq!(seal_id(&file(&two, "seal.key")), seal);
}

#[test]
fn a_receiver_that_lacks_the_key_of_now_names_the_files_to_copy() {
    let Some(one) = App::start_on_engine(EngineKind::MariaDb, &FLAGS) else { return };
    let two = second_of(&one);
    let setting = one.database_setting();
    done(&one, &["prepare", "seal"]);
    done(&one, &["rotate", "seal"]);
    let ran = key(&two, &["rotate", "seal"]);
    assert_eq!(ran.code, Some(1), "{}", ran.out);
    let dir = two.stop();
    let data = dir.path().join("data");
    let mut serve = crate::support::program();
    serve.args(["serve", "--listen", "127.0.0.1:0", "--database", &setting, "--data-dir"]);
    let ran = crate::support::ran::end({
        serve.arg(&data);
        serve
    });
    assert_eq!(ran.code, Some(1), "{}", ran.out);
    let line = ran.err.lines().last().unwrap();
    let (path, dir) = (data.join("seal.key"), data.display());
    assert!(
        line.starts_with(&format!(
            "nats-userman: {}: expected the key of the other receivers of ",
            path.display()
        )),
        "{line}"
    );
    assert!(
        line.ends_with(&format!(
            ", found another one: copy seal.key*, cookie.key* and postback-token from the data \
             directory of one of them to {dir}, over what is there"
        )),
        "{line}"
    );
}
