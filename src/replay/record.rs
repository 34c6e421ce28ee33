//! A journal record as a line of JSON: what `journal --json` writes and `replay --journal` reads.

use serde::{Deserialize, Serialize};

use crate::action::{NAMES, Recorded};
use crate::apply::Postback;
use crate::journal::{Heard, Origin};
use crate::member::{Credential, MemberId, SessionHash, SiteId, Username};
use crate::password::{Cryptpass, Hash, Seal, Stored, Wrapped};
use crate::reply::Reply;
use crate::store::StoredRecord;

/// The columns of a record under their own names; bytes as hexadecimal digits, what is NULL left out.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Columns {
    id: u64,
    at: i64,
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    siteid: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memberid: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    fields: String,
    reply: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expire_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cryptpass: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cryptpass_wrapped: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logins_ended: Option<u8>,
}

/// One record, read and checked.
#[derive(Clone, Debug)]
pub struct JournalLine {
    /// Its number in the journal it came from.
    pub id: u64,
    /// When it took effect, unix seconds.
    pub at: i64,
    /// The line that went back.
    pub reply: Reply,
    heard: Heard,
    put: Recorded,
}

/// Why a line is no record. Its content is not shown: it has hashes in it.
#[derive(Debug, thiserror::Error)]
pub enum BadRecord {
    /// No JSON of this form.
    #[error("expected a line of `journal --json` (line {}, column {})", .0.line(), .0.column())]
    Json(serde_json::Error),
    /// A column that cannot be.
    #[error("{0}: expected what `journal --json` writes")]
    Column(&'static str),
}

impl JournalLine {
    /// Reads a line of `journal --json`.
    ///
    /// # Errors
    ///
    /// Where it is none.
    pub fn parse(line: &str) -> Result<Self, BadRecord> {
        let columns: Columns = serde_json::from_str(line).map_err(BadRecord::Json)?;
        let put = columns.put()?;
        let parse_id = |number: Option<i64>| number.map(|number| number.to_string());
        let heard = Heard {
            origin: Origin::parse(&columns.source).ok_or(BadRecord::Column("source"))?,
            address: columns.address.map(|text| text.parse()).transpose().map_err(|_| BadRecord::Column("address"))?,
            action: columns.action.and_then(|word| NAMES.into_iter().find(|name| *name == word)),
            site: parse_id(columns.siteid).and_then(|text| SiteId::parse(&text)),
            member: parse_id(columns.memberid).and_then(|text| MemberId::parse(&text)),
            username: columns.username.and_then(|name| Username::parse(&name)),
            fields: columns.fields,
        };
        let reply = Reply::from_line(&columns.reply).ok_or(BadRecord::Column("reply"))?;
        Ok(Self { id: columns.id, at: columns.at, reply, heard, put })
    }

    /// Writes a record as a line, without a line break.
    ///
    /// # Errors
    ///
    /// None that a record can cause.
    pub fn write(record: &StoredRecord) -> serde_json::Result<String> {
        let put = &record.put;
        let stored = put.credential.as_ref().map(|credential| &credential.stored);
        let columns = Columns {
            id: u64::try_from(record.id).unwrap_or_default(),
            at: record.at,
            source: record.source.clone(),
            address: record.address.clone(),
            action: record.action.clone(),
            siteid: record.siteid,
            memberid: record.memberid,
            username: record.username.clone(),
            fields: record.fields.clone(),
            reply: record.reply.clone(),
            expire_at: put.expire_at,
            password: stored.and_then(|form| if let Stored::Hash(hash) = form { Some(hash.as_str().to_owned()) } else { None }),
            cryptpass: put.credential.as_ref().and_then(|credential| Some(credential.cryptpass.as_ref()?.expose().to_owned())),
            session_sha256: put.session.map(|hash| hex(&hash.0)),
            sealed: stored.and_then(|form| if let Stored::Sealed(seal) = form { Some(hex(seal.as_bytes())) } else { None }),
            cryptpass_wrapped: stored
                .and_then(|form| if let Stored::Wrapped(wrapped) = form { Some(wrapped.as_str().to_owned()) } else { None }),
            logins_ended: put.logins_ended.then_some(1),
        };
        serde_json::to_string(&columns)
    }

    /// The postback that it records, and what went into the row then.
    pub fn postback(&self) -> (Postback, Recorded) {
        let action = super::read_again(&self.heard.fields, &self.put);
        (Postback { action, heard: self.heard.clone() }, self.put.clone())
    }

    /// Its seal and whose it is, if it has one.
    pub fn seal(&self) -> Option<(crate::member::Key, &Seal)> {
        let Stored::Sealed(seal) = &self.put.credential.as_ref()?.stored else { return None };
        Some((crate::member::Key { site: self.heard.site?, member: self.heard.member? }, seal))
    }
}

impl Columns {
    fn put(&self) -> Result<Recorded, BadRecord> {
        let stored = match (&self.sealed, &self.password, &self.cryptpass_wrapped) {
            (Some(seal), None, None) => Some(Stored::Sealed(Seal::from_bytes(unhex(seal).ok_or(BadRecord::Column("sealed"))?))),
            (None, Some(hash), None) => Some(Stored::Hash(Hash::from_text(hash.clone()))),
            (None, None, Some(wrapped)) => Some(Stored::Wrapped(Wrapped::from_text(wrapped.clone()))),
            (None, None, None) => None,
            _ => return Err(BadRecord::Column("password, sealed and cryptpass_wrapped")),
        };
        let kept = self.cryptpass.as_deref().map(|text| Cryptpass::parse(text).ok_or(BadRecord::Column("cryptpass")));
        let session = self.session_sha256.as_deref().map(|text| {
            let bytes = unhex(text).and_then(|bytes| bytes.try_into().ok());
            bytes.map(SessionHash).ok_or(BadRecord::Column("session_sha256"))
        });
        Ok(Recorded {
            credential: match stored {
                Some(stored) => Some(Credential { stored, cryptpass: kept.transpose()? }),
                None => None,
            },
            session: session.transpose()?,
            expire_at: self.expire_at,
            logins_ended: match self.logins_ended {
                None => false,
                Some(1) => true,
                Some(_) => return Err(BadRecord::Column("logins_ended")),
            },
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks_exact(2);
    let whole = digits.remainder().is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.map(byte).collect::<Option<_>>().filter(|_| whole)
}
