//! The settings of the members area.

use std::net::SocketAddr;

use clap::{ArgAction, Args, value_parser};

use super::problems::Problems;
use super::sharing::{self, SharingSettings};
use super::values::number;
use crate::login::cookie_domain::{COOKIE_DOMAIN_EXPECTED, CookieDomain};
use crate::login::cookie_domains::CookieDomains;
use crate::login::settings::{AreaConfig, GuessLimits, HOUR_SECONDS, LIMIT_MAX, LOGIN_HOURS_MAX};

const MINUTE_SECONDS: u32 = 60;
/// A shorter inactivity timeout would end logins while a member reads a page.
const IDLE_MINUTES_MIN: u32 = 5;
/// A hundred years.
const LOGIN_DAYS_MAX: u32 = 36_500;
/// A day of minutes.
const MINUTES_MAX: u32 = 1_440;

/// The settings as text. The comments are the help texts of the flags.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Members area")]
pub struct AreaSettings {
    /// Address and port of the FastCGI authorizer, for Apache; port 0 takes a free one [default:
    /// off]
    #[arg(long, global = true, env = "USERMAN_FASTCGI_LISTEN", value_name = "ADDRESS:PORT")]
    pub fastcgi_listen: Option<String>,
    /// Hours that a login from the login page lasts
    #[arg(
        long,
        global = true,
        env = "USERMAN_LOGIN_HOURS",
        value_name = "HOURS",
        default_value = "168"
    )]
    pub login_hours: String,
    /// Hours that a login with a tick at "Stay logged in" lasts; 0 shows no such box. With the box,
    /// other logins end when the browser is closed, and after --login-hours
    #[arg(
        long,
        global = true,
        env = "USERMAN_LOGIN_STAY_HOURS",
        value_name = "HOURS",
        default_value = "0"
    )]
    pub login_stay_hours: String,
    /// Let members log in with their e-mail address too, where no other member of the site has it
    #[arg(
        long,
        global = true,
        env = "USERMAN_LOGIN_BY_EMAIL",
        action = ArgAction::SetTrue,
        value_parser = value_parser!(String)
    )]
    pub login_by_email: String,
    /// Inactivity timeout of logins from the login page, in minutes; 0 disables it
    #[arg(
        long,
        global = true,
        env = "USERMAN_LOGIN_IDLE_MINUTES",
        value_name = "MINUTES",
        default_value = "0"
    )]
    pub login_idle_minutes: String,
    /// Days that logins, failed logins and logouts stay in the record, which `member show` prints;
    /// 0 records nothing
    #[arg(
        long,
        global = true,
        env = "USERMAN_LOGIN_DAYS",
        value_name = "DAYS",
        default_value = "90"
    )]
    pub login_days: String,
    /// Domain whose hosts share logins, as in example.com; repeatable, and the longest one that
    /// matches a host applies [default: each host has its own logins]
    #[arg(
        long,
        global = true,
        env = "USERMAN_COOKIE_DOMAIN",
        value_name = "DOMAIN",
        value_delimiter = ','
    )]
    pub cookie_domain: Vec<String>,
    /// Different wrong passwords for one username from one network that block this pair; 0 disables
    /// it
    #[arg(
        long,
        global = true,
        env = "USERMAN_LOGIN_LIMIT_PAIR",
        value_name = "COUNT",
        default_value = "10"
    )]
    pub login_limit_pair: String,
    /// Different wrong passwords from one network that block it; 0 disables it
    #[arg(
        long,
        global = true,
        env = "USERMAN_LOGIN_LIMIT_NETWORK",
        value_name = "COUNT",
        default_value = "100"
    )]
    pub login_limit_network: String,
    /// Different wrong passwords for one username that block it, except for networks from which
    /// this member has logged in before; 0 disables it
    #[arg(
        long,
        global = true,
        env = "USERMAN_LOGIN_LIMIT_NAME",
        value_name = "COUNT",
        default_value = "100"
    )]
    pub login_limit_name: String,
    /// Minutes within which wrong passwords are counted
    #[arg(
        long,
        global = true,
        env = "USERMAN_LOGIN_WINDOW_MINUTES",
        value_name = "MINUTES",
        default_value = "10"
    )]
    pub login_window_minutes: String,
    /// Minutes that a block lasts
    #[arg(
        long,
        global = true,
        env = "USERMAN_LOGIN_BLOCK_MINUTES",
        value_name = "MINUTES",
        default_value = "15"
    )]
    pub login_block_minutes: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment would be a help text")]
    pub sharing: SharingSettings,
}

