//! Builds the package with `packaging/build`, once in a run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

static PACKAGE: OnceLock<Package> = OnceLock::new();

pub struct Package {
    file: PathBuf,
}

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs `packaging/build`. Nothing is compiled if nothing has changed.
pub fn build(what: &str) {
    let script = root().join("packaging/build");
    let status = Command::new(script).arg(what).env_remove("CARGO_TARGET_DIR").status().unwrap();
    assert!(status.success(), "packaging/build {what}: {status}");
}

impl Package {
    pub fn built() -> &'static Self {
        PACKAGE.get_or_init(|| {
            build("deb");
            let files = fs::read_dir(root().join("target/deb")).unwrap();
            let files: Vec<PathBuf> = files
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.extension().is_some_and(|kind| kind == "deb"))
                .collect();
            let [file] = files.as_slice() else { panic!("one package: {files:?}") };
            Self { file: file.clone() }
        })
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The package of a later release, which is this one with a change.
    pub fn newer(&self, name: &str, change: impl FnOnce(&Path)) -> PathBuf {
        let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.deb"));
        let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let tree = dir.path().join("tree");
        run(Command::new("dpkg-deb").arg("--raw-extract").arg(&self.file).arg(&tree));
        let control = tree.join("DEBIAN/control");
        let text = fs::read_to_string(&control).unwrap();
        let version = text.lines().find(|line| line.starts_with("Version: ")).unwrap();
        fs::write(&control, text.replace(version, &format!("{version}+{name}"))).unwrap();
        change(&tree);
        run(Command::new("dpkg-deb").args(["-Znone", "--build"]).arg(&tree).arg(&made));
        made
    }
}

pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {out}{err}");
    out.into_owned()
}
