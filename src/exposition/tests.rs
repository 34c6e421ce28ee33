use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::statistics::{LastPostback, SiteMembers, Sizes};

/// Each metric with its kind and its labels. Operators' rules and dashboards use them, so that a
/// change here is a change for them: docs/metrics.md and the CHANGELOG name it.
const PINNED: [(&str, &str, &str); 27] = [
    ("nats_userman_alarms_raised", "gauge", ""),
    ("nats_userman_authstring_calls_total", "counter", "outcome"),
    ("nats_userman_batch_postbacks", "histogram", ""),
    ("nats_userman_build_info", "gauge", "version engine"),
    ("nats_userman_checkpoint_seconds", "histogram", ""),
    ("nats_userman_checks_total", "counter", "listener way outcome"),
    ("nats_userman_commit_seconds", "histogram", ""),
    ("nats_userman_database_bytes", "gauge", ""),
    ("nats_userman_disk_free_bytes", "gauge", ""),
    ("nats_userman_hash_queue_passwords", "gauge", ""),
    ("nats_userman_hash_wait_seconds", "histogram", ""),
    ("nats_userman_journal_records", "gauge", ""),
    ("nats_userman_last_backup_timestamp_seconds", "gauge", ""),
    ("nats_userman_last_postback_timestamp_seconds", "gauge", "site action"),
    ("nats_userman_logins_total", "counter", "way outcome"),
    ("nats_userman_lost_transactions_total", "counter", ""),
    ("nats_userman_members", "gauge", "site state"),
    ("nats_userman_postbacks_total", "counter", "action word status"),
    ("nats_userman_queue_postbacks", "gauge", ""),
    ("nats_userman_queue_wait_seconds", "histogram", ""),
    ("nats_userman_reconcile_differences", "gauge", ""),
    ("nats_userman_refused_calls_total", "counter", "cause"),
    ("nats_userman_sealed_credentials", "gauge", ""),
    ("nats_userman_start_time_seconds", "gauge", ""),
    ("nats_userman_statistics_timestamp_seconds", "gauge", ""),
    ("nats_userman_wal_bytes", "gauge", ""),
    ("nats_userman_wal_reader_seconds", "gauge", ""),
];

const DOC: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md"));

/// A text with every metric in it.
fn everything() -> String {
    let metrics = Metrics::default();
    metrics.count_postback(PostbackLabels { action: 4, word: 2, is_unavailable: false });
    metrics.count_postback(PostbackLabels { action: 8, word: 2, is_unavailable: true });
    metrics.count_check(Asker::Fastcgi, Way::Cookie, Outcome::Admitted);
    metrics.count_wait(Duration::from_millis(2));
    let snapshot = Snapshot {
        at: 1_781_524_800,
        members: vec![
            SiteMembers { site: Some(5), full: 7, trial: 2, former: 1 },
            SiteMembers { site: None, full: 1, trial: 0, former: 0 },
        ],
        last: vec![LastPostback { site: Some(5), action: None, at: 1_781_524_799 }],
        journal_records: 12,
        backlog: 3,
        sizes: Sizes { database: Some(4_096), log: Some(0), free: Some(1 << 40) },
        ..Snapshot::default()
    };
    text(&Exposed {
        metrics: &metrics,
        snapshot: Arc::new(snapshot),
        hash_queue: 1,
        hash_waits: &Histogram::of_times(),
        backup_at: Some(1_781_524_000),
        differences: Some(0),
        alarms: Some(1),
        engine: "sqlite",
        started_at: 1_781_500_000,
    })
}

