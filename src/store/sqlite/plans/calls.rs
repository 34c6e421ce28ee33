//! Calls each method of the store that runs statements.

use std::fs::File;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use rusqlite::Connection;

use crate::action::Recorded;
use crate::apply::losing::{NOON, Scene, postback};
use crate::apply::transact;
use crate::block::{Block, LoginName, Network, Target};
use crate::clock::Moment;
use crate::epoch::Epoch;
use crate::identity::{Key, MemberId, SiteId, Username};
use crate::journal::Record;
use crate::login_record::{LoginEvent, LoginRecord, LoginWay, StoredLogin};
use crate::operator::{Operator, OperatorName, OperatorSession, PasswordDigest, Role, TokenDigest};
use crate::password::{Hash, Stored, Vault};
use crate::reply::Reply;
use crate::shared_use::{MemberNetwork, SharingBlock, SharingReason};
use crate::store::{
    CookieLogin, CopyWatch, Engine, Fault, FindBy, Hardened, JournalFilter, JournalSpan, KnownId,
    KnownNetwork, LoggedOut, Logout, LogoutBefore, Note, Person, Read, Rehashed, Residue, SearchBy,
    Seen, Spent, Table, TableRow, View, Wanted, check_content, check_copy, check_whole, diagnose,
    open_for_copy, open_reader, state_of, with_engine,
};

fn key(member: i64) -> Key {
    Key { site: SiteId::parse("1").unwrap(), member: MemberId::parse(&member.to_string()).unwrap() }
}

fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

/// Calls each method of [`Engine`] and [`Read`], and each function that reads a database.
pub(super) fn use_every_method() {
    let scene = Scene::new();
    let file = scene.location.file().unwrap();
    with_engine(&scene.location, false, |engine| {
        write(engine, &scene);
        fill(&Connection::open(file).unwrap());
        for _ in 0..3 {
            commit(engine, |engine| engine.convert_journal(9).map(|_| ()));
        }
        note_all(engine);
        insert_rows(engine);
        forget(engine);
        commit(engine, |engine| engine.index_emails(false));
        commit(engine, |engine| engine.index_emails(true));
        engine.maintain_early(Instant::now()).unwrap();
        engine.maintain(Instant::now()).unwrap();
        engine.check_current().unwrap();
    })
    .unwrap();
    read(&*open_reader(&scene.location).unwrap()).unwrap();
    copy(&scene);
    with_engine(&scene.location, false, |engine| assert!(engine.finish())).unwrap();
    // Reads the mark in the file only beside a WAL that has one.
    with_engine(&scene.location, false, |engine| commit(engine, |engine| engine.probe(NOON)))
        .unwrap();
    check_whole(&scene.location).unwrap();
    check_content(&scene.location).unwrap();
    state_of(&scene.location, true).unwrap();
    diagnose(&scene.location, NOON).unwrap();
}

/// Puts in what would take many calls: an old record, and more networks than are kept.
fn fill(conn: &Connection) {
    conn.execute_batch(
        "INSERT INTO journal (id, at, source, action, siteid, memberid, fields, reply)
             VALUES (1000, 5, 'nats', 'DELETE', 1, 71, 'action=DELETE&siteid=1&memberid=71', 'OK|');
         INSERT INTO journal_conversion VALUES (1, 1000, 1000, 1000);
         INSERT INTO known_network
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70000)
             SELECT CAST(i AS BLOB), x'01', 20000 FROM n",
    )
    .unwrap();
}

fn commit(engine: &mut dyn Engine, work: impl FnOnce(&mut dyn Engine) -> Result<(), Fault>) {
    engine.begin().unwrap();
    work(engine).unwrap();
    engine.commit().unwrap();
}

/// One transaction for each body, at this time.
fn post(engine: &mut dyn Engine, scene: &Scene, now: i64, bodies: &[&str]) {
    for body in bodies {
        let reply = transact(engine, &scene.vault, &[&postback(body)], || now).unwrap().remove(0);
        assert!(reply.unwrap().as_str().starts_with("OK|"), "{body}");
    }
}

