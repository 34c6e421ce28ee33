//! The text of `/metrics`: counters, counts of the journal and sizes, in the format of Prometheus.
//! It reads no table and no file.

mod family;

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, prometheus_text};
use prometheus_client::registry::Registry;

use family::Families;

use crate::action::NAMES;
use crate::metrics::{
    Asker, Call, Histogram, Label, Metrics, Outcome, PostbackLabels, Refused, TypedAt, Way,
};
use crate::reply::Word;
use crate::statistics::Snapshot;

/// The type of the text, for the header of a response.
pub const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// The value of a label for what has none of the known values.
const NONE: &str = "none";
/// The sites that are counted together.
const OTHER: &str = "other";

/// What is shown.
#[derive(Debug)]
pub struct Exposed<'a> {
    /// The counters.
    pub metrics: &'a Metrics,
    /// The counts of the journal and of the members.
    pub snapshot: Arc<Snapshot>,
    /// How many passwords wait to be hashed.
    pub hash_queue: usize,
    /// How long they waited.
    pub hash_waits: &'a Histogram,
    /// When the newest backup was made, unix seconds; `None` without one.
    pub backup_at: Option<i64>,
    /// The differences from NATS's list of members at the last comparison; `None` without one.
    pub differences: Option<u64>,
    /// How many alarms are raised; `None` without alarms.
    pub alarms: Option<usize>,
    /// The kind of database: `sqlite` or `mysql`.
    pub engine: &'static str,
    /// When the service was started, unix seconds.
    pub started_at: i64,
}

/// The text of `/metrics`.
pub fn text(exposed: &Exposed<'_>) -> String {
    let mut registry = Registry::with_prefix("nats_userman");
    registry.register_collector(Box::new(Families::of(exposed)));
    let mut text = String::with_capacity(64 * 1024);
    // Writing to a String cannot fail, and our labels do not.
    let _ = prometheus_text::encode(&mut text, &registry);
    text
}

impl Collector for Families {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        self.encode_all(encoder)
    }
}

impl Families {
    fn of(exposed: &Exposed<'_>) -> Self {
        let mut families = Self::default();
        families.add_writing(exposed.metrics);
        families.add_visitors(exposed);
        families.add_database(exposed);
        families.add_service(exposed);
        families
    }

    /// Postbacks, and the writer's work.
    fn add_writing(&mut self, metrics: &Metrics) {
        let mut postbacks = Vec::new();
        for (action, name) in NAMES.into_iter().chain([NONE]).enumerate() {
            for word in Word::ALL {
                for (is_unavailable, status) in [(false, "200"), (true, "503")] {
                    let labels = PostbackLabels { action, word: word as usize, is_unavailable };
                    let labels_text =
                        vec![("action", name), ("word", word.as_str()), ("status", status)];
                    postbacks.push((texts(&labels_text), metrics.postbacks(labels)));
                }
            }
        }
        self.counters(
            "postbacks",
            "Answers to postbacks, by action, reply word and status",
            postbacks,
        );
        self.counters(
            "refused_calls",
            "Calls of the postback address that were refused, by cause",
            Refused::ALL
                .iter()
                .map(|cause| (texts(&[("cause", cause.text())]), metrics.refused(*cause)))
                .collect(),
        );
        self.gauge(
            "queue_postbacks",
            "Postbacks that wait for their commit",
            metrics.queue_depth() as f64,
        );
        self.histogram(
            "queue_wait_seconds",
            "How long postbacks waited until the writer took them",
            metrics.waits(),
        );
        self.histogram("batch_postbacks", "Postbacks in a transaction", metrics.batches());
        self.histogram("commit_seconds", "How long a commit took", metrics.commit_times());
        self.histogram(
            "checkpoint_seconds",
            "How long a checkpoint took, which copies the WAL into the database file",
            metrics.checkpoints(),
        );
        self.counters(
            "lost_transactions",
            "Transactions that the database lost and that were run again",
            vec![(Vec::new(), metrics.lost_transactions())],
        );
    }

