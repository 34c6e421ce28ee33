//! What an operator changes of a member: the replies, the records with the operator's name, and
//! that a replay of the journal gives equal rows, on every engine.

use nats_userman::action::Rules;
use nats_userman::apply::{Postback, transact};
use nats_userman::block::{Block, LoginName, Target};
use nats_userman::clock::{ExpiryRule, Moment, Zone};
use nats_userman::fields::Fields;
use nats_userman::identity::{Key, MemberId, SiteId, Username};
use nats_userman::journal::Origin;
use nats_userman::member_change::lift::Lift;
use nats_userman::member_change::{MemberChange, NewExpiry};
use nats_userman::operator::OperatorName;
use nats_userman::password::{Password, Vault};
use nats_userman::reply::Reply;
use nats_userman::shared_use::{SharingBlock, SharingReason};
use nats_userman::store::{Engine, Location, Note, open_reader, with_engine};

use crate::ENGINES;
use crate::engines::property::{dump, in_transaction, replay};
use crate::support::{Beside, NOON, TestDatabase, temp_dir};

/// A database on which postbacks and an operator's changes are applied.
struct Scene {
    location: Location,
    rules: Rules,
    _database: TestDatabase,
}

impl Scene {
    /// Runs a story on every engine.
    fn on_every_engine(story: impl Fn(&Self, &mut dyn Engine)) {
        for engine in ENGINES {
            let Some(database) = TestDatabase::new(engine) else { continue };
            let rules = Rules {
                vault: Vault::from_key([7; 32]),
                keep_cryptpass: false,
                expiry: ExpiryRule { zone: Zone::UTC, grace_hours: 48 },
                stale_guard: false,
            };
            let scene = Self { location: database.location(), rules, _database: database };
            with_engine(&scene.location, true, |engine| story(&scene, engine)).unwrap();
        }
    }

    fn apply(&self, engine: &mut dyn Engine, postback: &Postback, at: i64) -> String {
        let mut replies = transact(engine, &self.rules.vault, &[postback], || at).unwrap();
        replies.remove(0).unwrap().as_str().to_owned()
    }

    fn of_nats(&self, body: &str) -> Postback {
        let fields = Fields::from_urlencoded(body.as_bytes());
        Postback::read(&fields, &self.rules, Origin::Nats, None).0
    }

    fn nats(&self, engine: &mut dyn Engine, body: &str, at: i64) -> String {
        self.apply(engine, &self.of_nats(body), at)
    }

    fn by_eve(&self, engine: &mut dyn Engine, change: &MemberChange, key: Key, at: i64) -> String {
        self.apply(engine, &change.postback(key, &self.rules, Some(&eve())), at)
    }

    fn rows(&self, sql: &str) -> Vec<String> {
        Beside::open(&self.location).rows(sql)
    }

    /// Replays the journal into an empty database, and compares every column.
    fn replays_equally(&self, now: i64) {
        let dir = temp_dir();
        let copy = replay(dir.path(), "copy.db", &self.location, &self.rules.vault, false, now);
        let copy = copy.unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(dump(&copy.location), dump(&self.location));
    }
}

fn eve() -> OperatorName {
    OperatorName::parse("eve").unwrap()
}

fn key(member: i64) -> Key {
    Key { site: SiteId::parse("1").unwrap(), member: MemberId::parse(&member.to_string()).unwrap() }
}

fn until(text: &str) -> MemberChange {
    MemberChange::Expiry(NewExpiry::parse(text, &Zone::UTC).unwrap())
}

fn restore(name: &str) -> MemberChange {
    MemberChange::Restore(Username::parse(name).unwrap())
}

