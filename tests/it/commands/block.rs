//! `block list` and `block lift`, beside a running service.

use super::{run_on, without_times};
use crate::support::{Program, Request, eventually, send_raw, temp_dir};

/// [`without_times`], also for the end of a block. The lines are sorted.
fn shown(text: &str) -> Vec<String> {
    let masked = without_times(&text.replace("until=", "until= "));
    let mut lines: Vec<String> =
        masked.lines().map(|line| line.replace("until= TIME", "until=TIME")).collect();
    lines.sort();
    lines
}

fn status(program: &Program, password: &str, from: &str) -> u16 {
    let request = Request::get("/auth?site=1").basic("bob", password).from(from);
    send_raw(program.address, request).unwrap().status
}

#[test]
fn a_block_is_listed_logged_in_one_line_and_lifted_within_a_moment() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let program =
        Program::serve(&data, &["--trusted-proxy", "127.0.0.1", "--login-limit-pair", "2"]);
    assert!(
        program
            .post("action=ADD&siteid=1&memberid=71&username=bob&password=secret")
            .unwrap()
            .body
            .starts_with("OK|")
    );
    assert_eq!(run_on(&data, &["block", "list"]).printed(), "there are no blocks\n");
    for from in ["203.0.113.9", "2001:db8:1:2::3"] {
        assert_eq!(
            [
                status(&program, "a", from),
                status(&program, "b", from),
                status(&program, "secret", from)
            ],
            [401, 401, 403]
        );
    }
    let [first, second] = [
        "network=203.0.113.9 name=\"bob\" kind=pair",
        "network=2001:db8:1:2::/64 name=\"bob\" kind=pair",
    ];
    let listed = [second, first].map(|what| format!("TIME {what} until=TIME"));
    eventually("the log says so", || {
        let mut lines = shown(&program.stderr());
        lines.retain(|line| line.contains("login blocked"));
        lines == [second, first].map(|what| format!("TIME WARN  login blocked: {what} until=TIME"))
    });
    eventually("both are listed", || shown(&run_on(&data, &["block", "list"]).printed()) == listed);

    run_on(&data, &["block", "lift"])
        .ended(2, "nats-userman: block lift: expected --name, --network or --all\n");
    run_on(&data, &["block", "lift", "--network", "x"]).ended(
        2,
        "nats-userman: block lift: --network: expected an address or a network of \
            `block list`, found \"x\"\n",
    );
    assert_eq!(
        run_on(&data, &["block", "lift", "--name", "ann"]).printed(),
        "no such block: nothing was lifted\n"
    );
    let lifted =
        run_on(&data, &["block", "lift", "--name", "Bob", "--network", "203.0.113.9"]).printed();
    assert_eq!(shown(&lifted), [format!("lifted: {first} until=TIME")]);
    eventually("the service has taken it up", || status(&program, "secret", "203.0.113.9") == 200);
    assert_eq!(status(&program, "secret", "2001:db8:1:2::9"), 403, "the other one holds");
    eventually("the log says so", || {
        program.stderr().contains(&format!("login block lifted: {first} until="))
    });
    let journal = run_on(&data, &["journal"]).printed();
    let lift = "from operator: action=LIFT&username=bob";
    let lifted = format!("OK|lifted: {first} until=");
    assert_eq!((journal.matches(lift).count(), journal.matches(&lifted).count()), (1, 1));
}

#[test]
fn a_block_of_a_wider_network_is_lifted_by_any_address_or_network_of_it() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let program =
        Program::serve(&data, &["--trusted-proxy", "127.0.0.1", "--login-limit-pair", "1"]);
    assert!(
        program
            .post("action=ADD&siteid=1&memberid=71&username=bob&password=secret")
            .unwrap()
            .body
            .starts_with("OK|")
    );
    // Each lift has a network of its own, so that the blocks of all of them are written at once.
    let wide = |lift: u32| format!("network=2001:db{lift}:1:200::/56 name=\"bob\" kind=pair");
    let narrow = |lift: u32, number: u32| {
        format!("network=2001:db{lift}:1:20{number}::/64 name=\"bob\" kind=pair")
    };
    // A different network, because a wider block does not apply where bob has logged in.
    let elsewhere = |lift: u32| format!("2001:db{lift}:1:2ff::9");
    let lifts = [(1, "1:2ff::9"), (2, "1:2fe::/64"), (3, "1:200::/56"), (4, "1::/48")];
    for (lift, what) in lifts {
        for number in 0..4 {
            let from = format!("2001:db{lift}:1:20{number}::1");
            assert_eq!(status(&program, &format!("a{lift}"), &from), 401, "{what}");
        }
    }
    // All blocks have to be stored first: a block that is written after `--all` would stay. The log
    // is asked first, because each question to the program is a start of it.
    let blocked = || program.stderr().matches("login blocked: ").count();
    eventually("the log has the five blocks of each network", || blocked() >= 5 * lifts.len());
    eventually("each /56 and the four within it are listed", || {
        let list = run_on(&data, &["block", "list"]).printed();
        lifts.iter().all(|&(lift, _)| {
            list.contains(&wide(lift)) && (0..4).all(|number| list.contains(&narrow(lift, number)))
        })
    });
    for (lift, what) in lifts {
        assert_eq!(status(&program, "secret", &elsewhere(lift)), 403);
        let network = format!("2001:db{lift}:{what}");
        let lifted = run_on(&data, &["block", "lift", "--network", &network]).printed();
        assert!(lifted.contains(&format!("lifted: {} until=", wide(lift))), "{what}: {lifted}");
        assert_eq!(lifted.matches("/56 ").count(), 1, "the other ones hold: {lifted}");
    }
    run_on(&data, &["block", "lift", "--all"]).printed();
    for (lift, what) in lifts {
        eventually("the service has taken it up", || {
            status(&program, "secret", &elsewhere(lift)) == 200
        });
        let is_told = || {
            program.stderr().matches(&format!("login block lifted: {}", wide(lift))).count() == 1
        };
        eventually(&format!("the log says so of {what}"), is_told);
    }
    let lifted = || program.stderr().matches("login block lifted: ").count();
    eventually("and the four within each", || lifted() >= 5 * lifts.len());
}
