//! What is wrong with an answer, in the words of the operator. Pure.

use std::time::Duration;

use crate::reply::Word;
use crate::text_file::BYTE_ORDER_MARK;
use crate::unicode::Visible;

/// NATS does not document how long it waits. A receiver that takes longer than this is at its
/// limits.
const SLOW: Duration = Duration::from_secs(2);
/// The most characters of an answer that are quoted.
const QUOTE_CHARS_MAX: usize = 200;
/// How PHP begins the messages that it writes into the answer.
const PHP_MESSAGES: [&str; 10] = [
    "<b>Warning</b>",
    "<b>Notice</b>",
    "<b>Deprecated</b>",
    "<b>Fatal error</b>",
    "<b>Parse error</b>",
    "\nWarning: ",
    "\nNotice: ",
    "\nDeprecated: ",
    "\nFatal error: ",
    "\nParse error: ",
];

/// An answer as it came.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// Where a redirect leads.
    pub(super) location: Option<String>,
    /// The type of the body is text/html.
    pub(super) is_html: bool,
    pub(super) took: Duration,
}

impl Answer {
    /// Whether it has a reply of a receiver in any form. Without one, another program answered, and
    /// further requests show nothing new.
    pub(super) fn has_reply(&self) -> bool {
        self.status == 200 && self.reply().is_some()
    }

    /// Whether it has a reply with this word.
    pub(super) fn says(&self, expected: Word) -> bool {
        self.status == 200 && self.reply().is_some_and(|(word, _)| word == expected)
    }

    /// The reply with its word, whatever stands around it.
    fn reply(&self) -> Option<(Word, String)> {
        let text = String::from_utf8_lossy(&self.body);
        text.lines().find_map(|line| {
            let line = line.trim_start_matches('\u{feff}').trim();
            let word = line.split('|').next()?.trim();
            let words = [Word::Ok, Word::NotOk, Word::Error];
            let word = words.into_iter().find(|known| known.as_str() == word)?;
            Some((word, line.to_owned()))
        })
    }

    /// The answer as one line for the operator.
    pub(super) fn shown(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let text = text.trim();
        let cut: String = text.chars().take(QUOTE_CHARS_MAX).collect();
        let more = if cut.len() < text.len() { "..." } else { "" };
        let line = format!("{}{more}", Visible(&cut));
        match self.status {
            200 => line,
            status => format!("status {status}: {line}"),
        }
    }

    /// All that is wrong with it.
    pub(super) fn problems(&self, expected: Word, meaning: &str) -> Vec<String> {
        let mut problems = match self.reply().filter(|_| self.status == 200) {
            None => vec![self.no_reply()],
            Some((found, line)) => {
                let mut problems = self.around_the_reply(&line);
                if found != expected {
                    let (expected, found) = (expected.as_str(), found.as_str());
                    problems.push(format!("expected {expected}, found {found}: {meaning}"));
                }
                problems
            }
        };
        if self.took > SLOW {
            problems.push(
                "the answer takes more than 2 seconds: NATS may give up before it comes; look \
                 for what the receiver waits for"
                    .into(),
            );
        }
        problems
    }

