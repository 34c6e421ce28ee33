//! The settings: flags and `USERMAN_` variables as text, and the values read from them.

mod again;
mod api;
mod area;
mod exposed;
mod problems;
mod variables;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::{ArgAction, Args, value_parser};
use ipnet::IpNet;
use secrecy::SecretString;

pub use api::ApiSettings;
pub use area::AreaSettings;
pub use exposed::exposed;
pub use problems::BadSetting;
use problems::Problems;
pub use variables::{bad_variables, without_unusable_variables};

use crate::authstring::settings::AuthStringConfig;
use crate::clock::ExpiryRule;
use crate::connection_limits::ConnectionLimits;
use crate::data_dir::DataDir;
use crate::logging::{Format, LogFilter};
use crate::login::page::Page;
use crate::login::settings::AreaConfig;
use crate::network::TrustedProxies;
use crate::network::{self, NETWORK_EXPECTED, parse_network};
use crate::password::HashKind;
use crate::store::Location;
use crate::token::file as token_file;
use crate::token::{TOKEN_EXPECTED, Token};
use crate::writer::UPKEEP_EVERY;

/// The longest time for which a jump of the clock can be set to wait, in minutes.
const DAY_MINUTES: u32 = 1_440;

/// The settings as text. [`Config::read`] reads them and reports all errors at once.
///
/// The comments are the help texts of the flags, which are not written for rustdoc. clap refuses no
/// value, as its errors have several lines; [`without_unusable_variables`] removes variables that
/// are empty.
#[allow(rustdoc::bare_urls, rustdoc::invalid_html_tags)]
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
    /// Directory of the database, the keys and the token
    #[arg(
        long,
        global = true,
        env = "USERMAN_DATA_DIR",
        value_name = "DIR",
        default_value = "./data",
        value_parser = any_path()
    )]
    pub data_dir: PathBuf,
    /// The database [default: sqlite:<data-dir>/userman.db]
    #[arg(long, global = true, env = "USERMAN_DATABASE", value_name = "sqlite:PATH")]
    pub database: Option<String>,
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
    /// Settings of the members area.
    #[command(flatten)]
    pub area: AreaSettings,
    /// Settings of the REST API.
    #[command(flatten)]
    pub api: ApiSettings,
}

/// A path as it is: clap's own parser refuses an empty one.
fn any_path() -> impl clap::builder::TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// The settings as they are used.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The base of the printed URL, without a slash at its end.
    pub public_url: Option<String>,
    /// Keys, token, database.
    pub data_dir: DataDir,
    /// The database.
    pub location: Location,
    /// Tokens from settings; if empty, those of the data directory are used.
    pub postback_tokens: Vec<Token>,
    /// Networks that may post.
    pub allow_ip: Vec<IpNet>,
    /// Proxies whose X-Forwarded-For header is trusted.
    pub trusted_proxy: TrustedProxies,
    /// Time zone and grace of an EXPIRE.
    pub expiry: ExpiryRule,
    /// Minutes that a jump of the clock must last before it is accepted.
    pub clock_jump_minutes: u32,
    /// The kind of hash.
    pub password_hash: HashKind,
    /// Whether the column `cryptpass` is kept.
    pub keep_cryptpass: bool,
    /// Days that journal records are kept; `None` for ever.
    pub journal_days: Option<u32>,
    /// The log levels.
    pub log: LogFilter,
    /// The format of log lines.
    pub log_format: Format,
    /// The members area.
    pub area: AreaConfig,
    /// The REST API.
    pub api: AuthStringConfig,
    /// The login page.
    pub login_page: Page,
    /// The bounds of connections, which no setting changes.
    pub connections: ConnectionLimits,
    /// How often the writer does its upkeep, which no setting changes.
    pub upkeep_every: Duration,
    /// Files of secrets that settings name.
    pub secret_files: Vec<PathBuf>,
    /// The settings as text, for [`Config::read_again`].
    given: Arc<Settings>,
}

