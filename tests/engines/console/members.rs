//! The page Members of the console: the search, a member, and each change, through the front door.

use nats_userman::operator::Role;
use nats_userman::password::Vault;

use crate::ENGINES;
use crate::engines::property::{dump, replay};
use crate::support::{App, Console, EngineKind, Request, Response, eventually, temp_dir};

/// An operator in a browser, who is logged in.
pub struct Browser(pub Console);

impl Browser {
    /// Adds an operator with this role, who logs in.
    pub fn of(app: &App, name: &str, role: Role) -> Self {
        Self(app.console(name, role))
    }

    pub fn get(&self, path: &str) -> Response {
        self.0.get(path)
    }

    /// The text of a page, which must be there.
    pub fn page(&self, path: &str) -> String {
        let response = self.get(path);
        assert_eq!(response.status, 200, "{path}: {}", response.body);
        response.body.replace("&#x2f;", "/")
    }

    /// Opens the page of a change and sends its form.
    pub fn send(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let page = self.page(path);
        assert!(page.contains("<form method=\"post\""), "{page}");
        self.0.post(path, &form(fields))
    }

    /// Sends a form without the token, but for what the fields have.
    pub fn post_without_token(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        self.0.send(Request::post(path).same_origin().form(&form(fields)))
    }

    /// What the member's page says after a form that was sent.
    pub fn told(&self, done: &Response) -> String {
        assert_eq!(done.status, 303, "{}", done.body);
        message(&self.page(done.header("location").unwrap()))
    }

    /// Sends the form of a change, is led to the member's page, and reads its message.
    pub fn change(&self, path: &str, fields: &[(&str, &str)]) -> String {
        self.told(&self.send(path, fields))
    }
}

pub fn form(fields: &[(&str, &str)]) -> String {
    serde_urlencoded::to_string(fields).unwrap()
}

/// The message at the top of a page.
pub fn message(page: &str) -> String {
    let (_, rest) = page.split_once("<p class=\"message").unwrap_or_else(|| panic!("{page}"));
    let (_, rest) = rest.split_once('>').unwrap();
    rest.split("</p>").next().unwrap().replace("&quot;", "\"").replace("&#x27;", "'")
}

/// The rows of the table of a page, as the texts of their cells.
pub fn rows(page: &str) -> Vec<String> {
    let (_, body) = page.rsplit_once("<tbody>").unwrap();
    let body = body.split("</tbody>").next().unwrap();
    let text = |html: &str| {
        let mut text = String::new();
        let mut is_tag = false;
        for character in html.chars() {
            match character {
                '<' => is_tag = true,
                '>' => is_tag = false,
                _ if !is_tag => text.push(character),
                _ => {}
            }
        }
        text.trim().to_owned()
    };
    let cells = |row: &str| {
        let row = row.replace("</th>", "</td>");
        row.split("</td>").map(text).filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join(" | ")
    };
    body.split("</tr>").map(cells).filter(|row| !row.is_empty()).collect()
}

pub const FLAGS: [&str; 10] = [
    "--ops-listen",
    "127.0.0.1:0",
    "--time-zone",
    "Europe/Berlin",
    "--expire-grace-hours",
    "48",
    "--trusted-proxy",
    "127.0.0.1",
    "--login-limit-pair",
    "2",
];

/// bob (71), Bobby (72, on trial, expires), cleo (73, deleted) on site 1, and bob (71) on site 2.
pub fn filled(app: &App) {
    for body in [
        "action=ADD&siteid=1&memberid=71&username=bob&password=secret&email=bob@example.com",
        "action=ADD&siteid=1&memberid=72&username=Bobby&password=secret&trial=1",
        "action=ADD&siteid=1&memberid=73&username=cleo&password=secret",
        "action=ADD&siteid=2&memberid=71&username=bob&password=secret",
        "action=EXPIRE&siteid=1&memberid=72&expire=2026-07-01",
        "action=DELETE&siteid=1&memberid=73",
    ] {
        assert!(app.post(body).starts_with("OK|"), "{body}");
    }
}

