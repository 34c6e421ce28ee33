//! SIGHUP: reloads the configuration file and the files that settings name, while the service runs.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::agreement::compare_settings;
use super::keys::Keys;
use super::listener::ignored;
use super::served::write_down;
use crate::chain::chain;
use crate::clock::format_utc;
use crate::config::Config;
use crate::data_dir::served::Served;
use crate::http::live::Live;
use crate::http::state::ServerState;
use crate::logging;
use crate::login::area::Area;
use crate::nats_client::settings::StringSource;
use crate::password::Vault;
use crate::service::manager::Manager;
use crate::token_file::current::Tokens;

/// The key of the address.
const LISTEN: &str = "listen";

/// A separate thread reads the files: one on a dead network drive may block for ever, and must not
/// delay the stop of the service. Nothing waits for the thread.
#[derive(Debug)]
pub(super) struct Reloads {
    requests: SyncSender<()>,
    pub(super) keys: Keys,
}

/// Where the service listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) address: SocketAddr,
    /// Whether the socket was passed: then no restart changes the address.
    pub(super) keeps_socket: bool,
}

impl Reloads {
    pub(super) fn start(
        config: &Config,
        place: Place,
        shared: &ServerState,
        vault: Vault,
        manager: Manager,
    ) -> io::Result<Self> {
        // One pending request is enough: it reads the files when its turn comes.
        let (requests, received) = sync_channel(1);
        let keys = Keys { vault, area: Arc::clone(&shared.area) };
        let files = SettingFiles {
            started: config.clone(),
            config: config.clone(),
            place,
            live: shared.live.clone(),
            tokens: shared.tokens.clone(),
            area: Arc::clone(&shared.area),
            keys: keys.clone(),
            manager,
        };
        std::thread::Builder::new()
            .name("reload".into())
            .spawn(move || files.reload_on_request(&received))?;
        Ok(Self { requests, keys })
    }

    pub(super) fn want(&self) {
        // Full: one is pending already.
        let _ = self.requests.try_send(());
    }
}

struct SettingFiles {
    /// The settings at the start.
    started: Config,
    /// The settings as last read.
    config: Config,
    place: Place,
    live: Live,
    tokens: Tokens,
    area: Arc<Area>,
    keys: Keys,
    manager: Manager,
}

impl SettingFiles {
    fn reload_on_request(mut self, requests: &Receiver<()>) {
        while requests.recv().is_ok() {
            self.manager.reloading();
            self.read_again();
            self.manager.reloaded();
        }
    }

    /// Reloads all files. A setting that cannot be used keeps its value, and the error is logged.
    fn read_again(&mut self) {
        let before = self.config.clone();
        let bad = self.config.read_again();
        let mut changes = changes(&before, &self.config);
        if !changes.is_empty() {
            self.apply(&before);
        }
        self.live.note_config(&self.config);
        match self.read_tokens() {
            Ok(true) => changes.push(format!("tokens ({})", self.tokens.count())),
            Ok(false) => {}
            Err(error) => log::error!("reload: {error}; the previous tokens stay in effect"),
        }
        match self.keys.read_again(&self.config) {
            Ok(keys) => {
                changes.extend(keys);
                let recorded = Served::load(&self.config.data_dir).and_then(|served| served.keys);
                if recorded.as_ref() != Some(&self.keys.in_use()) {
                    write_down(&self.config, self.place.address, self.keys.in_use());
                }
            }
            Err(error) => log::error!("reload: {error}; the previous keys stay in effect"),
        }
        for problem in bad {
            log::error!("reload: {problem}; the previous values stay in effect");
        }
        let mut waiting = self.config.waiting_for_a_restart(&self.started);
        if self.place.keeps_socket {
            waiting.retain(|key| key != LISTEN);
            self.warn_of_ignored_address();
        }
        if !waiting.is_empty() {
            log::warn!("reload: a restart is needed for {}", waiting.join(", "));
        }
        // By the old level, and by the new one if that is the first to show it.
        let is_shown = log::log_enabled!(log::Level::Info);
        let report = || match changes.is_empty() {
            true => log::info!("reload: nothing changed"),
            false => log::info!("reload: changed {}", changes.join(", ")),
        };
        report();
        if let Some(sentence) = self.config.upgrade_without_nats() {
            log::warn!("reload: {sentence}");
        }
        let now = &self.config;
        if (&before.log, before.log_format) != (&now.log, now.log_format) {
            logging::replace(&now.log, now.log_format);
            if !is_shown {
                report();
            }
        }
    }

