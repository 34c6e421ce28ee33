//! Golden transcripts: `tests/golden/*.txt`, a story per file, posted to the app over HTTP.
//!
//! ```text
//! # a comment
//! $ --time-zone Europe/Berlin     starts the service with these flags, on the same data
//! @ 2026-06-20 00:00:00           sets the clock (UTC); moves no expired member by itself
//! > action=CHECK&siteid=1         a postback, urlencoded; further `>` lines continue it
//! < OK|...                        its reply, byte for byte
//! + action=MANUALADD&siteid=1     the operator's own, as `import` makes it: once, and always OK
//! in 1/71 secret                  member 71 of site 1 can log in with this password ...
//! out 1/71 Secret                 ... and not with this one
//! harden                          hashes all sealed passwords
//! remember password 1/71          remembers the value of the column, and ...
//! unchanged password 1/71         ... compares it
//! member_auth | siteid | memberid   the whole table in these columns (of the journal: the records
//!             | 1      | 71         since it was last shown); `-` is NULL; `form` is the form of a
//!                                   credential, `kind` the beginning of its hash
//! ```
//!
//! `{x*255}` stands for 255 times x. Each story is also run with every postback sent twice, because
//! a repeated postback must change nothing (promise 2). All stories run on every engine.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use nats_userman::store::{JournalFilter, open_reader};

use crate::ENGINES;
use crate::support::{App, Beside, EngineKind};

/// The name of each test is the first sentence of its story.
macro_rules! stories {
    ($($test:ident: $file:literal,)*) => {
        $(#[test]
        fn $test() {
            tell_on_every_engine($file, Telling::Once);
        })*

        #[test]
        fn every_transcript_is_told() {
            let mut files: Vec<String> =
                fs::read_dir(golden())
                    .unwrap()
                    .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                    .collect();
            files.sort_unstable();
            let mut told = vec![$($file),*];
            told.sort_unstable();
            assert_eq!(files, told);
        }

        #[test]
        fn every_story_ends_the_same_when_each_postback_is_sent_twice() {
            for file in [$($file),*] {
                tell_on_every_engine(file, Telling::Twice);
            }
        }
    };
}

stories! {
    nothing_but_the_eight_words_is_an_action: "actions.txt",
    activate_brings_a_member_back: "activate.txt",
    add_inserts_takes_over_and_brings_back: "add.txt",
    change_takes_whichever_new_values_are_given: "change.txt",
    check_says_ok_when_a_name_is_taken: "check.txt",
    a_cryptpass_counts_where_it_comes_alone: "cryptpass.txt",
    delete_moves_a_member_to_former_member: "delete.txt",
    an_empty_value_counts_as_not_given: "empty_values.txt",
    expire_acts_on_a_date_behind_and_notes_one_ahead: "expire.txt",
    a_noted_expiry_happens_by_itself_at_its_instant: "expire_by_itself.txt",
    whoever_pays_lifts_a_noted_expiry: "expire_lifted.txt",
    a_date_begins_in_the_operators_zone: "expire_zones.txt",
    the_journal_says_what_nats_said_and_what_was_done: "journal.txt",
    the_cryptpass_column_follows_with_keep_cryptpass: "keep_cryptpass.txt",
    no_two_members_of_a_site_share_a_name: "names.txt",
    a_provisional_member_gets_the_memberid_that_nats_gives_the_name: "provisional.txt",
    a_late_postback_takes_nothing_with_the_stale_guard: "stale.txt",
    nats3_sends_few_parameters: "nats3.txt",
    nats4_sends_the_whole_record: "nats4.txt",
    a_repeated_postback_changes_nothing_and_gets_the_same_word: "repeats.txt",
    a_reply_is_one_line_of_printable_ascii: "replies.txt",
    trialtofull_makes_and_brings_back_full_members: "trial_to_full.txt",
    a_password_that_bcrypt_cannot_hold_counts_whole: "long_passwords.txt",
    two_sites_know_nothing_of_each_other: "two_sites.txt",
    values_have_bounds_and_unreadable_ones_are_passed_over: "values.txt",
}

/// Around the number of a record whose fields are looked up.
const FIELDS: &str = "<fields>";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Telling {
    Once,
    Twice,
}

/// One step: a line, or several lines that belong together.
enum Step {
    Flags(Vec<String>),
    Clock(String),
    Postback { body: String, reply: String },
    Operator(String),
    Login { site: i64, member: i64, password: String, opens: bool },
    Harden,
    Remember(String),
    Unchanged(String),
    Table { name: String, columns: Vec<String>, rows: Vec<String> },
}

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn tell_on_every_engine(file: &str, telling: Telling) {
    ENGINES.into_iter().for_each(|engine| tell(engine, file, telling));
}

