//! The journal in the console.

use nats_userman::operator::Role;

use super::{between, on_every_engine, page, read, says};
use crate::support::App;

pub fn add(app: &App, member: u32, name: &str) -> String {
    app.post(&format!("action=ADD&siteid=1&memberid={member}&username={name}&password=secret"))
}

/// The names of members in the rows of the list, in their order.
fn names(page: &str) -> Vec<String> {
    let rows = between(page, "<tr><td><a href=\"&#x2f;postbacks&#x2f;", "</tr>");
    let rows = if rows.is_empty() {
        between(page, "<tr><td><a href=\"/postbacks/", "</tr>")
    } else {
        rows
    };
    let name = |row: &&str| {
        let cell = row.split("<td>").nth(3)?.split("</td>").next()?;
        Some(cell.rsplit("</a> ").next()?.trim().to_owned())
    };
    rows.iter().filter_map(name).collect()
}

/// The address to which the link with this text leads.
pub fn link(page: &str, text: &str) -> Option<String> {
    let (before, _) = page
        .split_once(&format!("\">{text}</a>"))
        .or_else(|| page.split_once(&format!("\" rel=\"next\">{text}</a>")))?;
    let address = before.rsplit("href=\"").next()?.split('"').next()?;
    Some(address.replace("&#x2f;", "/").replace("&amp;", "&"))
}

#[test]
fn the_newest_postback_comes_first_and_each_page_leads_to_the_next() {
    on_every_engine(&[], |app, anna| {
        let empty = page(anna.get("/postbacks"));
        says(&empty, "There is no postback yet.");
        for member in 1..=120 {
            add(app, member, &format!("name{member}"));
        }
        let expected = |numbers: std::ops::RangeInclusive<u32>| {
            numbers.rev().map(|number| format!("name{number}")).collect::<Vec<_>>()
        };
        let first = page(anna.get("/postbacks"));
        assert_eq!(names(&first), expected(71..=120));
        assert_eq!(link(&first, "First page"), None);
        let second = page(anna.get(&link(&first, "Next page").unwrap()));
        assert_eq!(names(&second), expected(21..=70));
        let third = page(anna.get(&link(&second, "Next page").unwrap()));
        assert_eq!(names(&third), expected(1..=20));
        assert_eq!(link(&third, "Next page"), None);
        assert_eq!(link(&third, "First page").as_deref(), Some("/postbacks"));
    });
}

#[test]
fn each_filter_selects_and_is_kept_on_the_page() {
    on_every_engine(&[], |app, anna| {
        add(app, 71, "bob");
        app.set_time("2026-06-15 13:00:00");
        app.post("action=ADD&siteid=2&memberid=72&username=eve&password=secret");
        app.post("action=ADD&siteid=1&memberid=73&username=bob&password=secret");
        app.set_time("2026-06-15 18:00:00");
        app.post("action=DELETE&siteid=2&memberid=72&username=eve");
        app.post_as_operator("action=DELETE&siteid=1&memberid=71&username=bob");
        let found = |query: &str| {
            let page = page(anna.get(&format!("/postbacks?{query}")));
            let rows = between(&page, "<tr><td><a href=", "</tr>");
            rows.iter()
                .map(|row| read(&format!("<main{row}")))
                .map(|row| {
                    // Action, site and member.
                    let words: Vec<&str> = row.split(' ').collect();
                    words[3..6].join(" ")
                })
                .collect::<Vec<_>>()
        };
        let all = ["DELETE 1 71", "DELETE 2 72", "ADD 1 73", "ADD 2 72", "ADD 1 71"];
        assert_eq!(found(""), all);
        for (query, rows) in [
            ("site=2", &[all[1], all[3]][..]),
            ("memberid=71", &[all[0], all[4]]),
            ("site=1&memberid=73", &[all[2]]),
            ("action=DELETE", &[all[0], all[1]]),
            ("reply=ERROR", &[all[2]]),
            ("source=operator", &[all[0]]),
            ("source=nats&action=DELETE", &[all[1]]),
            ("text=HELD+by+member+71", &[all[2]]),
            ("from=2026-06-15+13:00:00", &all[..4]),
            ("until=2026-06-15+13:00:00", &all[4..]),
            ("from=2026-06-15+13:00:00&until=2026-06-15+18:00:00", &all[2..4]),
            ("from=2026-06-15+13:00&until=2026-06-15+18:00", &all[2..4]),
            ("from=2026-06-16", &[]),
            ("until=2026-06-14", &[]),
        ] {
            assert_eq!(found(query), rows, "{query}");
        }
        let page = page(anna.get("/postbacks?text=%22%3E%3Cscript%3E&action=DELETE"));
        assert!(page.contains("value=\"&quot;&gt;&lt;script&gt;\""), "{page}");
        assert!(page.contains("<option selected>DELETE</option>"), "{page}");
        says(&page, "No postback matches.");
    });
}

