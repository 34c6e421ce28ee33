//! A second implementation of the rules, for the property test. It was written from the contract
//! alone, without reading `action/`, and as simply as possible: two lists of people, linear search,
//! its own date arithmetic. It is slow and short, and should be read beside the contract.
//!
//! A reply is its first word and, for a refusal, what its sentence must name. The golden
//! transcripts check exact sentences.

/// DES crypt strings of NATS. For each, the beginning of its passwords: 8 bytes count.
pub const CRYPTPASSES: [(&str, &str); 3] =
    [("41R19prsa7NLQ", "testtest"), ("a4sLkn7C9GP12", "password"), ("d3695SDTr1h2k", "testPass")];

/// The parameters that were sent: names and values in clear text.
pub type Sent = [(String, String)];

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// `OK`, `NOTOK` or `ERROR`.
    pub word: &'static str,
    /// The sentence must contain one of these words; if there are none, any sentence is right.
    /// There are several words because two parameters can be wrong at once.
    pub names: Vec<String>,
}

/// The credential that a login is checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    Password(String),
    Cryptpass(String),
}

/// A member who may log in.
#[derive(Clone, Debug)]
pub struct Person {
    pub site: i64,
    pub member: i64,
    pub name: String,
    pub secret: Secret,
    pub kept_cryptpass: Option<String>,
    pub email: Option<String>,
    pub trial: bool,
    pub biller: Option<String>,
    pub session: Option<String>,
    pub joined: Option<i64>,
    pub expires: Option<i64>,
    pub expire_at: Option<i64>,
}

/// A former member.
#[derive(Clone, Debug)]
pub struct Gone {
    pub person: Person,
    pub reason: &'static str,
    pub ended_at: i64,
}

/// The operator's settings that the rules use.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub keep_cryptpass: bool,
    /// Seconds east of UTC, without summer time: the only kind of time zone that the model has.
    pub zone_seconds: i64,
    pub grace_hours: i64,
}

/// The memberids from here on are provisional: an import gives them to members whose memberid of
/// NATS is not known.
pub const FIRST_PROVISIONAL: i64 = 1 << 62;

/// The model: two lists.
#[derive(Clone, Debug)]
pub struct Model {
    pub settings: Settings,
    pub here: Vec<Person>,
    pub gone: Vec<Gone>,
    /// The highest memberid that the sender of the current postback may give.
    member_max: i64,
}

/// A parameter as it was sent.
enum Value<T> {
    /// Absent, or empty.
    NotGiven,
    Unreadable,
    Given(T),
}

impl<T> Value<T> {
    /// For an optional value: "any other unreadable value counts as not given".
    fn optional(self) -> Option<T> {
        match self {
            Value::Given(value) => Some(value),
            Value::NotGiven | Value::Unreadable => None,
        }
    }

    /// For a required value: its name is added to the list of what is wrong.
    fn needed(self, name: &str, wrong: &mut Vec<String>) -> Option<T> {
        let value = self.optional();
        if value.is_none() {
            wrong.push(name.to_owned());
        }
        value
    }
}

impl Secret {
    /// Whether this password is the right one.
    pub fn opens(&self, typed: &str) -> bool {
        match self {
            Secret::Password(password) => password == typed,
            Secret::Cryptpass(crypt) => {
                let eight = |text: &str| text.bytes().take(8).collect::<Vec<u8>>();
                CRYPTPASSES
                    .iter()
                    .any(|(known, plain)| known == crypt && eight(plain) == eight(typed))
            }
        }
    }
}

impl Model {
    pub fn new(settings: Settings) -> Self {
        let member_max = FIRST_PROVISIONAL - 1;
        Self { settings, here: Vec::new(), gone: Vec::new(), member_max }
    }

    /// "At that instant the member counts as not there in every rule and login."
    pub fn at(&mut self, now: i64) {
        while let Some(index) = self
            .here
            .iter()
            .position(|person| person.expire_at.is_some_and(|instant| instant <= now))
        {
            let person = self.here.remove(index);
            let instant = person.expire_at.unwrap();
            self.leave(person, "expired", instant);
        }
    }

