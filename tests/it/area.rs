//! The members area over HTTP: `/auth`, `/login`, `/logout`.

mod auth;
mod blocks;
mod cookies;
mod flood;
mod history;
mod idle;
mod known;
mod logouts;
mod meanwhile;
mod pages;
mod rows;
mod several_cookies;
mod sharing;
mod unkept;

pub use crate::support::visit::{BOB, Visit, admitted, app, auth, cookie, form, log_in, raw, told};
