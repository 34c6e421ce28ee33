//! What is stored of one person: finds it, and removes it.
//!
//! Rows and journal records are found by siteid and memberid. Records of failed logins, blocks, and
//! postbacks without a readable memberid have only a name, or an e-mail address that was typed in
//! its place. They count if no other member has it.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use crate::action::{Recorded, Standing};
use crate::apply::{PROVISIONAL, in_transaction};
use crate::block::{LoginName, Target};
use crate::clock::Moment;
use crate::fields::Fields;
use crate::identity::{Key, MemberId, Username};
use crate::journal::Record;
use crate::key_file::ring::Ring;
use crate::login::known::KnownNetworks;
use crate::login_record::StoredLogin;
use crate::replay::operator_received;
use crate::reply::Reply;
use crate::store::{
    Engine, Fault, FindBy, Forgotten, JournalFilter, Person, Read, Table, TableRow, pages,
};

/// How often a removal is run again because another receiver has written a record of the member at
/// the same moment.
const RERUNS_MAX: u32 = 3;
/// How often the lock of the database is tried. One try waits 400 ms, and a busy service has the
/// lock most of the time.
const LOCK_TRIES: u32 = 25;

/// The parameters of a record that have names of the member.
const NAME_PARAMETERS: [&str; 2] = ["username", "new_username"];
/// The parameters that have their e-mail addresses, which may be typed in place of a name.
const ADDRESS_PARAMETERS: [&str; 2] = ["email", "new_email"];

/// Finds what is stored of a member. `keys` are those of the hashes of known networks. `read` is
/// called with the number of recorded logins that were read, of which there may be millions.
///
/// # Errors
///
/// If the database cannot be read.
pub fn find(
    reader: &dyn Read,
    key: Key,
    keys: Option<&Ring<Zeroizing<[u8; 32]>>>,
    mut read: impl FnMut(u64),
) -> Result<Person, Fault> {
    let names = own_names(reader, key)?;
    let logins = match names.is_empty() {
        true => Vec::new(),
        false => logins_without_member(reader, &names, &mut read)?,
    };
    let known = keys.map(|keys| KnownNetworks::new(keys).member_ids(key)).unwrap_or_default();
    Ok(Person { key, known, blocks: blocks(reader, &names)?, logins, names })
}

/// The folded names and e-mail addresses that this member has or had, without those that another
/// member has.
fn own_names(reader: &dyn Read, key: Key) -> Result<BTreeSet<String>, Fault> {
    let (mut names, mut addresses) = (BTreeSet::<String>::new(), BTreeSet::<String>::new());
    // Whether the expiry is reached does not matter.
    let row = match reader.standing(key, i64::MIN)? {
        Standing::Here(row) | Standing::Lapsed(row) => Some(row),
        Standing::Former(former) => Some(former.member),
        Standing::Unknown => None,
    };
    if let Some(row) = row {
        names.insert(row.username.as_str().to_owned());
        addresses.extend(row.email);
    }
    pages::each_record_or_unreadable(reader, &records_of(key), |found| {
        // A record that cannot be read is removed too. Its names are not known.
        let Ok(record) = found else { return Ok::<_, Fault>(()) };
        let fields = Fields::from_urlencoded(record.fields.as_bytes());
        let given = NAME_PARAMETERS.iter().filter_map(|name| fields.get(name));
        names.extend(given.chain(record.username.as_deref()).map(str::to_owned));
        let given = ADDRESS_PARAMETERS.iter().filter_map(|name| fields.get(name));
        addresses.extend(given.map(str::to_owned));
        Ok(())
    })?;
    let others = |by: FindBy<'_>| -> Result<bool, Fault> {
        Ok(reader.find(by, 2)?.iter().any(|&holder| holder != key))
    };
    for address in addresses.into_iter().filter(|address| address.contains('@')) {
        if !others(FindBy::Email(&address))? {
            names.insert(address);
        }
    }
    let mut own = BTreeSet::new();
    for name in names.iter().filter_map(|name| Username::typed(name)) {
        if !name.folded().is_empty() && !others(FindBy::Name(&name))? {
            own.insert(name.folded().to_owned());
        }
    }
    Ok(own)
}

/// The provisional memberids that this member had before NATS named them. Their records are of the
/// same person.
///
/// # Errors
///
/// If the database cannot be read.
pub fn provisional_keys(reader: &dyn Read, key: Key) -> Result<Vec<Key>, Fault> {
    let mut found = BTreeSet::new();
    pages::each_record_or_unreadable(reader, &records_of(key), |record| {
        let Ok(record) = record else { return Ok::<_, Fault>(()) };
        let of_provisional = record.reply.split(PROVISIONAL).skip(1);
        let numbers = of_provisional.filter_map(|rest| {
            MemberId::parse(rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default())
        });
        found.extend(numbers.filter(|member| member.is_provisional()));
        Ok(())
    })?;
    Ok(found.into_iter().map(|member| Key { member, ..key }).collect())
}

/// Selects the records of this member.
pub fn records_of(key: Key) -> JournalFilter {
    JournalFilter {
        site: Some(key.site.get()),
        member: Some(key.member.get()),
        ..JournalFilter::default()
    }
}

fn blocks(reader: &dyn Read, names: &BTreeSet<String>) -> Result<Vec<Target>, Fault> {
    let mut found = Vec::new();
    // Also those that have ended and whose rows are still there.
    pages::each_block(reader, 0, |block, _| {
        if block.target.name().is_some_and(|name| names.contains(name.as_str())) {
            found.push(block.target);
        }
    })?;
    Ok(found)
}