fn write(engine: &mut dyn Engine, scene: &Scene) {
    assert!(engine.is_empty().unwrap());
    commit(engine, |engine| engine.set_seal_key(scene.vault.key_id()));
    post(
        engine,
        scene,
        NOON,
        &[
            "action=ADD&siteid=1&memberid=71&username=bob&password=secret&trial=0",
            "action=ADD&siteid=1&memberid=72&username=ann&password=secret",
            "action=ADD&siteid=1&memberid=73&username=eve&password=secret",
            "action=ADD&siteid=1&memberid=74&username=dan&password=secret",
            "action=CHANGE&siteid=1&memberid=71&new_username=rob",
            "action=DELETE&siteid=1&memberid=73",
            "action=ACTIVATE&siteid=1&memberid=73&username=eve",
            "action=DELETE&siteid=1&memberid=73",
            "action=EXPIRE&siteid=1&memberid=72&expire=2026-06-16",
        ],
    );
    commit(engine, |engine| engine.unfold(key(74)));
    // The name of a member whose expiry is reached is given to another one.
    let later = NOON + 2 * 86_400;
    post(engine, scene, later, &["action=ADD&siteid=1&memberid=75&username=ann&password=secret"]);
    post(engine, scene, later, &["action=EXPIRE&siteid=1&memberid=75&expire=2026-06-20"]);
    commit(engine, |engine| {
        engine.savepoint()?;
        engine.rollback_to_savepoint()?;
        engine.savepoint()?;
        engine.release_savepoint()?;
        engine.expire_due(NOON + 9 * 86_400, 10)?;
        engine.probe(NOON)?;
        engine.begin_login_epoch(Epoch([1; 16]))?;
        engine.prune(NOON - 1, NOON, 10)?;
        Ok(())
    });
    engine.begin().unwrap();
    engine.rollback();
    harden(engine, scene);
}

/// A hash in the place of each seal, then another hash in the place of one.
fn harden(engine: &mut dyn Engine, scene: &Scene) {
    let pending = open_reader(&scene.location).unwrap().pending(10).unwrap();
    assert!(!pending.is_empty());
    let hash = |text: &str| Hash::from_text(format!("$argon2id$v=19$m=8,t=1,p=1${text}"));
    let hardened: Vec<_> = pending
        .into_iter()
        .map(|pending| Hardened { pending, form: Stored::Hash(hash("one")), differs: true })
        .collect();
    commit(engine, |engine| engine.harden(&hardened));
    let rehashed = Rehashed { key: key(71), old: hash("one"), new: hash("two") };
    commit(engine, |engine| engine.rehash(&rehashed));
}

fn note_all(engine: &mut dyn Engine) {
    let network = Network::of(IpAddr::from([192, 0, 2, 1]));
    let target = Target::Network(network);
    let block = Block { target: target.clone(), since: NOON, until: NOON + 60 };
    let name = Target::Name(LoginName::new("bob"));
    let of_name = Block { target: name.clone(), ..block.clone() };
    let known = KnownId { member: [1; 16], network: [2; 16] };
    let mut notes = vec![
        Note::Block(block.clone()),
        Note::Block(of_name),
        Note::Lift(target),
        Note::Known(KnownNetwork { id: known, day: 20_000 }),
        Note::Seen(Seen { key: key(71), id: [1; 16], at: NOON }),
    ];
    let used = MemberNetwork {
        key: key(71),
        network: "198.51.100.0/24".into(),
        first_at: NOON,
        last_at: NOON,
        country: None,
    };
    let shared =
        SharingBlock { key: key(71), since: NOON, until: NOON + 60, why: SharingReason::Networks };
    notes.extend([Note::Login(login_record()), Note::Shared(shared)]);
    notes.extend([
        Note::OperatorLogin(OperatorSession {
            token: TokenDigest([1; 32]),
            name: operator().name,
            password: PasswordDigest::of(&operator().hash),
            began_at: NOON,
            ends_at: NOON + 5_000,
        }),
        Note::OperatorLogout(TokenDigest([2; 32])),
    ]);
    // More networks of a member than are kept.
    notes.extend((0..66).map(|number| {
        Note::Network(MemberNetwork { network: format!("198.51.{number}.0/24"), ..used.clone() })
    }));
    // More logouts of a member than are kept as single rows.
    notes.extend((0..66).map(|number| {
        Note::LogOut(LoggedOut {
            key: key(71),
            id: [number; 16],
            issued: NOON + i64::from(number),
            and_all_until: None,
            until: NOON + 1_000,
        })
    }));
    // Known networks are counted once per this number of notes.
    notes.extend((0..2_000u16).map(|number| {
        let [high, low] = number.to_be_bytes();
        let id = KnownId { member: [high; 16], network: [low; 16] };
        Note::Known(KnownNetwork { id, day: 20_000 })
    }));
    commit(engine, |engine| notes.iter().try_for_each(|note| engine.note(note, NOON + 1_000)));
    commit(engine, |engine| {
        engine.add_operator(&operator())?;
        let other = OperatorName::parse("other").unwrap();
        engine.set_operator_password(&other, &operator().hash, NOON)?;
        engine.remove_operator(&other).map(|_| ())
    });
    commit(engine, |engine| {
        engine.lift(&name)?;
        engine.keep_blocks(&[block])?;
        engine.lift_sharing(key(71), NOON)?;
        let all = NOON + 2_000;
        engine.forget_logins(
            Spent { now: all, issued: all, forgotten: NOON, seen: all, recorded: NOON, used: NOON },
            10,
        )?;
        Ok(())
    });
}

