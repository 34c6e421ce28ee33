//! Podman and Buildah with their own storage for the test, and the image in it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::network::Network;

/// The limit of every wait in a test.
const PATIENCE: Duration = Duration::from_secs(60);
/// The flags with which an operator runs the image. The limits are those that a sandbox allows,
/// because the defaults of the engine may be higher than those of the system.
const RUN: [&str; 9] = [
    "run",
    "--read-only",
    // Podman would add a /tmp, and Docker does not.
    "--read-only-tmpfs=false",
    "--cap-drop",
    "all",
    "--ulimit",
    "nofile=20000:20000",
    "--ulimit",
    "nproc=4096:4096",
];

/// Waits until the condition is true.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "not within {PATIENCE:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn of(command: &mut Command) -> Self {
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code().unwrap_or(-1),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// Requires that it succeeded. Returns its output.
    #[track_caller]
    pub fn printed(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out
    }

    /// Requires this exit code, and exactly this text on stderr.
    #[track_caller]
    pub fn ended(&self, code: i32, err: &str) {
        assert_eq!((self.code, self.err.as_str()), (code, err), "{}", self.out);
    }
}

/// An engine with the image, a network of its own, and no containers. Everything is removed when it
/// is dropped.
pub struct Engine {
    dir: TempDir,
    pub network: Network,
}

impl Engine {
    pub fn with_image() -> Self {
        let archive = archive();
        // A short path, because conmon creates sockets below it, whose paths have a maximum length.
        let engine = Self { dir: TempDir::new().unwrap(), network: Network::new() };
        engine.podman(&["load", "--quiet", "--input", archive.to_str().unwrap()]).printed();
        engine
    }

    /// A new directory.
    pub fn dir(&self, name: &str) -> PathBuf {
        let dir = self.dir.path().join(name);
        fs::create_dir(&dir).unwrap();
        dir
    }

    pub fn podman(&self, args: &[&str]) -> Ran {
        let at = |name: &str| self.dir.path().join(name);
        let mut command = Command::new("podman");
        command.arg("--root").arg(at("storage")).arg("--runroot").arg(at("run"));
        command.arg("--tmpdir").arg(at("tmp")).args(["--storage-driver", "vfs"]);
        command.args(["--runtime", "runc", "--cgroup-manager", "cgroupfs"]);
        command.args(["--events-backend", "file"]);
        command.args(args);
        Ran::of(&mut command)
    }

    /// Runs a command of the image to its end. Leaves out what Podman itself logs.
    pub fn run(&self, flags: &[&str], args: &[&str]) -> Ran {
        let net = self.network.flag();
        let own = ["--rm", "--no-healthcheck", "--network", &net];
        let mut ran = self.podman(&[&RUN[..], &own, flags, &["nats-userman"], args].concat());
        ran.err = ran
            .err
            .lines()
            .filter(|line| !line.starts_with("time="))
            .fold(String::new(), |kept, line| kept + line + "\n");
        ran
    }

    /// Starts a container in the background.
    pub fn start(&self, name: &str, flags: &[&str], args: &[&str]) {
        let net = self.network.flag();
        let own = ["--detach", "--name", name, "--network", &net];
        self.podman(&[&RUN[..], &own, flags, &["nats-userman"], args].concat()).printed();
    }

    pub fn is_running(&self, name: &str) -> bool {
        self.state(name, "{{.State.Running}}") == "true"
    }

    /// Stops a container as its engine does, and waits. Returns its exit code.
    pub fn stop(&self, name: &str) -> i32 {
        self.podman(&["stop", "--time", "30", name]).printed();
        self.state(name, "{{.State.ExitCode}}").parse().unwrap()
    }

    fn state(&self, name: &str, format: &str) -> String {
        self.podman(&["inspect", "--format", format, name]).printed().trim().to_owned()
    }

    fn mounted(&self) -> PathBuf {
        self.podman(&["image", "mount", "nats-userman"]).printed().trim().into()
    }

    /// The program of the image, outside of a container.
    pub fn program_of_image(&self) -> PathBuf {
        self.mounted().join("usr/bin/nats-userman")
    }

