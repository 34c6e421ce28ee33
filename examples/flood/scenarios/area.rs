//! The members area: logins that are remembered, cookies, and first logins, which cost a hash.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nats_userman::identity::{Key, MemberId, SiteId};
use nats_userman::idle::let_requests_pass;
use nats_userman::login::cookie::{Login, LoginId, Signer};
use nats_userman::member::FIRST_LOGIN_VERSION;
use nats_userman::password::{Cost as HashCost, HashKind, Hasher, Password};

use super::{Bench, CONNECTIONS, LOAD_TIME_MAX, ROUNDS, add, load, measure};
use crate::Failure;
use crate::client::{Load, Outcome};
use crate::process::{Server, cpu_seconds, machine_cpu_seconds};
use crate::report::{Bar, Cost, Series};
use crate::request::{Ask, memberid, scattered};

const CHECKS: u64 = 60_000;
/// Members whose password is remembered before the clock starts. Each costs a hash, of which there
/// are some dozen a second.
const VISITORS: u64 = 500;
/// Fewer than the checks that may wait for a hash, so none is refused.
const LOGIN_CONNECTIONS: usize = 16;
const LOGINS: u64 = 100;
const FLOOD_CONNECTIONS: usize = 256;
/// Logins a second in a flood: many times what can be hashed.
const FLOOD_RATE: f64 = 1000.0;
const FLOOD_TIME: Duration = Duration::from_secs(4);
/// More than one connection sends within that time.
const ADDS_MAX: u64 = 20_000;
const HASHES: u64 = 40;
/// The program's hashing threads: one for each processor but one, at most so many.
const THREADS_MAX: usize = 4;

impl Bench {
    pub(super) async fn auth_basic(&mut self, name: &str) -> Result<(), Failure> {
        let million = self.million().await?;
        let members = million.next_member;
        // Of the older half: the newest members' seals become hashes meanwhile, which are other
        // questions than those remembered.
        let visitors = VISITORS.min(members / 2).max(1);
        let ask = Ask::Basic { first: 0, step: (members / 2 / visitors).max(1), visitors };
        let mut first = Series::default();
        let logins = Load {
            time: LOAD_TIME_MAX,
            ..load(&million, ask.clone(), LOGIN_CONNECTIONS, visitors)
        };
        measure(&million, logins, &mut first).await?;
        self.report.row(name, "program, first logins", LOGIN_CONNECTIONS, &first);
        let remembered = first.outcome().latencies.len() as u64;
        if remembered < visitors {
            return Err(format!(
                "only {remembered} of {visitors} members could log in within {LOAD_TIME_MAX:?}"
            )
            .into());
        }
        self.checks(name, "remembered name and password", &million, ask).await?;
        self.put_back(million);
        self.report.note(format!(
            "{name}: the same {visitors} of {members} members come again and again, since each \
             costs a hash to be remembered: their \
             rows and names are nearer at hand than those of a million are"
        ));
        Ok(())
    }

    pub(super) async fn auth_cookie(&mut self, name: &str) -> Result<(), Failure> {
        let million = self.million().await?;
        let ask = Ask::Cookie { cookies: cookies(&million, self.scaled(CHECKS))? };
        self.checks(name, "cookie", &million, ask).await?;
        self.put_back(million);
        Ok(())
    }

    /// Checks of /auth beside the ceiling, then at half their rate.
    async fn checks(
        &mut self,
        name: &str,
        what: &str,
        million: &Server,
        ask: Ask,
    ) -> Result<(), Failure> {
        let beside = self.beside(name, million, ask, self.scaled(CHECKS)).await?;
        self.report.bar(
            &format!("{what} at a million members: rate / ceiling"),
            beside.rate_ratio,
            Bar::AtLeast(0.6),
        );
        self.report.bar(
            &format!("{what} at half that load: p99, ms"),
            beside.half_p99_ms,
            Bar::AtMost(1.0),
        );
        Ok(())
    }

