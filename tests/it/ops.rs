//! The operations listener: who may read health and metrics, and who may use the console.

mod access;
mod commands;
mod hostile;
mod login;
