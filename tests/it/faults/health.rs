//! `GET /health` writes, so its rate must be limited for all senders.

use std::time::Instant;

use super::is_healthy;
use crate::shim::Shim;
use crate::support::{Program, temp_dir};

#[test]
fn the_probe_of_health_commits_at_most_once_a_second_for_all_callers_together() {
    let Some(shim) = Shim::new() else { return };
    let dir = temp_dir();
    let data = dir.path().canonicalize().unwrap().join("data");
    let program = Program::run(shim.program(&data, true), &data, &[]).unwrap();
    // Only the commits of the probe sync the WAL: there are no postbacks, and no member expires.
    let syncs = || count_syncs(&shim.trace());
    let before = syncs();
    let began = Instant::now();
    let answers: usize = std::thread::scope(|scope| {
        let asking = |_| scope.spawn(|| (0..100).filter(|_| is_healthy(program.address)).count());
        (0..4).map(asking).collect::<Vec<_>>().into_iter().map(|asked| asked.join().unwrap()).sum()
    });
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap();
    assert_eq!(answers, 400);
    let probes = syncs() - before;
    assert!((1..=seconds + 1).contains(&probes), "{probes} probes in {seconds} whole seconds");
}

/// The number of completed syncs in a trace. tests/shim/shim.c describes its form.
fn count_syncs(mut trace: &[u8]) -> usize {
    let mut count = 0;
    while let Some((head, rest)) = trace.split_first_chunk::<12>() {
        count += usize::from(head[0] == b'E');
        trace = &rest[u32::from_ne_bytes(head[8..12].try_into().unwrap()) as usize..];
    }
    count
}