fn tell(engine: EngineKind, file: &str, telling: Telling) {
    let text = fs::read_to_string(golden().join(file)).unwrap();
    let Some(app) = App::start_on_engine(engine, &[]) else { return };
    let mut stage = Stage {
        app,
        engine,
        telling,
        remembered: HashMap::new(),
        journal_seen: 0,
        wrong: Vec::new(),
    };
    for (line, step) in read(&text) {
        let found = stage.wrong.len();
        stage = stage.act(step);
        for wrong in &mut stage.wrong[found..] {
            *wrong = format!("{file}:{line}, {engine:?}: {wrong}");
        }
    }
    assert!(stage.wrong.is_empty(), "\n{}\n", stage.wrong.join("\n"));
}

/// The steps of a transcript with their line numbers.
fn read(text: &str) -> Vec<(usize, Step)> {
    let mut steps: Vec<(usize, Step)> = Vec::new();
    let mut body = String::new();
    for (index, line) in text.lines().enumerate() {
        let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
        let step = match mark {
            "" if rest.trim_start().starts_with('|') => {
                let Some((_, Step::Table { rows, .. })) = steps.last_mut() else {
                    panic!("line {}: a row of what?", index + 1)
                };
                rows.push(cells(rest.trim_start().trim_start_matches('|')).join("|"));
                continue;
            }
            "" | "#" => continue,
            ">" => {
                body.push_str(&unfold(rest));
                continue;
            }
            "<" => Step::Postback { body: std::mem::take(&mut body), reply: unfold(rest) },
            "+" => Step::Operator(unfold(rest)),
            "$" => Step::Flags(rest.split(' ').map(str::to_owned).collect()),
            "@" => Step::Clock(rest.to_owned()),
            "in" | "out" => login(rest, mark == "in"),
            "harden" => Step::Harden,
            "remember" => Step::Remember(rest.to_owned()),
            "unchanged" => Step::Unchanged(rest.to_owned()),
            "member_auth" | "former_member" | "journal" => {
                let columns = cells(rest.trim_start_matches([' ', '|']));
                Step::Table { name: mark.to_owned(), columns, rows: Vec::new() }
            }
            other => panic!("line {}: what is {other:?}?", index + 1),
        };
        assert!(body.is_empty(), "line {}: a postback without a reply", index + 1);
        steps.push((index + 1, step));
    }
    steps
}

fn login(rest: &str, opens: bool) -> Step {
    let (who, password) = rest.split_once(' ').unwrap();
    let (site, member) = who.split_once('/').unwrap();
    Step::Login {
        site: site.parse().unwrap(),
        member: member.parse().unwrap(),
        password: unfold(password),
        opens,
    }
}

fn cells(row: &str) -> Vec<String> {
    row.split('|').map(|cell| unfold(cell.trim())).collect()
}

/// Expands `{x*255}`.
fn unfold(text: &str) -> String {
    let folded = || {
        let (before, rest) = text.split_once('{')?;
        let (inner, after) = rest.split_once('}')?;
        let (piece, times) = inner.rsplit_once('*')?;
        Some(format!("{before}{}{}", piece.repeat(times.parse().ok()?), unfold(after)))
    };
    folded().unwrap_or_else(|| text.to_owned())
}

struct Stage {
    app: App,
    engine: EngineKind,
    telling: Telling,
    remembered: HashMap<String, Vec<String>>,
    journal_seen: i64,
    wrong: Vec<String>,
}

impl Stage {
    fn act(mut self, step: Step) -> Self {
        match step {
            Step::Flags(flags) => return self.start_anew(&flags),
            Step::Clock(moment) => self.app.set_unix_unnoticed(
                nats_userman::clock::parse_moment(&moment, &nats_userman::clock::Zone::UTC)
                    .unwrap(),
            ),
            Step::Postback { body, reply } => self.post(&body, reply),
            Step::Operator(body) => self.app.post_as_operator(&body),
            Step::Login { site, member, password, opens } => {
                let found = self.app.opens(site, member, &password);
                self.expect(format!("opens: {opens}"), format!("opens: {found}"));
            }
            Step::Harden => self.app.harden(),
            Step::Remember(what) => {
                let found = self.look_at(&what);
                self.remembered.insert(what, found);
            }
            Step::Unchanged(what) => {
                let found = self.look_at(&what).join("");
                self.expect(self.remembered[&what].join(""), found);
            }
            Step::Table { name, columns, rows } => self.show(&name, &columns, &rows),
        }
        self
    }

    fn start_anew(mut self, flags: &[String]) -> Self {
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        self.app = self.app.restart(&flags);
        self
    }

