//! The pages of the members area: plain HTML that works without JavaScript, with a keyboard, and on
//! a phone. They are made by templates, and the operator may put the parts into their own page.
//!
//! [`Pages::render`] is a function from settings and [`Facts`] to a page. It reads nothing else.

pub mod colour;
pub mod look;
pub mod own;
mod templates;
pub mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::{Error, HtmlEscape, Value, context};

use super::ask::Ask;
use super::unkept::Missing;
use crate::identity::SiteId;
use look::{Link, Look};
use templates::Templates;
use words::Language;

/// The message about the last attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginMessage {
    /// Nothing: this is the first visit.
    Nothing,
    /// No member has this name and this password.
    Wrong,
    /// Too many wrong passwords.
    Blocked,
    /// Several people seem to use the login.
    Shared,
    /// Too many logins at once, or the database cannot be read.
    Busy,
    /// Logged in, but this part is for full members.
    Trial,
    /// The login ended because it was not used for too long.
    Idle,
    /// The form was not sent from our own page.
    Foreign,
    /// The password was right, but the browser came back without the cookie.
    NotKept(Missing),
    /// No upgrade can be begun now.
    NoUpgrade,
}

impl LoginMessage {
    /// The name of its text among the words.
    fn word(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Wrong => Some("wrong"),
            Self::Blocked => Some("blocked"),
            Self::Shared => Some("shared"),
            Self::Busy => Some("busy"),
            Self::Trial => Some("trial"),
            Self::Idle => Some("idle"),
            Self::Foreign => Some("foreign"),
            Self::NotKept(Missing::ByHttp) => Some("by_http"),
            Self::NotKept(Missing::OtherHost) => Some("other_host"),
            Self::NotKept(Missing::Unknown) => Some("not_kept"),
            Self::NoUpgrade => Some("no_upgrade"),
        }
    }
}

/// Which page is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The login form.
    Login(LoginMessage),
    /// The visitor is on trial, and this part is for full members.
    Trial(LoginMessage),
    /// There were too many wrong passwords.
    Blocked,
    /// Several people seem to use the member's login.
    Shared,
    /// It cannot be decided now whether the visitor may enter.
    Unavailable,
    /// The button that logs out.
    Logout,
}

impl Shown {
    /// The page for a message about the last attempt.
    pub fn of(message: LoginMessage) -> Self {
        match message {
            LoginMessage::Trial | LoginMessage::NoUpgrade => Self::Trial(message),
            _ => Self::Login(message),
        }
    }

    /// Its name in templates, the word in its title, and the word of its message.
    fn names(self) -> (&'static str, &'static str, Option<&'static str>) {
        match self {
            Self::Login(message) => ("login", "log_in", message.word()),
            Self::Trial(message) => ("trial", "trial_title", message.word()),
            Self::Blocked => ("blocked", "blocked_title", Some("blocked")),
            Self::Shared => ("blocked", "blocked_title", Some("shared")),
            Self::Unavailable => ("unavailable", "busy_title", Some("unavailable")),
            Self::Logout => ("logout", "log_out", Some("log_out_question")),
        }
    }
}

/// What a page is about.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Which page is shown.
    pub shown: Shown,
    /// The query of the protected site; `None`: the page is about no site.
    pub ask: Option<&'a Ask>,
    /// The host, without its port.
    pub host: &'a str,
    /// The browser's `Accept-Language`, or an empty text.
    pub languages: &'a str,
    /// The path to which the browser goes after the login.
    pub back: &'a str,
    /// The name that was typed at the last attempt, or an empty text.
    pub username: &'a str,
    /// Whether a click can begin the visitor's upgrade.
    pub can_upgrade: bool,
    /// What the login form has.
    pub form: Form,
}

/// What the login form has beside name and password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// Whether there is a box to stay logged in.
    pub can_stay: bool,
    /// Whether the box is ticked.
    pub stay: bool,
    /// Whether members can log in with their e-mail address.
    pub by_email: bool,
}

impl<'a> Facts<'a> {
    /// A page of a site for an unknown visitor.
    pub fn new(shown: Shown, ask: &'a Ask, back: &'a str) -> Self {
        Self { ask: Some(ask), ..Self::without_site(shown, back) }
    }

    /// A page of no site for an unknown visitor.
    pub fn without_site(shown: Shown, back: &'a str) -> Self {
        let (host, languages, username) = ("", "", "");
        let (can_upgrade, form) = (false, Form::default());
        Self { shown, ask: None, host, languages, back, username, can_upgrade, form }
    }

    /// The address of the login page for the same sites, without a return address.
    fn action(&self) -> String {
        self.ask.map_or_else(String::new, |ask| {
            let trial = if ask.full_only { "&trial=no" } else { "" };
            format!("/login?site={}{trial}", ask.sites)
        })
    }

