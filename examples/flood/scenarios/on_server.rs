//! The database on a server: beside PHP, and for two receivers.

use super::{Bench, CONNECTIONS, ROUNDS, add, measure};
use crate::Failure;
use crate::client::Load;
use crate::php::Php;
use crate::process::Server;
use crate::report::{Bar, Report, Series};

/// The least ADD a second, and how many times those of PHP.
const RATE_MIN: f64 = 9_000.0;
const PHP_TIMES_MIN: f64 = 2.5;
/// Two receivers by one.
const TWO_TIMES_MIN: f64 = 1.2;

impl Bench {
    pub(super) async fn on_server(&mut self, name: &str) -> Result<(), Failure> {
        let Some(url) = self.url(name) else { return Ok(()) };
        let dir = self.new_dir();
        // It makes the tables, on which the script works too.
        let program = self.program_with_tables_in(&dir, &[])?;
        self.end(program)?;
        let php_dir = self.new_dir();
        let mut next_member = 0;
        let (mut scripts, mut adds) = (Series::default(), Series::default());
        for _ in 0..ROUNDS {
            let mut php = Php::start(&php_dir, &url)?;
            php.server.next_member = next_member;
            let load = add(&mut php.server, CONNECTIONS, self.scaled(10_000));
            measure(&php.server, load, &mut scripts).await?;
            next_member = php.server.next_member;
            // Ended, because a stopped program may hold locks in the database.
            php.stop()?;
            let mut program = self.receiver_in(&dir, 0, &[])?;
            program.next_member = next_member;
            let load = add(&mut program, CONNECTIONS, self.scaled(40_000));
            measure(&program, load, &mut adds).await?;
            next_member = program.next_member;
            self.end(program)?;
        }
        self.report.row(name, "PHP-FPM and nginx", CONNECTIONS, &scripts);
        self.report.row(name, "program", CONNECTIONS, &adds);
        let what = "ADD on 64 connections, database on a server";
        self.report.bar(&format!("{what}: rate"), adds.rate(), Bar::AtLeast(RATE_MIN));
        self.report.bar(
            &format!("{what}: rate / PHP"),
            adds.rate_ratio(&scripts),
            Bar::AtLeast(PHP_TIMES_MIN),
        );
        Ok(())
    }

    pub(super) async fn two_receivers(&mut self, name: &str) -> Result<(), Failure> {
        if self.url(name).is_none() {
            return Ok(());
        }
        let mut first = self.program()?;
        let dir = self.new_dir();
        first.share_keys(&dir)?;
        let second = self.receiver_in(&dir, 1, &[])?;
        let (mut alone, mut two) = (Series::default(), TwoReceivers::default());
        for _ in 0..ROUNDS {
            let load = add(&mut first, CONNECTIONS, self.scaled(40_000));
            measure(&first, load, &mut alone).await?;
            two.round(&mut first, &second, self.scaled(20_000)).await?;
        }
        self.end(second)?;
        self.end(first)?;
        self.report.row(name, "one receiver", CONNECTIONS, &alone);
        two.report(&mut self.report, name);
        self.report.bar(
            "ADD on 64 connections, two receivers: rate / one receiver",
            two.both.rate_ratio(&alone),
            Bar::AtLeast(TWO_TIMES_MIN),
        );
        Ok(())
    }

    /// Where the database is, or a note.
    fn url(&mut self, name: &str) -> Option<String> {
        let url = self.database.as_ref().map(|database| database.url(0).to_owned());
        if url.is_none() {
            self.report.note(format!("{name}: not measured without --mariadb or --database"));
        }
        url
    }
}

/// Two receivers of one database, each with half of the connections.
#[derive(Default)]
pub(super) struct TwoReceivers {
    first: Series,
    second: Series,
    /// The rates of both together.
    pub(super) both: Series,
}

impl TwoReceivers {
    /// Sends so many ADDs to each of them at once.
    pub(super) async fn round(
        &mut self,
        first: &mut Server,
        second: &Server,
        requests: u64,
    ) -> Result<(), Failure> {
        let to_first = add(first, CONNECTIONS / 2, requests);
        let to_second = add(first, CONNECTIONS / 2, requests);
        let to_second = Load { address: second.address, ..to_second };
        let (one, other) = tokio::join!(
            measure(first, to_first, &mut self.first),
            measure(second, to_second, &mut self.second)
        );
        one.and(other)?;
        self.both.add_rates(&self.first, &self.second);
        Ok(())
    }

    pub(super) fn report(&self, report: &mut Report, name: &str) {
        report.row(name, "first of two", CONNECTIONS / 2, &self.first);
        report.row(name, "second of two", CONNECTIONS / 2, &self.second);
    }
}
