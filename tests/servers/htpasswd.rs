//! An htpasswd of members, checked by Apache's `htpasswd`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::engines::in_step::Scene;
use crate::support::real_program;

#[test]
fn an_htpasswd_has_the_members_with_bcrypt_whom_it_can_hold_and_the_others_are_counted() {
    let scene = Scene::on(crate::support::EngineKind::Sqlite, &["--password-hash", "bcrypt"]);
    let scene = scene.unwrap();
    let long = "x".repeat(73);
    let argon2id = format!("action=ADD&siteid=1&memberid=5&username=long&password={long}");
    scene.post(&[
        "action=ADD&siteid=1&memberid=1&username=bob&password=secret",
        "action=ADD&siteid=1&memberid=2&username=b%3Ab&password=secret",
        "action=ADD&siteid=1&memberid=3&username=%23ann&password=secret",
        "action=ADD&siteid=1&memberid=4&username=cleo&cryptpass=41R19prsa7NLQ",
        &argon2id,
        "action=ADD&siteid=1&memberid=6&username=eve+smith&password=secret&trial=1",
    ]);
    scene.app.harden();
    scene.post(&["action=ADD&siteid=1&memberid=7&username=new&password=secret"]);
    let file = scene.file("htpasswd");
    assert_eq!(
        scene.export("htpasswd", &file, &[]).printed(),
        format!(
            "2 members, 5 left out (1 not hashed yet, 1 with argon2id, 1 with a cryptpass only, 2 \
             with a name that the file cannot hold) in {}\n",
            file.display()
        )
    );
    let hash = |member: i64| {
        let sql = format!("SELECT password FROM member_auth WHERE memberid = {member}");
        scene.app.rows(&sql)[0].clone()
    };
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text, format!("bob:{}\neve smith:{}\n", hash(1), hash(6)));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o640);

    // As Apache reads it.
    let Some(htpasswd) = real_program("htpasswd") else { return };
    for (name, password, is_right) in
        [("bob", "secret", true), ("eve smith", "secret", true), ("bob", "Secret", false)]
    {
        let checked =
            Command::new(&htpasswd).arg("-vb").arg(&file).args([name, password]).output().unwrap();
        assert_eq!(checked.status.success(), is_right, "{name} {password}");
    }
}