    fn post(&mut self, body: &str, reply: String) {
        let found = self.app.post(body);
        if self.telling == Telling::Twice {
            let rows = self.all_rows();
            let again = self.app.post(body);
            let word = |line: &str| line.split('|').next().map(str::to_owned);
            if word(&again) != word(&found) {
                self.wrong.push(format!(
                    "sent twice, the word is another one:\n    once:     \
                    {found}\n    again:    {again}"
                ));
            }
            let rows_again = self.all_rows();
            self.expect(rows, rows_again);
        }
        self.expect(reply, found);
    }

    /// Both tables of members, with all columns.
    fn all_rows(&self) -> String {
        self.app.tick();
        let beside = Beside::open(&self.app.config.location);
        let mut rows = beside.dump("member_auth", "siteid, memberid", &[]);
        rows.extend(beside.dump("former_member", "siteid, memberid", &[]));
        rows.join("\n              ")
    }

    /// `password 1/71`: a column of a member's row.
    fn look_at(&self, what: &str) -> Vec<String> {
        let (column, who) = what.split_once(' ').unwrap();
        let (site, member) = who.split_once('/').unwrap();
        self.app.rows(&format!(
            "SELECT {column} FROM member_auth WHERE siteid = {site} AND memberid = {member}"
        ))
    }

    fn show(&mut self, name: &str, columns: &[String], rows: &[String]) {
        let order = match (name, self.telling) {
            // Each postback then has two records.
            ("journal", Telling::Twice) => return,
            ("journal", Telling::Once) => format!("WHERE id > {} ORDER BY id", self.journal_seen),
            _ => "ORDER BY siteid, memberid".to_owned(),
        };
        // Expired members are moved within a second. This call replaces that second.
        self.app.tick();
        let columns: Vec<String> = columns
            .iter()
            .map(|column| format!("COALESCE({}, '-')", self.expression(name, column)))
            .collect();
        let table = match (name, self.engine) {
            ("journal", EngineKind::Sqlite) => "journal_text",
            _ => name,
        };
        let found = self.app.rows(&format!("SELECT {} FROM {table} {order}", columns.join(", ")));
        let found: Vec<String> = found.into_iter().map(|row| self.with_fields(row)).collect();
        let found: Vec<String> = found.iter().map(|row| cells(row).join("|")).collect();
        self.expect(rows.join("\n              "), found.join("\n              "));
        if name == "journal" {
            self.journal_seen = self.app.rows("SELECT max(id) FROM journal")[0].parse().unwrap();
        }
    }

    /// How a column is shown: instants as dates, bytes as digits, credentials as the name of their
    /// form.
    fn expression(&self, table: &str, column: &str) -> String {
        match (column, self.engine) {
            ("at" | "expire_at" | "ended_at", EngineKind::Sqlite) => {
                format!("datetime({column}, 'unixepoch')")
            }
            ("at" | "expire_at" | "ended_at", EngineKind::MariaDb) => format!(
                "DATE_FORMAT(TIMESTAMPADD(SECOND, {column}, '1970-01-01'), '%Y-%m-%d %H:%i:%s')"
            ),
            ("username", EngineKind::MariaDb) if table != "journal" => "username_sent".to_owned(),
            ("fields", EngineKind::MariaDb) => {
                format!("CONCAT('{FIELDS}', id, '{FIELDS}')")
            }
            ("session_sha256", _) => format!("NULLIF(lower(hex({column})), '')"),
            ("form", _) => "CASE WHEN sealed IS NOT NULL THEN 'sealed' WHEN password IS NOT NULL \
                THEN 'hash' WHEN cryptpass_wrapped IS NOT NULL THEN 'wrapped' END"
                .to_owned(),
            ("kind", _) => "CASE WHEN password LIKE '$argon2id$%' THEN '$argon2id$' ELSE \
                substr(password, 1, 4) END"
                .to_owned(),
            (plain, _) => plain.to_owned(),
        }
    }

    /// A row with the whole text of its record's fields in the place of the record's number: an
    /// engine need not have a view of them.
    fn with_fields(&self, row: String) -> String {
        let parts: Vec<&str> = row.split(FIELDS).collect();
        let &[before, id, after] = &parts[..] else { return row };
        let id: i64 = id.parse().unwrap();
        let reader = open_reader(&self.app.config.location).unwrap();
        let page = reader.journal_page(&JournalFilter::default(), id - 1, id).unwrap();
        let record = page.into_iter().next().unwrap().unwrap();
        format!("{before}{}{after}", record.fields)
    }

    fn expect(&mut self, expected: String, found: String) {
        if expected != found {
            self.wrong.push(format!("\n    expected: {expected}\n    found:    {found}"));
        }
    }
}
