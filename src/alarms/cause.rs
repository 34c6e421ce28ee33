//! What an alarm is about.

use std::fmt;

/// The cause of an alarm. Each has at most one alarm at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The database cannot be written.
    ReadOnly,
    /// Too many postbacks are answered with ERROR.
    Errors,
    /// This site sends nothing, against its habit.
    Silence(i64),
    /// The credentials that wait to be hashed become more.
    Backlog,
    /// The newest backup is too old, or there is none.
    Backup,
    /// The disk of the database is nearly full.
    Disk,
    /// The members are not those of NATS.
    Differences,
    /// None: the way to the operator is tested.
    Test,
}

impl Cause {
    /// The name in messages for programs.
    pub fn name(self) -> &'static str {
        match self {
            Cause::ReadOnly => "read_only",
            Cause::Errors => "errors",
            Cause::Silence(_) => "silence",
            Cause::Backlog => "backlog",
            Cause::Backup => "backup",
            Cause::Disk => "disk",
            Cause::Differences => "differences",
            Cause::Test => "test",
        }
    }

    /// The siteid, of a cause that has one.
    pub fn site(self) -> Option<i64> {
        match self {
            Cause::Silence(site) => Some(site),
            _ => None,
        }
    }

    /// The cause with this name and site.
    pub(super) fn parse(name: &str, site: Option<i64>) -> Option<Self> {
        let silence = site.map(Cause::Silence);
        [
            Some(Cause::ReadOnly),
            Some(Cause::Errors),
            silence,
            Some(Cause::Backlog),
            Some(Cause::Backup),
            Some(Cause::Disk),
            Some(Cause::Differences),
        ]
        .into_iter()
        .flatten()
        .find(|cause| cause.name() == name && cause.site() == site)
    }

    /// Whether it is about the database, which several receivers may share. Then the one with the
    /// lease raises it. Other causes are those of one machine.
    pub fn is_shared(self) -> bool {
        match self {
            Cause::Errors | Cause::Silence(_) | Cause::Backlog | Cause::Differences => true,
            Cause::ReadOnly | Cause::Backup | Cause::Disk | Cause::Test => false,
        }
    }

    /// What is said when it is over.
    pub(super) fn over(self) -> String {
        match self {
            Cause::ReadOnly => "the database can be written again".into(),
            Cause::Errors => "fewer postbacks are answered with ERROR again".into(),
            Cause::Silence(site) => format!("site {site} is no longer silent against its habit"),
            Cause::Backlog => "the credentials that wait to be hashed become fewer again".into(),
            Cause::Backup => "the newest backup is young enough again".into(),
            Cause::Disk => "the disk of the database has enough room again".into(),
            Cause::Differences => "the members are those of NATS again".into(),
            Cause::Test => "the test is over".into(),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.site().map_or(Ok(()), |site| write!(f, " of site {site}"))
    }
}
