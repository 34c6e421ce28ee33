//! A page of Apache: with the FastCGI authorizer and a cookie, and with mod_authn_dbd.

use super::area::cookies;
use super::{Bench, CONNECTIONS, ROUNDS, add, load, measure};
use crate::Failure;
use crate::apache::{Apache, Check};
use crate::mariadb::Database;
use crate::process::Server;
use crate::report::{Bar, Series};
use crate::request::Ask;

const MEMBERS: u64 = 2_000;
const PAGES: u64 = 20_000;
/// The authorizer by mod_authn_dbd.
const PART_MIN: f64 = 0.7;

impl Bench {
    pub(super) async fn apache(&mut self, name: &str) -> Result<(), Failure> {
        let tables = Database::start(&self.new_dir())?;
        let mut on_server = self.authorizer(&["--database", tables.url(0), "--keep-cryptpass"])?;
        let mut on_sqlite = self.authorizer(&[])?;
        let members = self.scaled(MEMBERS);
        for server in [&mut on_server, &mut on_sqlite] {
            let load = add(server, CONNECTIONS, members);
            measure(server, load, &mut Series::default()).await?;
        }
        let asked = |server: &Server| server.fastcgi().ok_or("the authorizer does not listen");
        let checks = [
            Check::Table(tables.url(0)),
            Check::Authorizer(asked(&on_sqlite)?),
            Check::Authorizer(asked(&on_server)?),
        ];
        let password = Ask::Basic { first: 0, step: 1, visitors: members };
        let asks = [
            password,
            Ask::Cookie { cookies: cookies(&on_sqlite, members)? },
            Ask::Cookie { cookies: cookies(&on_server, members)? },
        ];
        let mut apache = Apache::start(&self.new_dir(), &checks)?;
        let mut series = [Series::default(), Series::default(), Series::default()];
        for _ in 0..ROUNDS {
            for (check, ask) in asks.iter().enumerate() {
                let server = apache.at(check);
                let load = load(server, ask.clone(), CONNECTIONS, self.scaled(PAGES));
                measure(server, load, &mut series[check]).await?;
            }
        }
        apache.stop()?;
        self.end(on_server)?;
        self.end(on_sqlite)?;
        let [dbd, sqlite, mariadb] = &series;
        self.report.row(name, "Apache, mod_authn_dbd on MariaDB", CONNECTIONS, dbd);
        self.report.row(name, "Apache, authorizer on SQLite", CONNECTIONS, sqlite);
        self.report.row(name, "Apache, authorizer on MariaDB", CONNECTIONS, mariadb);
        for (what, series) in [("SQLite", sqlite), ("MariaDB", mariadb)] {
            self.report.bar(
                &format!("page of Apache by cookie, {what}: rate / mod_authn_dbd"),
                series.rate_ratio(dbd),
                Bar::AtLeast(PART_MIN),
            );
        }
        Ok(())
    }

    /// A new server with a FastCGI authorizer.
    fn authorizer(&mut self, more: &[&str]) -> Result<Server, Failure> {
        let dir = self.new_dir();
        let own = ["--fastcgi-listen", "127.0.0.1:0"];
        let extra: Vec<String> = own.iter().chain(more).map(|text| (*text).to_owned()).collect();
        Server::program(&self.binary, &dir, &extra, self.manager.as_ref())
    }
}
