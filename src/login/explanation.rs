//! Explains in one sentence whether a member is admitted now, and if not, why.

use crate::action::Standing;
use crate::block::{Block, LoginName, Network, Target};
use crate::clock::format_utc;
use crate::login_record::{LoginEvent, LoginRecord, StoredLogin};
use crate::member::{Former, Reason};
use crate::password::Stored;
use crate::shared_use::SharingBlock;

/// What is known about a member.
#[derive(Debug)]
pub struct MemberFacts<'a> {
    /// Whether they are a member, a former member or unknown.
    pub standing: &'a Standing,
    /// Their last logins, the newest first.
    pub logins: &'a [StoredLogin],
    /// The current blocks for wrong passwords whose name is theirs or their e-mail address, and
    /// those of whole networks that are to be told.
    pub blocks: &'a [Block],
    /// When they last counted as shared.
    pub sharing: Option<SharingBlock>,
    /// Unix seconds.
    pub now: i64,
}

/// Whether they are admitted, and if not, why: the first cause that applies, the strongest first.
enum Cause<'a> {
    NoMember,
    Former(&'a Former),
    Lapsed(Option<i64>),
    Shared(SharingBlock),
    /// Of the name in one network.
    BlockedIn(&'a Network, i64),
    /// Of every name in one network.
    NetworkBlocked(&'a Network, i64),
    /// Of the name in networks from which they have not logged in before.
    NameBlocked(i64),
    /// Of their e-mail address, typed in place of the name.
    AddressBlocked(i64),
    Unhashed,
    Tried(&'a StoredLogin),
    None,
}

/// The sentence for a command: in UTC, without its subject and without a full stop.
pub fn explain(facts: &MemberFacts<'_>) -> String {
    match cause(facts) {
        Cause::NoMember => "was never a member".into(),
        Cause::Former(former) => {
            let (reason, when) = (former.reason.as_str(), format_utc(former.ended_at));
            format!("{reason} at {when}, may not log in")
        }
        Cause::Lapsed(Some(at)) => format!("expired at {}, may not log in", format_utc(at)),
        Cause::Lapsed(None) => "expired, may not log in".into(),
        here => predicate(&here, "is", &format_utc),
    }
}

/// The sentence for a page, whole. `time` writes an instant.
pub fn explain_whole(facts: &MemberFacts<'_>, time: &dyn Fn(i64) -> String) -> String {
    match cause(facts) {
        Cause::NoMember => "They were never a member of this site.".into(),
        Cause::Former(former) => {
            let ended = match former.reason {
                Reason::Deleted => "were deleted",
                Reason::Expired => "expired",
            };
            format!("They {ended} on {} and cannot log in.", time(former.ended_at))
        }
        Cause::Lapsed(Some(at)) => format!("They expired on {} and cannot log in.", time(at)),
        Cause::Lapsed(None) => "They expired and cannot log in.".into(),
        here => format!("They {}.", predicate(&here, "are", time)),
    }
}

/// What is said of a member. `is` is the verb for the subject of the sentence.
fn predicate(cause: &Cause<'_>, is: &str, time: &dyn Fn(i64) -> String) -> String {
    match cause {
        Cause::Shared(block) => {
            let (until, why) = (time(block.until), block.why.sentence());
            format!("{is} blocked until {until} because of sharing: {why}")
        }
        Cause::BlockedIn(network, until) => format!(
            "{is} blocked until {} from {network}, because of wrong passwords, and may log in from \
             elsewhere",
            time(*until)
        ),
        Cause::NetworkBlocked(network, until) => format!(
            "cannot log in from {network} until {}, because too many wrong passwords came from \
             that network; from elsewhere they can",
            time(*until)
        ),
        Cause::NameBlocked(until) => format!(
            "{is} blocked until {}, because of wrong passwords, but in networks from which they \
             have logged in before",
            time(*until)
        ),
        Cause::AddressBlocked(until) => format!(
            "may log in with their username, but until {} not everywhere with their e-mail \
             address, because of wrong passwords",
            time(*until)
        ),
        Cause::Unhashed => "may log in; the password is not hashed yet, so an Apache that reads \
                            the table refuses it"
            .into(),
        Cause::Tried(login) => tried(&login.record, time),
        Cause::NoMember | Cause::Former(_) | Cause::Lapsed(_) | Cause::None => "may log in".into(),
    }
}

fn tried(last: &LoginRecord, time: &dyn Fn(i64) -> String) -> String {
    let (when, network) = (time(last.at), &last.network);
    match last.event {
        LoginEvent::Wrong => {
            format!("may log in; a wrong password was tried at {when} from {network}")
        }
        LoginEvent::Trial => format!(
            "may log in, but not where only full members get in: they are on trial, and tried it \
             at {when}"
        ),
        LoginEvent::Logout => format!("may log in; they logged out at {when}"),
        // An ended block, or a login, blocks nobody.
        LoginEvent::Login | LoginEvent::Unknown | LoginEvent::Blocked | LoginEvent::Shared => {
            "may log in".into()
        }
    }
}

fn cause<'a>(facts: &MemberFacts<'a>) -> Cause<'a> {
    let row = match facts.standing {
        Standing::Unknown => return Cause::NoMember,
        Standing::Former(former) => return Cause::Former(former),
        Standing::Lapsed(row) => return Cause::Lapsed(row.expire_at),
        Standing::Here(row) => row,
    };
    if let Some(block) = facts.sharing.filter(|block| block.until > facts.now) {
        return Cause::Shared(block);
    }
    let username = LoginName::new(row.username.as_str());
    let is_of_address = |block: &&Block| block.target.name().is_some_and(|name| *name != username);
    let (of_address, others): (Vec<_>, Vec<_>) = facts.blocks.iter().partition(is_of_address);
    if let Some(block) = strongest(&others) {
        return match &block.target {
            Target::Pair(_, network) => Cause::BlockedIn(network, block.until),
            Target::Network(network) => Cause::NetworkBlocked(network, block.until),
            Target::Name(_) => Cause::NameBlocked(block.until),
        };
    }
    if let Some(block) = strongest(&of_address) {
        return Cause::AddressBlocked(block.until);
    }
    if matches!(row.credential.stored, Stored::Sealed(_)) {
        return Cause::Unhashed;
    }
    facts.logins.first().map_or(Cause::None, Cause::Tried)
}

/// A block of the name applies to more visitors than one of the name in one network.
fn strongest<'a>(blocks: &[&'a Block]) -> Option<&'a Block> {
    let is_of_name = |block: &&Block| matches!(block.target, Target::Name(_));
    let all = blocks.iter().copied();
    all.clone().find(is_of_name).or_else(|| all.max_by_key(|block| block.until))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Key, MemberId, SiteId, Username};
    use crate::login_record::LoginWay;
    use crate::member::{Credential, Member};
    use crate::password::{Hash, Seal};
    use crate::shared_use::SharingReason;

    /// 2026-06-15T12:00:00Z.
    const NOON: i64 = 1_781_524_800;

    fn key() -> Key {
        Key { site: SiteId::parse("1").unwrap(), member: MemberId::parse("71").unwrap() }
    }

    fn bob(stored: Stored) -> Member {
        Member {
            key: key(),
            username: Username::parse("bob").unwrap(),
            holds_folded: true,
            credential: Credential { stored, cryptpass: None },
            before: None,
            email: None,
            trial: false,
            biller: None,
            session: None,
            joined: None,
            expires: None,
            expire_at: Some(NOON),
            stamp: None,
            login_version: 1,
        }
    }

    fn hashed() -> Member {
        bob(Stored::Hash(Hash::from_text("$argon2id$v=19$m=8,t=1,p=1$x".into())))
    }

    fn login(event: LoginEvent) -> Vec<StoredLogin> {
        let (site, member) = (key().site, Some(key().member));
        let record = |event, at| LoginRecord {
            at,
            event,
            way: LoginWay::Page,
            site,
            member,
            name: None,
            network: "203.0.113.9".into(),
        };
        let stored = |id, event| StoredLogin { id, record: record(event, NOON + id) };
        vec![stored(60, event), stored(0, LoginEvent::Login)]
    }

    fn block(target: Target) -> Vec<Block> {
        vec![Block { target, since: NOON, until: NOON + 900 }]
    }

    #[test]
    fn each_cause_has_a_sentence_and_the_strongest_one_is_told() {
        let (name, home) = (LoginName::new("bob"), Network::parse("203.0.113.9").unwrap());
        let of_name = block(Target::Name(name.clone()));
        let of_pair = block(Target::Pair(name, home));
        let shared = |until| {
            let why = SharingReason::AtOnce;
            Some(SharingBlock { key: key(), since: NOON, until, why })
        };
        let sealed = || bob(Stored::Sealed(Seal::from_bytes(vec![7; 90])));
        let gone = |reason| Standing::Former(Former::new(hashed(), reason, NOON - 60));
        let here = || Standing::Here(hashed());
        let gone_or_lapsed = [
            (Standing::Unknown, "was never a member"),
            (gone(Reason::Deleted), "deleted at 2026-06-15T11:59:00Z, may not log in"),
            (gone(Reason::Expired), "expired at 2026-06-15T11:59:00Z, may not log in"),
            (Standing::Lapsed(hashed()), "expired at 2026-06-15T12:00:00Z, may not log in"),
        ]
        .map(|(standing, sentence)| {
            (standing, login(LoginEvent::Wrong), Vec::new(), None, sentence)
        });
        let of_members = [
            (
                here(),
                login(LoginEvent::Wrong),
                of_name.clone(),
                shared(NOON + 3_600),
                "is blocked until 2026-06-15T13:00:00Z because of sharing: too many networks at \
                 once",
            ),
            (
                here(),
                login(LoginEvent::Wrong),
                [of_pair.clone(), of_name].concat(),
                shared(NOON),
                "is blocked until 2026-06-15T12:15:00Z, because of wrong passwords, but in \
                 networks from which they have logged in before",
            ),
            (
                here(),
                login(LoginEvent::Wrong),
                of_pair,
                None,
                "is blocked until 2026-06-15T12:15:00Z from 203.0.113.9, because of wrong \
                 passwords, and may log in from elsewhere",
            ),
            (
                Standing::Here(sealed()),
                login(LoginEvent::Wrong),
                Vec::new(),
                None,
                "may log in; the password is not hashed yet, so an Apache that reads the table \
                 refuses it",
            ),
            (
                here(),
                login(LoginEvent::Wrong),
                Vec::new(),
                None,
                "may log in; a wrong password was tried at 2026-06-15T12:01:00Z from 203.0.113.9",
            ),
            (
                here(),
                login(LoginEvent::Trial),
                Vec::new(),
                None,
                "may log in, but not where only full members get in: they are on trial, and tried \
                 it at 2026-06-15T12:01:00Z",
            ),
            (
                here(),
                login(LoginEvent::Logout),
                Vec::new(),
                None,
                "may log in; they logged out at 2026-06-15T12:01:00Z",
            ),
            (here(), login(LoginEvent::Blocked), Vec::new(), None, "may log in"),
            (here(), login(LoginEvent::Login), Vec::new(), None, "may log in"),
            (here(), Vec::new(), Vec::new(), None, "may log in"),
        ];
        for (standing, logins, blocks, sharing, sentence) in
            gone_or_lapsed.into_iter().chain(of_members)
        {
            let facts = MemberFacts {
                standing: &standing,
                logins: &logins,
                blocks: &blocks,
                sharing,
                now: NOON + 120,
            };
            assert_eq!(explain(&facts), sentence);
        }
    }

    #[test]
    fn a_page_says_it_in_whole_sentences_with_its_own_times() {
        let home = Network::parse("198.51.100.7").unwrap();
        let gone = |reason| Standing::Former(Former::new(hashed(), reason, NOON));
        let of_network = block(Target::Network(home));
        let of_pair = block(Target::Pair(LoginName::new("Bob"), home));
        let of_address = block(Target::Pair(LoginName::new("bob@example.com"), home));
        for (standing, blocks, sentence) in [
            (Standing::Unknown, vec![], "They were never a member of this site."),
            (gone(Reason::Deleted), vec![], "They were deleted on T+0 and cannot log in."),
            (gone(Reason::Expired), vec![], "They expired on T+0 and cannot log in."),
            (Standing::Lapsed(hashed()), vec![], "They expired on T+0 and cannot log in."),
            (Standing::Here(hashed()), vec![], "They may log in."),
            (
                Standing::Here(hashed()),
                of_network.clone(),
                "They cannot log in from 198.51.100.7 until T+900, because too many wrong \
                 passwords came from that network; from elsewhere they can.",
            ),
            (
                Standing::Here(hashed()),
                of_address.clone(),
                "They may log in with their username, but until T+900 not everywhere with their \
                 e-mail address, because of wrong passwords.",
            ),
            (
                Standing::Here(hashed()),
                [of_address, of_network, of_pair].concat(),
                "They are blocked until T+900 from 198.51.100.7, because of wrong passwords, and \
                 may log in from elsewhere.",
            ),
        ] {
            let facts = MemberFacts {
                standing: &standing,
                logins: &[],
                blocks: &blocks,
                sharing: None,
                now: NOON + 120,
            };
            assert_eq!(explain_whole(&facts, &|at| format!("T+{}", at - NOON)), sentence);
        }
    }
}
