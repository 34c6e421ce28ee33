//! NATS over TLS: a real nginx in front of the test server, with a certificate for this test.

use std::fs;
use std::process::Command;

use crate::support::authstrings::{KEY, STRING, USERNAME};
use crate::support::free_port;
use crate::support::nats::Nats;
use crate::support::ran::{Ran, run_with_key};
use crate::support::{certify, real_program, temp_dir};
use crate::web::WebServer;

fn ask(url: &str, further: &[&str]) -> Ran {
    let access = ["authstring", "--nats-url", url, "--nats-api-username", USERNAME];
    run_with_key(
        KEY,
        &[&access[..], &["--type", "upsell", "--username", "bob", "--site", "1"], further].concat(),
    )
}

#[test]
fn a_certificate_that_is_named_is_trusted_and_no_other() {
    let (Some(openssl), Some(nginx)) = (
        real_program("openssl"),
        real_program("nginx").or_else(|| real_program("/usr/sbin/nginx")),
    ) else {
        return;
    };
    let nats = Nats::answering(&format!("{{\"result\":\"{STRING}\"}}"));
    let dir = temp_dir();
    let at = dir.path().display();
    certify(&openssl, dir.path(), "IP:127.0.0.1");
    let port = free_port();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {at}/{kind};\n"))
        .concat();
    let conf = format!(
        "daemon off;\npid {at}/nginx.pid;\nerror_log {at}/nginx.log;\nevents {{}}\nhttp {{\n\
         {temporary}access_log off;\nserver {{\n\
         listen 127.0.0.1:{port} ssl;\nssl_certificate {at}/tls.pem;\n\
         ssl_certificate_key {at}/tls.key;\n\
         location / {{ proxy_pass {}; }}\n}}\n}}\n",
        nats.url()
    );
    fs::write(dir.path().join("nginx.conf"), conf).unwrap();
    let mut command = Command::new(nginx);
    command
        .arg("-c")
        .arg(dir.path().join("nginx.conf"))
        .arg("-p")
        .arg(dir.path())
        .arg("-e")
        .arg(dir.path().join("nginx.log"));
    let _nginx = WebServer::start(command, port, dir.path().join("nginx.log"));

    let (url, pem) = (format!("https://127.0.0.1:{port}"), dir.path().join("tls.pem"));
    let trusting = ["--nats-ca", pem.to_str().unwrap()];
    assert_eq!(ask(&url, &trusting).printed(), format!("{STRING}\n"));
    let asked = nats.asked().len();
    let hint = "does this port support TLS, and is the certificate issued for this URL? \
                Set --nats-ca for a self-signed certificate";
    ask(&url, &[]).ended(
        1,
        &format!(
            "nats-userman: {url}: no TLS with NATS: invalid peer \
        certificate: UnknownIssuer; {hint}\n"
        ),
    );
    let ran = ask(&format!("https://localhost:{port}"), &trusting);
    assert!(
        ran.err.contains(
            ": no TLS with NATS: invalid peer certificate: certificate not valid for name"
        ),
        "{}",
        ran.err
    );
    assert_eq!(nats.asked().len(), asked, "no key was sent to whom is not trusted");
}
