//! SIGHUP: reloads the files that settings name, while the service runs.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::chain::chain;
use crate::config::Config;
use crate::http::live::Live;
use crate::nats_client::settings::StringSource;
use crate::token_file::current::Tokens;

/// A separate thread reads the files: one on a dead network drive may block for ever, and must not
/// delay the stop of the service. Nothing waits for the thread.
#[derive(Debug)]
pub(super) struct Reloads {
    requests: SyncSender<()>,
}

impl Reloads {
    pub(super) fn start(config: Config, live: Live, tokens: Tokens) -> io::Result<Self> {
        // One pending request is enough: it reads the files when its turn comes.
        let (requests, received) = sync_channel(1);
        let files = SettingFiles { config, live, tokens };
        std::thread::Builder::new()
            .name("reload".into())
            .spawn(move || files.reload_on_request(&received))?;
        Ok(Self { requests })
    }

    pub(super) fn want(&self) {
        // Full: one is pending already.
        let _ = self.requests.try_send(());
    }
}

struct SettingFiles {
    /// The settings as last read.
    config: Config,
    live: Live,
    tokens: Tokens,
}

impl SettingFiles {
    fn reload_on_request(mut self, requests: &Receiver<()>) {
        while requests.recv().is_ok() {
            self.read_again();
        }
    }

    /// Reloads all files. A setting that cannot be used keeps its value, and the error is logged.
    fn read_again(&mut self) {
        let before = self.config.clone();
        let bad = self.config.read_again();
        let mut changes = changes(&before, &self.config);
        if !changes.is_empty() {
            // Listed proxies cannot become none, as an empty file is an error. So the guard's
            // exemption of loopback, which applies without proxies, never begins or ends here.
            self.live.replace(&self.config);
        }
        match self.read_tokens() {
            Ok(true) => changes.push(format!("tokens ({})", self.tokens.count())),
            Ok(false) => {}
            Err(error) => log::error!("reload: {error}; the previous tokens stay in effect"),
        }
        for problem in bad {
            log::error!("reload: {problem}; the previous values stay in effect");
        }
        match changes.is_empty() {
            true => log::info!("reload: nothing changed"),
            false => log::info!("reload: changed {}", changes.join(", ")),
        }
    }

    fn read_tokens(&self) -> Result<bool, String> {
        match self.config.postback_tokens.is_empty() {
            true => self.tokens.read_again().map_err(|error| chain(&error)),
            false => Ok(self.tokens.replace(self.config.postback_tokens.clone())),
        }
    }
}

/// The settings that have changed, with numbers, never with secrets.
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
    if let (StringSource::Nats(before, _), StringSource::Nats(now, _)) =
        (&before.api.source, &now.api.source)
        && before != now
    {
        changes.push("NATS's key or certificates".into());
    }
    if before.login_page != now.login_page {
        changes.push("login page".into());
    }
    changes
}
