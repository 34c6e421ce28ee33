//! Alarms of receivers that share a database.

use std::time::Duration;

use crate::console::with_keys_of;
use crate::engines::alarms::{OK, json_of, server};
use crate::support::{App, EngineKind, NOON};

#[test]
fn of_two_receivers_of_one_database_one_tells_of_what_they_share() {
    let (first_url, first_told) = server(vec![OK, OK]);
    let (second_url, second_told) = server(vec![OK, OK]);
    let Some(first) = App::start_on_engine(EngineKind::MariaDb, &["--alarm-url", &first_url])
    else {
        return;
    };
    let second = first.another(with_keys_of(&first), &["--alarm-url", &second_url]);
    for member in 1..=6 {
        second.post(&format!("action=CHANGE&siteid=5&memberid={member}&new_username=kim"));
    }
    let (mut now, mut told) = (NOON, Vec::new());
    // Three more rounds after the first message, in which the other one could tell it too.
    let mut rounds_left = 3;
    while rounds_left > 0 {
        now += 30;
        assert!(now < NOON + 3_000, "no alarm");
        first.set_unix(now);
        second.set_unix(now);
        for requests in [&first_told, &second_told] {
            let wait = Duration::from_millis(1_200);
            told.extend(requests.recv_timeout(wait).map(|request| json_of(&request)));
        }
        rounds_left -= i32::from(!told.is_empty());
    }
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["alarm"], &told[0]["state"]), (&"errors".into(), &"raised".into()));
}
