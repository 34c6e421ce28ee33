//! The settings that may change while the service runs. They are swapped whole, and no request
//! waits for that.

use std::sync::Arc;

use arc_swap::ArcSwap;
use ipnet::IpNet;

use crate::authstring::keys::ApiKeys;
use crate::authstring::relay::Relay;
use crate::authstring::settings::StringSource;
use crate::config::Config;
use crate::login::page::Page;
use crate::network::TrustedProxies;

/// What [`Live`] holds at one time.
#[derive(Debug)]
pub struct LiveSettings {
    /// From where postbacks may come; empty means from anywhere.
    pub allowed: Vec<IpNet>,
    /// Whose X-Forwarded-For counts.
    pub proxies: TrustedProxies,
    /// Who may ask for authstrings.
    pub keys: ApiKeys,
    /// The way to NATS, if authstrings come from there.
    pub relay: Option<Relay>,
    /// The login page.
    pub page: Page,
}

impl LiveSettings {
    fn of(config: &Config, before: Option<&Self>) -> Self {
        let relay = match &config.api.source {
            StringSource::Nats(access, time_max) => {
                Some(match before.and_then(|it| it.relay.as_ref()) {
                    Some(relay) => relay.with(access.clone()),
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
            page: config.login_page.clone(),
        }
    }
}

/// The settings as they are now. Shared by all threads.
#[derive(Clone, Debug)]
pub struct Live(Arc<ArcSwap<LiveSettings>>);

impl Live {
    /// As they were set.
    pub fn new(config: &Config) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(LiveSettings::of(config, None))))
    }

    /// Puts others in their place. Requests that are under way may still see the old ones.
    pub fn replace(&self, config: &Config) {
        let now = LiveSettings::of(config, Some(&self.0.load()));
        self.0.store(Arc::new(now));
    }

    /// For a look that is over at once.
    pub fn look(&self) -> arc_swap::Guard<Arc<LiveSettings>> {
        self.0.load()
    }

    /// For the whole of a request, so that it sees one and the same.
    pub fn now(&self) -> Arc<LiveSettings> {
        self.0.load_full()
    }
}
