//! Staying in step with other programs: exports that they read, and the comparison with NATS's list
//! of active members. [`crate::engines::in_step`] has the stories for every engine.

mod export;
mod from_nats;
mod reconcile;
mod targets;
mod watch;

use crate::engines::in_step::{LONG_AGO, Scene};
