//! Operators of the console: their passwords, and how they log in.

pub mod change;
pub mod login;
pub mod password;

pub use login::{LoggedIn, LoginRefused, OperatorLogins};
