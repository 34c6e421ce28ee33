//! `import`: files of other programs into the database, with and without a service beside it.

mod damaged;
mod refused;
mod source;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::replay::{open, write};
use super::run_on;
use crate::engines::import::{ADDED, MEMBERS, data_in};
use crate::support::{App, Beside, program, rows, temp_dir};

/// Members and their passwords in [`MEMBERS`].
const PASSWORDS: [(i64, i64, &str); 5] = [
    (1, 71, "testtest"),
    (1, 72, "testtest"),
    (2, 71, "password"),
    (2, 73, "testtest"),
    (2, 74, "testtest"),
];
const SAME: &str = "0 added, 0 changed, 5 were so already, 0 refused\n";

#[test]
fn members_of_another_program_log_in_with_their_passwords_and_a_repeat_changes_nothing() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let file = write(dir.path(), "members.csv", MEMBERS);
    let first = run_on(&data, &["import", &file]);
    assert!(first.made_database, "a command in the wrong directory must not look like a right one");
    assert_eq!(first.printed(), ADDED);
    let again = run_on(&data, &["import", &file]);
    assert!(!again.made_database);
    assert_eq!(again.printed(), SAME);
    let row = "SELECT siteid, memberid, username, email, trial, joined FROM member_auth";
    assert_eq!(
        rows(&open(&data), row),
        [
            "1|71|bob|b@example.com|0|1496792016",
            "1|72|ann, the 2nd||1|",
            "2|71|bob||0|",
            "2|73|sue||0|",
            "2|74|eve||0|",
        ]
    );
    let journal = run_on(&data, &["journal", "--json"]).printed();
    let record = "\"source\":\"operator\",\"action\":\"MANUALADD\",\"siteid\":1,\"memberid\":72,\
                  \"username\":\"ann, the 2nd\",\"fields\":\"action=MANUALADD&siteid=1&memberid=72&\
                  username=ann%2C+the+2nd&cryptpass=***&trial=1\",";
    assert!(journal.contains(record), "{journal}");
    for text in ["testtest", "R19prsa7NLQ", "0UjStWmXslmzQv7sQKyIS", "Uau5Y2B43vv4iNhFenx2"] {
        let stored = fs::read(data.join("userman.db")).unwrap();
        assert!(!stored.windows(text.len()).any(|bytes| bytes == text.as_bytes()), "{text}");
    }
    let app = App::start_in(dir, &[]);
    for (site, member, password) in PASSWORDS {
        assert!(app.opens(site, member, password), "{site} {member}, sealed");
        assert!(!app.opens(site, member, "other"), "{site} {member}");
    }
    app.harden();
    assert_eq!(app.rows("SELECT count(*) FROM member_auth WHERE sealed IS NOT NULL"), ["0"]);
    for (site, member, password) in PASSWORDS {
        assert!(app.opens(site, member, password), "{site} {member}, hashed");
        assert!(!app.opens(site, member, "other"), "{site} {member}, hashed");
    }
}

/// As `mkpasswd` and the system's own password file have it.
#[test]
fn a_member_with_a_hash_of_yescrypt_logs_in_before_and_after_it_is_wrapped() {
    let dir = temp_dir();
    let hash = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$B7RKt0vq1twPDblWvudBzozXGE485nqQPDWqERW8dR8";
    let file = write(dir.path(), "htpasswd", format!("bob:{hash}\n"));
    let data = data_in(dir.path());
    let added = "1 added, 0 changed, 0 were so already, 0 refused\n";
    assert_eq!(run_on(&data, &["import", "--site", "1", &file]).printed(), added);
    let app = App::start_in(dir, &[]);
    let named = app.post("action=ACTIVATE&siteid=1&memberid=71&username=bob");
    assert!(named.starts_with("OK|member 71 "), "{named}");
    assert!(app.opens(1, 71, "testtest") && !app.opens(1, 71, "other"), "sealed");
    app.harden();
    let wrapped = app.rows("SELECT cryptpass_wrapped FROM member_auth");
    assert!(wrapped[0].starts_with("$y$j9T$F5Jx5fExrKuPp53xLKQ..1$ $argon2id$"), "{wrapped:?}");
    assert!(app.opens(1, 71, "testtest") && !app.opens(1, 71, "other"), "wrapped");
    let refused =
        app.post(&format!("action=ADD&siteid=1&memberid=72&username=ann&cryptpass={hash}"));
    assert!(refused.starts_with("ERROR|"), "NATS sends no such hash: {refused}");
}

