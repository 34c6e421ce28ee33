//! What `check-config` prints, and what it finds without a change.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use super::super::{end, run_on};
use super::{OTHER, write};
use crate::support::{Program, TOKEN, country_file, program, temp_dir};

#[test]
fn check_config_says_what_would_be_used_and_hides_secrets() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let countries = country_file(&dir.path().join("countries.mmdb"), &[("192.0.2.0/24", "DE")]);
    let mut command = program();
    command.arg("check-config");
    for (variable, value) in [
        ("USERMAN_LISTEN", "[::1]:9000"),
        ("USERMAN_PUBLIC_URL", "https://members.example.com/"),
        ("USERMAN_DATA_DIR", data.to_str().unwrap()),
        ("USERMAN_DATABASE", "sqlite:/tmp/somewhere.db"),
        ("USERMAN_POSTBACK_TOKEN", &format!("{TOKEN},{OTHER}")),
        ("USERMAN_ALLOW_IP", "192.0.2.0/24, 2001:db8::1"),
        ("USERMAN_TRUSTED_PROXY", "127.0.0.1,10.1.2.3/8"),
        ("USERMAN_TIME_ZONE", "Europe/Berlin"),
        ("USERMAN_EXPIRE_GRACE_HOURS", "36"),
        ("USERMAN_CLOCK_JUMP_MINUTES", "30"),
        ("USERMAN_PASSWORD_HASH", "bcrypt"),
        ("USERMAN_KEEP_CRYPTPASS", "1"),
        ("USERMAN_JOURNAL_DAYS", "400"),
        ("USERMAN_BACKUP_EVERY", "12h"),
        ("USERMAN_FASTCGI_LISTEN", "127.0.0.1:9001"),
        ("USERMAN_LOGIN_HOURS", "12"),
        ("USERMAN_LOGIN_IDLE_MINUTES", "30"),
        ("USERMAN_COOKIE_DOMAIN", "example.com, .EU.example.com"),
        ("USERMAN_LOGIN_DAYS", "30"),
        ("USERMAN_SHARING", "block"),
        ("USERMAN_SHARING_BLOCK_MINUTES", "90"),
        ("USERMAN_SHARING_NETWORKS", "20"),
        ("USERMAN_SHARING_COUNTRY_FILE", &countries),
        ("USERMAN_LOGIN_LIMIT_PAIR", "5"),
        ("USERMAN_LOGIN_LIMIT_NETWORK", "200"),
        ("USERMAN_LOGIN_LIMIT_NAME", "0"),
        ("USERMAN_LOGIN_WINDOW_MINUTES", "20"),
        ("USERMAN_LOGIN_BLOCK_MINUTES", "30"),
        ("USERMAN_API_KEY", "shop:0123456789abcdef,desk:0123456789abcdef site=1 ip=::1"),
        ("USERMAN_NATS_URL", "https://nats.example.com/"),
        ("USERMAN_NATS_API_USERNAME", "tmm1"),
        ("USERMAN_NATS_API_KEY", OTHER),
        ("USERMAN_NATS_SECONDS", "7"),
        ("USERMAN_LOG", "warn,writer=debug"),
        ("USERMAN_LOG_FORMAT", "json"),
    ] {
        command.env(variable, value);
    }
    let printed = end(command).printed();
    assert_eq!(
        printed,
        format!(
            "settings file     /dev/null\n\
             listen            [::1]:9000\n\
             FastCGI           127.0.0.1:9001\n\
             operations        off\n\
             public URL        https://members.example.com/postback/***\n\
             data directory    {}\n\
             database          sqlite:/tmp/somewhere.db\n\
             tokens            2 of the settings\n\
             allowed networks  192.0.2.0/24, 2001:db8::1/128\n\
             trusted proxies   127.0.0.1/32, 10.0.0.0/8\n\
             time zone         Europe/Berlin, 36 hours of grace\n\
             clock jumps       accepted after 30 minutes\n\
             password hash     bcrypt\n\
             keep cryptpass    yes\n\
             stale guard       off\n\
             journal kept      400 days\n\
             upgrade copy      kept\n\
             backups           every 12h into {}/backups, without keys, keeping the newest 7\n\
             logins            12 hours, or 30 minutes unused, shared by eu.example.com and by \
             example.com, the default page\n\
             logins recorded   30 days\n\
             sharing           block for 90 minutes over 20 networks or 4 countries within 1440 \
             minutes, or 8 networks at once; countries of {countries}, built \
             2026-06-15T12:00:00Z\n\
             guessing          pair 5, network 200, name off wrong passwords within 20 minutes \
             block for 30 minutes\n\
             API keys          of shop, desk site=1 ip=::1/128\n\
             authstrings       of https://nats.example.com as tmm1, within 7 s\n\
             log               warn,writer=debug, json\n\
             configuration OK\n",
            data.display(),
            data.display()
        )
    );
    assert!(!data.exists(), "nothing was made");
}

#[test]
fn check_config_finds_a_directory_in_which_no_backup_can_be_made() {
    let dir = temp_dir();
    let (data, file) = (dir.path().join("data"), dir.path().join("file"));
    let missing = dir.path().join("none");
    fs::write(&file, "").unwrap();
    for (place, said) in [
        (&missing, "there is no directory AT: create it, or mount the disk that has it"),
        (&file, "AT is not a directory: name the directory for backups"),
    ] {
        let place = place.to_str().unwrap();
        let args = ["check-config", "--backup-every", "24h", "--backup-dir", place];
        let ran = run_on(&data, &args);
        let said = said.replace("AT", place);
        assert_eq!((ran.code, ran.err), (Some(1), format!("nats-userman: {said}\n")));
    }
}

