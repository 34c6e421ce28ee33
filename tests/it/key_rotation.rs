//! `nats-userman key`: the keys of passwords and logins are rotated while the service runs. The new
//! one writes, the old one still reads.

mod interrupted;
mod reloads;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::area::{Visit, admitted, cookie, log_in};
use crate::support::App;
use crate::support::rotation::{
    add, cookie_id, done, file, logs_in, recorded, refused, seal_id, sealed_under,
};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn the_seal_key_is_rotated_while_postbacks_and_logins_come() {
    let mut app = crate::area::app(&[]);
    app.post(&add(71, "bob"));
    let [current, next, former] =
        ["seal.key", "seal.key.next", "seal.key.former"].map(|name| file(&app, name));
    let old = seal_id(&current);
    assert_eq!(
        refused(&app, &["rotate", "seal"]),
        "nats-userman: DIR/seal.key.next is not there: `nats-userman key prepare` makes it"
    );
    let prepared = done(&app, &["prepare", "seal"]);
    let new = seal_id(&next);
    assert_eq!(
        prepared,
        format!(
            "DIR/seal.key.next is the next key, {new}\n\
             reload the running service (SIGHUP); then run `nats-userman key rotate seal`\n"
        )
    );
    app.reload_keys();
    app.post(&add(72, "ann"));
    assert_eq!(sealed_under(&app, &current), [72, 71], "the next one only reads");
    assert_eq!(
        done(&app, &["rotate", "seal"]),
        format!(
            "seal.key is rotated: {new} writes, {old} reads\nreload the running service (SIGHUP); \
             when its passwords are hashed, `nats-userman key forget seal` removes the former key\n"
        )
    );
    assert_eq!(
        [&current, &former].map(|path| (seal_id(path), mode(path))),
        [(new.clone(), 0o600), (old.clone(), 0o600)]
    );
    assert!(!next.exists());
    // The service has not heard of it yet.
    app.post(&add(73, "cleo"));
    assert_eq!(sealed_under(&app, &former), [73, 72, 71]);
    assert_eq!(
        refused(&app, &["forget", "seal"]),
        format!(
            "nats-userman: the running service writes with {old} and not with seal.key: reload it \
             (SIGHUP)"
        )
    );
    app.reload_keys();
    app.post(&add(74, "dan"));
    app.post("action=CHANGE&siteid=1&memberid=71&new_password=other");
    app.post("action=CHANGE&siteid=1&memberid=72&new_password=secret");
    assert_eq!(sealed_under(&app, &current), [71, 74]);
    assert_eq!(sealed_under(&app, &former), [72, 73, 72, 71], "an equal password keeps its seal");
    let all = [("bob", "other"), ("ann", "secret"), ("cleo", "secret"), ("dan", "secret")];
    assert!(all.iter().all(|(name, password)| logs_in(&app, name, password)));
    assert!(!logs_in(&app, "bob", "secret"));
    assert_eq!(
        refused(&app, &["forget", "seal"]),
        "nats-userman: DIR/seal.key.former still opens 4 passwords not hashed yet: run the command \
         again when none is left"
    );
    app.harden();
    assert_eq!(app.rows("SELECT count(*) FROM journal WHERE sealed IS NOT NULL"), ["0"]);
    assert!(all.iter().all(|(name, password)| logs_in(&app, name, password)));
    assert_eq!(
        done(&app, &["forget", "seal"]),
        "DIR/seal.key.former is removed\nreload the running service (SIGHUP)\n"
    );
    assert_eq!(
        refused(&app, &["forget", "seal"]),
        "nats-userman: DIR/seal.key.former is not there: there is nothing to forget"
    );
    app.reload_keys();
    app.post(&add(75, "eve"));
    app = app.restart(&["--trusted-proxy", "127.0.0.1"]);
    assert!(all.iter().all(|(name, password)| logs_in(&app, name, password)));
    assert!(logs_in(&app, "eve", "secret"));
    assert_eq!(app.rows("SELECT hex(id) FROM seal_key")[0][..8].to_lowercase(), new);
}

