//! Runs a story on the program and on the model, and compares both after every step.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;

use nats_userman::action::Standing;
use nats_userman::identity::{Key, MemberId, SiteId};
use nats_userman::member::Member;
use nats_userman::password::{Password, Stored, Vault};
use nats_userman::store::{Location, open_reader};
use sha2::{Digest as _, Sha256};

use super::stories::{Step, Story, Text, Tick};
use super::subjects::Subject;
use crate::engines::model::{Expected, FIRST_PROVISIONAL, Model, Person, Settings, text_of};
use crate::support::{Beside, NOON, verify_member};

/// The passwords that are tried. DES crypt uses 8 bytes, so the second one matches wherever the
/// first one does. `testPass!` does too.
const TYPED: [&str; 8] = [
    "testtest",
    "testtest and more",
    "password",
    "Password",
    "testPassword",
    "testPass!",
    "secret",
    "p+&=% é",
];
const SITES: [i64; 2] = [1, 2];
const MEMBERS: [i64; 6] =
    [71, 72, 73, FIRST_PROVISIONAL, FIRST_PROVISIONAL + 1, FIRST_PROVISIONAL + 2];

/// The run of a story: the program, the model, and the transcript so far.
pub struct Run<'a> {
    pub subject: &'a mut dyn Subject,
    pub model: Model,
    pub now: i64,
    pub beside: Beside,
    pub said: String,
}

impl<'a> Run<'a> {
    pub fn new(subject: &'a mut dyn Subject, story: &Story) -> Self {
        let settings = Settings {
            keep_cryptpass: story.keep_cryptpass,
            zone_seconds: story.zone.1,
            grace_hours: story.grace_hours,
        };
        let beside = Beside::open(subject.location());
        let said = format!(
            "zone {}, grace {} h, keep-cryptpass {}, bcrypt {}\n",
            story.zone.0, story.grace_hours, story.keep_cryptpass, story.bcrypt
        );
        Self { subject, model: Model::new(settings), now: NOON, beside, said }
    }

    pub fn run(&mut self, steps: &[Step]) -> Result<(), String> {
        for step in steps {
            match step {
                Step::Post { fields, twice } => self.post(fields, *twice)?,
                Step::ByOperator(fields) => self.post_as_operator(fields)?,
                Step::Wait(seconds, tick) => self.wait_until(self.now + seconds, *tick),
                Step::WaitForExpiry(past, tick) => {
                    let next = self.model.here.iter().filter_map(|person| person.expire_at).min();
                    self.wait_until(next.map_or(self.now, |instant| instant + past), *tick);
                }
                Step::HashSome(which) => {
                    let _ =
                        writeln!(self.said, "(some of what is sealed is being hashed: {which:#b})");
                    self.subject.hash_some(*which);
                }
                Step::Rehash(member) => {
                    let _ = writeln!(
                        self.said,
                        "(member {member} of site 1 logs in while the other kind of hash is wanted)"
                    );
                    self.subject.rehash(key(1, *member), &TYPED);
                }
                Step::PutHashes => {
                    self.said.push_str("(what was hashed is put in)\n");
                    self.subject.put_hashes();
                    self.compare_passwords()?;
                }
                Step::Harden => {
                    self.said.push_str("(all that is sealed is hashed)\n");
                    self.subject.harden();
                    self.compare_rows()?;
                    self.compare_passwords()?;
                }
            }
        }
        self.compare_passwords()
    }

    pub fn wait_until(&mut self, then: i64, tick: Tick) {
        // The contract says nothing about a clock that is set back.
        self.now = self.now.max(then);
        let _ = writeln!(
            self.said,
            "(it is {}{})",
            text_of(self.now),
            if tick { ", and the writer looks" } else { "" }
        );
        self.subject.set_clock(self.now, tick);
        self.model.at(self.now);
    }

