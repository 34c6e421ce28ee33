//! A release continues with the data of every release before it: `tests/releases/` has a data
//! directory of each one.

mod kept;
mod killed;
mod names;
mod upgrade;

pub use self::kept::kept;
use self::kept::{Cookie, Kept, releases};

use base64::Engine as _;
use rusqlite::Connection;

use crate::support::{
    App, Program, Request, Response, eventually, post_to, program, rows, send_raw, stride,
};

fn start(kept: Kept, flags: &[&str]) -> App {
    let flags = [&["--trusted-proxy", "127.0.0.1"], flags].concat();
    App::start_at(kept.dir, &flags, kept.facts.made_at + 1)
}

/// The answer of `/auth` to a visitor with these headers.
fn auth(app: &App, site: i64, headers: &str) -> Response {
    let request = Request::get(&format!("/auth?site={site}")).host("members.example.com");
    app.send(request.lines(&format!("{headers}\r\n")))
}

fn basic(name: &str, password: &str) -> String {
    let credentials =
        base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
    format!("Authorization: Basic {credentials}")
}

/// All rows of a table, in the columns that it had in the release.
fn table(conn: &Connection, name: &str, columns: &[String]) -> Vec<String> {
    let columns: Vec<_> = columns.iter().map(|column| format!("quote(\"{column}\")")).collect();
    rows(
        conn,
        &format!("SELECT {} FROM {name} ORDER BY {}", columns.join(", "), columns.join(", ")),
    )
}

/// The table or view that has the whole text of the journal records. From version 5 on it is a
/// view.
fn journal(conn: &Connection) -> &'static str {
    match rows(conn, "SELECT name FROM sqlite_schema WHERE name = 'journal_text'").is_empty() {
        true => "journal",
        false => "journal_text",
    }
}

/// The tables about members, and their columns. The table that a start itself writes (the health
/// probe) is left out.
fn tables(conn: &Connection) -> Vec<(String, Vec<String>)> {
    let names = ["member_auth", "former_member", "journal", "logout", "block", "seal_key"]
        .map(String::from);
    let columns =
        |name: &String| rows(conn, &format!("SELECT name FROM pragma_table_info('{name}')"));
    names.iter().map(|name| (name.clone(), columns(name))).collect()
}

#[test]
fn nobody_vanishes_and_no_column_changes() {
    for release in releases() {
        let (before, after) = (kept(&release), kept(&release));
        let old = Connection::open(before.database()).unwrap();
        let app = start(after, &[]);
        let new = app.database();
        for (name, columns) in tables(&old) {
            let shown = |conn| if name == "journal" { journal(conn) } else { &name };
            let (was, is) =
                (table(&old, shown(&old), &columns), table(&new, shown(&new), &columns));
            // The name of a block is folded by the upgrade, as intended.
            let same = if name == "block" { was.len() == is.len() } else { was == is };
            assert!(
                same && !columns.is_empty(),
                "{release}: {name}: {} rows before, {} after",
                was.len(),
                is.len()
            );
        }
    }
}

#[test]
fn the_journal_is_converted_while_the_service_runs_and_says_what_it_said() {
    for release in releases() {
        let (before, after) = (kept(&release), kept(&release));
        let old = Connection::open(before.database()).unwrap();
        let columns = rows(&old, "SELECT name FROM pragma_table_info('journal')");
        let app = start(after, &[]);
        eventually("the journal is converted", || {
            app.rows("SELECT * FROM journal_conversion").is_empty()
        });
        let was = table(&old, journal(&old), &columns);
        assert_eq!(table(&app.database(), "journal_text", &columns), was, "{release}");
        let forms = app.rows("SELECT DISTINCT fields LIKE '~%' FROM journal WHERE fields <> ''");
        assert_eq!(forms, ["1"], "{release}");
    }
}

#[test]
fn logins_go_on_and_a_login_that_was_given_back_stays_out() {
    for release in releases() {
        let facts = kept(&release).facts;
        for Cookie { cookie, flags, member } in facts.cookies.iter().chain([&facts.given_back]) {
            let app = start(kept(&release), &flags.iter().map(String::as_str).collect::<Vec<_>>());
            let site = member.map_or(1, |(site, _)| site);
            let response = auth(&app, site, &format!("Cookie: {cookie}"));
            let found = (response.status, response.header("x-member-id").map(str::to_owned));
            let expected =
                member.map_or((401, None), |(_, member)| (200, Some(member.to_string())));
            assert_eq!(found, expected, "{release}: {cookie}");
        }
    }
}