#[test]
fn a_replay_of_the_journal_gives_the_imported_rows_column_for_column() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let first = write(dir.path(), "members.csv", MEMBERS);
    let second = write(
        dir.path(),
        "later.csv",
        "siteid,memberid,username,cryptpass,expire\n\
         2,71,bob,$2y$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm,\n\
         1,71,robert,41R19prsa7NLQ,2099-01-01\n",
    );
    run_on(&data, &["import", &first]).printed();
    let app = App::start_in(dir, &[]);
    app.harden();
    let dir = app.stop();
    assert_eq!(
        run_on(&data_in(dir.path()), &["import", &second]).printed(),
        "0 added, 2 changed, 0 were so already, 0 refused\n"
    );
    let data = data_in(dir.path());
    let of_members = "SELECT siteid, memberid, expire_at, login_version FROM member_auth";
    assert_eq!(
        rows(&open(&data), of_members)[..3],
        ["1|71|4070908800|2", "1|72||1", "2|71||2"],
        "another name or another hash ends the logins at once"
    );
    let journal = run_on(&data, &["journal", "--json"]).printed();
    let journal = write(dir.path(), "journal.jsonl", journal);
    let copy = with_key_of(&data, &dir.path().join("copy"));
    run_on(&copy, &["replay", "--journal", &journal]).printed();
    assert_eq!(dump(&data), dump(&copy));
}

#[test]
fn what_is_exported_is_imported_into_an_equal_table() {
    let dir = temp_dir();
    let data = data_in(dir.path());
    let hashed = write(dir.path(), "members.csv", MEMBERS);
    run_on(&data, &["import", &hashed]).printed();
    let app = App::start_in(dir, &[]);
    app.harden();
    let dir = app.stop();
    let sealed = write(
        dir.path(),
        "later.csv",
        "siteid,memberid,username,password,expire_at,biller,expires\n\
         3,1,kim,\"a,\"\"b\",4070908800,CCBILL:1,1496792016\n",
    );
    run_on(&data, &["import", &sealed]).printed();
    for format in ["csv", "jsonl"] {
        let file = dir.path().join(format!("exported.{format}"));
        let file = file.to_str().unwrap();
        let exported = run_on(&data, &["export", "--format", format, "--output", file]);
        assert_eq!(exported.code, Some(0), "{exported:?}");
        let copy = with_key_of(&data, &dir.path().join(format));
        assert_eq!(run_on(&copy, &["import", file]).printed(), ADDED.replace('5', "6"));
        assert_eq!(dump(&data), dump(&copy), "{format}");
    }
}

/// Regression: with `| head`, the rows behind the first refused ones were not imported, and the
/// exit code was 0.
#[test]
fn an_import_whose_output_is_closed_imports_what_it_has_read_and_fails() {
    let dir = temp_dir();
    let data = data_in(dir.path());
    let bad = "0,1,nobody,x\n".repeat(2_000);
    let file = format!("memberid,siteid,username,password\n71,1,bob,secret\n{bad}");
    let file = write(dir.path(), "members.csv", file);
    let mut command = program();
    command.args(["import", &file, "--data-dir"]).arg(&data);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    drop(command);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let end = "the output was closed; all rows before it are imported: remove the cause and import \
               again, repeats are harmless\n";
    assert!(said.ends_with(end), "{said}");
    assert_eq!(rows(&open(&data), "SELECT username FROM member_auth"), ["bob"]);
}

/// Another program may write `active` there.
#[test]
fn a_file_in_which_nobody_has_the_status_of_a_member_is_a_failure() {
    let dir = temp_dir();
    let data = data_in(dir.path());
    let file = "memberid,siteid,username,password,status\n71,1,bob,x,active\n72,1,ann,x,active\n";
    let file = write(dir.path(), "members.csv", file);
    let ran = run_on(&data, &["import", &file]);
    ran.ended(
        1,
        "nats-userman: no row has the status 1, which members of NATS's lists have, so none was \
         imported: if the column status means something else, take it out of the source\n",
    );
    assert!(ran.out.contains("2 left out because their status is not 1"), "{}", ran.out);
}

