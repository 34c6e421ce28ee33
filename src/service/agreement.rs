//! What the receivers of one database should have in common besides their keys. Each start stores
//! the values of some settings, and warns of those that differ from the values of the receiver that
//! started before it: both would treat the same members differently. Tokens that change later are
//! stored then, so that the next start compares with them.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::apply::in_transaction;
use crate::chain::chain;
use crate::config::Config;
use crate::data_dir::served::Served;
use crate::store::{Location, Read, SharedSetting, with_engine};
use crate::token::Token;
use crate::token_file;
use crate::token_file::current::Tokens;

/// How long changed tokens wait after they could not be stored.
const STORE_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Stores the settings, and warns of each that differs. Does nothing where the database has one
/// receiver. A database that cannot be written now is no reason to fail: the writer logs that.
pub(super) fn compare_settings(config: &Config) {
    if !config.location.is_shared() {
        return;
    }
    let mut ours = settings(config);
    ours.extend(tokens(config));
    match store(&config.location, &ours) {
        Ok(theirs) => differences(&ours, &theirs).iter().for_each(|line| log::warn!("{line}")),
        Err(error) => {
            log::warn!("could not compare the settings with those of other receivers: {error}")
        }
    }
}

/// Stores settings. Returns what was stored under their names before.
fn store(location: &Location, ours: &[SharedSetting]) -> Result<Vec<SharedSetting>, String> {
    let stored = with_engine(location, false, |engine| {
        in_transaction(engine, |engine| engine.agree_on_settings(ours))
    });
    stored.map_err(|error| chain(&error))?.map_err(|fault| chain(&fault))
}

/// Stores the tokens each time they have changed, and looks for that after each `every`. Ends at
/// once where the database has one receiver, and else never. `stored` are the tokens of the start.
///
/// It warns of nothing: while an operator replaces the tokens of one receiver after the other, they
/// differ for a while.
pub(super) async fn follow_tokens(
    location: &Location,
    tokens: &Tokens,
    mut stored: Arc<Vec<Token>>,
    every: Duration,
) {
    if !location.is_shared() {
        return;
    }
    loop {
        tokio::time::sleep(every).await;
        let now = tokens.all();
        if now == stored {
            continue;
        }
        let (location, setting) = (location.clone(), fingerprint(&now));
        // It crosses a network, so it must not hold up this thread.
        let done = tokio::task::spawn_blocking(move || store(&location, &[setting])).await;
        match done.map_err(|error| chain(&error)).flatten() {
            Ok(_) => stored = now,
            Err(error) => {
                log::warn!("could not store the fingerprint of the changed tokens: {error}");
                tokio::time::sleep(STORE_AGAIN_AFTER).await;
            }
        }
    }
}

/// Warns of a token that was created although NATS may have been given another one: the service has
/// run in this directory before, or other receivers may use the database already.
pub(super) fn warn_of_new_token(config: &Config, reader: &dyn Read) {
    let file = config.data_dir.token_file();
    let before = Served::load(&config.data_dir);
    if before.as_ref().is_some_and(|served| served.tokens_of_settings) {
        log::warn!(
            "the service had its token from a setting before, and a new one was created in {}: \
             NATS gets 403 until it has the new URL, which `nats-userman token show` prints; or \
             set the token again, remove this file and restart",
            file.display()
        );
    } else if before.is_some() {
        log::warn!(
            "{} was missing, and a new token was created: NATS gets 403 until it has the new URL, \
             which `nats-userman token show` prints; if the old file is in a backup, put it back \
             and restart",
            file.display()
        );
    } else if config.location.is_shared() && !reader.is_unused().unwrap_or(true) {
        log::warn!(
            "a new token was created in {}: if the database has other receivers, stop this one and \
             copy their postback-token over it, so that all take the URL that NATS calls",
            file.display()
        );
    }
}

/// The settings that decide what a postback, a login or the upkeep does to a member.
fn settings(config: &Config) -> Vec<SharedSetting> {
    let (area, limits, sharing) = (&config.area, &config.area.limits, &config.area.sharing);
    let values = [
        ("time_zone", config.expiry.zone.to_string()),
        ("expire_grace_hours", config.expiry.grace_hours.to_string()),
        ("password_hash", config.password_hash.to_string()),
        ("keep_cryptpass", config.keep_cryptpass.to_string()),
        ("stale_guard", config.stale_guard.to_string()),
        ("journal_days", config.journal_days.map_or("for ever".into(), |days| days.to_string())),
        ("login_hours", (area.login_seconds / 3_600).to_string()),
        ("login_by_email", area.by_email.to_string()),
        ("login_stay_hours", (area.stay_seconds.unwrap_or(0) / 3_600).to_string()),
        ("login_idle_minutes", (area.idle_seconds.unwrap_or(0) / 60).to_string()),
        ("login_limit_pair", limits.pair.to_string()),
        ("login_limit_network", limits.network.to_string()),
        ("login_limit_name", limits.name.to_string()),
        ("login_window_minutes", (limits.window_seconds / 60).to_string()),
        ("login_block_minutes", (limits.block_seconds / 60).to_string()),
        ("login_days", area.login_days.to_string()),
        ("sharing", sharing.action.as_str().into()),
        ("sharing_networks", sharing.networks.to_string()),
        ("sharing_minutes", (sharing.window_seconds / 60).to_string()),
        ("sharing_at_once", sharing.at_once.to_string()),
        ("sharing_countries", sharing.countries.to_string()),
        ("sharing_block_minutes", (sharing.block_seconds / 60).to_string()),
        ("sharing_ipv4_prefix", sharing.ipv4_prefix.to_string()),
        ("sharing_ipv6_prefix", sharing.ipv6_prefix.to_string()),
    ];
    let setting = |(name, value): (&str, String)| SharedSetting { name: name.into(), value };
    values.map(setting).into()
}

