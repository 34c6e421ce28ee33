//! The logins of operators: throttled for each name and each network, at the cost of one hash
//! whether there is such an operator or not.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::block::{LoginName, NameHolder, Network};
use crate::chain::chain;
use crate::clock::Clock;
use crate::hex::hex;
use crate::logging::limit::{LinesMax, Window};
use crate::login::guard::{Guard, Verdict, WrongPassword};
use crate::login::remembered::Remembered;
use crate::login::settings::GuessLimits;
use crate::operator::{
    OPERATOR_SESSION_SECONDS, Operator, OperatorName, OperatorSession, PasswordDigest, Role,
    TokenDigest,
};
use crate::operators::password;
use crate::password::{Cost, Hash, HashError, Password, verify_hash};
use crate::store::{Note, Reads};
use crate::writer::Writer;

/// Different wrong passwords that lead to a block of five minutes.
const LIMITS: GuessLimits =
    GuessLimits { pair: 5, network: 20, name: 50, window_seconds: 600, block_seconds: 300 };
/// Hashes that are computed at the same time, at 19 MiB each.
const HASHES_MAX: usize = 1;
/// How long a login waits for its turn.
const WAIT_MAX: Duration = Duration::from_secs(5);
const LINES_MAX: LinesMax = LinesMax { window_seconds: 10, all: 10, each: 10 };

/// A login that succeeded. Its session is stored.
#[derive(Clone, Debug)]
pub struct LoggedIn {
    /// Who has logged in.
    pub operator: OperatorName,
    /// What they may do.
    pub role: Role,
}

/// Why nobody was logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginRefused {
    /// The name or the password is wrong.
    Wrong,
    /// There were too many wrong passwords.
    Blocked,
    /// Too many logins are being checked, or the database does not answer.
    Unavailable,
}

/// What a browser sent, and where its session will be found. It has no `Debug`, because it holds a
/// password.
pub struct Attempt<'a> {
    /// The name as it was typed.
    pub name: &'a str,
    /// The password as it was typed.
    pub password: &'a str,
    /// The visitor.
    pub address: IpAddr,
    /// Of the token that the browser will get.
    pub token: TokenDigest,
}

/// Checks the logins of all threads.
pub struct OperatorLogins {
    guard: Guard,
    /// For loopback, where all operators seem to be who come through a tunnel or an unlisted proxy.
    /// No network is blocked here, because one of them could lock all others out.
    of_loopback: Guard,
    /// Identifies typed passwords without keeping them.
    remembered: Arc<Remembered>,
    /// A hash that no password has, at the cost of operators' hashes.
    nobody: Hash,
    turns: Arc<Semaphore>,
    lines: Mutex<Window<()>>,
    writer: Writer,
    clock: Clock,
}

impl std::fmt::Debug for OperatorLogins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OperatorLogins")
    }
}

impl OperatorLogins {
    /// No login yet. `cost` is that of the operators' hashes.
    ///
    /// # Errors
    ///
    /// If a hash cannot be made.
    pub fn new(
        remembered: Arc<Remembered>,
        writer: Writer,
        clock: Clock,
        cost: Cost,
    ) -> Result<Self, HashError> {
        let mut secret = [0_u8; 32];
        getrandom::fill(&mut secret)?;
        let nobody = Password::parse(&hex(&secret)).map(|password| password::hash(&password, cost));
        Ok(Self {
            guard: Guard::new(LIMITS, false, 0),
            of_loopback: Guard::new(GuessLimits { network: 0, ..LIMITS }, false, 0),
            remembered,
            nobody: nobody.expect("64 digits are a password")?,
            turns: Arc::new(Semaphore::new(HASHES_MAX)),
            lines: Mutex::new(Window::new(LINES_MAX)),
            writer,
            clock,
        })
    }

