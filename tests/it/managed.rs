//! The protocols between the service and systemd: what the service reports, and what it takes over.
//! The test takes the place of systemd.

mod notify;
mod passed;
mod priority;
mod start_codes;
mod unit_files;