impl Config {
    /// Reads all settings.
    ///
    /// # Errors
    ///
    /// Every setting that cannot be used, not only the first.
    pub fn read(settings: &Settings) -> Result<Self, Vec<BadSetting>> {
        let mut bad = Problems::default();
        let data_dir = bad.path("--data-dir", &settings.data_dir).map(DataDir::new);
        let listen = bad.read(
            "--listen",
            "expected ADDRESS:PORT, as in 127.0.0.1:8080",
            &settings.listen,
            |text| text.parse().ok(),
        );
        let location = match &settings.database {
            Some(text) => bad.database(text),
            None => data_dir.as_ref().map(|data_dir| Location::sqlite(data_dir.database())),
        };
        let no_copy = bad.read(
            "--no-upgrade-copy",
            "expected yes or no, true or false, 1 or 0",
            &settings.no_upgrade_copy,
            switch,
        );
        let zone = bad.read(
            "--time-zone",
            "expected a name as in Europe/Berlin or UTC",
            &settings.time_zone,
            |text| text.parse::<Tz>().ok(),
        );
        let grace = bad.read(
            "--expire-grace-hours",
            "expected a whole number of hours from 0 to 8784",
            &settings.expire_grace_hours,
            |text| text.parse::<u32>().ok().filter(|hours| *hours <= 8784),
        );
        let clock_jump_minutes = bad.read(
            "--clock-jump-minutes",
            "expected a whole number of minutes from 0 to 1440",
            &settings.clock_jump_minutes,
            number(0, DAY_MINUTES),
        );
        let password_hash = bad.read(
            "--password-hash",
            "expected argon2id or bcrypt",
            &settings.password_hash,
            |text| text.parse().ok(),
        );
        let journal_days = bad.read_optional(
            "--journal-days",
            "expected a whole number of days from 1 to 36500",
            settings.journal_days.as_deref(),
            |text| text.parse::<u32>().ok().filter(|days| (1..=36_500).contains(days)),
        );
        let url_expected = "expected http:// or https://, a host, and no query";
        let public_url = settings
            .public_url
            .as_deref()
            .and_then(|text| bad.url("--public-url", url_expected, text, public_url));
        let keep_cryptpass = bad.read(
            "--keep-cryptpass",
            "expected yes or no, true or false, 1 or 0",
            &settings.keep_cryptpass,
            switch,
        );
        let log = bad.read(
            "--log",
            "expected error, warn, info, debug, trace or off, or module=level",
            &settings.log,
            LogFilter::parse,
        );
        let log_format =
            bad.read("--log-format", "expected text or json", &settings.log_format, Format::parse);
        let allow_ip = allow_ip(settings, &mut bad);
        let trusted_proxy = trusted_proxy(settings, &mut bad);
        let postback_tokens = tokens(settings, &mut bad);
        let area = area::read(&settings.area, &mut bad);
        let login_page = area::login_page(&settings.area, &mut bad);
        let api = api::read(&settings.api, &mut bad);

        let read = || {
            Some(Self {
                listen: listen?,
                public_url,
                data_dir: data_dir?,
                location: if no_copy? { location?.without_upgrade_copy() } else { location? },
                postback_tokens,
                allow_ip,
                trusted_proxy,
                expiry: ExpiryRule { zone: zone?, grace_hours: grace? },
                clock_jump_minutes: clock_jump_minutes?,
                password_hash: password_hash?,
                keep_cryptpass: keep_cryptpass?,
                journal_days,
                log: log?,
                log_format: log_format?,
                area: area?,
                api: api?,
                login_page,
                connections: ConnectionLimits::default(),
                upkeep_every: UPKEEP_EVERY,
                secret_files: secret_files(settings),
                given: Arc::new(settings.clone()),
            })
        };
        match (bad.0.is_empty(), read()) {
            (true, Some(config)) => Ok(config),
            _ => Err(bad.0),
        }
    }

    /// The URL to paste into NATS, up to the token.
    pub fn postback_url_base(&self, address: SocketAddr) -> String {
        let front = self.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
        format!("{front}/postback/")
    }
}

fn tokens(settings: &Settings, bad: &mut Problems) -> Vec<Token> {
    let mut tokens =
        bad.secrets("--postback-token", TOKEN_EXPECTED, &settings.postback_token, Token::parse);
    let file = settings.postback_token_file.as_ref();
    tokens.extend(bad.file("--postback-token-file", file, token_file::read).into_iter().flatten());
    tokens
}

fn allow_ip(settings: &Settings, bad: &mut Problems) -> Vec<IpNet> {
    let mut networks =
        bad.read_all("--allow-ip", NETWORK_EXPECTED, &settings.allow_ip, parse_network);
    let file = settings.allow_ip_file.as_ref();
    networks.extend(bad.file("--allow-ip-file", file, network::read_file).into_iter().flatten());
    networks
}

fn trusted_proxy(settings: &Settings, bad: &mut Problems) -> TrustedProxies {
    let given = &settings.trusted_proxy;
    let mut networks = bad.read_all("--trusted-proxy", NETWORK_EXPECTED, given, parse_network);
    let file = settings.trusted_proxy_file.as_ref();
    let more = bad.file("--trusted-proxy-file", file, network::read_file);
    networks.extend(more.into_iter().flatten());
    TrustedProxies(networks)
}

fn secret_files(settings: &Settings) -> Vec<PathBuf> {
    let files = [
        &settings.postback_token_file,
        &settings.api.api_key_file,
        &settings.api.nats_api_key_file,
    ];
    files.into_iter().flatten().cloned().collect()
}

/// Reads a switch in the forms that are usual in variables.
fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" | "t" | "y" => Some(true),
        "false" | "no" | "off" | "0" | "f" | "n" => Some(false),
        _ => None,
    }
}

fn number(least: u32, most: u32) -> impl Fn(&str) -> Option<u32> {
    move |text| text.parse().ok().filter(|number| (least..=most).contains(number))
}

/// The base of the URL for NATS. The whole URL is accepted too, with or without its token.
fn public_url(text: &str) -> Option<String> {
    let (scheme, rest) =
        text.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"))?;
    let clean = !rest.is_empty()
        && !rest.starts_with('/')
        && !rest.contains(|c: char| c.is_whitespace() || "?#@\"'<>".contains(c));
    let mut parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    if parts.len() > 2
        && parts[parts.len() - 2] == "postback"
        && Token::parse(parts[parts.len() - 1]).is_some()
    {
        parts.pop();
    }
    if parts.len() > 1 && parts.last() == Some(&"postback") {
        parts.pop();
    }
    clean.then(|| format!("{scheme}://{}", parts.join("/")))
}
