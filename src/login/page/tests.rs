use std::path::Path;

use super::colour::Colour;
use super::look::Logo;
use super::own::{TemplateError, load_template};
use super::*;

fn ask() -> Ask {
    Ask::parse(b"site=1,5").unwrap()
}

fn pages(change: impl FnOnce(&mut Look)) -> Pages {
    let mut settings = PageSettings::default();
    change(&mut settings.general);
    Pages::new(settings).unwrap()
}

fn plain() -> Pages {
    Pages::new(PageSettings::default()).unwrap()
}

fn login(pages: &Pages, message: LoginMessage) -> String {
    pages.render(&Facts::new(Shown::of(message), &ask(), "/")).html
}

fn template(text: &str) -> Result<look::Template, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    load_template(file.path())
        .map_err(|error| error.to_string().replace(file.path().to_str().unwrap(), "FILE"))
}

fn own(text: &str) -> Pages {
    let template = template(text).unwrap();
    pages(|look| look.template = Some(template))
}

/// All pages.
const SHOWN: [Shown; 16] = [
    Shown::Login(LoginMessage::Nothing),
    Shown::Login(LoginMessage::Wrong),
    Shown::Login(LoginMessage::Blocked),
    Shown::Login(LoginMessage::Busy),
    Shown::Login(LoginMessage::Shared),
    Shown::Login(LoginMessage::Idle),
    Shown::Login(LoginMessage::Foreign),
    Shown::Login(LoginMessage::NotKept(Missing::ByHttp)),
    Shown::Login(LoginMessage::NotKept(Missing::Unknown)),
    Shown::Login(LoginMessage::NotKept(Missing::OtherHost)),
    Shown::Trial(LoginMessage::Trial),
    Shown::Trial(LoginMessage::NoUpgrade),
    Shown::Blocked,
    Shown::Shared,
    Shown::Unavailable,
    Shown::Logout,
];

#[test]
fn our_page_has_the_form_once_and_asks_for_nothing_from_elsewhere() {
    let page = plain().render(&Facts::new(Shown::Login(LoginMessage::Nothing), &ask(), "/"));
    let html = &page.html;
    assert_eq!((html.matches("<form ").count(), html.matches("</html>").count()), (1, 1));
    assert!(
        html.contains("action=\"/login?site=1,5\"") && !html.contains("role=\"alert\""),
        "{html}"
    );
    assert!(!html.contains("http") && !html.contains("<script"), "{html}");
    assert_eq!(
        page.policy,
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'"
    );
}

#[test]
fn a_message_is_read_with_the_field_that_has_the_focus() {
    let html = login(&plain(), LoginMessage::Wrong);
    assert!(html.contains("<p role=\"alert\" id=\"userman-message\">Wrong username"), "{html}");
    assert!(
        html.contains(
            "name=\"username\" autocomplete=\"username\" autocapitalize=\"none\" \
                       spellcheck=\"false\" required autofocus \
                       aria-describedby=\"userman-message\">"
        ),
        "{html}"
    );
    assert!(!login(&plain(), LoginMessage::Nothing).contains("userman-message"));
    // With the name kept, the password is typed next.
    let ask = ask();
    let facts = Facts::new(Shown::Login(LoginMessage::Wrong), &ask, "/");
    let html = plain().render(&Facts { username: "bob", ..facts }).html;
    assert!(html.contains(" value=\"bob\" required>"), "{html}");
    assert!(
        html.contains(
            "\"current-password\" required autofocus aria-describedby=\"userman-message\">"
        ),
        "{html}"
    );
}

#[test]
fn nothing_of_a_request_ends_its_attribute() {
    let ask = ask();
    let facts = Facts::new(Shown::Login(LoginMessage::Wrong), &ask, "/a\"><script>'&amp;");
    let html = plain().render(&Facts { username: "\"><script>", ..facts }).html;
    assert!(html.contains("value=\"/a&quot;&gt;&lt;script&gt;&#39;&amp;amp;\""), "{html}");
    assert!(
        html.contains("value=\"&quot;&gt;&lt;script&gt;\"") && !html.contains("<script"),
        "{html}"
    );
}

