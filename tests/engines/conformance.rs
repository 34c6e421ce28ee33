//! The promises of every engine of the store, tested through `Engine` and `Read` alone, on each of
//! [`crate::ENGINES`].

mod forgetting;
mod journal;
pub mod members;
mod operators;
mod reading;
mod searching;
mod table_rows;
pub mod transactions;
mod visitors;

use nats_userman::action::{Change, Recorded, Standing};
use nats_userman::fields::Fields;
use nats_userman::identity::{Key, MemberId, SiteId, Username};
use nats_userman::journal::{Origin, Received, Record};
use nats_userman::member::{Credential, Member};
use nats_userman::password::{Hash, Stored};
use nats_userman::reply::Reply;
use nats_userman::store::{
    Engine, Fault, Location, Outcome, Read, Spent, View, Wanted, open_reader, with_engine,
};

use crate::ENGINES;
use crate::support::{EngineKind, NOON, TestDatabase};

/// A database of one engine.
pub struct Database {
    pub location: Location,
    _removed_in_the_end: TestDatabase,
}

/// Runs a story on every engine.
pub fn on_every_engine(story: impl Fn(&Database)) {
    ENGINES.into_iter().for_each(|engine| on_engine(engine, &story));
}

/// Runs a story on this engine, as far as it is installed.
pub fn on_engine(engine: EngineKind, story: impl Fn(&Database)) {
    eprintln!("engine {engine:?}");
    let Some(database) = TestDatabase::new(engine) else { return };
    story(&Database::new(database));
}

impl Database {
    /// Makes its tables.
    pub fn new(database: TestDatabase) -> Self {
        let location = database.location();
        with_engine(&location, true, |_| ()).unwrap();
        Self { location, _removed_in_the_end: database }
    }

    /// Runs `work` with the engine, outside of a transaction.
    pub fn with<T>(&self, work: impl FnOnce(&mut dyn Engine) -> T) -> T {
        with_engine(&self.location, false, work).unwrap()
    }

    /// Runs `work` in a transaction, and commits it.
    pub fn commit<T>(&self, work: impl FnOnce(&mut dyn Engine) -> Result<T, Fault>) -> T {
        self.with(|engine| {
            engine.begin().unwrap();
            let done = work(engine).unwrap();
            engine.commit().unwrap();
            done
        })
    }

    /// Saves changes, each with a record of a DELETE, which has the fewest columns.
    pub fn save(&self, changes: Vec<Change>) {
        self.commit(|engine| save(engine, changes));
    }

    pub fn read(&self) -> Box<dyn Read> {
        open_reader(&self.location).unwrap()
    }

    pub fn standing(&self, member: &Member) -> Standing {
        self.read().standing(member.key, NOON).unwrap()
    }
}

pub fn received(text: &str) -> Received {
    Received::new(&Fields::from_urlencoded(text.as_bytes()), Origin::Nats, None)
}

pub fn record(received: &Received, at: i64, reply: Reply) -> Record<'_> {
    Record { at, received, moved_until: None, reply, put: Recorded::default() }
}

/// Saves changes in the open transaction.
pub fn save(engine: &mut dyn Engine, changes: Vec<Change>) -> Result<(), Fault> {
    let received = received("action=DELETE&siteid=1&memberid=71");
    let outcome =
        |change| Outcome { change, record: record(&received, NOON, ok()), taken_over: None };
    engine.save(&changes.into_iter().map(outcome).collect::<Vec<_>>())
}

pub fn ok() -> Reply {
    Reply::ok("done")
}

pub fn key(site: i64, member: i64) -> Key {
    Key {
        site: SiteId::parse(&site.to_string()).unwrap(),
        member: MemberId::parse(&member.to_string()).unwrap(),
    }
}

pub fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

pub fn hash(text: &str) -> Stored {
    Stored::Hash(Hash::from_text(format!("$argon2id$v=19$m=8,t=1,p=1${text}")))
}

/// A member with something in every column that a postback fills.
pub fn member(site: i64, id: i64, username: &str) -> Member {
    Member {
        key: key(site, id),
        username: name(username),
        holds_folded: true,
        credential: Credential { stored: hash("first"), cryptpass: None },
        before: None,
        email: Some(format!("{id}@example.com")),
        trial: id % 2 == 0,
        biller: Some("NETBILLING:1".to_owned()),
        session: None,
        joined: Some(NOON - 86_400),
        expires: Some(NOON + 86_400),
        expire_at: None,
        stamp: Some(NOON - id),
        login_version: 1,
    }
}

/// All that a batch loads about these members and names at NOON.
pub fn loaded(engine: &mut dyn Engine, keys: &[Key], names: &[(i64, &str)]) -> View {
    let mut wanted = Wanted::default();
    wanted.keys.extend(keys);
    let names: Vec<_> = names.iter().map(|&(site, text)| (key(site, 1).site, name(text))).collect();
    wanted.names.extend(names.iter().map(|(site, name)| (*site, name)));
    let mut view = View::default();
    engine.load(&wanted, &mut view, NOON.into()).unwrap();
    view
}

/// Limits by which everything has expired that happened at or before `until`.
pub fn spent(until: i64) -> Spent {
    Spent { now: until, issued: until, forgotten: until, seen: until, recorded: until, used: until }
}
