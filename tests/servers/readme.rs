//! The commands with curl in the README and in `docs/`: each block is run as it is printed, and
//! must give the printed output.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::pages::{block_after, page};
use crate::support::{App, NO_CONFIG, Program, TOKEN, program, real_program, temp_dir};

/// One command of a block with its output. Commands before it without output are part of the step.
struct Step {
    script: String,
    printed: String,
}

/// The steps of a block of commands (`$ `) and outputs. Commands without output set variables.
fn steps(block: &[String]) -> Vec<Step> {
    let (mut steps, mut variables): (Vec<Step>, String) = (Vec::new(), String::new());
    for (line, next) in block.iter().zip(block.iter().skip(1)) {
        let Some(command) = line.strip_prefix("$ ") else { continue };
        let script = format!("{variables}{command}\n");
        match next.strip_prefix("$ ") {
            Some(_) => variables = script,
            None => steps.push(Step { script, printed: next.clone() }),
        }
    }
    let outputs = block.iter().filter(|line| !line.starts_with("$ ")).count();
    assert_eq!(steps.len(), outputs, "each output is one line behind its command");
    steps
}

/// The output of a shell script, with a curl that shows no progress.
fn shell(curl: &Path, script: &str, cwd: &Path, variables: &[(&str, &str)]) -> String {
    let script = format!("curl() {{ {} -s \"$@\"; }}\n{script}", curl.display());
    let output = Command::new("sh")
        .args(["-c", &script])
        .current_dir(cwd)
        .envs([NO_CONFIG])
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_quick_start_prints_what_the_readme_shows() {
    let Some(curl) = real_program("curl") else { return };
    let dir = temp_dir();
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(dir.path());
    command.stdout(Stdio::null());
    let service = Program::spawn(command).unwrap();
    let block = block_after(&page("README.md"), "<!-- quick start -->");
    assert_eq!(block.len(), 5, "five lines");
    let steps = steps(&block);
    assert_eq!(steps.len(), 2);
    for Step { script, printed } in steps {
        let script = script.replace("127.0.0.1:8080", &service.address.to_string());
        assert_eq!(shell(&curl, &script, dir.path(), &[]).trim_end(), printed, "{script}");
    }
}

#[test]
fn the_session_with_curl_gives_the_replies_that_the_page_shows() {
    let Some(curl) = real_program("curl") else { return };
    let app = App::start();
    let url = format!("http://{}/postback/{TOKEN}", app.address);
    let block = block_after(&page("docs/replies.md"), "<!-- session -->");
    for Step { script, printed } in steps(&block) {
        let reply = shell(&curl, &script, app.dir.path(), &[("URL", &url)]);
        assert_eq!(reply, printed, "{script}");
    }
    for action in nats_userman::action::NAMES {
        assert!(
            block.iter().any(|line| line.contains(&format!("action={action}&"))),
            "{action} is not in the session"
        );
    }
}

#[test]
fn the_stand_in_answers_as_the_page_shows() {
    let Some(curl) = real_program("curl") else { return };
    let key = "0123456789abcdef0123456789abcdef";
    let app = App::start_with(&[
        "--stand-in",
        "--api-key",
        &format!("shop:{key} site=1 site=5 ip=127.0.0.1"),
    ]);
    let url = format!("http://{}/postback/{TOKEN}", app.address);
    let example = "877ae8d2c00e617d443643326bb848e2";
    let mut string = example.to_owned();
    let steps = steps(&block_after(&page("docs/authstrings.md"), "<!-- stand-in -->"));
    assert_eq!(steps.len(), 3);
    for Step { script, printed } in steps {
        let script = script.replace("127.0.0.1:8080", &app.address.to_string());
        let script = script.replace(example, &string);
        let answer = shell(&curl, &script, app.dir.path(), &[("URL", &url), ("KEY", key)]);
        if printed.contains(example) {
            string = answer.split('"').nth(3).unwrap().to_owned();
        }
        assert_eq!(answer, printed.replace(example, &string), "{script}");
    }
    assert_ne!(string, example);
}
