//! The query of `/auth`: whose members a protected site admits. The operator writes the query into
//! the configuration of a web server. A mistake in it must not let anybody in, so unknown, repeated
//! and empty parameters are refused.

use super::back::Back;
use crate::fields::Fields;
use crate::identity::{SITES_EXPECTED, Sites};
use crate::reply::Refusal;

/// The longest query that is read, in bytes: room for 32 of the longest siteids with escaped
/// commas.
const QUERY_BYTES_MAX: usize = 2048;

/// Whose members are admitted, and how other visitors are asked to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The sites, in the order in which they are tried.
    pub sites: Sites,
    /// Whether members on trial are refused.
    pub full_only: bool,
    /// How a visitor is asked for name and password in a 401.
    pub challenge: Challenge,
}

/// How a visitor is asked for name and password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// By the browser's prompt.
    Basic,
    /// By the login page.
    Page,
}

impl Ask {
    /// Reads the query string, without its `?`.
    ///
    /// # Errors
    ///
    /// If a parameter is missing or malformed, the first such one.
    pub fn parse(query: &[u8]) -> Result<Self, Refusal> {
        if query.len() > QUERY_BYTES_MAX {
            return Err(Refusal::malformed_secret(
                "query",
                "expected at most 2048 bytes",
                &String::from_utf8_lossy(query),
            ));
        }
        let refuse = |name: &str, _: &str| {
            Err(Refusal::malformed("query", "expected site, trial and ask alone", name))
        };
        Self::read(&Fields::from_urlencoded(query), refuse)
    }

    /// Reads the query of the login page, which may also contain a return address, and what mail
    /// programs and social networks add to links. The page lets nobody in whom `/auth` does not.
    ///
    /// # Errors
    ///
    /// See [`Ask::parse`].
    pub fn parse_for_page(query: &[u8]) -> Result<(Self, Back), Refusal> {
        let fields = Fields::from_urlencoded(query);
        let mut back = Back::default();
        let take_back = |name: &str, value: &str| {
            match name {
                "back" => back = Back::read(value),
                // An address is stored in access logs.
                "username" | "password" => {
                    let expected = "expected username and password in the form alone";
                    return Err(Refusal::malformed("query", expected, name));
                }
                _ => {}
            }
            Ok(())
        };
        let ask = Self::read(&fields, take_back)?;
        Ok((Self { challenge: Challenge::Page, ..ask }, back))
    }

    fn read(
        fields: &Fields<'_>,
        mut further: impl FnMut(&str, &str) -> Result<(), Refusal>,
    ) -> Result<Self, Refusal> {
        let (mut site, mut trial, mut ask) = (None, None, None);
        for (name, value) in fields.all() {
            match name {
                "site" => once("site", value, &mut site)?,
                "trial" => once("trial", value, &mut trial)?,
                "ask" => once("ask", value, &mut ask)?,
                other => further(other, value)?,
            }
        }
        let text = site
            .filter(|text| !text.is_empty())
            .ok_or_else(|| Refusal::missing("site", SITES_EXPECTED))?;
        let sites =
            Sites::parse(text).ok_or_else(|| Refusal::malformed("site", SITES_EXPECTED, text))?;
        let full_only = match trial {
            None | Some("yes") => false,
            Some("no") => true,
            Some(other) => return Err(Refusal::malformed("trial", "expected yes or no", other)),
        };
        let challenge = match ask {
            None | Some("basic") => Challenge::Basic,
            Some("page") => Challenge::Page,
            Some(other) => return Err(Refusal::malformed("ask", "expected basic or page", other)),
        };
        Ok(Self { sites, full_only, challenge })
    }
}

