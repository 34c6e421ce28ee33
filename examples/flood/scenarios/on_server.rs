//! The database on a server: beside PHP, and for two receivers.

use super::{Bench, CONNECTIONS, ROUNDS, add, measure};
use crate::Failure;
use crate::client::Load;
use crate::php::Php;
use crate::report::{Bar, Series};

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
            // Ended, because a program that stands still may hold locks in the database.
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
        let (mut alone, mut ours, mut theirs) =
            (Series::default(), Series::default(), Series::default());
        let mut both = Series::default();
        for _ in 0..ROUNDS {
            let load = add(&mut first, CONNECTIONS, self.scaled(40_000));
            measure(&first, load, &mut alone).await?;
            let half = self.scaled(20_000);
            let to_first = add(&mut first, CONNECTIONS / 2, half);
            let to_second = add(&mut first, CONNECTIONS / 2, half);
            let to_second = Load { address: second.address, ..to_second };
            let (one, other) = tokio::join!(
                measure(&first, to_first, &mut ours),
                measure(&second, to_second, &mut theirs)
            );
            one?;
            other?;
            both.add_rates(&ours, &theirs);
        }
        self.end(second)?;
        self.end(first)?;
        self.report.row(name, "one receiver", CONNECTIONS, &alone);
        self.report.row(name, "first of two", CONNECTIONS / 2, &ours);
        self.report.row(name, "second of two", CONNECTIONS / 2, &theirs);
        self.report.bar(
            "ADD on 64 connections, two receivers: rate / one receiver",
            both.rate_ratio(&alone),
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
