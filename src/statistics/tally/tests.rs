use super::*;

/// A Monday, 12:00 UTC.
const NOON: i64 = 1_781_524_800;

fn record(id: i64, at: i64, action: &'static str, site: i64, word: Word) -> RecordSummary {
    RecordSummary {
        id,
        at,
        is_of_nats: true,
        action: Some(action),
        siteid: Some(site),
        memberid: Some(71),
        word: Some(word),
        error: (word == Word::Error).then(|| format!("ERROR|number {id}")),
    }
}

fn snapshot(tally: &Tally, now: i64) -> Snapshot {
    let mut snapshot = Snapshot::default();
    tally.put_into(&mut snapshot, now, 0);
    snapshot
}

#[test]
fn postbacks_are_counted_by_hour_action_and_word_and_older_ones_than_two_days_are_not() {
    let mut tally = Tally::default();
    for (id, at, action, word) in [
        (1, NOON - 48 * 3_600, "ADD", Word::Ok),
        (2, NOON - 47 * 3_600, "ADD", Word::Ok),
        (3, NOON + 10, "DELETE", Word::Ok),
        (4, NOON + 20, "DELETE", Word::Ok),
        (5, NOON + 30, "ADD", Word::Error),
    ] {
        tally.add(record(id, at, action, 5, word), NOON + 60);
    }
    let of_command = RecordSummary { is_of_nats: false, ..record(6, NOON, "ADD", 5, Word::Ok) };
    tally.add(of_command, NOON + 60);
    tally.add(record(7, NOON + 99_999, "ADD", 5, Word::Ok), NOON + 60);
    let count = |hour, action, word, count| HourCount { hour, action: Some(action), word, count };
    let now = snapshot(&tally, NOON + 60);
    assert_eq!(
        now.hours,
        [
            count(NOON - 47 * 3_600, "ADD", Word::Ok, 1),
            count(NOON, "ADD", Word::Error, 1),
            count(NOON, "DELETE", Word::Ok, 2)
        ]
    );
    assert_eq!(now.recent, Recent { postbacks: 3, errors: 1 });
    let later = snapshot(&tally, NOON + 3_600);
    assert_eq!(later.hours.len(), 2, "the oldest hour is out");
    assert_eq!(later.recent, Recent::default(), "an hour later");
}

#[test]
fn the_last_postback_of_each_site_and_action_is_known_and_others_are_one_site() {
    let mut tally = Tally::default();
    // As the journal is read: the newest first.
    tally.add(record(9, NOON, "ADD", 1, Word::Ok), NOON);
    tally.add(record(8, NOON - 9, "ADD", 1, Word::Ok), NOON);
    tally.add(record(7, NOON - 5, "DELETE", 1, Word::Error), NOON);
    let last = |site, action, at| LastPostback { site, action, at };
    let expected = [last(Some(1), Some("ADD"), NOON), last(Some(1), Some("DELETE"), NOON - 5)];
    assert_eq!(snapshot(&tally, NOON).last, expected);

    for site in 2..=150 {
        tally.add(record(site, NOON + site, "EXPIRE", site, Word::Ok), NOON + 200);
    }
    let nothing =
        RecordSummary { siteid: None, action: None, ..record(5, NOON, "ADD", 1, Word::Error) };
    tally.add(nothing, NOON + 200);
    let found = snapshot(&tally, NOON + 200).last;
    assert_eq!(found.len(), SITES_MAX + 1 + 2);
    assert_eq!(found[found.len() - 2], last(None, Some("EXPIRE"), NOON + 150));
    assert_eq!(found[found.len() - 1], last(None, None, NOON));
}

#[test]
fn the_newest_fifty_error_replies_are_kept_in_whichever_order_they_are_read() {
    let mut tally = Tally::default();
    let ids = (100..160).chain((40..100).rev());
    ids.for_each(|id| tally.add(record(id, NOON + id, "ADD", 1, Word::Error), NOON + 200));
    let errors = snapshot(&tally, NOON + 200).errors;
    let ids: Vec<i64> = errors.iter().map(|error| error.id).collect();
    assert_eq!(ids, (110..160).rev().collect::<Vec<_>>());
    assert_eq!(errors[0].reply, "ERROR|number 159");
    let long = "x".repeat(5_000);
    tally
        .add(RecordSummary { error: Some(long), ..record(500, NOON, "ADD", 1, Word::Error) }, NOON);
    assert_eq!(snapshot(&tally, NOON).errors[0].reply.len(), REPLY_BYTES_MAX);
}

#[test]
fn a_silence_is_compared_with_the_same_hours_of_the_weeks_that_are_known() {
    let mut tally = Tally::default();
    // Ten each hour for three weeks and a day, until noon.
    for hour in 0..=22 * 24 {
        for minute in 0..10 {
            let at = NOON - hour * 3_600 - 60 * minute;
            tally.add(record(NOON - at, at, "ADD", 5, Word::Ok), NOON);
        }
    }
    let silence = |now, known_since| {
        let mut snapshot = Snapshot::default();
        tally.put_into(&mut snapshot, now, known_since);
        snapshot.silences.remove(0)
    };
    let found = silence(NOON + 5_400, 0);
    assert_eq!((found.site, found.since), (5, NOON));
    assert_eq!(found.weeks.len(), 3, "the fourth week is older than the site");
    assert!(found.weeks.iter().all(|count| (14.0..=16.0).contains(count)), "{found:?}");
    let known = silence(NOON + 5_400, NOON - 8 * 86_400);
    assert_eq!(known.weeks.len(), 1, "the journal was read for eight days only");
    let long = silence(NOON + 9 * 86_400, 0);
    assert!(long.weeks[0] < 1_700.0 && long.weeks[1] > 2_000.0, "{long:?}");
}
