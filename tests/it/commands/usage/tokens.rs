//! Tokens of a file that a setting names, and the `token` commands.

use std::fs;
use std::process::Stdio;

use super::super::{end, run_on};
use super::OTHER;
use crate::support::{Program, TOKEN, post_to, program, temp_dir};

#[test]
fn tokens_may_come_from_a_file_that_a_setting_names() {
    let dir = temp_dir();
    let (data, file) = (dir.path().join("data"), dir.path().join("secret"));
    fs::write(&file, format!("{TOKEN}\n{OTHER}\n")).unwrap();
    let mut command = program();
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(&data)
        .env("USERMAN_POSTBACK_TOKEN_FILE", &file);
    command.stdout(Stdio::null());
    let program = Program::spawn(command).unwrap();
    for (token, status) in
        [(TOKEN, 200), (OTHER, 200), ("wrong-token-0123456789-abcdef-0123456789", 403)]
    {
        assert_eq!(
            post_to(program.address, token, b"action=CHECK&siteid=1&username=bob").unwrap().status,
            status
        );
    }
    assert!(!data.join("postback-token").exists(), "given ones replace the file's");
    let missing = dir.path().join("missing");
    let ran = run_on(&data, &["serve", "--postback-token-file", missing.to_str().unwrap()]);
    ran.ended(
        2,
        &format!(
            "nats-userman: --postback-token-file: cannot use the token file {}: \
             No such file or directory (os error 2)\n",
            missing.display()
        ),
    );
}

const LOCAL: &str = "http://127.0.0.1:8080/postback/ is the address where the service listens: if \
    NATS cannot reach it, set --public-url (USERMAN_PUBLIC_URL)\n";

#[test]
fn token_shows_no_secret_off_a_terminal_and_keeps_the_last_one() {
    let dir = temp_dir();
    let file = dir.path().join("postback-token");
    run_on(dir.path(), &["token", "show"]).ended(
        1,
        &format!(
            "nats-userman: there is no token yet at {}: `nats-userman serve` creates it\n",
            file.display()
        ),
    );
    fs::write(&file, format!("{TOKEN}\n{OTHER}\n")).unwrap();
    let show = format!(
        "1  http://127.0.0.1:8080/postback/test...\n2  \
         http://127.0.0.1:8080/postback/othe...\nthe full tokens are in {}\n{LOCAL}",
        file.display()
    );
    assert_eq!(run_on(dir.path(), &["token", "show"]).printed(), show);
    run_on(dir.path(), &["token", "retire", "3"])
        .ended(2, "nats-userman: token retire: expected a number from 1 to 2, found 3\n");
    assert_eq!(
        run_on(dir.path(), &["token", "retire", "1"]).printed(),
        "token 1 is retired; 1 left\n"
    );
    run_on(dir.path(), &["token", "retire", "1"]).ended(
        1,
        "nats-userman: this is the only token: create another with `nats-userman token add` \
         first\n",
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{OTHER}\n"));
    let mut with_setting = program();
    with_setting
        .args(["token", "show", "--data-dir"])
        .arg(dir.path())
        .env("USERMAN_POSTBACK_TOKEN", TOKEN);
    end(with_setting).ended(
        1,
        "nats-userman: the tokens come from the settings (--postback-token or \
         --postback-token-file): change them there; a changed file takes effect at a reload, \
         anything else at a restart\n",
    );
}

/// Regression: the start said nothing, and NATS got 403 from then on.
#[test]
fn a_start_without_the_token_or_the_cookie_key_of_before_warns_and_says_what_to_do() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let (token, key) = (data.join("postback-token"), data.join("cookie.key"));
    let serve = || {
        let mut command = program();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&data);
        command.stdout(Stdio::null());
        Program::spawn(command).unwrap()
    };
    let mut first = serve();
    assert!(first.terminate().success());
    assert!(!first.stderr().contains("was missing"), "{}", first.stderr());
    fs::remove_file(&token).unwrap();
    fs::remove_file(&key).unwrap();
    let at = token.display();
    run_on(&data, &["token", "show"]).ended(
        1,
        &format!(
            "nats-userman: there is no token at {at}, and the service has run here: put the file \
             back from a backup; a restart creates a new token, whose URL NATS needs then\n"
        ),
    );
    let examined = run_on(&data, &["doctor"]).out;
    assert!(examined.contains(&format!("serious  token: {at} is missing\n")), "{examined}");
    let mut again = serve();
    assert!(again.terminate().success());
    let log = again.stderr();
    for said in [
        format!(
            "{at} was missing, and a new token was created: NATS gets 403 until it has the new \
             URL, which `nats-userman token show` prints; if the old file is in a backup, put it \
             back and restart\n"
        ),
        format!(
            "{} was missing, and a new key was created: whoever was logged in must log in again\n",
            key.display()
        ),
    ] {
        assert!(log.contains(&said), "{log}");
    }
}
