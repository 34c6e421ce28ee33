//! The real web servers, with the files of `examples/`. The tests change only paths, ports and
//! modules.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::server::WebServer;
use crate::support::pages::example;
use crate::support::{certify, free_port, real_program};

/// User and group of Debian's nginx and Apache.
const WWW_DATA: u32 = 33;
/// The address of the application in the examples.
const APPLICATION: &str = "127.0.0.1:9000";
const SERVICE: &str = "127.0.0.1:8080";
const FASTCGI: &str = "127.0.0.1:9001";
/// The handler of PHP in Apache, which the tests call over TCP.
const APACHE_PHP: &str = "proxy:unix:/run/php/php-fpm.sock|fcgi://localhost";
/// The address of PHP in nginx's form and in Caddy's.
const PHP: [&str; 2] = ["unix:/run/php/php-fpm.sock", "unix//run/php/php-fpm.sock"];
const DATABASE: &str = "/var/lib/nats-userman/userman.db";
const SITE: &str = "/var/www/www.example.com";

/// Whether the servers can change their user. If not, a loud line says so.
pub fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        assert!(std::env::var("REQUIRE_REAL").as_deref() != Ok("1"), "not root and REQUIRE_REAL=1");
        eprintln!(
            "\n*** NOT ROOT: the web server runs as you, and that it may not write is not tried \
             here ***\n"
        );
    }
    root
}

/// A web server that has examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Nginx,
    /// By FastCGI in place of HTTP.
    NginxByFastcgi,
    Apache,
    /// Apache that reads the table.
    ApacheOnTable,
    Caddy,
}

impl Kind {
    /// Whether the server asks the service. Otherwise it reads the table.
    pub fn asks(self) -> bool {
        match self {
            Self::Nginx | Self::NginxByFastcgi | Self::Apache | Self::Caddy => true,
            Self::ApacheOnTable => false,
        }
    }
}

/// The machine of an operator: certificate, site, data directory, and running servers.
pub struct Host {
    dir: TempDir,
    /// The directory of the data directory, until an [`crate::support::App`] takes it.
    home: Option<TempDir>,
    data: PathBuf,
    /// The addresses of the service, its FastCGI authorizer, the application and PHP.
    pub service: SocketAddr,
    pub fastcgi: SocketAddr,
    pub application: SocketAddr,
    pub php: SocketAddr,
    /// The port without TLS of the web server.
    pub plain_port: u16,
    /// What an operator changes in the examples: each text, and the one in its place.
    pub changes: Vec<(String, String)>,
}

impl Host {
    /// `None` if a program is missing that all these tests need.
    pub fn new() -> Option<Self> {
        let openssl = real_program("openssl")?;
        real_program("curl")?;
        let (dir, home) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        // Temporary directories are private to their owner, and the web server must be able to
        // enter them.
        for dir in [&dir, &home] {
            fs::set_permissions(dir.path(), Permissions::from_mode(0o711)).unwrap();
        }
        let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
        let data = home.path().join("data");
        let host = Self {
            dir,
            home: Some(home),
            data,
            service: nobody,
            fastcgi: nobody,
            application: nobody,
            php: nobody,
            plain_port: free_port(),
            changes: Vec::new(),
        };
        for site in ["site5", "shared", "members", "members/extras", "full"] {
            fs::create_dir_all(host.path("site").join(site)).unwrap();
            fs::write(host.path("site").join(site).join("index.html"), format!("inside {site}\n"))
                .unwrap();
        }
        let reasons = host.path("site").join("reasons");
        fs::create_dir(&reasons).unwrap();
        for entry in fs::read_dir(example("reasons")).unwrap().map(Result::unwrap) {
            fs::copy(entry.path(), reasons.join(entry.file_name())).unwrap();
        }
        host.make_data_dir();
        certify(&openssl, host.dir.path(), "DNS:www.example.com,DNS:members.example.com");
        Some(host)
    }

