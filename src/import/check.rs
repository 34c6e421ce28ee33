//! The first pass over a file, which changes nothing.

use super::prepare::{LeftOut, identify};
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
    /// Whether the rows are of a table, and thus on no lines.
    is_table: bool,
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
    let mut is_table = false;
    loop {
        match rows.next(&mut row)? {
            Step::End => break,
            Step::Refused(_) => {}
            Step::Row if LeftOut::of(&row).is_some() => {}
            Step::Row => {
                is_table = row.is_of_table();
                if let Some((site, member, name)) = identify(&row, site) {
                    let place = if is_table { count + 1 } else { row.line };
                    collected.add(site, member, &name, count, place);
                }
            }
        }
        count += 1;
        step();
    }
    let (unused, repeats) = (rows.unused().to_vec(), collected.repeats());
    Ok(Checked { rows: count, unused, repeats, is_table })
}

impl Checked {
    /// Why the row of this number, from 0, is refused for an earlier one of the file.
    pub fn refusal(&self, row: u64) -> Option<RefusedRow> {
        let unit = if self.is_table { "row" } else { "line" };
        let of = |what: &str, first: u64| RefusedRow {
            problem: format!("{what} of {unit} {first} again"),
            remedy: "remove the wrong one of the two rows and import again",
        };
        let member = self.repeats.member(row).map(|first| of("memberid: that", first));
        member.or_else(|| self.repeats.name(row).map(|first| of("username: that", first)))
    }
}
