//! A journal record as people read it.

use crate::clock::format_utc;
use crate::identity::TEST_ID;
use crate::store::StoredRecord;
use crate::unicode::Visible;

/// A record as text: time, action, number and reply, and on a second line the source and the
/// fields. Secrets are masked, as they are stored.
pub fn record_text(record: &StoredRecord) -> String {
    let trial = if record.memberid == Some(TEST_ID) { ", a trial by `try`" } else { "" };
    let operator =
        record.operator.as_ref().map_or(String::new(), |name| format!(" by {name} in the console"));
    format!(
        "{}  {:<11} {}  {}\n    from {}{operator}{trial}: {}",
        format_utc(record.at),
        record.action.as_deref().unwrap_or("-"),
        record.id,
        Visible(&record.reply),
        record.address.as_deref().unwrap_or(&record.source),
        Visible(&record.fields)
    )
}