    fn sent(&self, fields: &[Option<(&'static str, Text)>]) -> Vec<(String, String)> {
        let text = |value: &Text| value.at(self.now, self.model.settings.zone_seconds);
        let given = fields.iter().flatten();
        given.map(|(name, value)| ((*name).to_owned(), text(value))).collect()
    }

    fn post_as_operator(&mut self, fields: &[Option<(&'static str, Text)>]) -> Result<(), String> {
        let sent = self.sent(fields);
        let body = serde_urlencoded::to_string(&sent).unwrap();
        let _ = writeln!(self.said, "> (by the operator) {}", shown(&sent));
        let reply = self.subject.post_as_operator(&body);
        let expected = self.model.post_as_operator(&sent, self.now);
        self.compare_reply(reply, &expected).map(|_| ())
    }

    fn post(&mut self, fields: &[Option<(&'static str, Text)>], twice: bool) -> Result<(), String> {
        let sent = self.sent(fields);
        let word = self.post_once(&sent)?;
        if twice {
            let rows = self.rows();
            let opened = self.opened();
            let again = self.post_once(&sent)?;
            self.same("the word of a postback sent again", &word, &again)?;
            self.same_lines("the rows after a postback sent again", &rows, &self.rows())?;
            self.same_lines(
                "who is opened by what after a postback sent again",
                &opened,
                &self.opened(),
            )?;
        }
        Ok(())
    }

    fn post_once(&mut self, sent: &[(String, String)]) -> Result<String, String> {
        let body = serde_urlencoded::to_string(sent).unwrap();
        let _ = writeln!(self.said, "> {}", shown(sent));
        let reply = self.subject.post(&body);
        let expected = self.model.post(sent, self.now);
        self.compare_reply(reply, &expected)
    }

    /// The word of the reply, which must be as expected, as must the rows.
    fn compare_reply(
        &mut self,
        reply: Result<String, String>,
        expected: &Expected,
    ) -> Result<String, String> {
        let reply = reply.map_err(|fault| format!("{}\n*** {fault}", self.said))?;
        let _ = writeln!(self.said, "< {reply}");
        let (word, sentence) =
            reply.split_once('|').ok_or_else(|| format!("{}\n*** no bar", self.said))?;
        self.same("the word", expected.word, word)?;
        let named =
            expected.names.is_empty() || expected.names.iter().any(|name| names(sentence, name));
        if !named {
            return Err(format!(
                "{}\n*** the reply should name one of {:?}",
                self.said, expected.names
            ));
        }
        self.compare_rows()?;
        Ok(word.to_owned())
    }

    pub fn same<T: PartialEq + std::fmt::Debug + ?Sized>(
        &self,
        what: &str,
        expected: &T,
        found: &T,
    ) -> Result<(), String> {
        if expected == found {
            return Ok(());
        }
        Err(format!("{}\n*** {what}\nexpected {expected:#?}\nfound    {found:#?}", self.said))
    }

    /// Compares lists of lines. Shows only the lines that are not in both.
    pub fn same_lines(
        &self,
        what: &str,
        expected: &[String],
        found: &[String],
    ) -> Result<(), String> {
        if expected == found {
            return Ok(());
        }
        let only = |these: &[String], those: &[String]| {
            these
                .iter()
                .filter(|line| !those.contains(line))
                .map(|line| format!("    {line}\n"))
                .collect::<String>()
        };
        let (expected, found) = (only(expected, found), only(found, expected));
        Err(format!("{}\n*** {what}\nexpected\n{expected}found\n{found}", self.said))
    }

    fn compare_rows(&self) -> Result<(), String> {
        self.same_lines("the rows", &self.expected_rows(), &self.rows())
    }

    /// Rows as another program sees them: an expired member counts as moved.
    fn rows(&self) -> Vec<String> {
        let columns = format!(
            "siteid, memberid, {}, email, trial, biller, session_sha256, joined, expires, \
             cryptpass",
            self.beside.username()
        );
        let now = self.now;
        let mut rows = self.beside.rows(&format!(
            "SELECT 'member', {columns}, expire_at, NULL FROM member_auth WHERE expire_at IS NULL \
             OR expire_at > {now}
             UNION ALL SELECT 'former', {columns}, reason, ended_at FROM former_member
             UNION ALL SELECT 'former', {columns}, 'expired', expire_at FROM member_auth WHERE \
             expire_at <= {now}"
        ));
        // In the order of the model, by their text.
        rows.sort();
        rows
    }

    fn expected_rows(&self) -> Vec<String> {
        let here = self
            .model
            .here
            .iter()
            .map(|person| line("member", person, &number(person.expire_at), ""));
        let gone = self
            .model
            .gone
            .iter()
            .map(|gone| line("former", &gone.person, gone.reason, &gone.ended_at.to_string()));
        let mut lines: Vec<_> = here.chain(gone).collect();
        lines.sort();
        lines
    }

    /// Which password matches which member, by the program.
    pub fn opened(&self) -> Vec<String> {
        opened(self.subject.location(), self.subject.vault(), self.now)
    }

    fn compare_passwords(&self) -> Result<(), String> {
        let expected = everybody(|site, member, typed| {
            let is = |person: &Person| {
                (person.site, person.member) == (site, member) && person.secret.opens(typed)
            };
            let here = self.model.here.iter().any(is);
            let gone = self.model.gone.iter().any(|gone| is(&gone.person));
            standing(here, gone)
        });
        self.same_lines("who is opened by what", &expected, &self.opened())
    }
}

/// A transcript for a reader, with long texts cut.
pub fn shown(sent: &[(String, String)]) -> String {
    let one = |(name, value): &(String, String)| match value.len() {
        0..=40 => format!("{name}={}", value.escape_debug()),
        bytes => format!("{name}=({bytes} bytes)"),
    };
    sent.iter().map(one).collect::<Vec<_>>().join("&")
}

/// Whether a sentence names this word. A number must stand alone. A parameter may be part of a
/// longer name: `new_username` is not `username`, but a sentence that names it is right.
fn names(sentence: &str, name: &str) -> bool {
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        return sentence.split(|c: char| !c.is_ascii_digit()).any(|number| number == name);
    }
    sentence.contains(name)
}

fn number(number: Option<i64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

fn line(table: &str, person: &Person, reason_or_expiry: &str, ended_at: &str) -> String {
    let session = person.session.as_ref().map(Sha256::digest);
    let session: String = session.iter().flatten().map(|byte| format!("{byte:02x}")).collect();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    [
        table,
        &person.site.to_string(),
        &person.member.to_string(),
        &person.name,
        &text(&person.email),
        &i64::from(person.trial).to_string(),
        &text(&person.biller),
        &session,
        &number(person.joined),
        &number(person.expires),
        &text(&person.kept_cryptpass),
        reason_or_expiry,
        ended_at,
    ]
    .join("|")
}

fn standing(here: bool, gone: bool) -> Option<&'static str> {
    match (here, gone) {
        (true, _) => Some("member"),
        (false, true) => Some("former"),
        (false, false) => None,
    }
}

/// A line for each member and each password that matches.
fn everybody(opens: impl Fn(i64, i64, &str) -> Option<&'static str>) -> Vec<String> {
    let mut lines = Vec::new();
    for (site, member) in SITES.into_iter().flat_map(|site| MEMBERS.map(|member| (site, member))) {
        for typed in TYPED {
            let table = opens(site, member, typed);
            lines.extend(table.map(|table| line_of(table, site, member, typed)));
        }
    }
    lines
}

fn line_of(table: &str, site: i64, member: i64, typed: &str) -> String {
    format!("{table} {member} of site {site}: {typed}")
}

fn key(site: i64, member: i64) -> Key {
    Key {
        site: SiteId::parse(&site.to_string()).unwrap(),
        member: MemberId::parse(&member.to_string()).unwrap(),
    }
}

thread_local! {
    /// The last credential of each member for which all passwords were tried, and which of them
    /// match. Most steps of a story change no credential.
    static TRIED: RefCell<HashMap<Key, (Stored, Vec<bool>)>> = RefCell::default();
}

/// Which password matches, by the real `verify`, for members and former members.
pub fn opened(location: &Location, vault: &Vault, now: i64) -> Vec<String> {
    let reader = open_reader(location).unwrap();
    let matching = |row: &Member| {
        let tried = TRIED.with_borrow(|tried| tried.get(&row.key).cloned());
        if let Some((stored, matching)) = tried
            && stored == row.credential.stored
        {
            return matching;
        }
        let is_right = |typed| verify_member(row, vault, &Password::parse(typed).unwrap()).unwrap();
        let matching: Vec<bool> = TYPED.into_iter().map(is_right).collect();
        let entry = (row.credential.stored.clone(), matching.clone());
        TRIED.with_borrow_mut(|tried| tried.insert(row.key, entry));
        matching
    };
    let mut lines = Vec::new();
    for (site, member) in SITES.into_iter().flat_map(|site| MEMBERS.map(|member| (site, member))) {
        let (matching, table) = match reader.standing(key(site, member), now).unwrap() {
            Standing::Here(row) => (matching(&row), "member"),
            Standing::Former(former) => (matching(&former.member), "former"),
            Standing::Lapsed(_) | Standing::Unknown => continue,
        };
        let right = TYPED.into_iter().zip(matching).filter(|(_, is_right)| *is_right);
        lines.extend(right.map(|(typed, _)| line_of(table, site, member, typed)));
    }
    lines
}
