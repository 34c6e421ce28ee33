//! Reads one setting of the design of pages from its text, of a flag or of a section of a file.

use std::path::Path;

use crate::chain::chain;
use crate::denied::explain;
use crate::login::page::colour::{COLOUR_EXPECTED, Colour};
use crate::login::page::look::{LINK_EXPECTED, Link, Logo, Look, UPGRADE_EXPECTED};
use crate::login::page::own::load_template;
use crate::login::page::words::{LANGUAGE_EXPECTED, Language};

/// The longest name of a site, in characters.
const NAME_CHARS_MAX: usize = 100;
const NAME_EXPECTED: &str = "expected 1 to 100 characters without control characters";

/// The settings that a section of the file may have, too.
pub(super) const LOOK_KEYS: [&str; 12] = [
    "site_name",
    "site_logo",
    "site_accent",
    "site_background",
    "site_dark_accent",
    "site_dark_background",
    "site_language",
    "forgot_password_url",
    "join_url",
    "support_url",
    "upgrade_url",
    "login_template",
];

/// Sets one setting of a look from its text. The error says what was expected, or what is wrong
/// with a file.
pub(super) fn set(look: &mut Look, key: &str, text: &str) -> Result<(), String> {
    let text = text.trim();
    let colour = || read(text, COLOUR_EXPECTED, Colour::parse);
    let link = || read(text, LINK_EXPECTED, Link::parse).map(Some);
    match key {
        "site_name" => look.name = Some(read(text, NAME_EXPECTED, name)?),
        "site_logo" => {
            let logo = Logo::read(text).map_err(|error| {
                format!("cannot read {text}: {}", chain(&explain(Path::new(text), error)))
            })?;
            look.logo = Some(logo);
        }
        "site_accent" => {
            let accent = colour()?;
            look.light.accent = accent;
            look.dark.accent = accent;
        }
        "site_background" => look.light.background = colour()?,
        "site_dark_accent" => look.dark.accent = colour()?,
        "site_dark_background" => look.dark.background = colour()?,
        "site_language" => {
            look.language = Some(read(text, LANGUAGE_EXPECTED, Language::of_code)?);
        }
        "forgot_password_url" => look.forgot_password = link()?,
        "join_url" => look.join = link()?,
        "support_url" => look.support = link()?,
        "upgrade_url" => look.upgrade = Some(read(text, UPGRADE_EXPECTED, Link::parse_upgrade)?),
        "login_template" => {
            let template = load_template(Path::new(text)).map_err(|error| chain(&error))?;
            look.template = Some(template);
        }
        other => return Err(format!("no setting has the name {other}")),
    }
    Ok(())
}

fn read<T>(text: &str, expected: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, String> {
    parse(text).ok_or_else(|| format!("{expected}, found \"{}\"", text.escape_debug()))
}

fn name(text: &str) -> Option<String> {
    let is_good =
        (1..=NAME_CHARS_MAX).contains(&text.chars().count()) && !text.contains(char::is_control);
    is_good.then(|| text.to_owned())
}
