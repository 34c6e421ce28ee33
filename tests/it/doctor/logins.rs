//! The settings of the login record and of the protection against sharing.

use nats_userman::doctor::Level;

use super::Patient;
use crate::support::{NOON, country_file, temp_dir};

#[test]
fn the_settings_in_effect_are_named() {
    let mut patient = Patient::in_dir(temp_dir());
    patient.expect_ok("login_record", "logins are recorded for 90 days");
    let said = "log over 12 networks within 1440 minutes, or 8 networks at once; no file of \
                countries";
    patient.expect_ok("sharing", said);
    assert!(patient.findings("countries").is_empty());

    let file = country_file(&patient.dir.path().join("countries"), &[("192.0.2.0/24", "DE")]);
    patient = patient.with(&["--login-days", "0", "--sharing-country-file", &file]);
    patient.now = NOON;
    patient.expect_ok("login_record", "no logins are recorded");
    let said = format!(
        "log over 12 networks or 4 countries within 1440 minutes, or 8 networks at once; \
         countries of {file}, built 2026-06-15T12:00:00Z"
    );
    patient.expect_ok("sharing", &said);
    assert!(patient.findings("countries").is_empty());

    patient.now += 91 * 86_400;
    patient.expect(
        "countries",
        Level::Warning,
        &format!("{file} is 91 days old"),
        "download it again, regularly, as geoipupdate does, and run `systemctl reload \
         nats-userman` then",
    );
}