#[test]
fn the_cookie_key_is_rotated_and_logins_of_before_go_on_until_it_is_forgotten() {
    let app = crate::area::app(&[]);
    app.post(&add(71, "bob"));
    app.post(&add(72, "ann"));
    let log_in = |name: &str| cookie(&log_in(&app, name, "secret"));
    let holds = |held: &str| admitted(&app, Visit::holding(held)).0 == 200;
    let before = log_in("bob");
    done(&app, &["prepare", "cookie"]);
    app.reload_keys();
    let [current, former] = ["cookie.key", "cookie.key.former"].map(|name| file(&app, name));
    let (old, new) = (cookie_id(&current), cookie_id(&file(&app, "cookie.key.next")));
    assert_eq!(
        done(&app, &["rotate", "cookie"]),
        format!(
            "cookie.key is rotated: {new} writes, {old} reads\nreload the running service \
             (SIGHUP); in 168 hours no login is left that the former key has signed: `nats-userman \
             key forget cookie` then removes it\n"
        )
    );
    app.reload_keys();
    let after = log_in("ann");
    assert!(holds(&before) && holds(&after));
    assert_eq!([&current, &former].map(|path| cookie_id(path)), [new.clone(), old.clone()]);
    let seal = seal_id(&file(&app, "seal.key"));
    assert_eq!(
        done(&app, &["list"]),
        format!(
            "seal.key           {seal}  writes and reads\n\
             cookie.key         {new}  writes and reads\n\
             cookie.key.former  {old}  reads\n"
        )
    );
    assert_eq!(
        done(&app, &["forget", "cookie"]),
        "DIR/cookie.key.former is removed\nlogins that it has signed end: their members log in \
         again, and networks from which they logged in before the rotation are unknown until \
         then\nreload the running service (SIGHUP)\n"
    );
    assert!(holds(&before), "not before the reload");
    app.reload_keys();
    assert!(!holds(&before) && holds(&after));
}

/// A network from which a member has logged in is not blocked for them.
#[test]
fn networks_of_members_stay_known_over_a_rotation() {
    let app = crate::area::app(&["--login-limit-name", "3", "--login-limit-pair", "0"]);
    app.post(&add(71, "bob"));
    // In the first minutes no name is blocked.
    app.set_unix(crate::support::NOON + 900);
    let from = |password, address| admitted(&app, Visit::with("bob", password).from(address)).0;
    assert_eq!(from("secret", "203.0.113.9"), 200);
    let known = || app.rows("SELECT count(*) FROM known_network");
    let eventually_known = |count: &str| {
        crate::support::eventually("the network is stored", || known() == [count]);
    };
    eventually_known("1");
    // Under another stored form no password is remembered.
    app.harden();
    done(&app, &["prepare", "cookie"]);
    done(&app, &["rotate", "cookie"]);
    app.reload_keys();
    for guess in ["a", "b", "c"] {
        assert_eq!(from(guess, "198.51.100.7"), 401);
    }
    assert_eq!(from("secret", "198.51.100.7"), 403, "the name is blocked");
    assert_eq!(from("secret", "203.0.113.9"), 200, "but not from home");
    eventually_known("2");
}

#[test]
fn a_backup_with_keys_has_those_of_a_rotation_and_brings_them_back() {
    let app = crate::area::app(&[]);
    app.post(&add(71, "bob"));
    done(&app, &["prepare", "seal"]);
    done(&app, &["rotate", "seal"]);
    done(&app, &["prepare", "cookie"]);
    let backups = app.dir.path().join("backups");
    fs::create_dir(&backups).unwrap();
    let backup = |more: &[&str]| {
        let args = [&["backup", backups.to_str().unwrap()], more].concat();
        crate::commands::run_on(app.config.data_dir.path(), &args).printed()
    };
    let data = app.config.data_dir.path().to_str().unwrap().to_owned();
    let without = backup(&[]);
    assert!(
        without.contains(
            &"can be opened only with DIR/seal.key and DIR/seal.key.former; keep it apart"
                .replace("DIR", &data)
        ),
        "{without}"
    );
    backup(&["--with-keys"]);
    let names = || fs::read_dir(&backups).unwrap().map(|entry| entry.unwrap().path());
    let keys = names().find(|path| path.extension().is_some_and(|end| end == "keys")).unwrap();
    let text = fs::read_to_string(&keys).unwrap();
    let named: Vec<_> = text.lines().skip(1).map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(named, ["seal.key.former", "seal.key", "cookie.key.next", "cookie.key"]);

    let there = crate::support::temp_dir();
    let elsewhere = there.path().join("data");
    let file = keys.with_extension("db");
    crate::commands::run_on(&elsewhere, &["restore", file.to_str().unwrap()]).printed();
    for name in named {
        let [before, after] = [app.config.data_dir.path(), &elsewhere].map(|dir| dir.join(name));
        assert_eq!(fs::read(&after).unwrap(), fs::read(before).unwrap(), "{name}");
        assert_eq!(mode(&after), 0o600, "{name}");
    }
    let restored = App::start_in(there, &["--trusted-proxy", "127.0.0.1"]);
    assert!(logs_in(&restored, "bob", "secret"));
}
