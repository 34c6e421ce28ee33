//! Where the value of each setting comes from: a flag, else a variable, else the configuration
//! file, else its default.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, FromArgMatches as _};

use super::entries::place;
use super::file::{self, ConfigFile};
use super::keys::{Key, Kind, keys, table};
use super::problems::{BadSetting, Problems, may_have_secret};
use super::settings::Settings;
use super::values::switch;

/// The system's configuration file, which is read if no other one is named.
pub const SYSTEM_FILE: &str = "/etc/nats-userman/nats-userman.toml";
/// The default of `--data-dir` while the system's file is in use.
pub const SYSTEM_DATA_DIR: &str = "/var/lib/nats-userman";

/// All that was given for the settings.
#[derive(Clone)]
pub struct Sources {
    given: Vec<Given>,
    /// The configuration file that a flag or variable names.
    named: Option<PathBuf>,
    /// The one that is read without such a name.
    system: PathBuf,
    file: Option<ConfigFile>,
}

/// A setting that was given as a flag or variable.
#[derive(Clone)]
struct Given {
    key: String,
    origin: Origin,
    /// May be a secret.
    values: Vec<OsString>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag.
    Flag,
    /// A variable of this name.
    Variable(String),
    /// The configuration file, and the line in it.
    File(PathBuf, usize),
    /// The default.
    Default,
}

/// As `nats-userman config` prints it.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// Without the values, which may be secrets.
impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origins: Vec<_> = self.given.iter().map(|given| (&given.key, &given.origin)).collect();
        let path = self.file.as_ref().map(|file| &file.path);
        f.debug_struct("Sources").field("given", &origins).field("file", &path).finish()
    }
}

impl Sources {
    /// Takes flags and variables from the command line, and reads the configuration file: the named
    /// one, else `system` if it exists. The second value has each entry of the file that cannot be
    /// used.
    ///
    /// # Errors
    ///
    /// Why the file cannot be used at all.
    pub fn read(
        matches: &ArgMatches,
        named: Option<&Path>,
        system: &Path,
    ) -> Result<(Self, Vec<BadSetting>), Vec<BadSetting>> {
        let table = table();
        let given = table.get_arguments().filter_map(|arg| Given::of(arg, matches)).collect();
        let mut bad_path = Problems::default();
        if named.is_some_and(|path| bad_path.path("--config", path).is_none()) {
            return Err(bad_path.0);
        }
        let (named, system) = (named.map(Path::to_owned), system.to_owned());
        let (file, bad) = file::read(named.as_deref(), &system, &keys(&table))?;
        Ok((Self { given, named, system, file }, bad))
    }

    /// Reads the configuration file again. Flags and variables stay.
    ///
    /// # Errors
    ///
    /// Why the file, or an entry of it, cannot be used, also if it is missing now.
    pub fn read_again(&self) -> Result<Self, Vec<BadSetting>> {
        // A file that was there is missed.
        let path = self.file.as_ref().map(|file| file.path.as_path());
        let (file, bad) =
            file::read(path.or(self.named.as_deref()), &self.system, &keys(&table()))?;
        if bad.is_empty() { Ok(Self { file, ..self.clone() }) } else { Err(bad) }
    }

