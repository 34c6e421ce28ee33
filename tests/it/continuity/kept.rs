//! Copies of the data directories of releases, which a test may change.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tempfile::TempDir;

use crate::support::temp_dir;

/// What `make.py` wrote down about a data directory.
#[derive(Deserialize)]
pub struct Facts {
    /// Unix seconds.
    pub made_at: i64,
    /// Site, memberid, username as sent, and password of members who can log in.
    pub opens: Vec<(i64, i64, String, String)>,
    /// Former members, with the password that is valid after they come back.
    pub comes_back: Vec<(i64, i64, String, String)>,
    pub cookies: Vec<Cookie>,
    pub given_back: Cookie,
    /// Address, site, username.
    pub blocked: Vec<(String, i64, String)>,
    /// Valid tokens, by the environment file of the service.
    pub tokens: std::collections::BTreeMap<String, Vec<String>>,
    /// `api-username` and `api-key`.
    pub api_key: (String, String),
}

/// A login cookie as a browser sends it, the flags of the service that set it, and its member.
#[derive(Deserialize)]
pub struct Cookie {
    pub cookie: String,
    pub flags: Vec<String>,
    pub member: Option<(i64, i64)>,
}

/// A copy of the data directory of a release.
pub struct Kept {
    pub dir: TempDir,
    pub facts: Facts,
}

impl Kept {
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn database(&self) -> PathBuf {
        self.data().join("userman.db")
    }
}

/// All releases.
pub fn releases() -> Vec<String> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/releases"))
        .unwrap()
        .map(Result::unwrap);
    let directories = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    let mut names: Vec<_> =
        directories.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(!names.is_empty());
    names
}

/// Copies the data directory of a release, with the modes that the release gives. A repository
/// keeps no modes.
pub fn kept(release: &str) -> Kept {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/releases").join(release);
    let dir = temp_dir();
    copy(&from, dir.path());
    let data = dir.path().join("data");
    fs::set_permissions(&data, Permissions::from_mode(0o750)).unwrap();
    for entry in fs::read_dir(&data).unwrap().map(Result::unwrap) {
        if entry.file_name().to_str().unwrap().starts_with("userman.db") {
            fs::set_permissions(entry.path(), Permissions::from_mode(0o640)).unwrap();
        }
    }
    let facts =
        serde_json::from_str(&fs::read_to_string(from.join("facts.json")).unwrap()).unwrap();
    Kept { dir, facts }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => {
                fs::copy(entry.path(), &target).unwrap();
                fs::set_permissions(target, Permissions::from_mode(0o600)).unwrap();
            }
        }
    }
}
