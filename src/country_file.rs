//! The countries of addresses, from a file in MaxMind's format that the operator provides.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use maxminddb::{MaxMindDbError, PathElement, Reader, WithinOptions};

use crate::denied::explain;

/// The most bytes that are read: files with cities have 150 MB. The path may lead to anything.
const FILE_BYTES_MAX: u64 = 512 << 20;
/// A file has countries if one of its first networks has one.
const NETWORKS_TRIED: usize = 1_000;
/// How a file that gzip made begins.
const GZIP: &[u8] = b"\x1f\x8b";

/// A country, as in ISO 3166-1: two capital letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Country([u8; 2]);

impl Country {
    /// Reads the two letters.
    pub fn parse(text: &str) -> Option<Self> {
        let letters: [u8; 2] = text.as_bytes().try_into().ok()?;
        letters.iter().all(u8::is_ascii_uppercase).then_some(Self(letters))
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&letter| write!(f, "{}", char::from(letter)))
    }
}

/// Why a file of countries cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CountryFileError {
    /// It cannot be read.
    #[error("cannot read the countries in {path}", path = .0.display())]
    Io(PathBuf, #[source] io::Error),
    /// It is as it was downloaded.
    #[error(
        "{path} is compressed: unpack it with tar -xzf or gunzip, and name the file that ends in \
         .mmdb",
        path = .0.display()
    )]
    Compressed(PathBuf),
    /// It has another format, or a copy of it was not complete.
    #[error(
        "{path} is not a whole file in MaxMind's format, as GeoLite2-Country.mmdb is: download it \
         again",
        path = .0.display()
    )]
    Format(PathBuf, #[source] MaxMindDbError),
    /// It has the format, and something other than countries.
    #[error(
        "{path} has no countries: it is a {kind:?}, expected a file such as GeoLite2-Country.mmdb",
        path = .path.display()
    )]
    NoCountry {
        /// The file.
        path: PathBuf,
        /// What the file says that it is.
        kind: String,
    },
}

/// A file of countries, as it was when it was read. Clones share it.
#[derive(Clone)]
pub struct CountryFile {
    path: PathBuf,
    bytes: usize,
    reader: Arc<Reader<Vec<u8>>>,
}

impl fmt::Debug for CountryFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CountryFile").field(&self.path).finish()
    }
}

/// Of the same build: each has its own time.
impl PartialEq for CountryFile {
    fn eq(&self, other: &Self) -> bool {
        let facts = |file: &Self| (file.path.clone(), file.bytes, file.reader.metadata().clone());
        facts(self) == facts(other)
    }
}

impl CountryFile {
    /// Reads the whole file into memory: it may be replaced or removed while it is in use.
    ///
    /// # Errors
    ///
    /// See [`CountryFileError`].
    pub fn read(path: &Path) -> Result<Self, CountryFileError> {
        let unread = |error| CountryFileError::Io(path.to_owned(), explain(path, error));
        let content = content(path).map_err(unread)?;
        if content.starts_with(GZIP) {
            return Err(CountryFileError::Compressed(path.to_owned()));
        }
        let bytes = content.len();
        let damaged = |error| CountryFileError::Format(path.to_owned(), error);
        let reader = Reader::from_source(content).map_err(damaged)?;
        if !has_countries(&reader).map_err(damaged)? {
            let kind = reader.metadata().database_type.clone();
            return Err(CountryFileError::NoCountry { path: path.to_owned(), kind });
        }
        Ok(Self { path: path.to_owned(), bytes, reader: Arc::new(reader) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// When its maker built it, unix seconds.
    pub fn built_at(&self) -> i64 {
        i64::try_from(self.reader.metadata().build_epoch).unwrap_or(i64::MAX)
    }

    /// The country of an address, if the file has it.
    pub fn country(&self, address: IpAddr) -> Option<Country> {
        country(&self.reader.lookup(address.to_canonical()).ok()?)
    }
}

fn content(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut content)?;
    if content.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("it has more than {FILE_BYTES_MAX} bytes")));
    }
    Ok(content)
}

fn has_countries(reader: &Reader<Vec<u8>>) -> Result<bool, MaxMindDbError> {
    for network in reader.networks(WithinOptions::default())?.take(NETWORKS_TRIED) {
        if country(&network?).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The country of a record: MaxMind and DB-IP have it at `country.iso_code`, IPinfo at
/// `country_code`.
fn country(found: &maxminddb::LookupResult<'_, Vec<u8>>) -> Option<Country> {
    const COUNTRY: [PathElement<'_>; 2] =
        [PathElement::Key("country"), PathElement::Key("iso_code")];
    const COUNTRY_CODE: [PathElement<'_>; 1] = [PathElement::Key("country_code")];
    // A record of another kind is an error.
    let at = |path: &[PathElement<'_>]| found.decode_path::<&str>(path).ok().flatten();
    at(&COUNTRY).or_else(|| at(&COUNTRY_CODE)).and_then(Country::parse)
}
