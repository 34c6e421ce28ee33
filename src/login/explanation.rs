//! Explains in one sentence whether a member is admitted now, and if not, why.

use crate::action::Standing;
use crate::block::{Block, Target};
use crate::clock::format_utc;
use crate::login_record::{LoginEvent, StoredLogin};
use crate::member::Member;
use crate::password::Stored;
use crate::shared_use::SharingBlock;

/// What is known about a member.
#[derive(Debug)]
pub struct MemberFacts<'a> {
    /// Whether they are a member, a former member or unknown.
    pub standing: &'a Standing,
    /// Their last logins, the newest first.
    pub logins: &'a [StoredLogin],
    /// The current blocks for wrong passwords whose name is theirs.
    pub blocks: &'a [Block],
    /// When they last counted as shared.
    pub sharing: Option<SharingBlock>,
    /// Unix seconds.
    pub now: i64,
}

/// The sentence, without its subject and without a full stop. The sentence has the first cause that
/// applies, the strongest first.
pub fn explain(facts: &MemberFacts<'_>) -> String {
    match facts.standing {
        Standing::Unknown => "was never a member".into(),
        Standing::Former(former) => {
            let (reason, when) = (former.reason.as_str(), format_utc(former.ended_at));
            format!("{reason} at {when}, may not log in")
        }
        Standing::Lapsed(row) => match row.expire_at {
            Some(at) => format!("expired at {}, may not log in", format_utc(at)),
            None => "expired, may not log in".into(),
        },
        Standing::Here(row) => of_member(facts, row),
    }
}

fn of_member(facts: &MemberFacts<'_>, row: &Member) -> String {
    if let Some(block) = facts.sharing.filter(|block| block.until > facts.now) {
        let (until, why) = (format_utc(block.until), block.why.sentence());
        return format!("is blocked until {until} because of sharing: {why}");
    }
    if let Some(block) = strongest(facts.blocks) {
        let until = format_utc(block.until);
        return match &block.target {
            Target::Pair(_, network) => format!(
                "is blocked until {until} from {network}, because of wrong passwords, and may log \
                 in from elsewhere"
            ),
            Target::Name(_) | Target::Network(_) => format!(
                "is blocked until {until}, because of wrong passwords, but in networks from which \
                 they have logged in before"
            ),
        };
    }
    if matches!(row.credential.stored, Stored::Sealed(_)) {
        return "may log in; the password is not hashed yet, so an Apache that reads the table \
                refuses it"
            .into();
    }
    match last_event(facts.logins) {
        Some((LoginEvent::Wrong, when, network)) => {
            format!("may log in; a wrong password was tried at {when} from {network}")
        }
        Some((LoginEvent::Trial, when, _)) => format!(
            "may log in, but not where only full members get in: they are on trial, and tried it \
             at {when}"
        ),
        Some((LoginEvent::Logout, when, _)) => {
            format!("may log in; they logged out at {when}")
        }
        // An ended block, or a login, blocks nobody.
        Some((
            LoginEvent::Login | LoginEvent::Unknown | LoginEvent::Blocked | LoginEvent::Shared,
            ..,
        ))
        | None => "may log in".into(),
    }
}

/// A block of the name applies to more visitors than one of the name in one network.
fn strongest(blocks: &[Block]) -> Option<&Block> {
    let is_of_name = |block: &&Block| matches!(block.target, Target::Name(_));
    blocks.iter().find(is_of_name).or_else(|| blocks.iter().max_by_key(|block| block.until))
}

fn last_event(logins: &[StoredLogin]) -> Option<(LoginEvent, String, &str)> {
    let record = &logins.first()?.record;
    Some((record.event, format_utc(record.at), &record.network))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{LoginName, Network};
    use crate::identity::{Key, MemberId, SiteId, Username};
    use crate::login_record::{LoginRecord, LoginWay};
    use crate::member::{Credential, Former, Reason};
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
}
