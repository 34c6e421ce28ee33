//! `try` on our own service.

use serde_json::Value;

use crate::ENGINES;
use crate::support::ran::{Ran, end, run};
use crate::support::{Beside, Program, TOKEN, TestDatabase, program, temp_dir};

/// The requests of one way of sending.
pub const STEPS: usize = 24;

/// Runs `try` on a URL.
pub fn try_url(url: &str, more: &[&str]) -> Ran {
    run(&[&["try", url], more].concat())
}

pub fn as_json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// The problems that were found, without how often.
pub fn problems(ran: &Ran) -> Vec<String> {
    let found = as_json(ran)["problems"].as_array().unwrap().clone();
    found.iter().map(|found| found["problem"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn our_own_service_has_no_problem_and_nothing_but_the_marked_records_stays() {
    for engine in ENGINES {
        eprintln!("engine {engine:?}");
        let Some(database) = TestDatabase::new(engine) else { continue };
        let dir = temp_dir();
        let flags = database.flags();
        let service = Program::serve(dir.path(), &flags.each_ref().map(String::as_str));
        let ran = try_url(&format!("http://{}/postback/{TOKEN}", service.address), &[]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
        let last = ran.out.lines().last().unwrap();
        assert_eq!(last, format!("{} requests sent, 0 problems found", 3 * STEPS));
        for way in ["POST urlencoded\n", "POST multipart\n", "GET\n"] {
            assert!(ran.out.contains(way), "{}", ran.out);
        }
        assert!(!ran.out.contains(TOKEN) && !ran.out.contains("password=P"), "{}", ran.out);
        let beside = Beside::open(&database.location());
        for table in ["member_auth", "former_member"] {
            let count = beside.rows(&format!("SELECT count(*) FROM {table}"));
            assert_eq!(count, ["0"], "{table}");
        }
        let sources = "SELECT DISTINCT source, memberid FROM journal";
        assert_eq!(beside.rows(sources), ["operator|2147483600"]);
        let mut journal = program();
        journal.args(["journal", "--data-dir"]).arg(dir.path()).args(&flags);
        let journal = end(journal).out;
        let marked = "    from 127.0.0.1, a trial by `try`: action=ADD&siteid=2147483600&\
                      memberid=2147483600&username=";
        assert!(journal.contains(marked), "{journal}");
        assert_eq!(journal.matches(", a trial by `try`: ").count(), journal.lines().count() / 2);
    }
}
