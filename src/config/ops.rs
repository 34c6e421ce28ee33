//! The settings of the operations listener.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::problems::Problems;
use super::values::any_path;
use crate::token::Token;
use crate::token_file;

/// The settings as text. The comments are the help texts of the flags.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Operations")]
pub struct OpsSettings {
    /// Address and port of the operations listener, with health, metrics and the console; if
    /// another program has it, the service runs without them [default: off]
    #[arg(long, global = true, env = "USERMAN_OPS_LISTEN", value_name = "ADDRESS:PORT")]
    pub ops_listen: Option<String>,
    /// File with tokens for /metrics and /health of the operations listener, one a line; programs
    /// of this machine need none
    #[arg(
        long,
        global = true,
        env = "USERMAN_OPS_TOKEN_FILE",
        value_name = "FILE",
        value_parser = any_path()
    )]
    pub ops_token_file: Option<PathBuf>,
}

/// The settings as they are used.
#[derive(Clone, Debug)]
pub struct OpsConfig {
    /// Where to listen, if at all.
    pub listen: Option<SocketAddr>,
    /// The tokens of those who may read metrics and health from elsewhere.
    pub tokens: Vec<Token>,
}

pub(super) fn read(settings: &OpsSettings, bad: &mut Problems) -> OpsConfig {
    let expected = "expected ADDRESS:PORT, as in 127.0.0.1:9180";
    let text = settings.ops_listen.as_deref();
    let listen = bad.read_optional("--ops-listen", expected, text, |text| text.parse().ok());
    OpsConfig { listen, tokens: tokens(settings, bad) }
}

pub(super) fn tokens(settings: &OpsSettings, bad: &mut Problems) -> Vec<Token> {
    let file = settings.ops_token_file.as_ref();
    bad.file("--ops-token-file", file, token_file::read).unwrap_or_default()
}
