//! The settings as they are used, read from their text.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::ExposeSecret as _;

use super::ops::OpsConfig;
use super::problems::{BadSetting, Problems};
use super::settings::Settings;
use super::sources::Sources;
use super::values::number;
use super::{alarms, api, area, backup, ops, pages, server, sharing};
use crate::alarms::AlarmConfig;
use crate::backup::BackupConfig;
use crate::clock::{ExpiryRule, Zone};
use crate::connection_limits::ConnectionLimits;
use crate::country_file::CountryFile;
use crate::data_dir::DataDir;
use crate::logging::{Format, LogFilter};
use crate::login::admission::COMPARE_WAIT_MAX;
use crate::login::page::Pages;
use crate::login::settings::AreaConfig;
use crate::nats_client::settings::AuthStringConfig;
use crate::network::TrustedProxies;
use crate::network::{self, NETWORK_EXPECTED, parse_network};
use crate::password::HashKind;
use crate::store::Location;
use crate::token::{TOKEN_EXPECTED, Token};
use crate::token_file;
use crate::writer::{COMMIT_WAIT_MAX, UPKEEP_EVERY};

/// The longest time for which a jump of the clock can be set to wait, in minutes.
const DAY_MINUTES: u32 = 1_440;
/// The longest grace of an expiry: a year.
const GRACE_HOURS_MAX: u32 = 8_784;
/// The longest time that journal records can be kept, in days: a century.
const JOURNAL_DAYS_MAX: u32 = 36_500;

