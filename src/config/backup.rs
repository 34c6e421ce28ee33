//! The settings of backups.

use std::path::PathBuf;

use clap::{ArgAction, Args, value_parser};

use super::problems::{BadSetting, Problems};
use super::values::{INTERVAL_EXPECTED, any_path, interval, number};
use crate::backup::{BackupConfig, Wishes};
use crate::data_dir::DataDir;

/// The directory in the data directory that takes backups unless a setting says otherwise.
const DIRECTORY: &str = "backups";
const KEEP_MAX: u32 = 10_000;

/// The settings as text. The comments are the help texts of the flags.
#[allow(rustdoc::invalid_html_tags, rustdoc::broken_intra_doc_links)]
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Backups")]
pub struct BackupSettings {
    /// Back up the database this often while the service runs, as in 24h, 90m or 7d [default:
    /// never]
    #[arg(long, global = true, env = "USERMAN_BACKUP_EVERY", value_name = "TIME")]
    pub backup_every: Option<String>,
    /// Directory of the backups, which must exist [default: <data-dir>/backups, which `serve`
    /// creates]
    #[arg(
        long,
        global = true,
        env = "USERMAN_BACKUP_DIR",
        value_name = "DIR",
        value_parser = any_path()
    )]
    pub backup_dir: Option<PathBuf>,
    /// How many backups stay in the directory when the service has made one; 0 keeps all
    #[arg(
        long,
        global = true,
        env = "USERMAN_BACKUP_KEEP",
        value_name = "COUNT",
        default_value = "7"
    )]
    pub backup_keep: String,
    /// Save the keys and the tokens beside each backup that the service makes
    #[arg(
        long,
        global = true,
        env = "USERMAN_BACKUP_WITH_KEYS",
        action = ArgAction::SetTrue,
        value_parser = value_parser!(String)
    )]
    pub backup_with_keys: String,
}

/// Reads the settings; collects errors in `bad`.
pub(super) fn read(
    settings: &BackupSettings,
    data_dir: Option<&DataDir>,
    bad: &mut Problems,
) -> Option<BackupConfig> {
    let every = bad.read_optional(
        "--backup-every",
        INTERVAL_EXPECTED,
        settings.backup_every.as_deref(),
        interval,
    );
    let dir = match &settings.backup_dir {
        Some(dir) => bad.path("--backup-dir", dir).map(ToOwned::to_owned),
        None => data_dir.map(|data_dir| data_dir.path().join(DIRECTORY)),
    };
    let keep = bad.read(
        "--backup-keep",
        "expected a whole number from 1 to 10000, or 0 for all",
        &settings.backup_keep,
        number(0, KEEP_MAX),
    );
    let with_keys = bad.switch("--backup-with-keys", &settings.backup_with_keys);
    let wishes =
        Wishes { dir: dir?, keep: Some(keep?).filter(|&keep| keep > 0), with_keys: with_keys? };
    Some(BackupConfig { every, wishes, creates_dir: settings.backup_dir.is_none() })
}

/// Refuses scheduled backups of a database that is no file.
pub(super) fn refuse(settings: &BackupSettings, bad: &mut Problems) {
    if settings.backup_every.is_some() {
        bad.0.push(BadSetting::found(
            "--backup-every",
            "expected it with a database of SQLite",
            "one on a server, which its own tools back up: docs/cluster.md",
        ));
    }
}
