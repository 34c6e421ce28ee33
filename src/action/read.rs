//! Reads an action's parameters: required ones, optional ones, and unreadable ones, which are
//! ignored.

use sha2::{Digest, Sha256};

use super::decision::Taken;
use super::stamp::{StaleGuard, Stamp};
use crate::clock::{EXPIRE_EXPECTED, ExpiryRule, ExpiryText};
use crate::fields::Fields;
use crate::identity::{
    ID_EXPECTED, Key, MEMBER_ID_EXPECTED, MemberId, SessionHash, SiteId, TEXT_BYTES_MAX,
    USERNAME_EXPECTED, Username,
};
use crate::member::{Credential, Member};
use crate::password::{CRYPTPASS_EXPECTED, Cryptpass, PASSWORD_EXPECTED, Password, Stored, Vault};
use crate::reply::{Found, Refusal, Word};

const FLAG_EXPECTED: &str = "expected 0 or 1";
const TEXT_EXPECTED: &str = "expected 1 to 255 bytes without control characters";
const SECONDS_EXPECTED: &str = "expected unix seconds of at most 11 digits";
const CREDENTIAL_EXPECTED: &str = "expected 1 to 1024 bytes, or a cryptpass";

/// `expire` in the record of an operator who lets a membership go on without an end.
pub const NEVER: &str = "never";

/// The settings that reading a postback depends on.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Seals passwords the moment they are read.
    pub vault: Vault,
    /// `--keep-cryptpass`: whether the column `cryptpass` is kept.
    pub keep_cryptpass: bool,
    /// `--time-zone` and `--expire-grace-hours`.
    pub expiry: ExpiryRule,
    /// `--stale-guard`: whether an older `stamp` counts.
    pub stale_guard: bool,
}

/// What a journal record keeps of the values that its fields hide, and the instant that was
/// computed then.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recorded {
    /// The credential that the postback put into the row.
    pub credential: Option<Credential>,
    /// SHA-256 of its session.
    pub session: Option<SessionHash>,
    /// The instant of its EXPIRE, unix seconds.
    pub expire_at: Option<i64>,
    /// Whether it raised login_version. For an ADD that is known when its password is hashed.
    pub logins_ended: bool,
    /// Whether `--stale-guard` found it older than the last change: see [`Stamp`].
    pub is_stale: bool,
}

