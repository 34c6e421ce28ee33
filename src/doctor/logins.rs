//! The record of logins, and the protection against sharing: the settings in effect.

use super::report::{Level, Report};
use super::units::DAY_SECONDS;
use crate::config::Config;
use crate::counted::age;

/// Networks move between countries. Makers of such files build them each week or month.
const COUNTRIES_OLD_DAYS: i64 = 90;

pub(super) fn check(config: &Config, now: i64, report: &mut Report) {
    let record = match config.area.login_days {
        0 => "no logins are recorded".into(),
        _ => format!("logins are recorded for {}", config.logins_kept()),
    };
    report.ok("login_record", record);
    report.ok("sharing", config.sharing_in_words());
    let Some(file) = &config.country_file else { return };
    let old = now.saturating_sub(file.built_at());
    if old > COUNTRIES_OLD_DAYS * DAY_SECONDS {
        report.add(
            Level::Warning,
            "countries",
            format!("{} is {} old", file.path().display(), age(old)),
            "download it again, regularly, as geoipupdate does, and run `systemctl reload \
             nats-userman` then",
        );
    }
}
