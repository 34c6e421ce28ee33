//! `password` and `cryptpass` of every action that has them: absent, empty, readable or unreadable.
//! Each case checks the exact reply, and what matches the member's row afterwards. If a password
//! cannot be changed, the reply is never OK.

use nats_userman::action::Rules;
use nats_userman::apply::Postback;
use nats_userman::clock::{ExpiryRule, Zone};
use nats_userman::fields::Fields;
use nats_userman::journal::Origin;
use nats_userman::password::{HashKind, Hasher, Password as Clear, Vault};

use crate::support::{App, NOON, cheap, program, rows, temp_dir};

const PASSWORD: &str = "password: expected 1 to 1024 bytes, found 1025 bytes";
const CRYPTPASS: &str = "cryptpass: expected a crypt(3) string in DES, MD5, SHA-256, SHA-512 or \
    bcrypt form, found 37 bytes";
/// Apache's form of MD5, which htpasswd creates and which is not a crypt(3) form.
const APR1: &str = "$apr1$jkwHRKR.$mOGBu0YQ7BH8pjDL7FTzq.";

/// The four forms of each parameter, in the order of the columns and rows of a table.
const GIVEN: [&str; 4] = ["absent", "empty", "good", "bad"];

/// The expected result of one cell of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    /// The password is used. The reply names these ignored parameters.
    Password(&'static [&'static str]),
    /// The cryptpass is used. The reply names these ignored parameters.
    Cryptpass(&'static [&'static str]),
    /// Neither is used, and the action is carried out without them.
    Nothing(&'static [&'static str]),
    /// The reply is ERROR with this sentence.
    Refused(&'static str),
}
use Cell::{Cryptpass, Nothing, Password, Refused};

/// One action for a member in one state. The rows are the forms of the password, the columns those
/// of the cryptpass.
struct Table {
    why: &'static str,
    /// Postbacks that are sent first. `{m}` is replaced by the memberid.
    before: &'static [&'static str],
    postback: &'static str,
    /// The names of the two parameters.
    names: (&'static str, &'static str),
    /// The reply where a credential is used, and where none is.
    taken: &'static str,
    nothing: &'static str,
    cells: [[Cell; 4]; 4],
}

const HERE: &[&str] = &["action=ADD&memberid={m}&siteid=1&username=u{m}&password=first"];
const GONE: &[&str] = &[HERE[0], "action=DELETE&memberid={m}&siteid=1"];
const OLD: (&str, &str) = ("password", "cryptpass");
const NEVER: &str = "ERROR|member {m} was never a member of site 1, and neither password nor \
    cryptpass was given to add the member with";
const NO_PASSWORD: &str = "password: expected 1 to 1024 bytes, or a cryptpass, not given";

/// ADD needs one of the two.
const NEEDED: [[Cell; 4]; 4] = [
    [Refused(NO_PASSWORD), Refused(NO_PASSWORD), Cryptpass(&[]), Refused(CRYPTPASS)],
    [Refused(NO_PASSWORD), Refused(NO_PASSWORD), Cryptpass(&[]), Refused(CRYPTPASS)],
    [Password(&[]), Password(&[]), Password(&[]), Password(&[CRYPTPASS])],
    [Refused(PASSWORD), Refused(PASSWORD), Cryptpass(&[PASSWORD]), Refused(PASSWORD)],
];

/// ACTIVATE uses what is given.
const OPTIONAL: [[Cell; 4]; 4] = [
    [Nothing(&[]), Nothing(&[]), Cryptpass(&[]), Nothing(&[CRYPTPASS])],
    [Nothing(&[]), Nothing(&[]), Cryptpass(&[]), Nothing(&[CRYPTPASS])],
    [Password(&[]), Password(&[]), Password(&[]), Password(&[CRYPTPASS])],
    [
        Nothing(&[PASSWORD]),
        Nothing(&[PASSWORD]),
        Cryptpass(&[PASSWORD]),
        Nothing(&[PASSWORD, CRYPTPASS]),
    ],
];

/// TRIALTOFULL of a current member uses neither. An unreadable value is named nevertheless.
const NEVER_TAKEN: [[Cell; 4]; 4] = [
    [Nothing(&[]), Nothing(&[]), Nothing(&[]), Nothing(&[CRYPTPASS])],
    [Nothing(&[]), Nothing(&[]), Nothing(&[]), Nothing(&[CRYPTPASS])],
    [Nothing(&[]), Nothing(&[]), Nothing(&[]), Nothing(&[CRYPTPASS])],
    [
        Nothing(&[PASSWORD]),
        Nothing(&[PASSWORD]),
        Nothing(&[PASSWORD]),
        Nothing(&[PASSWORD, CRYPTPASS]),
    ],
];