fn on_every_engine(story: impl Fn(&App)) {
    for engine in ENGINES {
        let Some(app) = App::start_on_engine(engine, &FLAGS) else { continue };
        filled(&app);
        story(&app);
    }
}

#[test]
fn members_are_found_by_memberid_name_and_address_and_an_exact_one_is_offered_first() {
    on_every_engine(|app| {
        let eve = Browser::of(app, "eve", Role::Support);
        let bob = "bob | 1 | 71 | member | no | – | bob@example.com";
        let bob_2 = "bob | 2 | 71 | member | no | – | –";
        let bobby = "Bobby | 1 | 72 | member | yes | 2026-07-03 00:00:00 | –";
        assert_eq!(rows(&eve.page("/members?q=BOB")), [bob, bob_2, bobby]);
        assert_eq!(rows(&eve.page("/members?q=bob&site=1")), [bob, bobby]);
        assert_eq!(rows(&eve.page("/members?q=71")), [bob, bob_2]);
        assert_eq!(rows(&eve.page("/members?q=+bob%40EXA+")), [bob]);
        // Another one's address begins with the name of somebody.
        app.post(
            "action=ADD&siteid=2&memberid=77&username=eve&password=secret&email=bobs%40x.example",
        );
        let eve_77 = "eve | 2 | 77 | member | no | – | bobs@x.example";
        let named = eve.page("/members?q=bob&site=2");
        assert_eq!(rows(&named), [bob_2]);
        let link = "<a href=\"/members?q=bob&amp;site=2&amp;emails=1\">";
        assert!(named.replace("&#x2f;", "/").contains(link), "{named}");
        let both = eve.page("/members?q=bob&site=2&emails=1");
        assert_eq!(rows(&both), [bob_2, eve_77]);
        assert!(!both.contains("emails=1"), "{both}");
        assert_eq!(rows(&eve.page("/members?q=bobs&site=2")), [eve_77], "no name begins like this");
        let cleo = "cleo | 1 | 73 | deleted 2026-06-15 14:00:00 | no | – | –";
        assert_eq!(rows(&eve.page("/members?q=cl")), [cleo]);

        let only = "Exactly this one: <a class=\"button\" href=\"/members/1/72\">Bobby, member 72 \
                    of site 1</a>";
        assert!(eve.page("/members?q=bobby").contains(only));
        assert!(!eve.page("/members?q=bob").contains("Exactly this one"), "there are two");

        let said = |query: &str| message(&eve.page(&format!("/members?{query}")));
        let nobody = "Nobody is found: no member and no former member has this memberid, or a name \
                      or an e-mail address that begins like this.";
        assert_eq!(said("q=nobody"), nobody);
        assert_eq!(said("q=99"), nobody);
        assert_eq!(said("q=bob&site=9"), nobody);
        assert_eq!(said("q=bob&site=x"), "Site: expected a number from 1 to 9223372036854775807.");
        assert_eq!(
            said(&format!("q={}", "x".repeat(256))),
            "This is too long: no name and no address has more than 255 bytes."
        );
        let first = eve.page("/members");
        assert!(!first.contains("class=\"message") && !first.contains("<tbody>"), "{first}");
        let same = eve.page("/members?q=+&site=");
        assert_eq!(same.replace("value=\" \"", "value=\"\""), first);
    });
}