#[test]
fn passwords_open_and_former_members_come_back_with_the_credential_that_was_kept() {
    // A login at `/auth` takes several times as long as to open what is stored, so not every member
    // of every release logs in: of the next release others do.
    let every = stride(6);
    for (turn, release) in releases().into_iter().enumerate() {
        let left = kept(&release);
        let (opens, comes_back) = (left.facts.opens.clone(), left.facts.comes_back.clone());
        let app = start(left, &[]);
        let stored = |site: i64, member: i64| {
            app.rows(&format!(
                "SELECT hex(sealed), password, hex(cryptpass_wrapped), cryptpass FROM member_auth \
                 WHERE siteid = {site} AND memberid = {member}"
            ))
        };
        // What is stored of each member whose password was seen to open it.
        let mut opened = Vec::new();
        for (index, (site, member, name, password)) in opens.iter().enumerate() {
            // A name with a colon can log in at the login page only.
            let logs_in = !name.contains(':');
            if index % every == turn % every {
                let headers = format!("{}\r\nX-Forwarded-For: 192.0.2.9", basic(name, password));
                let status = auth(&app, *site, &headers).status;
                assert_eq!(status, if logs_in { 200 } else { 401 }, "{release}: {name}");
            }
            if index % every != turn % every || !logs_in {
                assert!(
                    app.opens(*site, *member, password),
                    "{release}: member {member} of site {site}"
                );
            }
            opened.push(stored(*site, *member));
        }
        for (site, member, name, password) in &comes_back {
            assert!(!app.opens(*site, *member, password), "{release}: {name}");
            let fields = [
                ("action", "ACTIVATE"),
                ("username", name),
                ("siteid", &site.to_string()),
                ("memberid", &member.to_string()),
            ];
            let reply = app.post(&serde_urlencoded::to_string(fields).unwrap());
            assert!(
                reply.starts_with("OK|") && app.opens(*site, *member, password),
                "{release}: {name}: {reply}"
            );
            opened.push(stored(*site, *member));
        }
        app.harden();
        let mut hashed = 0;
        for ((site, member, name, password), before) in opens.iter().chain(&comes_back).zip(opened)
        {
            // What was a hash before is the same hash.
            if stored(*site, *member) != before {
                assert!(app.opens(*site, *member, password), "{release}: {name}, hashed");
                hashed += 1;
            }
        }
        assert!(hashed > 0, "{release}: nothing was hashed");
    }
}

#[test]
fn blocks_hold() {
    for release in releases() {
        let left = kept(&release);
        let blocked = left.facts.blocked.clone();
        let app = start(left, &[]);
        for (address, site, name) in &blocked {
            let response = auth(
                &app,
                *site,
                &format!("{}\r\nX-Forwarded-For: {address}", basic(name, "whatever")),
            );
            assert_eq!(
                (response.status, response.header("x-auth-reason")),
                (403, Some("blocked")),
                "{release}: {name}, {address}"
            );
        }
    }
}

/// Runs the real program with an environment file of the release, in the directory in which the
/// release ran.
fn with_environment(left: &Kept, file: &str) -> std::process::Command {
    let mut command = program();
    let text = std::fs::read_to_string(left.dir.path().join(file)).unwrap();
    let settings = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    command.current_dir(left.dir.path()).envs(settings.map(|line| line.split_once('=').unwrap()));
    command
}

#[test]
fn no_setting_breaks_and_urls_and_keys_stay_good() {
    for release in releases() {
        let facts = kept(&release).facts;
        for (file, tokens) in &facts.tokens {
            let left = kept(&release);
            let checked = with_environment(&left, file).arg("check-config").output().unwrap();
            assert_eq!(
                checked.status.code(),
                Some(0),
                "{release}, {file}: {}",
                String::from_utf8_lossy(&checked.stderr)
            );
            let mut command = with_environment(&left, file);
            // Only to have the line with the port in the log.
            command.args(["serve", "--log", "info"]).stdout(std::process::Stdio::null());
            let mut service =
                Program::spawn(command).unwrap_or_else(|said| panic!("{release}, {file}: {said}"));
            for token in tokens {
                let reply = post_to(service.address, token, b"action=CHECK&siteid=1&username=BOB")
                    .unwrap()
                    .body;
                assert_eq!(reply, "OK|username \"BOB\" is taken on site 1", "{release}, {file}");
            }
            let ask = |key: &str| {
                let (username, path) =
                    (&facts.api_key.0, "/api/member/authstring?type=upsell&username=bob&siteid=1");
                let request = Request::get(path);
                let request = request.header("api-username", username).header("api-key", key);
                send_raw(service.address, request).unwrap().status
            };
            // No NATS is running. An attempt to call it shows that the key is accepted.
            let good = if file == "develop.env" { 200 } else { 502 };
            assert_eq!(
                (ask(&facts.api_key.1), ask("0123456789abcdef9999")),
                (good, 401),
                "{release}, {file}"
            );
            assert!(service.terminate().success(), "{release}, {file}");
        }
    }
}
