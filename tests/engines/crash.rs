//! Kills the real program with SIGKILL in the middle of its work, many times on the same data. What
//! was answered must be there completely. What was not answered must be there completely or not at
//! all.
//!
//! Every member belongs to one thread, and a thread sends its next postback after the reply to the
//! last one. So at most one postback of each thread is undecided when the program is killed, and
//! the result of all others is known.
//!
//! `CRASHES=1000 cargo test crash` kills more often, and `.ci/run` does that. `CRASH_SEED=7` gives
//! other random values. On a server half as many are killed.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use nats_userman::action::Standing;
use nats_userman::identity::{Key, MemberId, SiteId};
use nats_userman::member::Member;
use nats_userman::password::{Hash, Password, Seal, Stored, Vault, verify};
use nats_userman::store::{Location, Read, open_reader};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Beside, Caller, Dice, Program, check_database};

pub const CRASHES: usize = 12;
const THREADS: usize = 6;
const MEMBERS_EACH: usize = 12;
/// The program is killed after at most this number of replies to all threads together.
const REPLIES_MAX: usize = 240;
/// Hashed passwords verified after each crash: one takes 25 ms. Sealed ones are all verified.
const HASHES_VERIFIED: usize = 3;
/// Hashes that are verified at the end, when most passwords are hashed.
const HASHES_VERIFIED_AT_THE_END: usize = 60;
const SITE: i64 = 1;

/// The expected state of one member.
#[derive(Clone, Debug, Default, PartialEq)]
enum Expected {
    #[default]
    Unknown,
    Here(Person),
    Former(Person),
}

#[derive(Clone, Debug, PartialEq)]
struct Person {
    name: String,
    password: String,
    email: String,
}

/// One postback.
#[derive(Clone, Debug)]
enum Deed {
    Add(Person),
    Change { name: Option<String>, password: Option<String>, email: Option<String> },
    Delete,
}

impl Deed {
    fn action(&self) -> &'static str {
        match self {
            Deed::Add(_) => "ADD",
            Deed::Change { .. } => "CHANGE",
            Deed::Delete => "DELETE",
        }
    }

    fn body(&self, member: usize) -> String {
        let mut body = format!("action={}&siteid={SITE}&memberid={member}", self.action());
        let mut add = |name: &str, value: &Option<String>| {
            if let Some(value) = value {
                body.push_str(&format!("&{name}={value}"));
            }
        };
        match self.clone() {
            Deed::Add(Person { name, password, email }) => {
                add("username", &Some(name));
                add("password", &Some(password));
                add("email", &Some(email));
            }
            Deed::Change { name, password, email } => {
                add("new_username", &name);
                add("new_password", &password);
                add("new_email", &email);
            }
            Deed::Delete => {}
        }
        body
    }

    /// The expected state after the postback, the first word of its reply, and the password in its
    /// journal record.
    fn effect(&self, before: &Expected) -> (Expected, &'static str, Option<String>) {
        match (self.clone(), before.clone()) {
            (Deed::Add(person), _) => {
                (Expected::Here(person.clone()), "OK|", Some(person.password))
            }
            (Deed::Change { name, password, email }, Expected::Here(old)) => {
                let new = Person {
                    name: name.unwrap_or(old.name),
                    password: password.clone().unwrap_or(old.password),
                    email: email.unwrap_or(old.email),
                };
                (Expected::Here(new), "OK|", password)
            }
            (Deed::Change { .. }, other) => (other, "ERROR|", None),
            (Deed::Delete, Expected::Here(person) | Expected::Former(person)) => {
                (Expected::Former(person), "OK|", None)
            }
            (Deed::Delete, Expected::Unknown) => (Expected::Unknown, "OK|", None),
        }
    }
}

/// A postback whose journal record is to be checked.
#[derive(Debug)]
struct Said {
    member: usize,
    deed: Deed,
    /// `None` if the program was killed before it replied.
    reply: Option<String>,
}

/// One thread: its members and their expected states.
struct Owner {
    members: std::ops::Range<usize>,
    expected: HashMap<usize, Expected>,
    dice: Dice,
    /// A counter for new names, so that none is used twice.
    count: usize,
    /// The postbacks since the journal was last read, in their order.
    said: Vec<Said>,
}

impl Owner {
    fn new(number: usize, seed: u64) -> Self {
        let first = (number + 1) * 1000;
        let dice = Dice(seed.wrapping_mul(31).wrapping_add(number as u64));
        Self {
            members: first..first + MEMBERS_EACH,
            expected: HashMap::new(),
            dice,
            count: 0,
            said: Vec::new(),
        }
    }

    fn expected(&self, member: usize) -> Expected {
        self.expected.get(&member).cloned().unwrap_or_default()
    }

