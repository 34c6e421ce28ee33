//! The disk: its file system, its free room, and how long that will last.

use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statvfs};

use super::context::{GROWTH_DAYS, Known};
use super::report::{Level, Report};
use super::units::{DAY_SECONDS, size};
use crate::config::Config;
use crate::counted::counted;
use crate::file_system::{FileSystem, Kind};
use crate::store::{Diagnosis, JournalGrowth};

/// Less than a WAL and a checkpoint may need.
const FREE_SERIOUS: u64 = 200 << 20;
/// Less than a year of a small site may need.
const FREE_WARNING: u64 = 1 << 30;
const DAYS_SERIOUS: u64 = 7;
const DAYS_WARNING: u64 = 30;

const FREE_SOME: &str = "free some room, or move the data directory to a larger disk; \
    --journal-days limits the journal";

pub(super) fn check(config: &Config, known: &Known, now: i64, report: &mut Report) {
    let file = config.location.file();
    check_kind(config.data_dir.path(), report);
    let beside = file.and_then(Path::parent).filter(|dir| !dir.as_os_str().is_empty());
    if let Some(dir) = beside.filter(|dir| *dir != config.data_dir.path()) {
        check_kind(dir, report);
    }
    let place = file.unwrap_or(config.data_dir.path());
    let existing = place.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    let Ok(stat) = statvfs(existing) else { return };
    if stat.f_flag.contains(StatVfsMountFlags::RDONLY) {
        report.add(
            Level::Serious,
            "disk_writable",
            format!("the file system of {} is read-only", existing.display()),
            "find the cause with `dmesg`; usually the disk has errors; then mount it read-write",
        );
    }
    let room = Room {
        free: stat.f_bavail.saturating_mul(stat.f_frsize),
        days_limit: config.journal_days.map(u64::from),
        now,
    };
    // The rest is about the disk that has the database.
    room.check(known.diagnosis().filter(|_| file.is_some()), report);
    if file.is_none() {
        report.ok("disk_growth", "the database is on a server, whose disk is not checked here");
    }
}

/// What a file system means for the data.
fn check_kind(dir: &Path, report: &mut Report) {
    let at = dir.display();
    let Ok(found) = FileSystem::of(dir) else { return };
    let name = "file_system";
    match found.kind {
        Kind::Disk => report.ok(name, format!("{at} is on {found}")),
        Kind::Network => report.add(
            Level::Serious,
            name,
            format!("{at} is on a network file system ({found}), which `serve` refuses"),
            "stop the service and move the data directory to a local disk",
        ),
        Kind::Shared => report.add(
            Level::Warning,
            name,
            format!("{at} is on {found}: its locks and syncs depend on another program or machine"),
            "move the data directory to a local disk, or to a volume of the virtual machine",
        ),
        Kind::Layer => report.add(
            Level::Warning,
            name,
            format!("{at} is on {found}: in a container, its files are deleted with the container"),
            "mount a volume at the data directory",
        ),
        Kind::Memory => report.add(
            Level::Warning,
            name,
            format!("{at} is on {found}: its files are in memory, and a restart loses them"),
            "move the data directory to a local disk",
        ),
        Kind::WithoutModes => report.add(
            Level::Warning,
            name,
            format!(
                "{at} is on {found}, which has no owners and no modes: keys are open to others"
            ),
            "move the data directory to a file system of Linux, such as ext4",
        ),
    }
}

/// Free room and what takes it.
struct Room {
    free: u64,
    /// `--journal-days`.
    days_limit: Option<u64>,
    now: i64,
}

impl Room {
    fn check(&self, diagnosis: Option<&Diagnosis>, report: &mut Report) {
        let free = size(self.free);
        let level = match self.free {
            ..FREE_SERIOUS => Level::Serious,
            FREE_SERIOUS..FREE_WARNING => Level::Warning,
            _ => Level::Ok,
        };
        match level {
            Level::Ok => report.ok("disk_free", format!("{free} are free")),
            level => report.add(level, "disk_free", format!("only {free} are free"), FREE_SOME),
        }
        let Some(diagnosis) = diagnosis else { return };
        if diagnosis.bytes > self.free {
            report.add(
                Level::Warning,
                "disk_copy",
                format!(
                    "a copy of the database ({}) does not fit into the free room: no backup here, \
                     and no upgrade that keeps a copy",
                    size(diagnosis.bytes)
                ),
                FREE_SOME,
            );
        }
        if let Some(growth) = diagnosis.growth {
            self.check_growth(diagnosis, growth, report);
        }
    }

