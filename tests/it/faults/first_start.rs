//! What a first start leaves that is cut short: an empty key, a file that is not written whole.

use std::fs;
use std::process::{Command, Stdio};

use super::{add, added};
use crate::shim::{EIO, ENOSPC, EROFS, KILLED, Shim};
use crate::support::faults::{file_names, secret_files};
use crate::support::{DATA_FILES, Program, eventually, temp_dir};

/// As release 0.2.0 left it after a kill of its first start between the creation of the file and
/// the writing of the key.
#[test]
fn an_empty_key_that_no_release_ever_used_is_made_anew_and_any_other_is_refused_as_before() {
    for key in ["seal.key", "cookie.key"] {
        let dir = temp_dir();
        let data = dir.path().join("data");
        assert!(Program::serve(&data, &[]).terminate().success());
        let whole = fs::read(data.join(key)).unwrap();
        fs::write(data.join(key), "").unwrap();
        if key == "seal.key" {
            // The id of the key is stored after the key is created.
            let conn = rusqlite::Connection::open(data.join("userman.db")).unwrap();
            let (code, said) = super::damage::start(crate::support::program(), &data);
            assert!(
                code == 2 && said.contains("found 0 bytes that are not"),
                "a key that was in use: {said}"
            );
            conn.execute("DELETE FROM seal_key", []).unwrap();
        }
        let mut service = Program::serve(&data, &[]);
        let line = format!(
            "the key file {} was empty, as a first start leaves it that was cut short",
            data.join(key).display()
        );
        assert!(service.stderr().contains(&line), "{}", service.stderr());
        let new = fs::read(data.join(key)).unwrap();
        assert!(new.len() == whole.len() && new != whole);
        // After the first member, an empty key means that the key was lost.
        assert_eq!(service.post(&add(1)).unwrap().body, added(1));
        assert!(service.terminate().success());
        fs::write(data.join(key), "").unwrap();
        let (code, said) = super::damage::start(crate::support::program(), &data);
        let refused =
            "expected 64 lower-case hex digits and a line break, found 0 bytes that are not";
        assert!(code == 2 && said.contains(refused), "{said}");
        assert_eq!(fs::read(data.join(key)).unwrap(), b"");
    }
}

/// The disk is full or fails at each step of replacing a file. The earlier file stays complete.
#[test]
fn a_fault_while_a_file_is_written_leaves_the_one_before_as_it_was() {
    let Some(shim) = Shim::new() else { return };
    let dir = temp_dir();
    let data = dir.path().canonicalize().unwrap().join("data");
    let start = |command: Command| {
        let mut command = command;
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&data)
            .stdout(Stdio::null());
        Program::spawn(command)
    };
    assert!(start(crate::support::program()).unwrap().terminate().success());
    let run = |args: &[&str], fault: Option<(&str, i32)>| {
        if let Some((call, errno)) = fault {
            shim.fail(call, errno, 0);
        }
        let output =
            shim.program(&data, false).args(args).arg("--data-dir").arg(&data).output().unwrap();
        if let Some((call, _)) = fault {
            shim.heal(call);
        }
        (
            output.status.code().unwrap(),
            String::from_utf8([output.stdout, output.stderr].concat()).unwrap(),
        )
    };
    assert_eq!(run(&["token", "add"], None).0, 0);
    let before = secret_files(&data);
    let draft = data.join("postback-token.new");
    for fault in [("open", ENOSPC), ("write", ENOSPC), ("sync", EIO), ("write", EROFS)] {
        for command in [["token", "add"].as_slice(), &["token", "retire", "1"]] {
            let (code, said) = run(command, Some(fault));
            assert!(code == 1 && said.contains("cannot use the token file"), "{fault:?}: {said}");
            assert!(secret_files(&data) == before && !draft.exists(), "{fault:?} {command:?}");
        }
    }
    // A token that a killed `token add` left was never valid. The next start removes its file.
    shim.fail("sync", KILLED, 0);
    assert!(
        shim.program(&data, false)
            .args(["token", "add", "--data-dir"])
            .arg(&data)
            .status()
            .unwrap()
            .code()
            .is_none()
    );
    shim.heal("sync");
    assert!(secret_files(&data) == before && draft.exists());
    assert!(start(crate::support::program()).unwrap().terminate().success());
    assert!(secret_files(&data) == before && !draft.exists());

    // If all keys exist, a start writes only the file that it makes for commands.
    let served = fs::read(data.join("served.json")).unwrap();
    fs::create_dir(data.join("served.json.new")).unwrap();
    let mut service = start(crate::support::program()).unwrap();
    eventually("it says so", || {
        service.stderr().contains("served.json, so `token show` may print another URL")
    });
    assert!(service.terminate().success());
    assert_eq!(fs::read(data.join("served.json")).unwrap(), served);
    fs::remove_dir(data.join("served.json.new")).unwrap();
    assert_eq!(file_names(&data), DATA_FILES);
}