    /// The files of the image, each with owner, group and mode.
    pub fn files_of_image(&self) -> Vec<String> {
        let root = self.mounted();
        let (mut found, mut open) = (Vec::new(), vec![root.clone()]);
        while let Some(dir) = open.pop() {
            for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
                let of = path.symlink_metadata().unwrap();
                let name = path.strip_prefix(&root).unwrap().display();
                let mode = of.mode() & 0o7777;
                found.push(format!("{name} {}:{} {mode:04o}", of.uid(), of.gid()));
                if of.is_dir() {
                    open.push(path);
                }
            }
        }
        found.sort();
        found
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.podman(&["rm", "--all", "--force", "--time", "0"]);
        self.podman(&["image", "umount", "--all"]);
    }
}

/// Builds the image in the background: the compiler needs minutes, in which machines boot for the
/// other stories. If it fails, the first story that needs the image tries again and reports it.
pub fn begin_image() {
    std::thread::spawn(archive);
}

/// The archive of the image of this source, which is built once for all tests.
fn archive() -> &'static Path {
    static ARCHIVE: OnceLock<PathBuf> = OnceLock::new();
    ARCHIVE.get_or_init(build)
}

/// Builds `Dockerfile` as `podman build` does, with another builder image: the system of this
/// machine, mounted into an empty image.
fn build() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("image");
    fs::create_dir_all(dir.join("tmp")).unwrap();
    let buildah = |args: &[&str]| {
        let mut command = Command::new("buildah");
        command.arg("--root").arg(dir.join("storage")).arg("--runroot").arg(dir.join("run"));
        command.args(["--storage-driver", "vfs"]).args(args);
        // cargo keeps the results of a build here for the next one.
        command.env("TMPDIR", dir.join("tmp"));
        let ran = Ran::of(&mut command);
        assert_eq!(ran.code, 0, "buildah {args:?}:\n{}{}", ran.out, ran.err);
    };
    let mounts = builder(&dir.join("builder"));
    let built = ["bud", "--quiet", "--format", "docker", "--isolation", "chroot"];
    buildah(&[&built[..], &["--tag", "builder", dir.join("builder").to_str().unwrap()]].concat());
    let mounts: Vec<&str> = mounts.iter().flat_map(|mount| ["--volume", mount]).collect();
    let own = ["--layers", "--build-arg", "BUILDER=localhost/builder", "--tag", "nats-userman"];
    let source = env!("CARGO_MANIFEST_DIR");
    buildah(&[&built[..], &own, &mounts, &[source]].concat());
    let archive = dir.join("nats-userman.tar");
    let _ = fs::remove_file(&archive);
    let to = format!("docker-archive:{}:nats-userman:latest", archive.display());
    buildah(&["push", "--quiet", "nats-userman", &to]);
    archive
}

/// Writes the source of an image that uses the programs of this machine. Returns the directories
/// that must be mounted into it.
fn builder(dir: &Path) -> Vec<String> {
    let root = dir.join("root");
    let _ = fs::remove_dir_all(dir);
    fs::create_dir_all(&root).unwrap();
    for name in ["bin", "lib", "lib64", "sbin"] {
        symlink(format!("usr/{name}"), root.join(name)).unwrap();
    }
    let home = |name: &str, usual: &str| {
        let home = std::env::var("HOME").unwrap();
        std::env::var(name).unwrap_or_else(|_| format!("{home}/{usual}"))
    };
    let (cargo_home, rustup_home) = (home("CARGO_HOME", ".cargo"), home("RUSTUP_HOME", ".rustup"));
    let tools = Path::new(env!("CARGO")).parent().unwrap().display();
    let text = format!(
        "FROM scratch\nCOPY root/ /\n\
         ENV PATH={tools}:/usr/bin CARGO_HOME={cargo_home} RUSTUP_HOME={rustup_home}\n"
    );
    fs::write(dir.join("Dockerfile"), text).unwrap();
    let read_only = ["/usr", "/etc"].map(|dir| format!("{dir}:{dir}:ro"));
    let homes = [cargo_home, rustup_home].into_iter().filter(|dir| Path::new(dir).is_dir());
    read_only.into_iter().chain(homes.map(|dir| format!("{dir}:{dir}"))).collect()
}