    /// The address of the login page, with the current page as the return address.
    pub fn login_link(&self) -> String {
        let back =
            percent_encoding::utf8_percent_encode(self.back, percent_encoding::NON_ALPHANUMERIC);
        format!("{}&back={back}", self.action())
    }
}

/// A page, and what a browser may load for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The page.
    pub html: String,
    /// The value of `Content-Security-Policy`.
    pub policy: String,
}

/// The settings of pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageSettings {
    /// The settings of every site that has none of its own.
    pub general: Look,
    /// The settings of single sites.
    pub sites: BTreeMap<SiteId, Look>,
    /// The settings of single hosts, in lower case. They take precedence over those of sites.
    pub hosts: BTreeMap<String, Look>,
}

impl PageSettings {
    /// Whether a page of the operator's own is used anywhere.
    pub fn has_template(&self) -> bool {
        self.looks().any(|look| look.template.is_some())
    }

    /// Whether the page for members on trial has the button of the upgrade anywhere.
    pub fn has_upgrade(&self) -> bool {
        self.looks().any(|look| look.upgrade.is_some())
    }

    /// The names of the settings that differ from those before.
    pub fn changes(&self, before: &Self) -> impl Iterator<Item = &'static str> {
        let (now, was) = (&self.general, &before.general);
        let sections = (&self.sites, &self.hosts, &now.words);
        [
            ("sites_file", sections != (&before.sites, &before.hosts, &was.words)),
            ("site_name", now.name != was.name),
            ("site_logo", now.logo != was.logo),
            ("the colours", (now.light, now.dark) != (was.light, was.dark)),
            ("site_language", now.language != was.language),
            ("forgot_password_url", now.forgot_password != was.forgot_password),
            ("join_url", now.join != was.join),
            ("support_url", now.support != was.support),
            ("upgrade_url", now.upgrade != was.upgrade),
            ("login_template", now.template != was.template),
        ]
        .into_iter()
        .filter_map(|(name, has_changed)| has_changed.then_some(name))
    }

    /// The settings of all sites and hosts.
    fn looks(&self) -> impl Iterator<Item = &Look> {
        std::iter::once(&self.general).chain(self.sites.values()).chain(self.hosts.values())
    }

    /// The settings that apply to a page.
    fn look(&self, facts: &Facts<'_>) -> &Look {
        let host = (!self.hosts.is_empty())
            .then(|| self.hosts.get(&facts.host.to_ascii_lowercase()))
            .flatten();
        let of_site = || {
            let mut sites = facts.ask?.sites.as_slice().iter();
            sites.find_map(|site| self.sites.get(site))
        };
        host.or_else(of_site).unwrap_or(&self.general)
    }
}

/// Makes pages.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    settings: Arc<PageSettings>,
    templates: Arc<Templates>,
}

impl PartialEq for Pages {
    fn eq(&self, other: &Self) -> bool {
        self.settings == other.settings
    }
}

impl Pages {
    /// Prepares the pages for these settings.
    ///
    /// # Errors
    ///
    /// If a template of the operator's cannot be used.
    pub fn new(settings: PageSettings) -> Result<Self, Error> {
        let templates = Templates::new(settings.looks().filter_map(|look| look.template.as_ref()))?;
        Ok(Self { settings: Arc::new(settings), templates: Arc::new(templates) })
    }

    /// The settings.
    pub fn settings(&self) -> &PageSettings {
        &self.settings
    }

    /// Where a click on the button of the upgrade leads with this authstring; `None` if the site
    /// has no upgrade.
    pub fn upgrade(&self, facts: &Facts<'_>, values: &[(&str, &str)]) -> Option<String> {
        Some(self.settings.look(facts).upgrade.as_ref()?.filled(values))
    }

    /// Makes a page.
    pub fn render(&self, facts: &Facts<'_>) -> Rendered {
        let look = self.settings.look(facts);
        let language = look.language.unwrap_or_else(|| Language::preferred(facts.languages));
        let context = self.context(facts, look, language);
        let (html, is_ours) = self.templates.render(look.template.as_ref(), &context);
        Rendered { html, policy: if is_ours { policy(look) } else { THEIR_POLICY.to_owned() } }
    }