    /// Logins, checks and authstrings.
    fn add_visitors(&mut self, exposed: &Exposed<'_>) {
        let metrics = exposed.metrics;
        let mut logins = Vec::new();
        for at in TypedAt::ALL {
            for outcome in Outcome::ALL.iter().filter(|outcome| **outcome != Outcome::Idle) {
                let labels = texts(&[("way", at.text()), ("outcome", outcome.text())]);
                logins.push((labels, metrics.typed(*at, *outcome)));
            }
        }
        self.counters("logins", "Names and passwords that were typed, by outcome", logins);
        self.gauge(
            "hash_queue_passwords",
            "Passwords of logins that wait to be hashed",
            exposed.hash_queue as f64,
        );
        self.histogram(
            "hash_wait_seconds",
            "How long passwords of logins waited until they were hashed",
            exposed.hash_waits,
        );
        let mut checks = Vec::new();
        for asker in Asker::ALL {
            for way in Way::ALL {
                for outcome in Outcome::ALL {
                    let labels = texts(&[
                        ("listener", asker.text()),
                        ("way", way.text()),
                        ("outcome", outcome.text()),
                    ]);
                    checks.push((labels, metrics.checks(*asker, *way, *outcome)));
                }
            }
        }
        self.counters(
            "checks",
            "Answers to web servers whether a visitor is a member, by what the visitor showed",
            checks,
        );
        self.counters(
            "authstring_calls",
            "Calls of the REST API for authstrings, by outcome",
            Call::ALL
                .iter()
                .map(|call| (texts(&[("outcome", call.text())]), metrics.calls(*call)))
                .collect(),
        );
    }

    /// Members, journal and sizes.
    fn add_database(&mut self, exposed: &Exposed<'_>) {
        let snapshot = &exposed.snapshot;
        let mut members = Vec::new();
        for site in &snapshot.members {
            for (state, count) in
                [("full", site.full), ("trial", site.trial), ("former", site.former)]
            {
                let labels = vec![("site", site_text(site.site)), ("state", state.to_owned())];
                members.push((labels, count as f64));
            }
        }
        self.gauges("members", "Members by site and state", members);
        let last = snapshot.last.iter().map(|last| {
            let action = last.action.unwrap_or(NONE).to_owned();
            (vec![("site", site_text(last.site)), ("action", action)], last.at as f64)
        });
        self.gauges(
            "last_postback_timestamp_seconds",
            "When the last postback of a site came, by action",
            last.collect(),
        );
        self.gauge(
            "sealed_credentials",
            "Credentials that wait to be hashed in the background",
            snapshot.backlog as f64,
        );
        self.gauge(
            "journal_records",
            "About how many records the journal has",
            snapshot.journal_records as f64,
        );
        for (name, help, bytes) in [
            ("database_bytes", "The size of the database file", snapshot.sizes.database),
            ("wal_bytes", "The size of the WAL", snapshot.sizes.log),
            (
                "disk_free_bytes",
                "What the service can still write on the disk of the database",
                snapshot.sizes.free,
            ),
        ] {
            if let Some(bytes) = bytes {
                self.gauge(name, help, bytes as f64);
            }
        }
        if snapshot.sizes.log.is_some() {
            self.gauge(
                "wal_reader_seconds",
                "The age of the read transaction that keeps the WAL from being reset, or 0",
                exposed.metrics.long_read_seconds() as f64,
            );
        }
        self.gauge(
            "statistics_timestamp_seconds",
            "When the journal was last read for these metrics",
            snapshot.at as f64,
        );
    }

    /// Backups, comparisons, alarms and the program itself.
    fn add_service(&mut self, exposed: &Exposed<'_>) {
        for (name, help, value) in [
            (
                "last_backup_timestamp_seconds",
                "When the newest backup was made",
                exposed.backup_at.map(|at| at as f64),
            ),
            (
                "reconcile_differences",
                "Members that differ from NATS's list, at the last comparison",
                exposed.differences.map(|count| count as f64),
            ),
            (
                "alarms_raised",
                "Alarms of the service that are raised",
                exposed.alarms.map(|count| count as f64),
            ),
        ] {
            if let Some(value) = value {
                self.gauge(name, help, value);
            }
        }
        self.gauge("start_time_seconds", "When the service was started", exposed.started_at as f64);
        let build = texts(&[("version", env!("CARGO_PKG_VERSION")), ("engine", exposed.engine)]);
        self.gauges(
            "build_info",
            "The version of the program and its database",
            vec![(build, 1.0)],
        );
    }
}

fn site_text(site: Option<i64>) -> String {
    site.map_or_else(|| OTHER.to_owned(), |site| site.to_string())
}

fn texts(labels: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

#[cfg(test)]
mod tests;
