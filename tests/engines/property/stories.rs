//! Stories: settings and postbacks, and between them time passes and passwords are hashed. Most
//! values are usual, and some are not.

use proptest::prelude::*;
use proptest::sample::select;

use crate::engines::model::{CRYPTPASSES, FIRST_PROVISIONAL, text_of};

const STEPS_MAX: usize = 40;

const DAY: i64 = 86_400;

/// The first memberids from [`FIRST_PROVISIONAL`] on.
const PROVISIONAL: [&str; 3] =
    ["4611686018427387904", "4611686018427387905", "4611686018427387906"];

/// Zones without summer time, with their seconds east of UTC.
const ZONES: [(&str, i64); 3] =
    [("UTC", 0), ("Asia/Tokyo", 9 * 3_600), ("America/Phoenix", -7 * 3_600)];

#[derive(Clone, Debug)]
pub struct Story {
    pub zone: (&'static str, i64),
    pub grace_hours: i64,
    pub keep_cryptpass: bool,
    pub bcrypt: bool,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub enum Step {
    Post {
        fields: Vec<Option<(&'static str, Text)>>,
        twice: bool,
    },
    /// By the operator: what an import or a command does with provisional members.
    ByOperator(Vec<Option<(&'static str, Text)>>),
    /// Moves the clock forward by these seconds.
    Wait(i64, Tick),
    /// Moves the clock to the next noted expiry, or this many seconds after it.
    WaitForExpiry(i64, Tick),
    /// Hashes all sealed passwords.
    Harden,
    /// Hashes some of the sealed passwords (those whose bit is set, the newest first). The hashes
    /// are written at the next `PutHashes`. Changes of a row in between must be kept.
    HashSome(u8),
    /// The member of site 1 logs in while the other kind of hash is configured. The new hash is
    /// written at the next `PutHashes`, too.
    Rehash(i64),
    PutHashes,
}

/// Whether the writer moves expired members before the next postback.
pub type Tick = bool;

#[derive(Clone, Debug)]
pub enum Text {
    Plain(&'static str),
    Long(usize),
    /// A number of seconds from the current time.
    Moment(i64, Form),
}

#[derive(Clone, Copy, Debug)]
pub enum Form {
    Unix,
    DateTime,
    Date,
}

impl Text {
    pub fn at(&self, now: i64, zone_seconds: i64) -> String {
        match self {
            Text::Plain(text) => (*text).to_owned(),
            Text::Long(bytes) => "x".repeat(*bytes),
            Text::Moment(ahead, Form::Unix) => (now + ahead).to_string(),
            Text::Moment(ahead, Form::DateTime) => text_of(now + ahead + zone_seconds),
            Text::Moment(ahead, Form::Date) => text_of(now + ahead + zone_seconds)[..10].to_owned(),
        }
    }
}

pub fn stories() -> impl Strategy<Value = Story> {
    let settings =
        (select(&ZONES[..]), select(&[0, 0, 1, 36][..]), any::<bool>(), prop::bool::weighted(0.1));
    (settings, prop::collection::vec(steps(), 1..=STEPS_MAX)).prop_map(
        |((zone, grace_hours, keep_cryptpass, bcrypt), steps)| Story {
            zone,
            grace_hours,
            keep_cryptpass,
            bcrypt,
            steps,
        },
    )
}

fn steps() -> impl Strategy<Value = Step> {
    let post = (postbacks(), prop::bool::weighted(0.25))
        .prop_map(|(fields, twice)| Step::Post { fields, twice });
    let by_operator = of_provisional().prop_map(Step::ByOperator);
    let wait = (select(&[1, 59, 3_600, DAY, 41 * DAY][..]), any::<bool>())
        .prop_map(|(seconds, tick)| Step::Wait(seconds, tick));
    let expiry = (select(&[-1, 0, 1][..]), any::<bool>())
        .prop_map(|(past, tick)| Step::WaitForExpiry(past, tick));
    let hash = any::<u8>().prop_map(Step::HashSome);
    let rehash = select(&[71, 72, 73, FIRST_PROVISIONAL][..]).prop_map(Step::Rehash);
    prop_oneof![
        24 => post,
        6 => by_operator,
        1 => wait,
        2 => expiry,
        1 => Just(Step::Harden),
        2 => hash,
        2 => rehash,
        2 => Just(Step::PutHashes)
    ]
}

type Field = BoxedStrategy<Option<(&'static str, Text)>>;

/// A parameter that is present with this percentage. Its value is mostly a usual one, sometimes an
/// odd one.
fn field(name: &'static str, percent: u32, usual: &[&'static str], odd: &[Text]) -> Field {
    let usual: Vec<_> = usual.iter().map(|text| Text::Plain(text)).collect();
    let odd = [odd, &[Text::Plain("")]].concat();
    let value = prop_oneof![24 => select(usual), 1 => select(odd)];
    prop::option::weighted(f64::from(percent) / 100.0, value.prop_map(move |value| (name, value)))
        .boxed()
}

fn moment(name: &'static str, percent: u32) -> Field {
    let ahead = select(&[-30 * DAY, -DAY, -1, 0, 1, 60, 3_600, DAY, 40 * DAY][..]);
    let form = select(&[Form::Unix, Form::DateTime, Form::Date][..]);
    let odd = [
        "",
        "0",
        "0000-00-00",
        "0000-00-00 00:00:00",
        "1970-01-01",
        "1970-01-02 23:59:59",
        "1969-12-31",
        "-0001-11-30 00:00:00",
        "-1",
        "86399",
        "172800",
        "tomorrow",
        "12345678",
        "2026-02-30",
        "2026-06-15 24:00:00",
    ];
    let odd = select(odd.map(Text::Plain).to_vec());
    let moment = (ahead, form).prop_map(|(ahead, form)| Text::Moment(ahead, form));
    let value = prop_oneof![12 => moment, 1 => odd];
    prop::option::weighted(f64::from(percent) / 100.0, value.prop_map(move |value| (name, value)))
        .boxed()
}

pub fn postbacks() -> impl Strategy<Value = Vec<Option<(&'static str, Text)>>> {
    let action = |word| select(vec![Some(("action", Text::Plain(word)))]).boxed();
    let add = |word| [vec![action(word)], who(98), credentials(70, 35, 3), record()].concat();
    let activate = [vec![action("ACTIVATE")], who(98), credentials(35, 20, 3), record()].concat();
    let to_full = [vec![action("TRIALTOFULL")], who(75), credentials(35, 20, 3), record()].concat();
    let change =
        [vec![action("CHANGE")], who(60), news(), credentials(15, 15, 3), record()].concat();
    let delete = [vec![action("DELETE")], who(60), credentials(30, 15, 3), record()].concat();
    let expire = [
        vec![action("EXPIRE")],
        who(60),
        credentials(20, 15, 3),
        record(),
        vec![moment("expire", 85)],
    ]
    .concat();
    let check = [vec![action("CHECK")], who(97)].concat();
    let unknown = [
        vec![field("action", 60, &["UPGRADE", "add"], &[])],
        who(98),
        credentials(70, 35, 3),
        record(),
    ]
    .concat();
    prop_oneof![
        10 => add("ADD"),
        3 => add("MANUALADD"),
        7 => activate,
        4 => to_full,
        8 => change,
        7 => delete,
        7 => expire,
        3 => check,
        2 => unknown,
    ]
}

/// Provisional members come by an import, and may leave again before NATS names them.
fn of_provisional() -> impl Strategy<Value = Vec<Option<(&'static str, Text)>>> {
    let action = |word| select(vec![Some(("action", Text::Plain(word)))]).boxed();
    let who = |username| {
        vec![
            field("siteid", 99, &["1", "1", "1", "2"], &[]),
            field("memberid", 99, &PROVISIONAL, &[]),
            field("username", username, &["bob", "BOB", "ann", "ann b", "zo\u{e9}"], &[]),
        ]
    };
    let add = [vec![action("MANUALADD")], who(99), credentials(70, 60, 3), record()].concat();
    let back = [vec![action("ACTIVATE")], who(99), credentials(30, 3, 3)].concat();
    let delete = [vec![action("DELETE")], who(50)].concat();
    let expire = [vec![action("EXPIRE")], who(50), vec![moment("expire", 99)]].concat();
    prop_oneof![8 => add, 1 => back, 2 => delete, 2 => expire]
}

fn who(username_percent: u32) -> Vec<Field> {
    let bad = ["0", "-1", "+1", "7x", "9223372036854775808", "1.0", PROVISIONAL[0]];
    let bad = bad.map(Text::Plain);
    let names = ["bob", "BOB", "bob", "ann", "ann b", "zoé", "ZOE\u{301}", " bo\u{200b}b", "ann "];
    vec![
        // A repeated key. The last value counts.
        field("username", 2, &["ghost"], &[]),
        field("siteid", 99, &["1", "1", "1", "2", "01"], &bad),
        field("memberid", 99, &["71", "72", "73", "0071"], &bad),
        field(
            "username",
            username_percent,
            &names,
            &[
                Text::Plain("a\nb"),
                Text::Plain("\u{200b} "),
                Text::Long(256),
                Text::Plain("\u{7f}"),
            ],
        ),
    ]
}

fn passwords() -> Vec<&'static str> {
    vec!["testtest", "password", "testPassword", "secret", "p+&=% é", "41R19prsa7NLQ"]
}

fn crypts() -> Vec<&'static str> {
    CRYPTPASSES.iter().map(|(crypt, _)| *crypt).collect()
}

fn credentials(password: u32, cryptpass: u32, unlisted: u32) -> Vec<Field> {
    vec![
        field("password", password, &passwords(), &[Text::Long(1025)]),
        field(
            "cryptpass",
            cryptpass,
            &crypts(),
            &[Text::Plain("nonsense"), Text::Plain("41R19prsa7NL")],
        ),
        field("favourite_colour", unlisted, &["mauve"], &[]),
    ]
}

fn record() -> Vec<Field> {
    vec![
        field("trial", 40, &["0", "1"], &[Text::Plain("2"), Text::Plain("yes"), Text::Plain("01")]),
        field("email", 30, &["a@example.com", "b@example.com"], &[]),
        field("biller", 20, &["CCBILL", "EPOCH"], &[]),
        field("memberidx", 30, &["CCBILL:7", "EPOCH:8"], &[]),
        field("session", 30, &["0123456789abcdef", "fedcba9876543210"], &[]),
        field("joined", 20, &["1499470416", "0"], &[Text::Plain("soon"), Text::Plain("-1")]),
        field("expires", 25, &["1499470416", "1900000000", "0"], &[Text::Plain("soon")]),
        field("new_username", 3, &["bob", "ann"], &[Text::Plain("a\nb")]),
        field("new_password", 3, &["secret"], &[]),
    ]
}

fn news() -> Vec<Field> {
    vec![
        field(
            "new_username",
            45,
            &["bob", "BOB", "ann", "ann b", "zoé"],
            &[Text::Plain("a\nb"), Text::Plain("\u{200b} "), Text::Long(256)],
        ),
        field("new_password", 35, &passwords(), &[Text::Long(1025)]),
        field(
            "new_cryptpass",
            25,
            &crypts(),
            &[Text::Plain("nonsense"), Text::Plain("$apr1$jkwHRKR.$mOGBu0YQ7BH8pjDL7FTzq.")],
        ),
        field("new_email", 25, &["c@example.com", "a@example.com"], &[]),
        field("new_trial", 25, &["0", "1"], &[Text::Plain("2")]),
    ]
}
