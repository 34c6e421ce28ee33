//! The first pass over a file, which changes nothing.

use super::prepare::identify;
use super::repeats::{Collected, Repeats};
use super::{BadSource, RefusedRow, Row, Rows, Step};
use crate::identity::SiteId;

/// What the first pass found.
#[derive(Debug, Default)]
pub struct Checked {
    /// The rows of the file, with those that will be refused.
    pub rows: u64,
    /// Names of columns that are not imported.
    pub unused: Vec<String>,
    repeats: Repeats,
}

/// Reads all rows. `step` is called after each.
///
/// # Errors
///
/// If the file as a whole cannot be used.
pub fn check(
    rows: &mut dyn Rows,
    site: Option<SiteId>,
    mut step: impl FnMut(),
) -> Result<Checked, BadSource> {
    let (mut row, mut collected, mut count) = (Row::default(), Collected::new(), 0);
    loop {
        match rows.next(&mut row)? {
            Step::End => break,
            Step::Refused(_) => {}
            Step::Row => {
                if let Some((site, member, name)) = identify(&row, site) {
                    collected.add(site, member, &name, count, row.line);
                }
            }
        }
        count += 1;
        step();
    }
    Ok(Checked { rows: count, unused: rows.unused().to_vec(), repeats: collected.repeats() })
}

impl Checked {
    /// Why the row of this number, from 0, is refused for an earlier one of the file.
    pub fn refusal(&self, row: u64) -> Option<RefusedRow> {
        let of = |what: &str, first: u64| RefusedRow {
            problem: format!("{what} of line {first} again"),
            remedy: "remove the wrong one of the two lines and import the file again",
        };
        let member = self.repeats.member(row).map(|first| of("memberid: that", first));
        member.or_else(|| self.repeats.name(row).map(|first| of("username: that", first)))
    }
}