    /// At the start, the warning was about the address of the settings then.
    fn warn_of_ignored_address(&self) {
        let here = self.place.address;
        if let Some(set) = self.config.listen_as_read_last()
            && set != self.started.listen
            && set != here
        {
            log::warn!("reload: {}", ignored(set, here));
        }
    }

    /// Puts the settings as they are read now into effect, except those of the log.
    fn apply(&self, before: &Config) {
        let now = &self.config;
        self.live.replace(now);
        self.area.countries.replace(now.country_file.clone());
        self.area.guard.set_exempt_loopback(now.trusted_proxy.0.is_empty());
        if before.expiry != now.expiry {
            compare_settings(now);
        }
        if before.public_url != now.public_url {
            write_down(now, self.place.address, self.keys.in_use());
        }
    }

    fn read_tokens(&self) -> Result<bool, String> {
        match self.config.postback_tokens.is_empty() {
            true => self.tokens.read_again().map_err(|error| chain(&error)),
            false => Ok(self.tokens.replace(self.config.postback_tokens.clone())),
        }
    }
}

/// The names of the settings that have changed, with numbers and without secrets.
fn changes(before: &Config, now: &Config) -> Vec<String> {
    let count = |count: usize, none: &str| match count {
        0 => none.to_owned(),
        some => some.to_string(),
    };
    let mut changes = Vec::new();
    if before.public_url != now.public_url {
        changes.push("public_url".into());
    }
    if before.allow_ip != now.allow_ip {
        changes.push(format!("allow_ip ({})", count(now.allow_ip.len(), "any")));
    }
    if before.trusted_proxy != now.trusted_proxy {
        changes.push(format!("trusted_proxy ({})", count(now.trusted_proxy.0.len(), "none")));
    }
    if before.expiry.zone != now.expiry.zone {
        changes.push("time_zone".into());
    }
    if before.expiry.grace_hours != now.expiry.grace_hours {
        changes.push("expire_grace_hours".into());
    }
    if before.api.keys != now.api.keys {
        changes.push(format!("api_key ({})", count(now.api.keys.iter().count(), "none")));
    }
    if before.ops.tokens != now.ops.tokens {
        changes.push(format!("ops_token_file ({})", count(now.ops.tokens.len(), "none")));
    }
    changes.extend(change_of_nats(&before.api.source, &now.api.source).map(str::to_owned));
    if before.country_file != now.country_file
        && let Some(file) = &now.country_file
    {
        changes.push(format!("sharing_country_file (built {})", format_utc(file.built_at())));
    }
    changes.extend(now.pages.settings().changes(before.pages.settings()).map(str::to_owned));
    if before.log != now.log {
        changes.push("log".into());
    }
    if before.log_format != now.log_format {
        changes.push("log_format".into());
    }
    changes
}

fn change_of_nats(before: &StringSource, now: &StringSource) -> Option<&'static str> {
    match (before, now) {
        (StringSource::Nats(before, before_max), StringSource::Nats(now, now_max)) => {
            if before.url() != now.url() {
                Some("nats_url")
            } else if before.username() != now.username() {
                Some("nats_api_username")
            } else if before != now {
                Some("nats_api_key_file or nats_ca")
            } else {
                (before_max != now_max).then_some("nats_seconds")
            }
        }
        (StringSource::None, StringSource::Nats(..)) => Some("nats_url (set)"),
        (StringSource::Nats(..), StringSource::None) => Some("nats_url (none)"),
        // A stand-in needs a restart.
        _ => None,
    }
}
