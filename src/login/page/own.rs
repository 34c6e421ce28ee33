//! Reads the operator's own page, and renders it once as a test.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use minijinja::Error;

use super::look::{Look, Template};
use super::{Facts, LoginMessage, PageSettings, Pages, Shown};
use crate::login::ask::Ask;
use crate::text_file;

/// The longest page of the operator, in bytes.
const PAGE_BYTES_MAX: u64 = 256 * 1024;
/// What a page with the login form has once.
const PASSWORD_FIELD: &str = "name=\"password\"";
/// What the page for the logout has.
const LOGOUT_FORM: &str = "action=\"/logout\"";

/// Why the operator's page cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The file cannot be read.
    #[error("cannot read {}", .0.display())]
    Io(PathBuf, #[source] io::Error),
    /// The file is too long.
    #[error("{} has more than {PAGE_BYTES_MAX} bytes", .0.display())]
    TooLong(PathBuf),
    /// The page has no login form, or more than one.
    #[error("{}: expected {{{{form}}}} once, found it {} times", .0.display(), .1)]
    Form(PathBuf, usize),
    /// The page for the logout has no form for it.
    #[error("{}: expected {{{{form}}}} also on the page of the logout", .0.display())]
    Logout(PathBuf),
    /// The template is wrong.
    #[error("{}{}: {}", .0.display(), line(.1), problem(.1))]
    Wrong(PathBuf, Error),
}

fn line(error: &Error) -> String {
    error.line().map(|line| format!(", line {line}")).unwrap_or_default()
}

fn problem(error: &Error) -> String {
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    format!("{}{detail}", error.kind())
}

/// Reads the operator's own page and renders each kind of page as a test.
///
/// # Errors
///
/// See [`TemplateError`].
pub fn load_template(path: &Path) -> Result<Template, TemplateError> {
    let io = |error| TemplateError::Io(path.to_owned(), error);
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(PAGE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(io)?;
    if bytes.len() as u64 > PAGE_BYTES_MAX {
        return Err(TemplateError::TooLong(path.to_owned()));
    }
    let template = Template(text_file::text(bytes).map_err(io)?);
    check(&template, path)?;
    Ok(template)
}

fn check(template: &Template, path: &Path) -> Result<(), TemplateError> {
    let wrong = |error| TemplateError::Wrong(path.to_owned(), error);
    let general = Look { template: Some(template.clone()), ..Look::default() };
    let pages = Pages::new(PageSettings { general, ..PageSettings::default() }).map_err(wrong)?;
    let ask = Ask::parse(b"site=1").expect("a query with one site");
    for (shown, field) in [
        (Shown::Login(LoginMessage::Nothing), PASSWORD_FIELD),
        (Shown::Login(LoginMessage::Wrong), PASSWORD_FIELD),
        (Shown::Trial(LoginMessage::Trial), PASSWORD_FIELD),
        (Shown::Logout, LOGOUT_FORM),
        (Shown::Blocked, ""),
        (Shown::Unavailable, ""),
    ] {
        let page = pages.render_own(&Facts::new(shown, &ask, "/")).map_err(wrong)?;
        let count = if field.is_empty() { 1 } else { page.matches(field).count() };
        match field {
            PASSWORD_FIELD if count != 1 => {
                return Err(TemplateError::Form(path.to_owned(), count));
            }
            LOGOUT_FORM if count == 0 => return Err(TemplateError::Logout(path.to_owned())),
            _ => {}
        }
    }
    Ok(())
}
