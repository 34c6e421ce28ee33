//! `reconcile --from-nats`, and `serve --reconcile-every`: the list comes from NATS's REST API.

use std::fs;

use super::{LONG_AGO, Scene};
use crate::authstrings::nats::{Day, Nats};
use crate::engines::in_step::from_nats::{KEY, json, page, reconcile, scene};
use crate::support::metrics::metrics;
use crate::support::{App, EngineKind, OPS, eventually, temp_dir};

fn failed(scene: &Scene, days: Vec<Day>, said: &str) {
    let nats = Nats::with(days);
    for more in [&[][..], &["--apply", "--allow-many"]] {
        let ran = reconcile(scene, &nats, more);
        ran.ended(1, &format!("nats-userman: {}: {said}\n", nats.url()));
        assert_eq!(ran.out, "");
        nats.asked.lock().unwrap().clear();
    }
    assert_eq!(scene.app.rows("SELECT count(*) FROM member_auth"), ["3"]);
}

#[test]
fn a_nats_without_pages_gives_the_whole_list_as_csv_or_json() {
    let scene = scene(EngineKind::Sqlite).unwrap();
    let csv = "memberid,siteid,username,status\n1,1,m1,1\n2,1,m2,1\n3,1,m3,1\n";
    for day in [Day::Answer(200, "text/html", csv.into()), page(1..=3)] {
        let nats = Nats::with(vec![day]);
        let ran = reconcile(&scene, &nats, &[]);
        assert_eq!((ran.code, nats.asked().len()), (Some(0), 2), "{}{}", ran.out, ran.err);
    }
}

/// Regression: the members behind the cut were removed.
#[test]
fn csv_that_is_cut_off_or_has_fewer_rows_than_when_it_is_asked_for_again_changes_nobody() {
    let scene = scene(EngineKind::Sqlite).unwrap();
    let answer = |text: &str| Day::Answer(200, "text/html", text.into());
    let (head, bob) = ("memberid,siteid,status,username\n", "1,1,1,m1\n");
    let cut = format!("{head}{bob}2,1,1,m2\n3,1,1,m");
    let nats = Nats::with(vec![answer(&cut)]);
    reconcile(&scene, &nats, &["--apply", "--allow-many"]).ended(
        1,
        "nats-userman: the list does not end with a line break, so it may be cut off: nothing was \
         changed; get a whole list\n",
    );
    let whole = format!("{head}{bob}2,1,1,m2\n3,1,1,m3\n");
    failed(
        &scene,
        vec![answer(&format!("{head}{bob}2,1,1,m2\n")), answer(&whole)],
        "NATS's list has changed between two pages (at member 2 of site 1): try again, when fewer \
         members change",
    );
    assert_eq!(scene.app.rows("SELECT count(*) FROM member_auth"), ["3"]);
}

/// Regression: it asked for one page after the other, without an end.
#[test]
fn rows_without_a_memberid_are_refused_and_no_further_page_is_asked_for() {
    let scene = scene(EngineKind::Sqlite).unwrap();
    let rows = "[{\"siteid\":1,\"username\":\"m1\"},{\"siteid\":1,\"username\":\"m2\"}]";
    let nats = Nats::with(vec![json(rows)]);
    let ran = reconcile(&scene, &nats, &["--apply", "--allow-many"]);
    assert_eq!((ran.code, nats.asked().len()), (Some(1), 1), "{}{}", ran.out, ran.err);
    assert_eq!(scene.app.rows("SELECT count(*) FROM member_auth"), ["3"]);
}

