//! The settings of the REST API: its keys, and the source of authstrings.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgAction, Args, value_parser};
use secrecy::{ExposeSecret as _, SecretString};

use super::problems::{BadSetting, Problems, bytes};
use super::values::{INTERVAL_EXPECTED, any_path, interval, number};
use crate::authstring::keys::{
    API_KEY_EXPECTED, ApiKey, ApiKeys, CREDENTIAL_EXPECTED, is_credential, read_file,
};
use crate::nats_client::report::{ReportConfig, ReportPath};
use crate::nats_client::settings::{AuthStringConfig, StringSource};
use crate::nats_client::{Access, URL_EXPECTED, clean_url};
use crate::text_file::{self, is_quoted};

/// The longest timeout of a request to NATS, in seconds: less than a stop of the service may take.
const NATS_SECONDS_MAX: u32 = 10;
/// A day of minutes.
const STAND_IN_MINUTES_MAX: u32 = 1_440;
const MINUTE_SECONDS: i64 = 60;
/// A year of hours.
const REPORT_HOURS_MAX: u32 = 8_784;
const HOUR_SECONDS: i64 = 3_600;

/// The settings as text. The comments are the help texts of the flags.
#[allow(rustdoc::bare_urls, rustdoc::invalid_html_tags)]
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "REST API")]
pub struct ApiSettings {
    /// Key for requests to /api; site=SITEID and ip=CIDR after it, separated by spaces, restrict
    /// it; repeatable
    #[arg(
        long,
        global = true,
        env = "USERMAN_API_KEY",
        hide_env_values = true,
        value_name = "USERNAME:KEY",
        value_delimiter = ','
    )]
    pub api_key: Vec<SecretString>,
    /// File with API keys, one a line
    #[arg(
        long,
        global = true,
        env = "USERMAN_API_KEY_FILE",
        value_name = "FILE",
        value_parser = any_path()
    )]
    pub api_key_file: Option<PathBuf>,
    /// URL of NATS, the source of authstrings, as in https://nats.example.com
    #[arg(long, global = true, env = "USERMAN_NATS_URL", value_name = "URL")]
    pub nats_url: Option<String>,
    /// api-username of this service at NATS
    #[arg(long, global = true, env = "USERMAN_NATS_API_USERNAME", value_name = "USERNAME")]
    pub nats_api_username: Option<String>,
    /// api-key that belongs to --nats-api-username
    #[arg(
        long,
        global = true,
        env = "USERMAN_NATS_API_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    pub nats_api_key: Option<SecretString>,
    /// File with the api-key for NATS
    #[arg(
        long,
        global = true,
        env = "USERMAN_NATS_API_KEY_FILE",
        value_name = "FILE",
        value_parser = any_path()
    )]
    pub nats_api_key_file: Option<PathBuf>,
    /// File with PEM certificates to trust for NATS, in place of the default ones
    #[arg(
        long,
        global = true,
        env = "USERMAN_NATS_CA",
        value_name = "FILE",
        value_parser = any_path()
    )]
    pub nats_ca: Option<PathBuf>,
    /// Total timeout of a request to NATS, in seconds
    #[arg(
        long,
        global = true,
        env = "USERMAN_NATS_SECONDS",
        value_name = "SECONDS",
        default_value = "5"
    )]
    pub nats_seconds: String,
    /// Where logins of members are reported to NATS: no, recordlogin (POST
    /// /api/member/recordlogin), login (POST /api/member/login, its later name) or loginlog (GET
    /// /member_loginlog.php, of older versions)
    #[arg(
        long,
        global = true,
        env = "USERMAN_NATS_REPORT_LOGINS",
        value_name = "WHERE",
        default_value = "no"
    )]
    pub nats_report_logins: String,
    /// Hours within which a member's logins are reported to NATS once; 0 reports each
    #[arg(
        long,
        global = true,
        env = "USERMAN_NATS_REPORT_HOURS",
        value_name = "HOURS",
        default_value = "24"
    )]
    pub nats_report_hours: String,
    /// Compare the members with NATS's list of active members this often while the service runs, as
    /// in 24h, 90m or 7d, and log a warning if they differ [default: never]
    #[arg(long, global = true, env = "USERMAN_RECONCILE_EVERY", value_name = "TIME")]
    pub reconcile_every: Option<String>,
    /// Generate authstrings without NATS, to develop a members area; never use it on a live site
    #[arg(
        long,
        global = true,
        env = "USERMAN_STAND_IN",
        action = ArgAction::SetTrue,
        value_parser = value_parser!(String)
    )]
    pub stand_in: String,
    /// Minutes that an authstring of --stand-in is valid
    #[arg(
        long,
        global = true,
        env = "USERMAN_STAND_IN_MINUTES",
        value_name = "MINUTES",
        default_value = "60"
    )]
    pub stand_in_minutes: String,
}