    pub(super) async fn login_flood(&mut self, name: &str) -> Result<(), Failure> {
        // It hashes its backlog whenever a processor is free. That must not disturb what is
        // measured here.
        self.million.iter().try_for_each(Server::freeze)?;
        let mut program = self.program()?;
        let in_a_flood = (FLOOD_RATE * FLOOD_TIME.as_secs_f64()) as u64;
        let members = ROUNDS as u64 * (LOGINS + in_a_flood);
        let added = add(&mut program, CONNECTIONS, members);
        measure(&program, added, &mut Series::default()).await?;
        let (mut hashes, mut logins, mut flood) =
            (Series::default(), Series::default(), Series::default());
        let (mut quiet, mut beside) = (Series::default(), Series::default());
        let mut first = 0;
        for _ in 0..ROUNDS {
            program.freeze()?;
            hash(&mut hashes)?;
            program.thaw()?;
            measure(
                &program,
                first_logins(&program, &mut first, LOGIN_CONNECTIONS, LOGINS),
                &mut logins,
            )
            .await?;

            let adds = Load { time: FLOOD_TIME, ..add(&mut program, 1, ADDS_MAX) };
            measure(&program, adds, &mut quiet).await?;

            let adds = Load { time: FLOOD_TIME, ..add(&mut program, 1, ADDS_MAX) };
            let flooding = first_logins(&program, &mut first, FLOOD_CONNECTIONS, in_a_flood);
            let flooding = Load { rate: Some(FLOOD_RATE), time: FLOOD_TIME, ..flooding };
            let (flooded, added) = tokio::join!(
                measure(&program, flooding, &mut flood),
                measure(&program, adds, &mut beside)
            );
            flooded.and(added)?;
        }
        self.end(program)?;
        self.million.iter().try_for_each(Server::thaw)?;
        self.report.row(name, "hash alone", hashing_threads(), &hashes);
        self.report.row(name, "first logins", LOGIN_CONNECTIONS, &logins);
        self.report.row(name, "flood of first logins", FLOOD_CONNECTIONS, &flood);
        self.report.row(name, "ADD, quiet", 1, &quiet);
        self.report.row(name, "ADD, beside the flood", 1, &beside);
        self.report.bar(
            "first logins: rate / hash alone on as many threads",
            logins.rate_ratio(&hashes),
            Bar::AtLeast(0.8),
        );
        self.report.bar(
            "ADD beside a flood of logins: p99 / quiet p99",
            beside.p99_ratio(&quiet),
            Bar::AtMost(3.0),
        );
        Ok(())
    }
}

/// First logins of members, one for each.
fn first_logins(server: &Server, first: &mut u64, connections: usize, logins: u64) -> Load {
    let ask = Ask::Basic { first: *first, step: 1, visitors: logins };
    *first += logins;
    load(server, ask, connections, logins)
}

/// Cookies of so many members out of all, signed here with the server's key: logging them in would
/// cost a hash each.
pub(super) fn cookies(server: &Server, count: u64) -> Result<Arc<[String]>, Failure> {
    let signer = Signer::load(&server.cookie_key())?;
    let issued = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    let site = SiteId::parse("1").ok_or("no site 1")?;
    let sign = |index| {
        let member = memberid(scattered(index, server.next_member)).to_string();
        let key = Key { site, member: MemberId::parse(&member).ok_or("no such member")? };
        Ok(signer.sign(&[Login {
            key,
            id: LoginId::random(),
            issued,
            login_version: FIRST_LOGIN_VERSION,
            stays: false,
        }]))
    };
    (0..count).map(sign).collect()
}

fn hashing_threads() -> usize {
    thread::available_parallelism()
        .map_or(1, |processors| (processors.get() - 1).clamp(1, THREADS_MAX))
}

/// What the hash itself allows: on as many threads as the program has for it, at their priority,
/// with nothing around it.
fn hash(series: &mut Series) -> Result<(), Failure> {
    let (own, all, start) = (cpu_seconds("self"), machine_cpu_seconds(), Instant::now());
    let threads: Vec<_> = (0..hashing_threads()).map(|_| thread::spawn(hash_some)).collect();
    let mut outcome = Outcome::default();
    for thread in threads {
        outcome.latencies.extend(thread.join().map_err(|_| "a hashing thread has panicked")??);
    }
    outcome.elapsed = start.elapsed();
    let generator_cpu = cpu_seconds("self") - own;
    let other_cpu = (machine_cpu_seconds() - all - generator_cpu).max(0.0);
    series.add(outcome, &Cost { generator_cpu, other_cpu, ..Cost::default() });
    Ok(())
}

fn hash_some() -> Result<Vec<u32>, Failure> {
    let_requests_pass();
    let password = Password::parse("testtest").ok_or("no password")?;
    let mut hasher = Hasher::new(HashCost::new(HashKind::Argon2id));
    let mut took = Vec::new();
    for _ in 0..HASHES {
        let begun = Instant::now();
        hasher.hash(&password).map_err(|error| format!("cannot hash: {error:?}"))?;
        took.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    Ok(took)
}
