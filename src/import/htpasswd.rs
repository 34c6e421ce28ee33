//! Files of Apache's and nginx's basic authentication: a name, a colon and a hash a line.

use super::columns::Column;
use super::lines::Lines;
use super::{BadSource, RefusedRow, Row, Rows, Source, Step};
use crate::password::{Cryptpass, Hash};

/// The digits of the MD5 in a file of `htdigest`.
const HTDIGEST_DIGITS: usize = 32;

/// The rows of a file of `htpasswd`.
pub(super) struct Htpasswd {
    lines: Lines,
}

impl Htpasswd {
    pub(super) fn of(source: &Source) -> Result<Self, BadSource> {
        Ok(Self { lines: Lines::of(source)? })
    }
}

impl Rows for Htpasswd {
    fn next(&mut self, row: &mut Row) -> Result<Step, BadSource> {
        loop {
            if let Some(step) = self.lines.begin(row)? {
                return Ok(step);
            }
            let text = self.lines.text();
            if text.trim().is_empty() || text.starts_with('#') {
                continue;
            }
            return match split(text) {
                Ok((name, hash)) => {
                    row.set(Column::Username, name);
                    row.set(Column::Cryptpass, hash);
                    Ok(Step::Row)
                }
                // Before the hash begins.
                Err(problem) if text.find(':').is_none_or(|at| at + 1 == text.len()) => {
                    self.lines.part(problem.to_owned())
                }
                Err(problem) => Ok(Step::Refused(RefusedRow::new(problem))),
            };
        }
    }
}

/// The name and the hash of a line. Apache ends the hash at a further colon.
fn split(line: &str) -> Result<(&str, &str), &'static str> {
    let Some((name, rest)) = line.split_once(':') else {
        return Err("expected NAME:HASH, found no colon");
    };
    let (hash, more) = rest.split_once(':').unwrap_or((rest, ""));
    let is_digest =
        more.len() == HTDIGEST_DIGITS && more.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_digest {
        return Err("expected NAME:HASH, found a line of htdigest, whose hash no login can use");
    }
    if name.is_empty() || hash.is_empty() {
        return Err("expected NAME:HASH, found one of the two");
    }
    Ok((name, hash.trim_end()))
}

/// Whether a line is one of a file of `htpasswd`.
pub(super) fn is_line(text: &str) -> bool {
    split(text).is_ok_and(|(_, hash)| {
        Hash::parse(hash).is_some() || Cryptpass::of_any_form(hash).is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_name_and_a_hash() {
        for (line, expected) in [
            ("bob:41R19prsa7NLQ", Ok(("bob", "41R19prsa7NLQ"))),
            ("bob:41R19prsa7NLQ:a note", Ok(("bob", "41R19prsa7NLQ"))),
            ("bob:41R19prsa7NLQ ", Ok(("bob", "41R19prsa7NLQ"))),
            ("bob", Err("expected NAME:HASH, found no colon")),
            (":41R19prsa7NLQ", Err("expected NAME:HASH, found one of the two")),
            ("bob:", Err("expected NAME:HASH, found one of the two")),
            (
                "bob:realm:d41d8cd98f00b204e9800998ecf8427e",
                Err("expected NAME:HASH, found a line of htdigest, whose hash no login can use"),
            ),
        ] {
            assert_eq!(split(line), expected, "{line}");
        }
        assert!(is_line("bob:{SHA}Uau5Y2B43vv4iNhFenx2+FyPEUw="));
        assert!(!is_line("bob:secret") && !is_line("username,password"));
    }
}