#[test]
fn a_member_s_page_says_why_they_do_not_get_in_and_tells_their_history() {
    on_every_engine(|app| {
        let eve = Browser::of(app, "eve", Role::Support);
        let basic =
            |password: &str| app.send(Request::get("/auth?site=1").basic("bob", password)).status;
        app.harden();
        assert_eq!((basic("secret"), basic("wrong")), (200, 401));
        let page = || eve.page("/members/1/71");
        eventually("the logins are recorded", || page().contains("wrong password"));
        let why = "<strong>They may log in; a wrong password was tried at 2026-06-15 14:00:00 from \
                   127.0.0.1.</strong>";
        assert!(page().contains(why), "{}", page());
        let mut history = rows(&page());
        history.sort();
        assert_eq!(
            history,
            [
                "2026-06-15 14:00:00 | ADD | OK|member 71 &quot;bob&quot; added to site 1 | NATS \
                 from 127.0.0.1",
                "2026-06-15 14:00:00 | login | logged in | the browser&#x27;s prompt, from \
                 127.0.0.1",
                "2026-06-15 14:00:00 | login | wrong password | the browser&#x27;s prompt, from \
                 127.0.0.1",
            ]
        );
        for (address, texts) in [
            (
                "1/73",
                &["They were deleted on 2026-06-15 14:00:00 and cannot log in.", "Restore"][..],
            ),
            ("1/72", &["They may log in.", "2026-07-03 00:00:00", "New expiry"]),
            (
                "1/99",
                &[
                    "They were never a member of this site.",
                    "Nothing is stored about this memberid",
                ],
            ),
            ("9/71", &["They were never a member of this site.", "the siteid is another one"]),
        ] {
            let page = eve.page(&format!("/members/{address}"));
            texts.iter().for_each(|text| assert!(page.contains(text), "{text}: {page}"));
        }
        app.set_time("2026-07-03 12:00:00");
        // A session lasts half a day.
        let eve = Browser(app.log_in_operator("eve"));
        let page = eve.page("/members/1/72");
        assert!(page.contains("They expired on 2026-07-03 00:00:00 and cannot log in."), "{page}");
        for address in ["/members/x/71", "/members/1/0", "/members/1/9223372036854775808"] {
            assert_eq!(eve.get(address).status, 404, "{address}");
        }
    });
}

#[test]
fn every_change_is_confirmed_made_and_journalled_with_the_operator_s_name_and_replays_equally() {
    on_every_engine(|app| {
        let eve = Browser::of(app, "eve", Role::Support);
        let logs_in = |password: &str| {
            app.send(Request::get("/auth?site=1").basic("bob", password)).status == 200
        };
        assert_eq!(
            eve.change("/members/1/71/expiry", &[("when", "2026-07-01T12:30")]),
            "Done: member 71 \"bob\" of site 1 will expire at 2026-07-01T10:30:00Z."
        );
        assert!(eve.page("/members/1/71").contains("2026-07-01 12:30:00"));
        assert_eq!(
            eve.change("/members/1/71/expiry", &[("when", "never")]),
            "Done: member 71 \"bob\" of site 1 has no expiry now."
        );
        let new = [("password", "correct horse"), ("again", "correct horse")];
        assert_eq!(
            eve.change("/members/1/71/password", &new),
            "Done: member 71 \"bob\" changed on site 1."
        );
        assert!(logs_in("correct horse") && !logs_in("secret"));
        assert_eq!(
            eve.change("/members/1/71/logout", &[]),
            "Done: member 71 \"bob\" logged out of site 1."
        );
        assert_eq!(
            eve.change("/members/1/71/remove", &[]),
            "Done: member 71 \"bob\" removed from site 1."
        );
        assert!(!logs_in("correct horse"));
        app.post("action=ADD&siteid=1&memberid=74&username=Bob&password=secret");
        let taken = eve.send("/members/1/71/restore", &[("username", "bob")]);
        assert_eq!(taken.status, 400);
        assert_eq!(
            message(&taken.body),
            "Not done: username \"bob\" is held by member 74 of site 1, nothing was changed for \
             member 71."
        );
        assert_eq!(
            eve.change("/members/1/71/restore", &[("username", "bob the first")]),
            "Done: member 71 \"bob the first\" activated on site 1."
        );
        let names =
            app.rows("SELECT action, operator FROM journal WHERE source = 'operator' ORDER BY id");
        assert_eq!(
            names,
            [
                "EXPIRE|eve",
                "EXPIRE|eve",
                "CHANGE|eve",
                "CHANGE|eve",
                "DELETE|eve",
                "ACTIVATE|eve",
                "ACTIVATE|eve"
            ]
        );
        let history = rows(&eve.page("/members/1/71"));
        assert!(history.iter().any(|row| row.ends_with("| operator eve")), "{history:?}");
        app.harden();
        let (location, dir) = (&app.config.location, temp_dir());
        let vault = Vault::load(&app.config.data_dir.seal_key()).unwrap();
        let copy = replay(dir.path(), "copy.db", location, &vault, false, app.now());
        let copy = copy.unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(dump(&copy.location), dump(location));
    });
}

