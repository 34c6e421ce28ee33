//! `member export`: all that is stored of a person, as one JSON object. Of a secret it says only
//! that there is one, and its form.

use std::io::{Write as _, stdout};

use serde_json::{Value, json};

use super::person;
use crate::action::{Recorded, Standing};
use crate::block::LoginName;
use crate::cli::failure::Failure;
use crate::clock::{Clock, format_utc};
use crate::config::Config;
use crate::database;
use crate::identity::Key;
use crate::login_record::LoginRecord;
use crate::member::Member;
use crate::password::Stored;
use crate::personal;
use crate::store::{Fault, JournalFilter, Person, Read, StoredRecord, Traces, pages};

const DAY_SECONDS: i64 = 86_400;

pub(super) fn run(config: &Config, key: Key) -> Result<(), Failure> {
    let reader = database::open(config)?;
    let person = person::find(config, &*reader, key)?;
    let object = all_of(&*reader, &person)?;
    let mut out = stdout().lock();
    serde_json::to_writer_pretty(&mut out, &object).map_err(|error| Failure::of(&error))?;
    Ok(writeln!(out)?)
}

fn all_of(reader: &dyn Read, person: &Person) -> Result<Value, Failure> {
    let (key, now) = (person.key, Clock::System.now());
    let traces = reader.traces_of(person)?;
    let (standing, row) = standing(reader.standing(key, now)?);
    let networks: Vec<Value> = reader
        .networks_of(key)?
        .into_iter()
        .map(|used| {
            json!({
                "network": used.network,
                "first_at": time(used.first_at),
                "last_at": time(used.last_at),
                "country": used.country,
            })
        })
        .collect();
    let sharing = reader.sharing_of(key)?.map(|block| {
        let why = block.why.as_str();
        json!({ "since": time(block.since), "until": time(block.until), "why": why })
    });
    Ok(json!({
        "siteid": key.site.get(),
        "memberid": key.member.get(),
        "exported_at": time(now),
        "standing": standing,
        "row": row,
        "journal": records(reader, key, &traces)?,
        "logins": logins(reader, person)?,
        "logouts": traces.logouts.iter().map(|logout| json!({
            "logged_in_at": logout.of.map(|(_, issued)| time(issued)),
            "kept_until": time(logout.until),
        })).collect::<Vec<_>>(),
        "logins_ended_up_to": traces.logout_before.map(|before| time(before.issued)),
        "last_uses": traces.last_uses.iter().map(|seen| time(seen.at)).collect::<Vec<_>>(),
        "known_networks": traces.known_days.iter().map(|day| json!({
            "network": "stored as a keyed hash",
            "last_login_on": time(day.saturating_mul(DAY_SECONDS)).get(..10),
        })).collect::<Vec<_>>(),
        "networks": networks,
        "sharing": sharing,
        "blocks": blocks(reader, person)?,
    }))
}

fn time(unix: i64) -> String {
    format_utc(unix)
}

fn standing(standing: Standing) -> (&'static str, Option<Value>) {
    match standing {
        Standing::Here(row) => ("member", Some(member(&row))),
        Standing::Lapsed(row) => ("expired", Some(member(&row))),
        Standing::Former(former) => {
            let mut row = member(&former.member);
            row["reason"] = former.reason.as_str().into();
            row["ended_at"] = time(former.ended_at).into();
            ("former member", Some(row))
        }
        Standing::Unknown => ("no member", None),
    }
}

fn member(row: &Member) -> Value {
    let stamp = |value: Option<i64>| value.filter(|&seconds| seconds != 0).map(time);
    json!({
        "username": row.username.as_str(),
        "password": form(&row.credential.stored),
        "cryptpass": row.credential.cryptpass.as_ref().map(|_| "stored, not shown"),
        "former_password": row.before.as_ref().map(form),
        "email": row.email,
        "trial": row.trial,
        "biller": row.biller,
        "session": row.session.map(|_| "stored as a SHA-256 hash, not shown"),
        "joined": stamp(row.joined),
        "expires": stamp(row.expires),
        "expire_at": stamp(row.expire_at),
    })
}

/// The form of a stored password, without the password.
fn form(stored: &Stored) -> &'static str {
    match stored {
        Stored::Sealed(_) => "encrypted, to be hashed; not shown",
        Stored::Hash(hash) if hash.is_bcrypt() => "hashed with bcrypt; not shown",
        Stored::Hash(_) => "hashed with argon2id; not shown",
        Stored::Wrapped(_) => "cryptpass, hashed with argon2id; not shown",
    }
}

/// The records of the memberid, and those that have only the name.
fn records(reader: &dyn Read, key: Key, traces: &Traces) -> Result<Vec<Value>, Failure> {
    let mut all = Vec::new();
    for key in personal::provisional_keys(reader, key)?.into_iter().chain([key]) {
        pages::each_record(reader, &personal::records_of(key), |found| {
            all.push(record(found));
            Ok::<_, Fault>(())
        })?;
    }
    for &id in &traces.unassigned {
        for found in reader.journal_page(&JournalFilter::default(), id - 1, id)? {
            all.push(record(&found.map_err(|unreadable| Failure::of(&unreadable))?));
        }
    }
    all.sort_by_key(|record| record["id"].as_i64());
    Ok(all)
}

fn record(record: &StoredRecord) -> Value {
    let Recorded { credential, session, expire_at, logins_ended, is_stale } = &record.put;
    json!({
        "id": record.id,
        "at": time(record.at),
        "source": record.source,
        "operator": record.operator,
        "address": record.address,
        "action": record.action,
        "username": record.username,
        "fields": record.fields,
        "reply": record.reply,
        "expire_at": expire_at.map(time),
        "password": credential.as_ref().map(|credential| form(&credential.stored)),
        "session": session.map(|_| "stored as a SHA-256 hash, not shown"),
        "logins_ended": logins_ended,
        "stale": is_stale,
    })
}

fn logins(reader: &dyn Read, person: &Person) -> Result<Vec<Value>, Failure> {
    let mut all = reader.last_logins(person.key, u32::MAX)?;
    all.extend(person.logins.iter().cloned());
    all.sort_by_key(|login| login.id);
    Ok(all.iter().map(|login| login_value(&login.record)).collect())
}

fn login_value(login: &LoginRecord) -> Value {
    json!({
        "at": time(login.at),
        "event": login.event.as_str(),
        "way": login.way.as_str(),
        "name": login.name,
        "network": login.network,
    })
}

fn blocks(reader: &dyn Read, person: &Person) -> Result<Vec<Value>, Failure> {
    let mut found = Vec::new();
    pages::each_block(reader, 0, |block, _| {
        if person.blocks.contains(&block.target) {
            found.push(json!({
                "kind": block.target.kind().as_str(),
                "network": block.target.network().map(|network| network.to_string()),
                "username": block.target.name().map(LoginName::as_str),
                "since": time(block.since),
                "until": time(block.until),
            }));
        }
    })?;
    Ok(found)
}