fn person() -> Person {
    Person {
        key: key(76),
        names: ["kim".to_owned()].into(),
        known: vec![[1; 16]],
        blocks: vec![Target::Name(LoginName::new("kim"))],
        logins: vec![StoredLogin { id: 1_000, record: login_record() }],
    }
}

/// A member with a record that only says until when members were moved.
fn forget(engine: &mut dyn Engine) {
    let add = postback("action=ADD&siteid=1&memberid=76&username=kim&password=secret");
    let vault = Vault::from_key([7; 32]);
    let moment = Moment { now: NOON, moved_until: NOON + 1 };
    transact(engine, &vault, &[&add], || moment).unwrap().remove(0).unwrap();
    let record = Record {
        at: NOON,
        received: &add.received,
        moved_until: None,
        reply: Reply::ok("forgotten"),
        put: Recorded::default(),
    };
    commit(engine, |engine| {
        assert!(engine.forget(&person(), &record, NOON)?.all() > 1);
        engine.forget_notes(&person()).map(|_| ())
    });
    assert_eq!(engine.clear_deleted().unwrap(), Residue::Nothing);
}

fn operator() -> Operator {
    Operator {
        name: OperatorName::parse("anna").unwrap(),
        role: Role::Admin,
        hash: Hash::from_text("$argon2id$v=19$m=8,t=1,p=1$b25lb25l$b25lb25lb25l".into()),
        created_at: NOON,
        changed_at: NOON,
    }
}

fn login_record() -> LoginRecord {
    LoginRecord {
        at: NOON,
        event: LoginEvent::Login,
        way: LoginWay::Page,
        site: key(71).site,
        member: Some(key(71).member),
        name: None,
        network: "198.51.100.7".into(),
    }
}