    /// Why this is no reply of a receiver at all.
    fn no_reply(&self) -> String {
        let html = if self.is_html { ", with a page of HTML" } else { "" };
        let found = format!("status {}{html}", self.status);
        match self.status {
            200 if is_page(&self.body) => "a page of HTML instead of a reply: another program or \
                                           the web server itself answers at this URL"
                .into(),
            200 if self.body.trim_ascii().is_empty() => {
                "an empty answer: the receiver writes nothing; its error log may say why".into()
            }
            200 => "no reply: expected OK|, NOTOK| or ERROR| at the beginning of the answer".into(),
            300..=399 => self.redirect(),
            403 if self.is_html => format!(
                "{found}: the web server refuses the request before the receiver sees it; look \
                 at its access rules"
            ),
            403 => format!(
                "{found}: not authorised; check the token in the URL, and that this address may \
                 send postbacks (--allow-ip)"
            ),
            401 => format!(
                "{found}: the web server asks for a password, which NATS does not send; take the \
                 URL out of the protected area"
            ),
            404 => format!(
                "{found}: nothing is at this URL; check the path with /postback/ and the token, \
                 and that the web server passes it on"
            ),
            405 => format!("{found}: the web server or the receiver refuses this way of sending"),
            413 => format!("{found}: the web server takes no form of this size"),
            502 | 504 => format!(
                "{found}: the web server does not reach the receiver; check that it runs, and \
                 the address in the settings of the web server"
            ),
            503 => format!(
                "{found}: the receiver is not available now; its log says why, and doctor too"
            ),
            500..=599 => format!("{found}: the receiver has failed; look at its error log"),
            _ => format!("{found}: expected status 200"),
        }
    }

    fn redirect(&self) -> String {
        let place = self.location.as_deref().map(host).unwrap_or_default();
        let to = if place.is_empty() { String::new() } else { format!(" to {place}") };
        format!(
            "status {}, a redirect{to}: NATS's form does not arrive behind it; paste the URL to \
             which it leads into NATS",
            self.status
        )
    }

    /// What stands before and behind the reply line.
    fn around_the_reply(&self, line: &str) -> Vec<String> {
        let mut problems = Vec::new();
        let (mut body, mut add) = (self.body.as_slice(), |text: &str| problems.push(text.into()));
        if let Some(rest) = body.strip_prefix(BYTE_ORDER_MARK) {
            add("a byte order mark before the reply: save the script as UTF-8 without such a mark");
            body = rest;
        }
        if body.first().is_some_and(u8::is_ascii_whitespace) {
            add("blanks or empty lines before the reply: often an empty line before <?php, or \
                 after ?> in a file that is included");
        }
        if body.last().is_some_and(u8::is_ascii_whitespace) {
            add("a line break behind the reply: often after ?> at the end of the script, which \
                 can be left out, or in the text that is printed");
        }
        let text = format!("\n{}", String::from_utf8_lossy(body.trim_ascii()));
        if PHP_MESSAGES.iter().any(|message| text.contains(message)) {
            add("a message of PHP before the reply: correct its cause, and set display_errors to \
                 Off, because such messages can hold passwords");
        } else if text.trim_ascii().contains('\n') {
            add("more than one line: expected the reply and nothing else");
        }
        if !line.contains('|') {
            add("no | behind the word: expected OK|, NOTOK| or ERROR| and a sentence");
        }
        problems
    }
}

fn is_page(body: &[u8]) -> bool {
    let start = body.trim_ascii_start().to_ascii_lowercase();
    start.starts_with(b"<!doctype") || start.starts_with(b"<html")
}