/// CHANGE: a new value must be readable. The exception is a new_cryptpass next to a new_password,
/// because it is not needed.
const NEW: [[Cell; 4]; 4] = [
    [Nothing(&[]), Nothing(&[]), Cryptpass(&[]), Refused(CRYPTPASS)],
    [Nothing(&[]), Nothing(&[]), Cryptpass(&[]), Refused(CRYPTPASS)],
    [Password(&[]), Password(&[]), Password(&[]), Password(&[CRYPTPASS])],
    [Refused(PASSWORD), Refused(PASSWORD), Refused(PASSWORD), Refused(PASSWORD)],
];

/// The old credential of a CHANGE, and any credential of a DELETE or an EXPIRE, is not read.
const NOT_READ: [[Cell; 4]; 4] = [[Nothing(&[]); 4]; 4];

const TABLES: [Table; 14] = [
    Table {
        why: "ADD of a new member",
        before: &[],
        postback: "action=ADD&memberid={m}&siteid=1&username=u{m}",
        names: OLD,
        taken: "OK|member {m} \"u{m}\" added to site 1",
        nothing: "",
        cells: NEEDED,
    },
    Table {
        why: "MANUALADD of a new member",
        before: &[],
        postback: "action=MANUALADD&memberid={m}&siteid=1&username=u{m}",
        names: OLD,
        taken: "OK|member {m} \"u{m}\" added to site 1",
        nothing: "",
        cells: NEEDED,
    },
    Table {
        why: "ADD of a member who is there",
        before: HERE,
        postback: "action=ADD&memberid={m}&siteid=1&username=u{m}",
        names: OLD,
        taken: "OK|member {m} \"u{m}\" updated on site 1",
        nothing: "",
        cells: NEEDED,
    },
    Table {
        why: "ADD of a former member",
        before: GONE,
        postback: "action=ADD&memberid={m}&siteid=1&username=u{m}",
        names: OLD,
        taken: "OK|member {m} \"u{m}\" added to site 1",
        nothing: "",
        cells: NEEDED,
    },
    Table {
        why: "ACTIVATE of a member who is there",
        before: HERE,
        postback: "action=ACTIVATE&memberid={m}&siteid=1&username=u{m}",
        names: OLD,
        taken: "OK|member {m} \"u{m}\" activated on site 1",
        nothing: "OK|member {m} \"u{m}\" of site 1 was so already",
        cells: OPTIONAL,
    },
    Table {
        why: "ACTIVATE of a former member",
        before: GONE,
        postback: "action=ACTIVATE&memberid={m}&siteid=1&username=u{m}",
        names: OLD,
        taken: "OK|member {m} \"u{m}\" activated on site 1",
        nothing: "OK|member {m} \"u{m}\" activated on site 1",
        cells: OPTIONAL,
    },
    Table {
        why: "ACTIVATE of somebody unknown",
        before: &[],
        postback: "action=ACTIVATE&memberid={m}&siteid=1&username=u{m}",
        names: OLD,
        taken: "OK|member {m} \"u{m}\" activated on site 1",
        nothing: NEVER,
        cells: OPTIONAL,
    },
    Table {
        why: "TRIALTOFULL of a member who is there",
        before: HERE,
        postback: "action=TRIALTOFULL&memberid={m}&siteid=1&username=u{m}",
        names: OLD,
        taken: "",
        nothing: "OK|member {m} \"u{m}\" of site 1 was so already",
        cells: NEVER_TAKEN,
    },
    Table {
        why: "TRIALTOFULL of a former member",
        before: GONE,
        postback: "action=TRIALTOFULL&memberid={m}&siteid=1&username=u{m}",
        names: OLD,
        taken: "OK|member {m} \"u{m}\" is back as a full member of site 1",
        nothing: "OK|member {m} \"u{m}\" is back as a full member of site 1",
        cells: OPTIONAL,
    },
    Table {
        why: "TRIALTOFULL of somebody unknown",
        before: &[],
        postback: "action=TRIALTOFULL&memberid={m}&siteid=1&username=u{m}",
        names: OLD,
        taken: "OK|member {m} \"u{m}\" is back as a full member of site 1",
        nothing: NEVER,
        cells: OPTIONAL,
    },
    Table {
        why: "CHANGE, what is new",
        before: HERE,
        postback: "action=CHANGE&memberid={m}&siteid=1",
        names: ("new_password", "new_cryptpass"),
        taken: "OK|member {m} \"u{m}\" changed on site 1",
        nothing: "OK|member {m} \"u{m}\" of site 1 was so already",
        cells: NEW,
    },
    Table {
        why: "CHANGE, what is old",
        before: HERE,
        postback: "action=CHANGE&memberid={m}&siteid=1&new_email=e@example.com",
        names: OLD,
        taken: "",
        nothing: "OK|member {m} \"u{m}\" changed on site 1",
        cells: NOT_READ,
    },
    Table {
        why: "DELETE",
        before: HERE,
        postback: "action=DELETE&memberid={m}&siteid=1",
        names: OLD,
        taken: "",
        nothing: "OK|member {m} \"u{m}\" removed from site 1",
        cells: NOT_READ,
    },
    Table {
        why: "EXPIRE",
        before: HERE,
        postback: "action=EXPIRE&memberid={m}&siteid=1&expire=2026-07-01",
        names: OLD,
        taken: "",
        nothing: "OK|member {m} \"u{m}\" of site 1 will expire at 2026-07-01T00:00:00Z",
        cells: NOT_READ,
    },
];

