//! What the systemd unit keeps from its service: directories that it hides, and directories in
//! which it does not let the service write.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf, absolute};

use super::machine::Machine;
use super::unit::{SERVICE, SYSTEMCTL, is_installed};
use crate::config::{Config, SYSTEM_FILE};
use crate::denied;
use crate::whole_file::parent;

/// The directory in which systemd keeps the data of users that exist only while a service runs.
/// Nobody else can enter it: systemd mounts the service's own directory elsewhere for it.
const OF_DYNAMIC_USERS: &str = "/var/lib/private";
/// Where systemd puts the credentials that it passes on.
const CREDENTIALS: &str = "/run/credentials";
/// The properties of the unit that are asked for.
const PROPERTIES: &str =
    "User,DynamicUser,ProtectHome,PrivateTmp,ProtectSystem,ReadWritePaths,StateDirectory";

/// What the unit keeps from its service.
#[derive(Debug, Default)]
pub(super) struct Sandbox {
    root: PathBuf,
    hidden: Vec<PathBuf>,
    /// Where the service can write, if that is limited.
    writable: Option<Vec<PathBuf>>,
    /// Files that systemd reads and passes on.
    credentials: Vec<PathBuf>,
    /// Whether the user exists only while the service runs.
    is_dynamic: bool,
}

impl Sandbox {
    /// That of the unit, if the data directory of the settings is the one of its service; else one
    /// that keeps nothing back.
    pub(super) fn of(config: &Config, machine: &Machine) -> Self {
        let root = machine.path("/");
        let dir = config.data_dir.path();
        let canonical = dir.canonicalize().ok();
        let is_private =
            canonical.is_some_and(|dir| dir.starts_with(machine.path(OF_DYNAMIC_USERS)));
        let none = Self { root, is_dynamic: is_private, ..Self::default() };
        let asked = (machine.has_systemd() && is_installed(machine))
            .then(|| machine.ask(SYSTEMCTL, &["show", "-p", PROPERTIES, SERVICE]))
            .flatten();
        let Some(shown) = asked else { return none };
        let property = |name: &str| {
            let mut lines = shown.lines().filter_map(|line| line.split_once('='));
            lines.find(|(of, _)| *of == name).map(|(_, value)| value).unwrap_or_default()
        };
        let is_on = |name: &str| !["no", "", "read-only"].contains(&property(name));
        // A directory may have another name behind a colon, which is a link.
        let states = property("StateDirectory").split_whitespace();
        let states = states.filter_map(|state| state.split(':').next());
        let states: Vec<_> =
            states.map(|state| machine.path(&format!("/var/lib/{state}"))).collect();
        let owner = fs::metadata(dir).map(|metadata| denied::name(metadata.uid()));
        let is_dynamic = is_on("DynamicUser");
        let is_own = states.iter().any(|state| absolute(dir).is_ok_and(|dir| dir == *state))
            || owner.is_ok_and(|owner| owner == property("User"))
            || is_dynamic && is_private
            || is_of_system_file(config);
        if !is_own {
            return none;
        }
        let hidden = denied::hidden().filter(|place| match place.ends_with("tmp") {
            true => is_on("PrivateTmp"),
            false => is_on("ProtectHome"),
        });
        let hidden = hidden.map(|place| machine.path(place)).collect();
        let named = property("ReadWritePaths").split_whitespace();
        let named = named.map(|path| machine.path(path.trim_start_matches(['-', '+'])));
        let own = states.into_iter().chain([machine.path(OF_DYNAMIC_USERS)]);
        let writable = (property("ProtectSystem") == "strict").then(|| own.chain(named).collect());
        let unit = machine.ask(SYSTEMCTL, &["cat", SERVICE]).unwrap_or_default();
        Self { hidden, writable, credentials: credentials(&unit), is_dynamic, ..none }
    }

    /// The directory that the unit hides and in which this file is.
    pub(super) fn hides(&self, file: &Path) -> Option<&Path> {
        self.hidden.iter().find(|hidden| file.starts_with(hidden)).map(PathBuf::as_path)
    }

    /// Whether systemd makes this directory accessible to the service.
    pub(super) fn opens(&self, dir: &Path) -> bool {
        dir == self.root.join(OF_DYNAMIC_USERS.trim_start_matches('/'))
    }

    /// Whether the service has this file as a credential, whatever its mode is. A user that exists
    /// only while the service runs owns no file that is outside of its own directories, so where
    /// the unit is not known, nothing is known of such a file.
    pub(super) fn passes(&self, file: &Path) -> bool {
        let is_passed = |passed: &PathBuf| file == passed;
        self.credentials.iter().any(is_passed)
            || file.starts_with(CREDENTIALS)
            || self.is_dynamic && self.writable.is_none() && self.credentials.is_empty()
    }

    /// Whether the user of the service exists only while it runs.
    pub(super) fn is_dynamic(&self) -> bool {
        self.is_dynamic
    }

    /// The directories of the settings in which the unit does not let the service write.
    pub(super) fn unwritable(&self, config: &Config) -> Vec<Unwritable> {
        let Some(writable) = &self.writable else { return Vec::new() };
        let is_within = |dir: &Path| writable.iter().any(|own| dir.starts_with(own));
        let backups = config.backup.every.map(|_| config.backup.wishes.dir.as_path());
        let dirs = [
            ("--data-dir", Some(config.data_dir.path())),
            ("--database", config.location.file().map(parent)),
            ("--backup-dir", backups),
        ];
        let mut told: Vec<PathBuf> = Vec::new();
        let mut found = Vec::new();
        for (setting, dir) in dirs {
            let Some(Ok(dir)) = dir.map(absolute) else { continue };
            let leads_to = dir.canonicalize();
            let is_told = told.iter().any(|told| dir.starts_with(told));
            if is_told || is_within(&dir) || leads_to.is_ok_and(|dir| is_within(&dir)) {
                continue;
            }
            found.push(Unwritable {
                stops_service: setting != "--backup-dir",
                found: format!(
                    "{setting}: the unit does not let the service write in {}",
                    dir.display()
                ),
                remedy: match self.hides(&dir) {
                    Some(hidden) => {
                        format!("use another directory: the unit hides {}", hidden.display())
                    }
                    None => denied::let_write(&dir),
                },
            });
            told.push(dir);
        }
        found
    }
}

/// A directory of the settings in which the unit does not let the service write.
pub(super) struct Unwritable {
    /// Whether the service does not start without it.
    pub(super) stops_service: bool,
    pub(super) found: String,
    pub(super) remedy: String,
}

/// Whether a data directory that is not there yet is named by the file that the unit reads.
fn is_of_system_file(config: &Config) -> bool {
    let is_named = config.sources().is_some_and(|sources| {
        sources.file() == Some(Path::new(SYSTEM_FILE)) && !sources.is_of_flag("data_dir")
    });
    is_named && !config.data_dir.path().exists()
}

/// The files that a unit loads as credentials. An empty value takes those before it back.
fn credentials(unit: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in unit.lines().map(str::trim) {
        let Some((name, value)) = line.split_once('=') else { continue };
        if !["LoadCredential", "LoadCredentialEncrypted"].contains(&name.trim_end()) {
            continue;
        }
        match value.split_once(':') {
            Some((_, path)) => files.push(PathBuf::from(path.trim())),
            None if value.trim().is_empty() => files.clear(),
            // From the credentials of the machine.
            None => {}
        }
    }
    files
}
