//! The file of countries for the protection against sharing: which files are refused, what
//! `sharing list` shows, and that a new file is read at SIGHUP.

use std::fs;

use nats_userman::country_file::CountryFile;

use super::reload::Scene;
use super::{run_on, without_times};
use crate::support::{Request, country_file, eventually, map, mmdb, send_raw, temp_dir, text};

const ADD: &str = "action=ADD&siteid=1&memberid=71&username=bob&password=secret";

#[test]
fn a_file_that_has_no_countries_is_refused_at_the_start_with_what_to_do() {
    let dir = temp_dir();
    let path = dir.path().join("countries.mmdb");
    let data = dir.path().join("data");
    let again = "is not a whole file in MaxMind's format, as GeoLite2-Country.mmdb is: download it \
                 again: ";
    let whole = mmdb("GeoLite2-Country", &[("192.0.2.0/24", map(&[("country_code", text("DE"))]))]);
    let networks = [("192.0.2.0/24", map(&[("organization", text("Example"))]))];
    let other = mmdb("GeoLite2-ASN", &networks);
    let cut = &whole[..whole.len() - 20];
    for (content, why) in [
        (&b"network,country\n"[..], again.to_owned()),
        (&[], again.to_owned()),
        (cut, again.to_owned()),
        (
            b"\x1f\x8b\x08",
            "is compressed: unpack it with tar -xzf or gunzip, and name the file that ends in \
             .mmdb\n"
                .into(),
        ),
        (
            &other,
            "has no countries: it is a \"GeoLite2-ASN\", expected a file such as \
             GeoLite2-Country.mmdb\n"
                .into(),
        ),
        (
            &mmdb("GeoLite2-Country", &[]),
            "has no countries: it is a \"GeoLite2-Country\", expected a file such as \
             GeoLite2-Country.mmdb\n"
                .into(),
        ),
    ] {
        fs::write(&path, content).unwrap();
        let said = format!("nats-userman: --sharing-country-file: {} {why}", path.display());
        for command in ["serve", "check-config"] {
            let ran = run_on(&data, &[command, "--sharing-country-file", path.to_str().unwrap()]);
            assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{}", ran.err);
            assert!(ran.err.starts_with(&said), "{} is not {said}", ran.err);
            assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
        }
    }
    fs::remove_file(&path).unwrap();
    run_on(&data, &["serve", "--sharing-country-file", path.to_str().unwrap()]).ended(
        2,
        &format!(
            "nats-userman: --sharing-country-file: cannot read the countries in {}: No such file \
             or directory (os error 2)\n",
            path.display()
        ),
    );
    assert!(!data.exists(), "nothing was created");
    fs::write(&path, whole).unwrap();
    run_on(&data, &["check-config", "--sharing-country-file", path.to_str().unwrap()]).printed();
}

#[test]
fn a_limit_of_countries_needs_a_file_of_them() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let check = |limit: &str| run_on(&data, &["check-config", "--sharing-countries", limit]);
    let said = "nats-userman: --sharing-countries: needs a file of countries: set \
                --sharing-country-file too\n";
    check("3").ended(2, said);
    check("0").printed();
}