    fn next_deed(&mut self) -> (usize, Deed) {
        if let (Some(last), 0) = (self.said.last(), self.dice.below(8)) {
            return (last.member, last.deed.clone());
        }
        let member = self.members.start + self.dice.below(MEMBERS_EACH);
        self.count += 1;
        let count = self.count;
        let person = Person {
            name: format!("name-{member}-{count}"),
            password: format!("password-{member}-{count}"),
            email: format!("{member}-{count}@example.com"),
        };
        let deed = match self.dice.below(10) {
            0..=3 => Deed::Add(person),
            4..=7 => {
                let mut maybe = |value| (self.dice.below(2) == 0).then_some(value);
                Deed::Change {
                    name: maybe(person.name),
                    password: maybe(person.password),
                    email: maybe(person.email),
                }
            }
            _ => Deed::Delete,
        };
        (member, deed)
    }

    /// Posts until the program is killed. Calls `answered` for each reply.
    fn work(&mut self, address: SocketAddr, answered: impl Fn()) {
        let Ok(mut caller) = Caller::connect(address) else { return };
        loop {
            let (member, deed) = self.next_deed();
            let response = caller.post(&deed.body(member));
            let reply = match &response {
                // On a busy machine a postback may wait too long. It must then have changed
                // nothing.
                Ok(response)
                    if response.status == 503 && response.body.ends_with("nothing was changed") =>
                {
                    continue;
                }
                Ok(response) if response.status == 200 => Some(response.body.clone()),
                Ok(response) => panic!("{response:?}"),
                Err(_) => None,
            };
            let dead = reply.is_none();
            self.said.push(Said { member, deed, reply });
            if dead {
                return;
            }
            answered();
        }
    }

    /// Compares the postbacks since the last check with the journal records of these members, and
    /// updates the expected states.
    fn settle(&mut self, records: &[Record], budget: &mut Budget, vault: &Vault) {
        let mut records = records.iter();
        for Said { member, deed, reply } in std::mem::take(&mut self.said) {
            let (after, word, password) = deed.effect(&self.expected(member));
            let record = match (records.next(), &reply) {
                (Some(record), _) => record,
                (None, None) => continue,
                (None, Some(reply)) => {
                    panic!("acknowledged and not in the journal: {member} {deed:?} {reply}")
                }
            };
            assert_eq!(
                (record.member, record.action.as_str()),
                (member, deed.action()),
                "{record:?} for {deed:?} {reply:?}"
            );
            assert!(record.reply.starts_with(word), "{record:?} for {deed:?}");
            if let Some(reply) = &reply {
                assert_eq!(
                    *reply, record.reply,
                    "the record of {member} {deed:?} has another reply"
                );
            }
            assert_eq!(record.stored.is_some(), password.is_some(), "{record:?} for {deed:?}");
            if let (Some(stored), Some(password)) = (&record.stored, password) {
                assert!(
                    budget.opens(stored, member, vault, &password),
                    "the record of {member} {deed:?} has another password"
                );
            }
            self.expected.insert(member, after);
        }
        assert!(records.next().is_none(), "the journal has a record of what nobody said");
    }

    /// Compares the rows of these members with the expected states.
    fn look(&self, reader: &dyn Read, budget: &mut Budget, vault: &Vault) {
        for member in self.members.clone() {
            let mut compare = |row: &Member, person: &Person| {
                assert_eq!(
                    (row.username.as_str(), row.email.as_deref()),
                    (person.name.as_str(), Some(person.email.as_str()))
                );
                assert!(
                    budget.opens(&row.credential.stored, member, vault, &person.password),
                    "{member}: another password"
                );
            };
            match (reader.standing(key(member), i64::MIN).unwrap(), self.expected(member)) {
                (Standing::Unknown, Expected::Unknown) => {}
                (Standing::Here(found), Expected::Here(person)) => compare(&found, &person),
                (Standing::Former(found), Expected::Former(person)) => {
                    compare(&found.member, &person)
                }
                (found, expected) => {
                    panic!("member {member}: expected {expected:?}, found {found:?}")
                }
            }
        }
    }
}

fn key(member: usize) -> Key {
    let member = MemberId::parse(&member.to_string()).unwrap();
    Key { site: SiteId::parse(&SITE.to_string()).unwrap(), member }
}

/// The number of hashes that may still be verified. A verification takes as long as all the rest of
/// a round.
struct Budget(usize);

impl Budget {
    fn opens(&mut self, stored: &Stored, member: usize, vault: &Vault, password: &str) -> bool {
        let quick = matches!(stored, Stored::Sealed(_));
        if !quick && self.0 == 0 {
            return true;
        }
        self.0 -= usize::from(!quick);
        verify(stored, key(member), vault, &Password::parse(password).unwrap()).unwrap()
    }
}