    /// One postback of NATS that arrives now.
    pub fn post(&mut self, sent: &Sent, now: i64) -> Expected {
        self.member_max = FIRST_PROVISIONAL - 1;
        self.decide(sent, now)
    }

    /// A postback of the operator, as an import does it: it may name provisional members.
    pub fn post_as_operator(&mut self, sent: &Sent, now: i64) -> Expected {
        self.member_max = i64::MAX;
        self.decide(sent, now)
    }

    fn decide(&mut self, sent: &Sent, now: i64) -> Expected {
        self.at(now);
        let before = (self.here.clone(), self.gone.clone());
        let action = text(sent, "action");
        if action.as_deref() != Some("CHECK") {
            self.identify_provisional(sent);
        }
        let expected = match action.as_deref() {
            Some("ADD" | "MANUALADD") => self.add(sent),
            Some("ACTIVATE") => self.activate(sent),
            Some("TRIALTOFULL") => self.trial_to_full(sent),
            Some("CHANGE") => self.change(sent),
            Some("DELETE") => self.delete(sent, now),
            Some("EXPIRE") => self.expire(sent, now),
            Some("CHECK") => self.check(sent),
            Some(_) | None => error(["action"]),
        };
        // "If the postback gets an ERROR, the member stays provisional."
        if expected.word == "ERROR" {
            (self.here, self.gone) = before;
        }
        expected
    }

    /// "The first postback with the same site and username and another memberid says who the
    /// member is, whatever its action." The row gets that memberid.
    fn identify_provisional(&mut self, sent: &Sent) {
        let mut wrong = Vec::new();
        let site = id(sent, "siteid").needed("siteid", &mut wrong);
        let member = self.member_id(sent).needed("memberid", &mut wrong);
        let (Some(site), Some(member)) = (site, member) else { return };
        if member >= FIRST_PROVISIONAL {
            return;
        }
        let is_change = text(sent, "action").as_deref() == Some("CHANGE");
        let given = ["username", "new_username"].into_iter().take(if is_change { 2 } else { 1 });
        let names: Vec<String> = given.filter_map(|name| username(sent, name).optional()).collect();
        let holders = names.iter().filter_map(|name| self.holder(site, name));
        let holders: Vec<i64> = holders.filter(|&holder| holder >= FIRST_PROVISIONAL).collect();
        if let Some(&first) = holders.first() {
            let index = self.find(site, first).unwrap();
            let mut person = self.here.remove(index);
            // "If a member with that memberid is here already, they keep their row, and the
            // provisional row is removed."
            self.here.retain(|other| other.site != site || !holders.contains(&other.member));
            if self.find(site, member).is_none() {
                // "A row of former_member with that memberid is replaced."
                self.gone.retain(|gone| (gone.person.site, gone.person.member) != (site, member));
                person.member = member;
                self.here.push(person);
            }
            return;
        }
        // "A provisional member who has left is found too, if NATS's memberid has no row."
        let is_row = |person: &Person| (person.site, person.member) == (site, member);
        if self.here.iter().any(is_row) || self.gone.iter().any(|gone| is_row(&gone.person)) {
            return;
        }
        let last_with = |name: &String| {
            let is_one = |index: &usize| {
                let person = &self.gone[*index].person;
                person.site == site
                    && person.member >= FIRST_PROVISIONAL
                    && folded(&person.name) == folded(name)
            };
            let all = (0..self.gone.len()).filter(is_one);
            all.max_by_key(|&index| (self.gone[index].ended_at, -self.gone[index].person.member))
        };
        if let Some(index) = names.iter().find_map(last_with) {
            self.gone[index].person.member = member;
        }
    }

    fn member_id(&self, sent: &Sent) -> Value<i64> {
        match id(sent, "memberid") {
            Value::Given(number) if number > self.member_max => Value::Unreadable,
            value => value,
        }
    }