/// Reads the settings of the REST API; `None` if one is wrong.
pub(super) fn read(settings: &ApiSettings, bad: &mut Problems) -> Option<AuthStringConfig> {
    let keys = keys(settings, bad);
    let access = access(settings, bad);
    let seconds = bad.read(
        "--nats-seconds",
        "expected a whole number of seconds from 1 to 10",
        &settings.nats_seconds,
        number(1, NATS_SECONDS_MAX),
    );
    let minutes = bad.read(
        "--stand-in-minutes",
        "expected a whole number of minutes from 1 to 1440",
        &settings.stand_in_minutes,
        number(1, STAND_IN_MINUTES_MAX),
    );
    let stand_in = bad.switch("--stand-in", &settings.stand_in)?;
    if stand_in && settings.nats_url.is_some() {
        bad.0.push(BadSetting::found("--stand-in", "expected it without --nats-url", "both"));
    }
    let reports = reports(settings, bad);
    let reconcile_every = bad.read_optional(
        "--reconcile-every",
        INTERVAL_EXPECTED,
        settings.reconcile_every.as_deref(),
        interval,
    );
    if reconcile_every.is_some() && settings.nats_url.is_none() {
        let expected = "expected it beside --reconcile-every";
        bad.0.push(BadSetting::found("--nats-url", expected, "nothing"));
    }
    let source = match (stand_in, access) {
        (true, _) => StringSource::StandIn(i64::from(minutes?) * MINUTE_SECONDS),
        (false, Some(access)) => StringSource::Nats(access, Duration::from_secs(seconds?.into())),
        (false, None) => StringSource::None,
    };
    Some(AuthStringConfig { keys: keys?, source, reports: reports?, reconcile_every })
}

/// How logins are reported to NATS, or that they are not; `None` if a setting is wrong.
fn reports(settings: &ApiSettings, bad: &mut Problems) -> Option<Option<ReportConfig>> {
    let path = bad.read(
        "--nats-report-logins",
        "expected no, recordlogin, login or loginlog",
        &settings.nats_report_logins,
        |text| match text {
            "no" => Some(None),
            "recordlogin" => Some(Some(ReportPath::RecordLogin)),
            "login" => Some(Some(ReportPath::Login)),
            "loginlog" => Some(Some(ReportPath::LoginLog)),
            _ => None,
        },
    );
    let hours = bad.read(
        "--nats-report-hours",
        "expected a whole number of hours from 0 to 8784",
        &settings.nats_report_hours,
        number(0, REPORT_HOURS_MAX),
    );
    let path = path?;
    if path.is_some() && settings.nats_url.is_none() {
        let expected = "expected it beside --nats-report-logins";
        bad.0.push(BadSetting::found("--nats-url", expected, "nothing"));
    }
    let once_in_seconds = i64::from(hours?) * HOUR_SECONDS;
    Some(path.map(|path| ReportConfig { path, once_in_seconds }))
}

