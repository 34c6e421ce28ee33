//! What the console shows of members: the results of a search, and one member with the sentence why
//! they do not get in and their history.

pub mod profile;
pub mod search;
pub mod timeline;
