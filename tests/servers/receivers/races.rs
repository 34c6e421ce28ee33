//! Postbacks about the same members and names, at several receivers at once. Whatever comes first,
//! nobody is there twice, what was acknowledged is in the journal, and the journal replays to the
//! same rows.
//!
//! `RECEIVER_ROUNDS=100 cargo test receivers` posts for longer; `RECEIVER_SEED=7` posts something
//! else.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::Barrier;

use nats_userman::identity::{Key, MemberId, SiteId};
use nats_userman::password::Vault;
use nats_userman::personal;
use nats_userman::store::{
    Fault, JournalFilter, Location, StoredRecord, open_reader, pages, with_engine,
};

use crate::engines::property::{dump, replay};
use crate::support::{
    App, Beside, Caller, Dice, EngineKind, NOON, TOKEN, TestDatabase, check_database, post_to,
    temp_dir,
};

const ROUNDS: usize = 3;
/// Per receiver.
const THREADS: usize = 3;
/// Per thread and round.
const POSTBACKS: usize = 40;
const NAMES: [&str; 5] = ["bob", "BOB", "ann", "zo%C3%A9", "Zoe%CC%81"];

/// Receivers of one database.
struct Receivers {
    apps: Vec<App>,
    // Last, so that it exists until all have ended.
    database: TestDatabase,
}

impl Receivers {
    /// So many. `None`, with a loud line, where MariaDB is not installed.
    fn start(count: usize) -> Option<Self> {
        let database = TestDatabase::new(EngineKind::MariaDb)?;
        let flags = database.flags();
        let mut receivers = Self { apps: Vec::new(), database };
        for _ in 0..count {
            let dir = temp_dir();
            if let Some(first) = receivers.apps.first() {
                let (from, data) = (first.config.data_dir.path(), dir.path().join("data"));
                fs::create_dir(&data).unwrap();
                for key in ["seal.key", "cookie.key"] {
                    fs::copy(from.join(key), data.join(key)).unwrap();
                }
            }
            receivers.apps.push(App::start_in(dir, &flags.each_ref().map(String::as_str)));
        }
        Some(receivers)
    }

    /// All that holds of a database at rest.
    fn check(&self) {
        let location = self.database.location();
        check_database(&location);
        let dir = temp_dir();
        let vault = Vault::load(&self.apps[0].config.data_dir.seal_key()).unwrap();
        let again = replay(dir.path(), "again.db", &location, &vault, false, NOON).unwrap();
        assert_eq!(dump(&again.location), dump(&location), "replayed, and as it is");
    }
}

fn number(variable: &str) -> Option<usize> {
    std::env::var(variable).ok().map(|text| text.parse().expect(variable))
}

