//! A journal record as a line of JSON, which `journal --json` writes and `replay --journal` reads.

use serde::{Deserialize, Serialize};

use crate::action::{Parsed, Recorded};
use crate::apply::Postback;
use crate::clock::{Moment, YEAR_9999_ENDS};
use crate::hex::{hex, unhex};
use crate::identity::SessionHash;
use crate::journal::{Origin, Received};
use crate::member::Credential;
use crate::operator::OperatorName;
use crate::password::{Cryptpass, Hash, Seal, Stored, Wrapped};
use crate::reply::Reply;
use crate::store::StoredRecord;

/// The columns of a record under their own names. Bytes are hexadecimal digits; NULL is omitted.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RecordColumns {
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
    #[serde(skip_serializing_if = "Option::is_none")]
    moved_until: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operator: Option<String>,
}

/// One record, read and checked.
#[derive(Clone, Debug)]
pub struct JournalLine {
    /// Its number in the journal it came from.
    pub id: u64,
    /// When it took effect, and by which time members were moved then.
    pub at: Moment,
    /// The reply line.
    pub reply: Reply,
    received: Received,
    put: Recorded,
}

/// Why a line is no record. The content of the line is not shown, because it contains hashes.
#[derive(Debug, thiserror::Error)]
pub enum BadRecord {
    /// It is no JSON of this form.
    #[error("expected a line of `journal --json` (line {}, column {})", .0.line(), .0.column())]
    Json(serde_json::Error),
    /// An invalid column.
    #[error("{0}: expected what `journal --json` writes")]
    Column(&'static str),
    /// A column that contradicts the fields, from which it was made.
    #[error("{0}: expected what the fields say")]
    Contradiction(&'static str),
    /// The number is not above that of the record before.
    #[error("id: expected a number above that of the record before")]
    Order,
}

impl JournalLine {
    /// Reads a line of `journal --json` after the record `last_id`, which is 0 for the first line.
    /// The checks keep an edited journal from adding a member or a password that no postback could
    /// have added.
    ///
    /// # Errors
    ///
    /// If it is no such line.
    pub fn parse(line: &str, last_id: u64) -> Result<Self, BadRecord> {
        let columns: RecordColumns = serde_json::from_str(line).map_err(BadRecord::Json)?;
        if columns.id <= last_id {
            return Err(BadRecord::Order);
        }
        if !(0..=YEAR_9999_ENDS).contains(&columns.at) {
            return Err(BadRecord::Column("at"));
        }
        let moved_until = columns.moved_until.unwrap_or(columns.at);
        if !(0..=YEAR_9999_ENDS).contains(&moved_until) {
            return Err(BadRecord::Column("moved_until"));
        }
        let put = columns.put()?;
        let received = columns.received()?;
        // A seal is bound to its member: the hashing worker opens it only with both ids.
        if put.credential.is_some() && (received.site().is_none() || received.member().is_none()) {
            return Err(BadRecord::Column("password, sealed and cryptpass_wrapped"));
        }
        let reply = Reply::from_line(&columns.reply).ok_or(BadRecord::Column("reply"))?;
        Ok(Self {
            id: columns.id,
            at: Moment { now: columns.at, moved_until },
            reply,
            received,
            put,
        })
    }

    /// Writes a record as a line, without a line break.
    ///
    /// # Errors
    ///
    /// None that a record can cause.
    pub fn write(record: &StoredRecord) -> serde_json::Result<String> {
        let put = &record.put;
        let stored = put.credential.as_ref().map(|credential| &credential.stored);
        let columns = RecordColumns {
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
            password: stored.and_then(|form| {
                if let Stored::Hash(hash) = form { Some(hash.as_str().to_owned()) } else { None }
            }),
            cryptpass: put
                .credential
                .as_ref()
                .and_then(|credential| Some(credential.cryptpass.as_ref()?.expose().to_owned())),
            session_sha256: put.session.map(|hash| hex(&hash.0)),
            sealed: stored.and_then(|form| {
                if let Stored::Sealed(seal) = form { Some(hex(seal.as_bytes())) } else { None }
            }),
            cryptpass_wrapped: stored.and_then(|form| {
                if let Stored::Wrapped(wrapped) = form {
                    Some(wrapped.as_str().to_owned())
                } else {
                    None
                }
            }),
            logins_ended: put.logins_ended.then_some(1),
            moved_until: record.moved_until,
            stale: put.is_stale.then_some(1),
            operator: record.operator.clone(),
        };
        serde_json::to_string(&columns)
    }

    /// What its fields mean.
    pub fn parsed(&self) -> Parsed {
        super::read_again(&self.received, &self.put, self.reply.word())
    }

    /// The postback that it records, and what it put into the row then.
    pub fn postback(&self) -> (Postback, Recorded) {
        let Parsed { action, stamp, .. } = self.parsed();
        let received = self.received.clone();
        (Postback { action, received, stamp, is_quiet: false }, self.put.clone())
    }

    /// Its seal with the member it belongs to, if it has one.
    pub fn seal(&self) -> Option<(crate::identity::Key, &Seal)> {
        let Stored::Sealed(seal) = &self.put.credential.as_ref()?.stored else { return None };
        Some((
            crate::identity::Key { site: self.received.site()?, member: self.received.member()? },
            seal,
        ))
    }
}

impl RecordColumns {
    /// The received part, made from the fields again. The columns must agree with it.
    fn received(&self) -> Result<Received, BadRecord> {
        let origin = Origin::parse(&self.source).ok_or(BadRecord::Column("source"))?;
        let address = self
            .address
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(|_| BadRecord::Column("address"))?;
        let operator = self.operator.as_deref().map(OperatorName::parse);
        if operator == Some(None) {
            return Err(BadRecord::Column("operator"));
        }
        let mut received = Received::again(&self.fields, origin, address);
        received.operator = operator.flatten();
        let same = [
            // A CHECK is never journalled.
            (
                "action",
                self.action.as_deref() == received.action() && received.action() != Some("CHECK"),
            ),
            ("siteid", self.siteid == received.site().map(|site| site.get())),
            ("memberid", self.memberid == received.member().map(|member| member.get())),
            ("username", self.username.as_deref() == received.username().map(|name| name.as_str())),
        ];
        match same.into_iter().find(|&(_, same)| !same) {
            Some((name, _)) => Err(BadRecord::Contradiction(name)),
            None if !crate::fields::is_journal_text(&self.fields) => {
                Err(BadRecord::Column("fields"))
            }
            None => Ok(received),
        }
    }

    fn put(&self) -> Result<Recorded, BadRecord> {
        let stored = match (&self.sealed, &self.password, &self.cryptpass_wrapped) {
            (Some(hex), None, None) => Some(Stored::Sealed(
                unhex(hex).and_then(Seal::parse).ok_or(BadRecord::Column("sealed"))?,
            )),
            (None, Some(hash), None) => {
                Some(Stored::Hash(Hash::parse(hash).ok_or(BadRecord::Column("password"))?))
            }
            (None, None, Some(wrapped)) => Some(Stored::Wrapped(
                Wrapped::parse(wrapped).ok_or(BadRecord::Column("cryptpass_wrapped"))?,
            )),
            (None, None, None) => None,
            _ => return Err(BadRecord::Column("password, sealed and cryptpass_wrapped")),
        };
        let kept = self
            .cryptpass
            .as_deref()
            .map(|text| Cryptpass::of_any_form(text).ok_or(BadRecord::Column("cryptpass")));
        let credential = match (stored, kept.transpose()?) {
            (Some(stored), cryptpass) => Some(Credential { stored, cryptpass }),
            (None, None) => None,
            (None, Some(_)) => return Err(BadRecord::Column("cryptpass")),
        };
        let session = self.session_sha256.as_deref().map(|text| {
            let bytes = unhex(text).and_then(|bytes| bytes.try_into().ok());
            bytes.map(SessionHash).ok_or(BadRecord::Column("session_sha256"))
        });
        Ok(Recorded {
            credential,
            session: session.transpose()?,
            expire_at: self.expire_at,
            logins_ended: is_set(self.logins_ended).ok_or(BadRecord::Column("logins_ended"))?,
            is_stale: is_set(self.stale).ok_or(BadRecord::Column("stale"))?,
        })
    }
}

/// A column that has 1 or nothing.
fn is_set(column: Option<u8>) -> Option<bool> {
    match column {
        None => Some(false),
        Some(1) => Some(true),
        Some(_) => None,
    }
}