#[test]
fn list_shows_countries_and_the_reason_and_a_new_file_is_read_at_sighup() {
    let mut scene = Scene::new();
    let path = scene.path("countries.mmdb");
    let file = country_file(&path, &[("198.51.1.0/24", "DE")]);
    let flags = [
        ["--trusted-proxy", "127.0.0.1"],
        ["--sharing", "block"],
        ["--sharing-countries", "1"],
        ["--sharing-country-file", &file],
    ];
    scene.serve(&flags.concat());
    scene.program().post(ADD).unwrap();
    let visit = |scene: &Scene, from: &str| {
        let request = Request::get("/auth?site=1").basic("bob", "secret").from(from);
        send_raw(scene.program().address, request).unwrap().status
    };
    // The first password of a name is hashed, which a busy machine may refuse at first.
    eventually("bob is in", || visit(&scene, "198.51.1.7") == 200);
    assert_eq!(visit(&scene, "198.51.2.7"), 200, "no country is known");
    assert_eq!(scene.reload(), "INFO  reload: nothing changed\n");

    // As geoipupdate does: the new file takes the place of the old one.
    let new = scene.path("new");
    country_file(&new, &[("198.51.1.0/24", "DE"), ("198.51.3.0/24", "FR")]);
    fs::rename(&new, &path).unwrap();
    let changed = "INFO  reload: changed sharing_country_file (built 2026-06-15T12:00:00Z)\n";
    assert_eq!(scene.reload(), changed);
    assert_eq!(visit(&scene, "198.51.3.7"), 403);
    eventually("it is logged", || {
        let said = "a login may be shared: too many countries, the member is blocked for a while \
                    site=1 member=71 networks=3 countries=2 address=198.51.3.7\n";
        scene.program().stderr().contains(said)
    });

    fs::write(&path, "half of it").unwrap();
    let said = scene.reload();
    let kept = "ERROR reload: --sharing-country-file: DIR/countries.mmdb is not a whole file in \
                MaxMind's format, as GeoLite2-Country.mmdb is: download it again: ";
    assert!(said.starts_with(kept), "{said}");
    country_file(&path, &[("198.51.1.0/24", "DE")]);

    let data = scene.path("data");
    let list = || without_times(&run_on(&data, &["sharing", "list"]).printed());
    eventually("all is written", || list().contains("blocked until"));
    let listed = list();
    let mut lines: Vec<&str> = listed.lines().collect();
    lines[1..].sort_unstable();
    assert_eq!(
        lines,
        [
            "member 71 of site 1: 3 networks in 2 countries, blocked until TIME (too many \
             countries)",
            "    198.51.1.0/24 (DE) from TIME to TIME",
            "    198.51.2.0/24 from TIME to TIME",
            "    198.51.3.0/24 (FR) from TIME to TIME",
        ]
    );
    scene.program().post(&ADD.replace("71", "72").replace("bob", "ann")).unwrap();
    for network in 4..8 {
        let from = format!("198.51.{network}.7");
        let request = Request::get("/auth?site=1").basic("ann", "secret").from(&from);
        eventually("ann is in", || {
            send_raw(scene.program().address, request.clone()).unwrap().status == 200
        });
    }
    let worst = || {
        let listed = without_times(&run_on(&data, &["sharing", "list", "--most", "1"]).printed());
        let members = listed.lines().filter(|line| line.starts_with("member"));
        members.map(str::to_owned).collect::<Vec<_>>()
    };
    let bob = lines[0].to_owned();
    let expected = ["member 72 of site 1: 4 networks".to_owned(), bob];
    eventually("the worst, and who is blocked with fewer networks", || worst() == expected);

    let shown = without_times(&run_on(&data, &["member", "show", "bob"]).printed());
    let blocked = "member 71 of site 1: is blocked until TIME because of sharing: too many \
                    countries\n";
    assert!(shown.starts_with(blocked), "{shown}");
    scene.stop();
}

#[test]
fn whether_countries_are_counted_is_decided_at_the_start() {
    let mut scene = Scene::new();
    let file = country_file(&scene.path("countries.mmdb"), &[("198.51.1.0/24", "DE")]);
    scene.serve_by_file("", &[]);
    scene.write("userman.toml", &format!("sharing_country_file = {file:?}\n"));
    let restart = "WARN  reload: a restart is needed for sharing_country_file\n\
                   INFO  reload: nothing changed\n";
    assert_eq!(scene.reload(), restart);
    scene.stop();
}

#[test]
fn the_country_of_an_address_is_that_of_its_network_in_the_file() {
    let dir = temp_dir();
    let path = dir.path().join("countries.mmdb");
    country_file(
        &path,
        &[("192.0.2.0/25", "DE"), ("2001:db8::/33", "FR"), ("203.0.113.0/24", "none")],
    );
    let file = CountryFile::read(&path).unwrap();
    for (address, country) in [
        ("192.0.2.127", "DE"),
        ("192.0.2.128", ""),
        ("::ffff:192.0.2.1", "DE"),
        ("2001:db8:7fff::1", "FR"),
        ("2001:db8:8000::1", ""),
        ("203.0.113.1", ""),
    ] {
        let found = file.country(address.parse().unwrap()).map(|it| it.to_string());
        assert_eq!(found.unwrap_or_default(), country, "{address}");
    }
}

#[test]
fn a_file_with_a_damaged_byte_ends_no_program() {
    let dir = temp_dir();
    let path = dir.path().join("countries.mmdb");
    country_file(&path, &[("192.0.2.0/24", "DE"), ("2001:db8::/32", "FR")]);
    let whole = fs::read(&path).unwrap();
    let (mut refused, mut read) = (0, 0);
    for at in 0..whole.len() {
        for damage in [1, 0x7f, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= damage;
            fs::write(&path, bytes).unwrap();
            let Ok(file) = CountryFile::read(&path) else {
                refused += 1;
                continue;
            };
            read += 1;
            for address in ["192.0.2.1", "2001:db8::1", "203.0.113.1", "::1"] {
                file.country(address.parse().unwrap());
            }
        }
    }
    assert!(refused > 0 && read > 0, "{refused} and {read}");
}
