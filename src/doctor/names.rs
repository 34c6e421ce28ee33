//! Members who do not hold the folded form of their username, as they joined before names were
//! folded.

use crate::store::{Fault, Read, Unfolded};
use crate::unicode::Visible;

/// Members that are listed; further ones are counted.
const NAMED_MAX: u32 = 20;

/// The members who can log in only with the exact username, and what to do about it.
pub fn exact_alone(reader: &dyn Read) -> Result<Vec<String>, Fault> {
    let mut sentences: Vec<_> = reader.unfolded(NAMED_MAX)?.iter().map(line).collect();
    let more = reader.count_unfolded()?.saturating_sub(NAMED_MAX.into());
    if more > 0 {
        sentences.push(format!("further members who log in by their exact names alone: {more}"));
    }
    Ok(sentences)
}

fn line(Unfolded { key, username, holder }: &Unfolded) -> String {
    let why = match holder {
        Some(holder) => format!("the username of member {holder} looks the same"),
        None if username.folded().is_empty() => "no character of the username can be seen".into(),
        None => "the row was not written by nats-userman".into(),
    };
    format!(
        "member {} of site {} logs in by the exact username \"{}\" alone, because {why}: give the \
         member another username in NATS",
        key.member,
        key.site,
        Visible(username.as_str())
    )
}