fn logins_without_member(
    reader: &dyn Read,
    names: &BTreeSet<String>,
    read: &mut impl FnMut(u64),
) -> Result<Vec<StoredLogin>, Fault> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = reader.rows_page(Table::Logins, after.as_ref())?;
        read(page.len() as u64);
        for row in &page {
            if let TableRow::Login(login) = row
                && login.record.member.is_none()
                && let Some(name) = &login.record.name
                && names.contains(LoginName::new(name).as_str())
            {
                found.push(login.clone());
            }
        }
        after = page.into_iter().next_back();
        if after.is_none() {
            return Ok(found);
        }
    }
}

/// Removes all that is stored of a person, in one transaction. A record that names nobody says in
/// the journal that it happened. If nothing is stored, nothing is written.
///
/// # Errors
///
/// If the database cannot be written. Then everything is still there, unless the outcome of the
/// commit is unknown.
pub fn forget(
    engine: &mut dyn Engine,
    person: &Person,
    now: impl Fn() -> Moment,
) -> Result<Forgotten, Fault> {
    let site = person.key.site.to_string();
    let received = operator_received(&[("action", "FORGET"), ("siteid", &site)]);
    let removal = |engine: &mut dyn Engine| {
        let moment = now();
        let record = Record {
            at: moment.now,
            received: &received,
            moved_until: None,
            reply: Reply::ok(format_args!("a member of site {site} was forgotten")),
            put: Recorded::default(),
        };
        engine.forget(person, &record, moment.now)
    };
    let mut reruns = 0;
    loop {
        match when_unlocked(engine, removal) {
            Err(fault) if fault.is_of_one_row() && reruns < RERUNS_MAX => reruns += 1,
            done => return done,
        }
    }
}

/// Runs work in a transaction, as soon as no other process has the lock of the database.
fn when_unlocked(
    engine: &mut dyn Engine,
    work: impl Fn(&mut dyn Engine) -> Result<Forgotten, Fault>,
) -> Result<Forgotten, Fault> {
    let mut tries = 1;
    loop {
        match in_transaction(engine, &work) {
            Err(Fault::Busy(_)) if tries < LOCK_TRIES => tries += 1,
            done => return done,
        }
    }
}

/// Removes what a running service had still to write of the person when they were forgotten: last
/// uses of logins, networks, and the blocks and failed logins since the search. Does nothing if the
/// person has become a member again.
///
/// # Errors
///
/// If the database cannot be read or written.
pub fn forget_late_notes(
    engine: &mut dyn Engine,
    reader: &dyn Read,
    person: &Person,
) -> Result<Forgotten, Fault> {
    match reader.standing(person.key, i64::MIN)? {
        Standing::Unknown => {
            let blocks = blocks(reader, &person.names)?;
            let logins = logins_without_member(reader, &person.names, &mut |_| ())?;
            let (key, names, known) = (person.key, person.names.clone(), person.known.clone());
            let person = Person { key, names, known, blocks, logins };
            when_unlocked(engine, |engine| engine.forget_notes(&person))
        }
        Standing::Here(_) | Standing::Lapsed(_) | Standing::Former(_) => Ok(Forgotten::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::losing::{NOON, Scene, postback};
    use crate::apply::transact;
    use crate::identity::{MemberId, SiteId};
    use crate::store::open_reader;

    /// Bob (71) and ann (72).
    fn scene() -> (Scene, Person) {
        let scene = Scene::new();
        let all = ["71&username=bob", "72&username=ann"]
            .map(|who| postback(&format!("action=ADD&siteid=1&memberid={who}&password=secret")));
        let all: Vec<_> = all.iter().collect();
        scene.with_losing(
            |_| (),
            |losing| drop(transact(losing, &scene.vault, &all, || NOON).unwrap()),
        );
        let key = Key { site: SiteId::parse("1").unwrap(), member: MemberId::parse("71").unwrap() };
        let reader = open_reader(&scene.location).unwrap();
        let person = find(&*reader, key, None, |_| ()).unwrap();
        (scene, person)
    }

    /// What is stored, without the random part of seals.
    fn content(scene: &Scene) -> Vec<String> {
        let cut = |row: String| row.split("credential").next().unwrap().to_owned();
        scene.content().into_iter().map(cut).collect()
    }

    #[test]
    fn a_removal_whose_transaction_is_lost_at_any_step_ends_as_one_run_would() {
        let (scene, person) = scene();
        let before = content(&scene);
        let (gone, steps) = scene.with_losing(
            |_| (),
            |losing| (forget(losing, &person, || NOON.into()).unwrap(), losing.steps),
        );
        assert_eq!((gone.rows, gone.records, steps), (1, 1, 3), "begin, forget, commit");
        let after = content(&scene);
        assert_ne!(before, after);
        for step in 0..steps {
            let (scene, person) = self::scene();
            let found = scene.with_losing(
                |losing| losing.lost_at = [step].into(),
                |losing| forget(losing, &person, || NOON.into()).unwrap(),
            );
            assert_eq!(found, gone, "lost at step {step}");
            assert_eq!(content(&scene), after, "lost at step {step}");
        }
        for first in 0..steps {
            let (scene, person) = self::scene();
            let done = scene.with_losing(
                |losing| losing.lost_from = Some(first),
                |losing| forget(losing, &person, || NOON.into()),
            );
            assert_eq!(done.unwrap_err().to_string(), "the transaction was lost");
            assert_eq!(content(&scene), before, "lost from step {first} on");
        }
    }
}