    /// The configuration file that is in use.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_ref().map(|file| file.path.as_path())
    }

    /// The settings as text.
    pub fn settings(&self) -> Settings {
        let with_values = |arg: Arg| {
            let arg = arg.env(Resettable::Reset);
            match self.values(arg.get_id().as_str()) {
                Some((values, _)) => arg.default_values(values),
                None => arg,
            }
        };
        let no_arguments: [OsString; 0] = [];
        let read = table().mut_args(with_values).try_get_matches_from(no_arguments);
        read.and_then(|matches| Settings::from_arg_matches(&matches))
            .expect("flags and variables were read before, and the file has UTF-8")
    }

    /// The value of each setting and its origin, in the order of their definition.
    pub fn effective(&self) -> Vec<Effective> {
        let table = table();
        let of = |key: Key| {
            let arg = table.get_arguments().find(|arg| *arg.get_id() == key.name)?;
            Some(self.effective_of(key, arg))
        };
        keys(&table).into_iter().filter_map(of).collect()
    }

    /// Whether a flag of the command line has this setting, by the name of its key.
    pub fn is_of_flag(&self, key: &str) -> bool {
        self.values(key).is_some_and(|(_, origin)| origin == Origin::Flag)
    }

    /// The error with the line of the file from which the value comes.
    pub fn locate(&self, bad: BadSetting) -> BadSetting {
        let entry = bad.key().and_then(|key| match self.values(&key)?.1 {
            Origin::File(path, line) => Some((place(&path, line), key)),
            _ => None,
        });
        match entry {
            Some((place, key)) => bad.named(format!("{place}: {key}")),
            None => bad,
        }
    }

    /// The settings whose text differs between both.
    pub(super) fn changed(&self, other: &Self) -> Vec<String> {
        let texts = |sources: &Self, key: &str| sources.values(key).map(|(values, _)| values);
        let names = keys(&table()).into_iter().map(|key| key.name);
        names.filter(|key| texts(self, key) != texts(other, key)).collect()
    }

    /// The given values of a setting; `None` if its default applies.
    fn values(&self, key: &str) -> Option<(Vec<OsString>, Origin)> {
        if let Some(given) = self.given.iter().find(|given| given.key == key) {
            return Some((given.values.clone(), given.origin.clone()));
        }
        if let Some(file) = &self.file
            && let Some(entry) = file.entry(key)
        {
            let origin = Origin::File(file.path.clone(), entry.line);
            return Some((entry.values.iter().map(OsString::from).collect(), origin));
        }
        if key != "data_dir" {
            return None;
        }
        // The unit's StateDirectory: its service finds its data without the system's file too.
        let of_unit = std::env::var_os("STATE_DIRECTORY").filter(|dir| !dir.is_empty());
        let is_of_the_system = self.file.as_ref().is_some_and(|file| file.path == self.system);
        let dir = of_unit.or_else(|| is_of_the_system.then(|| SYSTEM_DATA_DIR.into()))?;
        Some((vec![dir], Origin::Default))
    }

    fn effective_of(&self, key: Key, arg: &Arg) -> Effective {
        let by_default = || {
            let values = arg.get_default_values().iter().map(|value| value.to_os_string());
            (values.collect(), Origin::Default)
        };
        let (values, origin): (Vec<OsString>, _) =
            self.values(&key.name).unwrap_or_else(by_default);
        let value = match key.kind {
            _ if key.is_secret && origin != Origin::Default => EffectiveValue::Secret,
            Kind::Switch => EffectiveValue::Switch(is_on(&values)),
            Kind::List if !values.is_empty() => EffectiveValue::List(items(&values)),
            _ => match values.first().map(|value| value.to_string_lossy().trim().to_owned()) {
                Some(text) if may_have_secret(&key.name, &text) => EffectiveValue::Secret,
                Some(text) => EffectiveValue::Text(text),
                None => EffectiveValue::Unset(default_in_words(arg)),
            },
        };
        Effective { key: key.name, value, origin }
    }
}

/// The items of a list, each of which may have several with commas, as in a variable.
fn items(values: &[OsString]) -> Vec<String> {
    let texts = values.iter().map(|value| value.to_string_lossy());
    let items = texts.flat_map(|text| text.split(',').map(str::to_owned).collect::<Vec<_>>());
    items.map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}

/// Whether a switch is on. A bad word is reported by [`super::Config::read`].
fn is_on(values: &[OsString]) -> bool {
    values.iter().any(|value| value.to_str().and_then(|text| switch(text.trim())) == Some(true))
}

/// The default that a help text names, as in `[default: any]`.
fn default_in_words(arg: &Arg) -> Option<String> {
    let help = arg.get_help()?.to_string();
    let (_, rest) = help.split_once("[default: ")?;
    Some(rest.split_once(']')?.0.to_owned())
}

/// The value in effect of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Its name in the configuration file.
    pub key: String,
    /// The value.
    pub value: EffectiveValue,
    /// Where it comes from.
    pub origin: Origin,
}