    /// Checks a name and a password, and stores the session.
    ///
    /// # Errors
    ///
    /// See [`LoginRefused`]. The log says which check failed.
    pub async fn log_in(
        &self,
        attempt: &Attempt<'_>,
        reads: &Reads,
    ) -> Result<LoggedIn, LoginRefused> {
        let (address, now) = (attempt.address, self.clock.read());
        let network = Network::of(address);
        let name = OperatorName::typed(attempt.name);
        // A name that no operator can have counts for the network.
        let counted = LoginName::new(name.as_ref().map_or("-", OperatorName::as_str));
        let guard = if network.is_loopback() { &self.of_loopback } else { &self.guard };
        if guard.verdict(&counted, network, now.steady) != Verdict::Open {
            self.warn(address, "too many wrong passwords were sent for this name or from there");
            return Err(LoginRefused::Blocked);
        }
        let found = match name {
            Some(name) => {
                reads.read(move |reader| reader.operator(&name)).await.map_err(|error| {
                    self.warn(address, &format!("operators cannot be read: {}", chain(&error)));
                    LoginRefused::Unavailable
                })?
            }
            None => None,
        };
        let Some(typed) = Password::parse(attempt.password) else {
            self.warn(address, "no password was sent, or one that is too long");
            return Err(LoginRefused::Wrong);
        };
        let secret = self.remembered.secret(&typed);
        let is_right = self.is_right(found.as_ref(), typed, address).await?;
        let holder = if found.is_some() { NameHolder::Member } else { NameHolder::Nobody };
        let Some(operator) = found.filter(|_| is_right) else {
            let wrong = WrongPassword { name: &counted, holder, network, is_known: false, secret };
            guard.wrong(&wrong, now);
            return Err(LoginRefused::Wrong);
        };
        // Others may have been counted while this one waited: ten at once are ten.
        if guard.verdict(&counted, network, self.clock.steady()) != Verdict::Open {
            self.warn(address, "too many wrong passwords were sent meanwhile");
            return Err(LoginRefused::Blocked);
        }
        self.begin(operator, attempt, now.wall).await
    }

    /// Whether the operator has this password. Without an operator it takes as long, and the answer
    /// is no.
    async fn is_right(
        &self,
        operator: Option<&Operator>,
        typed: Password,
        address: IpAddr,
    ) -> Result<bool, LoginRefused> {
        let waited = tokio::time::timeout(WAIT_MAX, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = waited else {
            self.warn(address, "too many logins are being checked");
            return Err(LoginRefused::Unavailable);
        };
        let hash = operator.map_or(&self.nobody, |operator| &operator.hash).clone();
        let verified = tokio::task::spawn_blocking(move || {
            // Also if the browser does not wait for the answer.
            let _turn = turn;
            let normal = typed.in_nfc().unwrap_or(typed);
            verify_hash(&hash, &normal)
        });
        let verified = match verified.await {
            Ok(Ok(verified)) => verified,
            Ok(Err(error)) => {
                self.warn(address, &format!("the password cannot be checked: {error}"));
                return Err(LoginRefused::Unavailable);
            }
            Err(_) => return Err(LoginRefused::Unavailable),
        };
        match (operator, verified) {
            (Some(_), true) => return Ok(true),
            (Some(operator), false) => {
                self.warn(address, &format!("wrong password for {}", operator.name));
            }
            // The name is not logged: it may be a password.
            (None, _) => self.warn(address, "no operator has this name"),
        }
        Ok(false)
    }

    async fn begin(
        &self,
        operator: Operator,
        attempt: &Attempt<'_>,
        now: i64,
    ) -> Result<LoggedIn, LoginRefused> {
        let session = OperatorSession {
            token: attempt.token,
            name: operator.name.clone(),
            password: PasswordDigest::of(&operator.hash),
            began_at: now,
            ends_at: now.saturating_add(OPERATOR_SESSION_SECONDS),
        };
        if !self.writer.note_and_wait(Note::OperatorLogin(session)).await {
            self.warn(attempt.address, "the session cannot be stored");
            return Err(LoginRefused::Unavailable);
        }
        log::info!(
            operator:% = operator.name, role = operator.role.as_str(), address:% = attempt.address;
            "operator login"
        );
        Ok(LoggedIn { operator: operator.name, role: operator.role })
    }

    /// Ends a session. Returns whether that is stored.
    pub async fn log_out(&self, token: TokenDigest) -> bool {
        self.writer.note_and_wait(Note::OperatorLogout(token)).await
    }

    fn warn(&self, address: IpAddr, why: &str) {
        let now = self.clock.steady();
        let mut lines = self.lines.lock();
        log_suppressed(lines.end(now));
        if lines.add((), now) {
            log::warn!("refused a login of an operator from {address}: {why}");
        }
    }

    /// Logs how many lines were suppressed, once their time is over.
    pub fn end_window(&self, now: i64) {
        log_suppressed(self.lines.lock().end(now));
    }
}

fn log_suppressed(logins: Option<u64>) {
    if let Some(logins) = logins {
        log::warn!("{logins} more logins of operators refused");
    }
}
