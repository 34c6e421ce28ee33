//! Random stories on MariaDB; see [`crate::engines::property`].

use crate::engines::property::{cases, check, run_inside, stories};
use crate::support::EngineKind;

/// Each makes three databases, and each statement goes to a server and back.
const STORIES_ON_A_SERVER: u32 = 12;

#[test]
fn every_story_goes_on_mariadb_as_the_model_says_and_its_journal_replays_to_the_same_rows() {
    let cases = cases(STORIES_ON_A_SERVER);
    check(&stories(), cases, |story| run_inside(EngineKind::MariaDb, story));
}