fn once<'a>(name: &'static str, value: &'a str, slot: &mut Option<&'a str>) -> Result<(), Refusal> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Refusal::malformed(name, "expected no second value", value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::SITES_MAX;

    fn ask(query: &str) -> Result<(Vec<i64>, bool, Challenge), String> {
        let ask = Ask::parse(query.as_bytes()).map_err(|refusal| refusal.to_string())?;
        Ok((
            ask.sites.as_slice().iter().map(|site| site.get()).collect(),
            ask.full_only,
            ask.challenge,
        ))
    }

    #[test]
    fn a_query_says_which_sites_who_and_how() {
        use Challenge::{Basic, Page};
        let table: &[(&str, &[i64], bool, Challenge, &str)] = &[
            ("site=1", &[1], false, Basic, "the least"),
            ("site=64,1,5", &[64, 1, 5], false, Basic, "the order is kept"),
            ("site=1%2C5", &[1, 5], false, Basic, "an escaped comma"),
            ("site=9223372036854775807", &[i64::MAX], false, Basic, "the largest"),
            ("site=1&trial=yes&ask=basic", &[1], false, Basic, "the defaults written out"),
            ("ask=page&trial=no&site=1", &[1], true, Page, "in any order"),
            ("&site=1&&", &[1], false, Basic, "nothing between two & is nothing"),
        ];
        for (query, sites, full_only, challenge, why) in table {
            assert_eq!(ask(query), Ok((sites.to_vec(), *full_only, *challenge)), "{query}: {why}");
        }
    }

    #[test]
    fn a_mistake_is_refused_with_the_parameter_s_name() {
        let table = [
            ("", "site: expected 1 to 32 siteids separated by commas, each once, not given"),
            (
                "trial=no",
                "site: expected 1 to 32 siteids separated by commas, each once, not given",
            ),
            ("site", "site: expected 1 to 32 siteids separated by commas, each once, not given"),
            ("site=", "site: expected 1 to 32 siteids separated by commas, each once, not given"),
            (
                "site=0",
                "site: expected 1 to 32 siteids separated by commas, each once, found \"0\"",
            ),
            (
                "site=-1",
                "site: expected 1 to 32 siteids separated by commas, each once, found \"-1\"",
            ),
            (
                "site=a",
                "site: expected 1 to 32 siteids separated by commas, each once, found \"a\"",
            ),
            (
                "site=1,",
                "site: expected 1 to 32 siteids separated by commas, each once, found \"1,\"",
            ),
            (
                "site=1,,5",
                "site: expected 1 to 32 siteids separated by commas, each once, found \"1,,5\"",
            ),
            (
                "site=1,+5",
                "site: expected 1 to 32 siteids separated by commas, each once, found \"1, 5\"",
            ),
            (
                "site=1;5",
                "site: expected 1 to 32 siteids separated by commas, each once, found \"1;5\"",
            ),
            (
                "site=1,5,01",
                "site: expected 1 to 32 siteids separated by commas, each once, found \"1,5,01\"",
            ),
            ("site=1&site=5", "site: expected no second value, found \"5\""),
            ("site=1&site=1", "site: expected no second value, found \"1\""),
            ("site=1&trial=", "trial: expected yes or no, found \"\""),
            ("site=1&trial", "trial: expected yes or no, found \"\""),
            ("site=1&trial=No", "trial: expected yes or no, found \"No\""),
            ("site=1&trial=0", "trial: expected yes or no, found \"0\""),
            ("site=1&trial=no&trial=yes", "trial: expected no second value, found \"yes\""),
            ("site=1&ask=", "ask: expected basic or page, found \"\""),
            ("site=1&ask=form", "ask: expected basic or page, found \"form\""),
            ("site=1&ask=page&ask=page", "ask: expected no second value, found \"page\""),
            ("site=1&trail=no", "query: expected site, trial and ask alone, found \"trail\""),
            ("site=1&Trial=no", "query: expected site, trial and ask alone, found \"Trial\""),
            (
                "site=1&amp;trial=no",
                "query: expected site, trial and ask alone, found \"amp;trial\"",
            ),
            ("site=1&trial[]=no", "query: expected site, trial and ask alone, found \"\""),
            ("site=1&=no", "query: expected site, trial and ask alone, found \"\""),
            // The whole query is escaped, or joined by another character, so that a value holds
            // other parameters.
            (
                "site=1%26trial%3Dno",
                "site: expected 1 to 32 siteids separated by commas, each once, found 10 bytes",
            ),
            (
                "site=1;trial=no",
                "site: expected 1 to 32 siteids separated by commas, each once, found 10 bytes",
            ),
        ];
        for (query, sentence) in table {
            assert_eq!(ask(query), Err(sentence.to_owned()), "{query}");
        }
    }

    #[test]
    fn a_query_with_the_longest_siteids_is_read() {
        let longest = (0..32).map(|n| (i64::MAX - n).to_string()).collect::<Vec<_>>().join("%2C");
        assert!(Ask::parse(format!("site={longest}&trial=no&ask=basic").as_bytes()).is_ok());
    }

    #[test]
    fn a_long_query_is_refused_unread() {
        let query = format!("site={}1", "0".repeat(QUERY_BYTES_MAX - 6));
        assert!(ask(&query).is_ok());
        assert_eq!(
            ask(&format!("{query}1")),
            Err("query: expected at most 2048 bytes, found 2049 bytes".into())
        );
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_1_to_32_different_sites_or_a_refusal(
            bytes in proptest::collection::vec(0..=255_u8, 0..60),
        ) {
            for query in [bytes.clone(), [b"site=1,2&", &bytes[..]].concat()] {
                if let Ok(ask) = Ask::parse(&query) {
                    let sites = ask.sites.as_slice();
                    let different: std::collections::HashSet<_> = sites.iter().collect();
                    proptest::prop_assert!((1..=SITES_MAX).contains(&sites.len()));
                    proptest::prop_assert_eq!(different.len(), sites.len());
                }
            }
        }
    }
}
