//! Authstrings of `/api`: the stand-in's own, blanks, and those of a NATS.

use super::Bench;
use super::beside::Beside;
use crate::Failure;
use crate::process::Server;
use crate::report::Bar;
use crate::request::{API_KEY, API_USERNAME, Ask};

/// Fewer than a million members: they are added sooner, and their index of names is as unordered.
const MEMBERS: u64 = 100_000;
const LOOK_UPS: u64 = 60_000;
/// Each of them waits for two servers.
const RELAYED: u64 = 20_000;
/// The program's calls to NATS at a time.
const CALLS_MAX: usize = 16;

impl Bench {
    pub(super) async fn api_stand_in(&mut self, name: &str) -> Result<(), Failure> {
        let server = self.stand_in(name).await?;
        let ask = Ask::AuthString { members: server.next_member };
        let beside = self.api(name, server, ask, LOOK_UPS).await?;
        self.report.bar(
            "authstrings of the stand-in: rate / ceiling",
            beside.rate_ratio,
            Bar::AtLeast(0.5),
        );
        Ok(())
    }

    pub(super) async fn api_blank(&mut self, name: &str) -> Result<(), Failure> {
        let server = self.stand_in(name).await?;
        let beside = self.api(name, server, Ask::Blank, LOOK_UPS).await?;
        self.report.bar(
            "blanks for names that nobody has: rate / ceiling",
            beside.rate_ratio,
            Bar::AtLeast(0.5),
        );
        Ok(())
    }

    pub(super) async fn api_relay(&mut self, name: &str) -> Result<(), Failure> {
        // It checks nothing and answers with a string at once: what the ceiling does.
        let double = Server::ceiling(&self.dir.join("nats"))?;
        let url = format!("--nats-url=http://{}", double.address);
        let server = self
            .members(
                name,
                &[url, "--nats-api-username=flood".into(), format!("--nats-api-key={API_KEY}")],
            )
            .await?;
        let ask = Ask::AuthString { members: server.next_member };
        let beside = self.api(name, server, ask, RELAYED).await?;
        self.report.note(format!(
            "{name}: each string goes through a call to a NATS double on loopback, at most \
             {CALLS_MAX} at a time, so latency at the \
             full load is mostly the wait for one of them; rate / ceiling is {:.2}, without a bar. \
             The double is a second ceiling: its processor time stands under that of all else",
            beside.rate_ratio
        ));
        Ok(())
    }

    /// A server that makes strings itself.
    async fn stand_in(&mut self, name: &str) -> Result<Server, Failure> {
        self.members(name, &["--stand-in".into()]).await
    }

    /// A new server with members in it, whom our key may ask for.
    async fn members(&mut self, name: &str, more: &[String]) -> Result<Server, Failure> {
        // It hashes its backlog whenever a processor is free. That must not disturb what is
        // measured here.
        self.million.iter().try_for_each(Server::freeze)?;
        let key = format!("--api-key={API_USERNAME}:{API_KEY}");
        let mut server = self.program_with(&[&[key], more].concat())?;
        let members = self.scaled(MEMBERS);
        self.fill(&format!("{name}, load"), &mut server, members).await?;
        Ok(server)
    }

    /// Look-ups beside the ceiling. The server ends with them.
    async fn api(
        &mut self,
        name: &str,
        server: Server,
        ask: Ask,
        look_ups: u64,
    ) -> Result<Beside, Failure> {
        let beside = self.beside(name, &server, ask, self.scaled(look_ups)).await?;
        self.end(server)?;
        self.million.iter().try_for_each(Server::thaw)?;
        Ok(beside)
    }
}
