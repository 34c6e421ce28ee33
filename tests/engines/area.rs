//! The members area over HTTP: `/auth`, `/login`, `/logout`.

pub mod history;
pub mod pages;
pub mod sharing;
