//! A rotation that was interrupted after any of its steps: the service starts with what is there,
//! and the next `key rotate` completes it.

use std::fs;

use super::{add, done, file, logs_in, recorded, refused, seal_id};
use crate::support::{App, temp_dir};

/// What a step of a rotation leaves, and how.
type Step = (&'static str, fn(&App));

/// What the steps of a rotation leave, each after those before it.
const STEPS: [Step; 4] = [
    ("nothing is done", |_| {}),
    ("the current key is the former one too", |app| {
        fs::copy(file(app, "seal.key"), file(app, "seal.key.former")).unwrap();
    }),
    ("the next key is the current one too", |app| {
        fs::copy(file(app, "seal.key.next"), file(app, "seal.key")).unwrap();
    }),
    ("the files are rotated, the database does not know it", |app| {
        fs::remove_file(file(app, "seal.key.next")).unwrap();
    }),
];

#[test]
fn after_each_step_the_service_starts_and_the_rotation_can_be_completed() {
    for count in 1..=STEPS.len() {
        let what = STEPS[count - 1].0;
        let app = App::start_in(temp_dir(), &[]);
        app.post(&add(71, "bob"));
        done(&app, &["prepare", "seal"]);
        let (old, new) = (seal_id(&file(&app, "seal.key")), seal_id(&file(&app, "seal.key.next")));
        STEPS[..count].iter().for_each(|(_, step)| step(&app));
        // What a killed command leaves of the next step.
        fs::write(file(&app, "seal.key.former.new"), "half of a key").unwrap();
        let app = app.restart(&[]);
        assert!(!file(&app, "seal.key.former.new").exists(), "{what}");
        assert!(logs_in(&app, "bob", "secret"), "{what}");
        app.post(&add(72, "ann"));
        assert!(logs_in(&app, "ann", "secret"), "{what}");
        let is_new = count > 2;
        assert_eq!(recorded(&app, "seal_key"), if is_new { &*new } else { &*old }, "{what}");
        if count < STEPS.len() && count > 1 {
            let said = refused(&app, &["forget", "seal"]);
            assert!(said.ends_with("was interrupted: `nats-userman key rotate` completes it"));
        }
        let said = done(&app, &["rotate", "seal"]);
        let expected = match count {
            4 => format!("seal.key was rotated already: {new} writes\n"),
            _ => format!("seal.key is rotated: {new} writes, {old} reads\n"),
        };
        assert!(said.starts_with(&expected), "{what}: {said}");
        app.reload_keys();
        assert_eq!(recorded(&app, "seal_key"), new, "{what}");
        assert!(logs_in(&app, "bob", "secret") && logs_in(&app, "ann", "secret"), "{what}");
        app.harden();
        done(&app, &["forget", "seal"]);
        assert!(app.restart(&[]).opens(1, 71, "secret"), "{what}");
    }
}

#[test]
fn with_the_former_key_alone_in_the_place_of_both_nothing_starts_and_nothing_is_lost() {
    let app = App::start_in(temp_dir(), &[]);
    done(&app, &["prepare", "seal"]);
    done(&app, &["rotate", "seal"]);
    app.reload_keys();
    app.post(&add(71, "bob"));
    let (current, former) = (file(&app, "seal.key"), file(&app, "seal.key.former"));
    let dir = app.stop();
    let kept = fs::read(&current).unwrap();
    fs::rename(&former, &current).unwrap();
    let data = dir.path().join("data");
    let start = || crate::commands::run_on(&data, &["serve", "--listen", "127.0.0.1:0"]);
    let expected = format!(
        "nats-userman: the database has 1 password sealed under another key than \
         {}: put the right key back from the backup\n",
        data.join("seal.key").display()
    );
    let ran = start();
    assert_eq!((ran.code, ran.err.ends_with(&expected)), (Some(1), true), "{}", ran.err);
    fs::write(&current, kept).unwrap();
    assert!(App::start_in(dir, &[]).opens(1, 71, "secret"));
}
