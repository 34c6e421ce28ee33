//! `authstring`: requests one string from NATS or a running service. For scripts, and to test
//! whether the key and the address are accepted.

use std::io::{Write as _, stdout};
use std::path::PathBuf;

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};

use super::failure::Failure;
use crate::authstring::{Lookup, PLUS_EXPECTED, Plus, SESSION_EXPECTED, Session};
use crate::chain::chain;
use crate::config::Config;
use crate::identity::{
    ID_EXPECTED, MemberId, SITES_EXPECTED, SiteId, Sites, USERNAME_EXPECTED, Username,
};
use crate::nats_client::Client;
use crate::nats_client::settings::StringSource;

/// The member, and the purpose of the string.
#[derive(Args, Debug)]
pub(super) struct AuthStringCommand {
    /// Purpose of the string: upsell, tokenrebuy, instantupgrade, packageupgrade, cancel or
    /// signupplus
    #[arg(
        long = "type",
        value_name = "TYPE",
        required_unless_present = "tokenrebuystring",
        conflicts_with = "tokenrebuystring"
    )]
    plus: Option<String>,
    /// Request the older resource, tokenrebuystring, which has no type
    #[arg(long)]
    tokenrebuystring: bool,
    /// Username of the member; needs --site
    #[arg(long, value_name = "USERNAME", requires = "site", required_unless_present = "member")]
    username: Option<String>,
    /// siteid, or several with commas: the first one that has this username is used
    #[arg(long, value_name = "SITEID", requires = "username", conflicts_with = "member")]
    site: Option<String>,
    /// memberid, instead of --username; needs --session or --session-file
    #[arg(long, value_name = "MEMBERID", conflicts_with = "username")]
    member: Option<String>,
    /// The member's session at NATS, a secret: other users of this machine can see it here, so
    /// prefer --session-file
    #[arg(long, value_name = "SESSION", requires = "member")]
    session: Option<SecretString>,
    /// File with the member's session
    #[arg(long, value_name = "FILE", requires = "member", conflicts_with = "session")]
    session_file: Option<PathBuf>,
}

impl AuthStringCommand {
    pub(super) fn run(&self, config: &Config) -> Result<(), Failure> {
        let StringSource::Nats(access, time_max) = &config.api.source else {
            return Err(Failure::usage(
                "authstring: expected --nats-url, --nats-api-username and --nats-api-key of NATS, \
                 or of a running nats-userman",
            ));
        };
        let lookup = self.lookup()?;
        let client = Client::new(access.clone(), *time_max);
        let answer = match &self.plus {
            Some(text) => {
                client.authstring(read("--type", PLUS_EXPECTED, text, Plus::parse)?, &lookup)
            }
            None => client.token_rebuy_string(&lookup),
        };
        match answer
            .map_err(|error| Failure::Failed(format!("{}: {}", client.url(), chain(&error))))?
        {
            Some(string) => Ok(writeln!(stdout(), "{}", string.expose())?),
            None => Err(Failure::Failed(format!(
                "{}: a blank, there is no such active member",
                client.url()
            ))),
        }
    }

    fn lookup(&self) -> Result<Lookup, Failure> {
        if let Some(member) = &self.member {
            let member = read("--member", ID_EXPECTED, member, MemberId::parse)?;
            return Ok(Lookup::Session { member, session: self.session()? });
        }
        // clap has checked that both are there.
        let (username, site) = (
            self.username.as_deref().unwrap_or_default(),
            self.site.as_deref().unwrap_or_default(),
        );
        let username = read("--username", USERNAME_EXPECTED, username, Username::typed)?;
        if site.contains(',') {
            return Ok(Lookup::Sites {
                username,
                sites: read("--site", SITES_EXPECTED, site, Sites::parse)?,
            });
        }
        Ok(Lookup::Site { username, site: read("--site", ID_EXPECTED, site, SiteId::parse)? })
    }

    fn session(&self) -> Result<Session, Failure> {
        let text = match (&self.session, &self.session_file) {
            (Some(text), _) => text.clone(),
            (None, Some(path)) => crate::text_file::read(path)
                .map_err(|error| {
                    Failure::usage(format!("--session-file: {}: {error}", path.display()))
                })?
                .into(),
            (None, None) => {
                return Err(Failure::usage(
                    "--member: expected --session or --session-file beside it",
                ));
            }
        };
        Session::parse(text.expose_secret().trim())
            .ok_or_else(|| Failure::usage(format!("--session: {SESSION_EXPECTED}")))
    }
}

fn read<T>(
    flag: &str,
    expected: &str,
    text: &str,
    parse: fn(&str) -> Option<T>,
) -> Result<T, Failure> {
    parse(text).ok_or_else(|| {
        Failure::usage(format!("{flag}: {expected}, found \"{}\"", text.escape_debug()))
    })
}
