//! Passwords that only the seal key opens, in a backup and after a restore.

use std::fs;

use super::{Home, timeless};
use crate::commands::run_on;
use crate::support::{App, Program, TOKEN, temp_dir};

/// A directory with a password that is not hashed yet.
fn with_a_seal() -> Home {
    let dir = temp_dir();
    let app = App::start_in(dir, &[]);
    let reply = app.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret");
    assert_eq!(reply, "OK|member 71 \"bob\" added to site 1");
    let dir = app.stop();
    fs::create_dir(dir.path().join("backups")).unwrap();
    Home { dir }
}

#[test]
fn a_backup_without_keys_says_how_many_passwords_it_cannot_open() {
    let home = with_a_seal();
    let said = timeless(&home.back_up(&[]).printed(), &home);
    assert!(
        said.contains(
            "without keys: 1 password can be opened only with HOME/data/seal.key; keep it apart, \
             or use --with-keys\n"
        ),
        "{said}"
    );
}

#[test]
fn on_another_machine_a_backup_needs_its_keys_and_finds_them_beside_it() {
    let home = with_a_seal();
    let file = home.backed_up(&["--with-keys"]);
    let there = temp_dir();
    let data = there.path().join("data");
    let restore =
        |more: &[&str]| run_on(&data, &[&["restore", file.to_str().unwrap()], more].concat());
    let keys = file.with_extension("keys");
    let apart = home.path().join("apart.keys");
    fs::rename(&keys, &apart).unwrap();
    let missing = format!(
        "nats-userman: the backup has 1 password sealed under a key that is missing: name the \
         file of its keys by --keys, or put {}/seal.key in its place first\n",
        data.display()
    );
    restore(&[]).ended(1, &missing);
    assert!(!data.join("userman.db").exists() && !data.join("userman.db.new").exists());
    restore(&["--keys", apart.to_str().unwrap()]).printed();
    let seal = |dir: &std::path::Path| fs::read_to_string(dir.join("seal.key")).unwrap();
    assert_eq!(seal(&data), seal(&home.data()));
    assert_eq!(super::mode(&data.join("seal.key")), 0o600);
    assert_eq!(super::mode(&data.join("userman.db")), 0o640);

    let mut service = Program::serve(&data, &[]);
    let login = crate::support::Request::get("/auth?site=1").basic("bob", "secret");
    let reply = crate::support::send_raw(service.address, login).unwrap();
    assert_eq!(reply.status, 200, "{TOKEN}: {}", service.stderr());
    assert!(service.terminate().success());
}

#[test]
fn a_backup_of_passwords_under_another_key_is_refused_and_nothing_changes() {
    let home = with_a_seal();
    let file = home.backed_up(&[]);
    let other = Home::with_members(1..=1);
    let before = super::names(&other.data());
    other.restore(&file, &[]).ended(
        1,
        &format!(
            "nats-userman: the backup has 1 password sealed under another key than {}/seal.key: \
             name the file of its keys by --keys, or put the right key back at {}/seal.key \
             first\n",
            other.data().display(),
            other.data().display()
        ),
    );
    assert_eq!(super::names(&other.data()), before);
    assert_eq!(other.members(), ["1"]);
}

#[test]
fn keys_that_do_not_open_the_passwords_are_not_saved_as_if_they_did() {
    let home = with_a_seal();
    let other = Home::with_members(1..=1);
    fs::copy(other.data().join("seal.key"), home.data().join("seal.key")).unwrap();
    let ran = home.back_up(&["--with-keys"]);
    ran.ended(
        1,
        &format!(
            "nats-userman: the database has 1 password sealed under another key than \
             {}/seal.key: the backup would lack the right one\n",
            home.data().display()
        ),
    );
    assert_eq!(super::names(&home.backups()).len(), 0);
}

#[test]
fn a_file_that_is_not_of_keys_is_refused_with_its_line_and_shows_nothing_of_it() {
    let home = Home::with_members(1..=1);
    let file = home.backed_up(&["--with-keys"]);
    let keys = file.with_extension("keys");
    let good = fs::read_to_string(&keys).unwrap();
    for (text, line) in [
        (String::new(), 1),
        ("secret\n".to_owned(), 1),
        (good.replace("seal.key ", "seal.key"), 2),
        (good.replace("cookie.key", "kookie.key"), 3),
        (good.clone() + "postback-token short\n", good.lines().count() + 1),
    ] {
        fs::write(&keys, text).unwrap();
        let expected = format!(
            "nats-userman: {}, line {line}: expected what `backup --with-keys` writes\n",
            keys.display()
        );
        home.restore(&file, &[]).ended(1, &expected);
    }
}