/// Where the fields come from.
#[derive(Clone, Copy, Debug)]
pub enum FieldsSource<'a> {
    /// The wire or a capture: secrets in clear text.
    Wire(&'a Rules),
    /// A command of the operator, who may name provisional members too.
    Operator(&'a Rules),
    /// A journal record: its secrets are `***`, so the record has their stored forms, the word of
    /// the reply, and who sent it.
    Journal(&'a Recorded, Word, Sender),
    /// A row of another program, which the operator imports: its secrets are in their stored forms.
    Import(&'a Imported),
}

/// Who sent what a journal records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// NATS, or a capture of its postbacks.
    Nats,
    /// A command of the operator.
    Operator,
}

/// What an import makes of the secrets of a row, and of the moment of its expiry.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// The credential in the form that the row stores.
    pub credential: Option<Credential>,
    /// SHA-256 of the session.
    pub session: Option<SessionHash>,
    /// When the member expires, unix seconds.
    pub expire_at: Option<i64>,
}

/// The optional values of ADD, MANUALADD, ACTIVATE and a restoring TRIALTOFULL.
#[derive(Clone, Debug, Default)]
pub struct Details {
    /// From password, or else cryptpass.
    pub credential: Option<Credential>,
    /// trial.
    pub trial: Option<bool>,
    /// email.
    pub email: Option<String>,
    /// biller, or else memberidx.
    pub biller: Option<String>,
    /// SHA-256 of session.
    pub session: Option<SessionHash>,
    /// joined, unix seconds.
    pub joined: Option<i64>,
    /// expires, unix seconds.
    pub expires: Option<i64>,
    /// From a journal record: whether it ended the member's logins, by another name or credential.
    pub logins_ended: Option<bool>,
    /// From an import: the credential is a hash, which cannot be compared later as a seal is.
    /// Another one than before ends the member's logins at once.
    pub is_hashed: bool,
    /// From an import: when the member expires, unix seconds.
    pub expire_at: Option<i64>,
    /// From an import of a row without an expiry: a noted one stays.
    pub keeps_expiry: bool,
    /// A password or cryptpass that was given and is unreadable: the reply names it.
    pub not_taken: Vec<Refusal>,
}

/// The credential of a postback, from its password and cryptpass.
#[derive(Debug)]
pub(super) struct Credentials {
    /// From the password, or else the cryptpass.
    pub(super) taken: Option<Credential>,
    /// Those that were given and are unreadable.
    pub(super) not_taken: Vec<Refusal>,
}

impl Details {
    /// A new row with these values.
    pub(super) fn new_row(
        &self,
        key: Key,
        name: Taken<'_>,
        credential: &Credential,
        login_version: i64,
    ) -> Member {
        Member {
            key,
            username: name.username.clone(),
            holds_folded: name.holds_folded,
            credential: credential.clone(),
            before: None,
            email: self.email.clone(),
            trial: self.trial.unwrap_or(false),
            biller: self.biller.clone(),
            session: self.session,
            joined: self.joined,
            expires: self.expires,
            expire_at: self.expire_at,
            stamp: None,
            login_version: login_version + i64::from(self.logins_ended.unwrap_or(false)),
        }
    }

    /// The row of a member with these values and this name. Another name ends their logins.
    pub(super) fn over(&self, row: &Member, name: Taken<'_>) -> Member {
        let mut new = self.put_into(row, name);
        new.login_version += i64::from(self.logins_ended.unwrap_or(new.username != row.username));
        new
    }

    /// The row of a member who comes back, with these values and this name. Their logins ended when
    /// they left, so a new password has nothing to be compared with: a login by it is not ended.
    pub(super) fn over_former(&self, row: &Member, name: Taken<'_>) -> Member {
        let mut new = self.put_into(row, name);
        new.login_version += i64::from(self.logins_ended.unwrap_or(false));
        if self.credential.is_some() {
            new.before = None;
        }
        new
    }

    /// A noted expiry goes, unless there is one here.
    fn put_into(&self, row: &Member, name: Taken<'_>) -> Member {
        let mut row = row.clone();
        name.put_into(&mut row);
        row.trial = self.trial.unwrap_or(row.trial);
        row.email = self.email.clone().or(row.email);
        row.biller = self.biller.clone().or(row.biller);
        row.session = self.session.or(row.session);
        row.joined = self.joined.or(row.joined);
        row.expires = self.expires.or(row.expires);
        row.expire_at = self.expire_at;
        if let Some(given) = &self.credential {
            row.take_credential(given.clone());
        }
        row
    }
}

/// Reads parameters one by one and lists those that it ignored.
pub(super) struct Parameters<'a> {
    fields: &'a Fields<'a>,
    source: &'a FieldsSource<'a>,
    ignored: Vec<Refusal>,
}

impl<'a> Parameters<'a> {
    pub(super) fn new(fields: &'a Fields<'a>, source: &'a FieldsSource<'a>) -> Self {
        Self { fields, source, ignored: Vec::new() }
    }

    pub(super) fn into_ignored(self) -> Vec<Refusal> {
        self.ignored
    }

