//! Metrics, as Prometheus reads them: its rules and the dashboard. `tests/servers` has the real
//! Prometheus.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::support::metrics::{after_one_add, metrics};
use crate::support::pages::root;
use crate::support::{App, EngineKind};

/// The metrics of docs/metrics.md, which another test compares with the program.
fn listed() -> BTreeSet<String> {
    let text = fs::read_to_string(root("docs/metrics.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let names: BTreeSet<String> =
        rows.filter_map(|row| Some(row.split_once('`')?.0.to_owned())).collect();
    assert!(names.len() > 20);
    names
}

/// The metrics that a text names, without what Prometheus adds to a histogram.
fn named(text: &str) -> BTreeSet<String> {
    let listed = listed();
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("nats_userman_"))
        .map(|word| {
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end));
            base.filter(|base| listed.contains(*base)).unwrap_or(word).to_owned()
        })
        .collect()
}

#[test]
fn the_rules_and_the_dashboard_name_metrics_that_exist() {
    for file in ["examples/prometheus-rules.yml", "examples/grafana-dashboard.json"] {
        let text = fs::read_to_string(root(file)).unwrap();
        let unknown: Vec<String> = named(&text).difference(&listed()).cloned().collect();
        assert_eq!(unknown, [""; 0], "{file}");
    }
    let text = fs::read_to_string(root("examples/grafana-dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<i64> = panels.iter().map(|panel| panel["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert!(panel["targets"][0]["expr"].is_string(), "{panel}");
    }
    let unused: Vec<String> = listed().difference(&named(&text)).cloned().collect();
    assert_eq!(unused, [""; 0], "metrics that the dashboard does not show");
}

#[test]
fn the_text_of_metrics_says_what_happened() {
    after_one_add(EngineKind::Sqlite).unwrap();
}

#[test]
fn what_happens_at_the_service_is_counted() {
    let app = App::start_with(&["--ops-listen", "127.0.0.1:0", "--allow-ip", "127.0.0.0/8"]);
    app.post("action=ADD&siteid=5&memberid=71&username=bob&password=secret");
    app.post("action=CHECK&siteid=5&username=bob");
    app.post("action=CHECK&siteid=5&username=ann");
    app.post("action=CHANGE&siteid=5&memberid=72&new_username=kim");
    app.post("action=NONSENSE");
    let raw =
        |head: &str| drop(app.send(format!("{head}\r\nHost: x\r\nConnection: close\r\n\r\n")));
    raw("GET /postback/wrong HTTP/1.1");
    raw("GET /auth?site=5 HTTP/1.1");
    // bob:secret, and bob:guess.
    raw("GET /auth?site=5 HTTP/1.1\r\nAuthorization: Basic Ym9iOnNlY3JldA==");
    raw("GET /auth?site=5 HTTP/1.1\r\nAuthorization: Basic Ym9iOmd1ZXNz");
    raw("GET /auth HTTP/1.1");
    raw("GET /api/member/authstring?siteid=5&username=bob HTTP/1.1");
    let text = metrics(app.ops.unwrap());
    for line in [
        "postbacks_total{action=\"ADD\",word=\"OK\",status=\"200\"} 1",
        "postbacks_total{action=\"CHECK\",word=\"OK\",status=\"200\"} 1",
        "postbacks_total{action=\"CHECK\",word=\"NOTOK\",status=\"200\"} 1",
        "postbacks_total{action=\"CHANGE\",word=\"ERROR\",status=\"200\"} 1",
        "postbacks_total{action=\"none\",word=\"ERROR\",status=\"200\"} 1",
        "refused_calls_total{cause=\"token\"} 1",
        "refused_calls_total{cause=\"address\"} 0",
        "checks_total{listener=\"auth\",way=\"none\",outcome=\"login\"} 1",
        "checks_total{listener=\"auth\",way=\"basic\",outcome=\"admitted\"} 1",
        "checks_total{listener=\"auth\",way=\"basic\",outcome=\"login\"} 1",
        "checks_total{listener=\"auth\",way=\"none\",outcome=\"invalid\"} 1",
        "logins_total{way=\"basic\",outcome=\"admitted\"} 1",
        "logins_total{way=\"basic\",outcome=\"login\"} 1",
        "authstring_calls_total{outcome=\"not_allowed\"} 1",
        "hash_wait_seconds_count 2",
        "queue_wait_seconds_count 3",
    ] {
        let line = format!("nats_userman_{line}");
        assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
    }
}
