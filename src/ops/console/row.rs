//! A member's row, and what a change makes of it, as names and values for a page.

use minijinja::{Value, context};

use super::times::Times;
use crate::action::{Change, Standing};
use crate::member::{Former, Member};
use crate::password::Stored;
use crate::reply::Reply;
use crate::unicode::Visible;

/// The ends of replies that say that nothing was changed. A name is never at the end.
const NOTHING: [&str; 2] = [", nothing to remove", ", nothing was lifted"];

/// Whether a reply says that there was nothing to do.
pub fn is_nothing(reply: &Reply) -> bool {
    NOTHING.iter().any(|end| reply.sentence().ends_with(end))
}

/// A column, before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnChange {
    /// The name of the column.
    pub name: &'static str,
    /// What it has now; `None` if there is no row.
    pub before: Option<String>,
    /// What it would have.
    pub after: Option<String>,
}

/// What a change would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowChange {
    /// In one sentence.
    pub sentence: String,
    /// The columns that differ.
    pub columns: Vec<ColumnChange>,
}

/// The columns of a row, in the order of the table.
pub fn columns(row: &Member, times: &Times) -> Vec<(&'static str, String)> {
    let text = |text: &Option<String>| {
        text.as_deref().map_or_else(|| "–".into(), |text| Visible(text).to_string())
    };
    let moment = |at: Option<i64>| match at {
        None => "–".into(),
        Some(0) => "0 (none)".into(),
        Some(at) => times.text(at),
    };
    vec![
        ("username", Visible(row.username.as_str()).to_string()),
        ("password", form(&row.credential.stored).to_owned()),
        ("cryptpass", if row.credential.cryptpass.is_some() { "kept" } else { "–" }.to_owned()),
        ("email", text(&row.email)),
        ("trial", if row.trial { "yes" } else { "no" }.to_owned()),
        ("biller", text(&row.biller)),
        ("session", if row.session.is_some() { "known" } else { "–" }.to_owned()),
        ("joined", moment(row.joined)),
        ("expires", moment(row.expires)),
        ("expire_at", moment(row.expire_at)),
        ("stamp", moment(row.stamp)),
        ("login_version", row.login_version.to_string()),
    ]
}

/// The form of a stored password, in words.
pub fn form(stored: &Stored) -> &'static str {
    match stored {
        Stored::Sealed(_) => "sealed, to be hashed",
        Stored::Hash(_) => "hashed",
        Stored::Wrapped(_) => "a cryptpass, wrapped",
    }
}

/// Compares the row as it is with what a change makes of it.
pub fn compare(before: &Standing, change: &Change, times: &Times) -> RowChange {
    let (row, left) = match before {
        Standing::Here(row) | Standing::Lapsed(row) => (Some(row), None),
        Standing::Former(former) => (Some(&former.member), Some(former)),
        Standing::Unknown => (None, None),
    };
    let (sentence, after) = match change {
        Change::None => ("The row would stay as it is.".to_owned(), None),
        Change::Insert(new) => ("A new member: a row would be added.".into(), Some(new)),
        Change::Restore(new) => {
            ("A former member would come back: the row would move back.".into(), Some(new))
        }
        Change::Update(new) => ("The row of the member would change.".into(), Some(new)),
        Change::Leave(former) => (leaving(former, times), Some(&former.member)),
        Change::Erase(_) => ("The row would be erased.".into(), None),
    };
    let mut columns = match (change, after) {
        (Change::None, _) => Vec::new(),
        (_, after) => differences(row, after, times),
    };
    if let (Change::Leave(former), None) = (change, left) {
        let after = Some(former.reason.as_str().to_owned());
        columns.push(ColumnChange { name: "reason", before: None, after });
    }
    RowChange { sentence, columns }
}

fn leaving(former: &Former, times: &Times) -> String {
    format!(
        "The member would leave ({}, {}): the row would move to former_member.",
        former.reason.as_str(),
        times.text(former.ended_at)
    )
}

fn differences(
    before: Option<&Member>,
    after: Option<&Member>,
    times: &Times,
) -> Vec<ColumnChange> {
    let of = |row: Option<&Member>| row.map(|row| columns(row, times)).unwrap_or_default();
    let (old, new) = (of(before), of(after));
    let names: Vec<&'static str> =
        if new.is_empty() { &old } else { &new }.iter().map(|(name, _)| *name).collect();
    let value = |list: &[(&'static str, String)], name: &str| {
        list.iter().find(|(other, _)| *other == name).map(|(_, value)| value.clone())
    };
    let is_other_password = before
        .zip(after)
        .is_some_and(|(before, after)| before.credential.stored != after.credential.stored);
    names
        .into_iter()
        .filter_map(|name| {
            let before = value(&old, name);
            let mut after = value(&new, name);
            if name == "password" && is_other_password && before == after {
                after = after.map(|form| format!("another one, {form}"));
            }
            let is_nothing = before.is_none() && after.as_deref() == Some("–");
            (before != after && !is_nothing).then_some(ColumnChange { name, before, after })
        })
        .collect()
}

impl RowChange {
    /// For a template.
    pub fn value(&self) -> Value {
        let columns: Value = self
            .columns
            .iter()
            .map(|ColumnChange { name, before, after }| {
                context! { name => *name, before => before.clone(), after => after.clone() }
            })
            .collect();
        context! { sentence => self.sentence.clone(), columns }
    }
}
