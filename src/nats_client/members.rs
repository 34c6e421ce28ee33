//! Requests NATS's list of active members, page by page.

use std::io::{self, Read};
use std::time::Duration;

use super::{Client, Error, error};
use crate::authstring::answer::Wrong;
use crate::identity::SiteId;

/// The total timeout of one page. A NATS without pages sends all members at once.
const PAGE_TIME_MAX: Duration = Duration::from_secs(120);
/// The most bytes of one page.
const PAGE_BYTES_MAX: u64 = 2 << 30;

/// Where NATS has its list of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListPath {
    /// `GET /api/member/searchinfo`.
    SearchInfo,
    /// `GET /api/member/search`, its later name.
    Search,
}

impl ListPath {
    fn as_str(self) -> &'static str {
        match self {
            Self::SearchInfo => "/api/member/searchinfo",
            Self::Search => "/api/member/search",
        }
    }
}

/// The rows of a page.
#[derive(Clone, Copy, Debug)]
pub struct PageWanted {
    /// Only members of this site.
    pub site: SiteId,
    /// The number of rows before the page.
    pub start: u64,
    /// The most rows of the page.
    pub count: u64,
}

impl Client {
    /// Requests a page of the active members of a site, by memberid. Returns its content, which is
    /// CSV or JSON. An older NATS ignores `start` and `count`.
    ///
    /// # Errors
    ///
    /// See [`Error`]. Reading the content fails with the text of such an error.
    pub fn members(
        &self,
        path: ListPath,
        wanted: PageWanted,
    ) -> Result<Box<dyn Read + Send>, Error> {
        let url = format!("{}{}", self.access.url, path.as_str());
        let PageWanted { site, start, count } = wanted;
        let request = self
            .fresh
            .get(url)
            .query_raw("status", "1")
            .query_raw("siteid", site.to_string())
            .query_raw("orderby", "memberid")
            .query_raw("start", start.to_string())
            .query_raw("count", count.to_string())
            .header("api-key", &self.access.key)
            .header("api-username", &self.access.username);
        let response =
            request.config().timeout_global(Some(PAGE_TIME_MAX)).build().call().map_err(error)?;
        match response.status().as_u16() {
            200 => {}
            status => return Err(Wrong::of_status(status).into()),
        }
        let body = response.into_body().into_with_config().limit(PAGE_BYTES_MAX).reader();
        Ok(Box::new(Page(body)))
    }
}

/// The content of a page, whose errors are worded as those of requests.
struct Page<R>(R);

impl<R: Read> Read for Page<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|failed| match failed.kind() {
            io::ErrorKind::Interrupted => failed,
            _ => io::Error::other(match error(failed.into()) {
                Error::TimedOut => "NATS did not send the whole list in time".to_owned(),
                error => error.to_string(),
            }),
        })
    }
}