    /// Gives the data directory to the group www-data. docs/members-area.md tells operators to add
    /// www-data to the group that may read.
    fn make_data_dir(&self) {
        fs::create_dir(&self.data).unwrap();
        if rustix::process::geteuid().is_root() {
            chown(&self.data, None, Some(WWW_DATA)).unwrap();
            fs::set_permissions(&self.data, Permissions::from_mode(0o2750)).unwrap();
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The data directory of the service.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Takes the directory of the data directory, for an app that removes it at its end.
    pub fn take_home(&mut self) -> TempDir {
        self.home.take().unwrap()
    }

    /// All logs of the web server.
    pub fn logs(&self) -> Vec<(PathBuf, String)> {
        let files = fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let logs = files.filter(|file| file.extension().is_some_and(|kind| kind == "log"));
        logs.map(|file| (file.clone(), fs::read_to_string(file).unwrap())).collect()
    }

    pub fn certificate(&self) -> PathBuf {
        self.path("tls.pem")
    }

    /// An example with the paths and ports of this host.
    fn configured(&self, name: &str, ports: &[(&str, String)]) -> String {
        let mut text = fs::read_to_string(example(name)).unwrap();
        for (from, to) in &self.changes {
            assert!(text.contains(from), "{name} has no {from}");
            text = text.replace(from, to);
        }
        let path = |name: &str| self.path(name).display().to_string();
        let mut own = vec![
            (SITE, path("site")),
            (DATABASE, self.data.join("userman.db").display().to_string()),
        ];
        own.extend([
            (SERVICE, self.service.to_string()),
            (FASTCGI, self.fastcgi.to_string()),
            (APACHE_PHP, format!("proxy:fcgi://{}", self.php)),
            (APPLICATION, self.application.to_string()),
        ]);
        own.extend(PHP.map(|php| (php, self.php.to_string())));
        for name in ["www", "members"] {
            text =
                text.replace(&format!("/etc/ssl/certs/{name}.example.com.pem"), &path("tls.pem"));
            text =
                text.replace(&format!("/etc/ssl/private/{name}.example.com.key"), &path("tls.key"));
        }
        for (from, to) in own.iter().chain(ports) {
            text = text.replace(from, to);
        }
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            let of_the_example = ["/etc/", "/var/", SERVICE, FASTCGI, APPLICATION]
                .iter()
                .find(|word| line.contains(*word));
            assert_eq!(of_the_example, None, "{name}: {line}");
            // As a whole word, because a free port may begin with these digits.
            assert!(
                !line.split([' ', ':', ';', '\t']).any(|word| matches!(word, "443" | "80")),
                "{name}: {line}"
            );
        }
        text
    }

    /// Starts a web server with both of its examples: for postbacks, and for the members area.
    pub fn serve(&self, kind: Kind) -> Option<WebServer> {
        match kind {
            Kind::Nginx => self.nginx(&["nginx.conf", "members-nginx.conf"]),
            Kind::NginxByFastcgi => self.nginx_by_fastcgi(),
            Kind::Apache => self.apache(&["apache.conf", "members-apache.conf"]),
            Kind::ApacheOnTable => self.apache(&["apache.conf", "apache-dbd.conf"]),
            Kind::Caddy => self.caddy(&["Caddyfile", "members.Caddyfile"]),
        }
    }

    /// Starts Apache with these examples.
    pub fn apache(&self, examples: &[&str]) -> Option<WebServer> {
        let program = real_program("apache2").or_else(|| real_program("/usr/sbin/apache2"))?;
        let port = free_port();
        let mut text = format!("ServerRoot {0:?}\nServerName www.example.com\n", self.dir.path());
        for port in [port, self.plain_port] {
            text += &format!("Listen 127.0.0.1:{port}\n");
        }
        let modules = [
            "mpm_event",
            "authn_core",
            "authz_core",
            "authz_user",
            "auth_basic",
            "dbd",
            "authn_dbd",
            "authnz_fcgi",
            "setenvif",
            "env",
            "headers",
            "alias",
            "dir",
            "mime",
            "proxy",
            "proxy_http",
            "proxy_fcgi",
            "ssl",
            "socache_shmcb",
            "reqtimeout",
            "rewrite",
            "macro",
        ];
        for module in modules {
            text +=
                &format!("LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so\n");
        }
        // PHP-FPM reads the path of a page as Apache sends it to a socket, and php-cgi does not.
        text += "ProxyFCGIBackendType GENERIC\n";
        text += "TypesConfig /etc/mime.types\nPidFile apache.pid\nErrorLog apache.log\n\
            DefaultRuntimeDir run\n";
        fs::create_dir_all(self.path("run")).unwrap();
        if rustix::process::geteuid().is_root() {
            text += "User www-data\nGroup www-data\n";
        }
        for example in examples {
            let ports = [
                ("*:443", format!("127.0.0.1:{port}")),
                ("*:80", format!("127.0.0.1:{}", self.plain_port)),
            ];
            text += &self.configured(example, &ports);
        }
        fs::write(self.path("apache.conf"), text).unwrap();
        let mut command = Command::new(program);
        command
            .args(["-D", "FOREGROUND", "-f"])
            .arg(self.path("apache.conf"))
            .env("APACHE_LOG_DIR", self.dir.path());
        Some(WebServer::start(command, port, self.path("apache.log")))
    }

    /// Starts nginx with these examples.
    pub fn nginx(&self, examples: &[&str]) -> Option<WebServer> {
        let program = real_program("nginx").or_else(|| real_program("/usr/sbin/nginx"))?;
        let port = free_port();
        let errors = self.path("nginx.log");
        let mut text = format!(
            "daemon off;\npid {0}/nginx.pid;\nerror_log {0}/nginx.log;\n",
            self.dir.path().display()
        );
        if rustix::process::geteuid().is_root() {
            text += "user www-data;\n";
        }
        text += "events {}\nhttp {\ninclude /etc/nginx/mime.types;\n";
        // Settings that an operator may have for another site.
        text += "underscores_in_headers on;\nignore_invalid_headers off;\n";
        for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            text += &format!("{kind}_temp_path {}/{kind};\n", self.dir.path().display());
        }
        let ports = [
            ("listen 443", format!("listen 127.0.0.1:{port}")),
            // IPv4 instead of IPv6, because the machine of a test may have no IPv6.
            ("listen [::]:443", format!("listen 127.0.0.2:{port}")),
            ("listen 80", format!("listen 127.0.0.1:{}", self.plain_port)),
            ("listen [::]:80", format!("listen 127.0.0.2:{}", self.plain_port)),
            ("/var/log/nginx", self.dir.path().display().to_string()),
            // Settings that many operators have, and that must not open the area.
            (
                "    location /reasons/ {",
                "    location ~* \\.(html|php|jpg)$ {\n    }\n\n    location /reasons/ {".into(),
            ),
        ];
        for example in examples {
            text += &self.configured(example, &ports);
        }
        text += "}\n";
        fs::write(self.path("nginx.conf"), text).unwrap();
        // Debian's nginx has this file next to its configuration.
        fs::copy("/etc/nginx/fastcgi_params", self.path("fastcgi_params")).unwrap();
        let mut command = Command::new(program);
        command
            .arg("-c")
            .arg(self.path("nginx.conf"))
            .arg("-p")
            .arg(self.dir.path())
            .arg("-e")
            .arg(&errors);
        Some(WebServer::start(command, port, errors))
    }