#[test]
fn the_blocks_of_a_member_are_lifted_and_that_is_journalled() {
    on_every_engine(|app| {
        let eve = Browser::of(app, "eve", Role::Support);
        let basic = |password: &str| {
            let request = Request::get("/auth?site=1").basic("bob", password);
            app.send(request.from("203.0.113.9")).status
        };
        assert_eq!(["wrong 1", "wrong 2", "secret"].map(basic), [401, 401, 403]);
        app.look_at_blocks();
        let page = eve.page("/members/1/71");
        assert!(page.contains("member, blocked") && page.contains("Lift the blocks"), "{page}");
        let asked = eve.page("/members/1/71/lift");
        assert!(asked.contains("The block of this name from 203.0.113.9 until"), "{asked}");
        assert_eq!(
            eve.change("/members/1/71/lift", &[]),
            "Done: lifted for member 71 of site 1: 1 block for wrong passwords."
        );
        app.look_at_blocks();
        app.harden();
        assert_eq!(basic("secret"), 200);
        let again = eve.get("/members/1/71/lift");
        assert_eq!(again.status, 409);
        assert!(again.body.contains("They are not blocked now. Nothing was changed"));
        let record =
            app.rows("SELECT siteid, memberid, operator, reply FROM journal WHERE action IS NULL");
        assert_eq!(
            record,
            ["1|71|eve|OK|lifted for member 71 of site 1: 1 block for wrong passwords"]
        );
    });
}

/// Regression: any `done` in the address showed the operator's last change as if it were new.
#[test]
fn the_message_of_a_change_is_shown_by_its_number_to_its_operator_alone() {
    on_every_engine(|app| {
        let (eve, adam) =
            (Browser::of(app, "eve", Role::Support), Browser::of(app, "adam", Role::Admin));
        let sent = eve.send("/members/1/71/logout", &[]);
        let place = sent.header("location").unwrap();
        let id = app.rows("SELECT MAX(id) FROM journal").remove(0);
        assert_eq!(place, format!("/members/1/71?record={id}&done=logout"));
        let done = "Done: member 71 \"bob\" logged out of site 1.";
        assert_eq!(message(&eve.page(place)), done);
        let silent = |browser: &Browser, path: &str| {
            let page = browser.page(path);
            assert!(!page.contains("<p class=\"message"), "{path}: {page}");
        };
        silent(&adam, place);
        silent(&eve, "/members/1/71?done=logout");
        silent(&eve, &format!("/members/1/72?record={id}&done=logout"));
        for other in ["0", "-1", "x", "1", "9223372036854775807"] {
            silent(&eve, &format!("/members/1/71?record={other}&done=logout"));
        }
    });
}

/// Regression: the page had the tag "member, blocked", and said that they may log in.
#[test]
fn a_member_in_a_blocked_network_is_told_from_where_they_cannot_log_in() {
    for engine in ENGINES {
        let flags = [&FLAGS[..], &["--login-limit-network", "2"]].concat();
        let Some(app) = App::start_on_engine(engine, &flags) else { continue };
        filled(&app);
        app.harden();
        let eve = Browser::of(&app, "eve", Role::Support);
        let basic = |name: &str, password: &str| {
            let request = Request::get("/auth?site=1").basic(name, password);
            app.send(request.from("198.51.100.7")).status
        };
        assert_eq!([basic("x1", "wrong"), basic("x2", "wrong")], [401, 401]);
        assert_eq!(basic("bob", "secret"), 403);
        app.look_at_blocks();
        let page = || eve.page("/members/1/71");
        eventually("the refused login is recorded", || page().contains("member, blocked"));
        let why = "<strong>They cannot log in from 198.51.100.7 until 2026-06-15 14:15:00, because \
                   too many wrong passwords came from that network; from elsewhere they \
                   can.</strong>";
        assert!(page().contains(why), "{}", page());
    }
}

