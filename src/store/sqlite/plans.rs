//! A test that no statement scans a big table, except those in a list with reasons.
//!
//! [`recorded`] collects the statements that run on the connections of a test, as SQLite reports
//! them. The test runs every method of the store, compares the statements with the string literals
//! of the source, and reads SQLite's query plan of each one.

mod calls;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use syn::visit::Visit;

use super::folding::give_sql_folded;
use super::upgrade;

thread_local! {
    /// The statements that ran on this thread.
    static STATEMENTS: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// Collects the statements that this connection will run.
pub(super) fn recorded(mut conn: Connection) -> Connection {
    let record = |event: TraceEvent<'_>| {
        if let TraceEvent::Stmt(statement, _) = event {
            let sql = one_line(&statement.sql());
            STATEMENTS.with_borrow_mut(|all| all.insert(sql));
        }
    };
    conn.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(record)).unwrap();
    conn
}

fn one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Sources of rows that stay small: constants, parts of a query that a plan shows apart, and tables
/// of one row or of a bounded number.
const SMALL: [&str; 18] = [
    "CONSTANT",
    "(subquery-1)",
    "former_site",
    "site",
    "sqlite_master",
    "sqlite_schema",
    "s",
    "c",
    "block",
    "folding",
    "health",
    "journal_conversion",
    "journal_shape",
    "login_epoch",
    "operator",
    "operator_session",
    "seal_key",
    "wal_mark",
];

/// Indexes of a few rows of a big table. A scan of one of them is no scan of its table.
const OF_FEW_ROWS: [&str; 2] = ["INDEX journal_sealed", "INDEX member_auth_unfolded"];

/// Parts of the statements that may scan a big table, and the reason.
const ALLOWED: [(&str, &str); 25] = [
    ("SELECT 1 FROM known_network LIMIT 1", "it reads one row"),
    ("SELECT EXISTS (SELECT 1 FROM journal) OR", "it reads one row of each table"),
    ("SELECT id, at FROM journal ORDER BY id DESC LIMIT 1", "it reads one row"),
    ("FROM journal ORDER BY id DESC LIMIT 1", "it reads one row"),
    ("FROM member_auth ORDER BY siteid , memberid LIMIT ?1", "a sample of the oldest"),
    ("FROM member_auth ORDER BY siteid DESC, memberid DESC LIMIT ?1", "a sample of the newest"),
    ("FROM known_network ORDER BY day LIMIT ?1", "it reads the oldest rows"),
    ("SELECT count(*) FROM known_network", "bounded, and once in 256 noted logins"),
    (
        "FROM member_auth WHERE email = ?2",
        "`member show`; where members log in so, it has an index",
    ),
    (
        "WHERE email COLLATE NOCASE >= ?1",
        "the console's search, on its own thread; see email_index.rs",
    ),
    (
        "SELECT id, at FROM ( SELECT id, at FROM journal",
        "the removal of old records looks at a bounded number of the oldest",
    ),
    ("SELECT id FROM login ORDER BY id DESC LIMIT 1", "it reads one row"),
    ("SELECT id, at FROM login ORDER BY id LIMIT ?1", "it reads the oldest rows"),
    (
        "count(*) AS networks FROM sharing_network",
        "`sharing list` counts what is at most a day old",
    ),
    ("SELECT count(*) FROM login_seen", "`migrate-store` counts what it will copy"),
    ("SELECT count(*) FROM login", "`migrate-store` counts what it will copy"),
    ("SELECT count(*) FROM sharing_network", "`migrate-store` counts what it will copy"),
    ("SELECT count(*) FROM sharing_block", "`migrate-store` counts what it will copy"),
    ("SELECT count(*) FROM \"", "the check of a copy counts all rows"),
    ("SELECT count(*) FROM member_auth", "`migrate-store` counts what it will copy"),
    ("SELECT count(*) FROM former_member", "`migrate-store` counts what it will copy"),
    ("SELECT count(*) FROM journal", "`migrate-store` counts what it will copy"),
    ("SELECT count(*) FROM logout_before", "`migrate-store` counts what it will copy"),
    ("SELECT count(*) FROM logout", "`migrate-store` counts what it will copy"),
    ("SELECT count(*) FILTER", "`doctor` counts all credentials"),
];

/// Files whose statements run only in an upgrade, which reads and writes whole tables.
const OF_UPGRADES: [&str; 3] = ["add_columns.rs", "folding.rs", "upgrade.rs"];

