//! The settings about NATS.

use std::fs;

use super::super::run_on;
use crate::support::temp_dir;

/// URL, username and key of NATS are needed together, and the stand-in excludes them.
#[test]
fn what_is_said_of_nats_is_said_whole() {
    let dir = temp_dir();
    let (key_file, no_pem) = (dir.path().join("key"), dir.path().join("pem"));
    fs::write(&key_file, "0123 4567\n").unwrap();
    fs::write(&no_pem, "none").unwrap();
    let (key_file, no_pem) = (key_file.to_str().unwrap(), no_pem.to_str().unwrap());
    let (url, username, key) = (
        ["--nats-url", "https://nats.example.com"],
        ["--nats-api-username", "tmm1"],
        ["--nats-api-key", "0123"],
    );
    let beside = |flag: &str| {
        format!("nats-userman: {flag}: expected it beside --nats-url, found nothing\n")
    };
    let credential = "expected 1 to 256 printable ASCII characters without blanks";
    let no_url =
        "nats-userman: --nats-url: expected it beside --nats-api-username, --nats-api-key and \
         --nats-ca, found nothing\n"
            .to_owned();
    for (args, said) in [
        (vec![url], [beside("--nats-api-username"), beside("--nats-api-key")].concat()),
        (vec![url, key], beside("--nats-api-username")),
        (vec![username], no_url.clone()),
        (vec![key], no_url.clone()),
        (vec![["--nats-ca", no_pem]], no_url),
        (
            vec![["--nats-url", "https://user:secret@nats.example.com"], username, key],
            "nats-userman: --nats-url: expected http:// or https:// and NATS's domain, as in \
             https://nats.example.com, without /api, found a user, a query or a #\n"
                .into(),
        ),
        (
            vec![["--nats-url", "nats.example.com"], username, key],
            "nats-userman: --nats-url: expected http:// or https:// and NATS's domain, as in \
             https://nats.example.com, without /api, found \"nats.example.com\"\n"
                .into(),
        ),
        (
            vec![url, username, ["--nats-api-key", "a b"]],
            format!(
                "nats-userman: --nats-api-key: \
            {credential}, found 3 bytes\n"
            ),
        ),
        (
            vec![url, username, ["--nats-api-key-file", key_file]],
            format!(
                "nats-userman: \
            --nats-api-key-file: {credential}, found 9 bytes\n"
            ),
        ),
        (
            vec![url, username, ["--nats-api-key-file", "/nowhere"]],
            "nats-userman: --nats-api-key-file: expected a file, found /nowhere: No such file or \
             directory (os error 2)\n"
                .into(),
        ),
        (
            vec![url, username, key, ["--nats-api-key-file", key_file]],
            "nats-userman: --nats-api-key: expected one key, found --nats-api-key-file beside \
             it\n"
                .into(),
        ),
        (
            vec![url, username, key, ["--nats-ca", no_pem]],
            format!(
                "nats-userman: --nats-ca: expected certificates in PEM form, found none in \
                {no_pem}\n"
            ),
        ),
        (
            vec![url, username, key, ["--stand-in", "--stand-in"]],
            "nats-userman: --stand-in: expected it without --nats-url, found both\n".into(),
        ),
        (
            vec![["--api-key", "shop:0123456789abcdef,shop:0123456789abcdef site=1"]],
            "nats-userman: --api-key: expected each key once, found one of \"shop\" twice\n".into(),
        ),
    ] {
        let mut args = args.concat();
        args.dedup();
        run_on(&dir.path().join("data"), &[&["check-config"], &args[..]].concat()).ended(2, &said);
    }
}
