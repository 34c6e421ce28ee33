//! A writer without a service.

use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;

use nats_userman::clock::Clock;
use nats_userman::clock::jump::Watch;
use nats_userman::hardening::HashWorker;
use nats_userman::heartbeat::Heartbeat;
use nats_userman::password::{HashKind, Hasher, Vault};
use nats_userman::store::{CurrentDatabase, Location};
use nats_userman::writer::{self, CONVERSION_PAUSE, Setup, UPKEEP_EVERY, Writer};

use super::{LOGIN_TIMES, cheap};

/// The writer's thread on a database, without HTTP.
pub struct WriterBench {
    pub writer: Writer,
    pub vault: Vault,
    file: CurrentDatabase,
    thread: JoinHandle<()>,
}

impl WriterBench {
    pub fn start(location: &Location, vault: &Vault, clock: Clock) -> Self {
        Self::start_with(location, vault, clock, CONVERSION_PAUSE)
    }

    /// With another pause of the conversion of the journal after a fault.
    pub fn start_with(
        location: &Location,
        vault: &Vault,
        clock: Clock,
        conversion_pause: Duration,
    ) -> Self {
        let (sealed, _) = sync_channel(1);
        let file = CurrentDatabase::new(location.clone());
        let setup = Setup {
            file: file.clone(),
            vault: vault.clone(),
            jumps: Watch::new(clock.read(), None, 10),
            clock,
            moved_until: None,
            journal_days: None,
            logins: LOGIN_TIMES,
            upkeep_every: UPKEEP_EVERY,
            commit_wait: None,
            conversion_pause,
            sealed,
            heartbeat: Heartbeat::default(),
        };
        let (writer, thread) = writer::start(setup).unwrap();
        Self { writer, vault: vault.clone(), file, thread }
    }

    /// Hashes all that is sealed, cheaply.
    pub fn hash_all(&self, kind: HashKind) {
        // Where a database has several receivers, a round of the writer's upkeep decides which one
        // hashes.
        if self.file.location().is_shared() {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let probe = async { self.writer.probe().await && self.writer.probe().await };
            assert!(runtime.block_on(probe));
        }
        let hasher = Hasher::new(cheap(kind));
        let mut worker =
            HashWorker::new(self.file.clone(), self.vault.clone(), hasher, self.writer.clone());
        while worker.round().unwrap() {}
    }

    /// Whether the thread is over, after a stop.
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    pub fn stop(self) {
        self.writer.stop();
        self.thread.join().unwrap();
    }
}
