//! `serve`: run until SIGTERM or SIGINT.

use std::io::{IsTerminal as _, Write as _, stdout};
use std::path::Path;
use std::time::Duration;

use super::failure::Failure;
use super::signals::Signals;
use crate::chain::chain;
use crate::clock::Clock;
use crate::config::{Config, EffectiveValue, Origin, SYSTEM_FILE};
use crate::nats_client::settings::{AuthStringConfig, StringSource};
use crate::password::Cost;
use crate::service::listener::passed;
use crate::service::manager::Manager;
use crate::service::{Service, StartError, Surroundings};
use crate::token::Token;
use crate::token_file;

/// How soon the service starts after a restore.
const RESTORE_LOOK_EVERY: Duration = Duration::from_millis(50);
const WRITER_LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) fn run(config: &Config) -> Result<(), Failure> {
    let listener = passed().map_err(|error| Failure::usage(chain(&error)))?;
    let surroundings = Surroundings { manager: Manager::of_process(), listener };
    actix_web::rt::System::new().block_on(serve(config, surroundings))
}

async fn serve(config: &Config, surroundings: Surroundings) -> Result<(), Failure> {
    // Before anything is created: from here on signals are handled.
    let mut signals = Signals::catch()?;
    if let Some(signal) = wait_for_restore(config, &surroundings.manager, &mut signals).await {
        log::info!("{signal}: stopped before it had started");
        return Ok(());
    }
    let cost = Cost::new(config.password_hash);
    let (mut service, server) =
        Service::start(config, Clock::System, cost, surroundings).map_err(not_started)?;
    service.start_hashing()?;
    let server = actix_web::rt::spawn(server);
    // Before the log line: a script may wait for it and then run a command.
    service.write_down(config);
    service.ready();
    log::info!("listening on {}", service.address());
    if let Some(address) = service.fastcgi_address() {
        log::info!("FastCGI authorizer listening on {address}");
    }
    if let Some(address) = service.ops_address() {
        log::info!("operations listener on http://{address}");
    }
    log_authstrings(&config.api);
    config.upgrade_without_nats().iter().for_each(|sentence| log::warn!("{sentence}"));
    if greet(config, &service).is_err() {
        log::warn!("stdout is closed: the URL for NATS was not printed");
    }
    let ended = tokio::select! {
        signal = signals.stop(|signal| reload(&service, signal)) => Ok(signal),
        () = writer_is_lost(&service) => Err(Failure::Failed("the writer thread has ended; \
            restart the service".into())),
        () = service.watch() => Ok("the watch ended".into()),
    };
    if let Ok(signal) = &ended {
        log::info!("{signal}: stopping");
    }
    service.stop().await;
    // The server ends with its handle; its result no longer matters.
    let _ = server.await;
    log::info!("stopped");
    ended.map(|_| ())
}

/// Waits while a `restore` has the data directory: a socket may start the service meanwhile.
/// Returns the signal that ended the wait. There is no bound, because a restore ends by itself, and
/// its lock with it.
async fn wait_for_restore(
    config: &Config,
    manager: &Manager,
    signals: &mut Signals,
) -> Option<String> {
    let database = config.location.file();
    if !config.data_dir.is_being_restored(database) {
        return None;
    }
    log::warn!("a restore is running: the service starts when it is done");
    manager.starting("waiting for a restore");
    let heartbeat = manager.heartbeat();
    let done = async {
        while config.data_dir.is_being_restored(database) {
            heartbeat.progress();
            tokio::time::sleep(RESTORE_LOOK_EVERY).await;
        }
    };
    tokio::select! {
        signal = signals.stop(|_| {}) => Some(signal),
        () = done => None,
    }
}

/// A start that fails because of its settings would fail again, so the unit does not repeat it.
fn not_started(error: StartError) -> Failure {
    match error.is_setting() {
        true => Failure::usage(chain(&error)),
        false => Failure::of(&error),
    }
}