/// The settings as they are used.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where the FastCGI authorizer listens, if there is one.
    pub fastcgi_listen: Option<SocketAddr>,
    /// The operations listener.
    pub ops: OpsConfig,
    /// The base of the printed URL, without a slash at its end.
    pub public_url: Option<String>,
    /// Keys, token, database.
    pub data_dir: DataDir,
    /// The database.
    pub location: Location,
    /// Whether the password of the database is in its URL.
    pub(super) password_in_url: bool,
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
    /// Whether a postback with an older `stamp` than the last change counts as stale.
    pub stale_guard: bool,
    /// Days that journal records are kept; `None` for ever.
    pub journal_days: Option<u32>,
    /// The log levels.
    pub log: LogFilter,
    /// The format of log lines.
    pub log_format: Format,
    /// Backups.
    pub backup: BackupConfig,
    /// Alarms.
    pub alarms: AlarmConfig,
    /// The members area.
    pub area: AreaConfig,
    /// The countries of addresses, if members' countries are counted.
    pub country_file: Option<CountryFile>,
    /// The REST API.
    pub api: AuthStringConfig,
    /// The pages of the members area.
    pub pages: Pages,
    /// The bounds of connections, which no setting changes.
    pub connections: ConnectionLimits,
    /// How often the writer does its upkeep, which no setting changes.
    pub upkeep_every: Duration,
    /// How long a sender waits for a commit that crosses a network, which no setting changes.
    pub commit_wait: Duration,
    /// How long a login waits for the comparison of a new password, which no setting changes.
    pub compare_wait: Duration,
    /// Files of secrets that settings name.
    pub secret_files: Vec<PathBuf>,
    /// The settings as text, for [`Config::read_again`].
    pub(super) given: Arc<Settings>,
    /// Where they come from; `None` if they were made in another way.
    pub(super) sources: Option<Arc<Sources>>,
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
        let listen = listen(settings, &mut bad);
        let fastcgi_listen = area::fastcgi_listen(&settings.area, &mut bad);
        let ops = ops::read(&settings.ops, &mut bad);
        refuse_one_port(
            [
                ("--listen", listen),
                ("--ops-listen", ops.listen),
                ("--fastcgi-listen", fastcgi_listen),
            ],
            &mut bad,
        );
        let location = location(settings, data_dir.as_ref(), &mut bad);
        let expiry = expiry(settings, &mut bad);
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
            number(1, JOURNAL_DAYS_MAX),
        );
        let public_url = settings.public_url.as_deref().and_then(|text| {
            let expected = "expected http:// or https://, a host, and no query";
            bad.url("--public-url", expected, text, public_url)
        });
        let keep_cryptpass = bad.switch("--keep-cryptpass", &settings.keep_cryptpass);
        let stale_guard = bad.switch("--stale-guard", &settings.stale_guard);
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
        let backup = backup::read(&settings.backup, data_dir.as_ref(), &mut bad);
        if location.as_ref().is_some_and(|(location, _)| location.file().is_none()) {
            backup::refuse(&settings.backup, &mut bad);
        }
        let alarms = alarms::read(&settings.alarms, &mut bad);
        let area = area::read(&settings.area, &mut bad);
        let country_file = sharing::country_file(&settings.area.sharing, &mut bad);
        let pages = pages::pages(&settings.pages, &mut bad);
        let api = api::read(&settings.api, &mut bad);

        let read = || {
            let (location, password_in_url) = location?;
            Some(Self {
                listen: listen?,
                fastcgi_listen,
                ops,
                public_url,
                data_dir: data_dir?,
                password_in_url,
                location,
                postback_tokens,
                allow_ip,
                trusted_proxy,
                expiry: expiry?,
                clock_jump_minutes: clock_jump_minutes?,
                password_hash: password_hash?,
                keep_cryptpass: keep_cryptpass?,
                stale_guard: stale_guard?,
                journal_days,
                log: log?,
                log_format: log_format?,
                backup: backup?,
                alarms: alarms?,
                area: area?,
                country_file,
                api: api?,
                pages,
                connections: ConnectionLimits::default(),
                upkeep_every: UPKEEP_EVERY,
                commit_wait: COMMIT_WAIT_MAX,
                compare_wait: COMPARE_WAIT_MAX,
                secret_files: secret_files(settings),
                given: Arc::new(settings.clone()),
                sources: None,
            })
        };
        match (bad.0.is_empty(), read()) {
            (true, Some(config)) => Ok(config),
            _ => Err(bad.0),
        }
    }

    /// The settings as text, where a command line was read.
    pub fn sources(&self) -> Option<&Arc<Sources>> {
        self.sources.as_ref()
    }

    /// Notes where the settings come from, so that [`Config::read_again`] reads the configuration
    /// file too.
    #[must_use]
    pub fn with_sources(self, sources: Arc<Sources>) -> Self {
        Self { sources: Some(sources), ..self }
    }

    /// All files that the service reads for its settings: the configuration file, and those that
    /// settings name.
    pub fn read_files(&self) -> Vec<PathBuf> {
        let given = &self.given;
        let named = [
            &given.allow_ip_file,
            &given.trusted_proxy_file,
            &given.pages.login_template,
            &given.pages.sites_file,
            &given.area.sharing.sharing_country_file,
            &given.api.nats_ca,
            &given.server.database_tls_ca,
        ];
        let own = self.sources.as_ref().and_then(|sources| sources.file()).map(Path::to_owned);
        let named = named.into_iter().flatten().cloned();
        own.into_iter().chain(self.secret_files.clone()).chain(named).collect()
    }

    /// The URL to paste into NATS, up to the token.
    pub fn postback_url_base(&self, address: SocketAddr) -> String {
        let front = self.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
        format!("{front}/postback/")
    }
}

/// The address of `--listen`, for a command that needs no other setting.
///
/// # Errors
///
/// If it is no address with a port.
pub fn listen_address(settings: &Settings) -> Result<SocketAddr, Vec<BadSetting>> {
    let mut bad = Problems::default();
    listen(settings, &mut bad).ok_or(bad.0)
}

fn listen(settings: &Settings, bad: &mut Problems) -> Option<SocketAddr> {
    let expected = "expected ADDRESS:PORT, as in 127.0.0.1:8080";
    bad.read("--listen", expected, &settings.listen, |text| text.parse().ok())
}

