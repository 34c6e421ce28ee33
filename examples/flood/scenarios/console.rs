//! The pages of members in the console, at a million members and five million journal records.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nats_userman::operator::{OperatorName, PasswordDigest, TokenDigest};
use nats_userman::password::Hash;
use rusqlite::{Connection, params};

use super::journal::fill;
use super::{Bench, MILLION};
use crate::Failure;
use crate::report::{Bar, median};
use crate::request::memberid;

/// A page: its name, the most milliseconds that it may take, and its address by a number.
type Measured<'a> = (&'a str, f64, &'a dyn Fn(u64) -> String);

const RECORDS: u64 = 5_000_000;
const PAGES: u64 = 51;
const COUNT_TIME_MAX: Duration = Duration::from_secs(300);
const FIRST_PAGE_MS_MAX: f64 = 100.0;
const MEMBER_MS_MAX: f64 = 50.0;
const SCRAPE_MS_MAX: f64 = 5.0;
/// It reads the rows of all members.
const ADDRESSES_MS_MAX: f64 = 500.0;
/// What the operator's cookie has.
const TOKEN: [u8; 32] = [7; 32];
/// Nobody logs in with it.
const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0$c2FsdHNhbHRzYWx0";

impl Bench {
    pub(super) async fn console(&mut self, name: &str) -> Result<(), Failure> {
        let dir = self.new_dir();
        let mut server = self.program_with_tables_in(&dir, &[])?;
        let members = self.scaled(MILLION);
        self.fill("load a million", &mut server, members).await?;
        let database = server.database();
        self.end(server)?;
        let conn = Connection::open(&database)?;
        fill(&conn, i64::try_from(self.scaled(RECORDS))?)?;
        sign_in(&conn)?;
        drop(conn);
        let server = self.receiver_in(&dir, 0, &["--ops-listen".into(), "127.0.0.1:0".into()])?;
        let address = operations(&dir)?;
        let member = |index: u64| memberid(index * 7919 % members).to_string();
        let first = milliseconds(&address, "/")?;
        self.report.note(format!("{name}: the first request after the start took {first:.1} ms"));
        await_counts(&address)?;
        let pages: [Measured<'_>; 9] = [
            ("today", FIRST_PAGE_MS_MAX, &|_| "/".into()),
            ("postbacks: the newest", FIRST_PAGE_MS_MAX, &|_| "/postbacks".into()),
            ("a scrape of the metrics", SCRAPE_MS_MAX, &|_| "/metrics".into()),
            ("members: the first page", FIRST_PAGE_MS_MAX, &|_| "/members".into()),
            // All names begin with this letter.
            ("members: a search that all match", FIRST_PAGE_MS_MAX, &|_| "/members?q=u".into()),
            ("members: a search by three letters", FIRST_PAGE_MS_MAX, &|index| {
                format!("/members?q=u{index:02x}")
            }),
            ("members: a search by memberid", FIRST_PAGE_MS_MAX, &|index| {
                format!("/members?q={}", member(index))
            }),
            ("members: a search of all addresses", ADDRESSES_MS_MAX, &|index| {
                format!("/members?q=nobody{index}%40nowhere.example")
            }),
            ("a member's page", MEMBER_MS_MAX, &|index| format!("/members/1/{}", member(index))),
        ];
        for (page, most, path) in pages {
            let times = (0..PAGES).map(|index| milliseconds(&address, &path(index)));
            let times: Vec<f64> = times.collect::<Result<_, _>>()?;
            let slowest = times.iter().copied().fold(0.0, f64::max);
            self.report.bar(&format!("console: {page}, ms"), median(times), Bar::AtMost(most));
            self.report
                .note(format!("{name}: {page}: the slowest of {PAGES} took {slowest:.1} ms"));
        }
        self.end(server)
    }
}

/// Waits until the journal is counted, so that the pages show figures.
fn await_counts(address: &str) -> Result<(), Failure> {
    let until = Instant::now() + COUNT_TIME_MAX;
    while !get(address, "/")?.contains("<rect ") {
        if Instant::now() > until {
            return Err("the journal was not counted in time".into());
        }
        sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Adds an operator and their login.
fn sign_in(conn: &Connection) -> Result<(), Failure> {
    let hash = Hash::from_text(HASH.into());
    let eve = OperatorName::parse("eve").ok_or("no name of an operator")?;
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    conn.execute(
        "INSERT INTO operator (name, role, password_hash, created_at, changed_at)
         VALUES (?1, 'support', ?2, ?3, ?3)",
        params![eve.as_str(), HASH, now],
    )?;
    conn.execute(
        "INSERT INTO operator_session (token_sha256, name, password_sha256, began_at, ends_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            TokenDigest::of(&TOKEN).0,
            eve.as_str(),
            PasswordDigest::of(&hash).0,
            now,
            now + 36_000
        ],
    )?;
    Ok(())
}

/// Where the operations listener of the server in this directory listens.
fn operations(dir: &Path) -> Result<String, Failure> {
    let log = fs::read_to_string(dir.join("stderr.log"))?;
    let (_, rest) =
        log.split_once("operations listener on http://").ok_or("no operations listener")?;
    Ok(rest.lines().next().unwrap_or_default().trim().to_owned())
}

/// How long a page takes, from the connection to its last byte.
fn milliseconds(address: &str, path: &str) -> Result<f64, Failure> {
    let begun = Instant::now();
    get(address, path)?;
    Ok(begun.elapsed().as_secs_f64() * 1e3)
}

/// Loads a page on a new connection.
fn get(address: &str, path: &str) -> Result<String, Failure> {
    let token: String = TOKEN.iter().map(|byte| format!("{byte:02x}")).collect();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nCookie: \
         userman-console={token}\r\n\r\n"
    );
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(request.as_bytes())?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    if response.starts_with("HTTP/1.1 200 ") { Ok(response) } else { Err(response.into()) }
}