#[test]
fn every_change_is_journalled_with_the_operator_s_name_and_replayed_equally() {
    Scene::on_every_engine(|scene, engine| {
        for add in ["71&username=bob", "72&username=ann"] {
            let body = format!("action=ADD&siteid=1&memberid={add}&password=secret");
            assert!(scene.nats(engine, &body, NOON).starts_with("OK|"));
        }
        let password = MemberChange::Password(Password::parse("better").unwrap());
        let rename = "action=CHANGE&siteid=1&memberid=72&new_username=Bob";
        let mut at = NOON;
        let mut made = |change: &MemberChange, expected: &str| {
            at += 1;
            assert_eq!(scene.by_eve(engine, change, key(71), at), expected, "{change:?}");
        };
        made(
            &until("2026-06-20 12:00"),
            "OK|member 71 \"bob\" of site 1 will expire at 2026-06-20T12:00:00Z",
        );
        made(&until("never"), "OK|member 71 \"bob\" of site 1 has no expiry now");
        made(&until("never"), "OK|member 71 \"bob\" of site 1 has no expiry now");
        made(&password, "OK|member 71 \"bob\" changed on site 1");
        made(&password, "OK|member 71 \"bob\" of site 1 was so already");
        made(&MemberChange::EndLogins, "OK|member 71 \"bob\" logged out of site 1");
        made(&MemberChange::Remove, "OK|member 71 \"bob\" removed from site 1");
        made(
            &MemberChange::Remove,
            "OK|member 71 is not a member of site 1 now, nothing to remove",
        );
        let gone = "ERROR|member 71 is not a member of site 1 now, nothing was changed";
        made(&until("never"), gone);
        made(&password, gone);
        made(&MemberChange::EndLogins, gone);
        made(
            &until("2026-06-20"),
            "ERROR|member 71 is not a member of site 1 now, an expiry at 2026-06-20T00:00:00Z \
             cannot be noted",
        );
        assert!(scene.nats(engine, rename, NOON + 20).starts_with("OK|"));
        let mut at = NOON + 20;
        let mut made = |change: &MemberChange, expected: &str| {
            at += 1;
            assert_eq!(scene.by_eve(engine, change, key(71), at), expected, "{change:?}");
        };
        made(
            &restore("bob"),
            "ERROR|username \"bob\" is held by member 72 of site 1, nothing was changed for member \
             71",
        );
        made(&restore("bob2"), "OK|member 71 \"bob2\" activated on site 1");
        made(
            &until("2026-06-15"),
            "OK|member 71 \"bob2\" of site 1 expired at 2026-06-15T00:00:00Z",
        );
        made(&restore("bob2"), "OK|member 71 \"bob2\" activated on site 1");

        let told = "SELECT action, COALESCE(source, ''), COALESCE(operator, ''), fields FROM \
            journal_text ORDER BY id";
        if let Location::Sqlite(_) = scene.location {
            let told = scene.rows(told);
            let ids = "siteid=1&memberid=71";
            for (nth, record) in [
                (2, format!("EXPIRE|operator|eve|action=EXPIRE&{ids}&expire=1781956800")),
                (3, format!("EXPIRE|operator|eve|action=EXPIRE&{ids}&expire=never")),
                (5, format!("CHANGE|operator|eve|action=CHANGE&{ids}&new_password=***")),
                (7, format!("CHANGE|operator|eve|action=CHANGE&{ids}")),
                (8, format!("DELETE|operator|eve|action=DELETE&{ids}")),
                (16, format!("ACTIVATE|operator|eve|action=ACTIVATE&{ids}&username=bob2")),
            ] {
                assert_eq!(told[nth], record);
            }
        }
        let names = scene.rows("SELECT DISTINCT operator FROM journal WHERE source = 'operator'");
        assert_eq!(names, ["eve"]);
        scene.replays_equally(NOON + 60);
    });
}

/// The page that an operator confirms may be old.
#[test]
fn no_change_brings_back_a_member_who_left_or_renames_one_who_came_back() {
    Scene::on_every_engine(|scene, engine| {
        scene.nats(engine, "action=ADD&siteid=1&memberid=71&username=bob&password=secret", NOON);
        scene.nats(engine, "action=DELETE&siteid=1&memberid=71", NOON + 1);
        // Two operators restore at once, and NATS gives the member another name between them.
        assert!(scene.by_eve(engine, &restore("bob"), key(71), NOON + 2).starts_with("OK|"));
        scene.nats(engine, "action=CHANGE&siteid=1&memberid=71&new_username=rob", NOON + 3);
        scene.nats(engine, "action=EXPIRE&siteid=1&memberid=71&expire=2026-07-01", NOON + 4);
        assert_eq!(
            scene.by_eve(engine, &restore("bob"), key(71), NOON + 5),
            "ERROR|member 71 is a member of site 1 now, nothing was restored"
        );
        let name = Beside::open(&scene.location).username();
        let row = format!("SELECT {name}, expire_at FROM member_auth");
        assert_eq!(scene.rows(&row), ["rob|1783036800"], "with the grace of 48 hours of NATS's");
        scene.replays_equally(NOON + 6);
    });
}

