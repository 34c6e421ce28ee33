//! Commands whose output is closed before its end, as by `| head`: what they found or began counts.

use nats_userman::store::Location;

use crate::support::ran::{end_after_lines, write};
use crate::support::{Beside, Program, TOKEN, program, temp_dir};

fn with(args: &[&str]) -> std::process::Command {
    let mut command = program();
    command.args(args);
    command
}

#[test]
fn what_a_command_found_is_its_exit_code_also_where_nobody_reads_it() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let data = data.to_str().unwrap();
    let capture = write(dir.path(), "bodies", "action=CHANGE&siteid=1&memberid=1\n");
    for (args, said) in [
        (
            &["doctor", "--listen", "nowhere", "--data-dir", data][..],
            "nats-userman: 1 serious finding: see above\n",
        ),
        (
            &["replay", "--dry-run", &capture, "--data-dir", data],
            "nats-userman: 1 of 1 postbacks got ERROR and changed nothing: see above\n",
        ),
    ] {
        assert_eq!(end_after_lines(with(args), 0), (Some(1), said.to_owned()), "{args:?}");
    }
}

#[test]
fn a_replay_to_a_url_says_how_far_it_came() {
    let dir = temp_dir();
    let service = Program::serve(&dir.path().join("data"), &[]);
    let refused = "action=CHANGE&siteid=1&memberid=1\n".repeat(3);
    let added = "action=ADD&siteid=1&memberid=71&username=bob&password=x\n";
    let capture = write(dir.path(), "bodies", format!("{refused}{added}"));
    let url = format!("http://{}/postback/{TOKEN}", service.address);
    let (code, said) = end_after_lines(with(&["replay", "--to", &url, &capture]), 0);
    let expected = format!(
        "nats-userman: {capture}:1: the output was closed; everything before it was applied; fix \
         the cause and replay the whole capture again, repeats are harmless\n"
    );
    assert_eq!((code, said), (Some(1), expected));
}

#[test]
fn a_trial_leaves_no_member_wherever_its_output_ends() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let service = Program::serve(&data, &[]);
    let url = format!("http://{}/postback/{TOKEN}", service.address);
    let beside = Beside::open(&Location::sqlite(data.join("userman.db")));
    for lines in 0..30 {
        let (code, said) = end_after_lines(with(&["try", &url]), lines);
        let closed = (Some(1), "nats-userman: try: the output was closed\n");
        // All of it may be in the pipe before the end of these lines is read.
        let is_whole = lines > 0 && (code, said.as_str()) == (Some(0), "");
        assert!(is_whole || (code, said.as_str()) == closed, "{lines}: {code:?} {said}");
        let left = beside.rows("SELECT count(*) FROM member_auth");
        assert_eq!(left, ["0"], "after {lines} lines");
    }
}