/// Refuses a listener where an earlier one of these listens, on all addresses or on the same one.
/// Port 0 is a free port, each time another.
fn refuse_one_port(listeners: [(&'static str, Option<SocketAddr>); 3], bad: &mut Problems) {
    let listeners = listeners.map(|(flag, address)| Some((flag, address?)));
    for (number, listener) in listeners.iter().enumerate() {
        let Some((flag, address)) = listener else { continue };
        let clashes = |other: &SocketAddr| {
            let is_one = covers(address.ip(), other.ip()) || covers(other.ip(), address.ip());
            is_one && address.port() == other.port() && address.port() != 0
        };
        let mut earlier = listeners[..number].iter().flatten();
        let Some((other, at)) = earlier.find(|(_, at)| clashes(at)) else { continue };
        let expected = "expected a port that no other listener has";
        bad.0.push(BadSetting::found(flag, expected, &format!("{address}, and {other} has {at}")));
    }
}

/// Whether who listens on `ip` also listens on `other`: `::` takes IPv4 as well.
fn covers(ip: IpAddr, other: IpAddr) -> bool {
    ip == other || ip.is_unspecified() && (ip.is_ipv6() || other.is_ipv4())
}

/// The database: that of `--database`, else the file in the data directory. And whether a password
/// is in its URL.
fn location(
    settings: &Settings,
    data_dir: Option<&DataDir>,
    bad: &mut Problems,
) -> Option<(Location, bool)> {
    let named = match &settings.database {
        Some(text) => bad.database(text.expose_secret()),
        None => data_dir.map(|data_dir| Location::sqlite(data_dir.database())),
    };
    let password_in_url = named.as_ref().is_some_and(Location::has_password);
    let location = named.and_then(|named| server::read(&settings.server, named, bad));
    let no_copy = bad.switch("--no-upgrade-copy", &settings.no_upgrade_copy)?;
    let location = if no_copy { location?.without_upgrade_copy() } else { location? };
    Some((location, password_in_url))
}

fn expiry(settings: &Settings, bad: &mut Problems) -> Option<ExpiryRule> {
    let zone = bad.read(
        "--time-zone",
        "expected a name as in Europe/Berlin or UTC",
        &settings.time_zone,
        |text| text.parse::<Zone>().ok(),
    );
    let grace_hours = bad.read(
        "--expire-grace-hours",
        "expected a whole number of hours from 0 to 8784",
        &settings.expire_grace_hours,
        number(0, GRACE_HOURS_MAX),
    );
    Some(ExpiryRule { zone: zone?, grace_hours: grace_hours? })
}

pub(super) fn tokens(settings: &Settings, bad: &mut Problems) -> Vec<Token> {
    let mut tokens =
        bad.secrets("--postback-token", TOKEN_EXPECTED, &settings.postback_token, Token::parse);
    let file = settings.postback_token_file.as_ref();
    tokens.extend(bad.file("--postback-token-file", file, token_file::read).into_iter().flatten());
    tokens
}

pub(super) fn allow_ip(settings: &Settings, bad: &mut Problems) -> Vec<IpNet> {
    let mut networks =
        bad.read_all("--allow-ip", NETWORK_EXPECTED, &settings.allow_ip, parse_network);
    let file = settings.allow_ip_file.as_ref();
    networks.extend(bad.file("--allow-ip-file", file, network::read_file).into_iter().flatten());
    networks
}

pub(super) fn trusted_proxy(settings: &Settings, bad: &mut Problems) -> TrustedProxies {
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
        &settings.alarms.alarm_url_file,
        &settings.api.api_key_file,
        &settings.api.nats_api_key_file,
        &settings.server.database_password_file,
        &settings.ops.ops_token_file,
    ];
    files.into_iter().flatten().cloned().collect()
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