/// The name, the kind and the labels of each metric in a text.
fn metrics_of(text: &str) -> Vec<(String, String, String)> {
    let (mut found, mut helped) = (BTreeMap::new(), Vec::new());
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, sentence) = help.split_once(' ').unwrap();
            assert!(!sentence.is_empty(), "{line}");
            helped.push(name.to_owned());
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(found.insert(name.to_owned(), (kind.to_owned(), String::new())).is_none());
        } else {
            let (name, labels) = line.split_once(['{', ' ']).unwrap();
            let base = ["_bucket", "_sum", "_count"]
                .iter()
                .filter_map(|end| name.strip_suffix(end))
                .find(|base| found.contains_key(*base))
                .unwrap_or(name);
            let labels = labels.split_once("} ").map_or("", |(labels, _)| labels);
            let names: Vec<&str> = labels
                .split(',')
                .filter_map(|label| label.split_once('=').map(|(name, _)| name))
                .filter(|name| *name != "le")
                .collect();
            found.get_mut(base).unwrap_or_else(|| panic!("{line}")).1 = names.join(" ");
        }
    }
    assert_eq!(helped.len(), found.len());
    found.into_iter().map(|(name, (kind, labels))| (name, kind, labels)).collect()
}

#[test]
fn the_names_the_kinds_and_the_labels_of_all_metrics_are_pinned() {
    let text = everything();
    let found = metrics_of(&text);
    let found: Vec<(&str, &str, &str)> =
        found.iter().map(|(name, kind, labels)| (&**name, &**kind, &**labels)).collect();
    assert_eq!(found, PINNED);
}

#[test]
fn docs_metrics_lists_each_metric_with_its_kind_and_its_labels() {
    let rows: Vec<(String, String, String)> = DOC
        .lines()
        .filter_map(|line| line.strip_prefix("| `nats_userman_"))
        .map(|row| {
            let mut cells =
                row.split('|').map(|cell| cell.replace(['`', ','], "").trim().to_owned());
            let mut cell = || cells.next().unwrap();
            (format!("nats_userman_{}", cell()), cell(), cell())
        })
        .collect();
    let mut rows: Vec<(&str, &str, &str)> =
        rows.iter().map(|(name, kind, labels)| (&**name, &**kind, &**labels)).collect();
    rows.sort_unstable();
    assert_eq!(rows, PINNED);
}

#[test]
fn values_stand_behind_their_labels() {
    let text = everything();
    for line in [
        "nats_userman_postbacks_total{action=\"DELETE\",word=\"ERROR\",status=\"200\"} 1",
        "nats_userman_postbacks_total{action=\"none\",word=\"ERROR\",status=\"503\"} 1",
        "nats_userman_postbacks_total{action=\"ADD\",word=\"OK\",status=\"200\"} 0",
        "nats_userman_checks_total{listener=\"fastcgi\",way=\"cookie\",outcome=\"admitted\"} 1",
        "nats_userman_members{site=\"5\",state=\"trial\"} 2.0",
        "nats_userman_members{site=\"other\",state=\"full\"} 1.0",
        "nats_userman_last_postback_timestamp_seconds{site=\"5\",action=\"none\"} 1781524799.0",
        "nats_userman_queue_wait_seconds_bucket{le=\"0.0025\"} 1",
        "nats_userman_queue_wait_seconds_bucket{le=\"+Inf\"} 1",
        "nats_userman_queue_wait_seconds_count 1",
        "nats_userman_sealed_credentials 3.0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in:\n{text}");
    }
}

#[test]
fn a_database_on_a_server_has_no_sizes_here_and_what_is_not_configured_is_absent() {
    let metrics = Metrics::default();
    let text = text(&Exposed {
        metrics: &metrics,
        snapshot: Arc::new(Snapshot::default()),
        hash_queue: 0,
        hash_waits: &Histogram::of_times(),
        backup_at: None,
        differences: None,
        alarms: None,
        engine: "mysql",
        started_at: 1,
    });
    for absent in
        ["wal", "database_bytes", "disk", "backup", "reconcile", "alarms", "members", "last_"]
    {
        let name = format!("nats_userman_{absent}");
        assert!(!text.contains(&name), "{name}:\n{text}");
    }
}