    /// Each postback takes what one took so far on average: its record and its share of the rows of
    /// members.
    fn check_growth(&self, diagnosis: &Diagnosis, growth: JournalGrowth, report: &mut Report) {
        let name = "disk_growth";
        let used = diagnosis.bytes.saturating_sub(diagnosis.unused_bytes);
        let bytes_each = used / growth.records.max(1);
        // A journal that is younger than the time that was asked about.
        let age_days = (self.now.saturating_sub(growth.oldest_at) / DAY_SECONDS).max(1);
        let days = u64::try_from(age_days.min(GROWTH_DAYS)).unwrap_or(1);
        let a_day = growth.lately * bytes_each / days;
        let is_full = |limit| u64::try_from(age_days).unwrap_or(0) >= limit;
        if self.days_limit.is_some_and(is_full) {
            report.ok(name, "the journal is pruned as fast as it grows (--journal-days)");
            return;
        }
        let grows = format!(
            "the database has {} and grows by {} a day",
            size(diagnosis.bytes),
            size(a_day)
        );
        let left = (self.free + diagnosis.unused_bytes).checked_div(a_day).unwrap_or(u64::MAX);
        // Pruning begins before the disk is full.
        let level = match left {
            left if self.days_limit.is_some_and(|limit| left > limit) => Level::Ok,
            ..DAYS_SERIOUS => Level::Serious,
            DAYS_SERIOUS..DAYS_WARNING => Level::Warning,
            _ => Level::Ok,
        };
        match level {
            Level::Ok => report.ok(name, grows),
            level => report.add(
                level,
                name,
                format!("{grows}: the disk is full in {}", counted(left, "day")),
                FREE_SOME,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Finding;

    const NOW: i64 = 1_781_524_800;

    fn found(free: u64, days_limit: Option<u64>, records: u64, lately: u64) -> Vec<Finding> {
        let growth = JournalGrowth { records, lately, oldest_at: NOW - 100 * DAY_SECONDS };
        let diagnosis =
            Diagnosis { bytes: records << 10, growth: Some(growth), ..Diagnosis::default() };
        let mut report = Report::new();
        Room { free, days_limit, now: NOW }.check(Some(&diagnosis), &mut report);
        report.into_findings()
    }

    #[test]
    fn the_days_that_the_room_will_last_follow_from_the_last_seven() {
        let mib = |count: u64| count << 20;
        for (free, limit, lately, level, said) in [
            (mib(70_000), None, 7_168, Level::Ok, "1.0 MiB a day"),
            (mib(2_000), None, 7_168 * 100, Level::Warning, "the disk is full in 20 days"),
            (mib(2_000), None, 7_168 * 500, Level::Serious, "the disk is full in 4 days"),
            (mib(2_000), None, 0, Level::Ok, "grows by 0 bytes a day"),
            (mib(2_000), Some(100), 7_168 * 500, Level::Ok, "pruned as fast as it grows"),
            (mib(2_000), Some(101), 7_168 * 500, Level::Serious, "the disk is full in 4 days"),
            (mib(20_000), Some(150), 7_168 * 100, Level::Ok, "100.0 MiB a day"),
        ] {
            let found = found(free, limit, 1_000_000, lately);
            let growth = found.iter().find(|finding| finding.name == "disk_growth").unwrap();
            assert_eq!(growth.level, level, "{found:#?}");
            assert!(growth.found.ends_with(said) || growth.found.contains(said), "{growth:#?}");
        }
    }

    #[test]
    fn little_room_is_a_warning_and_less_is_serious() {
        for (free, level, said) in [
            (FREE_WARNING, Level::Ok, "1.0 GiB are free"),
            (FREE_WARNING - 1, Level::Warning, "only 1023.9 MiB are free"),
            (FREE_SERIOUS, Level::Warning, "only 200.0 MiB are free"),
            (FREE_SERIOUS - 1, Level::Serious, "only 199.9 MiB are free"),
        ] {
            let found = found(free, None, 1, 1);
            assert_eq!((found[0].level, found[0].found.as_str()), (level, said));
        }
        let found = found(FREE_WARNING, None, 2 << 20, 1);
        assert_eq!((found[1].name, found[1].level), ("disk_copy", Level::Warning));
    }
}