    fn add(&mut self, sent: &Sent) -> Expected {
        let mut wrong = Vec::new();
        let site = id(sent, "siteid").needed("siteid", &mut wrong);
        let member = self.member_id(sent).needed("memberid", &mut wrong);
        let name = username(sent, "username").needed("username", &mut wrong);
        let secret = secret(sent, "password", "cryptpass");
        if secret.is_none() {
            wrong.extend(["password".to_owned(), "cryptpass".to_owned()]);
        }
        let (Some(site), Some(member), Some(name), Some(secret)) = (site, member, name, secret)
        else {
            return error(wrong);
        };
        if let Some(holder) = self.other_holder(site, member, &name) {
            return error([holder.to_string()]);
        }
        match self.find(site, member) {
            Some(index) => self.take_over(index, sent, name),
            None => {
                // "insert, out of former_member if there": nothing of the old row is kept.
                self.gone.retain(|gone| (gone.person.site, gone.person.member) != (site, member));
                self.here.push(newcomer(site, member, &name, secret));
                self.take_over(self.here.len() - 1, sent, name);
            }
        }
        ok()
    }

    fn activate(&mut self, sent: &Sent) -> Expected {
        let mut wrong = Vec::new();
        let site = id(sent, "siteid").needed("siteid", &mut wrong);
        let member = self.member_id(sent).needed("memberid", &mut wrong);
        let name = username(sent, "username").needed("username", &mut wrong);
        let (Some(site), Some(member), Some(name)) = (site, member, name) else {
            return error(wrong);
        };
        if self.find(site, member).is_none() && !self.has_credential(site, member, sent) {
            return error_of_any_kind();
        }
        if let Some(holder) = self.other_holder(site, member, &name) {
            return error([holder.to_string()]);
        }
        self.restore_if_gone(site, member, sent, &name);
        let index = self.find(site, member).unwrap();
        self.take_over(index, sent, name);
        ok()
    }

    fn trial_to_full(&mut self, sent: &Sent) -> Expected {
        let mut wrong = Vec::new();
        let site = id(sent, "siteid").needed("siteid", &mut wrong);
        let member = self.member_id(sent).needed("memberid", &mut wrong);
        let (Some(site), Some(member)) = (site, member) else { return error(wrong) };
        if self.find(site, member).is_none() {
            let name = username(sent, "username").needed("username", &mut wrong);
            if !self.has_credential(site, member, sent) {
                return error_of_any_kind();
            }
            let Some(name) = name else { return error(wrong) };
            if let Some(holder) = self.other_holder(site, member, &name) {
                return error([holder.to_string()]);
            }
            self.restore_if_gone(site, member, sent, &name);
            let index = self.find(site, member).unwrap();
            self.take_over(index, sent, name);
        }
        let index = self.find(site, member).unwrap();
        self.here[index].trial = false;
        self.here[index].expire_at = None;
        ok()
    }

    fn change(&mut self, sent: &Sent) -> Expected {
        let mut wrong = Vec::new();
        let site = id(sent, "siteid").needed("siteid", &mut wrong);
        let member = self.member_id(sent).needed("memberid", &mut wrong);
        let new_name = username(sent, "new_username");
        let new_trial = trial(sent, "new_trial");
        if matches!(new_name, Value::Unreadable) {
            wrong.push("new_username".to_owned());
        }
        if matches!(new_trial, Value::Unreadable) {
            wrong.push("new_trial".to_owned());
        }
        // "A password change that cannot be made must not be answered OK". A cryptpass next to a
        // password is ignored.
        match (clear(sent, "new_password"), crypt(sent, "new_cryptpass")) {
            (Value::Unreadable, _) => wrong.push("new_password".to_owned()),
            (Value::NotGiven, Value::Unreadable) => wrong.push("new_cryptpass".to_owned()),
            _ => {}
        }
        let (Some(site), Some(member), true) = (site, member, wrong.is_empty()) else {
            return error(wrong);
        };
        let Some(index) = self.find(site, member) else { return error([member.to_string()]) };
        if let Value::Given(name) = &new_name
            && let Some(holder) = self.other_holder(site, member, name)
        {
            return error([holder.to_string()]);
        }
        self.take_credential(index, sent, "new_password", "new_cryptpass");
        let person = &mut self.here[index];
        person.name = new_name.optional().unwrap_or(person.name.clone());
        person.trial = new_trial.optional().unwrap_or(person.trial);
        person.email = text(sent, "new_email").or(text(sent, "email")).or(person.email.clone());
        ok()
    }

