//! Metrics, as Prometheus reads them: the real one, its rules and the dashboard.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::{
    App, ENGINES, EngineKind, Request, eventually, real_program, send_raw, temp_dir,
};

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

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

fn promtool(arguments: &[&str]) -> Option<()> {
    let output = Command::new(real_program("promtool")?).args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&said));
    Some(())
}

#[test]
fn promtool_accepts_the_rules_and_the_configuration_and_their_tests_succeed() {
    let path = |name: &str| root(name).to_str().unwrap().to_owned();
    let rules = path("examples/prometheus-rules.yml");
    if promtool(&["check", "rules", &rules]).is_none() {
        return;
    }
    promtool(&["check", "config", &path("examples/prometheus.yml")]);
    for tests in ["rules.yml", "silence.yml"] {
        promtool(&["test", "rules", &path(&format!("tests/prometheus/{tests}"))]);
    }
}

#[test]
fn the_text_of_metrics_is_what_promtool_expects_on_each_engine() {
    for engine in ENGINES {
        let Some(app) = App::start_on_engine(engine, &["--ops-listen", "127.0.0.1:0"]) else {
            continue;
        };
        app.post("action=ADD&siteid=5&memberid=71&username=bob&password=secret");
        let text = || metrics(app.ops.unwrap());
        eventually("the member is counted", || {
            text().contains("nats_userman_members{site=\"5\",state=\"full\"} 1.0\n")
        });
        let text = text();
        for line in [
            "nats_userman_postbacks_total{action=\"ADD\",word=\"OK\",status=\"200\"} 1",
            "nats_userman_batch_postbacks_bucket{le=\"1\"} 1",
            "nats_userman_queue_wait_seconds_count 1",
            "nats_userman_queue_postbacks 0.0",
            "nats_userman_sealed_credentials 1.0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} on {engine:?}:\n{text}");
        }
        let is_sqlite = matches!(engine, EngineKind::Sqlite);
        assert_eq!(text.contains("nats_userman_wal_bytes"), is_sqlite);
        assert!(!text.contains("secret") && !text.contains("bob"), "{text}");
        let Some(promtool) = real_program("promtool") else { continue };
        let mut check = Command::new(promtool)
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        check.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = check.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success() && said.is_empty(), "{said}");
    }
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

fn metrics(ops: SocketAddr) -> String {
    let response = send_raw(ops, Request::get("/metrics").host("localhost")).unwrap();
    assert_eq!(response.status, 200, "{}", response.body);
    response.body
}

/// What Prometheus answers.
fn answer(prometheus: SocketAddr, path: &str) -> Option<Value> {
    let mut response = ureq::get(format!("http://{prometheus}{path}")).call().ok()?;
    serde_json::from_str(&response.body_mut().read_to_string().ok()?).ok()
}

/// Prometheus, which ends with the test.
struct Prometheus(Child);

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_real_prometheus_scrapes_the_service_and_evaluates_its_rules() {
    let Some(program) = real_program("prometheus") else { return };
    let app = App::start_with(&["--ops-listen", "127.0.0.1:0"]);
    app.post("action=ADD&siteid=5&memberid=71&username=bob&password=secret");
    let dir = temp_dir();
    // The file of the examples, with this address and a short interval.
    let config = fs::read_to_string(root("examples/prometheus.yml")).unwrap();
    let config = config
        .replace("127.0.0.1:9180\"]", &format!("{}\"]", app.ops.unwrap()))
        .replace("scrape_interval: 15s", "scrape_interval: 1s")
        .replace("evaluation_interval: 30s", "evaluation_interval: 1s");
    let file = dir.path().join("prometheus.yml");
    fs::write(&file, config).unwrap();
    fs::copy(root("examples/prometheus-rules.yml"), dir.path().join("prometheus-rules.yml"))
        .unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let child = Command::new(program)
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
        .arg(format!("--web.listen-address={free}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _prometheus = Prometheus(child);
    let query = |expression: &str| -> Option<Value> {
        let answer = answer(free, &format!("/api/v1/query?query={expression}"))?;
        answer["data"]["result"].as_array()?.first().cloned()
    };
    eventually("the metrics were scraped", || {
        query("nats_userman_postbacks_total%7Baction=%22ADD%22,word=%22OK%22,status=%22200%22%7D")
            .is_some_and(|found| found["value"][1] == "1")
    });
    let up = query("up%7Bjob=%22nats-userman%22%7D").unwrap();
    assert_eq!(up["value"][1], "1", "{up}");
    let version = query("nats_userman_build_info").unwrap();
    assert_eq!(version["metric"]["version"], env!("CARGO_PKG_VERSION"));
    let rules = answer(free, "/api/v1/rules").unwrap();
    let rules = rules["data"]["groups"][0]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 13);
    assert!(rules.iter().all(|rule| rule["health"] != "err"), "{rules:#?}");
}
