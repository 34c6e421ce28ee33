//! The disk itself: how long an append of 4 KiB and its fdatasync take, which no reply that keeps
//! its promise can beat.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::client::Outcome;

const BLOCK: [u8; 4096] = [0x5a; 4096];

/// Appends and syncs this many times, or until the time is over. The file is removed.
pub fn fdatasync(dir: &Path, times: u64, time: Duration) -> io::Result<Outcome> {
    let path = dir.join("fdatasync");
    let mut file = File::create(&path)?;
    let mut outcome = Outcome::default();
    let start = Instant::now();
    for _ in 0..times {
        let begun = Instant::now();
        file.write_all(&BLOCK)?;
        file.sync_data()?;
        outcome.latencies.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
        if start.elapsed() > time {
            break;
        }
    }
    outcome.elapsed = start.elapsed();
    std::fs::remove_file(path)?;
    Ok(outcome)
}

/// Device and type of the file system that holds the directory, from /proc/self/mounts.
pub fn file_system(dir: &Path) -> String {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mut best = (0, String::from("unknown"));
    for line in mounts.lines() {
        let mut words = line.split(' ');
        if let (Some(device), Some(point), Some(kind)) = (words.next(), words.next(), words.next())
            && dir.starts_with(point)
            && point.len() >= best.0
        {
            best = (point.len(), format!("{kind} on {device}"));
        }
    }
    best.1
}
