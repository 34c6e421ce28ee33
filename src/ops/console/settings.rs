//! `/settings`: each setting with its value and where it comes from. Secrets are not shown.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use minijinja::{Value, context};

use super::page::Page;
use crate::config::{Effective, EffectiveValue, RELOADED, Sources};
use crate::http::state::ThreadState;
use crate::ops::Ops;
use crate::ops::session::AdminOnly;
use crate::unicode::Visible;

/// The handler.
pub async fn settings(
    request: HttpRequest,
    AdminOnly(signed): AdminOnly,
    ops: Data<Ops>,
    state: Data<ThreadState>,
) -> HttpResponse {
    let context = match (ops.config.sources(), state.shared().live.sources()) {
        (Some(started), Some(now)) => view(started, &now),
        // A service that was not started by the command line.
        _ => context! { file => Value::from(()), waiting => "", settings => Vec::<Value>::new() },
    };
    Page::new("settings.html", "Settings").with(context).respond(&request, &signed)
}

/// The values of the template: what a reload has taken up, and of all other settings what the
/// service was started with.
fn view(started: &Sources, now: &Sources) -> Value {
    let (before, read) = (started.effective(), now.effective());
    let value_of = |list: &[Effective], key: &str| {
        list.iter().find(|one| one.key == key).map(|one| one.value.clone())
    };
    let mut waiting = Vec::new();
    let in_effect: Vec<Effective> = read
        .iter()
        .map(|now| {
            let is_live = RELOADED.contains(&now.key.as_str());
            let same = value_of(&before, &now.key).as_ref() == Some(&now.value);
            if is_live || same {
                return now.clone();
            }
            waiting.push(now.key.clone());
            before.iter().find(|one| one.key == now.key).unwrap_or(now).clone()
        })
        .collect();
    let rows: Value = in_effect.iter().map(row).collect();
    let file = now.file().map(|file| file.display().to_string());
    context! { file, waiting => waiting.join(", "), settings => rows }
}

fn row(Effective { key, value, origin }: &Effective) -> Value {
    let (is_set, value) = match value {
        EffectiveValue::Text(text) => (true, Visible(text).to_string()),
        EffectiveValue::Switch(is_on) => (true, if *is_on { "on" } else { "off" }.to_owned()),
        EffectiveValue::List(texts) => (true, Visible(&texts.join(", ")).to_string()),
        EffectiveValue::Secret => (false, "set, and not shown".to_owned()),
        EffectiveValue::Unset(None) => (false, "not set".to_owned()),
        EffectiveValue::Unset(Some(means)) => (false, format!("not set: {means}")),
    };
    let origin = match value.as_str() {
        _ if !is_set && value.starts_with("not set") => "–".to_owned(),
        _ => origin.to_string(),
    };
    // On a phone, a name is broken behind a `_` and not inside a word.
    let key: Vec<String> = key.split_inclusive('_').map(str::to_owned).collect();
    context! { key, is_set, value, origin }
}
