//! The pages of the console, over HTTP as the browser of an operator loads them.

mod blocks;
mod health;
mod lab;
mod pages;
mod postbacks;
mod settings;
mod tail;

use crate::engines::console::{between, page, says};
