//! The settings: flags and `USERMAN_` variables as they were given, and what they mean once they have been read.

mod api;
mod area;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use clap::builder::{OsStringValueParser, Resettable, TypedValueParser as _};
use clap::{ArgAction, Args, Command, value_parser};
use ipnet::IpNet;
use secrecy::{ExposeSecret as _, SecretString};

pub use api::{ApiConfig, ApiSettings, Source};
pub use area::{AreaConfig, AreaSettings, LOGIN_SECONDS_MAX};

use crate::clock::ExpiryRule;
use crate::data_dir::DataDir;
use crate::http::caller::TrustedProxies;
use crate::http::tokens::{TOKEN_EXPECTED, Token, read_file};
use crate::logging::{Format, LogFilter};
use crate::login::page::PageError;
use crate::network::parse_network;
use crate::password::HashKind;
use crate::store::Location;

/// The settings as text. Read by [`Config::read`], which says all that is wrong at once.
///
/// The comments are the help texts of the flags, which are not written for rustdoc. No value is refused by clap, which would say it in
/// lines of its own; variables that are set to nothing are left out by [`without_empty_variables`].
#[allow(rustdoc::bare_urls, rustdoc::invalid_html_tags)]
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, global = true, env = "USERMAN_LISTEN", value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// The front of the URL that NATS calls, as in https://members.example.com [default: http://<listen>]
    #[arg(long, global = true, env = "USERMAN_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Directory of the database, the keys and the token
    #[arg(long, global = true, env = "USERMAN_DATA_DIR", value_name = "DIR", default_value = "./data", value_parser = any_path())]
    pub data_dir: PathBuf,
    /// The database [default: sqlite:<data-dir>/userman.db]
    #[arg(long, global = true, env = "USERMAN_DATABASE", value_name = "sqlite:PATH")]
    pub database: Option<String>,
    /// The token in the URL, at least 32 of A-Z a-z 0-9 _ -; repeatable, so that it can be rotated; replaces the data
    /// directory's [default: made at the first start]
    #[arg(
        long,
        global = true,
        env = "USERMAN_POSTBACK_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN",
        value_delimiter = ','
    )]
    pub postback_token: Vec<SecretString>,
    /// The same from a file, one token a line
    #[arg(long, global = true, env = "USERMAN_POSTBACK_TOKEN_FILE", value_name = "FILE", value_parser = any_path())]
    pub postback_token_file: Option<PathBuf>,
    /// Network that may call /postback; repeatable [default: any]
    #[arg(long, global = true, env = "USERMAN_ALLOW_IP", value_name = "CIDR", value_delimiter = ',')]
    pub allow_ip: Vec<String>,
    /// Proxy whose X-Forwarded-For counts; repeatable [default: none]
    #[arg(long, global = true, env = "USERMAN_TRUSTED_PROXY", value_name = "CIDR", value_delimiter = ',')]
    pub trusted_proxy: Vec<String>,
    /// Time zone in which an EXPIRE's date begins, as in Europe/Berlin
    #[arg(long, global = true, env = "USERMAN_TIME_ZONE", value_name = "ZONE", default_value = "UTC")]
    pub time_zone: String,
    /// Hours that a member keeps after the date of an EXPIRE
    #[arg(long, global = true, env = "USERMAN_EXPIRE_GRACE_HOURS", value_name = "HOURS", default_value = "0")]
    pub expire_grace_hours: String,
    /// How passwords are hashed: argon2id, or bcrypt for an Apache that reads the table
    #[arg(long, global = true, env = "USERMAN_PASSWORD_HASH", value_name = "KIND", default_value = "argon2id")]
    pub password_hash: String,
    /// Keep NATS's cryptpass in its column, for an Apache that reads it (a weak hash: only where you need it)
    // Text: in a variable people write 1 and yes as well as true.
    #[arg(long, global = true, env = "USERMAN_KEEP_CRYPTPASS", action = ArgAction::SetTrue, value_parser = value_parser!(String))]
    pub keep_cryptpass: String,
    /// Days that journal records are kept [default: for ever]
    #[arg(long, global = true, env = "USERMAN_JOURNAL_DAYS", value_name = "DAYS")]
    pub journal_days: Option<String>,
    /// What is logged: error, warn, info, debug, trace or off; also per module, as in info,writer=debug
    #[arg(long, global = true, env = "USERMAN_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,
    /// How log lines look: text or json
    #[arg(long, global = true, env = "USERMAN_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub log_format: String,
    /// Those of the members area.
    #[command(flatten)]
    pub area: AreaSettings,
    /// Those of the REST API.
    #[command(flatten)]
    pub api: ApiSettings,
}