/// A page may be old when its button is pressed, or its form may be sent twice.
#[test]
fn a_form_that_comes_late_or_twice_changes_nothing_more() {
    on_every_engine(|app| {
        let (eve, adam) =
            (Browser::of(app, "eve", Role::Support), Browser::of(app, "adam", Role::Admin));
        let (set, end, gone) =
            ("/members/1/71/password", "/members/1/71/expiry", "/members/1/71/remove");
        [set, end, gone].iter().for_each(|path| drop(eve.page(path)));
        let late = |browser: &Browser, path: &str, fields: &[(&str, &str)]| {
            browser.told(&browser.0.post(path, &form(fields)))
        };
        app.post("action=DELETE&siteid=1&memberid=71");
        let left = "Not done: member 71 is not a member of site 1 now, nothing was changed.";
        let new = [("password", "correct horse"), ("again", "correct horse")];
        assert_eq!(late(&eve, set, &new), left);
        assert_eq!(late(&eve, end, &[("when", "never")]), left);
        let nothing = "Nothing to do: member 71 is not a member of site 1 now, nothing to remove.";
        assert_eq!(late(&adam, gone, &[]), nothing);
        assert_eq!(late(&adam, gone, &[]), nothing, "sent twice");

        let unblocked = "Nothing to do: member 71 of site 1 is not blocked, nothing was lifted.";
        assert_eq!(late(&eve, "/members/1/71/lift", &[]), unblocked);

        let restore = "/members/1/71/restore";
        let as_bob = [("username", "bob")];
        assert_eq!(late(&eve, restore, &as_bob), "Done: member 71 \"bob\" activated on site 1.");
        app.post("action=CHANGE&siteid=1&memberid=71&new_username=rob");
        let late = adam.0.post(restore, &form(&as_bob));
        assert_eq!(late.status, 400);
        assert_eq!(
            message(&late.body),
            "Not done: member 71 is a member of site 1 now, nothing was restored."
        );
        assert!(eve.page("/members/1/71").contains("<h1>rob "), "and has the new name");
    });
}

/// A page with many entries, on the engine whose plans could scan.
#[test]
fn the_history_comes_in_pages_that_lose_and_double_nothing() {
    for engine in [EngineKind::Sqlite, EngineKind::MariaDb] {
        let Some(app) = App::start_on_engine(engine, &FLAGS) else { continue };
        app.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret");
        for number in 0..119 {
            app.post(&format!("action=CHANGE&siteid=1&memberid=71&new_email={number}@example.com"));
        }
        let eve = Browser::of(&app, "eve", Role::Support);
        let (mut path, mut links, mut sizes) = ("/members/1/71".to_owned(), Vec::new(), Vec::new());
        loop {
            let page = eve.page(&path);
            sizes.push(rows(&page).len());
            links.extend(
                page.split("href=\"/postbacks/")
                    .skip(1)
                    .map(|rest| rest.split('"').next().unwrap().parse::<u64>().unwrap()),
            );
            let Some((next, _)) = page.split_once("\" rel=\"next\"") else { break };
            let (_, next) = next.rsplit_once("href=\"").unwrap();
            path = next.replace("&#x2f;", "/").replace("&amp;", "&");
        }
        assert_eq!(sizes, [50, 50, 20]);
        let mut sorted = links.clone();
        sorted.sort_unstable_by(|one, other| other.cmp(one));
        sorted.dedup();
        assert_eq!((links.len(), &links), (120, &sorted), "each once, the newest first");
    }
}
