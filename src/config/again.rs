//! What a running service reloads: the configuration file, and the files that settings name. Flags
//! and variables of a process cannot change while it runs.

use std::net::SocketAddr;
use std::sync::Arc;

use super::api::ApiSettings;
use super::problems::{BadSetting, Problems};
use super::read::{Config, allow_ip, listen_address, tokens, trusted_proxy};
use super::settings::Settings;
use super::{api, ops, pages, sharing};
use crate::nats_client::settings::StringSource;

/// The settings whose changes take effect at a reload. All others need a restart.
pub const RELOADED: [&str; 31] = [
    "public_url",
    "postback_token_file",
    "allow_ip",
    "allow_ip_file",
    "trusted_proxy",
    "trusted_proxy_file",
    "time_zone",
    "expire_grace_hours",
    "log",
    "log_format",
    "sites_file",
    "site_name",
    "site_logo",
    "site_accent",
    "site_background",
    "site_dark_accent",
    "site_dark_background",
    "site_language",
    "forgot_password_url",
    "join_url",
    "support_url",
    "upgrade_url",
    "sharing_country_file",
    "login_template",
    "api_key_file",
    "nats_url",
    "nats_api_username",
    "nats_api_key_file",
    "nats_ca",
    "nats_seconds",
    "ops_token_file",
];

impl Config {
    /// Reloads the configuration file and the files that settings name. The error has each setting
    /// that cannot be used.
    ///
    /// If the configuration file has changed, all new values apply or none: an error means that all
    /// settings keep their values. If it has not changed, a named file that cannot be used keeps
    /// its setting's value alone.
    pub fn read_again(&mut self) -> Vec<BadSetting> {
        let Some(sources) = &self.sources else { return self.read_files_again() };
        match sources.read_again() {
            Err(bad) => bad,
            Ok(now) if sources.changed(&now).is_empty() => {
                self.sources = Some(Arc::new(now));
                self.read_files_again()
            }
            Ok(now) => match Self::read(&now.settings()) {
                Err(bad) => bad.into_iter().map(|bad| now.locate(bad)).collect(),
                Ok(read) => {
                    self.take_over(read);
                    self.sources = Some(Arc::new(now));
                    Vec::new()
                }
            },
        }
    }

    /// The settings that have changed since the service was started with `started`, and that need a
    /// restart.
    pub fn waiting_for_a_restart(&self, started: &Self) -> Vec<String> {
        let (Some(now), Some(before)) = (&self.sources, &started.sources) else {
            return Vec::new();
        };
        let have_moved = names_tokens(&self.given) != names_tokens(&started.given);
        let counts_otherwise = names_countries(&self.given) != names_countries(&started.given);
        let mut changed = before.changed(now);
        changed.retain(|key| {
            !RELOADED.contains(&key.as_str())
                || (key == "postback_token_file" && have_moved)
                || (key == "sharing_country_file" && counts_otherwise)
        });
        changed
    }

    /// The address of the settings as they were read last. [`Config::listen`] has that of the
    /// start.
    pub fn listen_as_read_last(&self) -> Option<SocketAddr> {
        listen_address(&self.given).ok()
    }

    /// Takes over what can change while the service runs.
    fn take_over(&mut self, read: Self) {
        self.public_url = read.public_url;
        self.allow_ip = read.allow_ip;
        self.trusted_proxy = read.trusted_proxy;
        self.expiry = read.expiry;
        self.log = read.log;
        self.log_format = read.log_format;
        self.pages = read.pages;
        // Whether countries are counted is decided at the start.
        if self.country_file.is_some() == read.country_file.is_some() {
            self.country_file = read.country_file;
        }
        self.api.keys = read.api.keys;
        self.ops.tokens = read.ops.tokens;
        if !is_stand_in(&self.api.source) && !is_stand_in(&read.api.source) {
            self.api.source = read.api.source;
        }
        // Whether they come from the settings or from the data directory is decided at the start.
        if self.postback_tokens.is_empty() == read.postback_tokens.is_empty() {
            self.postback_tokens = read.postback_tokens;
        }
        self.secret_files = read.secret_files;
        self.given = read.given;
    }

    /// Reloads the files of tokens, keys, networks and pages. A setting that cannot be
    /// used keeps its value, and is returned.
    fn read_files_again(&mut self) -> Vec<BadSetting> {
        let settings = self.given.clone();
        let mut bad = Problems::default();
        let read = &mut bad;
        if !self.postback_tokens.is_empty() && names_tokens(&settings) {
            again(read, &mut self.postback_tokens, |bad| tokens(&settings, bad));
        }
        again(read, &mut self.ops.tokens, |bad| ops::tokens(&settings.ops, bad));
        again(read, &mut self.allow_ip, |bad| allow_ip(&settings, bad));
        again(read, &mut self.trusted_proxy, |bad| trusted_proxy(&settings, bad));
        again(read, &mut self.pages, |bad| pages::pages(&settings.pages, bad));
        if self.country_file.is_some() && names_countries(&settings) {
            let sharing = &settings.area.sharing;
            again(read, &mut self.country_file, |bad| sharing::country_file(sharing, bad));
        }
        if let Some(keys) = api::keys(&settings.api, read) {
            self.api.keys = keys;
        }
        access(&settings.api, &mut self.api.source, read);
        bad.0
    }
}

/// Whether tokens come from the settings, and not from the data directory.
fn names_tokens(settings: &Settings) -> bool {
    !settings.postback_token.is_empty() || settings.postback_token_file.is_some()
}

/// Whether countries are counted.
fn names_countries(settings: &Settings) -> bool {
    settings.area.sharing.sharing_country_file.is_some()
}

fn is_stand_in(source: &StringSource) -> bool {
    matches!(source, StringSource::StandIn(_))
}

/// Replaces a value by the one that is read now, unless that one is bad.
fn again<T>(bad: &mut Problems, value: &mut T, read: impl FnOnce(&mut Problems) -> T) {
    let before = bad.0.len();
    let now = read(bad);
    if bad.0.len() == before {
        *value = now;
    }
}

/// Reloads the key for NATS and the certificates.
fn access(settings: &ApiSettings, source: &mut StringSource, bad: &mut Problems) {
    if let StringSource::Nats(access, _) = source
        && let Some(now) = api::access(settings, bad)
    {
        *access = now;
    }
}
