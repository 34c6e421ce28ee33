//! The pages of the console, over HTTP as the browser of an operator loads them.

pub mod blocks;
pub mod lab;
pub mod members;
pub mod pages;
pub mod postbacks;
pub mod tail;

use nats_userman::operator::Role;

use crate::ENGINES;
use crate::support::{App, Console, OPS, Response};

/// Runs a story with an operator of the role admin on every engine that is installed.
pub fn on_every_engine(flags: &[&str], story: impl Fn(&App, &Console)) {
    for engine in ENGINES {
        eprintln!("engine {engine:?}");
        if let Some(app) = App::start_on_engine(engine, &[&OPS, flags].concat()) {
            let anna = app.console("anna", Role::Admin);
            story(&app, &anna);
        }
    }
}

/// The texts between each pair of these, in their order.
pub fn between<'t>(text: &'t str, before: &str, after: &str) -> Vec<&'t str> {
    let pieces = text.split(before).skip(1);
    pieces.map(|piece| piece.split(after).next().unwrap_or_default()).collect()
}

/// A page as a person reads it: without its head, without elements, with one space between words.
pub fn read(page: &str) -> String {
    let mut text = String::new();
    let mut is_tag = false;
    let main = page.split_once("<main").map_or(page, |(_, main)| main);
    // A name may be broken there, and is one word.
    for c in main.replace("<wbr>", "").chars() {
        match c {
            '<' => is_tag = true,
            '>' => {
                is_tag = false;
                text.push(' ');
            }
            other if !is_tag => text.push(other),
            _ => {}
        }
    }
    let text = text.replace("&#x2f;", "/").replace("&quot;", "\"").replace("&#x27;", "'");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The body of a page that was found.
pub fn page(response: Response) -> String {
    assert_eq!(response.status, 200, "{}", response.body);
    response.body
}

/// Fails unless the page says this.
pub fn says(page: &str, text: &str) {
    let read = read(page);
    assert!(read.contains(text), "expected {text:?} in {read}");
}
