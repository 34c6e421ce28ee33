//! The token in the path, and its rotation without a restart.

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use super::{CHECK, FREE};
use crate::support::{App, Program, TOKEN, eventually, post_to, program, temp_dir};

fn status(address: SocketAddr, token: &str) -> u16 {
    post_to(address, token, CHECK.as_bytes()).unwrap().status
}

#[test]
fn two_tokens_are_good_during_a_rotation() {
    let (second, third) =
        ("second-token-0123456789abcdef-01234567", "third_token_0123456789ABCDEF_012345678");
    let app = App::start_with(&["--postback-token", &format!("{second},{third}")]);
    for token in [TOKEN, second, third] {
        assert_eq!(post_to(app.address, token, CHECK.as_bytes()).unwrap().body, FREE);
    }
    assert_eq!(status(app.address, &second.replace('s', "z")), 403);
    assert_eq!(status(app.address, &format!("{second},{third}")), 403);
}

#[test]
fn a_running_service_takes_up_what_token_add_and_token_retire_did() {
    let dir = temp_dir();
    let command = |args: &[&str]| -> Command {
        let mut command = program();
        command.args(args).arg("--data-dir").arg(dir.path());
        command
    };
    let mut serve = command(&["serve", "--listen", "127.0.0.1:0"]);
    serve.stdout(Stdio::null());
    let program = Program::spawn(serve).unwrap();
    let file = dir.path().join("postback-token");
    let tokens = || -> Vec<String> {
        fs::read_to_string(&file).unwrap().lines().map(str::to_owned).collect()
    };
    let old = tokens().remove(0);
    assert_eq!(post_to(program.address, &old, CHECK.as_bytes()).unwrap().body, FREE);

    // Calls with wrong tokens at the same time have no effect.
    assert_eq!(status(program.address, "wrong-token-0123456789-abcdef-0123456789"), 403);
    let added = command(&["token", "add"]).output().unwrap();
    let new = tokens().remove(1);
    assert_eq!(status(program.address, &new), 200, "at its first use");
    let front = format!("http://{}/postback/", program.address);
    assert_eq!(
        String::from_utf8(added.stdout).unwrap(),
        format!(
            "1  {front}{}...\n2  {front}{}...\nthe full tokens are in {}\n\
             {front} is the address where the service listens: if NATS cannot reach it, set \
             --public-url (USERMAN_PUBLIC_URL)\n\
             the running service accepts the last URL now: paste it into NATS; \
             then retire the old one with `nats-userman token retire 1`\n",
            &old[..4],
            &new[..4],
            file.display()
        )
    );
    assert_eq!(status(program.address, &old), 200, "the old one still is");

    let retired = command(&["token", "retire", "1"]).output().unwrap();
    assert_eq!(
        String::from_utf8(retired.stdout).unwrap(),
        "token 1 is retired within a second; 1 left\n"
    );
    eventually("the old token is out of use", || status(program.address, &old) == 403);
    assert_eq!(status(program.address, &new), 200);
    assert_eq!(tokens(), [new.as_str()]);

    // A file that cannot be read changes nothing, and the log says so.
    fs::write(&file, "too short\n").unwrap();
    eventually("the broken file is logged", || {
        program.stderr().contains("the previous tokens stay in effect: ")
    });
    assert_eq!(status(program.address, &new), 200);
    for _ in 0..20 {
        assert_eq!(status(program.address, &old), 403);
    }
    let told = || program.stderr().matches("the previous tokens stay in effect: ").count();
    assert_eq!(told(), 1, "it is read once, not at each call with a wrong token");
    fs::write(&file, format!("{new}\n{old}\n")).unwrap();
    assert_eq!(status(program.address, &old), 200, "the mended file is read at once");
    let said = program.stderr();
    assert!(!said.contains(&new) && !said.contains(&old) && !said.contains("too short"), "{said}");
}

/// Root runs commands without the settings of the unit.
#[test]
fn commands_without_the_settings_of_the_service_know_how_it_runs() {
    let dir = temp_dir();
    let serve = |flags: &[&str]| {
        let mut command = program();
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(dir.path())
            .args(flags);
        command.stdout(Stdio::null());
        Program::spawn(command).unwrap()
    };
    let token = |args: &[&str]| {
        let mut command = program();
        let output =
            command.arg("token").args(args).arg("--data-dir").arg(dir.path()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let file = dir.path().join("postback-token");
    let public = ["--public-url", "https://members.example.com"];
    let program = serve(&public);
    let old = fs::read_to_string(&file).unwrap();
    let line = |number: u32, token: &str| {
        format!("{number}  https://members.example.com/postback/{}...\n", &token[..4])
    };
    let whole = format!("the full tokens are in {}\n", file.display());
    assert_eq!(token(&["show"]), (Some(0), line(1, &old) + &whole, String::new()));
    drop(program);

    let (code, said, _) = token(&["add"]);
    let new = fs::read_to_string(&file).unwrap();
    let then = "the service does not run: start it, and then paste the last URL into NATS; \
                then retire the old one with `nats-userman token retire 1`\n";
    assert_eq!(
        (code, said),
        (Some(0), line(1, &old) + &line(2, &new[old.len()..]) + &whole + then)
    );

    let program = serve(&["--postback-token", TOKEN]);
    let settings = "nats-userman: the running service takes its tokens from its settings: change \
        them there; tokens in the data directory are not used\n";
    assert_eq!(token(&["add"]), (Some(1), String::new(), settings.into()));
    assert_eq!(fs::read_to_string(&file).unwrap(), new, "nothing was added");
    drop(program);
}
