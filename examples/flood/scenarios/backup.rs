//! Postbacks beside backups: one each 5 ms, alone, while `nats-userman backup` copies the database,
//! and while it also removes the backup before, in turns. What the backup leaves behind is measured
//! too: after its end a checkpoint restarts the WAL. The removal is measured apart, because on a
//! file system that is mounted with `discard` it keeps the disk busy. There, a backup only puts the
//! one before aside, and removes what was put aside an hour ago.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use tokio::task::spawn_blocking;

use super::{Bench, add, measure};
use crate::Failure;
use crate::client::Load;
use crate::process::Server;
use crate::report::{Bar, Series, median};

const ROUNDS: usize = 3;
/// Some, so that one postback that waits does not keep the next ones from being sent.
const POSTBACK_CONNECTIONS: usize = 16;
const POSTBACK_RATE: f64 = 200.0;
/// Longer than a backup of a million members takes.
const TIME: Duration = Duration::from_secs(30);
const WAIT_MS_MAX: f64 = 50.0;

impl Bench {
    pub(super) async fn backup(&mut self, name: &str) -> Result<(), Failure> {
        let mut million = self.million().await?;
        let (mut alone, mut beside, mut removing): (Series, Series, Series) = Default::default();
        let mut seconds = Vec::new();
        let dir = self.dir.join("backups");
        std::fs::create_dir_all(&dir)?;
        // So that each round has one to remove.
        for _ in 0..2 {
            back_up(&self.binary, &million.database(), &dir, 1)?;
        }
        for _ in 0..ROUNDS {
            let adds = postbacks(&mut million);
            measure(&million, adds, &mut alone).await?;
            // There is one backup, so that the first of these removes none.
            for (keep, series) in [(2, &mut beside), (1, &mut removing)] {
                if keep == 1 {
                    make_aside_old(&dir)?;
                }
                let (binary, database, to) = (self.binary.clone(), million.database(), dir.clone());
                let backup = spawn_blocking(move || back_up(&binary, &database, &to, keep));
                let adds = postbacks(&mut million);
                measure(&million, adds, series).await?;
                seconds.push(backup.await??);
            }
        }
        let bytes = million.database().metadata()?.len();
        self.put_back(million);
        self.report.row(name, "ADD, alone", POSTBACK_CONNECTIONS, &alone);
        self.report.row(name, "ADD, beside a backup", POSTBACK_CONNECTIONS, &beside);
        let row = "ADD, beside a backup that removes another";
        self.report.row(name, row, POSTBACK_CONNECTIONS, &removing);
        let late = |series: &Series| {
            let late = series.outcome().latencies.iter().filter(|us| is_late(**us)).count();
            format!("{late} of {}", series.outcome().latencies.len())
        };
        self.report.note(format!(
            "{name}: the database has {:.2} GiB, the median backup of it took {:.1} s; replies \
             later than {WAIT_MS_MAX} ms: alone {}, beside a backup {}, beside one that removes \
             another {}",
            bytes as f64 / f64::from(1 << 30),
            median(seconds),
            late(&alone),
            late(&beside),
            late(&removing)
        ));
        self.report.bar("ADD alone: max, ms", alone.max_ms(), Bar::AtMost(WAIT_MS_MAX));
        self.report.bar("ADD beside a backup: max, ms", beside.max_ms(), Bar::AtMost(WAIT_MS_MAX));
        let bar = "ADD beside a backup that removes another: max, ms";
        self.report.bar(bar, removing.max_ms(), Bar::AtMost(WAIT_MS_MAX));
        Ok(())
    }
}

fn is_late(us: u32) -> bool {
    f64::from(us) / 1e3 > WAIT_MS_MAX
}

fn postbacks(server: &mut Server) -> Load {
    let due = (POSTBACK_RATE * TIME.as_secs_f64()) as u64;
    Load { rate: Some(POSTBACK_RATE), time: TIME, ..add(server, POSTBACK_CONNECTIONS, due) }
}

/// Lets the backups that were put aside look as if that had been hours ago.
fn make_aside_old(dir: &Path) -> Result<(), Failure> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "old") {
            let hours_ago = SystemTime::now() - Duration::from_secs(2 * 3_600);
            File::options().write(true).open(path)?.set_modified(hours_ago)?;
        }
    }
    Ok(())
}

/// The seconds of one backup, after which this many are kept.
fn back_up(binary: &Path, database: &Path, to: &Path, keep: u32) -> Result<f64, Failure> {
    let begun = Instant::now();
    let output = Command::new(binary)
        .arg("backup")
        .arg(to)
        .args(["--keep", &keep.to_string(), "--data-dir"])
        .arg(database.parent().unwrap_or(database))
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("the backup ended with {}: {said}", output.status).into());
    }
    Ok(begun.elapsed().as_secs_f64())
}
