//! The layers of `src/`, from the top down. A file imports only from its own layer and from layers
//! below it, no files import each other in a circle, and only its own engine names the driver of a
//! database.

mod imports;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use imports::{Imports, is_within};

struct Layer {
    name: &'static str,
    /// What belongs into this layer, and why it is here.
    reason: &'static str,
    /// Modules with everything in them, except what another row names more exactly.
    modules: &'static [&'static str],
}

/// From the top down.
const LAYERS: &[Layer] = &[
    Layer {
        name: "commands",
        reason: "one file per command, which may use everything below",
        modules: &["lib", "main", "cli"],
    },
    Layer {
        name: "start and stop",
        reason: "puts the service together, opens a database with its key, or checks both",
        modules: &["service", "database", "doctor"],
    },
    Layer {
        name: "listeners",
        reason: "requests and responses: what is below knows nothing of HTTP",
        modules: &["http", "fastcgi", "ops"],
    },
    Layer {
        name: "settings",
        reason: "fills the settings that the layers below define",
        modules: &["config"],
    },
    Layer {
        name: "members area",
        reason: "decides who is let in, and asks the store and the writer; knows nothing of HTTP",
        modules: &[
            "alarms",
            "login",
            "hardening",
            "rest_api",
            "personal",
            "member_view",
            "operators",
        ],
    },
    Layer {
        name: "applying",
        reason: "loads, decides and saves, so that it needs both the store and the rules",
        modules: &[
            "writer",
            "replay",
            "import",
            "apply",
            "member_change",
            "seals",
            "backup",
            "migration",
            "export",
            "reconcile",
            "statistics",
            "exposition",
        ],
    },
    Layer {
        name: "store",
        reason: "the only SQL: what is above asks for records",
        modules: &["store"],
    },
    Layer {
        name: "outside",
        reason: "NATS's REST API over the network, and the file of the tokens",
        modules: &["nats_client", "token_file"],
    },
    Layer {
        name: "rules",
        reason: "pure functions of values: no I/O, no clock, no SQL",
        modules: &["action", "journal", "authstring"],
    },
    Layer {
        name: "values",
        reason: "what a member, a name or a password is",
        modules: &[
            "reply",
            "fields",
            "member",
            "operator",
            "login_record",
            "shared_use",
            "block",
            "password",
            "token",
            "epoch",
        ],
    },
    Layer {
        name: "ground",
        reason: "files, time, networks and log lines: knows nothing of members",
        modules: &[
            "backoff",
            "chain",
            "child",
            "counted",
            "country_file",
            "clock",
            "connection_limits",
            "data_dir",
            "denied",
            "file_system",
            "heartbeat",
            "hex",
            "host_names",
            "identity",
            "idle",
            "key_file",
            "list_file",
            "logging",
            "metrics",
            "network",
            "open_files",
            "owner",
            "recent",
            "secret",
            "text_file",
            "undumped",
            "unicode",
            "whole_file",
        ],
    },
];

/// Pure layers: what they return depends on their arguments alone. (The exception is random bytes,
/// of which seals and tokens are made.)
const PURE: [&str; 2] = ["rules", "values"];
/// What a pure layer must not name: files, processes, threads, sockets, clocks, log lines. Values
/// of std::net, such as an address, are allowed.
const IMPURE: [&str; 19] = [
    "std::env",
    "std::fs",
    "std::io::stderr",
    "std::io::stdin",
    "std::io::stdout",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "actix_web",
    "log",
    "rustix",
    "tokio",
    "ureq",
];

/// Whether a path leads to something that a pure layer must not use: an item of [`IMPURE`], or the
/// current time of a clock.
fn is_impure(path: &str) -> bool {
    IMPURE.iter().any(|name| is_within(path, name)) || path.ends_with("::now")
}

/// The drivers of databases, each with where it may be named.
const DRIVERS: [(&str, &str); 2] = [("rusqlite", "store::sqlite"), ("mysql", "store::mysql")];