fn read(reader: &dyn Read) -> Result<(), Fault> {
    reader.begin_read()?;
    let (site, bob, dan, now) = (key(71).site, name("bob"), name("dan"), NOON);
    let mut wanted = Wanted::default();
    wanted.keys.extend([key(71), key(73), key(99)]);
    wanted.names.extend([(site, &bob), (site, &dan)]);
    reader.load(&wanted, &mut View::default(), now)?;
    reader.standing(key(71), now)?;
    reader.holder(site, &bob, now)?;
    reader.is_name_known(&bob)?;
    reader.unfolded(10)?;
    reader.count_unfolded()?;
    reader.sessions(key(71).member, now)?;
    reader.login_row(key(71), now)?;
    reader.logins_by_name(&[site], &bob, now)?;
    let login = CookieLogin {
        key: key(71),
        id: [1; 16],
        issued: now,
        login_version: 1,
        wants_last_use: true,
    };
    reader.cookie_logins(&[login], now)?;
    reader.is_known_network(&KnownId { member: [1; 16], network: [2; 16] })?;
    reader.has_known_networks()?;
    reader.login_epoch()?;
    let blocks = reader.blocks_page(None, now)?;
    reader.blocks_page(blocks.next.as_ref(), now)?;
    reader.count_blocks()?;
    reader.last_logins(key(71), 9)?;
    reader.logins_before(key(71), 9, 9)?;
    reader.last_records(key(71), 9, 9)?;
    reader.blocks_of(&LoginName::new("bob"), now)?;
    reader.block_of_network("192.0.2.1", now)?;
    for by in [SearchBy::Name("Bob"), SearchBy::Email("bob@")] {
        reader.search(by, None, now, 9)?;
    }
    reader.traces_of(&person())?;
    reader.networks_of(key(71))?;
    reader.sharing_of(key(71))?;
    reader.sharing_blocks(now, 9)?;
    reader.most_networks(0, 9)?;
    for by in [FindBy::Name(&bob), FindBy::Email("bob@x.org"), FindBy::Member(key(71).member)] {
        reader.find(by, 9)?;
    }
    for (site, after) in
        [(None, None), (Some(1), None), (None, Some(key(71))), (Some(1), Some(key(71)))]
    {
        reader.members_page(site, after, now)?;
        reader.formers_page(site, after)?;
    }
    reader.sample(10)?;
    let forms = reader.forms_page(None, now)?;
    reader.forms_page(forms.next, now)?;
    for filter in filters() {
        reader.journal_page(&filter, 5, 900)?;
        for newest_first in [false, true] {
            let span = JournalSpan { after: 5, newest: 900, most: 50, newest_first };
            reader.journal_span(&filter, span)?;
        }
    }
    reader.record_from(5)?;
    reader.summaries_after(0, 900, 9)?;
    reader.summaries_before(900, 9)?;
    reader.count_journal()?;
    reader.count_members_page(Some((1, 71)), 9)?;
    reader.count_formers_page(Some((1, 71)), 9)?;
    reader.newest_record()?;
    reader.last_seen(now)?;
    reader.is_unused()?;
    reader.backlog()?;
    reader.pending(10)?;
    reader.seal_key()?;
    reader.operators()?;
    assert!(reader.operator_session(&TokenDigest([1; 32]), now)?.is_some());
    reader.copy_size()?;
    reader.count_rows()?;
    reader.folding_version()?;
    for table in Table::ALL {
        // The networks of `fill` are no hashes, so that their page cannot be read.
        let first = reader.rows_page(table, None).unwrap_or_default();
        reader.rows_page(table, first.last()).unwrap_or_default();
    }
    reader.end_read()
}

/// Rows of the tables that `migrate-store` alone writes in this way.
fn insert_rows(engine: &mut dyn Engine) {
    let known = KnownId { member: [201; 16], network: [202; 16] };
    let (id, key) = ([201; 16], key(79));
    for row in [
        TableRow::Logout(Logout { id, until: NOON, of: Some((key, NOON)) }),
        TableRow::LogoutBefore(LogoutBefore { key, issued: NOON, login_version: 1 }),
        TableRow::LastUse(Seen { key, id, at: NOON }),
        TableRow::KnownNetwork(KnownNetwork { id: known, day: 20_000 }),
        TableRow::Login(StoredLogin { id: 1_000, record: login_record() }),
    ] {
        commit(engine, |engine| engine.insert_rows(&[row]));
    }
}

/// Every combination of what a journal can be searched for.
fn filters() -> Vec<JournalFilter> {
    (0..128_u8)
        .map(|bits| {
            let has = |bit: u8| (bits >> bit & 1 == 1).then_some(());
            JournalFilter {
                site: has(0).map(|()| 1),
                member: has(1).map(|()| 71),
                username: has(2).map(|()| "bob".into()),
                action: has(3).map(|()| "ADD".into()),
                word: has(4).map(|()| "OK".into()),
                since: has(5).map(|()| NOON),
                until: has(6).map(|()| NOON),
                source: has(1).map(|()| "nats".into()),
                text: has(4).map(|()| "added".into()),
            }
        })
        .collect()
}

fn copy(scene: &Scene) {
    let place = scene.location.file().unwrap().with_extension("copy");
    let (stop, file) = (Arc::default(), File::create_new(&place).unwrap());
    let mut watch = CopyWatch { stop: &stop, is_gentle: false, progress: &mut |_, _| true };
    let reader = open_for_copy(&scene.location).unwrap();
    reader.copy_to(&place, &file, &mut watch).unwrap();
    check_copy(&scene.location.copy_at(&place), &stop).unwrap();
}
