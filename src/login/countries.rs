//! The file of countries that is in use. A reload replaces it.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::country_file::{Country, CountryFile};

/// The file of countries, if there is one.
#[derive(Debug)]
pub struct Countries(ArcSwapOption<CountryFile>);

impl Countries {
    /// Starts with this file.
    pub fn new(file: Option<CountryFile>) -> Self {
        Self(ArcSwapOption::new(file.map(Arc::new)))
    }

    /// Uses this file from now on.
    pub fn replace(&self, file: Option<CountryFile>) {
        self.0.store(file.map(Arc::new));
    }

    /// The country of an address, if the file has it.
    pub fn of(&self, address: IpAddr) -> Option<Country> {
        self.0.load().as_ref()?.country(address)
    }
}