    fn delete(&mut self, sent: &Sent, now: i64) -> Expected {
        let mut wrong = Vec::new();
        let site = id(sent, "siteid").needed("siteid", &mut wrong);
        let member = self.member_id(sent).needed("memberid", &mut wrong);
        let (Some(site), Some(member)) = (site, member) else { return error(wrong) };
        if let Some(index) = self.find(site, member) {
            let person = self.here.remove(index);
            self.leave(person, "deleted", now);
        }
        ok()
    }

    fn expire(&mut self, sent: &Sent, now: i64) -> Expected {
        let mut wrong = Vec::new();
        let site = id(sent, "siteid").needed("siteid", &mut wrong);
        let member = self.member_id(sent).needed("memberid", &mut wrong);
        let expire = match self.instant(sent, "expire") {
            Value::NotGiven => self.instant(sent, "expires"),
            given => given,
        };
        // "expires" contains "expire", so a sentence that names either one is right.
        let instant = expire.needed("expire", &mut wrong);
        let (Some(site), Some(member), Some(instant)) = (site, member, instant) else {
            return error(wrong);
        };
        match self.find(site, member) {
            Some(index) if instant <= now => {
                let person = self.here.remove(index);
                self.leave(person, "expired", instant);
                ok()
            }
            Some(index) => {
                self.here[index].expire_at = Some(instant);
                ok()
            }
            None if instant <= now => ok(),
            None => error([member.to_string()]),
        }
    }

    fn check(&self, sent: &Sent) -> Expected {
        let mut wrong = Vec::new();
        let site = id(sent, "siteid").needed("siteid", &mut wrong);
        let name = username(sent, "username").needed("username", &mut wrong);
        let (Some(site), Some(name)) = (site, name) else { return error(wrong) };
        match self.holder(site, &name) {
            Some(_) => ok(),
            None => Expected { word: "NOTOK", names: Vec::new() },
        }
    }

    /// The index of a member in the list of members.
    pub fn find(&self, site: i64, member: i64) -> Option<usize> {
        self.here.iter().position(|person| (person.site, person.member) == (site, member))
    }

    fn holder(&self, site: i64, name: &str) -> Option<i64> {
        let holder = self
            .here
            .iter()
            .find(|person| person.site == site && folded(&person.name) == folded(name));
        holder.map(|person| person.member)
    }

    fn other_holder(&self, site: i64, member: i64, name: &str) -> Option<i64> {
        self.holder(site, name).filter(|&holder| holder != member)
    }

    fn has_credential(&self, site: i64, member: i64, sent: &Sent) -> bool {
        let kept =
            self.gone.iter().any(|gone| (gone.person.site, gone.person.member) == (site, member));
        kept || secret(sent, "password", "cryptpass").is_some()
    }

    /// Restores a member with the stored details, or else with those that were sent.
    fn restore_if_gone(&mut self, site: i64, member: i64, sent: &Sent, name: &str) {
        if self.find(site, member).is_some() {
            return;
        }
        let gone = self
            .gone
            .iter()
            .position(|gone| (gone.person.site, gone.person.member) == (site, member));
        let person = match gone {
            Some(index) => self.gone.remove(index).person,
            None => newcomer(site, member, name, secret(sent, "password", "cryptpass").unwrap()),
        };
        self.here.push(person);
    }

