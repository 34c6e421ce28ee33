//! A copy of a whole database, of an engine that keeps it in a file.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nats_userman::store::{CopyError, CopyWatch};

use crate::engines::conformance::on_engine;
use crate::support::{EngineKind, temp_dir};

#[test]
fn a_database_on_a_server_is_not_copied() {
    on_engine(EngineKind::MariaDb, |database| {
        let dir = temp_dir();
        let place = dir.path().join("copy");
        let file = File::create_new(&place).unwrap();
        let stop = Arc::<AtomicBool>::default();
        let mut watch =
            CopyWatch { stop: &stop, is_gentle: false, progress: &mut |_, _| panic!("progress") };
        let refused = database.read().copy_to(&place, &file, &mut watch).unwrap_err();
        assert!(matches!(refused, CopyError::NoFile), "{refused:?}");
        assert_eq!(file.metadata().unwrap().len(), 0);
    });
}
