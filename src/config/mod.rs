//! The settings: flags, `USERMAN_` variables and the configuration file as text, and the values
//! that are read from them.

mod again;
mod alarms;
mod api;
mod area;
mod backup;
mod entries;
mod exposed;
mod file;
mod import_source;
mod in_words;
mod keys;
mod look;
mod nearest;
#[cfg(test)]
mod of_flags;
mod ops;
mod pages;
mod problems;
mod read;
mod server;
mod settings;
mod sharing;
mod sites_file;
mod sources;
mod values;
mod variables;

pub use again::RELOADED;
pub use api::ApiSettings;
pub use area::AreaSettings;
pub use backup::BackupSettings;
pub use exposed::{exposed, exposed_by};
pub use import_source::ImportSource;
pub use ops::{OpsConfig, OpsSettings};
pub use pages::PageTexts;
pub use problems::BadSetting;
pub use read::{Config, listen_address};
pub use server::{ServerSettings, read_location};
pub use settings::{FileSetting, Settings};
pub use sharing::SharingSettings;
pub use sources::{Effective, EffectiveValue, Origin, SYSTEM_DATA_DIR, SYSTEM_FILE, Sources};
pub use variables::{bad_variables, without_unusable_variables};
