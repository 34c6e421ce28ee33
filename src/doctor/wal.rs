//! The engine's log of changes (the WAL of SQLite): its size, and who keeps it from being reset.

use super::context::Known;
use super::machine::Machine;
use super::report::{Level, Report};
use super::units::size;

pub(super) fn check(machine: &Machine, known: &Known, report: &mut Report) {
    let log = match &known.log {
        Ok(Some(log)) => log,
        Ok(None) => {
            report.ok("wal", "there is no WAL: the database file has everything");
            return;
        }
        Err(error) => {
            report.add(
                Level::Note,
                "wal",
                format!("not checked: {error}"),
                "run `nats-userman doctor` as root or as the service's user",
            );
            return;
        }
    };
    let (name, bytes) = (log.name, size(log.bytes));
    if log.bytes > log.usual_bytes_max {
        report.add(
            Level::Warning,
            "wal",
            format!(
                "the {name} has {bytes}, more than {}: a read transaction kept it from being reset",
                size(log.usual_bytes_max)
            ),
            "end the program that holds the read transaction; restart the service if none is named",
        );
    } else {
        report.ok("wal", format!("the {name} has {bytes}"));
    }
    for reader in &log.readers {
        let process = reader.process;
        let program = machine.process_name(process).unwrap_or_else(|| "unknown program".into());
        report.add(
            Level::Warning,
            "wal_reader",
            format!(
                "process {process} ({program}) has a read transaction open, since {} of the {name} \
                 ago",
                size(reader.behind_bytes)
            ),
            format!("end it if it is forgotten: `kill {process}`"),
        );
    }
    if log.readers.is_empty() {
        report.ok("wal_reader", format!("no read transaction keeps the {name} from being reset"));
    }
}
