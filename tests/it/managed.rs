//! What the service tells the service manager that started it, and what it takes from it: systemd's
//! protocols, with the test in the place of systemd.

mod notify;
mod passed;
mod start_codes;
mod unit_files;
