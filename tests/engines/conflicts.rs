//! `member conflicts`: who was not let in because of a held name, and from when they would be.

use crate::ENGINES;
use crate::support::ran::{run_beside, without_times};
use crate::support::{EngineKind, Program, TestDatabase, temp_dir};

#[test]
fn a_refused_member_is_listed_with_the_moment_of_success_until_they_get_in_or_leave() {
    for engine in ENGINES {
        listed_on(engine);
    }
}

fn listed_on(engine: EngineKind) {
    let Some(database) = TestDatabase::new(engine) else { return };
    let dir = temp_dir();
    let flags = database.flags();
    let program = Program::serve(dir.path(), &flags.each_ref().map(String::as_str));
    let post = |body: &str, word: &str| {
        let reply = program.post(body).unwrap().body;
        assert!(reply.starts_with(word), "{body}: {reply}");
    };
    let add = |member: u32, name: &str, word: &str| {
        let body = format!("action=ADD&siteid=1&memberid={member}&username={name}&password=secret");
        post(&body, word);
    };
    for (member, name) in [(71, "bob"), (72, "ann"), (73, "eve")] {
        add(member, name, "OK|");
        add(member + 10, name, "ERROR|");
    }
    add(91, "Bob", "ERROR|");
    post("action=TRIALTOFULL&siteid=1&memberid=92&username=bob&password=secret", "ERROR|");
    post("action=CHANGE&siteid=1&memberid=71&new_username=ann", "ERROR|");
    post("action=EXPIRE&siteid=1&memberid=72&expire=2099-01-01", "OK|");
    post("action=DELETE&siteid=1&memberid=73", "OK|");
    let conflicts = |flags: &[&str]| {
        let ran = run_beside(&database, dir.path(), &[&["member", "conflicts"], flags].concat());
        without_times(&ran.printed())
    };
    assert_eq!(
        conflicts(&[]),
        "member 81 \"bob\" of site 1 was refused at TIME and would not \
         succeed before member 71 leaves\n\
         member 82 \"ann\" of site 1 was refused at TIME and would succeed from \
         TIME on, when member 72 expires\n\
         member 83 \"eve\" of site 1 was refused at TIME and would succeed now\n\
         member 91 \"Bob\" of site 1 was refused at TIME and would not \
         succeed before member 71 leaves\n\
         member 92 \"bob\" of site 1 was refused at TIME and would not \
         succeed before member 71 leaves\n\
         5 members without the name that NATS gave them, 1 of whom would get it now\n"
    );
    let args = ["member", "conflicts", "--json"];
    let json = run_beside(&database, dir.path(), &args).printed();
    let lines: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found: Vec<String> = lines
        .iter()
        .map(|line| {
            let [member, holder, succeeds, at] =
                ["memberid", "holder", "succeeds", "succeeds_at"].map(|name| &line[name]);
            format!("{member} {holder} {succeeds} {at}")
        })
        .collect();
    assert_eq!(
        found,
        [
            "81 71 \"unknown\" null",
            "82 72 \"at\" 4070908800",
            "83 null \"now\" null",
            "91 71 \"unknown\" null",
            "92 71 \"unknown\" null"
        ]
    );

    add(83, "eve", "OK|");
    add(82, "anna", "OK|");
    post("action=DELETE&siteid=1&memberid=91", "OK|");
    post("action=DELETE&siteid=1&memberid=92", "OK|");
    assert_eq!(
        conflicts(&["--site", "1"]),
        "member 81 \"bob\" of site 1 was refused at TIME and would not \
         succeed before member 71 leaves\n\
         1 member without the name that NATS gave them, 0 of whom would get it now\n"
    );
    assert_eq!(
        conflicts(&["--site", "2"]),
        "0 members without the name that NATS gave them, 0 of whom would get it now\n"
    );
}
