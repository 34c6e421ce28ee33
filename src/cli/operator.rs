//! `operator`: who may log in to the console. Each change counts at once, also while the service
//! runs.

use std::io::{Write as _, stdout};

use clap::Subcommand;

use super::failure::Failure;
use super::typed_password;
use crate::apply::in_transaction;
use crate::clock::{Clock, format_utc};
use crate::config::Config;
use crate::database;
use crate::operator::{OPERATOR_EXPECTED, OPERATORS_MAX, Operator, OperatorName, Role};
use crate::operators::{change, password};
use crate::password::Hash;
use crate::reply::Reply;
use crate::store::{Engine, Fault, OpenError, Read};

#[derive(Debug, Subcommand)]
pub(super) enum OperatorCommand {
    /// Add an operator; the password is typed twice on a terminal, or is one line of standard input
    Add {
        /// Name to log in with, in lower case
        #[arg(value_name = "NAME")]
        name: String,
        /// What they may do: support or admin
        #[arg(long, value_name = "ROLE", default_value = "support")]
        role: String,
    },
    /// List the operators
    List,
    /// Set the password of an operator, and end their sessions
    Password {
        /// Name of the operator
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Remove an operator, and end their sessions
    Remove {
        /// Name of the operator
        #[arg(value_name = "NAME")]
        name: String,
    },
}

impl OperatorCommand {
    pub(super) fn run(&self, config: &Config) -> Result<(), Failure> {
        match self {
            OperatorCommand::Add { name, role } => add(config, name, role),
            OperatorCommand::List => list(&*database::open(config)?),
            OperatorCommand::Password { name } => set_password(config, name),
            OperatorCommand::Remove { name } => remove(config, name),
        }
    }
}

fn add(config: &Config, name: &str, role: &str) -> Result<(), Failure> {
    let command = "operator add";
    let name = parse(command, name)?;
    let role = Role::parse(role).ok_or_else(|| {
        let role = role.escape_debug();
        Failure::usage(format!("{command}: --role: expected support or admin, found \"{role}\""))
    })?;
    let exists = || {
        Failure::Failed(format!(
            "{command}: there is an operator {name} already; `nats-userman operator password \
             {name}` sets another password"
        ))
    };
    let known = database::open(config)?.operators()?;
    if known.iter().any(|operator| operator.name == name) {
        return Err(exists());
    }
    if known.len() >= OPERATORS_MAX {
        return Err(Failure::Failed(format!(
            "{command}: there are {OPERATORS_MAX} operators already; remove one first"
        )));
    }
    let hash = read_password(command)?;
    let now = Clock::System.now();
    let operator = Operator { name: name.clone(), role, hash, created_at: now, changed_at: now };
    match transact(config, |engine| change::add(engine, &operator).map(Some)) {
        Err(Failed::Write(Fault::Constraint(_))) => Err(exists()),
        done => finish(command, &name, done),
    }
}

fn list(reader: &dyn Read) -> Result<(), Failure> {
    let operators = reader.operators()?;
    let mut out = stdout().lock();
    for Operator { name, role, created_at, changed_at, .. } in &operators {
        let (role, added, set) = (role.as_str(), format_utc(*created_at), format_utc(*changed_at));
        writeln!(out, "{name} {role}, added {added}, password set {set}")?;
    }
    if operators.is_empty() {
        writeln!(out, "there are no operators: `nats-userman operator add NAME --role admin`")?;
    }
    Ok(out.flush()?)
}

fn set_password(config: &Config, name: &str) -> Result<(), Failure> {
    let command = "operator password";
    let name = parse(command, name)?;
    // Before a password is typed for nobody.
    if database::open(config)?.operator(&name)?.is_none() {
        return Err(unknown(command, &name));
    }
    let hash = read_password(command)?;
    let now = Clock::System.now();
    let done = transact(config, |engine| change::set_password(engine, &name, &hash, now));
    finish(command, &name, done)
}

fn remove(config: &Config, name: &str) -> Result<(), Failure> {
    let command = "operator remove";
    let name = parse(command, name)?;
    let now = Clock::System.now();
    let done = transact(config, |engine| change::remove(engine, &name, now));
    finish(command, &name, done)
}

fn parse(command: &str, name: &str) -> Result<OperatorName, Failure> {
    OperatorName::parse(name).ok_or_else(|| {
        let found = name.escape_debug();
        Failure::usage(format!("{command}: the name: {OPERATOR_EXPECTED}, found \"{found}\""))
    })
}

fn read_password(command: &str) -> Result<Hash, Failure> {
    let typed = typed_password::read(command)?;
    let password = password::parse(&typed).ok_or_else(|| {
        let (expected, chars) = (password::OPERATOR_PASSWORD_EXPECTED, typed.chars().count());
        Failure::usage(format!(
            "{command}: {expected}, found {chars} characters; nothing was changed"
        ))
    })?;
    password::hash(&password, password::cost()).map_err(|error| Failure::of(&error))
}

/// Why a change was not made.
enum Failed {
    Open(OpenError),
    Write(Fault),
}

/// Runs a change in a transaction of its own.
fn transact(
    config: &Config,
    work: impl FnMut(&mut dyn Engine) -> Result<Option<Reply>, Fault>,
) -> Result<Option<Reply>, Failed> {
    let done = database::with_writer(config, |engine| in_transaction(engine, work));
    done.map_err(Failed::Open)?.map_err(Failed::Write)
}

/// Prints what was done.
fn finish(
    command: &str,
    name: &OperatorName,
    done: Result<Option<Reply>, Failed>,
) -> Result<(), Failure> {
    match done {
        Ok(Some(reply)) => Ok(writeln!(stdout(), "{}", reply.as_str())?),
        Ok(None) => Err(unknown(command, name)),
        Err(Failed::Open(error)) => Err(error.into()),
        Err(Failed::Write(fault)) => Err(fault.into()),
    }
}

fn unknown(command: &str, name: &OperatorName) -> Failure {
    Failure::Failed(format!(
        "{command}: there is no operator {name}; `nats-userman operator list` lists them"
    ))
}
