//! The comparison with `php/postback.php`: PHP-FPM behind nginx, on the same database.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mysql::Opts;

use crate::Failure;
use crate::mariadb::program;
use crate::process::Server;

/// Enough to keep two processors and the disk busy; more would only wait.
const PROCESSES: usize = 16;

const START_TIME_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Both stop when they go out of scope.
pub struct Php {
    pub server: Server,
    _fpm: Fpm,
}

struct Fpm(Child);

impl Drop for Fpm {
    fn drop(&mut self) {
        // Both fail only where it has ended already. PHP-FPM's children end with it.
        let pid = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}

impl Php {
    /// Ends both. A master of nginx that is killed would leave its workers.
    pub fn stop(self) -> Result<(), Failure> {
        self.server.stop()
    }

    /// Starts both in this directory, on the database of this URL.
    pub fn start(dir: &Path, url: &str) -> Result<Self, Failure> {
        fs::create_dir_all(dir)?;
        let script = dir.join("postback.php");
        fs::write(&script, include_str!("php/postback.php"))?;
        let opts = Opts::from_url(url)?;
        let (user, password) = (opts.get_user().unwrap_or(""), opts.get_pass().unwrap_or(""));
        let dsn = format!(
            "mysql:host={};port={};dbname={};charset=utf8mb4",
            opts.get_ip_or_hostname(),
            opts.get_tcp_port(),
            opts.get_db_name().unwrap_or("")
        );
        let at = dir.display();
        let account = if rustix::process::geteuid().is_root() { "user = root\n" } else { "" };
        let pool = format!(
            "[global]\ndaemonize = no\nerror_log = {at}/fpm.log\n[flood]\n{account}\
             listen = {at}/fpm.sock\npm = static\npm.max_children = {PROCESSES}\n\
             env[FLOOD_DSN] = \"{dsn}\"\nenv[FLOOD_USER] = \"{user}\"\n\
             env[FLOOD_PASSWORD] = \"{password}\"\n"
        );
        fs::write(dir.join("fpm.conf"), pool)?;
        let mut fpm = Command::new(fpm_program()?);
        fpm.args(["-R", "-F", "-d", "opcache.enable=1", "-y"]).arg(dir.join("fpm.conf"));
        let fpm = fpm.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log(dir, "fpm.err")?);
        let fpm = Fpm(fpm.spawn()?);
        let begun = Instant::now();
        while UnixStream::connect(dir.join("fpm.sock")).is_err() {
            if begun.elapsed() > START_TIME_MAX {
                return Err(format!("PHP-FPM does not listen: see {at}").into());
            }
            std::thread::sleep(LOOK_EVERY);
        }

        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let account = if rustix::process::geteuid().is_root() { "user root;\n" } else { "" };
        let params = fs::read_to_string("/etc/nginx/fastcgi_params")?;
        let nginx = format!(
            "{account}daemon off;\nworker_processes auto;\npid {at}/nginx.pid;\n\
             error_log {at}/nginx.log;\nevents {{ worker_connections 2048; }}\nhttp {{\n\
             access_log off;\nkeepalive_requests 100000000;\n\
             client_body_temp_path {at}/body;\nproxy_temp_path {at}/proxy;\n\
             fastcgi_temp_path {at}/fastcgi;\nuwsgi_temp_path {at}/uwsgi;\n\
             scgi_temp_path {at}/scgi;\n\
             server {{\nlisten {address} backlog=4096;\nlocation /postback/ {{\n{params}\n\
             fastcgi_pass unix:{at}/fpm.sock;\n\
             fastcgi_param SCRIPT_FILENAME {};\n}}\n}}\n}}\n",
            script.display()
        );
        fs::write(dir.join("nginx.conf"), nginx)?;
        let mut nginx = Command::new(program("nginx"));
        nginx.arg("-c").arg(dir.join("nginx.conf")).arg("-p").arg(dir);
        nginx.arg("-e").arg(dir.join("nginx.log")).stdin(Stdio::null());
        Ok(Self { server: Server::of_another_program(&mut nginx, dir, address)?, _fpm: fpm })
    }
}

fn log(dir: &Path, name: &str) -> Result<File, Failure> {
    Ok(File::create(dir.join(name))?)
}

/// Debian has the version in the name.
fn fpm_program() -> Result<PathBuf, Failure> {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/sbin")?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().contains("/php-fpm"))
        .collect();
    found.sort();
    found.pop().ok_or_else(|| "no php-fpm in /usr/sbin: install php-fpm and php-mysql".into())
}
