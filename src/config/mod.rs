//! The settings: flags and `USERMAN_` variables as text, and the values read from them.

mod again;
mod api;
mod area;
mod backup;
mod exposed;
mod problems;
mod read;
mod settings;
mod values;
mod variables;

pub use api::ApiSettings;
pub use area::AreaSettings;
pub use backup::BackupSettings;
pub use exposed::exposed;
pub use problems::BadSetting;
pub use read::{Config, listen_address};
pub use settings::Settings;
pub use variables::{bad_variables, without_unusable_variables};