/// The tokens of this receiver as a fingerprint. Returns nothing if they cannot be read: the start
/// reports that.
fn tokens(config: &Config) -> Option<SharedSetting> {
    if !config.postback_tokens.is_empty() {
        return Some(fingerprint(&config.postback_tokens));
    }
    token_file::read(&config.data_dir.token_file()).ok().map(|all| fingerprint(&all))
}

/// A fingerprint of tokens, which reveals none: a token is long and random. NATS calls one URL, and
/// each receiver behind it must accept its token.
fn fingerprint(tokens: &[Token]) -> SharedSetting {
    let mut texts: Vec<&str> = tokens.iter().map(Token::expose).collect();
    texts.sort_unstable();
    let mut digest = Sha256::new_with_prefix(b"nats-userman postback tokens v1");
    texts.iter().for_each(|text| digest.update(Sha256::digest(text)));
    let print: String =
        digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    SharedSetting { name: "fingerprint of the postback tokens".into(), value: print }
}

/// A sentence for each setting that differs.
fn differences(ours: &[SharedSetting], theirs: &[SharedSetting]) -> Vec<String> {
    let differs = |ours: &SharedSetting| {
        let theirs = theirs.iter().find(|it| it.name == ours.name && it.value != ours.value)?;
        Some(format!(
            "{} is {} here and {} at the receiver that started before this one: receivers of one \
             database need the same value",
            ours.name, ours.value, theirs.value
        ))
    };
    ours.iter().filter_map(differs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(flags: &[&str]) -> Vec<SharedSetting> {
        settings(&Config::of_flags(flags))
    }

    #[test]
    fn each_setting_that_differs_is_one_sentence_with_both_values() {
        let ours = of(&["--time-zone", "Europe/Berlin", "--journal-days", "30"]);
        assert_eq!(differences(&ours, &ours), [""; 0]);
        assert_eq!(differences(&ours, &[]), [""; 0], "the first receiver");
        let then = "at the receiver that started before this one: receivers of one database need \
            the same value";
        assert_eq!(
            differences(
                &ours,
                &of(&[
                    "--password-hash",
                    "bcrypt",
                    "--login-limit-name",
                    "7",
                    "--sharing",
                    "block",
                    "--login-days",
                    "0"
                ])
            ),
            [
                format!("time_zone is Europe/Berlin here and UTC {then}"),
                format!("password_hash is argon2id here and bcrypt {then}"),
                format!("journal_days is 30 here and for ever {then}"),
                format!("login_limit_name is 100 here and 7 {then}"),
                format!("login_days is 90 here and 0 {then}"),
                format!("sharing is log here and block {then}"),
            ]
        );
    }

    #[test]
    fn a_setting_has_the_name_and_the_value_of_the_configuration_file() {
        for SharedSetting { name, value } in of(&[]) {
            assert!(name.len() <= 64 && value.len() <= 255);
            // A switch takes no value, and no number means for ever.
            let without = ["keep_cryptpass", "stale_guard", "journal_days", "login_by_email"];
            if !without.contains(&name.as_str()) {
                let flag = format!("--{}", name.replace('_', "-"));
                assert_eq!(of(&[&flag, &value]), of(&[]), "{flag} {value}");
            }
        }
    }

    #[test]
    fn receivers_with_the_same_tokens_have_the_same_fingerprint_in_any_order() {
        let print = |given: &[&str]| {
            let flags: Vec<&str> =
                given.iter().flat_map(|&token| ["--postback-token", token]).collect();
            tokens(&Config::of_flags(&flags)).map(|setting| setting.value)
        };
        let (one, other) = (&"a".repeat(32), &"b".repeat(32));
        assert_eq!(print(&[one, other]), print(&[other, one]));
        assert_ne!(print(&[one, other]), print(&[one]));
        assert_eq!(print(&[one]).map(|print| print.len()), Some(16));
        assert_eq!(print(&[]), None, "there is no file of tokens yet");
    }
}
