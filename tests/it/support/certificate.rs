//! Certificates for the servers of tests.

use std::path::Path;
use std::process::Command;

/// Makes `tls.key` and `tls.pem` in this directory: a certificate for these names, as in
/// `DNS:www.example.com` or `IP:127.0.0.1`, that no authority has signed.
pub fn certify(openssl: &Path, dir: &Path, names: &str) {
    let output = Command::new(openssl)
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-subj", "/CN=a test"])
        .args(["-addext", &format!("subjectAltName={names}")])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(dir.join("tls.key"))
        .arg("-out")
        .arg(dir.join("tls.pem"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
