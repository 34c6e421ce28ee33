//! Rows as bytes that are the same whichever engine has them, and the hash of many.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::login_record::StoredLogin;
use crate::member::{Credential, Member};
use crate::operator::Operator;
use crate::password::Stored;
use crate::shared_use::{MemberNetwork, SharingBlock};
use crate::store::{KnownNetwork, Logout, LogoutBefore, Seen, StoredRecord, TableRow};

/// SHA-256, which is shown in hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sha256Hash([u8; 32]);

impl fmt::Display for Sha256Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Counts and hashes rows.
#[derive(Default)]
pub(super) struct Digest {
    rows: u64,
    hash: Sha256,
}

impl Digest {
    pub(super) fn add(&mut self, row: &TableRow) {
        let bytes = encoded(row);
        self.rows += 1;
        self.hash.update((bytes.len() as u64).to_be_bytes());
        self.hash.update(bytes);
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn finish(self) -> Sha256Hash {
        Sha256Hash(self.hash.finalize().into())
    }
}

/// A row as bytes: different rows of one table have different bytes.
pub(super) fn encoded(row: &TableRow) -> Vec<u8> {
    let mut bytes = Bytes::default();
    match row {
        TableRow::Member(row) => {
            bytes.member(row);
            bytes.number(row.expire_at);
            bytes.flag(row.holds_folded);
        }
        TableRow::Former(row) => {
            bytes.member(&row.member);
            bytes.text(Some(row.reason.as_str()));
            bytes.number(Some(row.ended_at));
        }
        TableRow::Record(record) => bytes.record(record),
        TableRow::Logout(Logout { id, until, of }) => {
            bytes.bytes(Some(id));
            let of = of.map(|(key, issued)| (key.site.get(), key.member.get(), issued));
            bytes.numbers([
                Some(*until),
                of.map(|(site, ..)| site),
                of.map(|(_, member, _)| member),
                of.map(|(.., issued)| issued),
            ]);
        }
        TableRow::LogoutBefore(LogoutBefore { key, issued, login_version }) => {
            let numbers = [key.site.get(), key.member.get(), *issued, *login_version];
            bytes.numbers(numbers.map(Some));
        }
        TableRow::LastUse(Seen { key, id, at }) => {
            bytes.numbers([key.site.get(), key.member.get(), *at].map(Some));
            bytes.bytes(Some(id));
        }
        TableRow::KnownNetwork(KnownNetwork { id, day }) => {
            bytes.bytes(Some(&id.member));
            bytes.bytes(Some(&id.network));
            bytes.number(Some(*day));
        }
        TableRow::Block(block) => {
            let target = &block.target;
            bytes.text(Some(target.kind().as_str()));
            bytes.text(target.network().map(|network| network.to_string()).as_deref());
            bytes.text(target.name().map(|name| name.as_str()));
            bytes.numbers([block.since, block.until].map(Some));
        }
        TableRow::Login(StoredLogin { id, record }) => {
            let member = record.member.map(|member| member.get());
            bytes.numbers([Some(*id), Some(record.at), Some(record.site.get()), member]);
            bytes.text(Some(record.event.as_str()));
            bytes.text(Some(record.way.as_str()));
            bytes.text(record.name.as_deref());
            bytes.text(Some(&record.network));
        }
        TableRow::MemberNetwork(row) => {
            let MemberNetwork { key, network, first_at, last_at, country } = row;
            bytes.numbers([key.site.get(), key.member.get(), *first_at, *last_at].map(Some));
            bytes.text(Some(network));
            bytes.text(country.as_deref());
        }
        TableRow::SharingBlock(SharingBlock { key, since, until, why }) => {
            bytes.numbers([key.site.get(), key.member.get(), *since, *until].map(Some));
            bytes.text(Some(why.as_str()));
        }
        TableRow::Operator(Operator { name, role, hash, created_at, changed_at }) => {
            bytes.text(Some(name.as_str()));
            bytes.text(Some(role.as_str()));
            bytes.text(Some(hash.as_str()));
            bytes.numbers([*created_at, *changed_at].map(Some));
        }
    }
    bytes.0
}

/// Values with their lengths, one behind the other.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    /// 0 for none, else 1, the length and the bytes.
    fn bytes(&mut self, value: Option<&[u8]>) {
        self.0.push(u8::from(value.is_some()));
        if let Some(value) = value {
            self.0.extend((value.len() as u64).to_be_bytes());
            self.0.extend(value);
        }
    }

