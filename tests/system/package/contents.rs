//! What is in the package.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::build::{Package, root, run};

/// Besides these, the package has the manual pages, the examples and the pages of `docs/`.
const FILES: [&str; 12] = [
    "-rw-r----- root/root ./etc/nats-userman/nats-userman.toml",
    "-rwxr-xr-x root/root ./usr/bin/nats-userman",
    "-rw-r--r-- root/root ./usr/lib/systemd/system/nats-userman.service",
    "-rw-r--r-- root/root ./usr/lib/systemd/system/nats-userman.socket",
    "-rw-r--r-- root/root ./usr/lib/sysusers.d/nats-userman.conf",
    "-rw-r--r-- root/root ./usr/lib/tmpfiles.d/nats-userman.conf",
    "-rw-r--r-- root/root ./usr/share/bash-completion/completions/nats-userman",
    "-rw-r--r-- root/root ./usr/share/fish/vendor_completions.d/nats-userman.fish",
    "-rw-r--r-- root/root ./usr/share/zsh/vendor-completions/_nats-userman",
    "-rw-r--r-- root/root ./usr/share/doc/nats-userman/changelog.gz",
    "-rw-r--r-- root/root ./usr/share/doc/nats-userman/copyright",
    "-rw-r--r-- root/root ./usr/share/doc/nats-userman/third-party.gz",
];

pub fn files() {
    let package = Package::built();
    let listed = run(Command::new("dpkg-deb").arg("--contents").arg(package.file()));
    let listed: Vec<String> = listed
        .lines()
        .map(|line| {
            let parts: Vec<&str> = line.split_whitespace().collect();
            // Debian 12's debhelper puts units there. /lib is a link to /usr/lib.
            let path = parts[5].replace("./lib/systemd/", "./usr/lib/systemd/");
            format!("{} {} {path}", parts[0], parts[1])
        })
        .collect();
    let has = |wanted: &str| listed.iter().any(|line| line == wanted);
    for file in FILES {
        assert!(has(file), "{file} is not in:\n{}", listed.join("\n"));
    }
    let doc = "-rw-r--r-- root/root ./usr/share/doc/nats-userman";
    for page in names("docs").into_iter().filter(|name| name != "console") {
        assert!(has(&format!("{doc}/docs/{page}")), "{page}");
    }
    for picture in names("docs/console") {
        assert!(has(&format!("{doc}/docs/console/{picture}")), "{picture}");
    }
    for page in names("packaging/man") {
        assert!(has(&format!("-rw-r--r-- root/root ./usr/share/man/man1/{page}.gz")), "{page}");
    }
    for example in ["nginx.conf", "apache.conf", "Caddyfile", "fail2ban/jail.d/nats-userman.conf"] {
        assert!(has(&format!("{doc}/examples/{example}")), "{example}");
    }
    assert!(!listed.iter().any(|line| line.ends_with(".rs")), "no source of a test");
    let conffiles = run(Command::new("dpkg-deb").arg("-I").arg(package.file()).arg("conffiles"));
    assert_eq!(conffiles, "/etc/nats-userman/nats-userman.toml\n");
}

/// Each link of an installed page leads to a file that is installed, or to a place in a page.
pub fn links() {
    let dir = TempDir::new().unwrap();
    run(Command::new("dpkg-deb").arg("-x").arg(Package::built().file()).arg(dir.path()));
    // Debian 12's debhelper puts units there. /lib is a link to /usr/lib.
    let is_there = |page: &Path, link: &str| {
        let at = match link.strip_prefix('/') {
            Some(absolute) => dir.path().join(absolute),
            None => page.parent().unwrap().join(link),
        };
        let other = at.to_string_lossy().replace("/usr/lib/systemd/", "/lib/systemd/");
        at.exists() || Path::new(&other).exists()
    };
    let doc = dir.path().join("usr/share/doc/nats-userman");
    let pages = fs::read_dir(doc.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = pages.filter(|path| path.extension().is_some_and(|kind| kind == "md"));
    let (mut count, mut broken) = (0, Vec::new());
    for page in pages.chain([doc.join("README.md")]) {
        let text = fs::read_to_string(&page).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let links = links.map(|link| link.split('#').next().unwrap());
        for link in links.filter(|link| !link.is_empty() && !link.contains(':')) {
            count += 1;
            if !is_there(&page, link) {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(count > 100, "{count} links");
    assert!(broken.is_empty(), "{broken:#?}");
}

fn names(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(directory)).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

pub fn lintian() {
    let found = run(Command::new("lintian")
        .args(["--allow-root", "--fail-on", "error,warning"])
        .arg(Package::built().file()));
    assert_eq!(found, "");
}