/// `&name=value` in the given form.
fn parameter(name: &str, given: &str, good: &str, bad: &str) -> String {
    match given {
        "absent" => String::new(),
        "empty" => format!("&{name}="),
        "good" => format!("&{name}={good}"),
        "bad" => format!("&{name}={bad}"),
        other => panic!("{other}"),
    }
}

#[test]
fn every_credential_that_is_given_is_taken_named_or_refused() {
    let app = App::start();
    let too_long = "x".repeat(1025);
    let mut member = 100;
    for table in &TABLES {
        for (row, password) in GIVEN.iter().enumerate() {
            for (column, cryptpass) in GIVEN.iter().enumerate() {
                member += 1;
                let here = |text: &str| text.replace("{m}", &member.to_string());
                for postback in table.before {
                    assert!(app.post(&here(postback)).starts_with("OK|"));
                }
                let what = format!(
                    "{}: {password} {}, {cryptpass} {}",
                    table.why, table.names.0, table.names.1
                );
                let postback = [
                    here(table.postback),
                    parameter(table.names.0, password, "second", &too_long),
                    parameter(table.names.1, cryptpass, "41R19prsa7NLQ", APR1),
                ];
                let new = if table.names == OLD { "" } else { "new_" };
                let named = |reply: &str, not_taken: &[&str]| {
                    not_taken
                        .iter()
                        .fold(here(reply), |reply, what| format!("{reply}; not taken: {new}{what}"))
                };
                let cell = table.cells[row][column];
                let expected = match cell {
                    Password(not_taken) | Cryptpass(not_taken) => named(table.taken, not_taken),
                    Nothing(not_taken) => named(table.nothing, not_taken),
                    Refused(what) => format!("ERROR|{new}{what}"),
                };
                assert_eq!(app.post(&postback.concat()), expected, "{what}");
                let is_here = !app
                    .rows(&format!("SELECT 1 FROM member_auth WHERE memberid = {member}"))
                    .is_empty();
                let opened = match cell {
                    Password(_) => "second",
                    Cryptpass(_) => "testtest",
                    Nothing(_) | Refused(_) => "first",
                };
                for typed in ["first", "second", "testtest"] {
                    assert_eq!(
                        app.opens(1, member, typed),
                        is_here && typed == opened,
                        "{what}: {typed}"
                    );
                }
            }
        }
    }
}

/// If the new password cannot be used, a CHANGE changes nothing at all. A replay of its record
/// changes nothing either.
#[test]
fn a_refused_password_change_leaves_the_rest_as_it_was() {
    let app = App::start();
    app.post("action=ADD&memberid=71&siteid=1&username=bob&password=first&email=a@example.com");
    let rest = "action=CHANGE&memberid=71&siteid=1&new_username=robert&new_email=b@example.com&\
        new_trial=1";
    assert_eq!(app.post(&format!("{rest}&new_cryptpass={APR1}")), format!("ERROR|new_{CRYPTPASS}"));
    assert_eq!(app.rows("SELECT username, email, trial FROM member_auth"), ["bob|a@example.com|0"]);
    assert!(app.opens(1, 71, "first"));
}

