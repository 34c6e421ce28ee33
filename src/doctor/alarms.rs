//! The settings of alarms: whether the program can be run, and whether each limit has an effect.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use super::report::{Level, Report};
use super::sandbox::Sandbox;
use super::unread::{SEARCH, may};
use crate::config::Config;
use crate::denied;

const EXECUTE: u32 = 0o1;
const EXECUTE_ANY: u32 = 0o111;

/// A setting of alarms that does not do what it should.
pub(super) struct Idle {
    level: Level,
    name: &'static str,
    pub(super) found: String,
    pub(super) remedy: String,
}

pub(super) fn check(config: &Config, sandbox: &Sandbox, report: &mut Report) {
    let idle = idle(config, sandbox);
    let settings: Vec<&str> =
        config.alarms.targets.all().iter().map(crate::alarms::Target::setting).collect();
    if idle.is_empty() && !settings.is_empty() {
        report.ok("alarms", format!("told to {}", settings.join(" and ")));
    }
    for Idle { level, name, found, remedy } in idle {
        report.add(level, name, found, remedy);
    }
}

/// The settings of alarms that do not do what they should.
pub(super) fn idle(config: &Config, sandbox: &Sandbox) -> Vec<Idle> {
    let program = config.alarms.targets.command.as_ref().and_then(|command| command.first());
    let program = program.and_then(|program| why_not_run(config, sandbox, Path::new(program)));
    let program = program.map(|why| Idle {
        level: Level::Serious,
        name: "alarm_command",
        found: format!("--alarm-command: {why}"),
        remedy: "correct the path, or the modes of the program, then run \
                 `nats-userman alarm test` as the user of the service"
            .to_owned(),
    });
    let has_age = config.alarms.limits.backup_age.is_some_and(|age| age > 0);
    let age = (has_age && config.backup.every.is_none()).then(|| Idle {
        level: Level::Warning,
        name: "alarm_backup_age",
        found: "--alarm-backup-age has no effect without --backup-every: the service does not \
                know of other backups"
            .to_owned(),
        remedy: "set --backup-every, or leave --alarm-backup-age away".to_owned(),
    });
    program.into_iter().chain(age).collect()
}

/// Why the owner of the data directory, who is the service's user, cannot run the program.
fn why_not_run(config: &Config, sandbox: &Sandbox, program: &Path) -> Option<String> {
    let shown = program.display();
    let metadata = match fs::metadata(program) {
        Ok(metadata) => metadata,
        Err(error) => {
            return Some(format!("{shown} cannot be run: {}", denied::explain(program, error)));
        }
    };
    if !metadata.is_file() {
        return Some(format!("{shown} is not a file"));
    }
    if metadata.permissions().mode() & EXECUTE_ANY == 0 {
        return Some(format!("{shown} is not executable"));
    }
    // Before the first start there is no directory, and its owner is not known.
    let owner = fs::metadata(config.data_dir.path()).ok()?;
    let user = denied::name(owner.uid());
    let absolute = program.canonicalize().ok()?;
    if let Some(hidden) = sandbox.hides(&absolute) {
        let hidden = hidden.display();
        return Some(format!("the service cannot run {shown}: the unit hides {hidden} from it"));
    }
    if let Some(closed) = absolute.ancestors().skip(1).find(|dir| !may(dir, &owner, SEARCH)) {
        let dir = closed.display();
        return Some(format!("{user} cannot run {shown}: they cannot enter {dir}"));
    }
    (!may(program, &owner, EXECUTE)).then(|| format!("{user} cannot run {shown}"))
}