/// Posts these at the same moment, each to its address: the reply lines.
fn at_once(posts: &[(SocketAddr, String)]) -> Vec<String> {
    let barrier = Barrier::new(posts.len());
    std::thread::scope(|scope| {
        let post = |(address, body): &(SocketAddr, String)| {
            barrier.wait();
            let response = post_to(*address, TOKEN, body.as_bytes()).unwrap();
            assert_eq!(response.status, 200, "{body}: {}", response.body);
            response.body
        };
        let threads: Vec<_> = posts.iter().map(|each| scope.spawn(move || post(each))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn a_member_who_is_added_at_two_receivers_at_once_is_there_once() {
    let Some(two) = Receivers::start(2) else { return };
    for member in 71..91 {
        let add = format!("action=ADD&siteid=1&memberid={member}&username=n{member}&password=x");
        let posts: Vec<_> = two.apps.iter().map(|app| (app.address, add.clone())).collect();
        for reply in at_once(&posts) {
            assert!(reply.starts_with("OK|"), "{reply}");
        }
    }
    let app = &two.apps[0];
    assert_eq!(app.rows("SELECT count(*) FROM member_auth"), ["20"]);
    let records = "SELECT count(*), min(seq), max(seq) FROM journal GROUP BY siteid, memberid";
    assert_eq!(app.rows(records), ["2|1|2"; 20]);
    two.check();
}

#[test]
fn a_name_that_two_members_want_at_once_goes_to_one_and_the_other_is_told_whose_it_is() {
    let Some(two) = Receivers::start(2) else { return };
    for round in 0..20 {
        let members = [1_000 + round, 2_000 + round];
        // In two spellings of one folded name.
        let names = [format!("n{round}%C3%A9"), format!("N{round}e%CC%81")];
        let posts: Vec<_> = (0..2)
            .map(|at| {
                let (member, name) = (members[at], &names[at]);
                let who = format!("siteid=1&memberid={member}&username={name}");
                (two.apps[at].address, format!("action=ADD&{who}&password=x"))
            })
            .collect();
        let replies = at_once(&posts);
        let won = replies.iter().position(|reply| reply.starts_with("OK|")).unwrap();
        let lost = &replies[1 - won];
        let holder = format!("is held by member {} of site 1", members[won]);
        assert!(lost.starts_with("ERROR|") && lost.contains(&holder), "{replies:?}");
    }
    assert_eq!(two.apps[0].rows("SELECT count(*) FROM member_auth"), ["20"]);
    two.check();
}

#[test]
fn a_change_and_a_delete_at_once_end_as_one_after_the_other() {
    let Some(two) = Receivers::start(2) else { return };
    for member in 71..91 {
        let who = format!("siteid=1&memberid={member}");
        two.apps[0].post(&format!("action=ADD&{who}&username=n{member}&password=x"));
        let change = format!("action=CHANGE&{who}&new_username=m{member}");
        let posts =
            [(two.apps[0].address, change), (two.apps[1].address, format!("action=DELETE&{who}"))];
        let replies = at_once(&posts);
        assert!(replies[1].starts_with("OK|"), "{replies:?}");
        let name = two.apps[0]
            .rows(&format!("SELECT username_sent FROM former_member WHERE memberid = {member}"));
        let expected = if replies[0].starts_with("OK|") { "m" } else { "n" };
        assert_eq!(name, [format!("{expected}{member}")], "{replies:?}");
    }
    assert_eq!(two.apps[0].rows("SELECT count(*) FROM member_auth"), ["0"]);
    two.check();
}

/// As an import does.
fn import(app: &App, place: i64, name: &str) {
    let member = (1_i64 << 62) + place;
    app.post_as_operator(&format!(
        "action=MANUALADD&siteid=1&memberid={member}&username={name}&password=x"
    ));
}

#[test]
fn a_provisional_member_whom_two_postbacks_name_at_once_becomes_one_member() {
    let Some(two) = Receivers::start(2) else { return };
    // Two memberids want the name: one gets the row, and the other is told whose it is.
    for round in 0..15 {
        import(&two.apps[0], round, &format!("n{round}"));
        let members = [1_000 + round, 2_000 + round];
        let actions = ["ADD&password=y", "ACTIVATE", "CHANGE&new_trial=1"];
        let action = actions[usize::try_from(round).unwrap() % actions.len()];
        let posts: Vec<_> = (0..2)
            .map(|at| {
                let who = format!("siteid=1&memberid={}&username=N{round}", members[at]);
                (two.apps[at].address, format!("{who}&action={action}"))
            })
            .collect();
        let replies = at_once(&posts);
        let won = replies.iter().position(|reply| reply.starts_with("OK|")).unwrap();
        let taken = format!("; until now the provisional member {}", (1_i64 << 62) + round);
        assert!(replies[won].ends_with(&taken), "{replies:?}");
        assert!(replies[1 - won].starts_with("ERROR|"), "{replies:?}");
    }
    assert_eq!(two.apps[0].rows("SELECT count(*) FROM member_auth"), ["15"]);
    // One memberid twice: one of the two finds the member identified.
    for round in 0..15 {
        import(&two.apps[1], 100 + round, &format!("m{round}"));
        let who = format!("siteid=1&memberid={}&username=m{round}", 3_000 + round);
        let post = |app: &App| (app.address, format!("{who}&action=DELETE"));
        let replies = at_once(&[post(&two.apps[0]), post(&two.apps[1])]);
        let taking = replies.iter().filter(|reply| reply.contains("; until now the provisional "));
        assert_eq!(taking.count(), 1, "{replies:?}");
        assert!(replies.iter().all(|reply| reply.starts_with("OK|")), "{replies:?}");
    }
    let provisional = "SELECT siteid, memberid FROM member_auth WHERE memberid >= 1 << 62 UNION \
        SELECT siteid, memberid FROM former_member WHERE memberid >= 1 << 62";
    assert_eq!(two.apps[0].rows(provisional), [""; 0]);
    assert_eq!(two.apps[0].rows("SELECT count(*) FROM former_member"), ["15"]);
    two.check();
}

/// An import of a name, and the postback that names its member, whichever comes first.
#[test]
fn an_import_and_the_postback_that_names_its_member_at_once_leave_one_member_with_the_name() {
    let Some(two) = Receivers::start(2) else { return };
    for round in 0..15 {
        let member = (1_i64 << 62) + round;
        let import =
            format!("action=MANUALADD&siteid=1&memberid={member}&username=n{round}&password=x");
        let add =
            format!("action=ADD&siteid=1&memberid={}&username=N{round}&password=y", 1_000 + round);
        let barrier = Barrier::new(2);
        let (imported, added) = std::thread::scope(|scope| {
            let imported = scope.spawn(|| {
                barrier.wait();
                two.apps[1].reply_to_operator(&import)
            });
            barrier.wait();
            let added = two.apps[0].post(&add);
            (imported.join().unwrap(), added)
        });
        assert!(added.starts_with("OK|"), "{added}");
        let was_first = added.contains("; until now the provisional member ");
        assert_eq!(imported.starts_with("OK|"), was_first, "{imported} {added}");
    }
    let members = "SELECT count(*), min(memberid), max(memberid) FROM member_auth";
    assert_eq!(two.apps[0].rows(members), ["15|1000|1014"]);
    two.check();
}

#[test]
fn a_member_who_is_forgotten_while_they_are_added_is_there_with_the_new_record_or_not_at_all() {
    let Some(two) = Receivers::start(2) else { return };
    let location = &two.apps[1].config.location;
    for member in 71..91 {
        let who = format!("siteid=1&memberid={member}&username=n{member}");
        two.apps[0].post(&format!("action=ADD&{who}&password=x&email=first%40example.com"));
        two.apps[0].post(&format!("action=DELETE&{who}"));
        let key = Key {
            site: SiteId::parse("1").unwrap(),
            member: MemberId::parse(&member.to_string()).unwrap(),
        };
        let barrier = Barrier::new(2);
        let added = std::thread::scope(|scope| {
            scope.spawn(|| {
                let person =
                    personal::find(&*open_reader(location).unwrap(), key, None, |_| ()).unwrap();
                barrier.wait();
                with_engine(location, false, |engine| {
                    personal::forget(engine, &person, || NOON.into()).unwrap()
                })
                .unwrap();
            });
            barrier.wait();
            two.apps[0].post(&format!("action=ADD&{who}&password=y&email=second%40example.com"))
        });
        assert!(added.starts_with("OK|"), "{added}");
        let rows = two.apps[0].rows(&format!(
            "SELECT email FROM member_auth WHERE memberid = {member} UNION ALL SELECT email FROM \
             former_member WHERE memberid = {member}"
        ));
        let records =
            two.apps[0].rows(&format!("SELECT count(*) FROM journal WHERE memberid = {member}"));
        match rows.as_slice() {
            [email] => assert_eq!((email.as_str(), &*records[0]), ("second@example.com", "1")),
            [] => assert_eq!(records, ["0"]),
            _ => panic!("{rows:?}"),
        }
        let first = "SELECT count(*) FROM journal WHERE fields LIKE '%first%'";
        assert_eq!(two.apps[0].rows(first), ["0"], "what was stored before is gone");
    }
    let forgotten = "SELECT count(*) FROM journal WHERE reply LIKE '%was forgotten'";
    assert_eq!(two.apps[0].rows(forgotten), ["20"]);
    // The numbers of shapes, which the journal's fields begin with, are given out again by a
    // replay.
    let location = two.database.location();
    check_database(&location);
    let dir = temp_dir();
    let vault = Vault::load(&two.apps[0].config.data_dir.seal_key()).unwrap();
    let again = replay(dir.path(), "again.db", &location, &vault, false, NOON).unwrap();
    let rows = |location: &Location| -> Vec<String> {
        dump(location).into_iter().filter(|row| !row.starts_with("journal|")).collect()
    };
    assert_eq!(rows(&again.location), rows(&location));
}

/// A postback that got this reply.
struct Said {
    number: usize,
    member: usize,
    reply: String,
}

/// One sender, who sends the next postback after the reply to the last.
struct Sender {
    dice: Dice,
    /// Numbers its postbacks from here on.
    next: usize,
    said: Vec<Said>,
    /// What was answered with "nothing was changed".
    refused: Vec<usize>,
}

impl Sender {
    fn postback(&mut self, number: usize) -> (usize, String) {
        let member = 71 + self.dice.below(4);
        let name = NAMES[self.dice.below(NAMES.len())];
        let rest = match self.dice.below(10) {
            0..=2 => format!("ADD&username={name}&password=p{number}"),
            3 => format!("ACTIVATE&username={name}"),
            4..=5 => format!("CHANGE&new_username={name}&new_password=p{number}"),
            6 => format!("CHANGE&new_email={number}%40example.com"),
            7 => "DELETE".to_owned(),
            8 => "EXPIRE&expire=2026-06-01".to_owned(),
            _ => format!("TRIALTOFULL&username={name}"),
        };
        let site = 1 + self.dice.below(2);
        let member = member + 1_000 * site;
        (member, format!("siteid={site}&memberid={member}&memberidx=N:{number}&action={rest}"))
    }

    fn work(&mut self, address: SocketAddr) {
        let mut caller = Caller::connect(address).unwrap();
        for _ in 0..POSTBACKS {
            let number = self.next;
            self.next += 1;
            let (member, body) = self.postback(number);
            let response = caller.post(&body).unwrap();
            match response.status {
                200 => self.said.push(Said { number, member, reply: response.body }),
                503 if response.body.ends_with("nothing was changed") => self.refused.push(number),
                _ => panic!("{body}: {response:?}"),
            }
        }
    }
}

/// The number that a record's postback had.
fn number_of(record: &StoredRecord) -> usize {
    let fields = form_of(&record.fields);
    let (_, value) = fields.iter().find(|(name, _)| name == "memberidx").unwrap();
    value.strip_prefix("N:").unwrap().parse().unwrap()
}

fn form_of(text: &str) -> Vec<(String, String)> {
    serde_urlencoded::from_str(text).unwrap()
}

/// In any order of postbacks, what was acknowledged is in the database once, with the same reply,
/// and for each member in the order in which each sender got the replies.
fn compare_with_the_journal(app: &App, senders: &[Sender]) {
    let mut records: HashMap<usize, (usize, StoredRecord)> = HashMap::new();
    let reader = open_reader(&app.config.location).unwrap();
    let mut place = 0;
    pages::each_record(&*reader, &JournalFilter::default(), |record| {
        place += 1;
        let before = records.insert(number_of(record), (place, record.clone()));
        assert!(before.is_none(), "twice in the journal: {record:?}");
        Ok::<_, Fault>(())
    })
    .unwrap();
    let said: usize = senders.iter().map(|sender| sender.said.len()).sum();
    assert_eq!(records.len(), said, "records, and postbacks that were acknowledged");
    for sender in senders {
        for number in &sender.refused {
            assert!(!records.contains_key(number), "refused and in the journal: {number}");
        }
        let mut last: HashMap<usize, usize> = HashMap::new();
        for Said { number, member, reply } in &sender.said {
            let Some((place, record)) = records.get(number) else {
                panic!("acknowledged and not in the journal: {number} {reply}")
            };
            assert_eq!(&record.reply, reply, "{number}");
            let before = last.insert(*member, *place);
            assert!(before < Some(*place), "member {member}: {number} before what came earlier");
        }
    }
}

fn post_at_random(apps: &[App], check: impl Fn()) {
    let rounds = number("RECEIVER_ROUNDS").unwrap_or(ROUNDS);
    let seed = number("RECEIVER_SEED").unwrap_or(1);
    eprintln!("{rounds} rounds, RECEIVER_SEED={seed}");
    let mut senders: Vec<Sender> = (0..apps.len() * THREADS)
        .map(|thread| Sender {
            dice: Dice((seed * 1_000 + thread) as u64),
            next: (thread + 1) * 1_000_000,
            said: Vec::new(),
            refused: Vec::new(),
        })
        .collect();
    for _ in 0..rounds {
        std::thread::scope(|scope| {
            for (index, sender) in senders.iter_mut().enumerate() {
                let address = apps[index % apps.len()].address;
                scope.spawn(move || sender.work(address));
            }
            // Each receiver hashes what any of them has sealed.
            apps.iter().for_each(|app| {
                scope.spawn(|| app.harden_despite(10));
            });
        });
        compare_with_the_journal(&apps[0], &senders);
        check();
    }
    let words = |word: &str| {
        let said = senders.iter().flat_map(|sender| &sender.said);
        said.filter(|said| said.reply.starts_with(word)).count()
    };
    let (done, refused) = (words("OK|"), words("ERROR|"));
    let unavailable: usize = senders.iter().map(|sender| sender.refused.len()).sum();
    eprintln!("{done} OK, {refused} ERROR, {unavailable} 503");
    assert!(done > 20 && refused > 20, "{done} OK and {refused} ERROR show little");
}

#[test]
fn whatever_is_posted_at_random_to_three_receivers_each_reply_is_in_the_journal_and_it_replays() {
    let Some(three) = Receivers::start(3) else { return };
    post_at_random(&three.apps, || {
        three.check();
        let names = "SELECT siteid, count(*) - count(DISTINCT username_key) FROM member_auth GROUP \
            BY siteid HAVING count(*) <> count(DISTINCT username_key)";
        let beside = Beside::open(&three.apps[0].config.location);
        assert_eq!(beside.rows(names), [""; 0], "a name that two members hold");
    });
}

/// What is checked must hold of one receiver, which has one writer.
#[test]
fn whatever_is_posted_at_random_to_one_receiver_each_reply_is_in_the_journal() {
    let app = App::start();
    assert_eq!(app.now(), NOON);
    post_at_random(std::slice::from_ref(&app), || ());
}