/// Regression: a replay read records by the current rules. An earlier version answered OK if a new
/// cryptpass could not be read, and accepted a date before 1970-01-03 as the end of a membership.
#[test]
fn records_of_earlier_and_of_refused_postbacks_replay_to_the_rows_that_they_made() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let password = Clear::parse("first").unwrap();
    let hash = Hasher::new(cheap(HashKind::Argon2id)).hash(&password).unwrap();
    let record = |id: i64, member: i64, fields: &str, reply: &str, more: serde_json::Value| {
        let action = fields.split('&').next().unwrap();
        let mut record = serde_json::json!({
            "id": id, "at": NOON, "sourc\
                e": "nats", "action": action, "siteid": 1, "memberid": member,
            "fields": format!("action={action}&siteid=1&\
                memberid={member}{}", &fields[action.len()..]), "reply": reply,
        });
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        record.to_string()
    };
    let none = serde_json::json!({});
    let add = |id, member, name: &str| {
        let more = serde_json::json!({ "username": name, "password": hash.as_str() });
        record(id, member, &format!("ADD&username={name}&password=***"), "OK|added", more)
    };
    let lines = [
        add(1, 71, "bob"),
        add(2, 72, "ann"),
        add(3, 73, "cleo"),
        record(4, 71, "CHANGE&new_username=robert&new_cryptpass=***", "OK|changed", none.clone()),
        record(
            5,
            72,
            "CHANGE&new_username=anna&new_cryptpass=***",
            "ERROR|new_cryptpass: expected, found",
            none.clone(),
        ),
        record(
            6,
            72,
            "CHANGE&new_email=x%40example.com&new_password=***",
            "ERROR|new_password: expected, found",
            none.clone(),
        ),
        record(
            7,
            73,
            "EXPIRE&expire=1970-01-01",
            "OK|expired",
            serde_json::json!({ "expire_at": 0 }),
        ),
        record(8, 72, "EXPIRE&expire=1970-01-01", "ERROR|expire: expected, not given", none),
    ];
    let file = dir.path().join("journal.jsonl");
    std::fs::write(&file, lines.map(|line| line + "\n").concat()).unwrap();
    let ran = program()
        .args(["replay", "--journal"])
        .arg(&file)
        .arg("--data-dir")
        .arg(&data)
        .output()
        .unwrap();
    let said = [ran.stdout, ran.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(
        said[0].ends_with("5 OK, 0 NOTOK, 3 ERROR\n") && !said.concat().contains("differ"),
        "{said:?}"
    );
    let conn = rusqlite::Connection::open(data.join("userman.db")).unwrap();
    let here = rows(&conn, "SELECT memberid, username, email FROM member_auth ORDER BY memberid");
    assert_eq!(here, ["71|robert|", "72|ann|"]);
    assert_eq!(
        rows(&conn, "SELECT memberid, reason, ended_at FROM former_member"),
        ["73|expired|0"]
    );
}

/// Every other value that is given and not used is named in the log, each time.
#[test]
fn every_unreadable_value_that_was_passed_over_is_named() {
    let rules = Rules {
        vault: Vault::from_key([7; 32]),
        keep_cryptpass: false,
        expiry: ExpiryRule { zone: Zone::UTC, grace_hours: 0 },
        stale_guard: false,
    };
    let add = "action=ADD&memberid=71&siteid=1&username=bob&password=first";
    let record = "&trial=2&email=a%0Ab&biller=%00&memberidx=%00&session=%00&joined=soon&expires=-1";
    let named = ["trial", "email", "biller", "memberidx", "session", "joined", "expires"];
    for (body, expected) in [
        (format!("{add}{record}&cryptpass=x"), [&["cryptpass"][..], &named].concat()),
        (format!("{add}{record}").replace("ADD", "MANUALADD"), named.to_vec()),
        (format!("{add}{record}").replace("ADD", "ACTIVATE"), named.to_vec()),
        (
            format!("{add}{record}&username=%00").replace("ADD", "TRIALTOFULL"),
            [&named[..], &["username"]].concat(),
        ),
        (format!("{add}&biller=%00&memberidx=N:1&email="), vec!["biller"]),
        (
            "action=CHANGE&memberid=71&siteid=1&new_email=%00&email=%00".into(),
            vec!["new_email", "email"],
        ),
        ("action=CHANGE&memberid=71&siteid=1&new_email=%00&email=a".into(), vec!["new_email"]),
        (
            "action=CHANGE&memberid=71&siteid=1&new_password=a&new_cryptpass=x".into(),
            vec!["new_cryptpass"],
        ),
        (add.into(), vec![]),
    ] {
        let (postback, ignored) =
            Postback::read(&Fields::from_urlencoded(body.as_bytes()), &rules, Origin::Nats, None);
        assert!(postback.action.is_ok(), "{body}");
        assert_eq!(
            ignored.iter().map(|refusal| refusal.parameter).collect::<Vec<_>>(),
            expected,
            "{body}"
        );
    }
}
