//! `serve`: run until SIGTERM or SIGINT.

mod signals;

use std::io::{IsTerminal as _, Write as _, stdout};
use std::time::Duration;

use signals::Signals;

use super::Failure;
use crate::clock::Clock;
use crate::config::{ApiConfig, Config, Source};
use crate::http::tokens::{Token, read_file};
use crate::service::Service;

const WRITER_LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) fn run(config: &Config) -> Result<(), Failure> {
    actix_web::rt::System::new().block_on(serve(config))
}

async fn serve(config: &Config) -> Result<(), Failure> {
    // Before anything is made: a signal from here on finds its handler.
    let mut signals = Signals::catch()?;
    let (service, server) = Service::start(config, Clock::System, true).map_err(|error| Failure::of(&error))?;
    let server = actix_web::rt::spawn(server);
    log::info!("listening on {}", service.address());
    tell_of_authstrings(&config.api);
    if greet(config, &service).is_err() {
        log::warn!("stdout is closed: the URL for NATS was not printed");
    }
    let ended = tokio::select! {
        signal = signals.stop(|| service.reload()) => Ok(signal),
        () = writer_is_lost(&service) => Err(Failure::Failed("the writer has ended; start the service again".into())),
        () = service.watch() => Ok("the watch ended".into()),
    };
    if let Ok(signal) = &ended {
        log::info!("{signal}: stopping");
    }
    service.stop().await;
    // The server ends with its handle; what it says then is of no use any more.
    let _ = server.await;
    log::info!("stopped");
    ended.map(|_| ())
}

/// Where authstrings come from, and what would surprise about it.
fn tell_of_authstrings(api: &ApiConfig) {
    match &api.source {
        Source::None if api.keys.is_empty() => return,
        Source::None => log::warn!("/api has keys, and no authstrings to give: set --nats-url, or --stand-in while you develop"),
        Source::StandIn(_) => {
            log::warn!("stand-in: authstrings are our own and NATS does not know them; never on a live site");
        }
        Source::Nats(access, _) => {
            log::info!("authstrings come from NATS at {}", access.url());
            if access.is_open_to_others() {
                log::warn!("--nats-url is not https: NATS's key and the strings travel readable");
            }
        }
    }
    if api.keys.is_empty() {
        log::warn!("nobody may ask /api for authstrings: set --api-key");
    }
}

async fn writer_is_lost(service: &Service) {
    while !service.has_lost_its_writer() {
        tokio::time::sleep(WRITER_LOOK_EVERY).await;
    }
}

/// What the operator does next. The URL holds a secret: it is shown by the start that made it, but not to a log, or on a terminal.
fn greet(config: &Config, service: &Service) -> Result<(), Failure> {
    let front = config.postback_url_front(service.address());
    let mut out = stdout().lock();
    writeln!(out, "nats-userman listens on {}, data in {}", service.address(), config.data_dir.path().display())?;
    match known_token(config, service) {
        Some(token) if (service.new_token().is_some() && !goes_into_a_log()) || out.is_terminal() => {
            let url = format!("{front}{}", token.expose());
            writeln!(
                out,
                "\nPaste this into NATS: Sites Admin, edit a site (NATS3) or a tour (NATS4, NATS5), User Management URL:\n"
            )?;
            writeln!(out, "    {url}\n\nTry it:\n")?;
            writeln!(out, "    curl -d 'action=CHECK&siteid=1&username=bob' {url}\n")?;
            if config.public_url.is_none() {
                writeln!(
                    out,
                    "NATS must be able to reach this URL: put a proxy with TLS before it and name it with --public-url."
                )?;
            }
        }
        _ if config.postback_tokens.is_empty() => {
            let file = config.data_dir.token_file();
            writeln!(out, "The URL for NATS is {front}TOKEN; the token is in {}", file.display())?;
        }
        _ => writeln!(out, "The URL for NATS is {front}TOKEN, with a token of the settings")?,
    }
    Ok(out.flush()?)
}

/// Whether what is printed is kept by systemd, where others than the operator read it.
fn goes_into_a_log() -> bool {
    std::env::var_os("JOURNAL_STREAM").is_some()
}

fn known_token(config: &Config, service: &Service) -> Option<Token> {
    let from_file = || read_file(&config.data_dir.token_file()).ok()?.pop();
    service.new_token().cloned().or_else(|| config.postback_tokens.first().cloned()).or_else(from_file)
}