#[test]
fn the_later_name_of_the_resource_is_tried_where_the_older_one_is_not_found() {
    let scene = scene(EngineKind::Sqlite).unwrap();
    let nats =
        Nats::with(vec![Day::Answer(404, "text/html", "no".into()), page(1..=3), page(3..=3)]);
    let ran = reconcile(&scene, &nats, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(nats.asked()[1].starts_with("GET /api/member/search?status=1&"));
    assert!(nats.asked()[2].starts_with("GET /api/member/search?status=1&"));
}

#[test]
fn what_is_no_whole_list_is_one_line_and_nothing_is_applied() {
    let scene = scene(EngineKind::Sqlite).unwrap();
    failed(
        &scene,
        vec![page(1..=2), page(3..=3)],
        "NATS's list has changed between two pages (at member 2 of site 1): try again, when fewer \
         members change",
    );
    failed(
        &scene,
        vec![page(1..=2), json("[]")],
        "NATS's list has changed between two pages (at member 2 of site 1): try again, when fewer \
         members change",
    );
    failed(
        &scene,
        vec![page(1..=25)],
        "NATS answered with the same 25 members for each page, so this version has no pages that \
         this program knows: export the list to a file and give that file",
    );
    let empty = "the list has no active member of site 1, which is more likely a mistake than the \
                 truth: get the list again, or leave the site out";
    failed(&scene, vec![json("[]")], empty);
    failed(&scene, vec![json("")], empty);
    failed(
        &scene,
        vec![json("[{\"memberid\":1,\"siteid\":2,\"username\":\"x\"}]")],
        "NATS answered with a member of site 2 when it was asked for site 1: this version has no \
         list of one site: export the list to a file and give that file",
    );
    failed(
        &scene,
        vec![json("[{\"memberid\":1,\"siteid\":1,\"username\":\"m1\"},{\"mem")],
        "the list cannot be read at line 1, column 48: it ends in the middle; get a whole list and \
         try again",
    );
    failed(
        &scene,
        vec![json("{\"error\":\"Invalid key\"}")],
        "NATS answered with an error instead of a list: the account may not use this resource, or \
         this address is not in NATS's Admin API Allowed IPs",
    );
    failed(
        &scene,
        vec![Day::Redirect("https://elsewhere.example.com/".into())],
        "NATS answered with status 302, a redirect: set the URL that it leads to, mostly https:// \
         instead of http://",
    );
    failed(
        &scene,
        vec![Day::Answer(403, "text/html", "no".into())],
        "NATS answered with status 403: api-key or api-username is wrong, the account may not use \
         the REST API, or this address is not in NATS's Admin API Allowed IPs",
    );
    failed(
        &scene,
        vec![Day::Answer(200, "text/html", "Access denied".into())],
        "NATS answered with something other than JSON: the REST API is switched off, or the URL is \
         not NATS's",
    );
    // The connection ends within a page.
    let nats = Nats::with(vec![Day::Half]);
    let ran = reconcile(&scene, &nats, &["--apply"]);
    let said = format!("nats-userman: {}: ", nats.url());
    assert!(ran.code == Some(1) && ran.err.starts_with(&said), "{}", ran.err);
}

#[test]
fn without_nats_in_the_settings_the_command_says_what_is_needed() {
    let scene = scene(EngineKind::Sqlite).unwrap();
    scene.run(&["reconcile", "--from-nats"]).ended(
        2,
        "nats-userman: --from-nats: expected --nats-url, --nats-api-username and --nats-api-key \
         beside it\n",
    );
}

#[test]
fn the_service_compares_by_itself_and_a_silent_nats_delays_neither_postbacks_nor_the_stop() {
    let nats = Nats::with(vec![page(1..=3), page(3..=3), Day::Silence]);
    let url = nats.url();
    let mut flags = vec!["--nats-url", &url, "--nats-api-username", "userman"];
    flags.extend(["--nats-api-key", KEY, "--reconcile-every", "1h"]);
    let scene = Scene::on(EngineKind::Sqlite, &flags).unwrap();
    let add = |member| {
        format!("action=ADD&siteid=1&memberid={member}&username=m{member}&password=secret")
    };
    scene.post(&[&add(1), &add(2), &add(3)]);
    assert_eq!(nats.asked().len(), 0, "not at the start");
    scene.app.set_unix(super::LONG_AGO + 601);
    eventually("it has compared", || nats.asked().len() == 2);
    // It counts the hour from the end of the comparison, which may still be running.
    let mut now = super::LONG_AGO + 2 * 3_600;
    eventually("it asks again after an hour, and gets no answer", || {
        now += 3_600;
        scene.app.set_unix(now);
        nats.asked().len() == 3
    });
    scene.post(&[&add(4)]);
    assert_eq!(scene.app.rows("SELECT count(*) FROM member_auth"), ["4"]);
    assert_eq!(scene.app.rows("SELECT count(*) FROM journal WHERE source <> 'nats'"), ["0"]);
    let began = std::time::Instant::now();
    drop(scene.app.stop());
    assert!(began.elapsed() < crate::support::PATIENCE, "the stop waits for NATS");
}

/// Regression: the dates of NATS's list were read in the time zone of the start.
#[test]
fn the_service_reads_the_dates_of_nats_in_the_time_zone_of_the_last_reload() {
    let row = "[{\"memberid\":\"1\",\"siteid\":\"1\",\"username\":\"m1\",\
               \"expires\":\"2021-01-01 00:00:00\"}]";
    let nats = Nats::with(vec![json(row)]);
    let dir = temp_dir();
    let file = dir.path().join("nats-userman.toml");
    let text = |zone: &str| {
        format!(
            "nats_url = \"{}\"\nnats_api_username = \"userman\"\n\
             reconcile_every = \"1h\"\ntime_zone = \"{zone}\"\n",
            nats.url()
        )
    };
    fs::write(&file, text("UTC")).unwrap();
    let flags = [&OPS[..], &["--nats-api-key", KEY]].concat();
    let app = App::start_with_file(dir, &file, &flags, LONG_AGO);
    fs::write(&file, text("Asia/Tokyo")).unwrap();
    app.reload_keys();
    app.post("action=ADD&siteid=1&memberid=1&username=m1&password=secret");
    let date = "action=EXPIRE&siteid=1&memberid=1&expire=2021-01-01";
    let will = "OK|member 1 \"m1\" of site 1 will expire at 2020-12-31T15:00:00Z";
    assert_eq!(app.post(date), will);
    app.set_unix(LONG_AGO + 601);
    let differences = || {
        let all = metrics(app.ops.unwrap());
        let line = all.lines().find(|line| line.starts_with("nats_userman_reconcile_differences "));
        line.map(str::to_owned)
    };
    eventually("it has compared", || differences().is_some());
    assert_eq!(differences().unwrap(), "nats_userman_reconcile_differences 0.0");
}
