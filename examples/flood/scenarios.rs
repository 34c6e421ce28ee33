//! The scenarios, one function each. A new one is a function here and a line in [`Scenario`].

mod apache;
mod api;
mod area;
mod backup;
mod beside;
mod console;
mod galera;
mod guesses;
mod journal;
mod on_server;
mod restart;
mod upgrade;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use tokio::time::interval;

use crate::client::{Load, run};
use crate::disk;
use crate::manager::Manager;
use crate::mariadb::Database;
use crate::process::{Server, cpu_seconds, machine_cpu_seconds};
use crate::report::{Bar, Cost, Report, Series};
use crate::request::Ask;
use crate::{Failure, Options};

/// Ratios are medians of so many rounds, each of which measures both sides one after the other.
const ROUNDS: usize = 5;
const CONNECTIONS: usize = 64;
const OVERLOAD_TIMES: f64 = 4.0;
const OVERLOAD_TIME: Duration = Duration::from_secs(6);
const MILLION: u64 = 1_000_000;
const LOAD_TIME_MAX: Duration = Duration::from_secs(600);
const ROUND_TIME_MAX: Duration = Duration::from_secs(20);
const MEMORY_LOOK_EVERY: Duration = Duration::from_millis(100);
const MEMORY_MB_MAX: f64 = 80.0;

/// What can be measured, in the order in which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// The disk alone: append 4 KiB, fdatasync
    Fdatasync,
    /// ADD on one connection, beside fdatasync
    #[value(name = "add-1")]
    Add1,
    /// ADD on 64 connections, beside the ceiling
    #[value(name = "add-64")]
    Add64,
    /// Four times what the program sustains
    Overload,
    /// CHECK at a million members, beside the ceiling
    Check,
    /// ADD into a million members, beside ADD into none
    AddIntoMillion,
    /// Remembered name and password at a million members, beside the ceiling
    AuthBasic,
    /// Cookies at a million members, beside the ceiling
    AuthCookie,
    /// First logins as fast as passwords are hashed, a flood of them, and ADD beside it
    LoginFlood,
    /// Known wrong passwords from ever new networks, which are all blocked, ADD beside them, and
    /// the rest afterwards
    GuessFlood,
    /// 200 members with name and password at once after a restart, alone and beside guesses from
    /// elsewhere
    Restart,
    /// Authstrings of the stand-in at 100,000 members, beside the ceiling
    ApiStandIn,
    /// Blanks for names that nobody has at 100,000 members, beside the ceiling
    ApiBlank,
    /// Authstrings of a NATS double on loopback at 100,000 members, beside the ceiling
    ApiRelay,
    /// Bytes of a journal record, ADD by the order of memberids, and the history of one member
    /// among five million records: takes three more gigabytes of disk
    Journal,
    /// Pages of members in the console, at a million members and five million records: takes four
    /// gigabytes of disk
    Console,
    /// ADD each 5 ms at a million members, alone and beside backups
    Backup,
    /// The first start on a database of release 0.3.0 with a million members and three million
    /// records: takes eight gigabytes of disk
    Upgrade,
    /// Resident memory with a million members
    Memory,
    /// A page of Apache for a cookie, which the FastCGI authorizer checks, beside mod_authn_dbd on
    /// a MariaDB that is started for it
    Apache,
    /// ADD on 64 connections with the database on a server, beside PHP-FPM and nginx on the same
    /// one: with --mariadb or --database
    OnServer,
    /// ADD on 64 connections of two receivers of one database, beside one receiver: with --mariadb
    /// or --database
    TwoReceivers,
    /// ADD on 64 connections through one node of a Galera cluster, and through two, beside one
    /// MariaDB: with --galera
    Galera,
}

