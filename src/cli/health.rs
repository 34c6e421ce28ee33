//! `health`: asks the running service whether it can commit a postback and read members, for the
//! health check of a container and for monitoring. It needs the address alone: no data directory,
//! and no file that another setting names.

use std::io::{ErrorKind, Write as _, stdout};
use std::net::SocketAddr;
use std::time::Duration;

use super::failure::Failure;
use crate::config::{BadSetting, Settings, Sources, listen_address};
use crate::data_dir::DataDir;
use crate::data_dir::served::Served;
use crate::network::reachable;

/// The timeout of a request. The service answers within two seconds.
const TIME_MAX: Duration = Duration::from_secs(5);
/// The longest body that is read. Those of the service have at most 35 bytes.
const BODY_BYTES_MAX: u64 = 1_024;
/// The response header with the seconds since the last backup, or `none`, where the service makes
/// backups.
const BACKUP_AGE: &str = "x-backup-age";
/// The response header that is set if no host of `--database-read` answers.
const READS: &str = "x-reads";

/// What answered at an address, or why nothing did.
#[derive(Debug)]
enum Answer {
    /// The service, which works, and remarks about it.
    Healthy(Vec<String>),
    /// The service, which cannot commit.
    Unavailable,
    /// The service, which can commit and cannot read members.
    CannotRead,
    /// Another program; what was wrong with its answer.
    Foreign(String),
    /// Nothing listens there.
    Refused(String),
    /// There was no complete answer in time.
    TimedOut,
    /// The connection was closed first.
    Closed,
}

pub(super) fn run(
    settings: &Settings,
    sources: &Sources,
    mut bad: Vec<BadSetting>,
) -> Result<(), Failure> {
    let listen = match listen_address(settings) {
        Ok(listen) if bad.is_empty() => listen,
        Ok(_) => return Err(bad.into()),
        Err(more) => {
            bad.extend(more.into_iter().map(|bad| sources.locate(bad)));
            return Err(bad.into());
        }
    };
    let wanted = Wanted { listen, is_of_flag: sources.is_of_flag("listen") };
    let answer = query(wanted, &DataDir::new(&settings.data_dir)).map_err(Failure::Failed)?;
    Ok(writeln!(stdout(), "{answer}")?)
}

/// Which service is asked: the one that uses the data directory, where one runs, or the one that
/// listens on this address. An address that the caller gave as a flag is asked first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) listen: SocketAddr,
    pub(super) is_of_flag: bool,
}

/// Asks the service. An error says what is wrong and what to do.
pub(super) fn query(wanted: Wanted, dir: &DataDir) -> Result<String, String> {
    let listen = wanted.listen;
    let mut refused = None;
    for place in places(wanted, dir)? {
        match ask(place) {
            Answer::Refused(why) => refused = refused.or(Some((place, why))),
            answer => return report(place, answer),
        }
    }
    let (place, why) = refused.unwrap_or((listen, "it has no address".into()));
    report(place, Answer::Refused(why))
}

/// The addresses to ask, until one does not refuse. With port 0, or with a socket that the system
/// opened for the service, only the service knows where it listens, and has recorded it.
fn places(wanted: Wanted, dir: &DataDir) -> Result<Vec<SocketAddr>, String> {
    let Wanted { listen, is_of_flag } = wanted;
    let recorded = Served::load(dir).filter(|_| dir.is_in_use()).and_then(|served| served.address);
    if listen.port() == 0 && recorded.is_none() {
        return Err(format!(
            "--listen has port 0, and {} names no port of a running service: start the service, \
             or give its port with --listen",
            dir.served().display()
        ));
    }
    let set = Some(listen).filter(|address| address.port() != 0);
    let order = if is_of_flag { [set, recorded] } else { [recorded, set] };
    let mut places: Vec<_> = order.into_iter().flatten().flat_map(reachable).collect();
    places.dedup();
    Ok(places)
}