    fn text(&mut self, value: Option<&str>) {
        self.bytes(value.map(str::as_bytes));
    }

    fn number(&mut self, value: Option<i64>) {
        self.bytes(value.map(i64::to_be_bytes).as_ref().map(|bytes| &bytes[..]));
    }

    fn numbers<const N: usize>(&mut self, values: [Option<i64>; N]) {
        values.into_iter().for_each(|value| self.number(value));
    }

    fn flag(&mut self, value: bool) {
        self.number(Some(i64::from(value)));
    }

    fn form(&mut self, form: Option<&Stored>) {
        match form {
            None => self.0.push(0),
            Some(Stored::Hash(hash)) => {
                self.0.push(1);
                self.text(Some(hash.as_str()));
            }
            Some(Stored::Sealed(seal)) => {
                self.0.push(2);
                self.bytes(Some(seal.as_bytes()));
            }
            Some(Stored::Wrapped(wrapped)) => {
                self.0.push(3);
                self.text(Some(wrapped.as_str()));
            }
        }
    }

    fn credential(&mut self, credential: Option<&Credential>) {
        self.form(credential.map(|credential| &credential.stored));
        let kept = credential.and_then(|credential| credential.cryptpass.as_ref());
        self.text(kept.map(|kept| kept.expose()));
    }

    /// What both tables of members have.
    fn member(&mut self, row: &Member) {
        self.numbers([Some(row.key.site.get()), Some(row.key.member.get())]);
        self.text(Some(row.username.as_str()));
        self.credential(Some(&row.credential));
        self.form(row.before.as_ref());
        self.text(row.email.as_deref());
        self.flag(row.trial);
        self.text(row.biller.as_deref());
        self.bytes(row.session.as_ref().map(|hash| &hash.0[..]));
        self.numbers([row.joined, row.expires, row.stamp, Some(row.login_version)]);
    }

    fn record(&mut self, record: &StoredRecord) {
        self.numbers([Some(record.id), Some(record.at)]);
        self.text(Some(&record.source));
        self.text(record.address.as_deref());
        self.text(record.action.as_deref());
        self.numbers([record.siteid, record.memberid]);
        self.text(record.username.as_deref());
        self.text(Some(&record.fields));
        self.text(Some(&record.reply));
        self.number(record.moved_until);
        self.text(record.operator.as_deref());
        self.credential(record.put.credential.as_ref());
        self.bytes(record.put.session.as_ref().map(|hash| &hash.0[..]));
        self.number(record.put.expire_at);
        self.flag(record.put.logins_ended);
        self.flag(record.put.is_stale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Key, MemberId, SiteId};
    use crate::store::KnownId;

    fn logout(until: i64, of: Option<(Key, i64)>) -> TableRow {
        TableRow::Logout(Logout { id: [1; 16], until, of })
    }

    #[test]
    fn different_rows_have_different_bytes_and_the_order_of_rows_counts() {
        let id = |text: &str| (SiteId::parse(text).unwrap(), MemberId::parse(text).unwrap());
        let key = |site: &str, member: &str| Key { site: id(site).0, member: id(member).1 };
        let known = |member, network, day| {
            let id = KnownId { member: [member; 16], network: [network; 16] };
            TableRow::KnownNetwork(KnownNetwork { id, day })
        };
        let rows = [
            logout(1, None),
            logout(2, None),
            logout(1, Some((key("1", "2"), 3))),
            logout(1, Some((key("2", "1"), 3))),
            known(1, 2, 3),
            known(2, 1, 3),
            known(1, 2, 4),
        ];
        let distinct: std::collections::HashSet<_> = rows.iter().map(encoded).collect();
        assert_eq!(distinct.len(), rows.len());
        let hash = |rows: &[&TableRow]| {
            let mut digest = Digest::default();
            rows.iter().for_each(|row| digest.add(row));
            (digest.rows(), digest.finish())
        };
        let [one, other, ..] = &rows;
        assert_ne!(hash(&[one, other]), hash(&[other, one]));
        assert_eq!(hash(&[one, other]), hash(&[one, other]));
        assert_eq!(
            hash(&[]).1.to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