impl Scenario {
    /// Whether it is also measured with the database on a server, where one program at a time has
    /// the tables.
    fn runs_on_a_server(self) -> bool {
        match self {
            Self::Fdatasync
            | Self::Add1
            | Self::Add64
            | Self::Overload
            | Self::Check
            | Self::AuthBasic
            | Self::Memory
            | Self::OnServer
            | Self::TwoReceivers
            | Self::Galera => true,
            Self::AddIntoMillion
            | Self::AuthCookie
            | Self::LoginFlood
            | Self::GuessFlood
            | Self::Restart
            | Self::ApiStandIn
            | Self::ApiBlank
            | Self::ApiRelay
            | Self::Journal
            | Self::Console
            | Self::Backup
            | Self::Upgrade
            | Self::Apache => false,
        }
    }
}

/// What the scenarios share.
pub struct Bench {
    options: Options,
    binary: PathBuf,
    dir: PathBuf,
    /// Of each server, if the options want one.
    manager: Option<Manager>,
    ceiling: Server,
    /// Where all servers keep their database, if it is not SQLite's.
    database: Option<Database>,
    /// Made by the first scenario that needs it.
    million: Option<Server>,
    servers_started: usize,
    resident_kib_max: u64,
    pub report: Report,
}

impl Bench {
    pub fn new(options: Options, binary: PathBuf, dir: &Path) -> Result<Self, Failure> {
        let (dir, ceiling) = (dir.to_owned(), Server::ceiling(&dir.join("ceiling"))?);
        let manager = options.watchdog.then(|| Manager::start(&dir)).transpose()?;
        let mut report = Report::default();
        if options.scale != 1.0 {
            report.note(format!(
                "all counts are {} times the usual ones, the million members too",
                options.scale
            ));
        }
        if options.watchdog {
            report.note("the servers report to a service manager with a watchdog".into());
        }
        let database = match (options.mariadb, options.database.is_empty()) {
            (true, _) => Some(Database::start(&dir.join("mariadb"))?),
            (false, false) => Some(Database::given(options.database.clone())?),
            (false, true) => None,
        };
        if !options.server_arg.is_empty() {
            report.note(format!("not the default settings: {}", options.server_arg.join(" ")));
        }
        Ok(Self {
            options,
            binary,
            dir,
            manager,
            ceiling,
            database,
            million: None,
            servers_started: 0,
            resident_kib_max: 0,
            report,
        })
    }

    /// Runs the chosen scenarios, or all.
    pub async fn run(&mut self) -> Result<(), Failure> {
        for scenario in Scenario::value_variants() {
            if self.options.only.is_empty() || self.options.only.contains(scenario) {
                let name = scenario
                    .to_possible_value()
                    .map(|value| value.get_name().to_owned())
                    .unwrap_or_default();
                if self.database.is_some() && !scenario.runs_on_a_server() {
                    self.report.note(format!("{name}: only measured with SQLite"));
                    continue;
                }
                eprintln!("{name} ...");
                match scenario {
                    Scenario::Fdatasync => self.fdatasync(&name)?,
                    Scenario::Add1 => self.add_1(&name).await?,
                    Scenario::Add64 => self.add_64(&name).await?,
                    Scenario::Overload => self.overload(&name).await?,
                    Scenario::Check => self.check(&name).await?,
                    Scenario::AddIntoMillion => self.add_into_million(&name).await?,
                    Scenario::AuthBasic => self.auth_basic(&name).await?,
                    Scenario::AuthCookie => self.auth_cookie(&name).await?,
                    Scenario::LoginFlood => self.login_flood(&name).await?,
                    Scenario::GuessFlood => self.guess_flood(&name).await?,
                    Scenario::Restart => self.restart(&name).await?,
                    Scenario::ApiStandIn => self.api_stand_in(&name).await?,
                    Scenario::ApiBlank => self.api_blank(&name).await?,
                    Scenario::ApiRelay => self.api_relay(&name).await?,
                    Scenario::Journal => self.journal(&name).await?,
                    Scenario::Console => self.console(&name).await?,
                    Scenario::Backup => self.backup(&name).await?,
                    Scenario::Upgrade => self.upgrade(&name)?,
                    Scenario::Memory => self.memory(&name).await?,
                    Scenario::Apache => self.apache(&name).await?,
                    Scenario::OnServer => self.on_server(&name).await?,
                    Scenario::TwoReceivers => self.two_receivers(&name).await?,
                    Scenario::Galera => self.galera(&name).await?,
                }
            }
        }
        if let Some(million) = self.million.take() {
            self.end(million)?;
        }
        if self.resident_kib_max > 0 {
            let most = megabytes(self.resident_kib_max);
            self.report.bar(
                "resident memory of any server in this run (VmHWM), MB",
                most,
                Bar::AtMost(MEMORY_MB_MAX),
            );
        }
        Ok(())
    }