/// A value as the configuration file would have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EffectiveValue {
    /// Text or a number.
    Text(String),
    /// One or several texts.
    List(Vec<String>),
    /// A switch.
    Switch(bool),
    /// A secret, which is not shown.
    Secret,
    /// Nothing is set; what that means.
    Unset(Option<String>),
}

impl Given {
    fn of(arg: &Arg, matches: &ArgMatches) -> Option<Self> {
        let key = arg.get_id().as_str();
        // A variable of an argument that takes none now is empty, or was reported.
        let origin = match matches.value_source(key)? {
            ValueSource::CommandLine => Origin::Flag,
            ValueSource::EnvVariable => Origin::Variable(arg.get_env()?.to_str()?.to_owned()),
            _ => return None,
        };
        let values = matches.get_raw(key)?.map(OsString::from).collect();
        Some(Self { key: key.to_owned(), origin, values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sources of these flags, with this file in the place of the system's.
    fn read(flags: &[&str], named: Option<&Path>, system: &Path) -> Sources {
        let matches = table().try_get_matches_from(flags).unwrap();
        let (sources, bad) = Sources::read(&matches, named, system).unwrap();
        assert_eq!(bad, []);
        sources
    }

    fn data_dir(sources: &Sources) -> String {
        sources.settings().data_dir.display().to_string()
    }

    #[test]
    fn the_system_has_a_file_and_with_it_another_default_of_the_data_directory() {
        let dir = tempfile::tempdir().unwrap();
        let (system, other) = (dir.path().join("system.toml"), dir.path().join("other.toml"));
        let without = read(&[], None, &system);
        assert_eq!((without.file(), data_dir(&without)), (None, "./data".into()));

        std::fs::write(&system, "login_hours = 3\n").unwrap();
        std::fs::write(&other, "login_hours = 4\n").unwrap();
        for named in [None, Some(system.as_path())] {
            let with = read(&[], named, &system);
            assert_eq!(with.file(), Some(system.as_path()));
            assert_eq!(data_dir(&with), SYSTEM_DATA_DIR);
            assert_eq!(with.settings().area.login_hours, "3");
            let of_data_dir = with.effective().into_iter().find(|it| it.key == "data_dir").unwrap();
            assert_eq!(of_data_dir.origin, Origin::Default);
            assert_eq!(of_data_dir.value, EffectiveValue::Text(SYSTEM_DATA_DIR.into()));
        }
        let by_flag = read(&["--data-dir", "/srv"], None, &system);
        assert_eq!(data_dir(&by_flag), "/srv");
        let named = read(&[], Some(&other), &system);
        assert_eq!((named.file(), data_dir(&named)), (Some(other.as_path()), "./data".into()));

        std::fs::write(&system, "data_dir = \"/srv\"\n").unwrap();
        assert_eq!(data_dir(&read(&[], None, &system)), "/srv");
    }

    #[test]
    fn a_file_that_comes_is_read_at_a_reload_and_one_that_goes_is_missed() {
        let dir = tempfile::tempdir().unwrap();
        let system = dir.path().join("system.toml");
        let before = read(&[], None, &system);
        std::fs::write(&system, "login_hours = 3\n").unwrap();
        let now = before.read_again().unwrap();
        assert_eq!(before.changed(&now), ["data_dir", "login_hours"]);
        std::fs::remove_file(&system).unwrap();
        let said = format!(
            "the configuration file {}: No such file or directory (os error 2)",
            system.display()
        );
        let bad = now.read_again().unwrap_err();
        assert_eq!(bad.iter().map(ToString::to_string).collect::<Vec<_>>(), [said]);
    }

    #[test]
    fn no_value_is_shown_by_debug() {
        let dir = tempfile::tempdir().unwrap();
        let secret = "0123456789abcdef0123456789abcdef";
        let sources = read(&["--postback-token", secret], None, &dir.path().join("none"));
        assert!(!format!("{sources:?}").contains(secret), "{sources:?}");
    }
}
