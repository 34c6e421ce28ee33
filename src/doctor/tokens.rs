//! The tokens in the URL for NATS: how hard they are to guess, and who can see them.

use std::collections::HashMap;

use super::context::Context;
use super::report::{Level, Report};
use super::unit;
use crate::data_dir::served::Served;
use crate::token::Token;
use crate::token_file;

/// A token with fewer bits by the estimate of [`bits`] counts as weak. Of one that the program
/// makes, which has 192, the estimate finds more than 120.
const BITS_MIN: f64 = 90.0;
/// More are valid during a rotation only.
const TOKENS_USUAL: usize = 1;

const REPLACE: &str = "run `nats-userman token add`, paste the new URL into NATS, then run \
    `nats-userman token retire`";

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    for sentence in context.exposed {
        report.add(
            Level::Warning,
            "command_line",
            sentence.clone(),
            "use the file of that setting",
        );
    }
    let config = context.config;
    let tokens = if config.postback_tokens.is_empty() {
        // A file that cannot be read is reported with the keys.
        token_file::read(&config.data_dir.token_file()).unwrap_or_default()
    } else {
        config.postback_tokens.clone()
    };
    let file = config.data_dir.token_file();
    let had_file = Served::load(&config.data_dir).is_some_and(|served| !served.tokens_of_settings);
    if tokens.is_empty() && had_file && matches!(token_file::is_there(&file), Ok(false)) {
        report.add(
            Level::Serious,
            "token",
            format!("{} is missing", file.display()),
            "put it back from a backup; a restart creates a new token, whose URL NATS needs then",
        );
        return;
    }
    if tokens.is_empty() {
        report.ok("token", "there is no token yet: the first start makes one");
        return;
    }
    check_strength(&tokens, report);
    let others = (1..).zip(&tokens).filter(|(number, token)| tokens[..*number - 1].contains(token));
    let doubled: Vec<String> = others.map(|(number, _)| number.to_string()).collect();
    if !doubled.is_empty() {
        report.add(
            Level::Note,
            "token_count",
            format!("token {} is in the file twice", doubled.join(", ")),
            "remove the second one",
        );
    } else if tokens.len() > TOKENS_USUAL {
        report.add(
            Level::Note,
            "token_count",
            format!("{} tokens are valid, as during a rotation", tokens.len()),
            "once NATS has the new URL, run `nats-userman token retire` for the old one",
        );
    } else {
        report.ok("token_count", "one token is valid");
    }
    check_shared(context, &tokens, report);
    check_visible(context, &tokens, report);
}

fn check_strength(tokens: &[Token], report: &mut Report) {
    let mut is_good = true;
    for (number, token) in (1..).zip(tokens) {
        let bits = bits(token.expose());
        if bits < BITS_MIN {
            is_good = false;
            report.add(
                Level::Serious,
                "token",
                format!("token {number} is easy to guess: it has a pattern or few characters"),
                REPLACE,
            );
        }
    }
    if is_good {
        report.ok("token", "every token is long and has no pattern");
    }
}

/// An estimate of the random bits of a text: its length times the entropy of its characters,
/// without what repeats or continues a row such as `abc` or `321`.
fn bits(text: &str) -> f64 {
    let bytes = text.as_bytes();
    let mut counts: HashMap<u8, f64> = HashMap::new();
    bytes.iter().for_each(|byte| *counts.entry(*byte).or_default() += 1.0);
    #[expect(clippy::cast_precision_loss, reason = "at most 256 characters")]
    let (length, new) = (bytes.len() as f64, unforeseen(bytes) as f64);
    let entropy: f64 =
        counts.values().map(|count| -(count / length) * (count / length).log2()).sum();
    entropy * new
}

/// How many characters do not follow from those before them.
fn unforeseen(bytes: &[u8]) -> usize {
    let step = |at: usize| i16::from(bytes[at]) - i16::from(bytes[at - 1]);
    let continues_row = |at: usize| at >= 2 && step(at) == step(at - 1) && step(at).abs() <= 1;
    // Three characters that stand somewhere before, as in a word that is written again.
    let repeats = |at: usize| at >= 3 && has(&bytes[..at], &bytes[at - 2..=at]);
    (0..bytes.len()).filter(|&at| !continues_row(at) && !repeats(at)).count()
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Whoever has a token that is an API key as well can use both.
fn check_shared(context: &Context<'_>, tokens: &[Token], report: &mut Report) {
    let keys = &context.config.api.keys;
    let is_key = |token: &Token, username: &str| {
        keys.find(username.as_bytes(), token.expose().as_bytes()).is_some()
    };
    for (number, token) in (1..).zip(tokens) {
        if let Some(key) = keys.iter().find(|key| is_key(token, key.username())) {
            report.add(
                Level::Warning,
                "token_shared",
                format!("token {number} is also the API key of \"{}\"", key.username()),
                REPLACE,
            );
        }
    }
}

/// The arguments of a process, such as the running service, and the variables in a unit are visible
/// to every user.
fn check_visible(context: &Context<'_>, tokens: &[Token], report: &mut Report) {
    let machine = context.machine;
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let shown = machine.processes().into_iter().filter(|process| *process != own).find(|process| {
        let arguments = machine.arguments(*process);
        tokens.iter().any(|token| has(&arguments, token.expose().as_bytes()))
    });
    let variables = unit::variables(machine).unwrap_or_default();
    if tokens.iter().any(|token| variables.contains(token.expose())) {
        report.add(
            Level::Serious,
            "token_visible",
            "a token is in `Environment=` of the unit, which every user can see",
            format!("put it into a file that only the service can read; then {REPLACE}"),
        );
        return;
    }
    match shown {
        Some(process) => report.add(
            Level::Serious,
            "token_visible",
            format!("a token is in the arguments of process {process}, which every user can see"),
            format!("put it into a file that --postback-token-file names; then {REPLACE}"),
        ),
        None => {
            let found = "neither arguments of processes nor the unit show a token";
            report.ok("token_visible", found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_token_is_strong_in_any_alphabet() {
        for _ in 0..1_000 {
            let made = Token::random().unwrap();
            let found = bits(made.expose());
            assert!(found > 120.0, "{found}");
        }
        for text in [
            "Zq0-k3_fV9sLw1XyTb7uNc5RjGdHmPaE",
            "8f14e45fceea167a5a36dedd4bea2543",
            "test-token-0123456789abcdef-0123456789",
        ] {
            let strong = !text.starts_with("test");
            assert_eq!(bits(text) >= BITS_MIN, strong, "{text}: {}", bits(text));
        }
    }

    #[test]
    fn a_pattern_is_weak_however_long_it_is() {
        for text in [
            "a".repeat(256),
            "ab".repeat(40),
            "abcdefghijklmnopqrstuvwxyz0123456789".into(),
            "changeme".repeat(8),
            "postback-token-postback-token-postback".into(),
            "12345678901234567890123456789012".into(),
            "0".repeat(20) + "1f3a9c7d20b4",
        ] {
            assert!(bits(&text) < BITS_MIN, "{text}: {}", bits(&text));
        }
    }
}
