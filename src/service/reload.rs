//! SIGHUP: the files that settings name are read again, while the service runs.

use std::sync::PoisonError;

use super::Service;
use crate::chain::chain;
use crate::config::{Config, Source};

impl Service {
    /// Reads again what can be read again, and says what has changed. What cannot be used leaves
    /// the values of that setting in force, and is said as well.
    pub fn reload(&self) {
        // A panic leaves the old settings or the new ones.
        let mut config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let before = config.clone();
        let bad = config.read_again();
        let mut changes = changes(&before, &config);
        if !changes.is_empty() {
            // Proxies that were listed stay listed in some form, as an empty file is an error: the
            // guard's exemption of loopback without them never begins or ends here.
            self.shared.live.replace(&config);
        }
        match self.reload_tokens(&config) {
            Ok(true) => changes.push(format!("tokens ({})", self.shared.tokens.count())),
            Ok(false) => {}
            Err(error) => log::error!("read again: {error}; the tokens stay as they were"),
        }
        for problem in bad {
            log::error!("read again: {problem}; the values before stay in force");
        }
        match changes.is_empty() {
            true => log::info!("read again: nothing has changed"),
            false => log::info!("read again, changed: {}", changes.join(", ")),
        }
    }

    fn reload_tokens(&self, config: &Config) -> Result<bool, String> {
        match config.postback_tokens.is_empty() {
            true => self.shared.tokens.read_again().map_err(|error| chain(&error)),
            false => Ok(self.shared.tokens.replace(config.postback_tokens.clone())),
        }
    }
}

/// What is another than before, with numbers and never a secret.
fn changes(before: &Config, now: &Config) -> Vec<String> {
    let count = |count: usize, none: &str| match count {
        0 => none.to_owned(),
        some => some.to_string(),
    };
    let mut changes = Vec::new();
    if before.allow_ip != now.allow_ip {
        changes.push(format!("allowed networks ({})", count(now.allow_ip.len(), "any")));
    }
    if before.trusted_proxy != now.trusted_proxy {
        changes.push(format!("trusted proxies ({})", count(now.trusted_proxy.0.len(), "none")));
    }
    if before.api.keys != now.api.keys {
        changes.push(format!("API keys ({})", count(now.api.keys.iter().count(), "none")));
    }
    if let (Source::Nats(before, _), Source::Nats(now, _)) = (&before.api.source, &now.api.source)
        && before != now
    {
        changes.push("NATS's key or certificates".into());
    }
    if before.login_page != now.login_page {
        changes.push("login page".into());
    }
    changes
}
