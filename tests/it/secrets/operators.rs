//! The secrets of the console: passwords of operators, their cookies, the tokens of their forms,
//! and the tokens for metrics.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use crate::engines::secrets::search::Search;
use crate::support::{Program, Request, Response, program, send_raw, temp_dir};

const PASSWORD: &str = "Xq7vLm2pRz8kTn4w";
const WRONG: &str = "Wr0ngPa55wYbKd93";
const TOKEN: &str = "bTq8Zr5nWx1cVm6kLp0sDf3gHj9aQe2yUi7o";

fn operator(data: &str, arguments: &[&str], password: &str) -> Vec<u8> {
    let mut command = program();
    command.arg("operator").args(arguments).args(["--data-dir", data, "--log", "trace"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(password.as_bytes());
    let output = child.wait_with_output().unwrap();
    [output.stdout, output.stderr].concat()
}

#[test]
fn no_secret_of_an_operator_is_in_a_log_a_page_a_file_or_the_output_of_a_command() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let tokens = dir.path().join("tokens");
    fs::write(&tokens, TOKEN).unwrap();
    let flags = ["--ops-listen", "127.0.0.1:0", "--log", "trace", "--ops-token-file"];
    let flags = [&flags[..], &[tokens.to_str().unwrap()]].concat();
    let mut service = Program::serve(&data, &flags);
    let address = service.operations();
    let send = |request: Request| send_raw(address, request).unwrap();
    let place = data.to_str().unwrap();
    let mut said = operator(place, &["add", "anna", "--role", "admin"], PASSWORD);
    said.extend(operator(place, &["add", "anna"], WRONG));
    said.extend(operator(place, &["list"], ""));

    let login = |name: &str, password: &str| {
        let form = format!("name={name}&password={password}");
        send(Request::post("/login").same_origin().form(&form))
    };
    let mut pages: Vec<Response> = vec![login("anna", WRONG), login(WRONG, PASSWORD)];
    let entered = login("anna", PASSWORD);
    assert_eq!(entered.status, 303);
    let cookie = entered.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let page = send(Request::get("/logout").cookie(&cookie));
    let csrf = page.body.split_once("name=\"csrf\" value=\"").unwrap().1;
    let csrf = csrf.split('"').next().unwrap().to_owned();
    let bearer = |token: &str| {
        let header = format!("Bearer {token}");
        send(Request::get("/health/ready").from("192.0.2.1").header("Authorization", &header))
    };
    pages.extend([bearer(TOKEN), bearer(&TOKEN.to_lowercase()), bearer(PASSWORD)]);
    pages.push(send(Request::get("/").cookie(&cookie)));
    // What is refused: another form token, another cookie, another method.
    let half = format!("csrf={}", &csrf[..32]);
    pages.push(send(Request::post("/logout").same_origin().cookie(&cookie).form(&half)));
    pages.push(send(Request::get("/").cookie(&cookie[..60])));
    pages.push(send(Request::new("PUT", &format!("/login?password={PASSWORD}"))));

    let mut search = Search::default();
    search.add("password", PASSWORD.as_bytes());
    search.add("wrong password", WRONG.as_bytes());
    search.add("token", TOKEN.as_bytes());
    search.add("cookie", cookie.split_once('=').unwrap().1.as_bytes());
    for page in &pages {
        // The name that was typed is shown again.
        let body = page.body.replace(WRONG, "").replace(&csrf, "");
        assert_eq!(search.found_in(body.as_bytes()), [""; 0], "{}", page.body);
    }
    search.add("form token", csrf.as_bytes());
    let out = Request::post("/logout").same_origin().cookie(&cookie);
    assert_eq!(send(out.form(&format!("csrf={csrf}"))).status, 303);
    assert!(service.terminate().success());
    said.extend(service.stderr().into_bytes());
    assert!(String::from_utf8_lossy(&said).contains("wrong password for anna"));
    assert_eq!(search.found_in(&said), [""; 0], "{}", String::from_utf8_lossy(&said));
    let mut files = 0;
    for entry in fs::read_dir(&data).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            let bytes = fs::read(entry.path()).unwrap();
            assert_eq!(search.found_in(&bytes), [""; 0], "{}", entry.path().display());
            files += 1;
        }
    }
    assert!(files >= 3, "{files}");
}
