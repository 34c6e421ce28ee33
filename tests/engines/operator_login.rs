//! Operators log in, and their sessions end.

use nats_userman::operator::Role;
use nats_userman::store::with_engine;

use crate::ENGINES;
use crate::support::{App, OPERATOR_PASSWORD, OPS, Request, Response, eventually};

const WRONG: &str = "The name or the password is wrong.";
const BLOCKED: &str = "There were too many wrong passwords. Try again in five minutes.";

/// Runs a story with an operations listener on every engine that is installed.
fn on_every_engine(story: impl Fn(&App)) {
    for engine in ENGINES {
        eprintln!("engine {engine:?}");
        if let Some(app) = App::start_on_engine(engine, &OPS) {
            story(&app);
        }
    }
}

fn location(response: &Response) -> Option<&str> {
    response.header("location")
}

#[test]
fn an_operator_logs_in_sees_the_console_and_logs_out() {
    on_every_engine(|app| {
        let unknown = app.send_ops(Request::get("/members?q=bob"));
        assert_eq!(
            (unknown.status, location(&unknown)),
            (303, Some("/login?back=%2Fmembers%3Fq%3Dbob"))
        );
        app.add_operator("anna", Role::Admin);
        let form = format!(
            "name=+Anna&password={}&back=/members%3Fq%3Dbob",
            OPERATOR_PASSWORD.replace(' ', "+")
        );
        let in_ = app.send_ops(Request::post("/login").same_origin().form(&form));
        assert_eq!((in_.status, location(&in_)), (303, Some("/members?q=bob")));
        let cookie = in_.header("set-cookie").unwrap();
        let (value, rest) = cookie.split_once("; ").unwrap();
        assert_eq!(rest, "Max-Age=43200; Path=/; HttpOnly; SameSite=Strict");
        let digits = value.strip_prefix("userman-console=").unwrap();
        assert!(digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit()), "{value}");

        let console = app.log_in_operator("anna");
        assert_ne!(console.cookie, value, "each login has a session of its own");
        let home = console.get("/");
        assert!(home.status == 200 && home.body.contains("anna (admin)"), "{}", home.body);
        let out = console.post("/logout", "");
        assert_eq!((out.status, location(&out)), (303, Some("/login")));
        assert_eq!(
            out.header("set-cookie"),
            Some("userman-console=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict")
        );
        assert_eq!(console.get("/").status, 303, "a copy of the cookie is worth nothing");
        assert_eq!(app.send_ops(Request::get("/").cookie(value)).status, 200, "the other goes on");
    });
}

#[test]
fn a_session_ends_after_twelve_hours_by_a_new_password_and_with_the_operator() {
    on_every_engine(|app| {
        let anna = app.console("anna", Role::Support);
        app.jump_to(app.now() + 12 * 3600 - 1);
        assert_eq!(anna.get("/").status, 200);
        app.jump_to(app.now() + 1);
        assert_eq!(anna.get("/").status, 303);

        let change = |work: &dyn Fn(&mut dyn nats_userman::store::Engine)| {
            with_engine(&app.config.location, false, |engine| {
                engine.begin().unwrap();
                work(engine);
                engine.commit().unwrap();
            })
            .unwrap();
        };
        let anna = app.log_in_operator("anna");
        let name = nats_userman::operator::OperatorName::parse("anna").unwrap();
        let hash = nats_userman::password::Hash::from_text(
            "$argon2id$v=19$m=8,t=1,p=1$b25lb25lb25l$b25lb25lb25lb25lb25lb25lb25lb25lb25lb24"
                .into(),
        );
        change(&|engine| assert!(engine.set_operator_password(&name, &hash, 1).unwrap()));
        // A change beside the service is seen one round of each thread later.
        eventually("ended by a new password", || anna.get("/").status == 303);
        eventually("a form too", || anna.post("/logout", "").status == 401);

        let bert = app.console("bert", Role::Support);
        let name = nats_userman::operator::OperatorName::parse("bert").unwrap();
        change(&|engine| assert!(engine.remove_operator(&name).unwrap()));
        eventually("ended with the operator", || bert.get("/").status == 303);
        // Another thread may answer it.
        eventually("refused", || app.submit_login("bert", OPERATOR_PASSWORD).body.contains(WRONG));
    });
}

#[test]
fn a_wrong_name_and_a_wrong_password_get_the_same_page_and_guessers_are_blocked() {
    on_every_engine(|app| {
        app.add_operator("anna", Role::Admin);
        let unknown = app.submit_login("nobody", OPERATOR_PASSWORD);
        let wrong = app.submit_login("anna", "wrong horse battery");
        let of = |response: &Response, name: &str| response.body.replace(name, "NAME");
        assert_eq!(of(&unknown, "nobody"), of(&wrong, "anna"));
        assert!((wrong.status, wrong.body.contains(WRONG)) == (401, true), "{}", wrong.body);
        assert!(!wrong.body.contains("wrong horse"), "{}", wrong.body);
        // A repetition does not count.
        for _ in 0..9 {
            assert_eq!(app.submit_login("anna", "wrong horse battery").status, 401);
        }
        for number in 2..=5 {
            assert_eq!(app.submit_login("anna", &format!("wrong {number}")).status, 401);
        }
        let blocked = app.submit_login("anna", OPERATOR_PASSWORD);
        assert!(
            (blocked.status, blocked.body.contains(BLOCKED)) == (429, true),
            "{}: {}",
            blocked.status,
            blocked.body
        );
        assert_eq!(blocked.header("retry-after"), Some("300"));
        assert!(blocked.header("set-cookie").is_none());
        // Another operator there, until there were twenty.
        app.add_operator("bert", Role::Admin);
        assert_eq!(app.submit_login("bert", OPERATOR_PASSWORD).status, 303);
        app.set_unix(app.now() + 300);
        assert_eq!(app.submit_login("anna", OPERATOR_PASSWORD).status, 303);
    });
}
