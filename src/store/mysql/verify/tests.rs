//! Each wrong setting has its sentence.

use super::super::identity::Past;
use super::*;

fn texts(pairs: &[(&str, &str)]) -> Values {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// One server.
fn server() -> Facts {
    Facts {
        variables: texts(&[
            ("version", "10.11.14-MariaDB"),
            ("hostname", "db1"),
            ("port", "3306"),
            ("max_allowed_packet", "16777216"),
            ("innodb_flush_log_at_trx_commit", "1"),
            ("binlog_format", "MIXED"),
            ("log_bin", "OFF"),
            ("sync_binlog", "0"),
            ("read_only", "OFF"),
            ("wsrep_on", "OFF"),
            ("wsrep_provider", "none"),
        ]),
        states: Values::new(),
        clock_ahead: 0,
        started_at: Some(1_000),
        is_direct: true,
    }
}

/// A node of three.
fn node() -> Facts {
    let mut facts = server();
    facts.variables.extend(texts(&[
        ("wsrep_on", "ON"),
        ("wsrep_provider", "/usr/lib/galera/libgalera_smm.so"),
        (
            "wsrep_provider_options",
            "gcache.size = 128M; pc.ignore_quorum = false; \
            pc.ignore_sb = false; ",
        ),
        ("wsrep_dirty_reads", "OFF"),
    ]));
    facts.states = texts(&[
        ("wsrep_ready", "ON"),
        ("wsrep_cluster_status", "Primary"),
        ("wsrep_cluster_size", "3"),
        ("wsrep_cluster_state_uuid", "940ae075-ea0a-11f1-a2b2-c6772691a0ee"),
        ("wsrep_local_state_uuid", "940ae075-ea0a-11f1-a2b2-c6772691a0ee"),
        ("wsrep_incoming_addresses", "10.0.0.1:3306,10.0.0.2:3306,10.0.0.3:3306"),
    ]);
    facts
}

/// With other values of variables or states.
fn with(mut facts: Facts, changes: &[(&str, &str)]) -> Facts {
    for (name, value) in changes {
        let values = match facts.states.contains_key(*name) {
            true => &mut facts.states,
            false => &mut facts.variables,
        };
        values.insert((*name).to_owned(), (*value).to_owned());
    }
    facts
}

#[test]
fn a_good_server_and_a_good_node_are_taken() {
    let one = judge(&server(), true).unwrap();
    assert!(!one.is_cluster && !one.is_mysql && one.packet_max == 16_777_216);
    let node = judge(&node(), true).unwrap();
    assert!(node.is_cluster && node.too_few_nodes.is_none());
    for (changes, why) in [
        (&[("log_bin", "ON"), ("sync_binlog", "1")][..], "a binary log that is synced"),
        (&[("log_bin", "1"), ("sync_binlog", "1"), ("binlog_format", "ROW")], "by numbers"),
    ] {
        assert!(judge(&with(server(), changes), true).is_ok(), "{why}");
    }
    let mysql = judge(&with(server(), &[("version", "8.0.40")]), true).unwrap();
    assert!(mysql.is_mysql);
}

#[test]
fn a_cluster_with_too_few_nodes_is_taken_and_told() {
    for (size, told) in [("1", Some(1)), ("2", Some(2)), ("3", None), ("5", None)] {
        let facts = with(node(), &[("wsrep_cluster_size", size)]);
        assert_eq!(judge(&facts, true).unwrap().too_few_nodes, told, "{size} nodes");
    }
}

#[test]
fn a_server_whose_clock_differs_by_much_is_taken_and_told() {
    let told = |clock_ahead| {
        let facts = Facts { clock_ahead, ..server() };
        judge(&facts, true).unwrap().clock_ahead.map(clock_words)
    };
    for (ahead, words) in [
        (7_200, Some("7200 s ahead of the clock of this machine")),
        (-31, Some("31 s behind the clock of this machine")),
        (30, None),
        (-30, None),
    ] {
        assert_eq!(told(ahead).as_deref(), words, "{ahead}");
    }
}

#[test]
fn each_wrong_setting_of_a_server_has_its_sentence() {
    for (changes, sentence) in [
        (
            &[("innodb_flush_log_at_trx_commit", "0")][..],
            "innodb_flush_log_at_trx_commit is 0, so a power failure loses acknowledged \
             postbacks: set it to 1",
        ),
        (
            &[("innodb_flush_log_at_trx_commit", "2")],
            "innodb_flush_log_at_trx_commit is 2, so a power failure loses acknowledged \
             postbacks: set it to 1",
        ),
        (
            &[("log_bin", "ON")],
            "log_bin is ON and sync_binlog is 0, so a power failure loses acknowledged \
             postbacks: set sync_binlog to 1",
        ),
        (
            &[("max_allowed_packet", "65536")],
            "max_allowed_packet is 65536, and long postbacks need 1048576 or more: raise it",
        ),
        (
            &[("log_bin", "ON"), ("sync_binlog", "1"), ("binlog_format", "STATEMENT")],
            "binlog_format is STATEMENT, which cannot log READ COMMITTED transactions: set \
             it to ROW or MIXED",
        ),
        (
            &[("read_only", "ON")],
            "read_only is ON, so no postback can be written here: name the server that \
             writes in --database, or set read_only to OFF",
        ),
        (
            &[("super_read_only", "ON"), ("read_only", "ON")],
            "super_read_only is ON, so no postback can be written here: name the server that \
             writes in --database, or set super_read_only to OFF",
        ),
    ] {
        assert_eq!(judge(&with(server(), changes), true).unwrap_err(), sentence);
    }
    let replica = with(server(), &[("read_only", "ON")]);
    assert!(judge(&replica, false).is_ok(), "a session that only reads");
}

#[test]
fn each_wrong_setting_or_state_of_a_node_has_its_sentence() {
    let ignores = |name: &str| {
        format!(
            "{name} is set, so two halves of the cluster could both take postbacks: remove \
             it from wsrep_provider_options"
        )
    };
    let outside = |status: &str, ready: &str| {
        format!(
            "this node is not part of the working cluster (wsrep_cluster_status {status}, \
             wsrep_ready {ready}): wait until it is, or look at its log"
        )
    };
    let stateless = "this node does not have the state of the cluster (its state UUID is \
                     zero or another one): let it join again by a state transfer";
    let zero = "00000000-0000-0000-0000-000000000000";
    for (changes, sentence) in [
        (
            &[("wsrep_on", "OFF")][..],
            "wsrep_on is OFF, so what is written here reaches no other node: set it to ON"
                .to_owned(),
        ),
        (
            &[("wsrep_dirty_reads", "ON")],
            "wsrep_dirty_reads is ON, so a node without the cluster shows old rows: set it \
             to OFF"
                .to_owned(),
        ),
        (
            &[("wsrep_provider_options", "pc.ignore_sb = true; pc.ignore_quorum = false")],
            ignores("pc.ignore_sb"),
        ),
        (
            &[("wsrep_provider_options", "gcache.size=1G;pc.ignore_quorum=YES")],
            ignores("pc.ignore_quorum"),
        ),
        (&[("wsrep_cluster_status", "non-Primary")], outside("non-Primary", "ON")),
        (&[("wsrep_ready", "OFF")], outside("Primary", "OFF")),
        (&[("wsrep_local_state_uuid", zero)], stateless.to_owned()),
        (
            &[("wsrep_local_state_uuid", zero), ("wsrep_cluster_state_uuid", zero)],
            stateless.to_owned(),
        ),
        (
            &[("innodb_flush_log_at_trx_commit", "0")],
            "innodb_flush_log_at_trx_commit is 0, so a power failure loses acknowledged \
             postbacks: set it to 1"
                .to_owned(),
        ),
    ] {
        for writes in [true, false] {
            assert_eq!(judge(&with(node(), changes), writes).unwrap_err(), sentence);
        }
    }
}

#[test]
fn a_session_behind_a_proxy_that_shares_sessions_is_never_known_to_be_gone() {
    let first = judge(&server(), true).unwrap().identity;
    let restarted = Facts { started_at: Some(2_000), ..server() };
    let restarted = judge(&restarted, true).unwrap().identity;
    assert_eq!(restarted.past_of(&first), Past::Gone);
    let shared = judge(&Facts { is_direct: false, ..server() }, true).unwrap().identity;
    for (now, then) in [(&restarted, &shared), (&shared, &first), (&shared, &shared)] {
        assert_eq!(now.past_of(then), Past::Elsewhere);
    }
}

#[test]
fn a_node_is_found_in_the_list_of_all_nodes() {
    let both = |host: &str| vec![format!("{host}:3306"), format!("[{host}]:3306")];
    for (changes, addresses) in [
        (
            &[("wsrep_node_incoming_address", "10.0.0.2:3307")][..],
            vec!["10.0.0.2:3307".to_owned(), "10.0.0.2:3307:3306".to_owned()],
        ),
        (
            &[("wsrep_node_incoming_address", "AUTO"), ("bind_address", "10.0.0.2")],
            both("10.0.0.2"),
        ),
        (&[("wsrep_node_address", "10.0.0.2")], both("10.0.0.2")),
        (&[("wsrep_node_address", "10.0.0.2:4567")], both("10.0.0.2")),
        (&[("wsrep_node_address", "fd00::2")], both("fd00::2")),
        (&[("wsrep_node_address", "")], Vec::new()),
    ] {
        assert_eq!(own_addresses(&with(node(), changes)), addresses, "{changes:?}");
    }
}
