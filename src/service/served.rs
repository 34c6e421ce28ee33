//! Records how the service runs, for commands that are run with other settings.

use std::net::SocketAddr;

use crate::config::Config;
use crate::data_dir::served::{KeysInUse, Served};

/// Records the URL for NATS, whether the tokens of the data directory are used, and which keys
/// write. A failure is logged.
pub fn write_down(config: &Config, address: SocketAddr, keys: KeysInUse) {
    let served = Served {
        url_front: config.postback_url_base(address),
        is_public: config.public_url.is_some(),
        tokens_of_settings: !config.postback_tokens.is_empty(),
        address: Some(address),
        keys: Some(keys),
    };
    if let Err(error) = served.save(&config.data_dir) {
        let file = config.data_dir.served();
        log::warn!(
            "cannot write {}, so `token show` may print another URL: {error}",
            file.display()
        );
    }
}
