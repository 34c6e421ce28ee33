//! The templates of pages: ours, which are parts of the program, and those of the operator.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use minijinja::value::ValueKind;
use minijinja::{
    AutoEscape, Environment, Error, Output, State, UndefinedBehavior, Value, context,
    escape_formatter,
};

use super::look::Template;
use super::words::{self, Language, Texts};
use crate::chain::chain;

/// The place of the form in a page of an earlier release.
const FORM: &str = "{{form}}";

/// Our page, made of the other templates.
const BASE: &str = "base.html";
/// The replacement of `{{form}}`.
const CONTENT: &str = "content.html";
const OURS: [(&str, &str); 10] = [
    (BASE, include_str!("templates/base.html")),
    (CONTENT, include_str!("templates/content.html")),
    ("form.html", include_str!("templates/form.html")),
    ("header.html", include_str!("templates/header.html")),
    ("links.html", include_str!("templates/links.html")),
    ("logout.html", include_str!("templates/logout.html")),
    ("message.html", include_str!("templates/message.html")),
    ("style.html", include_str!("templates/style.html")),
    ("title.html", include_str!("templates/title.html")),
    ("upgrade.html", include_str!("templates/upgrade.html")),
];

/// Makes pages of templates.
pub struct Templates {
    environment: Environment<'static>,
    /// The name of each template of the operator's.
    theirs: HashMap<String, String>,
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Templates").field("theirs", &self.theirs.len()).finish_non_exhaustive()
    }
}

impl Default for Templates {
    fn default() -> Self {
        Self { environment: ours(), theirs: HashMap::new() }
    }
}

impl Templates {
    /// Prepares our templates and these of the operator's.
    pub(super) fn new<'a>(templates: impl Iterator<Item = &'a Template>) -> Result<Self, Error> {
        let mut new = Self::default();
        for Template(text) in templates {
            let name = format!("own-{}.html", new.theirs.len());
            if !new.theirs.contains_key(text) {
                new.environment.add_template_owned(name.clone(), source(text))?;
                new.theirs.insert(text.clone(), name);
            }
        }
        Ok(new)
    }

    /// The words of a language, as templates have them.
    pub(super) fn words(&self, language: Language, replaced: Option<&Texts>) -> Value {
        static WORDS: LazyLock<Vec<Value>> = LazyLock::new(|| {
            Language::all().map(|language| words::value(language, None)).collect()
        });
        match replaced {
            None => WORDS[language.index()].clone(),
            replaced => words::value(language, replaced),
        }
    }

    /// The page, and whether it is made of our templates alone.
    pub(super) fn render(&self, template: Option<&Template>, context: &Value) -> (String, bool) {
        if let Some(template) = template {
            match self.render_theirs(template, context) {
                Ok(page) => return (page, false),
                // It was rendered when it was read, with other values.
                Err(error) => {
                    log::error!("the login template fails: {}", chain(&error));
                }
            }
        }
        let page = self.render_ours(BASE, context).unwrap_or_else(|error| {
            log::error!("a page cannot be made: {}", chain(&error));
            String::new()
        });
        (page, true)
    }

    pub(super) fn render_theirs(
        &self,
        Template(text): &Template,
        context: &Value,
    ) -> Result<String, Error> {
        let name = self.theirs.get(text).map_or(BASE, String::as_str);
        let form = Value::from_safe_string(self.render_ours(CONTENT, context)?);
        let context = context! { form, ..context.clone() };
        self.environment.get_template(name)?.render(context)
    }

    fn render_ours(&self, name: &str, context: &Value) -> Result<String, Error> {
        self.environment.get_template(name)?.render(context.clone())
    }
}

/// The text of a template. A page of an earlier release has `{{form}}` and nothing else of the
/// engine's: its styles may contain `{#`, which the engine would take for a comment.
fn source(text: &str) -> String {
    let rest = text.replacen(FORM, "", 1);
    match text.split_once(FORM) {
        Some((before, after)) if !rest.contains("{{") && !rest.contains("{%") => {
            format!("{{% raw %}}{before}{{% endraw %}}{FORM}{{% raw %}}{after}{{% endraw %}}")
        }
        _ => text.to_owned(),
    }
}

fn ours() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_formatter(write_value);
    for (name, text) in OURS {
        let text = text.strip_suffix('\n').unwrap_or(text);
        if let Err(error) = environment.add_template(name, text) {
            log::error!("a template of the program is wrong: {}", chain(&error));
        }
    }
    environment
}

/// Writes a value into a page. The engine would escape `/` as well, which no attribute needs.
fn write_value(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    let is_text = value.kind() == ValueKind::String && !value.is_safe();
    match value.as_str() {
        Some(text) if is_text && matches!(state.auto_escape(), AutoEscape::Html) => {
            out.write_str(&escaped(text)).map_err(Error::from)
        }
        // A setting that is not set.
        None if value.is_none() => Ok(()),
        _ => escape_formatter(out, state, value),
    }
}

/// Escapes a text for HTML, also in an attribute in quotes.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