/// Logs where authstrings come from, and warns of settings that are probably mistakes.
fn log_authstrings(api: &AuthStringConfig) {
    match &api.source {
        StringSource::None if api.keys.is_empty() => return,
        StringSource::None => log::warn!(
            "/api has keys and no source of authstrings: set --nats-url, or --stand-in for \
             development"
        ),
        StringSource::StandIn(_) => {
            log::warn!(
                "--stand-in: authstrings are generated here and unknown to NATS; never use it on \
                 a live site"
            );
        }
        StringSource::Nats(access, _) => {
            log::info!("authstrings come from NATS at {}", access.url());
            if access.is_open_to_others() {
                log::warn!(
                    "--nats-url is not https: the key for NATS and the authstrings travel \
                    unencrypted"
                );
            }
        }
    }
    if api.keys.is_empty() {
        log::warn!(
            "/api refuses all requests: set --api-key if another program asks for authstrings"
        );
    }
}

fn reload(service: &Service, signal: &str) {
    log::info!("{signal}: reloading the files of the settings");
    service.reload();
}

async fn writer_is_lost(service: &Service) {
    while !service.has_lost_its_writer() {
        tokio::time::sleep(WRITER_LOOK_EVERY).await;
    }
}

/// Prints what the operator does next. The URL contains a secret, so it is printed on a terminal
/// only: any other output is usually stored, as by the system log.
fn greet(config: &Config, service: &Service) -> Result<(), Failure> {
    let front = config.postback_url_base(service.address());
    let mut out = stdout().lock();
    writeln!(
        out,
        "nats-userman listens on {}, data in {}",
        service.address(),
        config.data_dir.path().display()
    )?;
    match known_token(config, service) {
        Some(token) if out.is_terminal() => {
            let url = format!("{front}{}", token.expose());
            writeln!(
                out,
                "\nPaste this into NATS: Sites Admin, edit a site (NATS3) or a tour (NATS4, \
                 NATS5), User Management URL:\n"
            )?;
            writeln!(out, "    {url}\n\nTry it:\n")?;
            writeln!(out, "    curl -d 'action=CHECK&siteid=1&username=bob' {url}\n")?;
        }
        _ if config.postback_tokens.is_empty() => {
            let file = config.data_dir.token_file();
            writeln!(out, "The URL for NATS is {front}TOKEN; the token is in {}", file.display())?;
        }
        _ => writeln!(out, "The URL for NATS is {front}TOKEN, with a token of the settings")?,
    }
    if config.public_url.is_none() {
        writeln!(
            out,
            "NATS must be able to reach this URL: put a TLS proxy in front of it and set \
             --public-url."
        )?;
    }
    if let Some(address) = service.ops_address()
        && service.has_no_operator()
    {
        writeln!(
            out,
            "Make the first operator of the console at http://{address}/: nats-userman operator \
             add NAME --role admin{}",
            where_it_is(config)
        )?;
    }
    Ok(out.flush()?)
}

/// The flags by which another command finds the database of this service, each after a blank.
fn where_it_is(config: &Config) -> String {
    let Some(sources) = config.sources() else { return String::new() };
    let named = sources.file().filter(|path| *path != Path::new(SYSTEM_FILE));
    let file = named.map(|path| format!(" --config {}", path.display()));
    let of_flags = sources.effective().into_iter().filter_map(|setting| {
        let flag = match setting.key.as_str() {
            "data_dir" => "--data-dir",
            "database" => "--database",
            _ => return None,
        };
        match (setting.value, setting.origin) {
            (EffectiveValue::Text(value), Origin::Flag | Origin::Variable(_)) => {
                Some(format!(" {flag} {value}"))
            }
            _ => None,
        }
    });
    file.into_iter().chain(of_flags).collect()
}

fn known_token(config: &Config, service: &Service) -> Option<Token> {
    let from_file = || token_file::read(&config.data_dir.token_file()).ok()?.pop();
    service
        .new_token()
        .cloned()
        .or_else(|| config.postback_tokens.first().cloned())
        .or_else(from_file)
}
