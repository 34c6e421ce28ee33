//! `/`: what happened lately, and whether all is well. It reads counters and the counts of the
//! statistics thread, and no table.

mod chart;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use minijinja::{Value, context};

use super::page::{Page, times};
use super::times::Times;
use crate::action::NAMES;
use crate::alarms::Alarms;
use crate::counted::{age, counted};
use crate::http::state::ThreadState;
use crate::metrics::{Label as _, Refused};
use crate::ops::session::Session;
use crate::statistics::{ErrorReply, HourCount, LastPostback, Snapshot};
use crate::unicode::Visible;
use chart::{Bar, COLOURS, chart};

const HOUR_SECONDS: i64 = 3_600;
/// Hours of the chart: the current one and those before it.
const HOURS: i64 = 24;
/// The name of postbacks with none of the eight actions, and of sites that are not counted apart.
const OTHER: &str = "other";

/// What the page shows beside the counts of the journal.
struct Facts {
    /// Causes and numbers of refused calls.
    refused: Vec<(&'static str, u64)>,
    /// The age of the newest backup: the outer `None` where the service makes none.
    backup: Option<Option<i64>>,
}

/// The handler.
pub async fn today(
    request: HttpRequest,
    Session(signed): Session,
    state: Data<ThreadState>,
) -> HttpResponse {
    let shared = state.shared();
    let (now, times) = (shared.clock.now(), times(&request));
    let facts = Facts {
        refused: Refused::ALL
            .iter()
            .map(|cause| (in_words(*cause), shared.metrics.refused(*cause)))
            .collect(),
        backup: shared.backup_age.as_ref().map(|age| age.seconds(now)),
    };
    let context = view(&shared.statistics.snapshot(), &facts, now, &times);
    let raised = shared.alarms.as_ref().map(Alarms::raised).unwrap_or_default();
    let alarms: Value = raised
        .iter()
        .map(|raised| {
            let message = Visible(&raised.message).to_string();
            context! { message, since => times.html(raised.since) }
        })
        .collect();
    Page::new("today.html", "Today").with(context! { alarms, ..context }).respond(&request, &signed)
}

fn in_words(cause: Refused) -> &'static str {
    match cause {
        Refused::Token => "wrong or missing token",
        Refused::Address => "right token, from an address that is not allowed (--allow-ip)",
        Refused::Method => "another method than POST and GET",
        Refused::BodyTooLong => "a body that is too long",
        Refused::BodyTooSlow => "a body that was not complete in time",
        Refused::BodyBrokenOff => "a body that broke off",
        Refused::Stopping => "the service was stopping",
    }
}

/// The values of the template.
fn view(snapshot: &Snapshot, facts: &Facts, now: i64, times: &Times) -> Value {
    let (series, hours) = by_hour(&snapshot.hours, now);
    let bars: Vec<Bar> = hours
        .iter()
        .map(|(hour, counts)| Bar { label: times.hour(*hour), counts: counts.clone() })
        .collect();
    let all: u64 = bars.iter().flat_map(|bar| &bar.counts).sum();
    let name = format!(
        "Postbacks of the last {HOURS} hours by hour and action: {all} in all. The table below has \
         the numbers."
    );
    let legend = |(number, name): (usize, &&str)| {
        context! { name => *name, class => format!("c{}", number % COLOURS + 1) }
    };
    let rows = hours.iter().rev().map(|(hour, counts)| {
        let all = counts.iter().sum::<u64>();
        context! { time => times.html(*hour), counts => counts.clone(), all }
    });
    let refused = facts.refused.iter().filter(|(_, count)| *count > 0);
    context! {
        chart => Value::from_safe_string(chart(&name, &series, &bars)),
        legend => series.iter().enumerate().map(legend).collect::<Value>(),
        hours => rows.collect::<Value>(),
        complete => completeness(snapshot, now, times),
        facts => now_facts(snapshot, facts, now, times),
        last => snapshot.last.iter().map(|last| last_row(last, now, times)).collect::<Value>(),
        errors => snapshot.errors.iter().map(|error| error_row(error, times)).collect::<Value>(),
        refused => refused
            .map(|(cause, count)| context! { cause => *cause, count => *count })
            .collect::<Value>(),
    }
}

