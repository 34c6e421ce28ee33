//! The settings as text: the flags, their variables, their help texts. The keys of the
//! configuration file are the long names of the flags, with underscores.

use std::path::PathBuf;

use clap::{ArgAction, Args, value_parser};
use secrecy::SecretString;

use super::alarms::AlarmSettings;
use super::api::ApiSettings;
use super::area::AreaSettings;
use super::backup::BackupSettings;
use super::ops::OpsSettings;
use super::pages::PageTexts;
use super::server::ServerSettings;
use super::values::any_path;

/// The configuration file, which is named by a flag or a variable.
#[derive(Args, Clone, Debug)]
pub struct FileSetting {
    /// Configuration file in TOML; /dev/null for none [default:
    /// /etc/nats-userman/nats-userman.toml if it exists]
    #[arg(
        long,
        global = true,
        env = "USERMAN_CONFIG",
        value_name = "FILE",
        value_parser = any_path()
    )]
    pub config: Option<PathBuf>,
}

/// The settings as text. [`Config::read`](super::Config::read) reads them and reports all errors at
/// once.
///
/// The comments are the help texts of the flags, which are not written for rustdoc. clap refuses no
/// value, as its errors have several lines;
/// [`without_unusable_variables`](super::without_unusable_variables) removes variables that are
/// empty.
#[allow(rustdoc::bare_urls, rustdoc::invalid_html_tags, rustdoc::broken_intra_doc_links)]
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(
        long,
        global = true,
        env = "USERMAN_LISTEN",
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:8080"
    )]
    pub listen: String,
    /// Base of the URL that NATS calls, as in https://members.example.com [default:
    /// http://<listen>]
    #[arg(long, global = true, env = "USERMAN_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Directory of the database, the keys and the token; /var/lib/nats-userman while
    /// /etc/nats-userman/nats-userman.toml is in use
    #[arg(
        long,
        global = true,
        env = "USERMAN_DATA_DIR",
        value_name = "DIR",
        default_value = "./data",
        value_parser = any_path()
    )]
    pub data_dir: PathBuf,
    /// Database: sqlite:PATH, or mysql://USER@HOST[:PORT][,HOST...]/DATABASE for MariaDB and MySQL,
    /// whose hosts are tried in their order [default: sqlite:<data-dir>/userman.db]
    // Its values are shown, except a URL that may have a password: see `may_have_secret`.
    #[arg(long, global = true, env = "USERMAN_DATABASE", value_name = "URL")]
    pub database: Option<SecretString>,
    /// Token in the URL, at least 32 characters of A-Z a-z 0-9 _ -; repeatable, for rotation;
    /// replaces the tokens of the data directory [default: created at the first start]
    #[arg(
        long,
        global = true,
        env = "USERMAN_POSTBACK_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN",
        value_delimiter = ','
    )]
    pub postback_token: Vec<SecretString>,
    /// File with tokens, one a line
    #[arg(
        long,
        global = true,
        env = "USERMAN_POSTBACK_TOKEN_FILE",
        value_name = "FILE",
        value_parser = any_path()
    )]
    pub postback_token_file: Option<PathBuf>,
    /// Network that may call /postback; repeatable [default: any]
    #[arg(
        long,
        global = true,
        env = "USERMAN_ALLOW_IP",
        value_name = "CIDR",
        value_delimiter = ','
    )]
    pub allow_ip: Vec<String>,
    /// File with networks that may call /postback, one a line
    #[arg(
        long,
        global = true,
        env = "USERMAN_ALLOW_IP_FILE",
        value_name = "FILE",
        value_parser = any_path()
    )]
    pub allow_ip_file: Option<PathBuf>,
    /// Proxy whose X-Forwarded-For header is trusted; repeatable [default: none]
    #[arg(
        long,
        global = true,
        env = "USERMAN_TRUSTED_PROXY",
        value_name = "CIDR",
        value_delimiter = ','
    )]
    pub trusted_proxy: Vec<String>,
    /// File with trusted proxies, one a line
    #[arg(
        long,
        global = true,
        env = "USERMAN_TRUSTED_PROXY_FILE",
        value_name = "FILE",
        value_parser = any_path()
    )]
    pub trusted_proxy_file: Option<PathBuf>,
    /// Time zone of the dates in EXPIRE, as in Europe/Berlin
    #[arg(
        long,
        global = true,
        env = "USERMAN_TIME_ZONE",
        value_name = "ZONE",
        default_value = "UTC"
    )]
    pub time_zone: String,
    /// Hours of access that remain after the date of an EXPIRE
    #[arg(
        long,
        global = true,
        env = "USERMAN_EXPIRE_GRACE_HOURS",
        value_name = "HOURS",
        default_value = "0"
    )]
    pub expire_grace_hours: String,
    /// Minutes that a jump of the system clock must last before members are moved and old records
    /// removed by it
    #[arg(
        long,
        global = true,
        env = "USERMAN_CLOCK_JUMP_MINUTES",
        value_name = "MINUTES",
        default_value = "10"
    )]
    pub clock_jump_minutes: String,
    /// How passwords are hashed: argon2id, or bcrypt for an Apache that reads the table
    #[arg(
        long,
        global = true,
        env = "USERMAN_PASSWORD_HASH",
        value_name = "KIND",
        default_value = "argon2id"
    )]
    pub password_hash: String,
    /// Keep NATS's cryptpass in its column, for an Apache that reads it (a weak hash: only where
    /// you need it)
    // Text, as a variable may have 1 or yes as well as true.
    #[arg(
        long,
        global = true,
        env = "USERMAN_KEEP_CRYPTPASS",
        action = ArgAction::SetTrue,
        value_parser = value_parser!(String)
    )]
    pub keep_cryptpass: String,
    /// Ignore a DELETE, an EXPIRE or a trial flag whose `stamp` is older than that of the member's
    /// last change. If NATS sets `stamp` otherwise than assumed, a person who has left still gets
    /// in
    #[arg(
        long,
        global = true,
        env = "USERMAN_STALE_GUARD",
        action = ArgAction::SetTrue,
        value_parser = value_parser!(String)
    )]
    pub stale_guard: String,
    /// Days that journal records are kept [default: for ever]
    #[arg(long, global = true, env = "USERMAN_JOURNAL_DAYS", value_name = "DAYS")]
    pub journal_days: Option<String>,
    /// Upgrade an older database without keeping a copy of it first
    #[arg(
        long,
        global = true,
        env = "USERMAN_NO_UPGRADE_COPY",
        action = ArgAction::SetTrue,
        value_parser = value_parser!(String)
    )]
    pub no_upgrade_copy: String,
    /// Log level: error, warn, info, debug, trace or off; also per module, as in info,writer=debug
    #[arg(long, global = true, env = "USERMAN_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,
    /// Format of log lines: text or json
    #[arg(
        long,
        global = true,
        env = "USERMAN_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub log_format: String,
    /// Settings of a database on a server.
    #[command(flatten)]
    pub server: ServerSettings,
    /// Settings of the operations listener.
    #[command(flatten)]
    pub ops: OpsSettings,
    /// Settings of alarms.
    #[command(flatten)]
    pub alarms: AlarmSettings,
    /// Settings of backups.
    #[command(flatten)]
    pub backup: BackupSettings,
    /// Settings of the members area.
    #[command(flatten)]
    pub area: AreaSettings,
    /// Settings of the pages of the members area.
    #[command(flatten)]
    pub pages: PageTexts,
    /// Settings of the REST API.
    #[command(flatten)]
    pub api: ApiSettings,
}
