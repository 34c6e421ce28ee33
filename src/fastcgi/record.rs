//! The records of FastCGI 1.0, as bytes: a reader of requests, and the records of an answer.
//!
//! A record has 8 bytes (version, type, request id, length, padding, reserved), its content and its
//! padding. A request is BEGIN_REQUEST, then PARAMS until an empty one. Nothing here waits: bytes
//! are pushed in as they come, in pieces of any length.

use crate::secret::redacted;

/// The version of all records.
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 8;
const BEGIN_REQUEST: u8 = 1;
const ABORT_REQUEST: u8 = 2;
const END_REQUEST: u8 = 3;
const PARAMS: u8 = 4;
const STDIN: u8 = 5;
const STDOUT: u8 = 6;
/// The length of the content of BEGIN_REQUEST.
const BEGIN_BYTES: usize = 8;
const KEEP_CONNECTION: u8 = 1;
const RESPONDER: u16 = 1;
const AUTHORIZER: u16 = 2;
/// The longest PARAMS of a request, in bytes. Apache repeats an address of 8 KiB in some four of
/// them, and adds the headers.
const PARAMS_BYTES_MAX: usize = 64 * 1024;
/// The most records of a request. Web servers put 16 KiB and more into each record, and other
/// clients some hundred bytes.
const RECORDS_MAX: usize = 256;

/// Why the bytes of a connection are no request. Each sentence is for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The version of a record.
    #[error("expected FastCGI version 1, found {0}")]
    Version(u8),
    /// A record that may not come at this place.
    #[error("expected {expected}, found a record of type {found}")]
    Record {
        /// The name of the expected record.
        expected: &'static str,
        /// The type of the record.
        found: u8,
    },
    /// BEGIN_REQUEST with another length.
    #[error("expected BEGIN_REQUEST with 8 bytes, found {0}")]
    Begin(usize),
    /// Another role.
    #[error("expected the role AUTHORIZER, found {}", role_name(*.0))]
    Role(u16),
    /// The id of a request.
    #[error("expected one request at a time, with an id that is not 0")]
    Id,
    /// Too long.
    #[error("expected at most 65536 bytes of PARAMS, found more")]
    ParamsTooLong,
    /// Too many records.
    #[error("expected at most 256 records for a request, found more")]
    TooManyRecords,
    /// A length within PARAMS leads beyond their end.
    #[error("expected names and values in PARAMS, found a length that leads beyond their end")]
    Pair,
}

fn role_name(role: u16) -> &'static str {
    match role {
        RESPONDER => "RESPONDER without the parameter FCGI_ROLE=AUTHORIZER",
        3 => "FILTER",
        _ => "an unknown one",
    }
}

/// A parameter: its name and its value.
pub type Pair<'a> = (&'a [u8], &'a [u8]);

/// A request that was received to its end.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// Its id, which the answer repeats.
    id: u16,
    role: u16,
    /// Whether the connection stays open after the answer.
    pub keeps_connection: bool,
    /// The PARAMS. They may contain a password, so that they are never shown.
    params: Vec<u8>,
}

redacted!(Request);

impl Request {
    /// The names and values, in the order received.
    ///
    /// # Errors
    ///
    /// If one of them is cut off.
    pub fn params(&self) -> Result<Vec<Pair<'_>>, Malformed> {
        let mut rest = self.params.as_slice();
        let mut pairs = Vec::new();
        while !rest.is_empty() {
            let (name, value) = (length(&mut rest)?, length(&mut rest)?);
            pairs.push((taken(&mut rest, name)?, taken(&mut rest, value)?));
        }
        Ok(pairs)
    }

    /// Whether input may follow, which nobody reads. An authorizer gets none.
    pub fn has_input(&self) -> bool {
        self.role != AUTHORIZER
    }

    /// Refuses a role that is no authorizer's. nginx has the role RESPONDER alone, so it says in a
    /// parameter that it wants an authorizer.
    ///
    /// # Errors
    ///
    /// [`Malformed::Role`].
    pub fn check_role(&self, is_named_authorizer: bool) -> Result<(), Malformed> {
        match self.role {
            AUTHORIZER => Ok(()),
            RESPONDER if is_named_authorizer => Ok(()),
            other => Err(Malformed::Role(other)),
        }
    }

    /// The records of an answer: what a CGI program would print as its head, without the empty line
    /// at its end, and as its body.
    pub fn answer(&self, head: &[u8], body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(head.len() + body.len() + 8 * HEADER_BYTES);
        // Apache takes as the body only what it reads together with the empty line, at most 8 KiB
        // of one record. So a record begins with that line.
        let end_of_head = [b"\r\n", body].concat();
        for part in [head, &end_of_head] {
            for chunk in part.chunks(usize::from(u16::MAX)) {
                push(&mut bytes, STDOUT, self.id, chunk);
            }
        }
        push(&mut bytes, STDOUT, self.id, &[]);
        // Application status 0, and the protocol status FCGI_REQUEST_COMPLETE.
        push(&mut bytes, END_REQUEST, self.id, &[0; 8]);
        bytes
    }
}

