//! `check-config`: prints the settings in effect, with secrets hidden, and what is wrong with them.
//! Changes nothing.

use std::io::{IsTerminal as _, Write as _, stderr, stdout};
use std::path::Path;
use std::time::Duration;

use indicatif::ProgressBar;

use super::failure::{Failure, NEXT_LINE};
use crate::authstring::keys::ApiKey;
use crate::chain::chain;
use crate::clock::Clock;
use crate::config::{Config, Settings};
use crate::counted::counted;
use crate::database;
use crate::doctor::{exact_alone, key_problems, places};
use crate::hardening::leftovers;
use crate::login::cookie_domain::CookieDomain;
use crate::login::settings::GuessLimits;
use crate::nats_client::settings::{AuthStringConfig, StringSource};
use crate::password::HashKind;
use crate::store::{
    DatabaseState, Fault, OpenError, Read, check_content, open_for_check, pages, planned_upgrade,
};

/// How often the spinner moves.
const TICK_EVERY: Duration = Duration::from_millis(100);

pub(super) fn run(
    settings: &Settings,
    config: &Config,
    file: Option<&Path>,
    exposed: &[String],
) -> Result<(), Failure> {
    let mut out = stdout().lock();
    let list = |networks: &[ipnet::IpNet], none: &str| match networks {
        [] => none.to_owned(),
        some => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let tokens = match config.postback_tokens.len() {
        0 => format!("those in {}", config.data_dir.token_file().display()),
        some => format!("{some} of the settings"),
    };
    let days = config.journal_days.map_or_else(|| "for ever".into(), |days| counted(days, "day"));
    let rows = [
        ("settings file", file.map_or_else(|| "none".into(), |file| file.display().to_string())),
        ("listen", config.listen.to_string()),
        ("FastCGI", config.fastcgi_listen.map_or_else(|| "off".into(), |it| it.to_string())),
        ("operations", config.ops.listen.map_or_else(|| "off".into(), |it| it.to_string())),
        ("public URL", format!("{}***", config.postback_url_base(config.listen))),
        ("data directory", config.data_dir.path().display().to_string()),
        ("database", config.location.setting()),
        ("tokens", tokens),
        ("allowed networks", list(&config.allow_ip, "any")),
        ("trusted proxies", list(&config.trusted_proxy.0, "none")),
        ("time zone", {
            let grace = counted(config.expiry.grace_hours, "hour");
            format!("{}, {grace} of grace", config.expiry.zone)
        }),
        ("clock jumps", clock_jumps(config.clock_jump_minutes)),
        ("password hash", settings.password_hash.trim().to_owned()),
        ("keep cryptpass", if config.keep_cryptpass { "yes" } else { "no" }.into()),
        ("stale guard", if config.stale_guard { "on" } else { "off" }.into()),
        ("journal kept", days),
        ("upgrade copy", if config.location.keeps_upgrade_copy() { "kept" } else { "none" }.into()),
        ("backups", backups(settings, config)),
        ("logins", logins(config)),
        ("logins recorded", config.logins_kept()),
        ("sharing", config.sharing_in_words()),
        ("guessing", guessing(&config.area.limits)),
        ("API keys", api_keys(&config.api)),
        ("authstrings", authstrings(&config.api.source)),
        ("log", format!("{}, {}", settings.log.trim(), settings.log_format.trim())),
    ];
    let access = config.location.access().map(|access| ("database access", access));
    let at = rows.iter().position(|(name, _)| *name == "tokens").unwrap_or(rows.len());
    let (before, after) = rows.split_at(at);
    for (name, value) in before.iter().chain(&access).chain(after) {
        writeln!(out, "{name:<17} {value}")?;
    }
    let Findings { problems, members, upgrade } = find(config);
    if let Some(sentence) = upgrade {
        writeln!(out, "{sentence}")?;
    }
    let lost = database::is_lost(config).then(|| chain(&database::missing(config)));
    let without_effect = config.upgrade_without_nats().map(str::to_owned);
    let notes: Vec<&String> =
        exposed.iter().chain(&without_effect).chain(&lost).chain(&members).collect();
    for sentence in &notes {
        writeln!(out, "{sentence}")?;
    }
    if problems.is_empty() {
        writeln!(out, "{}configuration OK", if notes.is_empty() { "" } else { "otherwise, " })?;
        return Ok(());
    }
    out.flush()?;
    Err(Failure::Failed(problems.join(NEXT_LINE)))
}

fn clock_jumps(minutes: u32) -> String {
    match minutes {
        0 => "accepted at once".into(),
        some => format!("accepted after {}", counted(some, "minute")),
    }
}

fn backups(settings: &Settings, config: &Config) -> String {
    let Some(every) = &settings.backup.backup_every else { return "none by the service".into() };
    let wishes = &config.backup.wishes;
    let kept = wishes.keep.map_or_else(|| "all".into(), |keep| format!("the newest {keep}"));
    let keys = if wishes.with_keys { "with keys" } else { "without keys" };
    format!("every {} into {}, {keys}, keeping {kept}", every.trim(), wishes.dir.display())
}

fn logins(config: &Config) -> String {
    let area = &config.area;
    let domains: Vec<&str> = area.cookie_domains.iter().map(CookieDomain::as_str).collect();
    let shared = if domains.is_empty() {
        "separate for each host".into()
    } else {
        format!("shared by {}", domains.join(" and by "))
    };
    let page =
        if config.pages.settings().has_template() { "your own page" } else { "the default page" };
    let idle = area
        .idle_seconds
        .map(|seconds| format!(", or {} unused", counted(seconds.unsigned_abs() / 60, "minute")))
        .unwrap_or_default();
    format!(
        "{}{idle}, {shared}, {page}",
        counted(area.login_seconds.unsigned_abs() / 3_600, "hour")
    )
}

fn guessing(limits: &GuessLimits) -> String {
    let count = |limit: u32| if limit == 0 { "off".into() } else { limit.to_string() };
    format!(
        "pair {}, network {}, name {} wrong passwords within {} block for {}",
        count(limits.pair),
        count(limits.network),
        count(limits.name),
        counted(limits.window_seconds / 60, "minute"),
        counted(limits.block_seconds / 60, "minute")
    )
}

fn api_keys(api: &AuthStringConfig) -> String {
    let names: Vec<_> = api.keys.iter().map(ApiKey::to_string).collect();
    if names.is_empty() {
        "none, /api refuses all requests".into()
    } else {
        format!("of {}", names.join(", "))
    }
}

fn authstrings(source: &StringSource) -> String {
    match source {
        StringSource::None => "none".into(),
        StringSource::Nats(access, time_max) => {
            format!("of {} as {}, within {} s", access.url(), access.username(), time_max.as_secs())
        }
        StringSource::StandIn(seconds) => {
            format!(
                "stand-in, unknown to NATS, valid for {}",
                counted(seconds.unsigned_abs() / 60, "minute")
            )
        }
    }
}

/// Problems of the database, and members who cannot log in.
struct Findings {
    problems: Vec<String>,
    /// Members whom an Apache that reads the table refuses, or who can log in only with the exact
    /// username. No setting changes that; the service starts anyway.
    members: Vec<String>,
    /// What the next start does to an older database.
    upgrade: Option<String>,
}

/// Checks what a start would find, without changes.
fn find(config: &Config) -> Findings {
    let (mut members, mut upgrade) = (Vec::new(), None);
    let mut problems = places::problems(config);
    let database = whole_database(config);
    let reader = database.as_ref().ok().and_then(|reader| reader.as_deref());
    problems.extend(key_problems(config, reader));
    match (&database, reader) {
        (Err(error), _) => {
            // A file without access was reported above.
            let said = chain(error);
            if !problems.contains(&said) {
                problems.push(said);
            }
        }
        (Ok(_), None) => match planned_upgrade(&config.location) {
            Ok(Some(plan)) if plan.is_refused() => problems.push(plan.to_string()),
            Ok(plan) => upgrade = plan.map(|plan| plan.to_string()),
            Err(error) => problems.push(chain(&error)),
        },
        (Ok(_), Some(reader)) => {
            members = members_blocked(config, reader).unwrap_or_else(|fault| {
                problems.push(chain(&fault));
                Vec::new()
            });
            match exact_alone(reader) {
                Ok(sentences) => members.extend(sentences),
                Err(fault) => problems.push(chain(&fault)),
            }
        }
    }
    Findings { problems, members, upgrade }
}

fn members_blocked(config: &Config, reader: &dyn Read) -> Result<Vec<String>, Fault> {
    let (kind, keep_cryptpass) = (config.password_hash, config.keep_cryptpass);
    if kind == HashKind::Argon2id && !keep_cryptpass {
        return Ok(Vec::new());
    }
    let forms = pages::count_forms(reader, Clock::System.now(), || true)?.unwrap_or_default();
    Ok(leftovers::blocked(&forms, kind, keep_cryptpass))
}

/// A database of this release, if there is one. Its pages are checked, which `serve` does only
/// before an upgrade, as it reads the whole file.
fn whole_database(config: &Config) -> Result<Option<Box<dyn Read>>, OpenError> {
    match database::state(config)? {
        // The first start creates it.
        DatabaseState::Missing | DatabaseState::Begun => Ok(None),
        // The next start upgrades it, and checks the pages before that.
        DatabaseState::Older(_) => pages(config).map(|()| None),
        DatabaseState::Current => {
            pages(config)?;
            open_for_check(&config.location).map(Some)
        }
    }
}

/// Checks all pages, which takes long for a large database.
fn pages(config: &Config) -> Result<(), OpenError> {
    let bar =
        if stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    bar.set_message(format!("reading {}", config.location));
    bar.enable_steady_tick(TICK_EVERY);
    let checked = check_content(&config.location);
    bar.finish_and_clear();
    checked
}
