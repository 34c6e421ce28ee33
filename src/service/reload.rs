//! SIGHUP: the files that settings name are read again, while the service runs.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::authstring::settings::StringSource;
use crate::chain::chain;
use crate::config::Config;
use crate::http::live::Live;
use crate::token::current::Tokens;

/// A thread of its own reads the files: one that never answers, as on a dead network drive, must
/// not keep a signal from stopping the service. Nothing waits for the thread, also not at the stop.
#[derive(Debug)]
pub(super) struct Reloads {
    wanted: SyncSender<()>,
}

impl Reloads {
    pub(super) fn start(config: Config, live: Live, tokens: Tokens) -> io::Result<Self> {
        // One that waits is enough: it reads what is there when its turn comes.
        let (wanted, asked) = sync_channel(1);
        let files = Files { config, live, tokens };
        std::thread::Builder::new()
            .name("reload".into())
            .spawn(move || files.read_whenever(&asked))?;
        Ok(Self { wanted })
    }

    pub(super) fn want(&self) {
        // Full: one waits already.
        let _ = self.wanted.try_send(());
    }
}

struct Files {
    /// The settings as they were read last.
    config: Config,
    live: Live,
    tokens: Tokens,
}

impl Files {
    fn read_whenever(mut self, asked: &Receiver<()>) {
        while asked.recv().is_ok() {
            self.read_again();
        }
    }

    /// What cannot be used leaves the values of that setting in force, and is said.
    fn read_again(&mut self) {
        let before = self.config.clone();
        let bad = self.config.read_again();
        let mut changes = changes(&before, &self.config);
        if !changes.is_empty() {
            // Proxies that were listed stay listed in some form, as an empty file is an error: the
            // guard's exemption of loopback without them never begins or ends here.
            self.live.replace(&self.config);
        }
        match self.read_tokens() {
            Ok(true) => changes.push(format!("tokens ({})", self.tokens.count())),
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

    fn read_tokens(&self) -> Result<bool, String> {
        match self.config.postback_tokens.is_empty() {
            true => self.tokens.read_again().map_err(|error| chain(&error)),
            false => Ok(self.tokens.replace(self.config.postback_tokens.clone())),
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
