//! The console: pages for operators, rendered by the server. A file or a directory for each page.

pub mod blocks;
pub mod health;
pub mod home;
pub mod lab;
pub mod members;
pub mod page;
pub mod postbacks;
mod row;
pub mod settings;
mod templates;
pub mod times;
pub mod today;
mod trial;
