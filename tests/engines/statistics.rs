//! The counts of the journal and of the members that pages and alarms take.

use nats_userman::clock::Reading;
use nats_userman::reply::Word;
use nats_userman::statistics::{
    Collector, ErrorReply, HourCount, LastPostback, Places, SiteMembers, Snapshot,
};
use nats_userman::store::{Read, open_reader};

use crate::ENGINES;
use crate::support::{App, NOON};

/// Counts everything that is there.
pub fn count_all(collector: &mut Collector, reader: &dyn Read, now: Reading) -> Snapshot {
    while collector.follow(reader, now).unwrap() {}
    while collector.read_back(reader, now.wall).unwrap() {}
    while collector.follow(reader, now).unwrap() {}
    while collector.count_members(reader, now.wall).unwrap() {}
    collector.snapshot(now.wall)
}

pub fn at(wall: i64) -> Reading {
    Reading { wall, steady: wall }
}

#[test]
fn postbacks_from_before_the_start_and_after_it_are_counted_once_on_each_engine() {
    for engine in ENGINES {
        let Some(app) = App::start_on_engine(engine, &[]) else { continue };
        let add = |member: i64| {
            app.post(&format!(
                "action=ADD&siteid=5&memberid={member}&username=member{member}&password=secret"
            ))
        };
        app.set_unix(NOON - 30 * 86_400);
        add(1);
        app.set_unix(NOON);
        (2..=4).for_each(|member| drop(add(member)));
        app.post("action=ADD&siteid=6&memberid=9&username=eve&password=secret&trial=1");
        app.post("action=DELETE&siteid=5&memberid=2");
        app.post_as_operator("action=DELETE&siteid=5&memberid=3");

        let reader = open_reader(&app.config.location).unwrap();
        let mut collector = Collector::new(0);
        let found = count_all(&mut collector, &*reader, at(NOON));
        let hour =
            |action, count| HourCount { hour: NOON, action: Some(action), word: Word::Ok, count };
        assert_eq!(found.hours, [hour("ADD", 4), hour("DELETE", 1)]);
        assert_eq!(found.complete_since, Some(NOON - 29 * 86_400));
        let last = |site, action| LastPostback { site: Some(site), action: Some(action), at: NOON };
        assert_eq!(found.last, [last(5, "ADD"), last(5, "DELETE"), last(6, "ADD")]);
        assert_eq!(
            found.members,
            [
                SiteMembers { site: Some(5), full: 2, trial: 0, former: 2 },
                SiteMembers { site: Some(6), full: 0, trial: 1, former: 0 }
            ]
        );
        assert_eq!(found.members_at, Some(NOON));

        app.set_unix(NOON + 3_600);
        let refused = app.post("action=CHANGE&siteid=5&memberid=77&new_username=kim");
        let found = count_all(&mut collector, &*reader, at(NOON + 3_600));
        let errors: Vec<&ErrorReply> = found.errors.iter().collect();
        assert_eq!(errors.len(), 1);
        assert_eq!(
            (errors[0].at, errors[0].siteid, errors[0].memberid, errors[0].action),
            (NOON + 3_600, Some(5), Some(77), Some("CHANGE"))
        );
        assert_eq!(errors[0].reply, refused);
        assert_eq!((found.recent.postbacks, found.recent.errors), (1, 1));
        assert_eq!(found.hours.len(), 3);
        let again = count_all(&mut collector, &*reader, at(NOON + 3_600));
        assert_eq!(again.hours, found.hours, "nothing is counted twice");

        collector.measure(&*reader, &Places::of(&app.config.location), NOON).unwrap();
        let found = collector.snapshot(NOON + 3_600);
        assert_eq!(found.backlog, 5, "nothing is hashed yet");
        let is_file = app.config.location.file().is_some();
        assert_eq!(found.sizes.database.is_some(), is_file);
        assert_eq!(found.sizes.free.is_some(), is_file);
        if is_file {
            assert_eq!(found.journal_records, 8);
        }
    }
}
