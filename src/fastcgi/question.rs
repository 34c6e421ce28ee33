//! The question of a web server: which of the parameters of a request count, and what they say.

use std::net::IpAddr;

use super::record::Pair;
use crate::http::caller::caller;
use crate::login::basic::Typed;
use crate::login::check::PageRequest;
use crate::login::visit::Visit;
use crate::network::TrustedProxies;
use crate::reply::Refusal;

/// The parameter that says who may enter: what `/auth` has as its query.
const QUESTION: &str = "USERMAN_QUESTION";
/// What it has.
const QUESTION_EXPECTED: &str = "expected a query as in site=1&ask=page";
const ADDRESS: &str = "REMOTE_ADDR";
const ADDRESS_EXPECTED: &str = "expected the visitor's address";

/// A question.
#[derive(Debug)]
pub struct Question<'a> {
    /// What the protected page requires, still to be read.
    pub query: &'a [u8],
    /// The visitor's request.
    pub request: PageRequest<'a>,
}

/// The parameters of a request.
#[derive(Clone, Copy)]
pub struct Params<'a>(pub &'a [Pair<'a>]);

impl<'a> Params<'a> {
    fn all(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |(key, _)| *key == name.as_bytes()).map(|(_, value)| *value)
    }

    fn first(self, name: &str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// The only value.
    fn one(self, name: &'static str, expected: &'static str) -> Result<&'a [u8], Refusal> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (Some(value), None) => Ok(value),
            (None, _) => Err(Refusal::missing(name, expected)),
            (Some(_), Some(second)) => {
                let second = String::from_utf8_lossy(second);
                Err(Refusal::malformed(name, "expected no second value", &second))
            }
        }
    }

    /// Whether the web server says that it wants an authorizer, as Apache does for each.
    pub fn wants_authorizer(self) -> bool {
        self.first("FCGI_ROLE") == Some(b"AUTHORIZER")
    }

    /// Reads the question. The web server's own parameters count, and headers only under their
    /// names with `HTTP_`, so that no header of a visitor stands for another parameter.
    ///
    /// # Errors
    ///
    /// If the question or the address is missing or there twice: a mistake in the configuration of
    /// the web server must not let anybody in.
    pub fn question(self, proxies: &TrustedProxies) -> Result<Question<'a>, Refusal> {
        let query = self.one(QUESTION, QUESTION_EXPECTED)?;
        let text = self.one(ADDRESS, ADDRESS_EXPECTED)?;
        let address = str::from_utf8(text).ok().and_then(|text| text.parse::<IpAddr>().ok());
        let address = address.ok_or_else(|| {
            Refusal::malformed(ADDRESS, ADDRESS_EXPECTED, &String::from_utf8_lossy(text))
        })?;
        // The web server itself may be behind a listed proxy.
        let address = caller(address, self.all("HTTP_X_FORWARDED_FOR"), proxies).address;
        let text = |name| self.first(name).and_then(|value| str::from_utf8(value).ok());
        let visit = Visit {
            address,
            cookies: self.all("HTTP_COOKIE").collect(),
            agent: self.first("HTTP_USER_AGENT").unwrap_or_default(),
            host: text("HTTP_HOST").unwrap_or_default(),
        };
        let page = self.first("REQUEST_URI").unwrap_or_default();
        Ok(Question { query, request: PageRequest { visit, typed: self.typed(), page } })
    }

    /// The languages that the browser prefers.
    pub fn languages(self) -> &'a str {
        let header = self.first("HTTP_ACCEPT_LANGUAGE");
        header.and_then(|value| str::from_utf8(value).ok()).unwrap_or_default()
    }

    /// Name and password by HTTP Basic: as the browser sent them, or as Apache has read them.
    fn typed(self) -> Option<Typed> {
        if let Some(header) = self.first("HTTP_AUTHORIZATION") {
            return Typed::read(header).and_then(Result::ok);
        }
        let (name, password) = (self.first("REMOTE_USER")?, self.first("REMOTE_PASSWD")?);
        Typed::decoded(name, password).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::parse_network;

    #[test]
    fn the_parameters_of_a_visitor_s_request_are_read() {
        let pairs: &[Pair<'_>] = &[
            (b"USERMAN_QUESTION", b"site=1"),
            (b"REMOTE_ADDR", b"10.0.0.1"),
            (b"HTTP_X_FORWARDED_FOR", b"203.0.113.9"),
            (b"HTTP_COOKIE", b"a=b"),
            (b"HTTP_COOKIE", b"c=d"),
            (b"HTTP_USER_AGENT", b"\xff"),
            (b"HTTP_HOST", b"www.example.com:8443"),
            (b"REQUEST_URI", b"/a?b=c"),
            (b"REMOTE_USER", b"bob"),
            (b"REMOTE_PASSWD", b"p\xe4ss"),
        ];
        let proxies = TrustedProxies(vec![parse_network("10.0.0.0/8").unwrap()]);
        let question = Params(pairs).question(&proxies).unwrap();
        let PageRequest { visit, typed, page } = question.request;
        assert_eq!(question.query, b"site=1");
        assert_eq!(visit.address.to_string(), "203.0.113.9");
        assert_eq!(visit.cookies, [b"a=b", b"c=d"]);
        assert_eq!((visit.agent, visit.host), (&b"\xff"[..], "www.example.com:8443"));
        assert_eq!(page, b"/a?b=c");
        let typed = typed.unwrap();
        assert_eq!((typed.name.as_str(), typed.password.expose()), ("bob", "päss"));
        // A header of the visitor counts before what the web server has read of another one.
        let header = [&[(&b"HTTP_AUTHORIZATION"[..], &b"Bearer x"[..])], pairs].concat();
        assert!(Params(&header).question(&proxies).unwrap().request.typed.is_none());
        let unlisted = Params(pairs).question(&TrustedProxies::default()).unwrap();
        assert_eq!(unlisted.request.visit.address.to_string(), "10.0.0.1");
    }
}