/// Scheme and host of a URL, because the rest may have the token.
fn host(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return String::new() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest[..end].rsplit('@').next().unwrap_or_default();
    Visible(&format!("{scheme}://{authority}")).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &[u8]) -> Answer {
        Answer { status: 200, body: body.to_vec(), ..Answer::default() }
    }

    #[test]
    fn a_reply_as_the_contract_has_it_has_no_problem() {
        for body in [&b"OK|member 71 added"[..], b"OK|"] {
            assert_eq!(of(body).problems(Word::Ok, "-"), [""; 0]);
        }
        assert_eq!(of(b"NOTOK|free").problems(Word::NotOk, "-"), [""; 0]);
        assert_eq!(of(b"ERROR|unknown action").problems(Word::Error, "-"), [""; 0]);
    }

    #[test]
    fn what_stands_around_a_reply_is_named_with_its_usual_cause() {
        for (body, problem) in [
            (&b"\xef\xbb\xbfOK|done"[..], "a byte order mark before the reply: "),
            (b"\r\n\r\nOK|done", "blanks or empty lines before the reply: "),
            (b" OK|done", "blanks or empty lines before the reply: "),
            (b"OK|done\n", "a line break behind the reply: "),
            (b"OK", "no | behind the word: "),
            (
                b"<br />\n<b>Warning</b>:  Undefined variable in /srv/post.php on line 3<br />\n\
                  OK|done",
                "a message of PHP before the reply: ",
            ),
            (
                b"PHP is old\nWarning: mysqli_connect()\nOK|done",
                "a message of PHP before the reply",
            ),
            (b"connected\nOK|done", "more than one line: "),
        ] {
            let problems = of(body).problems(Word::Ok, "-");
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].starts_with(problem), "{problems:?}");
        }
        let both = of(b"\xef\xbb\xbf\nOK\n").problems(Word::Ok, "-");
        assert_eq!(both.len(), 4, "{both:?}");
    }

    #[test]
    fn another_word_is_explained_by_the_step() {
        assert_eq!(
            of(b"OK|done").problems(Word::Error, "an unknown action is done"),
            ["expected ERROR, found OK: an unknown action is done"]
        );
    }

    #[test]
    fn an_answer_that_is_no_reply_says_who_answered_and_what_to_do() {
        for (status, is_html, body, problem) in [
            (200, true, &b"<!DOCTYPE html><title>Welcome"[..], "a page of HTML instead of a reply"),
            (200, false, b"", "an empty answer: "),
            (200, false, b"ok", "no reply: expected OK|, NOTOK| or ERROR|"),
            (403, false, b"ERROR|not authorised", "status 403: not authorised; check the token"),
            (403, true, b"<html>", "status 403, with a page of HTML: the web server refuses"),
            (401, true, b"", "status 401, with a page of HTML: the web server asks for a password"),
            (404, true, b"<html>", "status 404, with a page of HTML: nothing is at this URL"),
            (405, false, b"", "status 405: the web server or the receiver refuses this way"),
            (413, true, b"", "status 413, with a page of HTML: the web server takes no form"),
            (502, true, b"", "status 502, with a page of HTML: the web server does not reach"),
            (503, false, b"ERROR|later", "status 503: the receiver is not available now"),
            (500, false, b"", "status 500: the receiver has failed"),
            (400, false, b"", "status 400: expected status 200"),
        ] {
            let answer = Answer { status, is_html, body: body.to_vec(), ..Answer::default() };
            let problems = answer.problems(Word::Ok, "-");
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].starts_with(problem), "{status}: {problems:?}");
            assert!(!answer.has_reply());
        }
    }

    #[test]
    fn a_redirect_names_the_host_and_never_the_token() {
        let location = Some("https://user:x@www.example.com/postback/token?a=b".to_owned());
        let answer = Answer { status: 301, location, ..Answer::default() };
        assert_eq!(
            answer.problems(Word::Ok, "-"),
            ["status 301, a redirect to https://www.example.com: NATS's form does not arrive \
              behind it; paste the URL to which it leads into NATS"]
        );
        let relative = Answer { location: Some("/token".into()), ..answer };
        assert!(relative.problems(Word::Ok, "-")[0].starts_with("status 301, a redirect: "));
    }

    #[test]
    fn an_answer_after_more_than_two_seconds_is_slow() {
        for (millis, is_slow) in [(0, false), (2_000, false), (2_001, true)] {
            let answer = Answer { took: Duration::from_millis(millis), ..of(b"OK|done") };
            assert_eq!(answer.problems(Word::Ok, "-").len(), usize::from(is_slow), "{millis}");
        }
    }

    #[test]
    fn an_answer_is_shown_as_one_line_that_ends_somewhere() {
        assert_eq!(of(b"OK|a\x1b[31m\nb").shown().lines().count(), 1);
        let long = of(&[b'x'; 5_000]).shown();
        assert!(long.len() < 210 && long.ends_with("x..."), "{long}");
    }
}