#[test]
fn no_statement_scans_a_big_table_without_a_reason() {
    calls::use_every_method();
    let statements = STATEMENTS.with_borrow(BTreeSet::clone);
    for (file, literal) in literals() {
        let is_seen = statements.iter().any(|sql| sql.contains(&literal));
        assert!(is_seen, "{file}: this test does not run: {literal}");
    }
    let conn = database();
    let mut used: BTreeSet<&(&str, &str)> = BTreeSet::new();
    for sql in statements.iter().filter(|sql| is_query(sql)) {
        let scans = scans(&conn, sql);
        let allowed = ALLOWED.iter().find(|(part, _)| sql.contains(part));
        assert!(scans.is_empty() || allowed.is_some(), "{sql}: {scans:#?}");
        used.extend(allowed.filter(|_| !scans.is_empty()));
    }
    let unused: Vec<_> = ALLOWED.iter().filter(|row| !used.contains(row)).collect();
    assert!(unused.is_empty(), "these scan nothing: {unused:#?}");
}

/// So that the test above can fail.
#[test]
fn a_scan_is_found_and_a_search_is_none() {
    let conn = database();
    for (sql, scanned) in [
        ("SELECT DISTINCT siteid FROM member_auth WHERE expire_at <= ?1", "SCAN member_auth"),
        (
            "SELECT min(id), max(id) FROM journal",
            "SCAN journal USING COVERING INDEX journal_member",
        ),
        ("DELETE FROM logout WHERE issued + 1 < ?1", "SCAN logout"),
    ] {
        assert_eq!(scans(&conn, sql), [scanned], "{sql}");
    }
    for sql in [
        "SELECT 1 FROM member_auth WHERE siteid = ?1 AND memberid = ?2",
        "SELECT count(*) FROM journal WHERE sealed IS NOT NULL",
        "SELECT probed_at FROM health",
    ] {
        assert_eq!(scans(&conn, sql), [""; 0], "{sql}");
    }
}

fn database() -> Connection {
    let mut conn = Connection::open_in_memory().unwrap();
    upgrade::run(&mut conn, None).unwrap();
    give_sql_folded(&conn).unwrap();
    conn
}

fn is_query(sql: &str) -> bool {
    ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "].iter().any(|verb| sql.starts_with(verb))
}

/// The big tables that SQLite reads from end to end for this statement.
fn scans(conn: &Connection, sql: &str) -> Vec<String> {
    let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let mut rows = statement.raw_query();
    let mut scans = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let step: String = row.get("detail").unwrap();
        let Some(table) = step.strip_prefix("SCAN ") else { continue };
        let is_small = SMALL.contains(&table.split(' ').next().unwrap())
            || OF_FEW_ROWS.iter().any(|index| step.ends_with(index));
        if !is_small {
            scans.push(step);
        }
    }
    scans
}

/// The beginnings of the statements in the string literals of this directory, with their files.
/// Code for tests does not count, nor do the files in [`OF_UPGRADES`].
fn literals() -> Vec<(String, String)> {
    let mut all = Vec::new();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sqlite");
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let file = entry.file_name().into_string().unwrap();
        if !file.ends_with(".rs") || file == "plans.rs" || OF_UPGRADES.contains(&file.as_str()) {
            continue;
        }
        let mut found = Literals::default();
        found.visit_file(&syn::parse_file(&fs::read_to_string(entry.path()).unwrap()).unwrap());
        all.extend(found.0.into_iter().map(|literal| (file.clone(), literal)));
    }
    all
}

#[derive(Default)]
struct Literals(Vec<String>);

impl Literals {
    /// The text before the first placeholder of `format!`.
    fn add(&mut self, text: &str) {
        let sql = one_line(text.split('{').next().unwrap());
        if is_query(&sql) {
            self.0.push(sql);
        }
    }
}

impl<'ast> Visit<'ast> for Literals {
    fn visit_lit_str(&mut self, literal: &'ast syn::LitStr) {
        self.add(&literal.value());
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        for token in call.tokens.clone() {
            if let proc_macro2::TokenTree::Literal(literal) = token
                && let Ok(literal) = syn::parse_str::<syn::LitStr>(&literal.to_string())
            {
                self.add(&literal.value());
            }
        }
    }

    /// A doc comment is a string literal too.
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if module.ident != "tests" {
            syn::visit::visit_item_mod(self, module);
        }
    }
}