#[test]
fn each_page_exists_in_each_language_and_uses_each_word() {
    let mut unused: Vec<_> = words::names().collect();
    for language in Language::all() {
        let pages = pages(|look| {
            look.language = Some(language);
            let link = Link::parse("https://a.example/?{authstring}");
            (look.forgot_password, look.join) = (link.clone(), link.clone());
            (look.support, look.upgrade) = (link.clone(), link);
        });
        for shown in SHOWN {
            for can in [false, true] {
                let (ask, facts) = (ask(), Facts::without_site(shown, "/films"));
                let form = Form { can_stay: can, stay: can, by_email: can };
                let facts = Facts { ask: Some(&ask), can_upgrade: can, form, ..facts };
                let html = pages.render(&facts).html;
                assert!(html.starts_with("<!doctype html>\n<html lang=\""), "{shown:?}");
                assert!(html.contains(&format!("<html lang=\"{}\">", language.code())));
                assert!(html.ends_with("</html>"), "{shown:?}: {html}");
                let escaped =
                    |name: &&str| html.contains(&language.words()[*name].replace('\'', "&#39;"));
                unused.retain(|name| !escaped(name));
                let words = language.words();
                assert!(html.contains(&format!("<title>{}", words[shown.names().1])), "{html}");
            }
        }
    }
    assert_eq!(unused, [""; 0]);
}

#[test]
fn a_page_of_the_operators_own_has_the_form_where_they_want_it() {
    let html = login(&own("<body><h1>Ours</h1>{{form}}<p>end"), LoginMessage::Wrong);
    assert!(
        html.starts_with("<body><h1>Ours</h1><p role=\"alert\"") && html.ends_with("</form><p>end"),
        "{html}"
    );
    // Styles of an earlier release, which the engine would take for a comment.
    let html = login(
        &own("<style>@media print{#nav{color:red}}</style>\n{{form}}\n"),
        LoginMessage::Nothing,
    );
    assert!(html.starts_with("<style>@media print{#nav{color:red}}</style>\n<form "), "{html}");
    assert!(html.ends_with("</form>\n"), "{html}");
    for (text, problem) in [
        ("", "FILE: expected {{form}} once, found it 0 times"),
        ("{{form}} {{form}}", "FILE: expected {{form}} once, found it 2 times"),
        ("{% include \"form.html\" %}", "FILE: expected {{form}} also on the page of the logout"),
        ("{{ form }}\n{{ fomr }}", "FILE, line 2: undefined value"),
        ("{{ form }}\n{% if %}", "FILE, line 2: syntax error: unexpected end of block"),
        ("{{form}}{% include \"x.html\" %}", "FILE, line 1: template not found"),
    ] {
        let error = template(text).unwrap_err();
        assert!(error.starts_with(problem), "{text}: {error}");
    }
    assert!(matches!(
        template(&"x".repeat(256 * 1024 + 1)),
        Err(error) if error == "FILE has more than 262144 bytes"
    ));
    assert!(matches!(load_template(Path::new("/nowhere")), Err(TemplateError::Io(..))));
}

#[test]
fn an_own_template_can_place_each_part_and_keep_the_rest_of_ours() {
    let pages = own(
        "{% extends \"base.html\" %}{% block header %}<h1>{{ words.log_in }}</h1>{% endblock %}\
         {% block content %}{% include \"links.html\" %}<b>{{ message or \"-\" }}</b>\
         {% if page == \"login\" %}<form method=post action=\"{{ action }}\">\
         <input name=\"username\" value=\"{{ username }}\"><input name=\"password\"></form>\
         {% else %}{{ form }}{% endif %}{% endblock %}",
    );
    let ask = ask();
    let facts = Facts::new(Shown::Login(LoginMessage::Wrong), &ask, "/");
    let page = pages.render(&Facts { username: "<b>", ..facts });
    let html = &page.html;
    assert!(html.contains("<title>Log in</title>") && html.contains("<h1>Log in</h1>"), "{html}");
    assert!(html.contains("<b>Wrong username or password.</b><form method=post"), "{html}");
    assert!(html.contains("<input name=\"username\" value=\"&lt;b&gt;\">"), "{html}");
    assert_eq!(page.policy, "frame-ancestors 'none'; base-uri 'none'");
}

