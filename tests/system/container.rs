//! The container image: built as an operator builds it, and run as in `docs/container.md`.

mod engine;
mod network;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

pub use engine::begin_image;
use engine::{Engine, Ran, eventually};

use crate::package::artifact::names_no_path;
use crate::runner::Story;

const NEEDS: &[&str] =
    &["podman", "buildah", "runc", "ip", "unshare", "nsenter", "curl", "python3", "openssl", "cc"];

pub const STORIES: &[Story] = &[
    Story {
        name: "container: the image is small and says how it is run",
        needs: NEEDS,
        run: the_image_is_small_and_says_how_it_is_run,
    },
    Story {
        name: "container: a postback outlives its container and a stop is clean",
        needs: NEEDS,
        run: a_postback_outlives_its_container_and_a_stop_is_clean,
    },
    Story {
        name: "container: a directory that may not be written is told in one line",
        needs: NEEDS,
        run: a_directory_that_may_not_be_written_is_told_in_one_line,
    },
    Story {
        name: "container: an earlier release's data is upgraded with a read-only root",
        needs: NEEDS,
        run: an_earlier_releases_data_is_upgraded_with_a_read_only_root,
    },
    Story {
        name: "container: a backup is made and restored beside the service",
        needs: NEEDS,
        run: a_backup_is_made_and_restored_beside_the_service,
    },
    Story {
        name: "container: NATS is reached by its name over TLS",
        needs: NEEDS,
        run: nats_is_reached_by_its_name_over_tls,
    },
    Story {
        name: "container: the program of the image needs no other file",
        needs: NEEDS,
        run: the_program_of_the_image_needs_no_other_file,
    },
    Story {
        name: "container: the compose file is one, and leads nginx to the service",
        needs: &["docker-compose", "sed"],
        run: the_compose_file_is_one_and_leads_nginx_to_the_service,
    },
];

const USER: u32 = 65_532;
const SIZE_MAX: u64 = 15_000_000;
const TOKEN: &str = "test-token-0123456789abcdef-0123456789";
const ADD: &str = "action=ADD&siteid=1&memberid=71&username=bob&password=secret";
const CHECK: &str = "action=CHECK&siteid=1&username=bob";

/// Runs `serve` on this volume, and waits until the health check of the image passes.
fn serve(engine: &Engine, name: &str, volume: &str, further: &[&str]) {
    let token = format!("USERMAN_POSTBACK_TOKEN={TOKEN}");
    let flags = [&["--env", &token, "--volume", volume][..], further].concat();
    engine.start(name, &flags, &["serve"]);
    eventually("the container is healthy", || {
        let health = engine.podman(&["healthcheck", "run", name]);
        health.code == 0 || !engine.is_running(name)
    });
    assert!(engine.is_running(name), "{}", engine.podman(&["logs", name]).err);
}

fn post(engine: &Engine, body: &str) -> String {
    let url = format!("http://127.0.0.1:8080/postback/{TOKEN}");
    engine.network.run("curl", &["--silent", "--show-error", "--data", body, &url]).printed()
}

