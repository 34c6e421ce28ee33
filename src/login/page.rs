//! The login page: plain HTML that works without JavaScript and on a phone. The operator may put
//! the form into their own page.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ask::Ask;
use super::unkept::Missing;
use crate::text_file;

/// Where the form goes in a page.
const FORM: &str = "{{form}}";
/// The longest page of the operator, in bytes.
const PAGE_BYTES_MAX: u64 = 256 * 1024;

/// Why the operator's page cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The file cannot be read.
    #[error("cannot read {}", .0.display())]
    Io(PathBuf, #[source] io::Error),
    /// The file is too long.
    #[error("{} has more than {PAGE_BYTES_MAX} bytes", .0.display())]
    TooLong(PathBuf),
    /// The page has no place for the form, or more than one.
    #[error("{}: expected {{{{form}}}} once, found it {} times", .0.display(), .1)]
    Form(PathBuf, usize),
}

/// The message about the last attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginMessage {
    /// Nothing: this is the first visit.
    Nothing,
    /// No member has this name and this password.
    Wrong,
    /// Too many wrong passwords.
    Blocked,
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
}

impl LoginMessage {
    fn text(self) -> Option<&'static str> {
        match self {
            LoginMessage::Nothing => None,
            LoginMessage::Wrong => Some("Wrong username or password."),
            LoginMessage::Blocked => Some(
                "There were too many wrong passwords. Please wait a while before the next try.",
            ),
            LoginMessage::Busy => {
                Some("Logging in is not possible right now. Please try again in a moment.")
            }
            LoginMessage::Trial => Some(
                "This part is for full members. If you are one, please log in with that account.",
            ),
            LoginMessage::Idle => Some(
                "You were logged out, because the page was not used for a while. \
                 Please log in again.",
            ),
            LoginMessage::Foreign => {
                Some("The form was not sent from this page. Please log in here.")
            }
            LoginMessage::NotKept(Missing::ByHttp) => Some(
                "This page was opened with http, and browsers keep no login there. \
                 Open the site with https.",
            ),
            LoginMessage::NotKept(Missing::Unknown) => Some(
                "This browser did not keep the login. \
                 Open the site with https, and allow cookies for it.",
            ),
        }
    }
}

/// A page around the form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    before: Arc<str>,
    after: Arc<str>,
    /// Whether it is the built-in page, which loads nothing from elsewhere.
    is_ours: bool,
}

impl Default for Page {
    fn default() -> Self {
        let (before, after) = include_str!("page.html").split_once(FORM).unwrap_or_default();
        Self { before: before.into(), after: after.into(), is_ours: true }
    }
}

impl Page {
    /// Reads the operator's page, which contains `{{form}}` once.
    ///
    /// # Errors
    ///
    /// See [`PageError`].
    pub fn load(path: &Path) -> Result<Self, PageError> {
        let io = |error| PageError::Io(path.to_owned(), error);
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(PAGE_BYTES_MAX + 1).read_to_end(&mut bytes))
            .map_err(io)?;
        if bytes.len() as u64 > PAGE_BYTES_MAX {
            return Err(PageError::TooLong(path.to_owned()));
        }
        let text = text_file::text(bytes).map_err(io)?;
        match text.split(FORM).collect::<Vec<_>>()[..] {
            [before, after] => {
                Ok(Self { before: before.into(), after: after.into(), is_ours: false })
            }
            ref pieces => Err(PageError::Form(path.to_owned(), pieces.len() - 1)),
        }
    }

    /// Whether it is the built-in page, which loads nothing from elsewhere.
    pub fn is_ours(&self) -> bool {
        self.is_ours
    }

    /// The page with a form for these sites. After the login it leads to `back`.
    pub fn with_form(&self, ask: &Ask, back: &str, said: LoginMessage) -> String {
        let sites = &ask.sites;
        let trial = if ask.full_only { "&amp;trial=no" } else { "" };
        let mut page = String::with_capacity(self.before.len() + self.after.len() + 1024);
        page.push_str(&self.before);
        // The message describes the name field: the field has the focus, so a screen reader begins
        // there.
        let mut described = "";
        if let Some(text) = said.text() {
            described = " aria-describedby=\"userman-message\"";
            let _ = writeln!(page, "<p role=\"alert\" id=\"userman-message\">{text}</p>");
        }
        let _ = write!(
            page,
            "<form method=\"post\" action=\"/login?site={sites}{trial}\">\n\
             <label for=\"userman-name\">Username</label>\n\
             <input id=\"userman-name\" name=\"username\" autocomplete=\"username\" \
             autocapitalize=\"none\" spellcheck=\"false\" required autofocus{described}>\n\
             <label for=\"userman-password\">Password</label>\n\
             <input id=\"userman-password\" name=\"password\" type=\"password\" \
             autocomplete=\"current-password\" required>\n\
             <input type=\"hidden\" name=\"back\" value=\"{}\">\n\
             <button type=\"submit\">Log in</button>\n\
             </form>",
            escaped(back)
        );
        page.push_str(&self.after);
        page
    }
}

/// Escapes a text for an attribute value in double quotes.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ask() -> Ask {
        Ask::parse(b"site=1,5").unwrap()
    }

    #[test]
    fn our_page_has_the_form_once_and_asks_for_nothing_from_elsewhere() {
        let page = Page::default().with_form(&ask(), "/", LoginMessage::Nothing);
        assert_eq!((page.matches("<form ").count(), page.matches("</html>").count()), (1, 1));
        assert!(
            page.contains("action=\"/login?site=1,5\"") && !page.contains("role=\"alert\""),
            "{page}"
        );
        assert!(!page.contains("http") && !page.contains("<script"), "{page}");
    }

    #[test]
    fn a_message_is_read_with_the_name_which_has_the_focus() {
        let page = Page::default().with_form(&ask(), "/", LoginMessage::Wrong);
        assert!(page.contains("<p role=\"alert\" id=\"userman-message\">Wrong username"), "{page}");
        assert!(
            page.contains(" required autofocus aria-describedby=\"userman-message\">"),
            "{page}"
        );
        assert!(
            !Page::default()
                .with_form(&ask(), "/", LoginMessage::Nothing)
                .contains("userman-message")
        );
    }

    #[test]
    fn nothing_of_a_return_address_ends_its_attribute() {
        let page = Page::default().with_form(&ask(), "/a\"><script>'&amp;", LoginMessage::Nothing);
        assert!(page.contains("value=\"/a&quot;&gt;&lt;script&gt;&#39;&amp;amp;\""), "{page}");
    }

    #[test]
    fn a_page_of_the_operators_own_has_the_form_where_he_wants_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "<body><h1>Ours</h1>{{form}}<p>end").unwrap();
        let page = Page::load(file.path()).unwrap().with_form(&ask(), "/", LoginMessage::Wrong);
        assert!(
            page.starts_with("<body><h1>Ours</h1><p role=\"alert\"")
                && page.ends_with("</form><p>end"),
            "{page}"
        );
        for (text, times) in
            [("", "0 times"), ("{{form}} {{form}}", "2 times"), ("{{ form }}", "0 times")]
        {
            std::fs::write(file.path(), text).unwrap();
            let error = Page::load(file.path()).unwrap_err().to_string();
            assert!(
                error.ends_with(&format!(": expected {{{{form}}}} once, found it {times}")),
                "{error}"
            );
        }
        std::fs::write(file.path(), "x".repeat(256 * 1024 + 1)).unwrap();
        assert!(matches!(Page::load(file.path()), Err(PageError::TooLong(_))));
        assert!(matches!(Page::load(Path::new("/nowhere")), Err(PageError::Io(..))));
    }
}
