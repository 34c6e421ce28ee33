//! `sharing list` and `sharing lift`.

use super::{run_on, without_times};
use crate::support::{Program, Request, eventually, send_raw, temp_dir};

#[test]
fn list_shows_the_members_with_the_most_networks_and_lift_lets_one_in_again() {
    let dir = temp_dir();
    let flags = ["--trusted-proxy", "127.0.0.1", "--sharing", "block", "--sharing-networks", "2"];
    let service = Program::serve(dir.path(), &flags);
    service.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret").unwrap();
    service.post("action=ADD&siteid=1&memberid=72&username=ann&password=secret").unwrap();
    let visit = |name: &str, from: &str| {
        let request = Request::get("/auth?site=1").basic(name, "secret").from(from);
        send_raw(service.address, request).unwrap().status
    };
    let sharing = |arguments: &[&str]| {
        without_times(&run_on(dir.path(), &[&["sharing"], arguments].concat()).printed())
    };
    assert_eq!(sharing(&["list"]), "there are no networks of members\n");
    assert_eq!(visit("ann", "203.0.113.9"), 200);
    let bobs = ["198.51.1.7", "198.51.2.7", "2001:db8:3::7"].map(|from| visit("bob", from));
    assert_eq!(bobs, [200, 200, 403]);
    eventually("all is written", || sharing(&["list"]).contains("blocked until"));
    let listed = sharing(&["list"]);
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines[0], "member 71 of site 1: 3 networks, blocked until TIME (too many networks)");
    let mut networks = lines[1..4].to_vec();
    networks.sort_unstable();
    assert_eq!(
        networks,
        [
            "    198.51.1.0/24 from TIME to TIME",
            "    198.51.2.0/24 from TIME to TIME",
            "    2001:db8:3::/48 from TIME to TIME",
        ]
    );
    assert_eq!(lines[4], "member 72 of site 1: 1 network");
    let shown = without_times(&run_on(dir.path(), &["member", "show", "bob"]).printed());
    let blocked = "member 71 of site 1: is blocked until TIME because of sharing: too many \
                    networks\n";
    assert!(shown.starts_with(blocked), "{shown}");

    // Whether the service has read the block before or not makes no difference.
    let lifted = "lifted: member 71 of site 1 may enter again\n";
    assert_eq!(sharing(&["lift", "1", "71"]), lifted);
    let nothing = "member 71 of site 1 is not blocked: nothing was lifted\n";
    assert_eq!(sharing(&["lift", "1", "71"]), nothing);
    let journal = run_on(dir.path(), &["journal"]).printed();
    let lifted = "OK|lifted for member 71 of site 1: the block for sharing\n";
    let lift = "from operator: action=LIFT&siteid=1&memberid=71\n";
    assert_eq!((journal.matches(lifted).count(), journal.matches(lift).count()), (1, 1));
    eventually("the service notices it", || visit("bob", "198.51.1.7") == 200);
}
