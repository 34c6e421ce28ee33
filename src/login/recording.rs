//! Puts logins into the record. No request waits for this: the rows are notes in the writer's queue
//! for notes.

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

use super::area::ThreadArea;
use super::basic::Typed;
use super::pseudonym::TypedName;
use crate::block::Network;
use crate::identity::{Key, SiteId, Username};
use crate::login_record::{LoginEvent, LoginRecord, LoginWay};
use crate::store::{FindBy, LoginRow, Note, Read};

/// The most former members with one name for whom a failed login is recorded.
const FORMER_MAX: u32 = 16;

/// A login that did not succeed.
pub(super) struct Failure<'a> {
    pub(super) way: LoginWay,
    /// The sites whose members were allowed; never empty.
    pub(super) sites: &'a [SiteId],
    pub(super) typed: &'a Typed,
    pub(super) typed_name: &'a TypedName<'a>,
    pub(super) network: Network,
}

/// The members who have a name.
pub(super) enum Meant {
    /// These members, and whether any member or former member has the name.
    Known(Vec<Key>, bool),
    /// The rows were not read.
    Unread,
}

impl ThreadArea {
    /// Records that a member logged in.
    pub fn record_login(&self, way: LoginWay, row: &LoginRow, network: Network) {
        let name = Some(row.username.to_string());
        self.record_of_member(LoginEvent::Login, way, row.key, name, network);
    }

    /// Records that a member logged out.
    pub fn record_logout(&self, member: Key, network: Network) {
        if !self.shared.history.takes_logout(member, self.clock.steady()) {
            return;
        }
        self.record_of_member(LoginEvent::Logout, LoginWay::Page, member, None, network);
    }

    fn record_of_member(
        &self,
        event: LoginEvent,
        way: LoginWay,
        member: Key,
        name: Option<String>,
        network: Network,
    ) {
        self.write_record(LoginRecord {
            at: self.clock.now(),
            event,
            way,
            site: member.site,
            member: Some(member.member),
            name,
            network: network.to_string(),
        });
    }

    /// Records a failed login, unless there are too many. A name that nobody has is not recorded,
    /// because it may be a password.
    ///
    /// The future is boxed: without that, every check would carry the room that a failure needs.
    pub(super) fn record_failure<'a>(
        &'a self,
        failure: &'a Failure<'_>,
        event: LoginEvent,
        meant: Meant,
    ) -> LocalBoxFuture<'a, ()> {
        self.record_failure_unboxed(failure, event, meant).boxed_local()
    }

    async fn record_failure_unboxed(&self, failure: &Failure<'_>, event: LoginEvent, meant: Meant) {
        let Failure { way, sites, typed, typed_name, network } = *failure;
        let secret = self.shared.remembered.secret(&typed.password);
        let (history, steady) = (&self.shared.history, self.clock.steady());
        if !history.takes_failure(event, typed_name.plain(), network, secret, steady) {
            return;
        }
        let (members, is_taken) = match meant {
            Meant::Known(members, is_taken) => (members, is_taken),
            Meant::Unread => {
                let now = self.clock.now();
                let Ok(rows) = self.members.logins_by_name(sites, &typed.name, now).await else {
                    return;
                };
                let name = typed.name.clone();
                let is_taken = self.members.read(move |reader| reader.is_name_known(&name)).await;
                (rows.iter().map(|row| row.key).collect(), is_taken.unwrap_or(false))
            }
        };
        let Some(&first) = sites.first() else { return };
        let name = typed_name.shown(is_taken || !members.is_empty()).as_str().to_owned();
        let of = |site, member| LoginRecord {
            at: self.clock.now(),
            event,
            way,
            site,
            member,
            name: Some(name.clone()),
            network: network.to_string(),
        };
        let mut keys = members;
        if keys.is_empty() && is_taken {
            keys = self.former_members(sites, &typed.name).await;
        }
        if keys.is_empty() {
            self.write_record(of(first, None));
        }
        for key in keys {
            self.write_record(of(key.site, Some(key.member)));
        }
    }

    /// The former members of the sites with this name, as far as they can be read.
    async fn former_members(&self, sites: &[SiteId], name: &Username) -> Vec<Key> {
        let name = name.clone();
        let found = move |reader: &dyn Read| reader.find(FindBy::Name(&name), FORMER_MAX);
        let mut keys = self.members.read(found).await.unwrap_or_default();
        keys.retain(|key| sites.contains(&key.site));
        keys
    }

    fn write_record(&self, record: LoginRecord) {
        let history = &self.shared.history;
        if history.is_on() && !self.writer.note(Note::Login(record)) {
            history.was_lost();
        }
    }
}
