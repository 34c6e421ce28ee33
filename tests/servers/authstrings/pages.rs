//! The clients that people use: TMM's sample programs for both resources, corrected where the
//! printed version cannot run, and the PHP page in `docs/authstrings.md`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::authstrings::{KEY, USERNAME, add_testakovsky, api_key, redeem};
use crate::support::{App, real_program};
use crate::web::{Host, Visitor, application};

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/authstrings/samples").join(name)
}

fn app() -> App {
    let app = App::start_with(&["--stand-in", &api_key("")]);
    add_testakovsky(&app);
    app
}

/// What a program prints. The proxy settings of the machine do not apply.
fn printed(app: &App, mut command: Command) -> String {
    command
        .env("NATS_URL", format!("http://{}", app.address))
        .env("NO_PROXY", "127.0.0.1")
        .env("no_proxy", "127.0.0.1");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Both samples of a language print the string in the form of that language, and the string is
/// valid.
fn prints(program: &Path, extension: &str, form: fn(&str, &str) -> String) {
    let app = app();
    for (name, key, plus) in [
        ("authstring", "result", "instantupgrade"),
        ("tokenrebuystring", "token_rebuy_string", "tokenrebuy"),
    ] {
        let mut command = Command::new(program);
        command.arg(sample(&format!("{name}.{extension}")));
        let out = printed(&app, command);
        let string = out
            .split(|c: char| !c.is_ascii_hexdigit())
            .find(|word| word.len() == 32)
            .unwrap_or_else(|| panic!("{out}"));
        assert_eq!(out, form(key, string), "{name}");
        let redeemed = redeem(&app, string);
        assert!(redeemed.body.contains(&format!("\"type\":\"{plus}\"")), "{}", redeemed.body);
    }
}

#[test]
fn the_samples_in_php_run() {
    let Some(php) = real_program("php") else { return };
    prints(&php, "php", |key, string| {
        format!("array(1) {{\n  [\"{key}\"]=>\n  string(32) \"{string}\"\n}}\n")
    });
}

#[test]
fn the_samples_in_python_run() {
    let Some(python) = python_with_requests() else { return };
    prints(&python, "py", |key, string| format!("{{'{key}': '{string}'}}\n"));
}

#[test]
fn the_samples_for_node_run() {
    let Some(node) = real_program("node") else { return };
    prints(&node, "mjs", |key, string| format!("{{ {key}: '{string}' }}\n"));
}

#[test]
fn the_samples_with_curl_run() {
    if real_program("curl").is_none() {
        return;
    }
    prints(Path::new("sh"), "sh", |key, string| format!("{{\"{key}\":\"{string}\"}}"));
}

/// A Python that has the module `requests`: the first one in PATH, or Debian's.
fn python_with_requests() -> Option<PathBuf> {
    let in_path = real_program("python3")?;
    let has_it = |python: &PathBuf| {
        Command::new(python)
            .args(["-c", "import requests"])
            .output()
            .is_ok_and(|output| output.status.success())
    };
    let found = [in_path, "/usr/bin/python3".into()].into_iter().find(has_it);
    if found.is_none() {
        assert!(
            std::env::var("REQUIRE_REAL").as_deref() != Ok("1"),
            "Python's requests is not installed and REQUIRE_REAL=1"
        );
        eprintln!("\n*** PYTHON'S requests IS NOT INSTALLED: this test proves nothing here ***\n");
    }
    found
}

/// Checks that page behind a web server with the files of `examples/`: what does a visitor see?
fn page_behind(caddy: bool) {
    let Some(mut host) = Host::new() else { return };
    let flags = ["--stand-in", &*api_key(""), "--trusted-proxy", "127.0.0.1"];
    let app = App::start_in(host.take_home(), &flags);
    add_testakovsky(&app);
    app.post("action=ADD&siteid=1&memberid=9&username=b%26b%20%C3%A9&password=p&trial=1");
    let url = format!("http://{}", app.address);
    let variables = [
        ("AUTHSTRING_URL", &*url),
        ("AUTHSTRING_API_USERNAME", USERNAME),
        ("AUTHSTRING_API_KEY", KEY),
        ("JOIN_URL", "https://join.example.com"),
    ];
    let Some(_php) = host.php("upgrade-link.php", &variables) else { return };
    (host.service, host.application) = (app.address, application::start());
    let server = if caddy {
        host.caddy(&["Caddyfile", "members.Caddyfile"])
    } else {
        host.nginx(&["nginx.conf", "members-nginx.conf"])
    };
    let Some(server) = server else { return };
    let visitor = Visitor::of(&host, &server);
    app.post("action=CHANGE&siteid=1&memberid=342&new_trial=1");
    app.post("action=ADD&siteid=1&memberid=10&username=full&password=p");
    let page = "/members/upgrade-link.php";
    // The visitor sends headers with the name of a member, in each spelling.
    let names = [
        "X-Member-Name",
        "X_Member_Name",
        "MEMBER_NAME",
        "Member-Name",
        "X-Member-Site",
        "MEMBER_SITE",
    ];
    let forged: Vec<String> =
        names.iter().flat_map(|name| ["-H".into(), format!("{name}: testakovsky2")]).collect();
    let forged: Vec<&str> = forged.iter().map(String::as_str).collect();
    assert_eq!(visitor.get_with(page, &forged).status, 401);
    for (member, password, written) in
        [("testakovsky2", "secret", "testakovsky2"), ("b&b é", "p", "b%26b+%C3%A9")]
    {
        let credentials = format!("{member}:{password}");
        let response = visitor.get_with(page, &[&forged[..], &["-u", &credentials]].concat());
        assert_eq!(
            (response.status, response.header("cache-control")),
            (200, Some("private, no-store")),
            "{}",
            server.errors()
        );
        let front = format!(
            "<p><a href=\"https://join.example.com/signup/upgradeplus.php?site=1&amp;\
             username={written}&amp;authstring="
        );
        let string = response
            .body
            .strip_prefix(&front)
            .and_then(|rest| rest.strip_suffix("\">Become a full member</a></p>\n"));
        let redeemed = redeem(&app, string.unwrap_or_else(|| panic!("{}", response.body)));
        assert!(redeemed.body.contains(&format!("\"username\":\"{member}\"")), "{}", redeemed.body);
    }
    assert_eq!(visitor.get_as("full", "p", page).body, "", "{}", server.errors());
}

#[test]
fn the_page_of_the_docs_shows_a_member_their_own_link_behind_nginx() {
    page_behind(false);
}

#[test]
fn the_page_of_the_docs_shows_a_member_their_own_link_behind_caddy() {
    page_behind(true);
}

#[test]
fn the_page_says_when_there_is_no_link_and_shows_none_to_whom_the_web_server_does_not_name() {
    assert!(
        include_str!("../../../docs/authstrings.md").contains(&format!(
            "```php\n{}```",
            include_str!("../../../examples/upgrade-link.php")
        ))
    );
    let Some(php) = real_program("php") else { return };
    let app = app();
    let page = |variables: &[(&str, &str)], key: &str| {
        let mut command = Command::new(&php);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/upgrade-link.php"));
        command.envs(variables.iter().copied()).env("JOIN_URL", "https://join.example.com");
        command.env("AUTHSTRING_URL", format!("http://{}", app.address));
        command.env("AUTHSTRING_API_USERNAME", USERNAME).env("AUTHSTRING_API_KEY", key);
        printed(&app, command)
    };
    let none = "<p>Upgrades are not possible just now.</p>\n";
    let trial = ("MEMBER_TRIAL", "1");
    let member = [("MEMBER_NAME", "testakovsky2"), ("MEMBER_SITE", "1"), trial];
    assert!(page(&member, KEY).starts_with("<p><a href="));
    assert_eq!(page(&member, "a-wrong-key-0123456789"), none);
    assert_eq!(page(&[("MEMBER_NAME", "nobody"), ("MEMBER_SITE", "1"), trial], KEY), none);
    assert_eq!(
        page(&[("HTTP_X_MEMBER_NAME", "testakovsky2"), ("HTTP_X_MEMBER_SITE", "1"), trial], KEY),
        none
    );
}
