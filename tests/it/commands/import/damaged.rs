//! The seed files of the fuzz target, cut off at every byte and with every byte changed: each
//! reader comes to an end, and both passes over a file find the same.

use std::fs;
use std::path::Path;

use nats_userman::action::Rules;
use nats_userman::clock::{ExpiryRule, Zone};
use nats_userman::identity::SiteId;
use nats_userman::import::{Format, Mapping, Prepared, Preparer, Row, Source, Step, check};
use nats_userman::password::Vault;

use crate::support::stride;

const FORMATS: [Format; 6] = [
    Format::Csv,
    Format::Tsv,
    Format::JsonLines,
    Format::Htpasswd,
    Format::MysqlDump,
    Format::MysqlBatch,
];

/// The number of rows and of members in a file, or why it is unusable.
fn read(format: Format, bytes: &[u8]) -> Result<(u64, u64), String> {
    let (source, mapping, site) =
        (Source::of_bytes("members", bytes), Mapping::default(), SiteId::parse("1"));
    let rows = || format.rows(&source, &mapping, None).map_err(|error| error.to_string());
    let checked =
        rows().and_then(|mut rows| check(&mut *rows, site, || {}).map_err(|it| it.to_string()));
    let expiry = ExpiryRule { zone: Zone::UTC, grace_hours: 0 };
    let rules =
        Rules { vault: Vault::from_key([7; 32]), keep_cryptpass: true, expiry, stale_guard: false };
    let preparer = Preparer::new(&rules, site, 0);
    let prepared = rows().and_then(|mut rows| {
        let (mut row, mut notes, mut count, mut members) = (Row::default(), Vec::new(), 0, 0);
        loop {
            match rows.next(&mut row).map_err(|error| error.to_string())? {
                Step::End => return Ok((count, members)),
                Step::Refused(_) => {}
                Step::Row => {
                    let prepared = preparer.prepare(&row, &mut notes);
                    members += u64::from(matches!(prepared, Prepared::Postback(_)));
                }
            }
            count += 1;
        }
    });
    let counts = prepared.as_ref().map(|(count, _)| *count).map_err(Clone::clone);
    assert_eq!(checked.map(|checked| checked.rows), counts, "{format:?}: {}", bytes.escape_ascii());
    prepared
}

#[test]
fn a_seed_that_is_cut_off_or_changed_at_any_byte_is_read_to_an_end() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/import");
    let mut whole = Vec::new();
    for entry in fs::read_dir(seeds).unwrap() {
        let path = entry.unwrap().path();
        let seed = fs::read(&path).unwrap();
        let source = Source::of_bytes("members", seed.as_slice());
        if let Ok(format) = Format::of(&source, &Mapping::default()) {
            let (rows, members) = read(format, &seed).unwrap();
            whole.push(format!(
                "{} {format:?} {rows} {members}",
                path.file_name().unwrap().display()
            ));
        }
        for at in 0..seed.len() {
            let changed = |byte: u8| [&seed[..at], &[byte], &seed[at + 1..]].concat();
            // At the next byte another change.
            let changes = [seed[at] ^ 1, b'"', b'\'', b'\n', 0, 0xff].into_iter();
            let every = stride(3);
            let mut damaged = vec![seed[..at].to_vec()];
            damaged.extend(changes.skip(at % every).step_by(every).map(changed));
            for (format, bytes) in
                FORMATS.iter().flat_map(|format| damaged.iter().map(move |bytes| (*format, bytes)))
            {
                let _ = read(format, bytes);
            }
        }
    }
    whole.sort();
    assert_eq!(
        whole,
        [
            "csv Csv 2 2",
            "dump MysqlDump 2 1",
            "gzip Csv 1 0",
            "htpasswd Htpasswd 2 0",
            "jsonl JsonLines 2 1",
            "utf-16 Csv 1 0",
        ]
    );
}