#[test]
fn a_host_has_its_own_look_then_a_site_and_else_all_are_alike() {
    let named = |name: &str| Look { name: Some(name.into()), ..Look::default() };
    let site = |text| SiteId::parse(text).unwrap();
    let pages = Pages::new(PageSettings {
        general: named("All"),
        sites: [(site("1"), named("One")), (site("5"), named("Five"))].into(),
        hosts: [("www.example.com".to_owned(), named("Example"))].into(),
    })
    .unwrap();
    for (sites, host, heading) in [
        ("site=1", "", "One"),
        ("site=5,1", "", "Five"),
        ("site=7,1", "example.com", "One"),
        ("site=7", "", "All"),
        ("site=1", "WWW.example.com", "Example"),
    ] {
        let ask = Ask::parse(sites.as_bytes()).unwrap();
        let facts = Facts::new(Shown::Login(LoginMessage::Nothing), &ask, "/");
        let html = pages.render(&Facts { host, ..facts }).html;
        assert!(html.contains(&format!("<title>Log in – {heading}</title>")), "{sites} {host}");
        assert!(html.contains(&format!("<h1>{heading}</h1>")), "{sites} {host}");
    }
}

#[test]
fn name_logo_colours_and_links_are_on_the_page_and_the_policy_allows_no_more() {
    let pages = pages(|look| {
        look.name = Some("Bob's <Films>".into());
        look.logo = Some(Logo::read("https://cdn.example.com/logo.png").unwrap());
        look.light.accent = Colour::parse("#ff0").unwrap();
        look.dark.background = Colour::parse("#012").unwrap();
        look.forgot_password =
            Link::parse("https://join.example.com/signup/password.php?siteid={siteid}");
        look.join = Link::parse("/join?a=1&b=2");
        look.upgrade = Link::parse_upgrade("https://join.example.com/up?a={authstring}");
    });
    let page = pages.render(&Facts::new(Shown::Login(LoginMessage::Nothing), &ask(), "/"));
    for part in [
        "<title>Log in – Bob&#39;s &lt;Films&gt;</title>",
        "<h1><img src=\"https://cdn.example.com/logo.png\" alt=\"Bob&#39;s &lt;Films&gt;\"></h1>",
        ":root { color-scheme: light dark; --background: #ffffff; --text: #000000; \
         --accent: #ffff00; --accent_text: #000000; --link: #000000; --border: #767676; }",
        "@media (prefers-color-scheme: dark) { :root { --background: #001122; --text: #ffffff; ",
        "<a href=\"https://join.example.com/signup/password.php?siteid=1\">Forgot",
        "<li><a href=\"/join?a=1&amp;b=2\">Become a member</a></li>",
    ] {
        assert!(page.html.contains(part), "{part}: {}", page.html);
    }
    assert_eq!(
        page.policy,
        "default-src 'none'; style-src 'unsafe-inline'; img-src https://cdn.example.com; \
         form-action 'self' https://join.example.com; frame-ancestors 'none'; base-uri 'none'"
    );
}

#[test]
fn pages_for_reasons_lead_on() {
    let pages = pages(|look| {
        look.join = Link::parse("/join");
        look.upgrade = Link::parse_upgrade("https://join.example.com/up?a={authstring}");
    });
    let ask = Ask::parse(b"site=1&trial=no").unwrap();
    let html = |shown, can_upgrade| {
        let facts = Facts::new(shown, &ask, "/full/?a=1&b");
        pages.render(&Facts { can_upgrade, ..facts }).html
    };
    let (log_in, log_out) = (
        "<form method=\"post\" action=\"/login?site=1&amp;trial=no\">",
        "<form method=\"post\" action=\"/logout\">",
    );
    let (upgrade, join) = ("name=\"upgrade\" value=\"1\"", "href=\"/join\"");
    for (shown, can_upgrade, has) in [
        (Shown::Trial(LoginMessage::Trial), false, [1, 1, 0, 1]),
        (Shown::Trial(LoginMessage::Trial), true, [2, 1, 1, 0]),
        (Shown::Blocked, false, [0, 0, 0, 1]),
        (Shown::Logout, false, [0, 1, 0, 0]),
    ] {
        let html = html(shown, can_upgrade);
        let count = |part: &str| html.matches(part).count();
        assert_eq!([log_in, log_out, upgrade, join].map(count), has, "{shown:?}: {html}");
    }
    assert!(html(Shown::Blocked, false).contains(
        "<a href=\"/login?site=1&amp;trial=no&amp;back=%2Ffull%2F%3Fa%3D1%26b\">Log in</a>"
    ));
    assert!(html(Shown::Unavailable, false).contains("<a href=\"/full/?a=1&amp;b\">Try again</a>"));
}
