//! TLS between the receiver and the database: a real handshake with a MariaDB.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mysql::prelude::Queryable as _;

use crate::support::{
    MariaDatabase, MariaDb, Program, certify_by_authority, make_authority, program, real_program,
    temp_dir,
};

const ADD: &str = "action=ADD&siteid=1&memberid=71&username=bob&password=secret";

const BAD_CERTIFICATE: &str = "the server's certificate must be valid for the host as --database \
    names it, and its authority be public or in --database-tls-ca";

/// A server whose certificate an authority of this test has signed.
struct Scene {
    dir: tempfile::TempDir,
    database: MariaDatabase,
}

impl Scene {
    /// For these names. `None`, with a loud line, where a program is missing.
    fn new(names: &str) -> Option<Self> {
        let openssl = real_program("openssl")?;
        let dir = temp_dir();
        make_authority(&openssl, dir.path(), "the right one");
        certify_by_authority(&openssl, dir.path(), names);
        let file = |name: &str| dir.path().join(name).display().to_string();
        let options =
            [format!("--ssl-cert={}", file("tls.pem")), format!("--ssl-key={}", file("tls.key"))];
        let server = MariaDb::start(&options.each_ref().map(String::as_str))?;
        Some(Self { dir, database: MariaDatabase::on(server) })
    }

    fn authority(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }
}

/// The setting with this name for the host.
fn setting(database: &MariaDatabase, host: &str) -> String {
    database.setting_with_password().replace("127.0.0.1", host)
}

/// What `check-config` says of the database, which it cannot use.
fn refusal(database: &MariaDatabase, host: &str, flags: &[&str]) -> String {
    let dir = temp_dir();
    let mut check = program();
    check.args(["check-config", "--database", &setting(database, host)]).args(flags);
    let done = check.arg("--data-dir").arg(dir.path()).output().unwrap();
    let text = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
    assert_eq!(done.status.code(), Some(1), "{text}");
    let found = text.lines().find(|line| line.contains(&format!("{host}:{}: ", database.port())));
    let line = found.unwrap_or_else(|| panic!("no line about the server: {text}"));
    let at = line.rfind(&format!("{host}:{}: ", database.port())).unwrap();
    line[at..].split_once(": ").unwrap().1.to_owned()
}

fn ca(path: &Path) -> [&str; 2] {
    ["--database-tls-ca", path.to_str().unwrap()]
}

#[test]
fn a_receiver_uses_tls_with_a_certificate_of_the_named_authority_and_no_other() {
    let Some(scene) = Scene::new("IP:127.0.0.1,DNS:localhost") else { return };
    // Whoever does not use TLS is refused by the server.
    let require = format!("ALTER USER {}@'127.0.0.1' REQUIRE SSL", scene.database.name());
    scene.database.admin().query_drop(require).unwrap();
    let right = scene.authority();
    let dir = temp_dir();
    for host in ["127.0.0.1", "localhost"] {
        let setting = setting(&scene.database, host);
        let flags = [&["--database", &setting], &ca(&right)[..]].concat();
        let program = Program::serve(dir.path(), &flags);
        assert!(program.post(ADD).unwrap().body.starts_with("OK|"), "{host}");
    }
    let said = refusal(&scene.database, "127.0.0.1", &["--database-tls", "off"]);
    assert!(said.starts_with("Access denied for user"), "the test's own doubt: {said}");

    let other = temp_dir();
    make_authority(&real_program("openssl").unwrap(), other.path(), "another one");
    let unknown = format!("invalid peer certificate: UnknownIssuer: {BAD_CERTIFICATE}");
    let said = refusal(&scene.database, "127.0.0.1", &ca(&other.path().join("ca.pem")));
    assert_eq!(said, unknown);
    let said = refusal(&scene.database, "127.0.0.1", &["--database-tls", "required"]);
    assert_eq!(said, unknown, "by the public authorities");
}

#[test]
fn an_import_from_a_server_uses_tls_with_a_certificate_of_the_named_authority_and_no_other() {
    let Some(scene) = Scene::new("IP:127.0.0.1") else { return };
    let database = &scene.database;
    let mut admin = database.admin();
    for statement in [
        "CREATE TABLE member_auth (siteid INT, memberid INT, username TEXT, password TEXT)".into(),
        "INSERT INTO member_auth VALUES (1, 71, 'bob', 'testtest')".into(),
        format!("ALTER USER {}@'127.0.0.1' REQUIRE SSL", database.name()),
    ] {
        let statement: String = statement;
        admin.query_drop(statement).unwrap();
    }
    let import = |flags: &[&str]| {
        let dir = temp_dir();
        let mut import = program();
        import.args(["import", "--dry-run", "--from", &database.setting()]).args(flags);
        import.env("USERMAN_FROM_PASSWORD", database.password());
        let done = import.arg("--data-dir").arg(dir.path()).output().unwrap();
        String::from_utf8([done.stdout, done.stderr].concat()).unwrap()
    };
    let right = scene.authority();
    assert_eq!(
        import(&["--from-tls-ca", right.to_str().unwrap()]),
        "1 added, 0 changed, 0 were so already, 0 refused; nothing was changed\n"
    );
    let said = import(&["--from-tls", "required"]);
    let unknown = "invalid peer certificate: UnknownIssuer: the server's certificate must be valid \
        for the host as --from names it, and its authority be public or in --from-tls-ca\n";
    assert_eq!(said, format!("nats-userman: cannot read {}: {unknown}", database.setting()));
    let said = import(&[]);
    assert!(said.contains("Access denied for user"), "in clear, which the server refuses: {said}");
}

#[test]
fn each_address_of_a_name_is_tried_with_tls_too() {
    let Some(unshare) = real_program("unshare") else { return };
    let Some(scene) = Scene::new("DNS:db.example.com") else { return };
    // The server listens at 127.0.0.1 alone, and the system names ::1 first.
    let hosts = scene.dir.path().join("hosts");
    std::fs::write(&hosts, "127.0.0.1 db.example.com\n::1 db.example.com\n").unwrap();
    let mut check = std::process::Command::new(unshare);
    check.args(["--map-root-user", "--mount", "sh", "-c"]);
    check.args(["mount --bind \"$0\" /etc/hosts && exec \"$@\""]);
    check.arg(hosts).arg(program().get_program());
    check.args(["check-config", "--database", &setting(&scene.database, "db.example.com")]);
    let data_dir = scene.dir.path().join("data");
    std::fs::DirBuilder::new().mode(0o750).create(&data_dir).unwrap();
    check.args(ca(&scene.authority())).arg("--data-dir").arg(data_dir);
    let done = check.output().unwrap();
    let text = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
    assert_eq!(done.status.code(), Some(0), "{text}");
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let Some(scene) = Scene::new("DNS:db.example.com") else { return };
    for host in ["127.0.0.1", "localhost"] {
        let said = refusal(&scene.database, host, &ca(&scene.authority()));
        let expected = format!(
            "invalid peer certificate: certificate not valid for name \"{host}\"; certificate is \
             only valid for DnsName(\"db.example.com\"): {BAD_CERTIFICATE}"
        );
        assert_eq!(said, expected);
    }
}

#[test]
fn a_server_without_tls_is_refused_where_tls_is_required() {
    let Some(server) = MariaDb::shared() else { return };
    let database = MariaDatabase::on(Arc::clone(&server));
    let said = refusal(&database, "127.0.0.1", &["--database-tls", "required"]);
    assert_eq!(
        said,
        "Client requires secure connection but server does not have this capability: turn TLS on \
         there (ssl_cert and ssl_key), or set --database-tls off"
    );
}