/// The actions that occur in the hours of the chart, and the counts of each hour in their order.
fn by_hour(counts: &[HourCount], now: i64) -> (Vec<&'static str>, Vec<(i64, Vec<u64>)>) {
    let this_hour = now - now.rem_euclid(HOUR_SECONDS);
    let first = this_hour - (HOURS - 1) * HOUR_SECONDS;
    let shown = || counts.iter().filter(|count| (first..=this_hour).contains(&count.hour));
    let occurs = |name: &&str| shown().any(|count| count.action.unwrap_or(OTHER) == *name);
    let mut series: Vec<&'static str> =
        NAMES.into_iter().filter(|name| *name != "CHECK").chain([OTHER]).filter(occurs).collect();
    if series.is_empty() {
        series.push(NAMES[0]);
    }
    let hours = (0..HOURS).map(|number| {
        let hour = first + number * HOUR_SECONDS;
        let of = |name: &&str| {
            let is_this =
                |count: &&HourCount| count.hour == hour && count.action.unwrap_or(OTHER) == *name;
            shown().filter(is_this).map(|count| count.count).sum()
        };
        (hour, series.iter().map(of).collect())
    });
    let hours = hours.collect();
    (series, hours)
}

fn completeness(snapshot: &Snapshot, now: i64, times: &Times) -> String {
    let complete = match snapshot.complete_since {
        None => "The journal of the time before the start is still being read.".to_owned(),
        Some(since) if since > now - (HOURS - 1) * HOUR_SECONDS => {
            format!("The counts are complete since {}.", times.text(since))
        }
        Some(_) => String::new(),
    };
    let read = match snapshot.at {
        0 => "The journal was not read yet.".to_owned(),
        at => format!("The journal was read {} ago.", age(now - at)),
    };
    let checks = "CHECKs are not counted here, because they change nothing and are not journalled.";
    [complete, read, checks.to_owned()]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn now_facts(snapshot: &Snapshot, facts: &Facts, now: i64, times: &Times) -> Value {
    let fact = |name: &str, value: Value| context! { name, value };
    let judged = |name: &str, class: &str, word: &str, value: String| {
        context! { name, class, word, value }
    };
    let newest = snapshot.last.iter().map(|last| last.at).max();
    let newest = match newest {
        None => "none yet".to_owned(),
        Some(at) => format!("{} ({} ago)", times.text(at), age(now - at)),
    };
    let recent = snapshot.recent;
    let share = match (recent.postbacks, recent.errors) {
        (0, _) => "no postback in the last hour".to_owned(),
        (all, errors) => format!("{errors} of {} in the last hour", counted(all, "postback")),
    };
    let errors = match recent.errors {
        0 => judged("ERROR replies", "good", "none", share),
        _ => judged("ERROR replies", "warn", "look", share),
    };
    let backup = match facts.backup {
        None => fact("Last backup", "not made by the service (--backup-every)".into()),
        Some(None) => judged("Last backup", "bad", "none", "there is no backup yet".into()),
        Some(Some(seconds)) => fact("Last backup", format!("{} ago", age(seconds)).into()),
    };
    let sum = |count: fn(&crate::statistics::SiteMembers) -> u64| {
        snapshot.members.iter().map(count).sum::<u64>()
    };
    let members = match snapshot.members_at {
        None => "not counted yet".to_owned(),
        Some(_) => format!(
            "{} full, {} on trial, {} former",
            sum(|of| of.full),
            sum(|of| of.trial),
            sum(|of| of.former)
        ),
    };
    let passwords = format!("{} to be hashed", counted(snapshot.backlog, "password"));
    [
        fact("Newest postback", newest.into()),
        errors,
        fact("Backlog", passwords.into()),
        backup,
        fact("Members", members.into()),
        fact("Journal", counted(snapshot.journal_records, "record").into()),
    ]
    .into_iter()
    .collect()
}

fn last_row(last: &LastPostback, now: i64, times: &Times) -> Value {
    context! {
        site => last.site.map_or_else(|| OTHER.to_owned(), |site| site.to_string()),
        action => last.action.unwrap_or(OTHER),
        at => times.html(last.at),
        ago => age(now - last.at),
    }
}

fn error_row(error: &ErrorReply, times: &Times) -> Value {
    let number = |id: Option<i64>| id.map_or_else(|| "–".to_owned(), |id| id.to_string());
    context! {
        id => error.id,
        at => times.html(error.at),
        action => error.action.unwrap_or("–"),
        site => number(error.siteid),
        member => number(error.memberid),
        reply => Visible(&error.reply).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Zone;
    use crate::ops::console::templates::render_template;
    use crate::reply::Word;

    const NOW: i64 = 1_781_524_800 + 120;

    fn count(hours_ago: i64, action: Option<&'static str>, count: u64) -> HourCount {
        let hour = 1_781_524_800 - hours_ago * HOUR_SECONDS;
        HourCount { hour, action, word: Word::Ok, count }
    }

    fn html(snapshot: &Snapshot, facts: &Facts) -> String {
        let context = view(snapshot, facts, NOW, &Times::new(Zone::UTC));
        let frame = context! {
            title => "Today",
            messages => Vec::<Value>::new(),
            alarms => Vec::<Value>::new(),
        };
        render_template("today.html", &context! { ..context, ..frame }).unwrap()
    }

    #[test]
    fn the_counts_are_those_of_the_last_24_hours_by_action() {
        let counts = [
            count(0, Some("ADD"), 3),
            count(0, Some("DELETE"), 1),
            count(23, None, 2),
            count(24, Some("EXPIRE"), 9),
            count(-1, Some("EXPIRE"), 9),
            HourCount { word: Word::Error, ..count(0, Some("ADD"), 4) },
        ];
        let (series, hours) = by_hour(&counts, NOW);
        assert_eq!(series, ["ADD", "DELETE", "other"]);
        assert_eq!(hours.len(), 24);
        assert_eq!(hours[23], (1_781_524_800, vec![7, 1, 0]));
        assert_eq!(hours[0], (1_781_524_800 - 23 * 3_600, vec![0, 0, 2]));
    }

    #[test]
    fn a_day_without_anything_says_so() {
        let facts = Facts { refused: vec![("x", 0)], backup: None };
        let html = html(&Snapshot::default(), &facts);
        for text in [
            "There is no postback yet.",
            "No postback was answered ERROR.",
            "No call was refused.",
            "The journal was not read yet.",
            "not made by the service (--backup-every)",
        ] {
            assert!(html.contains(text), "{text}: {html}");
        }
    }

    #[test]
    fn what_callers_wrote_is_escaped() {
        let mut snapshot = Snapshot { at: NOW - 2, complete_since: Some(0), ..Snapshot::default() };
        snapshot.errors.push_back(ErrorReply {
            id: 7,
            at: NOW,
            siteid: Some(1),
            memberid: None,
            action: Some("ADD"),
            reply: "ERROR|username: found \"<script>alert(1)</script>\u{202e}\"".into(),
        });
        let facts = Facts { refused: vec![("wrong token", 12)], backup: Some(None) };
        let html = html(&snapshot, &facts);
        assert!(html.contains("&lt;script&gt;alert(1)&lt;&#x2f;script&gt;\\u{202e}"), "{html}");
        assert!(!html.contains("<script"), "{html}");
        assert!(html.contains("<td class=\"number\">12</td>"), "{html}");
        assert!(html.contains("there is no backup yet"), "{html}");
    }
}