/// "NATS's next word counts": an operator's expiry is one like NATS's own.
#[test]
fn the_next_postback_of_nats_decides_over_an_operator_s_expiry() {
    Scene::on_every_engine(|scene, engine| {
        let ids = "siteid=1&memberid=71&username=bob";
        let expiry = || scene.rows("SELECT expire_at FROM member_auth").remove(0);
        scene.nats(engine, &format!("action=ADD&{ids}&password=secret"), NOON);
        let (mut at, mut expires) = (NOON, Vec::new());
        for postback in [
            "action=CHANGE&new_email=b@example.com",
            "action=EXPIRE&expire=2026-07-01",
            "action=ADD&password=secret",
            "action=ACTIVATE",
            "action=TRIALTOFULL",
        ] {
            at += 2;
            scene.by_eve(engine, &until("2026-06-20 12:00"), key(71), at);
            assert_eq!(expiry(), "1781956800");
            scene.nats(engine, &format!("{postback}&{ids}"), at + 1);
            expires.push(expiry());
        }
        let (kept, of_nats, removed) = ("1781956800", "1783036800", "");
        assert_eq!(expires, [kept, of_nats, removed, removed, removed]);
        scene.replays_equally(at + 2);
    });
}

#[test]
fn a_lift_ends_the_blocks_of_a_member_and_is_journalled() {
    Scene::on_every_engine(|scene, engine| {
        scene.nats(engine, "action=ADD&siteid=1&memberid=71&username=bob&password=secret", NOON);
        let block = |name: &str| Block {
            target: Target::Name(LoginName::new(name)),
            since: NOON,
            until: NOON + 900,
        };
        let why = SharingReason::Networks;
        let shared = SharingBlock { key: key(71), since: NOON, until: NOON + 900, why };
        in_transaction(engine, |engine| {
            engine.note(&Note::Block(block("bob")), NOON)?;
            engine.note(&Note::Block(block("ann")), NOON)?;
            engine.note(&Note::Shared(shared), NOON)
        })
        .unwrap();
        let name = Username::parse("bob").unwrap();
        let mut lift = |blocks: &[Block], at: i64| {
            let lift = Lift::of_member(key(71), Some(&name), blocks.to_vec(), Some(&eve()));
            let mut reply = None;
            in_transaction(engine, |engine| {
                reply = Some(lift.run(engine, at.into())?);
                Ok(())
            })
            .unwrap();
            reply.unwrap().as_str().to_owned()
        };
        assert_eq!(
            lift(&[block("bob")], NOON + 1),
            "OK|lifted for member 71 of site 1: 1 block for wrong passwords and the block for \
             sharing"
        );
        assert_eq!(
            lift(&[], NOON + 2),
            "OK|member 71 of site 1 is not blocked, nothing was lifted"
        );
        let reader = open_reader(&scene.location).unwrap();
        assert_eq!(reader.count_blocks().unwrap(), 1, "that of the other name");
        assert_eq!(reader.sharing_of(key(71)).unwrap().unwrap().until, NOON + 1);
        let newest = &reader.last_records(key(71), i64::MAX, 2).unwrap()[1];
        let newest = newest.as_ref().unwrap();
        assert_eq!(
            (newest.fields.as_str(), newest.operator.as_deref(), newest.action.as_deref()),
            ("action=LIFT&siteid=1&memberid=71&username=bob", Some("eve"), None)
        );
        scene.replays_equally(NOON + 60);
    });
}

/// Regression: the DELETE still found the row of before the batch, and the reason was another one
/// than after a replay.
#[test]
fn who_loses_their_name_while_a_clock_is_confirmed_has_left_for_the_rest_of_the_batch() {
    Scene::on_every_engine(|scene, engine| {
        scene.nats(engine, "action=ADD&siteid=1&memberid=71&username=bob&password=secret", NOON);
        scene.by_eve(engine, &until("2026-06-20 12:00"), key(71), NOON);
        let batch = [
            "action=ADD&siteid=1&memberid=72&username=Bob&password=other",
            "action=DELETE&siteid=1&memberid=71",
        ]
        .map(|body| scene.of_nats(body));
        let now = NOON + 30 * 86_400;
        let ahead = || Moment { now, moved_until: NOON };
        let batch: Vec<_> = batch.iter().collect();
        let replies = transact(engine, &scene.rules.vault, &batch, ahead).unwrap();
        let replies: Vec<_> = replies.into_iter().map(Result::unwrap).collect();
        assert_eq!(
            replies.iter().map(Reply::as_str).collect::<Vec<_>>(),
            [
                "OK|member 72 \"Bob\" added to site 1",
                "OK|member 71 is not a member of site 1 now, nothing to remove",
            ]
        );
        assert_eq!(scene.rows("SELECT memberid, reason FROM former_member"), ["71|expired"]);
        scene.replays_equally(now);
    });
}