    fn fdatasync(&mut self, name: &str) -> Result<(), Failure> {
        let mut disk = Series::default();
        sync_disk(&self.dir, self.scaled(2000), &mut disk)?;
        self.report.row(name, "disk", 1, &disk);
        Ok(())
    }

    async fn add_1(&mut self, name: &str) -> Result<(), Failure> {
        let mut program = self.program()?;
        let (mut disk, mut adds) = (Series::default(), Series::default());
        for _ in 0..ROUNDS {
            program.freeze()?;
            sync_disk(&self.dir, self.scaled(400), &mut disk)?;
            program.thaw()?;
            let load = add(&mut program, 1, self.scaled(1000));
            measure(&program, load, &mut adds).await?;
        }
        self.end(program)?;
        self.report.row(name, "disk", 1, &disk);
        self.report.row(name, "program", 1, &adds);
        self.report.bar(
            "ADD on one connection: p50 / fdatasync p50",
            adds.p50_ratio(&disk),
            Bar::AtMost(2.5),
        );
        Ok(())
    }

    async fn add_64(&mut self, name: &str) -> Result<(), Failure> {
        let mut program = self.program()?;
        let (mut ceiling, mut adds) = (Series::default(), Series::default());
        for _ in 0..ROUNDS {
            let load = add(&mut program, CONNECTIONS, self.scaled(40_000));
            self.round(&program, load, &mut ceiling, &mut adds).await?;
        }
        self.end(program)?;
        self.report.row(name, "ceiling", CONNECTIONS, &ceiling);
        self.report.row(name, "program", CONNECTIONS, &adds);
        self.report.bar(
            "ADD on 64 connections: rate / ceiling",
            adds.rate_ratio(&ceiling),
            Bar::AtLeast(0.5),
        );
        self.report.bar("ADD on 64 connections: p99, ms", adds.p99_ms(), Bar::AtMost(15.0));
        self.report.bar("ADD on 64 connections: max, ms", adds.max_ms(), Bar::AtMost(250.0));
        Ok(())
    }

    async fn overload(&mut self, name: &str) -> Result<(), Failure> {
        let mut program = self.program()?;
        let (mut sustained, mut over) = (Series::default(), Series::default());
        let load = add(&mut program, CONNECTIONS, self.scaled(40_000));
        measure(&program, load, &mut sustained).await?;
        let rate = sustained.rate() * OVERLOAD_TIMES;
        let connections = self.options.overload_connections;
        let requests = (rate * OVERLOAD_TIME.as_secs_f64()) as u64;
        let load = Load {
            rate: Some(rate),
            time: OVERLOAD_TIME,
            ..add(&mut program, connections, requests)
        };
        measure(&program, load, &mut over).await?;
        self.end(program)?;
        self.report.row(name, "program, sustained", CONNECTIONS, &sustained);
        self.report.row(name, "program, overloaded", connections, &over);
        let outcome = over.outcome();
        let seconds = outcome.elapsed.as_secs_f64();
        let (right, refused) = (outcome.latencies.len(), outcome.refused.len());
        let sent = right as f64 + refused as f64 + outcome.failures as f64;
        self.report.note(format!(
            "{name}: {rate:.0} requests a second were due ({OVERLOAD_TIMES} times {:.0}), an open \
             loop for {} s; {:.0} a second were \
             sent, {:.1} times the sustained rate; the other {} found all {connections} \
             connections waiting for a reply. Replies: {right} OK, {refused} refused with 503.",
            sustained.rate(),
            OVERLOAD_TIME.as_secs(),
            sent / seconds,
            sent / seconds / sustained.rate(),
            outcome.unsent
        ));
        self.report.bar("overload: max of all replies, ms", over.max_ms(), Bar::AtMost(1000.0));
        Ok(())
    }

