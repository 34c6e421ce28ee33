//! Settings in words, for `check-config`, `doctor` and the log.

use super::read::Config;
use crate::clock::format_utc;
use crate::counted::counted;
use crate::login::settings::SharingAction;
use crate::nats_client::settings::StringSource;

impl Config {
    /// A sentence if the button of the upgrade is set and cannot be shown.
    pub fn upgrade_without_nats(&self) -> Option<&'static str> {
        let has_none = matches!(self.api.source, StringSource::None);
        (has_none && self.pages.settings().has_upgrade()).then_some(
            "upgrade_url has no effect: set nats_url, where the authstring of the upgrade comes \
             from",
        )
    }

    /// How long logins stay in the record.
    pub fn logins_kept(&self) -> String {
        match self.area.login_days {
            0 => "none".into(),
            days => counted(days, "day"),
        }
    }

    /// When a login counts as shared, and what happens then.
    pub fn sharing_in_words(&self) -> String {
        let sharing = &self.area.sharing;
        let minutes = |seconds: i64| counted(seconds.unsigned_abs() / 60, "minute");
        let action = match sharing.action {
            SharingAction::Off => return "off".into(),
            SharingAction::Log => "log".into(),
            SharingAction::Block => format!("block for {}", minutes(sharing.block_seconds)),
        };
        let limit = |most: u32, noun| (most > 0).then(|| counted(most, noun));
        let (networks, countries) =
            (limit(sharing.networks, "network"), limit(sharing.countries, "country"));
        let limits: Vec<String> = networks.into_iter().chain(countries).collect();
        let within = Some(limits.join(" or ")).filter(|limits| !limits.is_empty());
        let within = within.map(|it| format!("{it} within {}", minutes(sharing.window_seconds)));
        let at_once = limit(sharing.at_once, "network").map(|it| format!("{it} at once"));
        let limits: Vec<String> = within.into_iter().chain(at_once).collect();
        let limits = match limits.is_empty() {
            true => "without a limit".into(),
            false => format!("over {}", limits.join(", or ")),
        };
        let file = self.country_file.as_ref().map_or_else(
            || "no file of countries".into(),
            |file| {
                let built = format_utc(file.built_at());
                format!("countries of {}, built {built}", file.path().display())
            },
        );
        format!("{action} {limits}; {file}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_that_are_in_effect_are_named() {
        for (flags, said) in [
            (
                "--sharing block",
                "block for 60 minutes over 12 networks within 1440 minutes, or 8 networks at once; \
                 no file of countries",
            ),
            (
                "--sharing-at-once 0 --sharing-minutes 90 --sharing-networks 1",
                "log over 1 network within 90 minutes; no file of countries",
            ),
            (
                "--sharing-networks 0 --sharing-at-once 1",
                "log over 1 network at once; no file of countries",
            ),
            (
                "--sharing-networks 0 --sharing-at-once 0",
                "log without a limit; no file of countries",
            ),
            ("--sharing off", "off"),
        ] {
            let flags: Vec<&str> = flags.split(' ').collect();
            assert_eq!(Config::of_flags(&flags).sharing_in_words(), said);
        }
    }
}