#[derive(Debug)]
struct Record {
    id: i64,
    member: usize,
    action: String,
    reply: String,
    stored: Option<Stored>,
}

/// The journal from a record on.
fn journal(beside: &Beside, after: i64) -> Vec<Record> {
    // The reply last, as it has a bar of its own.
    let sql = format!(
        "SELECT id, memberid, action, hex(sealed), password, reply FROM journal WHERE id > {after} \
         ORDER BY id"
    );
    let record = |line: &String| {
        let columns: Vec<&str> = line.splitn(6, '|').collect();
        let &[id, member, action, sealed, hash, reply] = &columns[..] else { panic!("{line}") };
        let sealed = (!sealed.is_empty()).then(|| Stored::Sealed(Seal::from_bytes(unhex(sealed))));
        let hash = (!hash.is_empty()).then(|| Stored::Hash(Hash::from_text(hash.to_owned())));
        Record {
            id: id.parse().unwrap(),
            member: member.parse().unwrap(),
            action: action.to_owned(),
            reply: reply.to_owned(),
            stored: sealed.or(hash),
        }
    };
    beside.rows(&sql).iter().map(record).collect()
}

fn unhex(digits: &str) -> Vec<u8> {
    let pairs = (0..digits.len()).step_by(2).map(|at| &digits[at..at + 2]);
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// The expected states of all threads, and the number of the last journal record that was read.
struct Memory {
    owners: Vec<Owner>,
    read_up_to: i64,
}

impl Memory {
    /// Checks everything that must hold for the data after a crash.
    fn check(&mut self, data: &Path, location: &Location, hashes: usize) {
        check_database(location);
        let vault = Vault::load(&data.join("seal.key")).unwrap();
        let reader = open_reader(location).unwrap();
        let (mut of_records, mut of_rows) = (Budget(hashes), Budget(hashes));

        let new = journal(&Beside::open(location), self.read_up_to);
        self.read_up_to = new.last().map_or(self.read_up_to, |record| record.id);
        let mut by_owner: Vec<Vec<Record>> = self.owners.iter().map(|_| Vec::new()).collect();
        for record in new {
            by_owner[record.member / 1000 - 1].push(record);
        }
        for (owner, records) in self.owners.iter_mut().zip(&by_owner) {
            owner.settle(records, &mut of_records, &vault);
            owner.look(&*reader, &mut of_rows, &vault);
        }
    }
}

pub fn number(variable: &str) -> Option<usize> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

pub fn kill_again_and_again(data: &Path, location: &Location, flags: &[&str], crashes: usize) {
    let seed = number("CRASH_SEED").unwrap_or(1) as u64;
    eprintln!("{crashes} kills, CRASH_SEED={seed}");
    let mut dice = Dice(seed);
    let owners = (0..THREADS).map(|number| Owner::new(number, seed)).collect();
    let mut memory = Memory { owners, read_up_to: 0 };
    let (mut acknowledged, mut undecided) = (0, 0);

    for round in 0..crashes {
        let mut program = Program::serve(data, flags);
        // After the restart, with the data that the crash left.
        memory.check(data, location, HASHES_VERIFIED);
        let pid = Pid::from_child(&program.child);
        let (last_reply, turns) = (1 + dice.below(REPLIES_MAX), dice.below(400));
        let replies = AtomicUsize::new(0);
        let kill = || {
            // The thread that gets this reply kills the program. The others are somewhere in their
            // next postbacks.
            if replies.fetch_add(1, Ordering::SeqCst) + 1 == last_reply {
                (0..turns).for_each(|_| std::thread::yield_now());
                kill_process(pid, Signal::KILL).unwrap();
            }
        };
        std::thread::scope(|scope| {
            for owner in &mut memory.owners {
                let kill = &kill;
                scope.spawn(move || owner.work(program.address, kill));
            }
        });
        assert!(!program.child.wait().unwrap().success());
        assert!(!program.stderr().contains("panicked"), "round {round}:\n{}", program.stderr());
        acknowledged += replies.into_inner();
        undecided += memory
            .owners
            .iter()
            .filter(|owner| owner.said.last().is_some_and(|said| said.reply.is_none()))
            .count();
    }

    let mut program = Program::serve(data, flags);
    memory.check(data, location, HASHES_VERIFIED_AT_THE_END);
    assert!(program.terminate().success());
    memory.check(data, location, 0);
    assert!(undecided > 0, "no kill came in the middle of anything: this run has shown nothing");
    eprintln!(
        "{acknowledged} postbacks acknowledged, {undecided} undecided, {} recorded",
        memory.read_up_to
    );
}