/// Reads the settings; collects errors in `bad`.
pub(super) fn read(settings: &AreaSettings, bad: &mut Problems) -> Option<AreaConfig> {
    let hours = bad.read(
        "--login-hours",
        "expected a whole number of hours from 1 to 8784",
        &settings.login_hours,
        number(1, LOGIN_HOURS_MAX),
    );
    let stay = bad.read(
        "--login-stay-hours",
        "expected 0 for off, or a whole number of hours from 1 to 8784",
        &settings.login_stay_hours,
        number(0, LOGIN_HOURS_MAX),
    );
    let by_email = bad.switch("--login-by-email", &settings.login_by_email);
    let idle = bad.read(
        "--login-idle-minutes",
        "expected 0 for off, or a whole number of minutes from 5 to 527040",
        &settings.login_idle_minutes,
        |text| {
            number(0, LOGIN_HOURS_MAX * 60)(text)
                .filter(|&minutes| minutes == 0 || minutes >= IDLE_MINUTES_MIN)
        },
    );
    let days = bad.read(
        "--login-days",
        "expected 0 for off, or a whole number of days up to 36500",
        &settings.login_days,
        number(0, LOGIN_DAYS_MAX),
    );
    let cookie_domains = bad.read_all(
        "--cookie-domain",
        COOKIE_DOMAIN_EXPECTED,
        &settings.cookie_domain,
        CookieDomain::parse,
    );
    let count = "expected a whole number from 0 to 1000, 0 for off";
    let limit = number(0, LIMIT_MAX);
    let pair = bad.read("--login-limit-pair", count, &settings.login_limit_pair, &limit);
    let network = bad.read("--login-limit-network", count, &settings.login_limit_network, &limit);
    let name = bad.read("--login-limit-name", count, &settings.login_limit_name, &limit);
    let minutes = "expected a whole number of minutes from 1 to 1440";
    let minute = number(1, MINUTES_MAX);
    let window =
        bad.read("--login-window-minutes", minutes, &settings.login_window_minutes, &minute);
    let block = bad.read("--login-block-minutes", minutes, &settings.login_block_minutes, &minute);
    let sharing = sharing::read(&settings.sharing, bad);
    Some(AreaConfig {
        sharing: sharing?,
        login_seconds: i64::from(hours?) * HOUR_SECONDS,
        stay_seconds: Some(i64::from(stay?) * HOUR_SECONDS).filter(|&seconds| seconds > 0),
        by_email: by_email?,
        idle_seconds: Some(i64::from(idle? * MINUTE_SECONDS)).filter(|&seconds| seconds > 0),
        login_days: days?,
        cookie_domains: CookieDomains::new(cookie_domains),
        limits: GuessLimits {
            pair: pair?,
            network: network?,
            name: name?,
            window_seconds: window? * MINUTE_SECONDS,
            block_seconds: block? * MINUTE_SECONDS,
        },
    })
}

/// The address of the FastCGI authorizer, if there is one.
pub(super) fn fastcgi_listen(settings: &AreaSettings, bad: &mut Problems) -> Option<SocketAddr> {
    let expected = "expected ADDRESS:PORT, as in 127.0.0.1:9001";
    let text = settings.fastcgi_listen.as_deref();
    bad.read_optional("--fastcgi-listen", expected, text, |text| text.parse().ok())
}