fn push(bytes: &mut Vec<u8>, kind: u8, id: u16, content: &[u8]) {
    // The chunks are at most so long.
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    let id = id.to_be_bytes();
    bytes.extend([VERSION, kind, id[0], id[1], length[0], length[1], 0, 0]);
    bytes.extend(content);
}

/// A length within PARAMS: one byte up to 127, else four bytes with the first bit set.
fn length(rest: &mut &[u8]) -> Result<usize, Malformed> {
    let long = rest.first().is_some_and(|byte| byte & 0x80 != 0);
    let bytes = taken(rest, if long { 4 } else { 1 })?;
    let number = bytes.iter().fold(0_u32, |number, &byte| (number << 8) | u32::from(byte));
    Ok((number & 0x7fff_ffff) as usize)
}

fn taken<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Malformed> {
    let (taken, after) = rest.split_at_checked(length).ok_or(Malformed::Pair)?;
    *rest = after;
    Ok(taken)
}

/// What the reader has found.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing whole yet.
    More,
    /// A request.
    Request(Request),
    /// The web server does not want an answer any more.
    Aborted,
}

/// Reads requests, one after the other.
#[derive(Default)]
pub struct Reader {
    /// Bytes of a record that is not whole yet.
    pending: Vec<u8>,
    request: Option<Request>,
    records: usize,
}

redacted!(Reader);

struct Header {
    kind: u8,
    id: u16,
    content: usize,
    padding: usize,
}

impl Reader {
    /// Takes bytes that were received. Call it with none to read on after a request.
    ///
    /// # Errors
    ///
    /// See [`Malformed`]. The connection is of no use then.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Progress, Malformed> {
        self.pending.extend(bytes);
        let mut at = 0;
        let found = loop {
            let rest = &self.pending[at..];
            let Some(header) = header(rest)? else { break Progress::More };
            self.expect(&header)?;
            let end = HEADER_BYTES + header.content;
            let Some(content) = rest.get(HEADER_BYTES..end) else { break Progress::More };
            if rest.len() < end + header.padding {
                break Progress::More;
            }
            at += end + header.padding;
            self.records += 1;
            match take(&mut self.request, &header, content)? {
                Progress::More => {}
                whole => break whole,
            }
        };
        self.pending.drain(..at);
        if found != Progress::More {
            self.records = 0;
        }
        Ok(found)
    }

    /// Whether part of a request was received.
    pub fn has_begun(&self) -> bool {
        self.request.is_some() || !self.pending.is_empty()
    }

    /// Refuses a record by its header, before its content is waited for.
    fn expect(&self, header: &Header) -> Result<(), Malformed> {
        if self.records >= RECORDS_MAX {
            return Err(Malformed::TooManyRecords);
        }
        if header.id == 0 {
            return Err(Malformed::Id);
        }
        match (&self.request, header.kind) {
            // The input of the request before, which nginx sends after its PARAMS.
            (None, STDIN) => Ok(()),
            (None, BEGIN_REQUEST) if header.content == BEGIN_BYTES => Ok(()),
            (None, BEGIN_REQUEST) => Err(Malformed::Begin(header.content)),
            (None, found) => Err(Malformed::Record { expected: "BEGIN_REQUEST", found }),
            (Some(request), _) if request.id != header.id => Err(Malformed::Id),
            (Some(request), PARAMS) if request.params.len() + header.content > PARAMS_BYTES_MAX => {
                Err(Malformed::ParamsTooLong)
            }
            (Some(_), PARAMS | ABORT_REQUEST) => Ok(()),
            (Some(_), found) => Err(Malformed::Record { expected: "PARAMS", found }),
        }
    }
}

fn header(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    match bytes.first() {
        Some(&VERSION) => {}
        Some(&other) => return Err(Malformed::Version(other)),
        None => return Ok(None),
    }
    let Some(&[_, kind, id_high, id_low, high, low, padding, _]) =
        bytes.first_chunk::<HEADER_BYTES>()
    else {
        return Ok(None);
    };
    Ok(Some(Header {
        kind,
        id: u16::from_be_bytes([id_high, id_low]),
        content: u16::from_be_bytes([high, low]).into(),
        padding: padding.into(),
    }))
}

/// Takes a record that may come at this place.
fn take(
    request: &mut Option<Request>,
    header: &Header,
    content: &[u8],
) -> Result<Progress, Malformed> {
    match (header.kind, content) {
        (BEGIN_REQUEST, &[high, low, flags, ..]) => {
            let role = u16::from_be_bytes([high, low]);
            if role != AUTHORIZER && role != RESPONDER {
                return Err(Malformed::Role(role));
            }
            *request = Some(Request {
                id: header.id,
                role,
                keeps_connection: flags & KEEP_CONNECTION != 0,
                params: Vec::new(),
            });
            Ok(Progress::More)
        }
        (PARAMS, []) => Ok(request.take().map_or(Progress::More, Progress::Request)),
        (PARAMS, content) => {
            if let Some(request) = request {
                request.params.extend(content);
            }
            Ok(Progress::More)
        }
        (ABORT_REQUEST, _) => {
            *request = None;
            Ok(Progress::Aborted)
        }
        // Input that nobody reads.
        (_, _) => Ok(Progress::More),
    }
}

#[cfg(test)]
mod tests;
