//! Proxies, allowed networks and the public URL, compared with the callers that the journal has
//! seen.

use std::net::IpAddr;

use super::context::Known;
use super::fastcgi;
use super::report::{Level, Report};
use super::units::DAY_SECONDS;
use crate::config::Config;
use crate::counted::age;
use crate::network::{contains, normalise};
use crate::store::SeenCaller;

/// A caller that was not seen for longer may not call any more, seconds.
const RECENT_SECONDS: i64 = 7 * DAY_SECONDS;
/// With more addresses the callers are not stable enough for a list.
const STABLE_MAX: usize = 4;
/// With fewer postbacks nothing can be concluded.
const RECORDS_MIN: u64 = 20;

pub(super) fn check(config: &Config, known: &Known, now: i64, report: &mut Report) {
    check_settings(config, report);
    let callers = known.diagnosis().map_or(&[][..], |diagnosis| &diagnosis.callers);
    let seen: Vec<(IpAddr, &SeenCaller)> = callers
        .iter()
        .filter_map(|caller| Some((normalise(caller.address.parse().ok()?), caller)))
        .filter(|(_, caller)| now.saturating_sub(caller.last_at) <= RECENT_SECONDS)
        .collect();
    if seen.is_empty() {
        report.ok("proxies", "not checked: no postback came in the last seven days");
        return;
    }
    check_proxies(config, &seen, report);
    check_allowed(config, &seen, now, report);
}

/// What the settings alone show.
pub(super) fn check_settings(config: &Config, report: &mut Report) {
    check_url(config, report);
    check_wide(config, report);
    fastcgi::check_peers(config, report);
}

fn check_url(config: &Config, report: &mut Report) {
    let name = "public_url";
    match config.public_url.as_deref() {
        Some(url) if url.starts_with("https://") => report.ok(name, format!("{url} is encrypted")),
        Some(url) => report.add(
            Level::Warning,
            name,
            format!("{url} is not https: passwords and the token travel unencrypted"),
            "set up TLS in the web server and set --public-url to https://…",
        ),
        None => report.add(
            Level::Note,
            name,
            "--public-url is not set, so that the printed URL is that of the listener",
            "set it to the https:// URL of your web server",
        ),
    }
}

/// A network that contains every address.
fn check_wide(config: &Config, report: &mut Report) {
    for (flag, networks, level, why) in [
        (
            "--trusted-proxy",
            &config.trusted_proxy.0,
            Level::Serious,
            "anybody can pretend to have any address",
        ),
        ("--allow-ip", &config.allow_ip, Level::Note, "it limits nothing"),
    ] {
        if let Some(network) = networks.iter().find(|network| network.prefix_len() == 0) {
            report.add(
                level,
                "networks",
                format!("{flag} has {network}, which is every address: {why}"),
                "list the addresses that you mean",
            );
        }
    }
}

fn check_proxies(config: &Config, seen: &[(IpAddr, &SeenCaller)], report: &mut Report) {
    let name = "proxies";
    let trusted = &config.trusted_proxy.0;
    let of_proxy = seen.iter().find(|(address, _)| contains(trusted, *address));
    let are_all = |is: fn(&IpAddr) -> bool| seen.iter().all(|(address, _)| is(address));
    if let Some((address, caller)) = of_proxy {
        report.add(
            Level::Warning,
            name,
            format!(
                "{} of the newest postbacks came from {address} itself, which --trusted-proxy \
                 lists: it sends no X-Forwarded-For, or NATS runs on that machine",
                caller.records
            ),
            "if NATS runs elsewhere, let the proxy set X-Forwarded-For, as the files in examples/ \
             do",
        );
    } else if trusted.is_empty() && are_all(is_inside) {
        let addresses = list(seen);
        report.add(
            Level::Warning,
            name,
            format!(
                "every postback of the last seven days came from {addresses}, and no proxy is \
                 listed: a proxy hides the callers"
            ),
            format!("set --trusted-proxy {addresses}, if your web server is there"),
        );
    } else {
        report.ok(name, format!("postbacks came from {}", list(seen)));
    }
}

/// An address of this machine or of a private network, where NATS is not.
fn is_inside(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

fn check_allowed(config: &Config, seen: &[(IpAddr, &SeenCaller)], now: i64, report: &mut Report) {
    let name = "allowed_networks";
    if config.allow_ip.is_empty() {
        let (records, since) = seen.iter().fold((0, now), |(records, since), (_, caller)| {
            (records + caller.records, since.min(caller.first_at))
        });
        let is_stable = seen.len() <= STABLE_MAX
            && records >= RECORDS_MIN
            && now.saturating_sub(since) >= DAY_SECONDS
            && !seen.iter().any(|(address, _)| is_inside(address));
        if is_stable {
            report.add(
                Level::Note,
                name,
                format!(
                    "every address may post, and all {records} postbacks of the last {} came from \
                     {}",
                    age(now.saturating_sub(since)),
                    list(seen)
                ),
                format!("limit it: --allow-ip {}", list(seen)),
            );
        } else {
            report.ok(name, "every address may post with the token");
        }
        return;
    }
    let outside: Vec<_> =
        seen.iter().filter(|(address, _)| !contains(&config.allow_ip, *address)).copied().collect();
    if outside.is_empty() {
        report.ok(name, "every address that posted recently is in --allow-ip");
    } else {
        report.add(
            Level::Warning,
            name,
            format!(
                "postbacks of the last seven days came from {}, which --allow-ip does not have: \
                 they get 403 now",
                list(&outside)
            ),
            format!("if that is NATS, add --allow-ip {}", list(&outside)),
        );
    }
}

/// The addresses, with commas, as a variable takes them.
fn list(seen: &[(IpAddr, &SeenCaller)]) -> String {
    const SHOWN_MAX: usize = 10;
    let mut addresses: Vec<String> =
        seen.iter().take(SHOWN_MAX).map(|(address, _)| address.to_string()).collect();
    if seen.len() > SHOWN_MAX {
        addresses.push("…".into());
    }
    addresses.join(",")
}