fn the_image_is_small_and_says_how_it_is_run() {
    let engine = Engine::with_image();
    let inspected = engine.podman(&["image", "inspect", "nats-userman"]).printed();
    let image: Value = serde_json::from_str::<Value>(&inspected).unwrap()[0].take();
    let size = image["Size"].as_u64().unwrap();
    eprintln!("the image has {size} bytes");
    assert!(size <= SIZE_MAX, "{size} bytes");
    let config = &image["Config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], serde_json::json!(["/usr/bin/nats-userman"]));
    assert_eq!(config["Cmd"], serde_json::json!(["serve"]));
    assert_eq!(config["Volumes"], serde_json::json!({ "/data": {} }));
    assert_eq!(config["ExposedPorts"], serde_json::json!({ "8080/tcp": {} }));
    let health = serde_json::json!(["CMD", "/usr/bin/nats-userman", "health"]);
    assert_eq!(image["Healthcheck"]["Test"], health);
    let files = engine.files_of_image();
    assert_eq!(
        files,
        [
            "data 65532:65532 0750",
            "usr 0:0 0755",
            "usr/bin 0:0 0755",
            "usr/bin/nats-userman 0:0 0755"
        ],
        "no shell, and nothing else"
    );
    let version = format!("nats-userman {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(engine.run(&[], &["--version"]).printed(), version);
}

fn a_postback_outlives_its_container_and_a_stop_is_clean() {
    let engine = Engine::with_image();
    serve(&engine, "first", "members:/data", &[]);
    assert_eq!(post(&engine, ADD), "OK|member 71 \"bob\" added to site 1");
    let listed = engine.podman(&["exec", "first", "nats-userman", "member", "list"]).printed();
    assert!(listed.contains("bob"), "{listed}");
    let health = engine.podman(&["exec", "first", "nats-userman", "health"]).printed();
    assert_eq!(health, "127.0.0.1:8080: ok\n");
    assert_eq!(engine.stop("first"), 0);
    let log = engine.podman(&["logs", "first"]).err;
    assert!(log.contains("SIGTERM: stopping") && log.trim_end().ends_with("stopped"), "{log}");
    engine.podman(&["rm", "first"]).printed();

    serve(&engine, "second", "members:/data", &[]);
    assert_eq!(post(&engine, CHECK), "OK|username \"bob\" is taken on site 1");
    assert_eq!(engine.stop("second"), 0);
    let health = engine.podman(&["healthcheck", "run", "second"]);
    assert_ne!(health.code, 0, "{health:?}");
}

/// If a directory is missing, Docker and Podman create it as root.
fn a_directory_that_may_not_be_written_is_told_in_one_line() {
    let engine = Engine::with_image();
    let dir = engine.dir("data");
    let volume = format!("{}:/data", dir.display());
    let remedy = "on the host, run `chown -R 65532 DIR` on the directory that is mounted there, \
                  or `podman unshare chown -R 65532 DIR` with rootless Podman";
    fs::set_permissions(&dir, Permissions::from_mode(0o750)).unwrap();
    engine.run(&["--volume", &volume], &["serve"]).ended(
        2,
        &format!(
            "nats-userman: cannot use the lock file /data/userman.lock: Permission denied (os \
             error 13): /data belongs to root with mode 0750, and this runs as 65532; {remedy}\n"
        ),
    );
    chown(&dir, Some(USER), Some(USER)).unwrap();
    engine.run(&["--volume", &format!("{volume}:ro")], &["serve"]).ended(
        2,
        "nats-userman: cannot use the lock file /data/userman.lock: Read-only file system (os \
         error 30): mount the file system of /data read-write\n",
    );
    serve(&engine, "mended", &volume, &[]);
    assert_eq!(engine.stop("mended"), 0);
    chown(dir.join("userman.db"), Some(0), Some(0)).unwrap();
    engine.run(&["--volume", &volume], &["serve"]).ended(
        2,
        &format!(
            "nats-userman: cannot use the database /data/userman.db: Permission denied (os error \
             13): /data/userman.db belongs to root with mode 0640, and this runs as 65532; \
             {remedy}\n"
        ),
    );
    engine.run(&["--env", "USERMAN_DATA_DIR=/elsewhere"], &["serve"]).ended(
        2,
        "nats-userman: cannot use the data directory /elsewhere: Read-only file system (os error \
         30): mount the file system of /elsewhere read-write\n",
    );
}

fn an_earlier_releases_data_is_upgraded_with_a_read_only_root() {
    let engine = Engine::with_image();
    let dir = engine.dir("data");
    let release = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/releases/0.1.0/data");
    for file in fs::read_dir(release).unwrap().map(|entry| entry.unwrap().path()) {
        let copy = dir.join(file.file_name().unwrap());
        fs::copy(&file, &copy).unwrap();
        chown(&copy, Some(USER), Some(USER)).unwrap();
    }
    chown(&dir, Some(USER), Some(USER)).unwrap();
    serve(&engine, "upgraded", &format!("{}:/data", dir.display()), &[]);
    let names = || fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name());
    let is_copy = |name: std::ffi::OsString| name.to_string_lossy().starts_with("userman.db.v");
    assert!(
        names().any(is_copy),
        "no copy of the former database: {:?}",
        names().collect::<Vec<_>>()
    );
    assert_eq!(post(&engine, CHECK), "OK|username \"bob\" is taken on site 1");
    assert_eq!(engine.stop("upgraded"), 0);
}

fn a_backup_is_made_and_restored_beside_the_service() {
    let engine = Engine::with_image();
    let dir = engine.dir("backup");
    chown(&dir, Some(USER), Some(USER)).unwrap();
    let backup = format!("{}:/backup", dir.display());
    let daily = ["--env", "USERMAN_BACKUP_EVERY=24h", "--env", "USERMAN_BACKUP_DIR=/backup"];
    serve(&engine, "served", "members:/data", &[&daily[..], &["--volume", &backup]].concat());
    assert_eq!(post(&engine, ADD), "OK|member 71 \"bob\" added to site 1");
    // The service made a backup at its start, perhaps within the same second.
    let made = engine.podman(&["exec", "served", "nats-userman", "backup", "/backup"]).printed();
    let is_file = |word: &&str| word.starts_with("/backup/userman-") && word.ends_with(".db");
    let newest = made.split([' ', '\n', ':', ',']).find(is_file).unwrap().to_owned();
    let health = engine.podman(&["exec", "served", "nats-userman", "health"]).printed();
    assert!(health.starts_with("127.0.0.1:8080: ok, last backup "), "{health}");
    let delete = "action=DELETE&siteid=1&memberid=71&username=bob";
    assert_eq!(post(&engine, delete), "OK|member 71 \"bob\" removed from site 1");
    assert_eq!(engine.stop("served"), 0);

    let volumes = ["--volume", "members:/data", "--volume", &backup];
    engine.run(&volumes, &["restore", &newest]).printed();
    engine.podman(&["start", "served"]).printed();
    eventually("the container is healthy", || {
        engine.podman(&["healthcheck", "run", "served"]).code == 0
    });
    assert_eq!(post(&engine, CHECK), "OK|username \"bob\" is taken on site 1");
    assert_eq!(engine.stop("served"), 0);
}

/// The static program resolves names by glibc alone, and contains the root certificates.
fn nats_is_reached_by_its_name_over_tls() {
    let engine = Engine::with_image();
    let nats = network::Nats::start(&engine);
    let pem = format!("{}:/nats.pem:ro", nats.certificate.display());
    let ask = |flags: &[&str], host: &str, trusting: &[&str]| {
        let url = format!("https://{host}:8443");
        let flags = [&["--volume", &pem, "--env", "USERMAN_NATS_API_KEY=0123456789abcdef"], flags];
        let args = ["authstring", "--nats-url", &url, "--nats-api-username", "tmm1", "--type"];
        let member = ["upsell", "--username", "bob", "--site", "1"];
        engine.run(&flags.concat(), &[&args[..], &member, trusting].concat())
    };
    let (string, trusting) = (format!("{}\n", network::STRING), ["--nats-ca", "/nats.pem"]);
    let hosts = ["--add-host", "nats.hosts.test:127.0.0.1"];
    assert_eq!(ask(&hosts, "nats.hosts.test", &trusting).printed(), string);
    let resolv_conf = format!("{}:/etc/resolv.conf:ro", nats.resolv_conf.display());
    let dns = ["--volume", &resolv_conf];
    assert_eq!(ask(&dns, "nats.dns.test", &trusting).printed(), string);
    let unknown = ask(&dns, "unknown.test", &trusting);
    assert!(unknown.code == 1 && unknown.err.contains("its name is not known"), "{unknown:?}");
    let untrusted = ask(&hosts, "nats.hosts.test", &[]);
    assert!(
        untrusted.code == 1
            && untrusted.err.contains("invalid peer certificate: UnknownIssuer")
            && untrusted.err.lines().count() == 1,
        "{untrusted:?}"
    );
    let program = fs::read(engine.program_of_image()).unwrap();
    let root = b"Internet Security Research Group";
    assert!(memchr::memmem::find(&program, root).is_some(), "no root certificates");
}

/// In a root directory that contains only the program: no /dev, /etc, /proc or /tmp.
fn the_program_of_the_image_needs_no_other_file() {
    let engine = Engine::with_image();
    let root = engine.dir("root");
    fs::copy(engine.program_of_image(), root.join("nats-userman")).unwrap();
    // `/src` is the directory in which the Dockerfile builds it.
    names_no_path(&fs::read(root.join("nats-userman")).unwrap(), "/src/target");
    names_no_path(&fs::read(root.join("nats-userman")).unwrap(), env!("CARGO_MANIFEST_DIR"));
    fs::create_dir(root.join("data")).unwrap();
    chown(root.join("data"), Some(USER), Some(USER)).unwrap();
    let mut command = Command::new("chroot");
    command.arg(format!("--userspec={USER}:{USER}")).arg(&root);
    command.args(["/nats-userman", "serve", "--data-dir", "/data"]);
    let log = engine.network.serve_and_stop(&command);
    assert!(log.contains("listening on 127.0.0.1:8080") && log.contains("stopped"), "{log}");
    for key in ["seal.key", "cookie.key", "postback-token"] {
        assert!(root.join("data").join(key).is_file(), "{key}: {log}");
    }
}

fn the_compose_file_is_one_and_leads_nginx_to_the_service() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let file = examples.join("compose.yaml");
    Ran::of(Command::new("docker-compose").arg("-f").arg(&file).arg("config")).printed();
    let text = fs::read_to_string(file).unwrap();
    let between = |before: &str, after: &str| {
        text.split_once(before).unwrap().1.split_once(after).unwrap().0.to_owned()
    };
    let edit = between("sed '", "' /nginx.conf ");
    let mut sed = Command::new("sed");
    let edited = Ran::of(sed.arg(edit).arg(examples.join("nginx.conf"))).printed();
    let service = between("ipv4_address: ", "\n");
    assert!(edited.contains(&format!("proxy_pass http://{service}:8080;")), "{edited}");
    assert!(!edited.contains("127.0.0.1:8080;"), "{edited}");
    let proxy = between("USERMAN_TRUSTED_PROXY: ", "\n");
    assert!(text.trim_end().split_once("  nginx:\n").unwrap().1.contains(&proxy), "{proxy}");
}
