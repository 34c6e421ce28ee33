//! The pages of the console, a file for each.

pub mod home;
pub mod page;