fn ask(place: SocketAddr) -> Answer {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(TIME_MAX))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        // A variable such as http_proxy must not lead to another machine.
        .proxy(None);
    let agent = ureq::Agent::new_with_config(config.build());
    let mut response = match agent.get(format!("http://{place}/health")).call() {
        Ok(response) => response,
        Err(error) => return unanswered(&error),
    };
    let status = response.status().as_u16();
    let mut remarks = Vec::new();
    remarks.extend(response.headers().get(BACKUP_AGE).and_then(|age| backup(age.to_str().ok()?)));
    if response.headers().contains_key(READS) {
        remarks.push("no host of --database-read answers, those of --database do".to_owned());
    }
    let body = response.body_mut().with_config().limit(BODY_BYTES_MAX).read_to_string();
    match (status, body.as_deref()) {
        (200, Ok("ok")) => Answer::Healthy(remarks),
        (503, Ok("unavailable")) => Answer::Unavailable,
        (503, Ok("unavailable: members cannot be read")) => Answer::CannotRead,
        (_, Err(error)) if matches!(unanswered(error), Answer::TimedOut) => Answer::TimedOut,
        _ => Answer::Foreign(format!("status {status} and another text")),
    }
}

fn unanswered(error: &ureq::Error) -> Answer {
    match error {
        ureq::Error::Timeout(_) => Answer::TimedOut,
        ureq::Error::Io(error) => match error.kind() {
            ErrorKind::TimedOut => Answer::TimedOut,
            // Also where the machine has no such address, as without IPv6.
            ErrorKind::ConnectionRefused
            | ErrorKind::AddrNotAvailable
            | ErrorKind::NetworkUnreachable => Answer::Refused(error.to_string()),
            _ => Answer::Closed,
        },
        _ => Answer::Foreign("no HTTP".into()),
    }
}

/// The answer in words, or what to do about it.
fn report(place: SocketAddr, answer: Answer) -> Result<String, String> {
    let why = match answer {
        Answer::Healthy(remarks) => {
            let remarks: String = remarks.iter().map(|remark| format!(", {remark}")).collect();
            return Ok(format!("{place}: ok{remarks}"));
        }
        Answer::Unavailable => {
            "unavailable: the service runs and cannot commit a postback; its log says why".into()
        }
        Answer::CannotRead => {
            "unavailable: the service can commit a postback and cannot read members; its log says \
             why"
            .into()
        }
        Answer::Foreign(found) => {
            format!("expected the health of nats-userman, found {found}; check --listen")
        }
        Answer::Refused(why) => format!("{why}; check that the service runs, and --listen"),
        Answer::TimedOut => format!(
            "no answer within {} seconds; look at the log of the service",
            TIME_MAX.as_secs()
        ),
        Answer::Closed => {
            "the connection was closed without an answer; check --listen, and the log of the \
             service"
                .into()
        }
    };
    Err(format!("{place}: {why}"))
}

/// The last backup in words.
fn backup(age: &str) -> Option<String> {
    match age {
        "none" => Some("no backup yet".to_owned()),
        _ => Some(format!("last backup {} ago", duration(age.parse().ok()?))),
    }
}

/// A duration in the largest unit of which it has at least two.
fn duration(seconds: u64) -> String {
    let units = [("days", 86_400), ("hours", 3_600), ("minutes", 60)];
    match units.iter().find(|(_, unit)| seconds >= 2 * unit) {
        Some((name, unit)) => format!("{} {name}", seconds / unit),
        None => format!("{seconds} seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit_of_which_there_are_at_least_two() {
        for (seconds, expected) in [
            (0, "0 seconds"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (7_199, "119 minutes"),
            (7_200, "2 hours"),
            (172_799, "47 hours"),
            (172_800, "2 days"),
            (u64::MAX, "213503982334601 days"),
        ] {
            assert_eq!(duration(seconds), expected);
        }
    }
}
