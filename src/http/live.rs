//! The settings that can change while the service runs. They are replaced all at once, and no
//! request waits for that.

use std::sync::Arc;

use arc_swap::ArcSwap;
use ipnet::IpNet;

use crate::action::Rules;
use crate::authstring::keys::ApiKeys;
use crate::config::{Config, Sources};
use crate::login::page::Pages;
use crate::nats_client::relay::Relay;
use crate::nats_client::settings::StringSource;
use crate::network::TrustedProxies;
use crate::password::Vault;
use crate::token::Token;

/// The settings at one time.
#[derive(Debug)]
pub struct LiveSettings {
    /// The networks from which postbacks may come; empty means from anywhere.
    pub allowed: Vec<IpNet>,
    /// The proxies whose X-Forwarded-For counts.
    pub proxies: TrustedProxies,
    /// Who may request authstrings.
    pub keys: ApiKeys,
    /// Requests authstrings from NATS, if they come from there.
    pub relay: Option<Relay>,
    /// Makes the pages of the members area.
    pub pages: Pages,
    /// Scheme and host of `--public-url`, from which the login form may come.
    pub public_origin: Option<Arc<str>>,
    /// The rules by which postbacks are read.
    pub rules: Rules,
    /// The tokens for metrics and health.
    pub ops_tokens: Vec<Token>,
}

impl LiveSettings {
    fn of(config: &Config, rules: Rules, before: Option<&Self>) -> Self {
        let relay = match &config.api.source {
            StringSource::Nats(access, time_max) => {
                Some(match before.and_then(|it| it.relay.as_ref()) {
                    Some(relay) => relay.with(access.clone(), *time_max),
                    None => Relay::new(access.clone(), *time_max),
                })
            }
            StringSource::None | StringSource::StandIn(_) => None,
        };
        Self {
            allowed: config.allow_ip.clone(),
            proxies: config.trusted_proxy.clone(),
            keys: config.api.keys.clone(),
            relay,
            pages: config.pages.clone(),
            public_origin: config.public_url.as_deref().map(origin).map(Arc::from),
            rules: Rules { expiry: config.expiry.clone(), ..rules },
            ops_tokens: config.ops.tokens.clone(),
        }
    }
}

/// Scheme and host of a URL that has both.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    url[host..].find('/').map_or(url, |end| &url[..host + end])
}

/// The settings as they are now. Shared by all threads.
#[derive(Clone, Debug)]
pub struct Live {
    settings: Arc<ArcSwap<LiveSettings>>,
    /// All settings, and what they are as text.
    config: Arc<ArcSwap<Config>>,
}

impl Live {
    /// The settings at the start.
    pub fn new(config: &Config, vault: Vault) -> Self {
        let (keep_cryptpass, expiry) = (config.keep_cryptpass, config.expiry.clone());
        let rules = Rules { vault, keep_cryptpass, expiry, stale_guard: config.stale_guard };
        let settings = Arc::new(ArcSwap::from_pointee(LiveSettings::of(config, rules, None)));
        Self { settings, config: Arc::new(ArcSwap::from_pointee(config.clone())) }
    }

    /// All settings in effect. Those that need a restart have the values of the start.
    pub fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// All settings as text, as they were read last; `None` where no command line was read.
    pub fn sources(&self) -> Option<Arc<Sources>> {
        self.config.load().sources().cloned()
    }

    /// Keeps all settings as they were just read.
    pub fn note_config(&self, config: &Config) {
        self.config.store(Arc::new(config.clone()));
    }

    /// Replaces the settings. Requests in flight may still use the old ones.
    pub fn replace(&self, config: &Config) {
        let before = self.settings.load();
        let now = LiveSettings::of(config, before.rules.clone(), Some(&before));
        self.settings.store(Arc::new(now));
    }

    /// The current settings, for a use that ends at once.
    pub fn load(&self) -> arc_swap::Guard<Arc<LiveSettings>> {
        self.settings.load()
    }

    /// The current settings, for a whole request.
    pub fn now(&self) -> Arc<LiveSettings> {
        self.settings.load_full()
    }
}
