//! The metrics of a service, as text.

use std::net::SocketAddr;

use super::{App, EngineKind, Request, eventually, send_raw};

pub fn metrics(ops: SocketAddr) -> String {
    let response = send_raw(ops, Request::get("/metrics").host("localhost")).unwrap();
    assert_eq!(response.status, 200, "{}", response.body);
    response.body
}

/// What a service on this engine says after one ADD, with a member of before its start. `None`,
/// with a loud line, where the engine's server is not installed.
pub fn after_one_add(engine: EngineKind) -> Option<String> {
    let app = App::start_on_engine(engine, &[])?;
    app.post("action=ADD&siteid=5&memberid=71&username=bob&password=secret");
    // A start counts members and seals at once, and then only at intervals.
    let app = app.restart(&["--ops-listen", "127.0.0.1:0"]);
    let text = || metrics(app.ops.unwrap());
    eventually("the member and their seal are counted", || {
        let text = text();
        text.contains("nats_userman_members{site=\"5\",state=\"full\"} 1.0\n")
            && text.contains("nats_userman_sealed_credentials 1.0\n")
    });
    app.post("action=ADD&siteid=6&memberid=72&username=rob&password=secret");
    let text = text();
    for line in [
        "nats_userman_postbacks_total{action=\"ADD\",word=\"OK\",status=\"200\"} 1",
        "nats_userman_batch_postbacks_bucket{le=\"1\"} 1",
        "nats_userman_queue_wait_seconds_count 1",
        "nats_userman_queue_postbacks 0.0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} on {engine:?}:\n{text}");
    }
    assert_eq!(text.contains("nats_userman_wal_bytes"), engine == EngineKind::Sqlite);
    assert!(!text.contains("secret") && !text.contains("bob") && !text.contains("rob"), "{text}");
    Some(text)
}
