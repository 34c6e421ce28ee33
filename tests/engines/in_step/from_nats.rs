//! `reconcile --from-nats`, and `serve --reconcile-every`: the list comes from NATS's REST API.

use super::Scene;
use crate::ENGINES;
use crate::support::EngineKind;
use crate::support::nats::{Day, Nats};
use crate::support::ran::{Ran, run_with_key};

pub const KEY: &str = "44b5498dbcb481a0d00b404c0169af62";

pub fn json(body: &str) -> Day {
    Day::Answer(200, "application/json", body.into())
}

/// A page of JSON with these members of site 1.
pub fn page(members: std::ops::RangeInclusive<i64>) -> Day {
    let row = |member| {
        format!("{{\"memberid\":\"{member}\",\"siteid\":\"1\",\"username\":\"m{member}\"}}")
    };
    json(&format!("[{}]", members.map(row).collect::<Vec<_>>().join(",")))
}

/// A service with m1, m2 and m3 on site 1.
pub fn scene(engine: EngineKind) -> Option<Scene> {
    let scene = Scene::on(engine, &[])?;
    let add = |member| {
        format!("action=ADD&siteid=1&memberid={member}&username=m{member}&password=secret")
    };
    scene.post(&[&add(1), &add(2), &add(3)]);
    Some(scene)
}

pub fn reconcile(scene: &Scene, nats: &Nats, more: &[&str]) -> Ran {
    let (data, url) = (scene.data(), nats.url());
    let mut args = vec!["reconcile", "--from-nats", "--data-dir", data.to_str().unwrap()];
    args.extend(["--nats-url", &url, "--nats-api-username", "userman"]);
    args.extend(scene.flags.iter().map(String::as_str));
    args.extend(more);
    run_with_key(KEY, &args).without_password_warning()
}

#[test]
fn the_list_is_asked_for_site_by_site_and_page_by_page_and_each_page_begins_with_the_last_member() {
    for engine in ENGINES {
        let Some(scene) = scene(engine) else { continue };
        let nats = Nats::with(vec![page(1..=2), page(2..=3), page(3..=3)]);
        let ran = reconcile(&scene, &nats, &[]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{engine:?}: {}", ran.out);
        assert!(ran.out.starts_with("3 members compared with 3 active members of the list: 0"));
        let asked = nats.asked();
        let lines: Vec<&str> = asked.iter().filter_map(|request| request.lines().next()).collect();
        let line = |start| {
            format!(
                "GET /api/member/searchinfo?status=1&siteid=1&orderby=memberid&start={start}&\
                 count=1000 HTTP/1.1"
            )
        };
        assert_eq!(lines, [line(0), line(1), line(2)], "{engine:?}");
        assert!(asked[0].to_lowercase().contains(&format!("api-key: {KEY}\r\n")));
    }
}