#[test]
fn check_config_says_what_is_wrong_with_paths_and_makes_none() {
    let dir = temp_dir();
    let at = dir.path().canonicalize().unwrap();
    write(&at, "file", 0o600, "");
    std::os::unix::fs::symlink(at.join("nowhere"), at.join("link")).unwrap();
    let gone = "No such file or directory (os error 2)";
    let (file, link, missing) = (at.join("file"), at.join("link"), at.join("missing"));
    let (file, link, missing) = (file.display(), link.display(), missing.display());
    let elsewhere = |path: String| vec!["--database".to_owned(), format!("sqlite:{path}")];
    for (data, flags, problem) in [
        ("file", vec![], format!("the data directory {file} is not a directory")),
        (
            "file/a/b",
            vec![],
            format!("the data directory {file}/a/b cannot be made: {file} is not a directory"),
        ),
        ("link", vec![], format!("the data directory {link} is a broken symbolic link")),
        (
            "data",
            elsewhere(format!("{missing}/x.db")),
            format!("the database {missing}/x.db cannot be there: {missing} is not there: {gone}"),
        ),
        (
            "data",
            elsewhere(format!("{file}/x.db")),
            format!("the database {file}/x.db cannot be there: {file} is not a directory"),
        ),
    ] {
        let mut args = vec!["check-config"];
        args.extend(flags.iter().map(String::as_str));
        run_on(&at.join(data), &args).ended(1, &format!("nats-userman: {problem}\n"));
    }
    // Missing parents of a data directory are created with it. A database may be in that directory
    // or beside it.
    for database in [at.join("a/b/x.db"), at.join("x.db")] {
        let database = format!("sqlite:{}", database.display());
        assert!(
            run_on(&at.join("a/b"), &["check-config", "--database", &database])
                .printed()
                .ends_with("configuration OK\n")
        );
    }
    let mut here = program();
    here.current_dir(&at).args([
        "check-config",
        "--data-dir",
        "a",
        "--database",
        "sqlite:./a/x.db",
    ]);
    assert!(end(here).printed().ends_with("configuration OK\n"));
    assert_eq!(fs::read_dir(&at).unwrap().count(), 2, "nothing was made");
}

#[test]
fn check_config_says_what_is_wrong_and_touches_nothing() {
    let dir = temp_dir();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o750)).unwrap();
    write(dir.path(), "seal.key", 0o600, "no key");
    write(dir.path(), "postback-token", 0o600, &format!("{TOKEN}\nshort\n"));
    write(
        dir.path(),
        "userman.db",
        0o640,
        "no database, although it is long enough for the head of one",
    );
    let ran = run_on(dir.path(), &["check-config"]);
    let at = dir.path().display();
    let lines = [
        format!(
            "nats-userman: {at}/postback-token, line 2: expected 32 to 256 characters of A-Z, \
             a-z, 0-9, _ and -\n"
        ),
        format!(
            "nats-userman: key file {at}/seal.key: expected 64 lower-case hex digits and a line \
             break, found 6 bytes that are not\n"
        ),
        format!(
            "nats-userman: the database {at}/userman.db is damaged or no SQLite database; nothing \
             was changed, restore a backup"
        ),
    ];
    assert!(ran.err.starts_with(&lines.concat()), "{}", ran.err);
    assert_eq!((ran.code, ran.err.lines().count()), (Some(1), 3), "{}", ran.err);
    assert!(!ran.out.contains(TOKEN) && !ran.out.contains("nothing is wrong"), "{}", ran.out);
    assert_eq!(fs::read_to_string(dir.path().join("seal.key")).unwrap(), "no key");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3, "no file was made");
}

#[test]
fn two_listeners_on_one_port_are_refused_unless_their_addresses_differ() {
    let dir = temp_dir();
    let [listen, ops, fastcgi] = ["--listen", "--ops-listen", "--fastcgi-listen"];
    for (one, at, other, other_at) in [
        (listen, "127.0.0.1:8099", ops, "127.0.0.1:8099"),
        (listen, "127.0.0.1:8099", fastcgi, "0.0.0.0:8099"),
        (listen, "[::]:8099", fastcgi, "127.0.0.1:8099"),
        (ops, "0.0.0.0:8099", fastcgi, "127.0.0.1:8099"),
    ] {
        let said = format!(
            "nats-userman: {other}: expected a port that no other listener has, found {other_at}, \
             and {one} has {at}\n"
        );
        run_on(dir.path(), &["check-config", one, at, other, other_at]).ended(2, &said);
    }
    for (at, other_at) in [
        ("127.0.0.1:8099", "127.0.0.2:8099"),
        ("0.0.0.0:8099", "[::1]:8099"),
        ("127.0.0.1:0", "127.0.0.1:0"),
    ] {
        let ran = run_on(dir.path(), &["check-config", listen, at, fastcgi, other_at]);
        assert!(!ran.err.contains("listener"), "{at} {other_at}: {}", ran.err);
    }
}

#[test]
fn an_upgrade_without_a_source_of_authstrings_is_told_by_check_config_and_at_the_start() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let upgrade = "https://join.example.com/upgrade?authstring={authstring}";
    let said = "upgrade_url has no effect: set nats_url, where the authstring of the upgrade comes \
                from";
    let mut service = Program::serve(&data, &["--upgrade-url", upgrade]);
    assert!(service.terminate().success());
    assert!(service.stderr().contains(said), "{}", service.stderr());
    let checked = run_on(&data, &["check-config", "--upgrade-url", upgrade]).printed();
    assert!(checked.contains(&format!("{said}\notherwise, configuration OK\n")), "{checked}");
    let with = ["check-config", "--stand-in", "--upgrade-url", upgrade];
    let checked = run_on(&data, &with).printed();
    assert!(!checked.contains("upgrade_url"), "{checked}");
}
