//! Starts and stops what watches the service: the counts of the journal, and the alarms.

use std::io;

use crate::alarms::{AlarmThread, Alarms, Sources};
use crate::backup::schedule::BackupAge;
use crate::clock::Clock;
use crate::config::Config;
use crate::reconcile::schedule::Compared;
use crate::statistics::{Statistics, StatisticsThread};
use crate::store::CurrentDatabase;
use crate::writer::Writer;

/// The threads, as far as they are needed.
#[derive(Debug, Default)]
pub(super) struct Watching {
    statistics: Option<StatisticsThread>,
    alarms: Option<AlarmThread>,
}

/// What the alarms look at, beside the counts.
pub(super) struct Watched<'a> {
    pub(super) file: &'a CurrentDatabase,
    pub(super) clock: &'a Clock,
    pub(super) writer: &'a Writer,
    pub(super) backup_age: Option<&'a BackupAge>,
    pub(super) compared: Option<&'a Compared>,
}

impl Watching {
    /// Starts the threads, if somebody takes what they find.
    pub(super) fn start(config: &Config, watched: &Watched<'_>) -> io::Result<Self> {
        if !is_wanted(config) {
            return Ok(Self::default());
        }
        let statistics = StatisticsThread::start(watched.file, watched.clock)?;
        let sources = Sources {
            statistics: statistics.statistics().clone(),
            database: watched.file.clone(),
            writer: watched.writer.clone(),
            clock: watched.clock.clone(),
            backups: config.backup.every.zip(watched.backup_age.cloned()),
            compared: watched.compared.cloned(),
            file: config.data_dir.alarms(),
        };
        let alarms = AlarmThread::start(config.alarms.clone(), sources)?;
        Ok(Self { statistics: Some(statistics), alarms: Some(alarms) })
    }

    /// The counts. Without the thread they stay empty.
    pub(super) fn statistics(&self) -> Statistics {
        self.statistics.as_ref().map_or_else(Statistics::default, |it| it.statistics().clone())
    }

    /// The alarms; `None` if none are raised here.
    pub(super) fn alarms(&self) -> Option<Alarms> {
        self.alarms.as_ref().map(|thread| thread.alarms().clone())
    }

    /// Ends the threads, before the writer ends.
    pub(super) fn stop(self) {
        if let Some(alarms) = self.alarms {
            alarms.stop();
        }
        if let Some(statistics) = self.statistics {
            statistics.stop();
        }
    }
}

/// Whether there is a listener that shows the counts, or somebody who is told of alarms.
fn is_wanted(config: &Config) -> bool {
    config.ops.listen.is_some() || !config.alarms.targets.all().is_empty()
}
