//! Turns errors of the server and of the driver into faults, by their numbers.
//! <https://mariadb.com/kb/en/mariadb-error-code-reference/>

use std::error::Error as _;
use std::io;

use mysql::Error;

use crate::store::fault::{Cause, Fault};

/// The server ended the transaction, and the same transaction may succeed: a deadlock or a conflict
/// with another node (1213), a row changed meanwhile (1020), a conflict in a group (3101), a table
/// definition changed (1412, 1615), a savepoint went with its transaction (1305), TiDB's conflicts
/// and schema changes (8002, 8005, 8028).
const LOST: [u16; 9] = [1020, 1213, 1305, 1412, 1615, 3101, 8002, 8005, 8028];

/// Another transaction holds a lock, and the lock timeout has passed. Only the statement is undone:
/// the transaction has to be rolled back.
const LOCKED: u16 = 1205;

/// This server cannot serve the connection now, and another one may: it has no quorum (1047), shuts
/// down (1053), ended the connection (1317, 1927, 3024), or only reads (1290, 1792, 1836).
const LEFT: [u16; 8] = [1047, 1053, 1290, 1317, 1792, 1836, 1927, 3024];

/// Errors of COMMIT after which nothing was committed: a conflict with another transaction, or a
/// server that only reads.
const COMMIT_REFUSED: [u16; 9] = [1020, 1205, 1213, 1290, 1792, 1836, 3101, 8002, 8005];

const FULL: [u16; 3] = [1021, 1041, 1114];

/// A key exists already.
const DUPLICATE: u16 = 1062;

/// A value does not fit its column, or a CHECK, or a key.
const REFUSED: [u16; 9] = [1048, DUPLICATE, 1264, 1265, 1366, 1406, 1690, 3819, 4025];

const DAMAGED: [u16; 4] = [1034, 1035, 1194, 1195];

/// The user lacks a privilege: of the database, the table, the column, or the server.
const DENIED: [u16; 4] = [1044, 1142, 1143, 1227];

/// Whether the user lacks a privilege.
pub(super) fn is_denied(error: &Error) -> bool {
    number(error).is_some_and(|number| DENIED.contains(&number))
}

/// Whether the connection cannot be used any more.
pub(super) fn ends_connection(error: &Error) -> bool {
    match error {
        Error::MySqlError(error) => LEFT.contains(&error.code),
        Error::FromValueError(_) | Error::FromRowError(_) => false,
        _ => true,
    }
}

/// The number of the server's error.
fn number(error: &Error) -> Option<u16> {
    match error {
        Error::MySqlError(error) => Some(error.code),
        _ => None,
    }
}

/// The cause for the log. The text of an error that quotes a value of a row is left out.
pub(super) fn cause(error: Error) -> Cause {
    match &error {
        Error::MySqlError(found) => {
            let code = Some(format!("MySQL error {}", found.code));
            let quotes_a_value = REFUSED.contains(&found.code);
            let text = match found.code {
                DUPLICATE => "a row with the same key exists; another receiver may have written \
                    it at the same moment"
                    .to_owned(),
                _ if quotes_a_value => {
                    format!("the server refused a value (SQLSTATE {})", found.state)
                }
                code if DENIED.contains(&code) => {
                    format!("{}: grant the user what docs/cluster.md shows", found.message)
                }
                _ => found.message.clone(),
            };
            Cause::new(text, code)
        }
        Error::FromValueError(_) | Error::FromRowError(_) => {
            Cause::new("a value of another type than expected", None)
        }
        _ => Cause::new(words(&error), None),
    }
}

/// An error in the words of its cause, without the name of the driver's type.
pub(super) fn words(error: &Error) -> String {
    match error {
        error if io_kind(error) == Some(io::ErrorKind::WouldBlock) => {
            "the server has not answered in time".into()
        }
        Error::IoError(error) => error.to_string(),
        Error::CodecError(codec) => {
            io_error(error).map_or_else(|| codec.to_string(), ToString::to_string)
        }
        Error::MySqlError(error) => error.message.clone(),
        Error::DriverError(error) => error.to_string(),
        Error::TlsError(error) => error.to_string(),
        error => error.to_string(),
    }
}

/// The error of the system, or of TLS, behind an error of the driver.
fn io_error(error: &Error) -> Option<&io::Error> {
    match error {
        Error::IoError(error) => Some(error),
        Error::CodecError(error) => error.source().and_then(|cause| cause.downcast_ref()),
        _ => None,
    }
}

fn io_kind(error: &Error) -> Option<io::ErrorKind> {
    io_error(error).map(io::Error::kind)
}

