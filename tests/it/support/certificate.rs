//! Certificates for the servers of tests.

use std::path::Path;
use std::process::Command;

/// Makes `tls.key` and `tls.pem` in this directory: a certificate for these names, as in
/// `DNS:www.example.com` or `IP:127.0.0.1`, that no authority has signed.
pub fn certify(openssl: &Path, dir: &Path, names: &str) {
    let names = format!("subjectAltName={names}");
    let more = ["-addext", &names, "-addext", "basicConstraints=critical,CA:FALSE"];
    request(openssl, dir, "tls", &more);
}

/// Makes `ca.key` and `ca.pem` in this directory: a certificate authority of this name.
pub fn make_authority(openssl: &Path, dir: &Path, name: &str) {
    let subject = format!("/CN={name}");
    let more = ["-subj", &subject, "-addext", "basicConstraints=critical,CA:TRUE"];
    request(openssl, dir, "ca", &more);
}

/// Makes `tls.key` and `tls.pem` in this directory: a certificate for these names, which the
/// authority of the directory has signed.
pub fn certify_by_authority(openssl: &Path, dir: &Path, names: &str) {
    let (certificate, key) = (dir.join("ca.pem"), dir.join("ca.key"));
    let names = format!("subjectAltName={names}");
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let leaf = "basicConstraints=critical,CA:FALSE";
    let more = ["-addext", &names, "-addext", leaf, "-CA", certificate, "-CAkey", key];
    request(openssl, dir, "tls", &more);
}

fn request(openssl: &Path, dir: &Path, name: &str, more: &[&str]) {
    let output = Command::new(openssl)
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-subj", "/CN=a test"])
        .args(more)
        .arg("-keyout")
        .arg(dir.join(format!("{name}.key")))
        .arg("-out")
        .arg(dir.join(format!("{name}.pem")))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
