//! What a running service reloads: the files that settings name. Flags and variables of a process
//! cannot change while it runs.

use super::api::ApiSettings;
use super::problems::{BadSetting, Problems};
use super::read::{Config, allow_ip, tokens, trusted_proxy};
use super::{api, area};
use crate::nats_client::settings::StringSource;

impl Config {
    /// Reloads the files of tokens, keys, networks and the login page. A setting that cannot be
    /// used keeps its value, and is returned.
    pub fn read_again(&mut self) -> Vec<BadSetting> {
        let settings = self.given.clone();
        let mut bad = Problems::default();
        let read = &mut bad;
        again(read, &mut self.postback_tokens, |bad| tokens(&settings, bad));
        again(read, &mut self.allow_ip, |bad| allow_ip(&settings, bad));
        again(read, &mut self.trusted_proxy, |bad| trusted_proxy(&settings, bad));
        again(read, &mut self.login_page, |bad| area::login_page(&settings.area, bad));
        if let Some(keys) = api::keys(&settings.api, read) {
            self.api.keys = keys;
        }
        access(&settings.api, &mut self.api.source, read);
        bad.0
    }
}

/// Replaces a value by the one that is read now, unless that one is bad.
fn again<T>(bad: &mut Problems, value: &mut T, read: impl FnOnce(&mut Problems) -> T) {
    let before = bad.0.len();
    let now = read(bad);
    if bad.0.len() == before {
        *value = now;
    }
}

/// Reloads the key for NATS and the certificates. The source of the strings cannot change.
fn access(settings: &ApiSettings, source: &mut StringSource, bad: &mut Problems) {
    if let StringSource::Nats(access, _) = source
        && let Some(now) = api::access(settings, bad)
    {
        *access = now;
    }
}