    async fn check(&mut self, name: &str) -> Result<(), Failure> {
        let million = self.million().await?;
        let (mut ceiling, mut checks) = (Series::default(), Series::default());
        for _ in 0..ROUNDS {
            let ask = Ask::Check { members: million.next_member };
            let load = load(&million, ask, CONNECTIONS, self.scaled(60_000));
            self.round(&million, load, &mut ceiling, &mut checks).await?;
        }
        self.put_back(million);
        self.report.row(name, "ceiling", CONNECTIONS, &ceiling);
        self.report.row(name, "program", CONNECTIONS, &checks);
        self.report.bar(
            "CHECK at a million members: rate / ceiling",
            checks.rate_ratio(&ceiling),
            Bar::AtLeast(0.75),
        );
        Ok(())
    }

    async fn add_into_million(&mut self, name: &str) -> Result<(), Failure> {
        let mut million = self.million().await?;
        let (mut empty, mut full) = (Series::default(), Series::default());
        let requests = self.scaled(20_000);
        for _ in 0..ROUNDS {
            million.freeze()?;
            // Empty each time: a new server on a new directory.
            let mut fresh = self.program()?;
            let load = add(&mut fresh, CONNECTIONS, requests);
            measure(&fresh, load, &mut empty).await?;
            self.end(fresh)?;
            million.thaw()?;
            let load = add(&mut million, CONNECTIONS, requests);
            measure(&million, load, &mut full).await?;
        }
        self.put_back(million);
        self.report.row(name, "program, empty", CONNECTIONS, &empty);
        self.report.row(name, "program, million", CONNECTIONS, &full);
        self.report.bar(
            "ADD into a million members: rate / into none",
            full.rate_ratio(&empty),
            Bar::AtLeast(0.7),
        );
        Ok(())
    }

    async fn memory(&mut self, name: &str) -> Result<(), Failure> {
        let million = self.million().await?;
        let (members, now) = (million.next_member, megabytes(million.resident_kib()));
        let most = megabytes(million.resident_kib_max());
        self.put_back(million);
        self.report.note(format!(
            "{name}: at {members} members {now:.1} MB resident now, {most:.1} \
            MB at most since the start"
        ));
        Ok(())
    }

    /// The server with a million members; they are added by postbacks.
    async fn million(&mut self) -> Result<Server, Failure> {
        if let Some(million) = self.million.take() {
            return Ok(million);
        }
        let mut server = self.program()?;
        self.fill("load a million", &mut server, self.scaled(MILLION)).await?;
        Ok(server)
    }

    /// Adds this many members to a new server. Every postback must get OK.
    async fn fill(&mut self, name: &str, server: &mut Server, members: u64) -> Result<(), Failure> {
        let mut series = Series::default();
        let load = Load { time: LOAD_TIME_MAX, ..add(server, CONNECTIONS, members) };
        measure(server, load, &mut series).await?;
        let added = series.outcome().latencies.len() as u64;
        self.report.row(name, "program", CONNECTIONS, &series);
        if added < members {
            return Err(format!(
                "only {added} of {members} members could be added within {LOAD_TIME_MAX:?}"
            )
            .into());
        }
        self.report.note(format!(
            "{name}: the server with {added} members has as many passwords to hash: its worker \
             runs beside what is measured, when no other thread wants the processor"
        ));
        Ok(())
    }

    fn put_back(&mut self, million: Server) {
        self.million = Some(million);
    }

    /// One round: the ceiling while the program is stopped, then the program, with the same
    /// requests.
    async fn round(
        &self,
        program: &Server,
        load: Load,
        ceiling: &mut Series,
        series: &mut Series,
    ) -> Result<(), Failure> {
        program.freeze()?;
        measure(&self.ceiling, load.clone(), ceiling).await?;
        program.thaw()?;
        measure(program, load, series).await
    }

