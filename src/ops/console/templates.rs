//! The templates of the console, which are parts of the program.

use std::sync::LazyLock;

use minijinja::{Environment, Error, Output, State, UndefinedBehavior, Value, escape_formatter};

use crate::chain::chain;

const TEMPLATES: [(&str, &str); 18] = [
    ("blocks.html", include_str!("templates/blocks.html")),
    ("confirm.html", include_str!("templates/confirm.html")),
    ("health.html", include_str!("templates/health.html")),
    ("lab.html", include_str!("templates/lab.html")),
    ("layout.html", include_str!("templates/layout.html")),
    ("login.html", include_str!("templates/login.html")),
    ("logout.html", include_str!("templates/logout.html")),
    ("member.html", include_str!("templates/member.html")),
    ("member_change.html", include_str!("templates/member_change.html")),
    ("member_problem.html", include_str!("templates/member_problem.html")),
    ("members.html", include_str!("templates/members.html")),
    ("message.html", include_str!("templates/message.html")),
    ("outcome.html", include_str!("templates/outcome.html")),
    ("pagination.html", include_str!("templates/pagination.html")),
    ("postbacks.html", include_str!("templates/postbacks.html")),
    ("record.html", include_str!("templates/record.html")),
    ("settings.html", include_str!("templates/settings.html")),
    ("today.html", include_str!("templates/today.html")),
];

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_formatter(write_value);
    for (name, text) in TEMPLATES {
        if let Err(error) = environment.add_template(name, text) {
            log::error!("a template of the console is wrong: {}", chain(&error));
        }
    }
    environment
});

/// Writes a value into a page; one that is not there is an empty text.
fn write_value(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    if value.is_none() { Ok(()) } else { escape_formatter(out, state, value) }
}

/// Makes a page of a template. A failure is logged.
///
/// # Errors
///
/// If the template cannot be rendered with these values.
pub fn render_template(template: &str, context: &Value) -> Result<String, Error> {
    let made = ENVIRONMENT.get_template(template)?.render(context.clone());
    if let Err(error) = &made {
        log::error!("the page {template} cannot be made: {}", chain(error));
    }
    made
}
