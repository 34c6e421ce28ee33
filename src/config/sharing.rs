//! The settings of the protection against shared logins.

use std::path::PathBuf;

use clap::Args;

use super::problems::{BadSetting, Problems};
use super::values::{any_path, number};
use crate::country_file::CountryFile;
use crate::identity::{Key, MemberId, SiteId};
use crate::login::settings::{SharingAction, SharingConfig};
use crate::network::{NETWORK_EXPECTED, parse_network};

const MINUTE_SECONDS: i64 = 60;
/// The most networks that can be set: the database keeps 64 of a member.
const NETWORKS_MAX: u32 = 60;
/// A month of minutes.
const MINUTES_MAX: u32 = 44_640;
/// Shorter, and each request would be near the end of the period.
const MINUTES_MIN: u32 = 10;
/// The most countries of a member, where there is a file of countries. `docs/sharing.md` has the
/// reason.
const COUNTRIES: u32 = 4;

/// The settings as text. The comments are the help texts of the flags.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Sharing protection")]
pub struct SharingSettings {
    /// What happens to a member whose login is used from too many networks: off counts nothing, log
    /// writes a line, block also keeps the member out for a while
    #[arg(
        long,
        global = true,
        env = "USERMAN_SHARING",
        value_name = "ACTION",
        default_value = "log"
    )]
    pub sharing: String,
    /// The most networks of a member within the period; 0 disables the limit
    #[arg(
        long,
        global = true,
        env = "USERMAN_SHARING_NETWORKS",
        value_name = "COUNT",
        default_value = "12"
    )]
    pub sharing_networks: String,
    /// The period, in minutes
    #[arg(
        long,
        global = true,
        env = "USERMAN_SHARING_MINUTES",
        value_name = "MINUTES",
        default_value = "1440"
    )]
    pub sharing_minutes: String,
    /// The most networks of a member at once, within five minutes; 0 disables the limit
    #[arg(
        long,
        global = true,
        env = "USERMAN_SHARING_AT_ONCE",
        value_name = "COUNT",
        default_value = "8"
    )]
    pub sharing_at_once: String,
    /// File of countries in MaxMind's format, as GeoLite2-Country.mmdb [default: none, countries
    /// are not counted]
    #[arg(
        long,
        global = true,
        env = "USERMAN_SHARING_COUNTRY_FILE",
        value_name = "FILE",
        value_parser = any_path()
    )]
    pub sharing_country_file: Option<PathBuf>,
    /// The most countries of a member within the period, with --sharing-country-file; 0 disables
    /// the limit [default: 4]
    #[arg(long, global = true, env = "USERMAN_SHARING_COUNTRIES", value_name = "COUNT")]
    pub sharing_countries: Option<String>,
    /// Minutes that a member is blocked
    #[arg(
        long,
        global = true,
        env = "USERMAN_SHARING_BLOCK_MINUTES",
        value_name = "MINUTES",
        default_value = "60"
    )]
    pub sharing_block_minutes: String,
    /// Length of the IPv4 prefix that counts as one network
    #[arg(
        long,
        global = true,
        env = "USERMAN_SHARING_IPV4_PREFIX",
        value_name = "BITS",
        default_value = "24"
    )]
    pub sharing_ipv4_prefix: String,
    /// Length of the IPv6 prefix that counts as one network
    #[arg(
        long,
        global = true,
        env = "USERMAN_SHARING_IPV6_PREFIX",
        value_name = "BITS",
        default_value = "48"
    )]
    pub sharing_ipv6_prefix: String,
    /// Member who is never counted, as SITEID/MEMBERID; repeatable
    #[arg(
        long,
        global = true,
        env = "USERMAN_SHARING_EXEMPT_MEMBER",
        value_name = "SITE/MEMBER",
        value_delimiter = ','
    )]
    pub sharing_exempt_member: Vec<String>,
    /// Address or network that is never counted, as an office; repeatable
    #[arg(
        long,
        global = true,
        env = "USERMAN_SHARING_EXEMPT_NETWORK",
        value_name = "NETWORK",
        value_delimiter = ','
    )]
    pub sharing_exempt_network: Vec<String>,
}