/// What the operator can do about an error of a first connection.
pub(super) fn remedy(error: &Error) -> Option<&'static str> {
    match error {
        Error::MySqlError(error) => match error.code {
            1044 | 1045 | 1698 => Some("check user, password and GRANT, as in docs/cluster.md"),
            1049 => Some("make the database, as docs/cluster.md shows"),
            1129 => Some("run `mariadb-admin flush-hosts` at the server"),
            _ => None,
        },
        Error::DriverError(mysql::DriverError::TlsNotSupported) => {
            Some("turn TLS on there (ssl_cert and ssl_key), or set --database-tls off")
        }
        Error::TlsError(_) => Some(BAD_CERTIFICATE),
        // What TLS cannot accept; the driver itself calls nothing so.
        error if io_kind(error) == Some(io::ErrorKind::InvalidData) => Some(BAD_CERTIFICATE),
        _ => None,
    }
}

/// What the operator can do about an error of the server of another program.
pub(super) fn remedy_of_other(error: &Error) -> Option<&'static str> {
    match error {
        Error::MySqlError(error) => match error.code {
            1044 | 1045 | 1698 => Some(
                "check the user and the password of --from, and that the user may SELECT there \
                 from this machine's address",
            ),
            1142 | 1143 => Some("grant the user SELECT on the table"),
            1049 => Some("check the name of the database in --from"),
            _ => None,
        },
        _ => match remedy(error) {
            Some(BAD_CERTIFICATE) => Some(BAD_CERTIFICATE_OF_OTHER),
            Some(_) => Some("turn TLS on there (ssl_cert and ssl_key), or set --from-tls off"),
            None => match error {
                Error::CodecError(_) if io_error(error).is_none() => {
                    Some("no MySQL server answers there: check the host and the port of --from")
                }
                Error::IoError(_) | Error::CodecError(_) | Error::DriverError(_) => Some(
                    "check the host and the port of --from, and that the server is running there",
                ),
                _ => None,
            },
        },
    }
}

const BAD_CERTIFICATE_OF_OTHER: &str = "the server's certificate must be valid for the host as \
    --from names it, and its authority be public or in --from-tls-ca";

const BAD_CERTIFICATE: &str = "the server's certificate must be valid for the host as --database \
    names it, and its authority be public or in --database-tls-ca";

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        if let Error::FromValueError(_) | Error::FromRowError(_) = error {
            return Fault::BadRow("a value of another type than expected".into());
        }
        let Some(number) = number(&error) else { return Fault::TransactionLost(cause(error)) };
        let kind = match number {
            number if LOST.contains(&number) || LEFT.contains(&number) => Fault::TransactionLost,
            LOCKED => Fault::RowLocked,
            number if FULL.contains(&number) => Fault::Full,
            number if REFUSED.contains(&number) => Fault::Constraint,
            number if DAMAGED.contains(&number) => Fault::Damaged,
            _ => Fault::Unusable,
        };
        kind(cause(error))
    }
}

/// Whether an error of COMMIT leaves open whether it happened: the connection was lost, the server
/// did not answer in time, or its error does not say so. (Of 53 times that Galera returned 1180,
/// "error during COMMIT", the transaction was there once.)
pub(super) fn leaves_commit_open(error: &Error) -> bool {
    number(error).is_none_or(|number| !COMMIT_REFUSED.contains(&number))
}

#[cfg(test)]
mod tests {
    use mysql::MySqlError;

    use super::*;

    fn error(code: u16) -> Error {
        let message = "Duplicate entry 'secret' for key 'x'".to_owned();
        Error::MySqlError(MySqlError { state: "23000".into(), message, code })
    }

    #[test]
    fn the_number_of_an_error_decides_what_is_done() {
        for (code, kind, ends) in [
            (1213, "the transaction was lost", false),
            (1205, "another transaction holds the lock of a row", false),
            (1020, "the transaction was lost", false),
            (3101, "the transaction was lost", false),
            (1047, "the transaction was lost", true),
            (1290, "the transaction was lost", true),
            (1062, "the schema refused a row", false),
            (1406, "the schema refused a row", false),
            (4025, "the schema refused a row", false),
            (1114, "the disk is full", false),
            (1146, "the database cannot be used", false),
        ] {
            assert_eq!(Fault::from(error(code)).to_string(), kind, "{code}");
            assert_eq!(ends_connection(&error(code)), ends, "{code}");
        }
        let lost = Error::IoError(std::io::ErrorKind::ConnectionReset.into());
        assert!(ends_connection(&lost) && leaves_commit_open(&lost));
        for (code, is_open) in [
            (1180, true),
            (1317, true),
            (1053, true),
            (1047, true),
            (1026, true),
            (1213, false),
            (1205, false),
            (1290, false),
        ] {
            assert_eq!(leaves_commit_open(&error(code)), is_open, "{code}");
        }
        assert_eq!(Fault::from(lost).to_string(), "the transaction was lost");
    }

    #[test]
    fn a_value_that_the_server_quotes_is_not_in_the_log() {
        let texts = [1062, 1406].map(|code| crate::chain::chain(&Fault::from(error(code))));
        assert_eq!(
            texts,
            [
                "the schema refused a row: a row with the same key exists; another receiver may \
                 have written it at the same moment",
                "the schema refused a row: the server refused a value (SQLSTATE 23000)",
            ]
        );
        assert_eq!(Fault::from(error(1062)).code(), Some("MySQL error 1062"));
    }
}
