//! No secret is readable on a server; see [`crate::engines::secrets`].

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use crate::engines::secrets::{Place, Turn, nothing_is_found_in};
use crate::support::{MariaDatabase, MariaDb};

/// A place with the database on a server that logs every statement with its values.
fn on_a_server(flags: &[&str]) -> Option<Place> {
    let options = ["--general-log=1", "--general-log-file=../general.log"];
    let database = MariaDatabase::on(MariaDb::start(&options)?);
    let mut place = Place::new(flags);
    let password = place.dir.path().join("password");
    fs::write(&password, database.password()).unwrap();
    fs::set_permissions(&password, Permissions::from_mode(0o600)).unwrap();
    place.flags.extend([
        "--database".to_owned(),
        database.setting(),
        "--database-password-file".to_owned(),
        password.display().to_string(),
    ]);
    place.server = Some(database);
    Some(place)
}

#[test]
fn no_secret_is_readable_in_any_table_file_or_log_of_a_server() {
    let Some(place) = on_a_server(&["--log", "trace"]) else { return };
    nothing_is_found_in(&place, Turn { number: 0, of: 2 });
}
