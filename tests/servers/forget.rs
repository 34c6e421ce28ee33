//! `member forget` where receivers share a database.

use std::fs;

use crate::engines::forget::Place;
use crate::support::{EngineKind, Request, send_raw};

#[test]
fn every_receiver_of_a_database_keeps_a_forgotten_member_out() {
    let Some(place) = Place::on(EngineKind::MariaDb) else { return };
    let second = place.dir.path().join("second");
    fs::create_dir_all(second.join("data")).unwrap();
    for name in ["seal.key", "cookie.key"] {
        fs::copy(place.data().join(name), second.join("data").join(name)).unwrap();
    }
    let other = Place::serve(&second, place.database.as_ref());
    assert!(place.tell_bob().starts_with("OK|"));
    let at_the_other = |request: Request| send_raw(other.address, request).unwrap().status;
    let basic = || Request::get("/auth?site=1").basic("zanzibar-bob", "secret");
    assert_eq!(at_the_other(basic()), 200);
    let cookie = place.log_in("zanzibar-bob", "secret");
    assert_eq!(at_the_other(Request::get("/auth?site=1").cookie(&cookie)), 200);
    place.forget();
    assert_eq!(at_the_other(basic()), 401);
    assert_eq!(at_the_other(Request::get("/auth?site=1").cookie(&cookie)), 401);
}
