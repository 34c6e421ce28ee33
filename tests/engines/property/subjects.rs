//! The program as a test uses it: without HTTP, and over HTTP.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use nats_userman::action::Rules;
use nats_userman::action::Standing;
use nats_userman::apply::{Postback, transact};
use nats_userman::clock::Clock;
use nats_userman::fields::Fields;
use nats_userman::hardening::{Rehash, hardened, rehashed};
use nats_userman::identity::Key;
use nats_userman::journal::Origin;
use nats_userman::password::{HashKind, Hasher, Password, Stored, Vault};
use nats_userman::replay::DryRun;
use nats_userman::store::{Engine, Fault, Hardened, Location, Rehashed, open_reader};

use super::stories::Tick;
use crate::support::{App, NOON, TestDatabase, WriterBench, cheap};

/// The program on which a story runs.
pub trait Subject {
    fn post(&mut self, body: &str) -> Result<String, String>;
    fn post_as_operator(&mut self, body: &str) -> Result<String, String>;
    fn set_clock(&mut self, now: i64, tick: Tick);
    fn harden(&mut self);
    fn hash_some(&mut self, which: u8);
    fn rehash(&mut self, key: Key, typed: &[&str]);
    fn put_hashes(&mut self);
    fn location(&self) -> &Location;
    fn vault(&self) -> &Vault;
}

/// The engine and the rules, without HTTP and without a thread.
pub struct Inside<'a> {
    pub engine: &'a mut dyn Engine,
    pub place: &'a Place,
    pub hashed: Vec<Hardened>,
    pub rehashed: Vec<Rehashed>,
}

/// A database, and values of the settings.
pub struct Place {
    pub location: Location,
    pub rules: Rules,
    hash: HashKind,
    pub clock: Arc<AtomicI64>,
    /// What is removed in the end, of an engine that has no files.
    _database: Option<TestDatabase>,
}

impl Place {
    /// A database of SQLite in this directory.
    pub fn new(dir: &Path, name: &str, rules: Rules, hash: HashKind) -> Self {
        Self::at(Location::sqlite(dir.join(name)), None, rules, hash)
    }

    /// This database.
    pub fn on(database: TestDatabase, rules: Rules, hash: HashKind) -> Self {
        Self::at(database.location(), Some(database), rules, hash)
    }

    fn at(
        location: Location,
        database: Option<TestDatabase>,
        rules: Rules,
        hash: HashKind,
    ) -> Self {
        let clock = Arc::new(AtomicI64::new(NOON));
        Self { location, rules, hash, clock, _database: database }
    }

    pub fn clock(&self) -> Clock {
        Clock::Fixed(Arc::clone(&self.clock))
    }

    /// Hashes as the worker does, by a writer of its own.
    pub fn harden(&self) {
        let bench = WriterBench::start(&self.location, &self.rules.vault, self.clock());
        bench.hash_all(self.hash);
        bench.stop();
    }
}

impl Inside<'_> {
    fn apply(&mut self, postback: &Postback) -> Result<String, String> {
        let place = self.place;
        let mut replies =
            transact(self.engine, &place.rules.vault, &[postback], || place.clock().now())
                .map_err(|fault| format!("fault: {fault}"))?;
        let reply = replies
            .pop()
            .ok_or("no reply")?
            .map_err(|fault| format!("fault of the postback: {fault:?}"))?;
        Ok(reply.as_str().to_owned())
    }
}

