//! A file of another program, in each format and as it is recognised: every reader comes to an end,
//! and no error or refused row shows what a password column held.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nats_userman::action::Rules;
use nats_userman::clock::{ExpiryRule, Zone};
use nats_userman::identity::SiteId;
use nats_userman::import::{Format, Mapping, Preparer, Row, Source, Step, check};
use nats_userman::password::Vault;

const FORMATS: [Format; 6] = [
    Format::Csv,
    Format::Tsv,
    Format::JsonLines,
    Format::Htpasswd,
    Format::MysqlDump,
    Format::MysqlBatch,
];

fuzz_target!(|bytes: &[u8]| {
    let mapping = Mapping::default();
    let source = Source::of_bytes("members", bytes);
    let found = Format::of(&source, &mapping).ok();
    for format in FORMATS.into_iter().chain(found) {
        read(format, &source, &mapping);
    }
});

/// Both passes find the same rows, or end with the same error.
fn read(format: Format, source: &Source, mapping: &Mapping) {
    let site = SiteId::parse("1");
    let first = format
        .rows(source, mapping, None)
        .and_then(|mut rows| check(&mut *rows, site, || {}).map(|checked| checked.rows))
        .map_err(|error| error.to_string());
    let second = prepare(format, source, mapping, site);
    assert_eq!(first, second, "{format:?}");
}

fn prepare(
    format: Format,
    source: &Source,
    mapping: &Mapping,
    site: Option<SiteId>,
) -> Result<u64, String> {
    let expiry = ExpiryRule { zone: Zone::UTC, grace_hours: 0 };
    let vault = Vault::from_key([7; 32]);
    let rules = Rules { vault, keep_cryptpass: true, expiry, stale_guard: false };
    let preparer = Preparer::new(&rules, site, 0);
    let mut rows = format.rows(source, mapping, None).map_err(|error| error.to_string())?;
    let (mut row, mut count, mut notes) = (Row::default(), 0, Vec::new());
    loop {
        match rows.next(&mut row).map_err(|error| error.to_string())? {
            Step::End => return Ok(count),
            Step::Refused(_) => {}
            Step::Row => drop(preparer.prepare(&row, &mut notes)),
        }
        notes.clear();
        count += 1;
        assert!(!row.place().is_empty() && format!("{row:?}") == "Row(***)");
    }
}
