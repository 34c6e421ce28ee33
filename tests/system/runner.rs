//! Runs the stories one after another. They share a tree: the threads of libtest would only wait
//! for each other, and nothing would remove the tree at the end.

use std::env;
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::time::Instant;

/// One story.
#[derive(Clone, Copy)]
pub struct Story {
    /// Its name, which is a sentence.
    pub name: &'static str,
    /// The programs of the system that it needs.
    pub needs: &'static [&'static str],
    /// The story itself. It panics if it fails.
    pub run: fn(),
}

/// The stories whose names contain one of the words; without a word, all.
pub fn meant(stories: &[Story], arguments: &[String]) -> Vec<Story> {
    let words: Vec<&String> = arguments.iter().filter(|word| !word.starts_with('-')).collect();
    let is_meant = |story: &&Story| {
        words.is_empty() || words.iter().any(|word| story.name.contains(word.as_str()))
    };
    stories.iter().filter(is_meant).copied().collect()
}

/// Runs the stories. Returns whether all passed.
pub fn run(stories: &[Story]) -> bool {
    let mut failed = Vec::new();
    let mut count = 0;
    for story in stories {
        count += 1;
        if let Some(missing) = missing(story) {
            println!("\n*** {missing}: the story \"{}\" proves nothing here ***\n", story.name);
            if env::var("REQUIRE_REAL").as_deref() == Ok("1") {
                failed.push(story.name);
            }
            continue;
        }
        let began = Instant::now();
        let result = catch_unwind(story.run);
        let (word, seconds) = (if result.is_ok() { "ok" } else { "FAILED" }, began.elapsed());
        println!("story {} ... {word} ({:.1} s)", story.name, seconds.as_secs_f64());
        if result.is_err() {
            failed.push(story.name);
        }
    }
    println!("\n{count} stories, {} failed", failed.len());
    failed.iter().for_each(|name| println!("    {name}"));
    failed.is_empty()
}

/// The first requirement of a story that the machine does not meet.
pub fn missing(story: &Story) -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("this is not root".into());
    }
    let missing = story.needs.iter().find(|name| program(name).is_none())?;
    Some(format!("{missing} is not installed"))
}

/// The path of a program of the system.
fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}