/// All keys; `None` if one of them cannot be used.
pub(super) fn keys(settings: &ApiSettings, bad: &mut Problems) -> Option<ApiKeys> {
    let before = bad.0.len();
    let mut keys = bad.secrets("--api-key", API_KEY_EXPECTED, &settings.api_key, ApiKey::parse);
    let file = settings.api_key_file.as_ref();
    keys.extend(bad.file("--api-key-file", file, read_file).into_iter().flatten());
    let keys = ApiKeys::new(keys)
        .map_err(|username| {
            bad.0.push(BadSetting::found(
                "--api-key",
                "expected each key once",
                &format!("one of \"{username}\" twice"),
            ))
        })
        .ok();
    keys.filter(|_| bad.0.len() == before)
}

/// URL, username and key for NATS: all three or none.
pub(super) fn access(settings: &ApiSettings, bad: &mut Problems) -> Option<Access> {
    let url = settings
        .nats_url
        .as_deref()
        .and_then(|text| bad.url("--nats-url", URL_EXPECTED, text, clean_url));
    let credential =
        |text: &str| (is_credential(text) && !is_quoted(text)).then(|| text.to_owned());
    let username = settings.nats_api_username.as_deref();
    let username =
        bad.read_optional("--nats-api-username", CREDENTIAL_EXPECTED, username, credential);
    let key = nats_key(settings, bad);
    let (has_username, has_key) = (
        settings.nats_api_username.is_some(),
        settings.nats_api_key.is_some() || settings.nats_api_key_file.is_some(),
    );
    if settings.nats_url.is_none() {
        if has_username || has_key || settings.nats_ca.is_some() {
            let expected = "expected it beside --nats-api-username, --nats-api-key and --nats-ca";
            bad.0.push(BadSetting::found("--nats-url", expected, "nothing"));
        }
        return None;
    }
    for (flag, is_given) in [("--nats-api-username", has_username), ("--nats-api-key", has_key)] {
        if !is_given {
            bad.0.push(BadSetting::found(flag, "expected it beside --nats-url", "nothing"));
        }
    }
    let access = Access::new(&url?, &username?, &key?)?;
    if settings.nats_ca.is_none() {
        return Some(access);
    }
    let path = bad.path("--nats-ca", settings.nats_ca.as_deref()?)?;
    match std::fs::read(path) {
        Ok(pem) => {
            let trusting = access.trusting(&pem);
            if trusting.is_none() {
                let found = format!("none in {}", path.display());
                bad.0.push(BadSetting::found(
                    "--nats-ca",
                    "expected certificates in PEM form",
                    &found,
                ));
            }
            trusting
        }
        Err(error) => {
            bad.0.push(BadSetting::found(
                "--nats-ca",
                "expected a file of PEM certificates",
                &format!("{}: {error}", path.display()),
            ));
            None
        }
    }
}

fn nats_key(settings: &ApiSettings, bad: &mut Problems) -> Option<String> {
    let (flag, text) = match (&settings.nats_api_key, &settings.nats_api_key_file) {
        (None, None) => return None,
        (Some(_), Some(_)) => {
            bad.0.push(BadSetting::found(
                "--nats-api-key",
                "expected one key",
                "--nats-api-key-file beside it",
            ));
            return None;
        }
        (Some(text), None) => ("--nats-api-key", text.expose_secret().to_owned()),
        (None, Some(path)) => ("--nats-api-key-file", key_in(path, bad)?),
    };
    let text = text.trim().to_owned();
    if !is_credential(&text) || is_quoted(&text) {
        bad.0.push(BadSetting::found(flag, CREDENTIAL_EXPECTED, &bytes(&text)));
        return None;
    }
    Some(text)
}

fn key_in(path: &Path, bad: &mut Problems) -> Option<String> {
    let path = bad.path("--nats-api-key-file", path)?;
    let unreadable = |error| {
        bad.0.push(BadSetting::found(
            "--nats-api-key-file",
            "expected a file",
            &format!("{}: {error}", path.display()),
        ))
    };
    text_file::read(path).map_err(unreadable).ok()
}