/// Reads the settings; collects errors in `bad`.
pub(super) fn read(settings: &SharingSettings, bad: &mut Problems) -> Option<SharingConfig> {
    let action = bad.read("--sharing", "expected off, log or block", &settings.sharing, action);
    let count = "expected a whole number from 0 to 60, 0 for off";
    let limit = number(0, NETWORKS_MAX);
    let networks = bad.read("--sharing-networks", count, &settings.sharing_networks, &limit);
    let at_once = bad.read("--sharing-at-once", count, &settings.sharing_at_once, &limit);
    let countries = countries(settings, bad);
    let period = bad.read(
        "--sharing-minutes",
        "expected a whole number of minutes from 10 to 44640",
        &settings.sharing_minutes,
        number(MINUTES_MIN, MINUTES_MAX),
    );
    let block = bad.read(
        "--sharing-block-minutes",
        "expected a whole number of minutes from 1 to 44640",
        &settings.sharing_block_minutes,
        number(1, MINUTES_MAX),
    );
    let ipv4 = bad.read(
        "--sharing-ipv4-prefix",
        "expected a whole number of bits from 8 to 32",
        &settings.sharing_ipv4_prefix,
        number(8, 32),
    );
    let ipv6 = bad.read(
        "--sharing-ipv6-prefix",
        "expected a whole number of bits from 16 to 64",
        &settings.sharing_ipv6_prefix,
        number(16, 64),
    );
    let exempt_members = bad.read_all(
        "--sharing-exempt-member",
        "expected SITEID/MEMBERID, as in 1/71",
        &settings.sharing_exempt_member,
        member,
    );
    let exempt_networks = bad.read_all(
        "--sharing-exempt-network",
        NETWORK_EXPECTED,
        &settings.sharing_exempt_network,
        parse_network,
    );
    Some(SharingConfig {
        action: action?,
        networks: networks?,
        at_once: at_once?,
        countries: countries?,
        window_seconds: i64::from(period?) * MINUTE_SECONDS,
        block_seconds: i64::from(block?) * MINUTE_SECONDS,
        ipv4_prefix: u8::try_from(ipv4?).ok()?,
        ipv6_prefix: u8::try_from(ipv6?).ok()?,
        exempt_members,
        exempt_networks,
    })
}

/// The limit of countries, which needs a file of them.
fn countries(settings: &SharingSettings, bad: &mut Problems) -> Option<u32> {
    let (flag, text) = ("--sharing-countries", settings.sharing_countries.as_deref());
    let expected = "expected a whole number from 0 to 60, 0 for off";
    let limit = match text {
        Some(text) => Some(bad.read(flag, expected, text, number(0, NETWORKS_MAX))?),
        None => None,
    };
    match (&settings.sharing_country_file, limit) {
        (Some(_), limit) => Some(limit.unwrap_or(COUNTRIES)),
        (None, None | Some(0)) => Some(0),
        (None, Some(_)) => {
            bad.0.push(BadSetting::new(
                flag,
                "needs a file of countries: set --sharing-country-file too",
            ));
            None
        }
    }
}

/// Reads the file of countries, if there is one.
pub(super) fn country_file(settings: &SharingSettings, bad: &mut Problems) -> Option<CountryFile> {
    let file = settings.sharing_country_file.as_ref();
    bad.file("--sharing-country-file", file, CountryFile::read)
}

fn action(text: &str) -> Option<SharingAction> {
    let all = [SharingAction::Off, SharingAction::Log, SharingAction::Block];
    all.into_iter().find(|action| action.as_str() == text)
}

fn member(text: &str) -> Option<Key> {
    let (site, member) = text.trim().split_once('/')?;
    Some(Key { site: SiteId::parse(site)?, member: MemberId::parse(member)? })
}