/// The index of the layer in the table; 0 is the top.
fn layer(file: &str) -> Option<usize> {
    let rows = LAYERS.iter().enumerate();
    rows.flat_map(|(index, layer)| layer.modules.iter().map(move |module| (index, module)))
        .filter(|(_, module)| is_within(file, module))
        .max_by_key(|(_, module)| module.len())
        .map(|(index, _)| index)
}

/// Each import from a higher layer.
fn upward(imports: &Imports) -> BTreeSet<(&str, &str)> {
    let is_upward = |(from, to): &(&str, &str)| match (layer(from), layer(to)) {
        (Some(from), Some(to)) => from > to,
        // Another test finds files without a layer.
        _ => false,
    };
    imports.uses().filter(is_upward).collect()
}

fn name(file: &str) -> &'static str {
    layer(file).map_or("", |index| LAYERS[index].name)
}

/// Every Rust file below this directory, as (path, content).
fn sources(root: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

/// Those of `src/`, which are read once for all tests: that takes two seconds.
static OF_THIS_CRATE: LazyLock<Imports> =
    LazyLock::new(|| Imports::read(&sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))));

/// A source tree for tests of this test.
fn tree(files: &[(&str, &str)]) -> Imports {
    let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
    Imports::read(&files.iter().map(owned).collect::<Vec<_>>())
}

#[test]
fn every_file_has_a_layer_and_every_row_its_files() {
    let imports = &*OF_THIS_CRATE;
    let homeless: Vec<&str> = imports.files().filter(|file| layer(file).is_none()).collect();
    assert_eq!(homeless, [""; 0], "files that no row of LAYERS names");
    for row in LAYERS {
        assert!(!row.reason.is_empty(), "{}", row.name);
        for module in row.modules {
            assert!(
                imports.files().any(|file| is_within(file, module)),
                "LAYERS names {module}, which does not exist: remove it from the table"
            );
        }
    }
}

#[test]
fn a_file_uses_its_own_layer_and_those_below() {
    let imports = &*OF_THIS_CRATE;
    let found = upward(imports);
    let lines: Vec<String> = found
        .iter()
        .map(|(from, to)| format!("{from} ({}) uses {to} ({})", name(from), name(to)))
        .collect();
    assert_eq!(lines, [""; 0], "uses of a higher layer");
}

#[test]
fn no_file_uses_itself_by_way_of_others() {
    let imports = &*OF_THIS_CRATE;
    let found = imports.circles();
    let circles: Vec<String> = found.values().map(|way| way.join(" -> ")).collect();
    assert_eq!(circles, [""; 0], "files that use themselves by way of others");
}

#[test]
fn the_driver_of_a_database_is_named_in_its_engine_alone() {
    let imports = &*OF_THIS_CRATE;
    for (driver, engine) in DRIVERS {
        let elsewhere: Vec<&str> =
            imports.naming(driver).filter(|file| !is_within(file, engine)).collect();
        assert_eq!(elsewhere, [""; 0], "files outside {engine} that name {driver}");
        assert!(imports.naming(driver).count() > 1, "{engine} must be seen to name {driver}");
    }
}

/// Each file of a pure layer, with an impure name in it.
fn impure(imports: &Imports) -> Vec<String> {
    let of_pure = imports.outside().filter(|(file, _)| PURE.contains(&name(file)));
    of_pure
        .filter(|(_, path)| is_impure(path))
        .map(|(file, path)| format!("{file} uses {path}"))
        .collect()
}

#[test]
fn rules_and_values_use_no_file_no_network_no_clock_and_no_log() {
    for layer in PURE {
        assert!(LAYERS.iter().any(|row| row.name == layer), "{layer}");
    }
    assert_eq!(impure(&OF_THIS_CRATE), [""; 0]);
}

