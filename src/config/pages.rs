//! The settings of pages: how they look at a site. Flags are for all sites; the file of
//! `--sites-file` has settings for single sites and hosts.

use std::path::PathBuf;

use clap::Args;

use super::look::set;
use super::problems::{BadSetting, Problems};
use super::sites_file;
use super::values::any_path;
use crate::chain::chain;
use crate::login::page::look::Look;
use crate::login::page::own::load_template;
use crate::login::page::{PageSettings, Pages};

/// The settings as text. The comments are the help texts of the flags.
#[allow(rustdoc::bare_urls)]
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Pages of the members area")]
pub struct PageTexts {
    /// TOML file with the settings of this section for single sites and hosts, and with words of
    /// your own [default: none]
    #[arg(
        long,
        global = true,
        env = "USERMAN_SITES_FILE",
        value_name = "FILE",
        value_parser = any_path()
    )]
    pub sites_file: Option<PathBuf>,
    /// Name of the site on its pages [default: none]
    #[arg(long, global = true, env = "USERMAN_SITE_NAME", value_name = "NAME")]
    pub site_name: Option<String>,
    /// Logo of the site: a picture of at most 32 KiB, or a URL with https:// [default: none]
    #[arg(long, global = true, env = "USERMAN_SITE_LOGO", value_name = "FILE|URL")]
    pub site_logo: Option<String>,
    /// Colour of buttons and links, as in #0b5cad [default: blue]
    #[arg(long, global = true, env = "USERMAN_SITE_ACCENT", value_name = "COLOUR")]
    pub site_accent: Option<String>,
    /// Colour of the background [default: white]
    #[arg(long, global = true, env = "USERMAN_SITE_BACKGROUND", value_name = "COLOUR")]
    pub site_background: Option<String>,
    /// Colour of buttons and links in dark mode [default: --site-accent, else light blue]
    #[arg(long, global = true, env = "USERMAN_SITE_DARK_ACCENT", value_name = "COLOUR")]
    pub site_dark_accent: Option<String>,
    /// Colour of the background in dark mode [default: nearly black]
    #[arg(long, global = true, env = "USERMAN_SITE_DARK_BACKGROUND", value_name = "COLOUR")]
    pub site_dark_background: Option<String>,
    /// Language of pages: en, de, fr, es, it, nl, pl, pt, cs or ja [default: the visitor's]
    #[arg(long, global = true, env = "USERMAN_SITE_LANGUAGE", value_name = "LANGUAGE")]
    pub site_language: Option<String>,
    /// Link to a new password, with {siteid} for the site, as in
    /// https://join.example.com/signup/password.php?siteid={siteid} [default: none]
    #[arg(long, global = true, env = "USERMAN_FORGOT_PASSWORD_URL", value_name = "URL")]
    pub forgot_password_url: Option<String>,
    /// Link to the page where visitors become members [default: none]
    #[arg(long, global = true, env = "USERMAN_JOIN_URL", value_name = "URL")]
    pub join_url: Option<String>,
    /// Link to help, also as in mailto:help@example.com [default: none]
    #[arg(long, global = true, env = "USERMAN_SUPPORT_URL", value_name = "URL")]
    pub support_url: Option<String>,
    /// Page of NATS where a member on trial becomes a full member, with {siteid}, {username} and
    /// {authstring}; needs --nats-url or --stand-in [default: none]
    #[arg(long, global = true, env = "USERMAN_UPGRADE_URL", value_name = "URL")]
    pub upgrade_url: Option<String>,
    /// HTML file of your own page, with {{form}} in it [default: a plain page]
    #[arg(
        long,
        global = true,
        env = "USERMAN_LOGIN_TEMPLATE",
        value_name = "FILE",
        value_parser = any_path()
    )]
    pub login_template: Option<PathBuf>,
}

/// The flag of a setting of [`super::look::LOOK_KEYS`], and its text if it is set.
fn given(settings: &PageTexts) -> [(&'static str, &'static str, Option<&str>); 11] {
    fn text(text: &Option<String>) -> Option<&str> {
        text.as_deref()
    }
    let it = settings;
    [
        ("--site-name", "site_name", text(&it.site_name)),
        ("--site-logo", "site_logo", text(&it.site_logo)),
        // Before the accent of the dark mode, which it is the default of.
        ("--site-accent", "site_accent", text(&it.site_accent)),
        ("--site-background", "site_background", text(&it.site_background)),
        ("--site-dark-accent", "site_dark_accent", text(&it.site_dark_accent)),
        ("--site-dark-background", "site_dark_background", text(&it.site_dark_background)),
        ("--site-language", "site_language", text(&it.site_language)),
        ("--forgot-password-url", "forgot_password_url", text(&it.forgot_password_url)),
        ("--join-url", "join_url", text(&it.join_url)),
        ("--support-url", "support_url", text(&it.support_url)),
        ("--upgrade-url", "upgrade_url", text(&it.upgrade_url)),
    ]
}

/// Reads the settings of pages, with the files that they name; collects errors in `bad`. What is
/// bad keeps its default.
pub(super) fn pages(settings: &PageTexts, bad: &mut Problems) -> Pages {
    let mut general = Look::default();
    for (flag, key, text) in given(settings) {
        if let Some(text) = text
            && let Err(problem) = set(&mut general, key, text)
        {
            bad.0.push(BadSetting::new(flag, problem));
        }
    }
    general.template =
        bad.file("--login-template", settings.login_template.as_ref(), load_template);
    let general_only = |general| PageSettings { general, ..PageSettings::default() };
    let read = match settings.sites_file.as_ref() {
        None => general_only(general),
        Some(path) => {
            let path = bad.path("--sites-file", path);
            let read = path.map(|path| sites_file::read(path, general.clone()));
            match read {
                Some(Ok(read)) => read,
                Some(Err(problems)) => {
                    let named = |problem| BadSetting::new("--sites-file", problem);
                    bad.0.extend(problems.into_iter().map(named));
                    general_only(general)
                }
                None => general_only(general),
            }
        }
    };
    Pages::new(read).unwrap_or_else(|error| {
        bad.0.push(BadSetting::new("--login-template", chain(&error)));
        Pages::default()
    })
}
