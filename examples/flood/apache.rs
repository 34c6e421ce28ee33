//! The comparison with mod_authn_dbd: one Apache that serves the same file on two addresses, to
//! visitors whom mod_authnz_fcgi and mod_authn_dbd admit.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use mysql::Opts;

use crate::Failure;
use crate::mariadb::program;
use crate::process::Server;

/// The directory of Apache's modules in Debian.
const MODULES_DIR: &str = "/usr/lib/apache2/modules";
const MODULES: [&str; 11] = [
    "mpm_event",
    "authn_core",
    "authz_core",
    "authz_user",
    "auth_basic",
    "dbd",
    "authn_dbd",
    "authnz_fcgi",
    "setenvif",
    "dir",
    "mime",
];
/// The bytes of the file, which is small so that the check of the visitor is most of the work.
const FILE_BYTES: usize = 1024;

/// How Apache checks a visitor.
#[derive(Clone, Copy, Debug)]
pub enum Check<'a> {
    /// The FastCGI authorizer at this address.
    Authorizer(SocketAddr),
    /// The table in the database of this URL.
    Table(&'a str),
}

/// A running Apache, with an address for each check.
pub struct Apache {
    server: Server,
    addresses: Vec<SocketAddr>,
}

impl Apache {
    /// Starts one in this directory. It ends by [`Apache::stop`]: a main process that is killed
    /// would leave its workers.
    pub fn start(dir: &Path, checks: &[Check]) -> Result<Self, Failure> {
        let (at, site) = (dir.display(), dir.join("site"));
        fs::create_dir_all(&site)?;
        // The path that all checks of flood have.
        fs::write(site.join("auth"), vec![b'x'; FILE_BYTES])?;
        // Each worker process has more threads than flood has connections. A process whose threads
        // are all busy closes its idle connections, and a request that is on its way to one of
        // them gets no reply.
        let mut text = format!(
            "ServerRoot {dir:?}\nServerName localhost\nPidFile {at}/apache.pid\n\
             ErrorLog {at}/apache.log\nDefaultRuntimeDir {at}\nTypesConfig /etc/mime.types\n\
             StartServers 3\nThreadLimit 75\nThreadsPerChild 75\nMaxRequestWorkers 225\n\
             MinSpareThreads 75\nMaxSpareThreads 225\nKeepAlive On\nMaxKeepAliveRequests 0\n\
             KeepAliveTimeout 60\n"
        );
        for module in MODULES {
            text += &format!("LoadModule {module}_module {MODULES_DIR}/mod_{module}.so\n");
        }
        if rustix::process::geteuid().is_root() {
            // The account must be able to enter the directory; www-data may not.
            text += "User daemon\nGroup daemon\n";
        }
        let mut addresses = Vec::new();
        for (number, check) in checks.iter().enumerate() {
            let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
            text += &format!("Listen {address}\n");
            if let Check::Authorizer(authorizer) = check {
                text +=
                    &format!("AuthnzFcgiDefineProvider authn by{number} fcgi://{authorizer}/\n");
            }
            text += &format!("<VirtualHost {address}>\nDocumentRoot {site:?}\n");
            text += &match check {
                Check::Authorizer(_) => format!(
                    "<Location /auth>\nSetEnvIf Request_URI ^ \"USERMAN_QUESTION=site=1\"\n\
                     AuthType None\nAuthnzFcgiCheckAuthnProvider by{number} Authoritative On \
                     RequireBasicAuth Off UserExpr \"%{{reqenv:MEMBER_NAME}}\"\n\
                     Require valid-user\n</Location>\n"
                ),
                Check::Table(url) => table(url)?,
            };
            text += "</VirtualHost>\n";
            addresses.push(address);
        }
        fs::write(dir.join("apache.conf"), text)?;
        let mut command = Command::new(program("apache2"));
        command.args(["-D", "FOREGROUND", "-f"]).arg(dir.join("apache.conf"));
        command.stdin(Stdio::null());
        let first = addresses.first().copied().ok_or("no check")?;
        let server = Server::of_another_program(&mut command, dir, first)?;
        Ok(Self { server, addresses })
    }

    /// The server's address for the check with this number.
    pub fn at(&mut self, check: usize) -> &Server {
        self.server.address = self.addresses[check];
        &self.server
    }

    /// Ends it.
    pub fn stop(self) -> Result<(), Failure> {
        self.server.stop()
    }
}

/// Three worker processes have fewer connections than a MariaDB takes, which is 151.
fn table(url: &str) -> Result<String, Failure> {
    let opts = Opts::from_url(url)?;
    Ok(format!(
        "DBDriver mysql\nDBDParams \"host={},port={},user={},pass={},dbname={}\"\n\
         DBDKeep 40\nDBDMax 40\nDBDExptime 300\n<Location /auth>\nAuthType Basic\n\
         AuthName members\nAuthBasicProvider dbd\n\
         AuthDBDUserPWQuery \"SELECT cryptpass FROM member_auth WHERE username = %s AND siteid = \
         1\"\nRequire valid-user\n</Location>\n",
        opts.get_ip_or_hostname(),
        opts.get_tcp_port(),
        opts.get_user().unwrap_or(""),
        opts.get_pass().unwrap_or(""),
        opts.get_db_name().unwrap_or("")
    ))
}