impl Subject for Inside<'_> {
    fn post(&mut self, body: &str) -> Result<String, String> {
        let place = self.place;
        let fields = Fields::from_urlencoded(body.as_bytes());
        let (postback, _) =
            Postback::read(&fields, &place.rules, Origin::Nats, Some("192.0.2.7".parse().unwrap()));
        if postback.is_check() {
            let reader = open_reader(&place.location).unwrap();
            let outcome =
                DryRun::new(Some(&*reader), &place.rules).next(&postback, place.clock().now());
            return Ok(outcome
                .map_err(|fault| fault.to_string())?
                .record
                .reply
                .as_str()
                .to_owned());
        }
        self.apply(&postback)
    }

    fn post_as_operator(&mut self, body: &str) -> Result<String, String> {
        let fields = Fields::from_urlencoded(body.as_bytes());
        let (postback, _) = Postback::read(&fields, &self.place.rules, Origin::Operator, None);
        self.apply(&postback)
    }

    fn set_clock(&mut self, now: i64, tick: Tick) {
        self.place.clock.store(now, Ordering::SeqCst);
        if tick {
            in_transaction(self.engine, |engine| engine.expire_due(now, usize::MAX).map(|_| ()))
                .unwrap();
        }
    }

    /// Uses the open engine, because a second writer would empty the WAL when it stops.
    fn harden(&mut self) {
        self.put_hashes();
        while open_reader(&self.place.location).unwrap().backlog().unwrap() > 0 {
            self.hash_some(u8::MAX);
            self.put_hashes();
        }
    }

    /// The work of the hash worker between reading the backlog and passing the hashes to the
    /// writer.
    fn hash_some(&mut self, which: u8) {
        let vault = &self.place.rules.vault;
        let mut hasher = Hasher::new(cheap(self.place.hash));
        self.put_hashes();
        let pending = open_reader(&self.place.location).unwrap().pending(8).unwrap();
        for (bit, item) in pending.into_iter().enumerate() {
            if which >> bit & 1 == 0
                || self.hashed.iter().any(|done| done.pending.seal == item.seal)
            {
                continue;
            }
            self.hashed.push(hardened(vault, &mut hasher, item).unwrap());
        }
    }

    /// The work of the hash worker after a login, if another kind of hash is configured.
    fn rehash(&mut self, key: Key, typed: &[&str]) {
        let row = match open_reader(&self.place.location).unwrap().standing(key, i64::MIN).unwrap()
        {
            Standing::Here(row) | Standing::Lapsed(row) => row,
            Standing::Former(former) => former.member,
            Standing::Unknown => return,
        };
        let Stored::Hash(old) = row.credential.stored else { return };
        let kind = if old.is_bcrypt() { HashKind::Argon2id } else { HashKind::Bcrypt };
        let mut hasher = Hasher::new(cheap(kind));
        for typed in typed {
            let rehash = Rehash { key, old: old.clone(), typed: Password::parse(typed).unwrap() };
            self.rehashed.extend(rehashed(&mut hasher, &rehash).unwrap());
        }
    }

    fn put_hashes(&mut self) {
        let (hashed, rehashed) =
            (std::mem::take(&mut self.hashed), std::mem::take(&mut self.rehashed));
        in_transaction(self.engine, |engine| {
            engine.harden(&hashed)?;
            rehashed.iter().try_for_each(|one| engine.rehash(one))
        })
        .unwrap();
    }

    fn location(&self) -> &Location {
        &self.place.location
    }

    fn vault(&self) -> &Vault {
        &self.place.rules.vault
    }
}

pub fn in_transaction(
    engine: &mut dyn Engine,
    work: impl FnOnce(&mut dyn Engine) -> Result<(), Fault>,
) -> Result<(), Fault> {
    engine.begin()?;
    work(engine)?;
    engine.commit()
}

/// The whole service.
pub struct OverHttp {
    pub app: App,
    pub vault: Vault,
}

impl Subject for OverHttp {
    fn post(&mut self, body: &str) -> Result<String, String> {
        Ok(self.app.post(body))
    }

    fn post_as_operator(&mut self, body: &str) -> Result<String, String> {
        Ok(self.app.reply_to_operator(body))
    }

    fn set_clock(&mut self, now: i64, tick: Tick) {
        if tick { self.app.set_unix(now) } else { self.app.set_unix_unnoticed(now) }
    }

    fn harden(&mut self) {
        self.app.harden();
    }

    /// The worker can be interrupted only without HTTP.
    fn hash_some(&mut self, _which: u8) {}

    fn rehash(&mut self, _key: Key, _typed: &[&str]) {}

    fn put_hashes(&mut self) {}

    fn location(&self) -> &Location {
        &self.app.config.location
    }

    fn vault(&self) -> &Vault {
        &self.vault
    }
}