    /// Makes a short page that leads to the login page at once, for a web server that passes on no
    /// long one.
    pub fn short(&self, facts: &Facts<'_>) -> Rendered {
        let look = self.settings.look(facts);
        let language = look.language.unwrap_or_else(|| Language::preferred(facts.languages));
        let words = self.templates.words(language, look.words.get(&language));
        let log_in = words.get_attr("log_in").unwrap_or_default().to_string();
        let (code, log_in) = (language.code(), HtmlEscape(&log_in));
        // Of an address, only `&` has a meaning in HTML: all other characters are escaped in it.
        let to = facts.login_link().replace('&', "&amp;");
        let html = format!(
            "<!doctype html>\n<html lang=\"{code}\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <meta http-equiv=\"refresh\" content=\"0; url={to}\">\n\
             <title>{log_in}</title>\n<p><a href=\"{to}\">{log_in}</a></p>\n</html>\n"
        );
        Rendered { html, policy: policy(look) }
    }

    /// Makes a page by the operator's own template alone.
    fn render_own(&self, facts: &Facts<'_>) -> Result<String, Error> {
        let look = self.settings.look(facts);
        let context = self.context(facts, look, look.language.unwrap_or(Language::DEFAULT));
        match &look.template {
            Some(template) => self.templates.render_theirs(template, &context),
            None => Ok(self.templates.render(None, &context).0),
        }
    }

    fn context(&self, facts: &Facts<'_>, look: &Look, language: Language) -> Value {
        let (page, title, message) = facts.shown.names();
        let words = self.templates.words(language, look.words.get(&language));
        let word = |name: &str| words.get_attr(name).unwrap_or_default();
        let colours = |palette: colour::Palette| -> Value {
            let colour = |(name, value): (&str, colour::Colour)| {
                context! { name => name, value => value.to_string() }
            };
            palette.all().into_iter().map(colour).collect()
        };
        context! {
            page,
            language => language.code(),
            title => word(title),
            message => message.map(word),
            site => context! {
                name => look.name.as_deref(),
                logo => look.logo.as_ref().map(look::Logo::src),
            },
            colours => context! { light => colours(look.light), dark => colours(look.dark) },
            links => links(facts, look, &word),
            action => facts.action(),
            back => facts.back,
            username => facts.username,
            email => facts.form.by_email,
            stay => facts.form.can_stay,
            stay_ticked => facts.form.stay,
            upgrade => facts.can_upgrade && look.upgrade.is_some(),
            words => words.clone(),
        }
    }
}

/// The links of a page, in the order in which they help.
fn links(facts: &Facts<'_>, look: &Look, word: &impl Fn(&str) -> Value) -> Value {
    let site = facts.ask.and_then(|ask| ask.sites.as_slice().first()).map(ToString::to_string);
    let filled = |link: &Option<Link>| {
        link.as_ref().map(|link| link.filled(&[("siteid", site.as_deref().unwrap_or_default())]))
    };
    let back = || Some(facts.back.to_owned());
    let login = || facts.ask.map(|_| facts.login_link());
    let (forgot, join, support) =
        (filled(&look.forgot_password), filled(&look.join), filled(&look.support));
    let all = match facts.shown {
        Shown::Login(_) => {
            vec![("forgot_password", forgot), ("join", join), ("support", support)]
        }
        Shown::Trial(_) => vec![
            ("forgot_password", forgot),
            ("join", join.filter(|_| !facts.can_upgrade)),
            ("support", support),
        ],
        Shown::Blocked => vec![
            ("log_in", login()),
            ("forgot_password", forgot),
            ("join", join),
            ("support", support),
        ],
        // The same member would only see this page again.
        Shown::Shared => vec![
            ("other_account", login()),
            ("log_out", facts.ask.map(|ask| format!("/logout?site={}", ask.sites))),
            ("forgot_password", forgot),
            ("join", join),
            ("support", support),
        ],
        Shown::Unavailable => vec![("try_again", back()), ("support", support)],
        Shown::Logout => vec![("go_back", back()), ("support", support)],
    };
    all.into_iter()
        .filter_map(|(name, url)| Some(context! { text => word(name), url => url? }))
        .collect()
}

/// Pages of our own load nothing but the logo, send forms to this host only, and no other site may
/// show them in a frame.
fn policy(look: &Look) -> String {
    let pictures =
        look.logo.as_ref().map(|logo| format!("img-src {}; ", logo.source())).unwrap_or_default();
    // The answer to the button of the upgrade leads to NATS, which counts as its form, too.
    let upgrade = look.upgrade.as_ref().and_then(Link::origin);
    let upgrade = upgrade.map(|origin| format!(" {origin}")).unwrap_or_default();
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; {pictures}form-action 'self'{upgrade}; \
         frame-ancestors 'none'; base-uri 'none'"
    )
}

/// An operator's own page has pictures and styles of its own, and may link to the operator's other
/// hosts.
const THEIR_POLICY: &str = "frame-ancestors 'none'; base-uri 'none'";

#[cfg(test)]
mod tests;
