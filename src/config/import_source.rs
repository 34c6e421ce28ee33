//! The server that `import --from` reads. Its settings are those of the command: the server of the
//! service's own database may be another one.

use std::path::PathBuf;

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};

use super::problems::{BadSetting, Problems};
use super::server::{OF_IMPORT, ServerSettings, with_access};
use super::values::any_path;
use crate::store::mysql::Server;

/// The settings as text. The comments are the help texts of the flags.
#[allow(rustdoc::invalid_html_tags, rustdoc::broken_intra_doc_links)]
#[derive(Args, Clone, Debug, Default)]
pub struct ImportSource {
    /// Database of MariaDB or MySQL whose table is imported instead of a file:
    /// mysql://USER@HOST[:PORT]/DATABASE; it is only read
    #[arg(long, value_name = "URL", conflicts_with_all = ["file", "format"])]
    pub from: Option<SecretString>,
    /// Password of the user in --from
    #[arg(long, env = "USERMAN_FROM_PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    pub from_password: Option<SecretString>,
    /// File with the password of the user in --from
    #[arg(
        long,
        env = "USERMAN_FROM_PASSWORD_FILE",
        value_name = "FILE",
        value_parser = any_path()
    )]
    pub from_password_file: Option<PathBuf>,
    /// Encryption of the connection to --from: required or off; with --from-tls-ca it is required
    /// [default: off for loopback addresses, otherwise required]
    #[arg(long, value_name = "MODE")]
    pub from_tls: Option<String>,
    /// File with PEM certificates to trust for --from, beside the public authorities
    #[arg(long, value_name = "FILE", value_parser = any_path())]
    pub from_tls_ca: Option<PathBuf>,
}

impl ImportSource {
    /// The server; `None` if an import reads a file.
    ///
    /// # Errors
    ///
    /// Every setting that cannot be used.
    pub fn server(&self) -> Result<Option<Server>, Vec<BadSetting>> {
        let mut bad = Problems::default();
        let Some(url) = &self.from else {
            // clap's own check counts FILE as instead of --from. Variables may be set for another
            // run.
            let given = [
                ("--from-tls", self.from_tls.is_some()),
                ("--from-tls-ca", self.from_tls_ca.is_some()),
            ];
            bad.0.extend(given.iter().filter(|(_, is_given)| *is_given).map(|(flag, _)| {
                BadSetting::found(flag, "expected it with --from", "a file to import")
            }));
            return if bad.0.is_empty() { Ok(None) } else { Err(bad.0) };
        };
        let server = Server::parse(url.expose_secret().trim()).map(|server| {
            let access = ServerSettings {
                database_read: Vec::new(),
                database_password: self.from_password.clone(),
                database_password_file: self.from_password_file.clone(),
                database_tls: self.from_tls.clone(),
                database_tls_ca: self.from_tls_ca.clone(),
            };
            with_access(&access, server, &OF_IMPORT, &mut bad)
        });
        match server {
            Ok(server) if bad.0.is_empty() => Ok(Some(server)),
            Ok(_) => Err(bad.0),
            Err(text) => Err(vec![BadSetting::found("--from", text.expected, &text.found)]),
        }
    }

    /// Whether the password is in the URL.
    pub fn has_password_in_url(&self) -> bool {
        let text = self.from.as_ref().map_or("", |url| url.expose_secret());
        Server::parse(text.trim()).is_ok_and(|server| server.password().is_some())
    }
}
