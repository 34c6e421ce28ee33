//! `config`: prints each setting with its value and its origin, as lines that the configuration
//! file takes.

use std::io::{Write as _, stdout};

use clap::Args;
use serde_json::{Map, Value, json};

use super::failure::Failure;
use crate::config::{Effective, EffectiveValue, Origin, Sources};

/// The settings in effect.
#[derive(Args, Debug)]
pub(super) struct ConfigCommand {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl ConfigCommand {
    pub(super) fn run(&self, sources: &Sources) -> Result<(), Failure> {
        let mut out = stdout().lock();
        if self.json {
            writeln!(out, "{:#}", as_json(sources))?;
            return Ok(out.flush()?);
        }
        match sources.file() {
            Some(file) => writeln!(out, "# Configuration file: {}", file.display())?,
            None => writeln!(out, "# No configuration file")?,
        }
        for setting in sources.effective() {
            writeln!(out, "{}", line(&setting))?;
        }
        Ok(out.flush()?)
    }
}

/// A line of TOML. A value that the configuration file cannot have is a comment.
fn line(Effective { key, value, origin }: &Effective) -> String {
    let assigned = match value {
        EffectiveValue::Text(text) => format!("{key} = {}", quoted(text)),
        EffectiveValue::Switch(is_on) => format!("{key} = {is_on}"),
        EffectiveValue::List(texts) => {
            let items: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
            format!("{key} = [{}]", items.join(", "))
        }
        EffectiveValue::Secret => format!("# {key} is set and not shown"),
        EffectiveValue::Unset(None) => return format!("# {key} is not set"),
        EffectiveValue::Unset(Some(means)) => return format!("# {key} is not set: {means}"),
    };
    format!("{assigned}  # {origin}")
}

/// A string of TOML. JSON escapes all that TOML does, except DEL.
fn quoted(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

fn as_json(sources: &Sources) -> Value {
    let settings: Map<String, Value> = sources.effective().iter().map(in_json).collect();
    json!({ "file": sources.file().map(|file| file.to_string_lossy()), "settings": settings })
}

fn in_json(Effective { key, value, origin }: &Effective) -> (String, Value) {
    let value = match value {
        EffectiveValue::Text(text) => text.as_str().into(),
        EffectiveValue::Switch(is_on) => (*is_on).into(),
        EffectiveValue::List(texts) => texts.clone().into(),
        EffectiveValue::Secret | EffectiveValue::Unset(_) => Value::Null,
    };
    let (origin, place) = match origin {
        Origin::Flag => ("flag", None),
        Origin::Variable(name) => ("variable", Some(name.clone())),
        Origin::File(path, line) => ("file", Some(format!("{}:{line}", path.display()))),
        Origin::Default => ("default", None),
    };
    (key.clone(), json!({ "value": value, "origin": origin, "place": place }))
}