/// Regression: the second import of a file let members in for ever whom NATS had let expire.
#[test]
fn an_import_without_an_expiry_leaves_the_one_that_nats_has_noted() {
    let dir = temp_dir();
    let data = data_in(dir.path());
    let file = write(dir.path(), "members.csv", MEMBERS);
    run_on(&data, &["import", &file]).printed();
    let app = App::start_in(dir, &[]);
    let noted =
        app.post("action=EXPIRE&siteid=1&memberid=72&username=ann%2C+the+2nd&expire=2099-01-01");
    assert!(noted.starts_with("OK|"), "{noted}");
    let dir = app.stop();
    assert_eq!(
        run_on(&data, &["import", &file]).printed(),
        "0 added, 0 changed, 5 were so already, 0 refused\n"
    );
    let mail = "siteid,memberid,username,cryptpass,email,expire_at\n\
                1,72,\"ann, the 2nd\",41R19prsa7NLQ,new@a.de,0\n";
    let mail = write(dir.path(), "mail.csv", mail);
    run_on(&data, &["import", &mail]).printed();
    let row = "SELECT email, expire_at FROM member_auth WHERE memberid = 72";
    assert_eq!(rows(&open(&data), row), ["new@a.de|4070908800"]);
    let journal = run_on(&data, &["journal", "--json"]).printed();
    let journal = write(dir.path(), "journal.jsonl", journal);
    let copy = with_key_of(&data, &dir.path().join("copy"));
    run_on(&copy, &["replay", "--journal", &journal]).printed();
    assert_eq!(dump(&data), dump(&copy));
}

/// Regression: an import of `export --former` brought back everybody who had left.
#[test]
fn former_members_and_members_with_another_status_are_left_out_and_counted() {
    let dir = temp_dir();
    let app = App::start_in(dir, &[]);
    for member in 71..=73 {
        app.post(&format!("action=ADD&siteid=1&memberid={member}&username=m{member}&password=x"));
    }
    app.post("action=DELETE&siteid=1&memberid=72&username=m72");
    app.post("action=EXPIRE&siteid=1&memberid=73&expire=2020-01-01");
    // The name of one who left is that of somebody else now.
    app.post("action=ADD&siteid=1&memberid=74&username=M72&password=y");
    app.harden();
    let dir = app.stop();
    let data = data_in(dir.path());
    for format in ["csv", "jsonl"] {
        let file = dir.path().join(format!("all.{format}"));
        let file = file.to_str().unwrap();
        run_on(&data, &["export", "--format", format, "--output", file, "--former"]).printed();
        let copy = with_key_of(&data, &dir.path().join(format));
        let said = "columns that are not imported: \"reason\"\n\
                    2 added, 0 changed, 0 were so already, 2 left out because they are former \
                    members, 0 refused\n";
        let printed = run_on(&copy, &["import", file]).printed();
        assert!(printed.ends_with(said), "{format}: {printed}");
        assert_eq!(dump(&data), dump(&copy), "{format}");
        let compared = run_on(&data, &["reconcile", file]);
        assert_eq!(compared.code, Some(0), "{format}: {compared:?}");
    }
    let listed = "memberid,siteid,username,password,STATUS\n81,1,in,x,1\n82,1,out,x,2\n\
                  83,1,never,x,0\n84,1,none,x,\n";
    let listed = write(dir.path(), "listed.csv", listed);
    assert_eq!(
        run_on(&data, &["import", &listed]).printed(),
        "2 added, 0 changed, 0 were so already, 2 left out because their status is not 1, 0 \
         refused\n"
    );
    let names = rows(&open(&data), "SELECT username FROM member_auth WHERE memberid > 80");
    assert_eq!(names, ["in", "none"]);
}

/// Makes a data directory with nothing but the key of another one.
fn with_key_of(data: &Path, new: &Path) -> PathBuf {
    fs::create_dir(new).unwrap();
    fs::copy(data.join("seal.key"), new.join("seal.key")).unwrap();
    new.to_owned()
}

