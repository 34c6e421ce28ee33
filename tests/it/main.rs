//! One test binary: the program through its front door. `support` has the people and machines that the stories are about.

#![allow(clippy::unwrap_used, missing_docs)]

mod first_story;
mod support;
