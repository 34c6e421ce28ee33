//! Metrics, as the real Prometheus reads them.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::metrics::after_one_add;
use crate::support::pages::root;
use crate::support::{App, EngineKind, eventually, real_program, temp_dir};

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
    for engine in [EngineKind::Sqlite, EngineKind::MariaDb] {
        let Some(text) = after_one_add(engine) else { continue };
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
