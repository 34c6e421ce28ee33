//! A network for the test, with a loopback interface alone, and the servers in it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::engine::{Engine, Ran};

/// The answer of the test server, as in TMM's samples.
pub const STRING: &str = "877ae8d2c00e617d443643326bb848e2";

/// A network namespace. It exists as long as this process runs a process in it.
pub struct Network {
    holder: Child,
    _open: ChildStdin,
}

impl Network {
    pub fn new() -> Self {
        let mut command = Command::new("unshare");
        // `cat` ends when its input ends, which is at the latest at the end of the test.
        command.args(["--net", "sh", "-c", "ip link set lo up && echo up && exec cat"]);
        let mut holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "up\n", "no network namespace");
        Self { _open: holder.stdin.take().unwrap(), holder }
    }

    fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.holder.id())
    }

    /// The value of Podman's flag for this network.
    pub fn flag(&self) -> String {
        format!("ns:{}", self.path())
    }

    /// A command that runs a program in this network.
    fn inside(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path())).arg("--").arg(program);
        command
    }

    pub fn run(&self, program: &str, args: &[&str]) -> Ran {
        Ran::of(self.inside(program).args(args))
    }

    /// Runs a service in this network until it listens, and stops it. Returns its log.
    pub fn serve_and_stop(&self, service: &Command) -> String {
        let mut command = self.inside(service.get_program());
        command.args(service.get_args());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut log = String::new();
        while !log.contains("listening on ") && stderr.read_line(&mut log).unwrap() > 0 {}
        // nsenter and chroot replace themselves by the program that they run.
        let _ = kill_process(Pid::from_child(&child), Signal::TERM);
        stderr.read_to_string(&mut log).unwrap();
        let status = child.wait().unwrap();
        assert!(status.success(), "{status}: {log}");
        log
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A NATS with TLS, and a name server that knows its name.
pub struct Nats {
    child: Child,
    /// The path of its self-signed certificate.
    pub certificate: PathBuf,
    pub resolv_conf: PathBuf,
}

impl Nats {
    pub fn start(engine: &Engine) -> Self {
        let dir = engine.dir("nats");
        let (key, certificate) = (dir.join("key.pem"), dir.join("cert.pem"));
        certify(&key, &certificate);
        let resolv_conf = dir.join("resolv.conf");
        std::fs::write(&resolv_conf, "nameserver 127.0.0.1\n").unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/system/container/nats.py");
        let mut command = engine.network.inside("python3");
        command.arg(script).arg(&certificate).arg(&key).arg(STRING);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "no NATS");
        Self { child, certificate, resolv_conf }
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn certify(key: &Path, certificate: &Path) {
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    command.args(["-nodes", "-days", "2", "-subj", "/CN=nats", "-addext"]);
    command.args(["subjectAltName=DNS:nats.hosts.test,DNS:nats.dns.test", "-addext"]);
    command.arg("basicConstraints=critical,CA:FALSE");
    command.arg("-keyout").arg(key).arg("-out").arg(certificate);
    Ran::of(&mut command).printed();
    // The user of the container must be able to read it.
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(certificate, readable).unwrap();
}
