//! `try` on real servers: nginx, openssl and PHP.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::engines::try_out::{problems, try_url};
use crate::support::{App, TOKEN, certify, eventually, real_program, temp_dir};
use crate::web::{Host, Kind};

/// The certificate is for www.example.com and members.example.com.
#[test]
fn behind_nginx_with_tls_a_wrong_certificate_is_explained_and_a_right_one_is_no_problem() {
    let Some(mut host) = Host::new() else { return };
    let app = App::start_in(host.take_home(), &["--trusted-proxy", "127.0.0.1"]);
    host.service = app.address;
    let Some(server) = host.serve(Kind::Nginx) else { return };
    let url = format!("https://127.0.0.1:{}/postback/{TOKEN}", server.port);
    let place = format!("127.0.0.1:{}", server.port);
    let ca = host.certificate();
    let ca = ca.to_str().unwrap();
    let refused = |more: &[&str]| problems(&try_url(&url, &[&["--json"], more].concat()));
    let not_accepted = format!("the certificate of {place} is not accepted: ");
    assert_eq!(
        refused(&[]),
        [format!(
            "{not_accepted}no known authority has signed it; let the web server send the whole \
             chain, not only its own certificate"
        )]
    );
    assert_eq!(
        refused(&["--ca", ca]),
        [format!("{not_accepted}it is for other names; use one for the host name of the URL")]
    );
    let plain = format!("http://127.0.0.1:{}/postback/{TOKEN}", server.port);
    let found = problems(&try_url(&plain, &["--json"]));
    assert!(found[0].starts_with("status 400, with a page of HTML: "), "{found:?}");
    let elsewhere = format!("https://127.0.0.1:{}/post/{TOKEN}", server.port);
    assert!(!try_url(&elsewhere, &["--json", "--ca", ca]).out.contains(TOKEN));

    // As a certificate for the name by which the receiver is called.
    let Some(openssl) = real_program("openssl") else { return };
    drop(server);
    let dir = Path::new(ca).parent().unwrap();
    certify(&openssl, dir, "IP:127.0.0.1,DNS:members.example.com");
    host.changes = vec![("server_name members.example.com;".into(), "server_name _;".into())];
    let Some(server) = host.nginx(&["nginx.conf"]) else { return };
    let url = format!("https://127.0.0.1:{}/postback/{TOKEN}", server.port);
    let ran = try_url(&url, &["--ca", ca]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
    let redirect = format!("http://127.0.0.1:{}/postback/{TOKEN}", host.plain_port);
    let ran = try_url(&redirect, &["--json"]);
    assert_eq!(ran.code, Some(1));
    assert!(!ran.out.contains(TOKEN), "{}", ran.out);
}

#[test]
fn a_certificate_that_has_expired_is_named() {
    let Some(openssl) = real_program("openssl") else { return };
    let dir = temp_dir();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (key, certificate) = (path("key"), path("certificate"));
    expired_certificate(&openssl, dir.path());
    let port = crate::support::free_port();
    let accept = format!("127.0.0.1:{port}");
    let mut server = Killed(
        Command::new(openssl)
            .args(["s_server", "-quiet", "-accept", &accept, "-cert", &certificate, "-key", &key])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    eventually("it listens", || TcpStream::connect(&accept).is_ok());
    let ran = try_url(&format!("https://{accept}/x"), &["--json", "--ca", &certificate]);
    assert_eq!(
        problems(&ran),
        [format!("the certificate of {accept} is not accepted: it has expired; renew it")]
    );
    assert!(server.0.try_wait().unwrap().is_none());
}

/// Makes `key` and `certificate` in this directory, which were valid in January 2020. Only `ca`
/// takes dates in every version of openssl.
fn expired_certificate(openssl: &Path, dir: &Path) {
    let shown = dir.display();
    let config = format!(
        "[ca]\ndefault_ca = own\n[own]\ndatabase = {shown}/index\nserial = {shown}/serial\n\
         new_certs_dir = {shown}\npolicy = any\nx509_extensions = leaf\n[any]\n\
         commonName = supplied\n[leaf]\nsubjectAltName = IP:127.0.0.1\n\
         basicConstraints = critical,CA:FALSE\n"
    );
    fs::write(dir.join("ca.conf"), config).unwrap();
    fs::write(dir.join("index"), "").unwrap();
    fs::write(dir.join("serial"), "01\n").unwrap();
    for line in [
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=test -keyout \
         key -out request",
        "ca -config ca.conf -selfsign -batch -notext -md sha256 -startdate \
         200101000000Z -enddate 200201000000Z -keyfile key -in request -out certificate",
    ] {
        let made = Command::new(openssl).args(line.split(' ')).current_dir(dir).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
}

/// A process that is killed in the end.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A receiver as sites have it: one file that keeps its members in another one. `before` and
/// `after` stand around its code.
fn php_receiver(dir: &Path, before: &str, change: (&str, &str), after: &str) -> Option<Php> {
    let code = include_str!("../senders/receiver.php");
    assert!(code.contains(change.0), "{}", change.0);
    let code = code.replacen(change.0, change.1, 1);
    fs::write(dir.join("post.php"), format!("{before}{code}{after}")).unwrap();
    let _ = fs::remove_file(dir.join("members.json"));
    Php::start(dir)
}

struct Php {
    _child: Killed,
    url: String,
}

impl Php {
    fn start(dir: &Path) -> Option<Self> {
        let php = real_program("php")?;
        let address = format!("127.0.0.1:{}", crate::support::free_port());
        let child = Command::new(php)
            .args(["-n", "-d", "display_errors=1", "-d", "html_errors=1", "-S", &address, "-t"])
            .arg(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        eventually("PHP's server answers", || TcpStream::connect(&address).is_ok());
        let url = format!("http://{address}/post.php?key=a-secret-key");
        Some(Self { _child: Killed(child), url })
    }
}

const AS_IT_IS: (&str, &str) = ("<?php", "<?php");

#[test]
fn a_receiver_in_php_is_judged_by_the_same_rules() {
    let dir = temp_dir();
    let Some(php) = php_receiver(dir.path(), "", AS_IT_IS, "") else { return };
    let ran = try_url(&php.url, &["--site", "5"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
    assert!(!ran.out.contains("a-secret-key"), "{}", ran.out);
    assert_eq!(fs::read_to_string(dir.path().join("members.json")).unwrap(), "[]");
    drop(php);

    let other_way = "$is_taken ? 'NOTOK|taken' : 'OK|free'";
    for (before, change, after, problem) in [
        ("\u{feff}", AS_IT_IS, "", "a byte order mark before the reply: "),
        ("\n\n", AS_IT_IS, "", "blanks or empty lines before the reply: "),
        ("", AS_IT_IS, "\n?>\n\n", "a line break behind the reply: "),
        ("", ("OK|member added", "OK"), "", "no | behind the word: "),
        ("", ("<?php", "<?php echo $nothing;"), "", "a message of PHP before the reply: "),
        (
            "",
            ("$is_taken ? 'OK|taken' : 'NOTOK|free'", other_way),
            "",
            "expected NOTOK, found OK: a name that nobody has is free: NOTOK; if ",
        ),
        (
            "",
            ("$fields['new_username'] ?? ", ""),
            "",
            "expected NOTOK, found OK: new_username is not applied: whoever gets the former name",
        ),
        (
            "",
            ("'ERROR|unknown action'", "'OK|done'"),
            "",
            "expected ERROR, found OK: an unknown action is answered as if it were done",
        ),
        ("", ("$_REQUEST", "$_POST"), "", "no reply: expected OK|, NOTOK| or ERROR|"),
    ] {
        let Some(php) = php_receiver(dir.path(), before, change, after) else { return };
        let ran = try_url(&php.url, &["--json"]);
        assert_eq!(ran.code, Some(1), "{problem}");
        let found = problems(&ran);
        assert!(found.iter().any(|found| found.starts_with(problem)), "{problem}: {found:?}");
        assert!(!ran.out.contains("a-secret-key"), "{}", ran.out);
    }
}