/// A path as it is: clap's own reading refuses an empty one.
fn any_path() -> impl clap::builder::TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// A variable that is set to nothing is not set: files of variables have such lines. A flag without a value is a mistake: mostly of a
/// script, whose own variable is empty, and never a way to say "any".
pub fn without_empty_variables(command: Command) -> Command {
    command.mut_args(|arg| {
        let value = arg.get_env().and_then(std::env::var_os);
        if value.is_some_and(|value| value.to_string_lossy().trim().is_empty()) { arg.env(Resettable::Reset) } else { arg }
    })
}

/// The settings as they are used.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The front of the printed URL, without a slash at its end.
    pub public_url: Option<String>,
    /// Keys, token, database.
    pub data_dir: DataDir,
    /// The database.
    pub location: Location,
    /// Tokens given as settings; empty: those of the data directory.
    pub postback_tokens: Vec<Token>,
    /// Networks that may post.
    pub allow_ip: Vec<IpNet>,
    /// Proxies whose header counts.
    pub trusted_proxy: TrustedProxies,
    /// Time zone and grace of an EXPIRE.
    pub expiry: ExpiryRule,
    /// The hash.
    pub password_hash: HashKind,
    /// Whether the column `cryptpass` follows.
    pub keep_cryptpass: bool,
    /// Days that records are kept.
    pub journal_days: Option<u32>,
    /// What is logged.
    pub log: LogFilter,
    /// How.
    pub log_format: Format,
    /// The members area.
    pub area: AreaConfig,
    /// The REST API.
    pub api: ApiConfig,
    /// Files of secrets that settings name, wherever they lie.
    pub secret_files: Vec<PathBuf>,
}

/// One setting that cannot be used: the flag, and what is wrong, mostly what was expected and what was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{flag}: {problem}")]
pub struct BadSetting {
    flag: &'static str,
    problem: String,
}

impl BadSetting {
    fn found(flag: &'static str, expected: &'static str, found: &str) -> Self {
        Self { flag, problem: format!("{expected}, found {found}") }
    }

    /// A file that a setting names cannot be used: its own words say why.
    fn file(flag: &'static str, error: &dyn std::error::Error) -> Self {
        Self { flag, problem: crate::chain::chain(error) }
    }
}

impl Config {
    /// Reads all settings.
    ///
    /// # Errors
    ///
    /// Every setting that cannot be used, not only the first.
    pub fn read(settings: &Settings) -> Result<Self, Vec<BadSetting>> {
        let mut bad = Problems(Vec::new());
        let data_dir = DataDir::new(bad.path("--data-dir", &settings.data_dir));
        let listen =
            bad.read("--listen", "expected ADDRESS:PORT, as in 127.0.0.1:8080", &settings.listen, |text| text.parse().ok());
        let location = match &settings.database {
            Some(text) => bad.database(text.trim()),
            None => Some(Location::sqlite(data_dir.database())),
        };
        let zone = bad.read("--time-zone", "expected a name as in Europe/Berlin or UTC", &settings.time_zone, |text| {
            text.parse::<Tz>().ok()
        });
        let grace = bad.read(
            "--expire-grace-hours",
            "expected a whole number of hours from 0 to 8784",
            &settings.expire_grace_hours,
            |text| text.parse::<u32>().ok().filter(|hours| *hours <= 8784),
        );
        let password_hash =
            bad.read("--password-hash", "expected argon2id or bcrypt", &settings.password_hash, |text| text.parse().ok());
        let journal_days = bad.read_optional(
            "--journal-days",
            "expected a whole number of days from 1 to 36500",
            settings.journal_days.as_deref(),
            |text| text.parse::<u32>().ok().filter(|days| (1..=36_500).contains(days)),
        );
        let public_url = bad.read_optional(
            "--public-url",
            "expected http:// or https://, a host, and no query",
            settings.public_url.as_deref(),
            public_url,
        );
        let keep_cryptpass =
            bad.read("--keep-cryptpass", "expected yes or no, true or false, 1 or 0", &settings.keep_cryptpass, switch);
        let log = bad.read(
            "--log",
            "expected error, warn, info, debug, trace or off, or module=level",
            &settings.log,
            LogFilter::parse,
        );
        let log_format = bad.read("--log-format", "expected text or json", &settings.log_format, Format::parse);
        let network = "expected an address or a network, as in 192.0.2.0/24 or 2001:db8::/32";
        let allow_ip = bad.read_all("--allow-ip", network, &settings.allow_ip, parse_network);
        let trusted_proxy = bad.read_all("--trusted-proxy", network, &settings.trusted_proxy, parse_network);
        let postback_tokens = tokens(settings, &mut bad);
        let area = AreaConfig::read(&settings.area, &mut bad);
        let api = ApiConfig::read(&settings.api, &mut bad);

        let read = || {
            Some(Self {
                listen: listen?,
                public_url,
                data_dir,
                location: location?,
                postback_tokens,
                allow_ip,
                trusted_proxy: TrustedProxies(trusted_proxy),
                expiry: ExpiryRule { zone: zone?, grace_hours: grace? },
                password_hash: password_hash?,
                keep_cryptpass: keep_cryptpass?,
                journal_days,
                log: log?,
                log_format: log_format?,
                area: area?,
                api: api?,
                secret_files: secret_files(settings),
            })
        };
        match (bad.0.is_empty(), read()) {
            (true, Some(config)) => Ok(config),
            _ => Err(bad.0),
        }
    }