#[test]
fn the_checker_sees_what_is_not_pure_wherever_it_is_written() {
    for (text, seen) in [
        ("use std::fs;", true),
        ("use std::{fmt, fs::File};", true),
        ("use std::os::unix::fs::MetadataExt as _;", true),
        ("fn f() { std::thread::yield_now() }", true),
        ("use std::time::{Duration, Instant};", true),
        ("fn f() { chrono::Utc::now(); }", true),
        ("use chrono::Utc; fn f() { Utc::now(); }", true),
        ("use std::net::ToSocketAddrs as _;", true),
        ("fn f() { log::warn!(\"\") }", true),
        ("fn f(_: ureq::Error) {}", true),
        ("use std::time::Duration;", false),
        ("use std::net::IpAddr;", false),
        ("use std::io;", false),
        ("#[cfg(test)] mod tests { use std::fs; }", false),
    ] {
        let found = impure(&tree(&[("lib.rs", "mod member;"), ("member.rs", text)]));
        assert_eq!(!found.is_empty(), seen, "{text}: {found:?}");
        let above = tree(&[("lib.rs", "mod clock;"), ("clock.rs", text)]);
        assert_eq!(impure(&above), [""; 0], "{text}");
    }
}

#[test]
fn the_checker_sees_a_use_of_a_higher_layer_wherever_it_is_written() {
    let cases = [
        ("a use", "use crate::http::Request;"),
        ("a use of several", "use crate::{clock, http::{self as web, Request}};"),
        ("a use in a function", "fn f() { use crate::http::Request; }"),
        ("a path", "fn f() -> crate::http::Request { todo!() }"),
        ("a path from the parent", "fn f(_: &super::http::Request) {}"),
        ("a path in a macro", "fn f() { print!(\"{}\", crate::http::answer()) }"),
        ("a path in an attribute", "#[arg(value_parser = crate::http::parse)] struct S;"),
        ("a name of the root", "use crate::Request;"),
        ("a name that another file shows", "use crate::fields::Shown;"),
    ];
    for (what, text) in cases {
        let imports = tree(&[
            ("lib.rs", "mod fields; mod http; mod member; pub use http::Request;"),
            ("fields.rs", "pub use crate::http::Request as Shown;"),
            ("http/mod.rs", "pub struct Request;"),
            ("member.rs", text),
        ]);
        assert!(upward(&imports).contains(&("member", "http")), "{what}: {text}");
    }
}

#[test]
fn the_checker_leaves_alone_what_is_allowed() {
    let imports = tree(&[
        ("lib.rs", "mod http; mod member; mod new;"),
        ("http/mod.rs", "use crate::member::Member;\nuse std::http::Other;"),
        (
            "member.rs",
            "// use crate::http::Request;\n/// See [`crate::http::Request`].\npub struct Member;\n\
             #[cfg(test)] use crate::http::Request;\n\
             #[cfg(test)] mod tests { use crate::http::Request; }\n\
             #[cfg(test)] mod stories;",
        ),
        ("member/stories.rs", "use crate::http::Request;"),
    ]);
    assert_eq!(upward(&imports), BTreeSet::new());
    assert!(imports.files().all(|file| file != "member::stories"));
    assert_eq!(layer("new"), None);
    assert_eq!(layer("https"), None);
}

#[test]
fn the_checker_finds_circles_but_not_in_a_parent_that_shows_its_children() {
    let imports = tree(&[
        ("lib.rs", "mod store;"),
        ("store/mod.rs", "mod a; mod b; mod c; pub use a::A; pub(crate) use b::{B, C as D};"),
        ("store/a.rs", "pub struct A(super::B);"),
        ("store/b.rs", "pub struct B; pub struct C;"),
        ("store/c.rs", "use super::{A, D};"),
    ]);
    let uses: Vec<_> = imports.uses().collect();
    let expected = [("store::a", "store::b"), ("store::c", "store::a"), ("store::c", "store::b")];
    assert_eq!(uses, expected);
    assert!(imports.circles().is_empty());

    let imports = tree(&[
        ("lib.rs", "mod store;"),
        ("store/mod.rs", "mod a; mod b; use a::A; pub struct Kept(A);"),
        ("store/a.rs", "use super::b; pub struct A(b::B);"),
        ("store/b.rs", "pub struct B(Box<super::Kept>);"),
    ]);
    let circles = imports.circles();
    assert_eq!(circles.keys().copied().collect::<Vec<_>>(), ["store", "store::a", "store::b"]);
    assert_eq!(circles["store"], ["store", "store::a", "store::b", "store"]);
}