    /// A new server on a new directory.
    fn program(&mut self) -> Result<Server, Failure> {
        self.program_with(&[])
    }

    /// A new server on a new directory, with more arguments than the defaults.
    fn program_with(&mut self, more: &[String]) -> Result<Server, Failure> {
        let dir = self.new_dir();
        self.program_with_tables_in(&dir, more)
    }

    /// A new server in this directory, on new tables where the database is on a server.
    fn program_with_tables_in(&mut self, dir: &Path, more: &[String]) -> Result<Server, Failure> {
        if self.database.is_some()
            && let Some(million) = self.million.take()
        {
            self.end(million)?;
        }
        if let Some(database) = &self.database {
            database.clear()?;
        }
        self.receiver_in(dir, 0, more)
    }

    /// A server in this directory, on its existing database.
    fn receiver_in(&self, dir: &Path, receiver: usize, more: &[String]) -> Result<Server, Failure> {
        let database = self.database.as_ref().map(|database| database.url(receiver));
        let place = database.map(|url| vec!["--database".to_owned(), url.to_owned()]);
        let place = place.unwrap_or_default();
        let extra = [&self.options.server_arg, more, &place].concat();
        Server::program(&self.binary, dir, &extra, self.manager.as_ref())
    }

    fn new_dir(&mut self) -> PathBuf {
        self.servers_started += 1;
        self.dir.join(self.servers_started.to_string())
    }

    fn end(&mut self, server: Server) -> Result<(), Failure> {
        self.resident_kib_max = self.resident_kib_max.max(server.resident_kib_max());
        server.stop()
    }

    fn scaled(&self, count: u64) -> u64 {
        ((count as f64 * self.options.scale) as u64).max(1)
    }
}

fn megabytes(kib: u64) -> f64 {
    kib as f64 * 1024.0 / 1e6
}

/// ADDs of members who are new at this server.
fn add(server: &mut Server, connections: usize, requests: u64) -> Load {
    let first = server.next_member;
    server.next_member += requests;
    load(server, Ask::Add { first }, connections, requests)
}

fn load(server: &Server, ask: Ask, connections: usize, requests: u64) -> Load {
    Load {
        address: server.address,
        is_ceiling: false,
        ask,
        connections,
        requests,
        time: ROUND_TIME_MAX,
        rate: None,
    }
}

fn sync_disk(dir: &Path, times: u64, series: &mut Series) -> Result<(), Failure> {
    let (own, all) = (cpu_seconds("self"), machine_cpu_seconds());
    let outcome = disk::fdatasync(dir, times, ROUND_TIME_MAX)?;
    let generator_cpu = cpu_seconds("self") - own;
    let other_cpu = (machine_cpu_seconds() - all - generator_cpu).max(0.0);
    series.add(outcome, &Cost { generator_cpu, other_cpu, ..Cost::default() });
    Ok(())
}

/// Sends the load to this server and adds the replies and their cost to the series.
async fn measure(server: &Server, load: Load, series: &mut Series) -> Result<(), Failure> {
    let load = Load { address: server.address, is_ceiling: server.is_ceiling, ..load };
    let (own, theirs, all) = (cpu_seconds("self"), server.cpu_seconds(), machine_cpu_seconds());
    let mut cost = Cost::default();
    let watch = async {
        let mut tick = interval(MEMORY_LOOK_EVERY);
        loop {
            tick.tick().await;
            cost.resident_kib_max = cost.resident_kib_max.max(server.resident_kib());
        }
    };
    let outcome = tokio::select! {
        outcome = run(load) => outcome?,
        () = watch => return Ok(()),
    };
    cost.generator_cpu = cpu_seconds("self") - own;
    cost.server_cpu = server.cpu_seconds() - theirs;
    cost.other_cpu = (machine_cpu_seconds() - all - cost.generator_cpu - cost.server_cpu).max(0.0);
    series.add(outcome, &cost);
    Ok(())
}