    /// "Take over what is given", for ADD, MANUALADD, ACTIVATE and a restore. They cancel a noted
    /// expiry.
    fn take_over(&mut self, index: usize, sent: &Sent, name: String) {
        self.take_credential(index, sent, "password", "cryptpass");
        let person = &mut self.here[index];
        person.name = name;
        person.expire_at = None;
        person.trial = trial(sent, "trial").optional().unwrap_or(person.trial);
        person.email = text(sent, "email").or(person.email.clone());
        person.biller = text(sent, "biller").or(text(sent, "memberidx")).or(person.biller.clone());
        person.session = text(sent, "session").or(person.session.clone());
        person.joined = number(sent, "joined").or(person.joined);
        person.expires = number(sent, "expires").or(person.expires);
    }

    /// Every postback with a password or a cryptpass sets the column `cryptpass`: to its cryptpass,
    /// or to nothing.
    fn take_credential(&mut self, index: usize, sent: &Sent, password: &str, cryptpass: &str) {
        let Some(given) = secret(sent, password, cryptpass) else { return };
        self.here[index].secret = given;
        self.here[index].kept_cryptpass =
            crypt(sent, cryptpass).optional().filter(|_| self.settings.keep_cryptpass);
    }

    fn leave(&mut self, mut person: Person, reason: &'static str, ended_at: i64) {
        person.expire_at = None;
        self.gone.push(Gone { person, reason, ended_at });
    }

    /// `YYYY-MM-DD`, `YYYY-MM-DD hh:mm:ss` or unix seconds of 9 to 11 digits, plus the grace.
    fn instant(&self, sent: &Sent, parameter: &str) -> Value<i64> {
        let Some(text) = text(sent, parameter) else { return Value::NotGiven };
        // "What PHP prints for no date: any date or number of seconds before 1970-01-03." Dates
        // with four-digit years can be compared as texts.
        let is_number =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let negative = text
            .strip_prefix('-')
            .is_some_and(|rest| is_number(rest) || unix_shape(rest).is_some());
        let early = if is_number(&text) {
            text.parse::<i64>().is_ok_and(|seconds| seconds < 172_800)
        } else {
            unix_shape(&text).is_some() && *text < *"1970-01-03"
        };
        if negative || early {
            return Value::NotGiven;
        }
        let instant =
            if text.bytes().all(|byte| byte.is_ascii_digit()) && (9..=11).contains(&text.len()) {
                text.parse::<i64>().ok()
            } else {
                unix_of(&text).map(|local| local - self.settings.zone_seconds)
            };
        instant.map_or(Value::Unreadable, |instant| {
            Value::Given(instant + self.settings.grace_hours * 3_600)
        })
    }
}

fn newcomer(site: i64, member: i64, name: &str, secret: Secret) -> Person {
    Person {
        site,
        member,
        name: name.to_owned(),
        secret,
        kept_cryptpass: None,
        email: None,
        trial: false,
        biller: None,
        session: None,
        joined: None,
        expires: None,
        expire_at: None,
    }
}

fn ok() -> Expected {
    Expected { word: "OK", names: Vec::new() }
}

fn error<T: Into<String>>(names: impl IntoIterator<Item = T>) -> Expected {
    Expected { word: "ERROR", names: names.into_iter().map(Into::into).collect() }
}

/// For a refusal that has several possible reasons.
fn error_of_any_kind() -> Expected {
    error::<String>([])
}

/// The last one of repeated keys counts. An empty value counts as not given.
fn text(sent: &Sent, name: &str) -> Option<String> {
    sent.iter()
        .rev()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.clone())
        .filter(|value| !value.is_empty())
}

fn read<T>(sent: &Sent, name: &str, parse: impl FnOnce(&str) -> Option<T>) -> Value<T> {
    match text(sent, name) {
        None => Value::NotGiven,
        Some(text) => parse(&text).map_or(Value::Unreadable, Value::Given),
    }
}

/// ASCII digits, 1 to 2^63-1.
fn id(sent: &Sent, name: &str) -> Value<i64> {
    read(sent, name, |text| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>().ok().filter(|&number| digits && number >= 1)
    })
}

/// 1 to 255 bytes without control characters, not empty when folded.
fn username(sent: &Sent, name: &str) -> Value<String> {
    let fits = |text: &str| {
        text.len() <= 255 && !text.chars().any(char::is_control) && !folded(text).is_empty()
    };
    read(sent, name, |text| fits(text).then(|| text.to_owned()))
}