/// All columns of all members.
fn dump(data: &Path) -> Vec<String> {
    let location = nats_userman::store::Location::sqlite(data.join("userman.db"));
    Beside::open(&location).dump("member_auth", "siteid, memberid", &[])
}

#[test]
fn files_in_other_formats_and_encodings_are_recognised() {
    let utf_16: Vec<u8> =
        format!("\u{feff}{MEMBERS}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let lines = "{\"siteid\":1,\"memberid\":71,\"username\":\"bob\",\"password\":\"testtest\"}\n\
                 {\"siteid\":1,\"memberid\":72,\"login\":\"ann\",\"username\":\"x\",\
                 \"cryptpass\":\"41R19prsa7NLQ\"}\n";
    for (name, bytes, args, said) in [
        ("semicolons", MEMBERS.replace(',', ";").into_bytes(), &[][..], ADDED),
        ("excel", format!("sep=;\r\n{}", MEMBERS.replace(',', ";")).into_bytes(), &[], ADDED),
        ("utf-16", utf_16, &[], ADDED),
        ("mark", format!("\u{feff}{MEMBERS}").into_bytes(), &[], ADDED),
        (
            "mapped",
            "User;Pass;id;note\nbob;testtest;71;x\n".into(),
            &[
                "--map",
                "username=user",
                "--map",
                "password=Pass",
                "--map",
                "memberid=id",
                "--site",
                "1",
            ],
            "columns that are not imported: \"note\"\n\
             1 added, 0 changed, 0 were so already, 0 refused\n",
        ),
        (
            "lines",
            lines.into(),
            &[],
            "columns that are not imported: \"login\"\n\
             2 added, 0 changed, 0 were so already, 0 refused\n",
        ),
        (
            "dump",
            "-- MySQL dump 10.13\nCREATE TABLE `member_auth` (`siteid` int, `memberid` int,\n\
             `username` varchar(50), `cryptpass` varchar(50), KEY `a` (`siteid`));\n\
             INSERT INTO `member_auth` VALUES (1,71,'b\\'ob','41R19prsa7NLQ'),\n\
             (1,72,'ann','7dTx9F2gGoM5w');\n-- Dump completed\n"
                .into(),
            &[],
            "2 added, 0 changed, 0 were so already, 0 \
             refused\n",
        ),
        (
            "batch",
            "siteid\tmemberid\tusername\tpassword\n1\t71\tbob\ta\\tb\n1\t72\tann\t\"x\n".into(),
            &["--format", "mysql-batch"],
            "2 added, 0 changed, 0 were so already, 0 \
             refused\n",
        ),
    ] {
        let dir = temp_dir();
        let file = write(dir.path(), name, bytes);
        let data = data_in(dir.path());
        let ran = run_on(&data, &[&["import", &file], args].concat()).printed();
        let ran = ran.strip_prefix(&format!("{file}: ")).unwrap_or(&ran);
        assert_eq!(ran, said, "{name}");
    }
}

#[test]
fn a_dry_run_says_what_an_import_does_and_changes_nothing() {
    let dir = temp_dir();
    let data = data_in(dir.path());
    let file = write(dir.path(), "members.csv", MEMBERS);
    assert_eq!(
        run_on(&data, &["import", "--dry-run", &file]).printed(),
        format!("{}; nothing was changed\n", ADDED.trim_end())
    );
    assert!(!data.exists(), "not even the directory was made");
    run_on(&data, &["import", &file]).printed();
    let changed = MEMBERS.replace("1,71,bob", "1,71,robert").replace("2,74,eve", "2,75,sue");
    let changed = write(dir.path(), "changed.csv", changed);
    let before = dump(&data);
    let ran = run_on(&data, &["import", "--dry-run", "--json", &changed]);
    ran.ended(1, "nats-userman: 1 of 5 rows were refused and changed nothing: see above\n");
    assert_eq!(
        ran.out,
        "{\"problem\":\"username: that of line 5 again\",\"refused\":\"line 6\",\"remedy\":\
         \"remove the wrong one of the two rows and import again\"}\n\
         {\"added\":0,\"changed\":1,\"dry_run\":true,\"expired\":0,\"former\":0,\"inactive\":0,\
         \"named\":0,\"refused\":1,\"same\":3}\n"
    );
    assert_eq!(dump(&data), before);
}