    /// The value of a parameter. An empty one counts as not given.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.fields.get(name)
    }

    /// siteid and memberid, both required.
    pub(super) fn key(&self) -> Result<Key, Refusal> {
        let member = match self.source {
            // An earlier release answered OK to a postback with what is a provisional memberid now.
            FieldsSource::Wire(_) | FieldsSource::Journal(_, Word::Error, Sender::Nats) => {
                self.need("memberid", MEMBER_ID_EXPECTED, MemberId::of_nats)?
            }
            FieldsSource::Operator(_) | FieldsSource::Journal(..) | FieldsSource::Import(_) => {
                self.need("memberid", ID_EXPECTED, MemberId::parse)?
            }
        };
        Ok(Key { site: self.site()?, member })
    }

    /// siteid, required.
    pub(super) fn site(&self) -> Result<SiteId, Refusal> {
        self.need("siteid", ID_EXPECTED, SiteId::parse)
    }

    /// username, required. [`super::Known::take_name`] decides whether the member may get it.
    pub(super) fn username(&self) -> Result<Username, Refusal> {
        self.need("username", USERNAME_EXPECTED, Username::typed)
    }

    /// username where it is required only sometimes. The caller uses the refusal if it is.
    pub(super) fn optional_username(&mut self) -> Result<Username, Refusal> {
        let username = self.username();
        // An unreadable one is worth a log line even if it is not required.
        self.ignored.extend(
            username.as_ref().err().filter(|refusal| refusal.found != Found::Nothing).cloned(),
        );
        username
    }

    /// username where it only tells what NATS calls the member. An unreadable one tells nothing.
    pub(super) fn name_of_member(&mut self) -> Option<Username> {
        self.optional("username", USERNAME_EXPECTED, Username::typed)
    }

    /// new_username. A malformed one is refused: otherwise the member would keep the old name while
    /// NATS has the new one.
    pub(super) fn new_username(&self) -> Result<Option<Username>, Refusal> {
        self.given("new_username", USERNAME_EXPECTED, Username::typed)
    }

    /// new_trial. A malformed one is refused.
    pub(super) fn new_trial(&self) -> Result<Option<bool>, Refusal> {
        self.given("new_trial", FLAG_EXPECTED, flag)
    }

    /// The e-mail address: the first of these parameters that is readable.
    pub(super) fn email(&mut self, names: &[&'static str]) -> Option<String> {
        names.iter().find_map(|name| self.optional(name, TEXT_EXPECTED, text))
    }

    /// All optional values of ADD, MANUALADD, ACTIVATE and TRIALTOFULL.
    pub(super) fn details(&mut self, key: Key) -> Details {
        let Credentials { taken, not_taken } = self.credentials(key, "password", "cryptpass");
        Details {
            credential: taken,
            not_taken,
            trial: self.optional("trial", FLAG_EXPECTED, flag),
            email: self.email(&["email"]),
            biller: self
                .optional("biller", TEXT_EXPECTED, text)
                .or_else(|| self.optional("memberidx", TEXT_EXPECTED, text)),
            session: self.session(),
            joined: self.optional("joined", SECONDS_EXPECTED, seconds),
            expires: self.optional("expires", SECONDS_EXPECTED, seconds),
            logins_ended: self.recorded_end_of_logins(),
            is_hashed: self.brings_hash(),
            expire_at: None,
            keeps_expiry: false,
        }
    }

    fn brings_hash(&self) -> bool {
        let FieldsSource::Import(imported) = self.source else { return false };
        imported.credential.as_ref().is_some_and(|given| !matches!(given.stored, Stored::Sealed(_)))
    }

    /// Whether this is a row of another program.
    pub(super) fn is_import(&self) -> bool {
        matches!(self.source, FieldsSource::Import(_))
    }

    /// The expiry of an imported row, or of its record. From the wire, an ADD brings none: its
    /// `expires` is bookkeeping.
    pub(super) fn noted_expiry(&self) -> Option<i64> {
        match self.source {
            FieldsSource::Wire(_) | FieldsSource::Operator(_) => None,
            FieldsSource::Journal(recorded, ..) => recorded.expire_at,
            FieldsSource::Import(imported) => imported.expire_at,
        }
    }

    /// password, or else cryptpass. A cryptpass beside a password is dropped. The credential is
    /// sealed here, so that no later code handles a clear one.
    fn credentials(
        &mut self,
        key: Key,
        password: &'static str,
        cryptpass: &'static str,
    ) -> Credentials {
        let rules = match self.source {
            FieldsSource::Wire(rules) | FieldsSource::Operator(rules) => rules,
            FieldsSource::Journal(recorded, ..) => {
                return Credentials { taken: recorded.credential.clone(), not_taken: Vec::new() };
            }
            FieldsSource::Import(imported) => {
                return Credentials { taken: imported.credential.clone(), not_taken: Vec::new() };
            }
        };
        let ignored_before = self.ignored.len();
        let clear = self.optional_secret(password, PASSWORD_EXPECTED, Password::parse);
        let crypt = self.optional_secret(cryptpass, CRYPTPASS_EXPECTED, Cryptpass::parse);
        let seal = match (&clear, &crypt) {
            (Some(clear), _) => Some(rules.vault.seal_password(key, clear)),
            (None, Some(crypt)) => Some(rules.vault.seal_cryptpass(key, crypt)),
            (None, None) => None,
        };
        let kept = crypt.filter(|_| rules.keep_cryptpass);
        Credentials {
            taken: seal.map(|seal| Credential { stored: Stored::Sealed(seal), cryptpass: kept }),
            not_taken: self.ignored[ignored_before..].to_vec(),
        }
    }

    /// new_password, or else new_cryptpass. A malformed one is refused: otherwise the member would
    /// keep the old password while NATS has the new one. A malformed new_cryptpass beside a
    /// readable new_password is not refused, because it would be dropped anyway.
    pub(super) fn new_credentials(&mut self, key: Key) -> Result<Credentials, Refusal> {
        let credentials = self.credentials(key, "new_password", "new_cryptpass");
        if let Some(refusal) = self.refused_then(&credentials) {
            return Err(refusal);
        }
        let decides =
            |refusal: &&Refusal| refusal.parameter == "new_password" || credentials.taken.is_none();
        match credentials.not_taken.iter().find(decides) {
            Some(refusal) => Err(refusal.clone()),
            None => Ok(credentials),
        }
    }

    /// The refusal of a recorded CHANGE whose new password or cryptpass was malformed. The record
    /// does not contain the value, so the word of its reply decides. An earlier release ignored
    /// such a value, answered OK and changed the rest; its record has to do so again.
    fn refused_then(&self, credentials: &Credentials) -> Option<Refusal> {
        let FieldsSource::Journal(_, Word::Error, _) = self.source else { return None };
        let named = [("new_password", PASSWORD_EXPECTED), ("new_cryptpass", CRYPTPASS_EXPECTED)];
        let (name, expected) = named.into_iter().find(|(name, _)| self.text(name).is_some())?;
        // A readable one is missing in the record if another parameter was refused. Then the record
        // is refused too.
        credentials.taken.is_none().then(|| Refusal {
            parameter: name,
            expected,
            found: Found::Words("***".into()),
        })
    }

    /// Whether a journal record raised login_version; `None` from elsewhere.
    pub(super) fn recorded_end_of_logins(&self) -> Option<bool> {
        match self.source {
            FieldsSource::Wire(_) | FieldsSource::Operator(_) | FieldsSource::Import(_) => None,
            FieldsSource::Journal(recorded, ..) => Some(recorded.logins_ended),
        }
    }

    /// The refusal of an action that requires a credential and got no readable one.
    pub(super) fn credential_refusal(&self) -> Refusal {
        match (self.text("password"), self.text("cryptpass")) {
            (Some(password), _) => {
                Refusal::malformed_secret("password", PASSWORD_EXPECTED, password)
            }
            (None, Some(cryptpass)) => {
                Refusal::malformed_secret("cryptpass", CRYPTPASS_EXPECTED, cryptpass)
            }
            (None, None) => Refusal::missing("password", CREDENTIAL_EXPECTED),
        }
    }

    fn session(&mut self) -> Option<SessionHash> {
        match self.source {
            FieldsSource::Wire(_) | FieldsSource::Operator(_) => {
                let session = self.optional_secret("session", TEXT_EXPECTED, text)?;
                Some(SessionHash(Sha256::digest(session).into()))
            }
            FieldsSource::Journal(recorded, ..) => recorded.session,
            FieldsSource::Import(imported) => imported.session,
        }
    }

    /// stamp. An unreadable one counts as not given, as nothing else depends on it.
    pub(super) fn stamp(&mut self) -> Stamp {
        let guard = match self.source {
            FieldsSource::Wire(rules) | FieldsSource::Operator(rules) if rules.stale_guard => {
                StaleGuard::On
            }
            FieldsSource::Wire(_) | FieldsSource::Operator(_) | FieldsSource::Import(_) => {
                StaleGuard::Off
            }
            FieldsSource::Journal(recorded, ..) => StaleGuard::Recorded(recorded.is_stale),
        };
        // NATS sends 0 for none.
        let at = self.optional("stamp", SECONDS_EXPECTED, seconds).filter(|&at| at > 0);
        Stamp { at, guard }
    }

    /// The instant of an EXPIRE: from expire, or else from a non-zero expires. `None` in the record
    /// of an operator who removed an expiry.
    pub(super) fn expiry(&self) -> Result<Option<i64>, Refusal> {
        let rule = match self.source {
            FieldsSource::Wire(rules) | FieldsSource::Operator(rules) => &rules.expiry,
            FieldsSource::Journal(Recorded { expire_at: Some(instant), .. }, ..) => {
                return Ok(Some(*instant));
            }
            FieldsSource::Journal(_, Word::Ok, _) if self.text("expire") == Some(NEVER) => {
                return Ok(None);
            }
            // The record of a refusal: the value was unreadable then. An import brings no EXPIRE.
            FieldsSource::Journal(..) | FieldsSource::Import(_) => {
                return Err(Refusal::missing("expire", EXPIRE_EXPECTED));
            }
        };
        for name in ["expire", "expires"] {
            let Some(value) = self.text(name) else { continue };
            match rule.instant(value) {
                ExpiryText::At(instant) => return Ok(Some(instant)),
                ExpiryText::Malformed => {
                    return Err(Refusal::malformed(name, EXPIRE_EXPECTED, value));
                }
                ExpiryText::NotGiven => {}
            }
        }
        Err(Refusal::missing("expire", EXPIRE_EXPECTED))
    }

    fn need<T>(
        &self,
        name: &'static str,
        expected: &'static str,
        parse: fn(&str) -> Option<T>,
    ) -> Result<T, Refusal> {
        self.given(name, expected, parse)?.ok_or_else(|| Refusal::missing(name, expected))
    }

    fn given<T>(
        &self,
        name: &'static str,
        expected: &'static str,
        parse: fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        let Some(value) = self.text(name) else { return Ok(None) };
        parse(value).map(Some).ok_or_else(|| Refusal::malformed(name, expected, value))
    }

    fn optional<T>(
        &mut self,
        name: &'static str,
        expected: &'static str,
        parse: fn(&str) -> Option<T>,
    ) -> Option<T> {
        self.given(name, expected, parse).unwrap_or_else(|refusal| {
            self.ignored.push(refusal);
            None
        })
    }

    fn optional_secret<T>(
        &mut self,
        name: &'static str,
        expected: &'static str,
        parse: fn(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.text(name)?;
        let parsed = parse(value);
        if parsed.is_none() {
            self.ignored.push(Refusal::malformed_secret(name, expected, value));
        }
        parsed
    }
}

fn flag(value: &str) -> Option<bool> {
    match value {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

fn text(value: &str) -> Option<String> {
    let fits = (1..=TEXT_BYTES_MAX).contains(&value.len());
    (fits && !value.contains(char::is_control)).then(|| value.to_owned())
}

fn seconds(value: &str) -> Option<i64> {
    let fits = value.len() <= 11 && value.bytes().all(|b| b.is_ascii_digit());
    value.parse().ok().filter(|_| fits)
}