    /// Starts nginx that asks by FastCGI, as docs/members-area.md says.
    fn nginx_by_fastcgi(&self) -> Option<WebServer> {
        let docs = include_str!("../../../docs/members-area.md");
        let (_, rest) = docs.split_once("```nginx\nlocation ~ ^/_auth/").unwrap();
        let (location, _) = rest.split_once("```").unwrap();
        let location = format!("location ~ ^/_auth/{location}").replace('\n', "\n    ");
        let example = fs::read_to_string(example("members-nginx.conf")).unwrap();
        let (before, rest) = example.split_once("location ~ ^/_auth/").unwrap();
        let (_, after) = rest.split_once("\n    }\n").unwrap();
        let text = format!("{before}{location}\n{after}")
            .replace("$upstream_http_x_member_", "$upstream_http_variable_member_");
        fs::write(self.path("by-fastcgi.conf"), text).unwrap();
        let own = self.path("by-fastcgi.conf");
        self.nginx(&["nginx.conf", own.to_str().unwrap()])
    }

    /// Starts PHP for pages, with these variables. The page is in the members' part of the site.
    pub fn php(&mut self, page: &str, variables: &[(&str, &str)]) -> Option<WebServer> {
        let program = real_program("php-cgi")?;
        let port = free_port();
        fs::copy(example(page), self.path("site/members").join(page)).unwrap();
        self.php = SocketAddr::from(([127, 0, 0, 1], port));
        let mut command = Command::new(program);
        command.arg("-b").arg(self.php.to_string()).envs(variables.iter().copied());
        Some(WebServer::start(command, port, self.path("php.log")))
    }

    /// Starts Caddy with these examples. The one with global options must be first.
    pub fn caddy(&self, examples: &[&str]) -> Option<WebServer> {
        let program = real_program("caddy")?;
        let port = free_port();
        // The certificate of this host instead of one that Caddy requests, and other ports than
        // Caddy's default ports.
        let tls =
            format!("tls {} {}", self.path("tls.pem").display(), self.path("tls.key").display());
        let own = [
            ("\n{\n", "\n{\n\tadmin off\n\tauto_https disable_redirects\n".to_owned()),
            (
                "\nwww.example.com {",
                format!("\nwww.example.com:{port} {{\n\t{tls}\n\tbind 127.0.0.1"),
            ),
            (
                "\nmembers.example.com {",
                format!("\nmembers.example.com:{port} {{\n\t{tls}\n\tbind 127.0.0.1"),
            ),
        ];
        let text: String = examples.iter().map(|example| self.configured(example, &own)).collect();
        fs::write(self.path("Caddyfile"), text).unwrap();
        let mut command = Command::new(program);
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(self.path("Caddyfile"));
        for variable in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
            command.env(variable, self.dir.path());
        }
        Some(WebServer::start(command, port, self.path("caddy.log")))
    }
}