/// The model knows the letters in its stories: one that has two normal forms, and one that is
/// invisible.
fn folded(name: &str) -> String {
    name.replace('\u{200b}', "")
        .replace("e\u{301}", "é")
        .replace("E\u{301}", "É")
        .trim()
        .to_lowercase()
}

fn trial(sent: &Sent, name: &str) -> Value<bool> {
    read(sent, name, |text| match text {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    })
}

/// Unix seconds as sent.
fn number(sent: &Sent, name: &str) -> Option<i64> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    read(sent, name, |text| text.parse().ok().filter(|_| digits(text))).optional()
}

/// The model knows the crypt strings in its list. Every other text counts as unreadable.
fn crypt(sent: &Sent, name: &str) -> Value<String> {
    read(sent, name, |text| {
        CRYPTPASSES.iter().any(|(known, _)| *known == text).then(|| text.to_owned())
    })
}

/// 1 to 1,024 bytes of anything.
fn clear(sent: &Sent, name: &str) -> Value<String> {
    read(sent, name, |text| (text.len() <= 1024).then(|| text.to_owned()))
}

/// "A cryptpass that came with a password is dropped."
fn secret(sent: &Sent, password: &str, cryptpass: &str) -> Option<Secret> {
    let given = clear(sent, password).optional();
    given.map(Secret::Password).or_else(|| crypt(sent, cryptpass).optional().map(Secret::Cryptpass))
}

/// Whether a text that looks like a date has a time; `None` for one that does not.
fn unix_shape(text: &str) -> Option<bool> {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    match shape.as_str() {
        "9999-99-99" => Some(false),
        "9999-99-99 99:99:99" => Some(true),
        _ => None,
    }
}

/// `YYYY-MM-DD` or `YYYY-MM-DD hh:mm:ss` as UTC, computed by counting single days.
fn unix_of(text: &str) -> Option<i64> {
    let with_time = unix_shape(text)?;
    let part = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap();
    let (year, month, day) = (part(0, 4), part(5, 7), part(8, 10));
    let (hour, minute, second) =
        if with_time { (part(11, 13), part(14, 16), part(17, 19)) } else { (0, 0, 0) };
    if !(1..=12).contains(&month)
        || day < 1
        || day > days_of(year, month)
        || hour > 23
        || minute > 59
        || second > 59
    {
        return None;
    }
    assert!(year >= 1970, "the model counts from 1970: {text}");
    let mut days = day - 1;
    for earlier in 1970..year {
        days += (1..=12).map(|month| days_of(earlier, month)).sum::<i64>();
    }
    days += (1..month).map(|month| days_of(year, month)).sum::<i64>();
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// The inverse: an instant as `YYYY-MM-DD hh:mm:ss` in UTC.
pub fn text_of(unix: i64) -> String {
    let (mut year, mut month, mut days) = (1970, 1, unix.div_euclid(86_400));
    while days >= days_of(year, month) {
        days -= days_of(year, month);
        (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    }
    let second = unix.rem_euclid(86_400);
    format!(
        "{year:04}-{month:02}-{:02} {:02}:{:02}:{:02}",
        days + 1,
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

fn days_of(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[test]
fn the_model_counts_days_as_the_calendar_does() {
    for (text, unix) in [
        ("1970-01-01", 0),
        ("2000-03-01", 951_868_800),
        ("2026-06-15 12:00:00", 1_781_524_800),
        ("2028-02-29 23:59:59", 1_835_481_599),
        ("2100-03-01", 4_107_542_400),
    ] {
        assert_eq!(unix_of(text), Some(unix), "{text}");
        assert!(text_of(unix).starts_with(text), "{text}: {}", text_of(unix));
    }
    for text in [
        "2026-02-29",
        "2026-13-01",
        "2026-06-15T12:00:00",
        "2026-06-15 24:00:00",
        "tomorrow",
        "12345678",
    ] {
        assert_eq!(unix_of(text), None, "{text}");
    }
}