#[test]
fn a_record_is_shown_whole_without_what_the_journal_hides() {
    on_every_engine(&["--time-zone", "Europe/Berlin"], |app, anna| {
        app.post(
            "action=ADD&siteid=1&memberid=71&username=bob&password=Sesame-4711&session=abcdef&\
             email=b%40x.example&city=Rome&x=y",
        );
        let id = app.rows("SELECT id FROM journal")[0].clone();
        let body = page(anna.get(&format!("/postbacks/{id}")));
        says(&body, "Passwords and other secrets are never stored with their value.");
        assert!(body.contains(&format!("<h1>Record {id}</h1>")), "{body}");
        for text in [
            "OK member 71 \"bob\" added to site 1",
            "Time 2026-06-15 14:00:00",
            "Source nats",
            "Address 127.0.0.1",
            "Password sealed, to be hashed",
            "Session its SHA-256",
            "username bob",
            "email b@x.example",
            "city (given, not shown)",
            "(another name) (not shown)",
            "from 127.0.0.1: action=ADD&amp;siteid=1&amp;memberid=71&amp;username=bob&amp;\
             password=***&amp;session=***&amp;email=b%40x.example&amp;city=***&amp;***",
        ] {
            says(&body, text);
        }
        assert!(body.contains("Times are in the time zone Europe&#x2f;Berlin."), "{body}");
        assert!(!body.contains("Sesame"), "{body}");
        for (path, status) in [
            ("/postbacks/999999", 404),
            ("/postbacks/0", 404),
            ("/postbacks/x", 404),
            ("/postbacks/99999999999999999999", 404),
        ] {
            let response = anna.get(path);
            assert_eq!(response.status, status, "{path}");
            says(&response.body, "The journal has no record with this number.");
        }
    });
}

#[test]
fn names_and_replies_of_strangers_are_text_on_every_page() {
    on_every_engine(&[], |app, anna| {
        let hostile = "%3Cscript%3Ealert(1)%3C/script%3E%22'%26";
        add(app, 71, hostile);
        app.post(&format!("action=%3Cimg+src=x%3E&siteid=1&memberid=71&username={hostile}"));
        let ids = app.rows("SELECT id FROM journal ORDER BY id");
        let paths = ["/postbacks".to_owned()].into_iter();
        let paths = paths.chain(ids.iter().map(|id| format!("/postbacks/{id}")));
        for path in paths {
            let body = page(anna.get(&path));
            assert!(body.contains("&lt;script&gt;alert(1)"), "{path}: {body}");
            assert!(!body.contains("<script>alert"), "{path}: {body}");
            assert!(!body.contains("<img"), "{path}: {body}");
        }
    });
}

#[test]
fn a_record_is_replayed_as_a_dry_run_by_an_admin_alone() {
    on_every_engine(&[], |app, anna| {
        app.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret&email=a%40x.org");
        app.post("action=CHANGE&siteid=1&memberid=71&new_email=b%40x.org");
        app.post("action=DELETE&siteid=1&memberid=71&username=bob");
        let ids = app.rows("SELECT id FROM journal ORDER BY id");
        let before = app.rows("SELECT count(*) FROM journal");
        let tried = |id: &str| page(anna.get(&format!("/postbacks/{id}?dry-run=1")));
        let added = tried(&ids[0]);
        for text in [
            "The reply would be: OK member 71 \"bob\" added to site 1",
            "A former member would come back: the row would move back.",
            "email b@x.org a@x.org",
            "Nothing was changed, and nothing was written into the journal.",
        ] {
            says(&added, text);
        }
        says(&tried(&ids[1]), "The row would stay as it is.");
        says(&tried(&ids[2]), "The reply would be: OK member 71 is not a member of site 1 now");
        assert_eq!(app.rows("SELECT count(*) FROM journal"), before);
        assert_eq!(app.rows("SELECT count(*) FROM member_auth"), ["0"]);

        let bert = app.console("bert", Role::Support);
        let refused = bert.get(&format!("/postbacks/{}?dry-run=1", ids[0]));
        assert_eq!(refused.status, 403);
        says(&refused.body, "Only operators of the role admin may replay a record as a dry run.");
        let shown = page(bert.get(&format!("/postbacks/{}", ids[0])));
        assert!(!shown.contains("dry-run"), "{shown}");
    });
}

/// Regression: the mask in place of the password was decided as a password of three bytes.
#[test]
fn a_refused_record_has_no_password_and_is_not_decided_by_its_mask() {
    on_every_engine(&[], |app, anna| {
        add(app, 71, "bob");
        assert!(add(app, 72, "BOB").starts_with("ERROR|"));
        app.post("action=ADD&siteid=1&memberid=73&username=eve&password=");
        app.post("action=DELETE&siteid=0&memberid=71&password=secret");
        let ids = app.rows("SELECT id FROM journal ORDER BY id");
        let tried = |id: &str| page(anna.get(&format!("/postbacks/{id}?dry-run=1")));
        says(
            &tried(&ids[1]),
            "The record has no password, because the postback was refused. Ask NATS to send it \
             again.",
        );
        assert!(!tried(&ids[1]).contains("3 bytes"));
        says(&tried(&ids[2]), "The reply would be: ERROR password: expected 1 to 1024 bytes, or");
        says(&tried(&ids[3]), "The reply would be: ERROR siteid: expected a number");
        says(&tried(&ids[0]), "The row would stay as it is.");
    });
}
