//! Times on pages, in the operator's time zone.

use minijinja::Value;

use crate::clock::{Zone, format_utc};

/// Writes times in one time zone.
#[derive(Clone, Debug)]
pub struct Times(Zone);

impl Times {
    /// In this zone.
    pub fn new(zone: Zone) -> Self {
        Self(zone)
    }

    /// The zone.
    pub fn zone(&self) -> &Zone {
        &self.0
    }

    /// The instant (unix seconds) as `2026-06-15 14:00:00`, as clocks in the zone show it.
    pub fn text(&self, instant: i64) -> String {
        let east = self.0.seconds_east_of_utc(instant).unwrap_or_default();
        let text = format_utc(instant.saturating_add(east.into()));
        text.trim_end_matches('Z').replacen('T', " ", 1)
    }

    /// The instant as an element of HTML, which also has it in UTC for programs.
    pub fn html(&self, instant: i64) -> Value {
        // Digits and punctuation, so that nothing has to be escaped.
        let (utc, text) = (format_utc(instant), self.text(instant));
        Value::from_safe_string(format!("<time datetime=\"{utc}\">{text}</time>"))
    }

    /// As [`Times::html`]; a value that is not there is `–`.
    pub fn html_or_none(&self, instant: Option<i64>) -> Value {
        instant.map_or_else(|| Value::from("–"), |instant| self.html(instant))
    }

    /// The hour of the instant, as `14:00`.
    pub fn hour(&self, instant: i64) -> String {
        self.text(instant).get(11..16).unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_as_clocks_of_the_zone_show_it() {
        let times = |zone: &str| Times::new(zone.parse().unwrap());
        for (zone, unix, text, hour) in [
            ("UTC", 1_781_524_800, "2026-06-15 12:00:00", "12:00"),
            ("Europe/Berlin", 1_781_524_800, "2026-06-15 14:00:00", "14:00"),
            ("America/New_York", 1_781_524_800, "2026-06-15 08:00:00", "08:00"),
            ("Asia/Kathmandu", 1_781_524_800, "2026-06-15 17:45:00", "17:45"),
        ] {
            assert_eq!(times(zone).text(unix), text);
            assert_eq!(times(zone).hour(unix), hour);
        }
        assert_eq!(times("UTC").text(i64::MAX), "unix 9223372036854775807");
        assert_eq!(
            times("Europe/Berlin").html(1_781_524_800).to_string(),
            "<time datetime=\"2026-06-15T12:00:00Z\">2026-06-15 14:00:00</time>"
        );
    }
}