    /// The URL to paste into NATS, up to the token.
    pub fn postback_url_front(&self, address: SocketAddr) -> String {
        let front = self.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
        format!("{front}/postback/")
    }
}

/// Collects what is wrong.
struct Problems(Vec<BadSetting>);

impl Problems {
    fn read<T>(
        &mut self,
        flag: &'static str,
        expected: &'static str,
        text: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let value = parse(text.trim());
        if value.is_none() {
            self.0.push(BadSetting::found(flag, expected, &format!("\"{}\"", text.escape_debug())));
        }
        value
    }

    fn read_optional<T>(
        &mut self,
        flag: &'static str,
        expected: &'static str,
        text: Option<&str>,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        text.and_then(|text| self.read(flag, expected, text, parse))
    }

    fn template(&mut self, error: &PageError) {
        self.0.push(BadSetting::file("--login-template", error));
    }

    /// A list may have blanks, as behind a last comma, but not only blanks: an empty list of networks would mean "any".
    fn read_all<T>(
        &mut self,
        flag: &'static str,
        expected: &'static str,
        texts: &[String],
        parse: fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let given: Vec<_> = texts.iter().filter(|text| !text.trim().is_empty()).collect();
        if given.is_empty() && !texts.is_empty() {
            self.0.push(BadSetting::found(flag, expected, &format!("\"{}\"", texts.join(",").escape_debug())));
        }
        given.into_iter().filter_map(|text| self.read(flag, expected, text, parse)).collect()
    }

    /// The same of secrets. One that is wrong is not shown: it may be nearly right.
    fn secrets<T>(
        &mut self,
        flag: &'static str,
        expected: &'static str,
        texts: &[SecretString],
        parse: fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let given = texts.iter().map(|text| text.expose_secret().trim());
        let only_blanks = given.clone().all(str::is_empty);
        let mut read = Vec::new();
        for text in given.filter(|text| only_blanks || !text.is_empty()) {
            match parse(text) {
                Some(secret) => read.push(secret),
                None => self.0.push(BadSetting::found(flag, expected, &format!("{} bytes", text.len()))),
            }
        }
        read
    }

    fn path<'a>(&mut self, flag: &'static str, path: &'a Path) -> &'a Path {
        if path.as_os_str().is_empty() {
            self.0.push(BadSetting::found(flag, "expected a path", "\"\""));
        }
        path
    }

    fn database(&mut self, text: &str) -> Option<Location> {
        let location = Location::parse(text);
        if location.is_none() {
            let (expected, shown) = match text.strip_prefix("sqlite:") {
                // A query may hold a key.
                Some(_) => ("expected sqlite:PATH, the path of a file", text.split_inclusive('?').next().unwrap_or(text)),
                // Of another database's URL only the beginning is shown: a password may be in it.
                None => ("expected sqlite:PATH", text.split_once(':').map_or(text, |(scheme, _)| scheme)),
            };
            let found = format!("\"{}\"", shown.escape_debug());
            self.0.push(BadSetting::found("--database", expected, &found));
        }
        location
    }
}

fn tokens(settings: &Settings, bad: &mut Problems) -> Vec<Token> {
    let mut tokens = bad.secrets("--postback-token", TOKEN_EXPECTED, &settings.postback_token, Token::parse);
    if let Some(path) = &settings.postback_token_file {
        match read_file(Path::new(path)) {
            Ok(more) => tokens.extend(more),
            Err(error) => bad.0.push(BadSetting::file("--postback-token-file", &error)),
        }
    }
    tokens
}

fn secret_files(settings: &Settings) -> Vec<PathBuf> {
    let files = [&settings.postback_token_file, &settings.api.api_key_file, &settings.api.nats_api_key_file];
    files.into_iter().flatten().cloned().collect()
}

/// As people write it into variables.
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

fn public_url(text: &str) -> Option<String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let clean =
        !rest.is_empty() && !rest.starts_with('/') && !rest.contains(|c: char| c.is_whitespace() || "?#@\"'<>".contains(c));
    clean.then(|| text.trim_end_matches('/').to_owned())
}
