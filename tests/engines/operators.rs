//! `nats-userman operator`.

use std::io::Write as _;
use std::process::Stdio;

use crate::ENGINES;
use crate::support::ran::Ran;
use crate::support::{App, OPERATOR_PASSWORD, OPS, eventually, program};

/// Runs a command with this standard input.
pub fn typed(arguments: &[&str], input: &str) -> Ran {
    let mut command = program();
    command.args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that does not read it may have ended.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran {
        code: output.status.code(),
        out: text(output.stdout),
        err: text(output.stderr),
        made_database: false,
    }
}

#[test]
fn an_operator_is_added_listed_given_a_password_and_removed_beside_the_running_service() {
    for engine in ENGINES {
        let Some(app) = App::start_on_engine(engine, &OPS) else { continue };
        let (data, database) = (app.dir.path().join("data"), app.database_setting());
        let place = ["--data-dir", data.to_str().unwrap(), "--database", &database];
        let with = |arguments: &[&str]| -> Vec<String> {
            arguments.iter().chain(&place).map(|&text| text.to_owned()).collect()
        };
        let typed = |arguments: &[&str], input: &str| {
            let all = with(arguments);
            typed(&all.iter().map(String::as_str).collect::<Vec<_>>(), input)
        };
        assert_eq!(
            typed(&["operator", "list"], "").out,
            "there are no operators: `nats-userman operator add NAME --role admin`\n"
        );
        let added = typed(
            &["operator", "add", "anna", "--role", "admin"],
            &format!("{OPERATOR_PASSWORD}\n"),
        );
        assert_eq!(
            (added.code, added.out.as_str()),
            (Some(0), "OK|operator anna added, with the role admin\n"),
            "{}",
            added.err
        );
        let console = app.log_in_operator("anna");
        let listed = typed(&["operator", "list"], "").out;
        assert!(listed.starts_with("anna admin, added 20"), "{listed}");

        let again = typed(&["operator", "add", "anna"], "another password\n");
        assert_eq!(again.code, Some(1));
        let there = "operator add: there is an operator anna already; `nats-userman operator \
                     password anna` sets another password\n";
        assert!(again.err.ends_with(there), "{}", again.err);

        let set = typed(&["operator", "password", "anna"], "another password\n");
        assert_eq!(set.out, "OK|operator anna has a new password and is logged out\n");
        eventually("the sessions have ended", || console.get("/").status == 303);
        assert_eq!(app.submit_login("anna", OPERATOR_PASSWORD).status, 401);
        assert_eq!(app.submit_login("anna", "another password").status, 303);

        let removed = typed(&["operator", "remove", "anna"], "");
        assert_eq!(removed.out, "OK|operator anna removed and logged out\n");
        assert_eq!(app.submit_login("anna", "another password").status, 401);
        for command in [["operator", "remove", "anna"], ["operator", "password", "anna"]] {
            let nobody = typed(&command, "another password\n");
            let said = format!(
                "{} {}: there is no operator anna; `nats-userman operator list` lists them\n",
                command[0], command[1]
            );
            assert!(nobody.code == Some(1) && nobody.err.ends_with(&said), "{}", nobody.err);
        }
        let journal = typed(&["journal"], "").out;
        for line in [
            "OK|operator anna added, with the role admin\n    from operator: \
             action=OPERATOR-ADD\n",
            "    from operator: action=OPERATOR-PASSWORD\n",
            "    from operator: action=OPERATOR-REMOVE\n",
        ] {
            assert!(journal.contains(line), "{line}{journal}");
        }
        assert!(!journal.contains("argon2") && !journal.contains("password&"), "{journal}");
    }
}
