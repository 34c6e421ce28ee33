//! How the pages of a site look: its name, logo, colours, links, language and words.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::colour::Palette;
use super::words::{Language, Texts};

/// What a link may be, for errors.
pub const LINK_EXPECTED: &str = "expected a URL with https:// or http://, a path with / first, or \
     mailto: and an address, with no blank, quote or angle bracket";
/// What the address of the upgrade may be, for errors.
pub const UPGRADE_EXPECTED: &str =
    "expected a URL with https:// or http:// that has {authstring} in it";
/// The longest link, in bytes.
const LINK_BYTES_MAX: usize = 2048;
/// The largest file of a logo, in bytes: it is a part of each page.
const LOGO_BYTES_MAX: u64 = 32 * 1024;

/// How the pages of a site look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The name of the site; `None`: pages have a general heading.
    pub name: Option<String>,
    /// The logo above the heading.
    pub logo: Option<Logo>,
    /// The colours of the light mode.
    pub light: Palette,
    /// The colours of the dark mode.
    pub dark: Palette,
    /// The language; `None`: the one that the visitor's browser prefers.
    pub language: Option<Language>,
    /// Where a member gets a new password.
    pub forgot_password: Option<Link>,
    /// Where a visitor becomes a member.
    pub join: Option<Link>,
    /// Where a visitor finds help.
    pub support: Option<Link>,
    /// Where a member on trial becomes a full one.
    pub upgrade: Option<Link>,
    /// The operator's own page around the form.
    pub template: Option<Template>,
    /// Words in place of ours, of each language.
    pub words: BTreeMap<Language, Texts>,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            name: None,
            logo: None,
            light: Palette::LIGHT,
            dark: Palette::DARK,
            language: None,
            forgot_password: None,
            join: None,
            support: None,
            upgrade: None,
            template: None,
            words: BTreeMap::new(),
        }
    }
}

/// A page of the operator's, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(pub(super) String);

/// An address to which a page links, with `{siteid}` in the place of the number of the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link(String);

impl Link {
    /// Reads a link. Only addresses that can run no script are links.
    pub fn parse(text: &str) -> Option<Self> {
        let is_address = ["https://", "http://", "mailto:"]
            .iter()
            .any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
            || (text.starts_with('/') && !text.starts_with("//"));
        let is_forbidden = |c: char| {
            c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '<' | '>' | '\\' | '`')
        };
        let is_good = is_address && text.len() <= LINK_BYTES_MAX && !text.contains(is_forbidden);
        is_good.then(|| Self(text.to_owned()))
    }

    /// Reads the address of the upgrade, which has a place for the authstring.
    pub fn parse_upgrade(text: &str) -> Option<Self> {
        let link = Self::parse(text).filter(|link| link.origin().is_some())?;
        link.0.contains("{authstring}").then_some(link)
    }

    /// The address with these values in the places of their names.
    pub fn filled(&self, values: &[(&str, &str)]) -> String {
        values.iter().fold(self.0.clone(), |text, (name, value)| {
            let value =
                percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
            text.replace(&format!("{{{name}}}"), &value.to_string())
        })
    }

    /// Scheme, host and port of a URL that has them, in a form that a policy of contents can have.
    pub fn origin(&self) -> Option<&str> {
        origin(&self.0)
    }
}

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo(String);

impl Logo {
    /// Reads a URL, or the picture in a file, which becomes a part of the page.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is too large or is no picture of a known kind.
    pub fn read(text: &str) -> io::Result<Self> {
        if text.contains("://") {
            return Link::parse(text)
                .filter(|link| link.origin().is_some())
                .map(|Link(url)| Self(url))
                .ok_or_else(|| io::Error::other("expected a file, or a URL with https://"));
        }
        let mut bytes = Vec::new();
        File::open(Path::new(text))?.take(LOGO_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LOGO_BYTES_MAX {
            return Err(io::Error::other(format!(
                "it has more than {LOGO_BYTES_MAX} bytes, which would be in each page: make it \
                 smaller, or name a URL"
            )));
        }
        let kind = kind(&bytes)
            .ok_or_else(|| io::Error::other("expected a picture in PNG, JPEG, GIF, WebP or SVG"))?;
        Ok(Self(format!("data:image/{kind};base64,{}", STANDARD.encode(&bytes))))
    }

    /// The address for the attribute `src`.
    pub fn src(&self) -> &str {
        &self.0
    }

    /// The source for a policy of contents.
    pub(super) fn source(&self) -> &str {
        origin(&self.0).unwrap_or("data:")
    }
}

/// The kind of a picture, by its first bytes.
fn kind(bytes: &[u8]) -> Option<&'static str> {
    let begins = |magic: &[u8]| bytes.starts_with(magic);
    if begins(b"\x89PNG\r\n\x1a\n") {
        Some("png")
    } else if begins(b"\xff\xd8\xff") {
        Some("jpeg")
    } else if begins(b"GIF8") {
        Some("gif")
    } else if begins(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some("webp")
    } else {
        let text = str::from_utf8(bytes).ok()?.trim_start_matches('\u{feff}').trim_start();
        let is_svg = text.starts_with("<svg") || text.starts_with("<?xml") && text.contains("<svg");
        is_svg.then_some("svg+xml")
    }
}

/// Scheme, host and port of a URL. Other characters than those of hosts would end the source in a
/// policy of contents.
fn origin(url: &str) -> Option<&str> {
    let host = ["https://", "http://"].iter().find_map(|scheme| url.strip_prefix(scheme))?;
    let scheme_len = url.len() - host.len();
    let end = host.find(['/', '?', '#']).unwrap_or(host.len());
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    let host = &host[..end];
    (!host.is_empty() && host.chars().all(is_host)).then(|| &url[..scheme_len + end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_runs_no_script_and_ends_no_attribute() {
        for (text, is_link) in [
            ("https://join.example.com/signup/password.php?siteid={siteid}", true),
            ("/join", true),
            ("mailto:help@example.com", true),
            ("javascript:alert(1)", false),
            ("data:text/html,x", false),
            ("//example.net", false),
            ("join", false),
            ("https://", false),
            ("https://example.com/\" onclick=\"x", false),
            ("https://example.com/<b>", false),
            ("/a\n", false),
            ("", false),
        ] {
            assert_eq!(Link::parse(text).is_some(), is_link, "{text:?}");
        }
        for (text, is_upgrade) in [
            ("https://a.example/signup/upgradeplus.php?authstring={authstring}", true),
            ("https://a.example/signup/upgradeplus.php", false),
            ("/upgrade?authstring={authstring}", false),
            ("https://a;b/?authstring={authstring}", false),
        ] {
            assert_eq!(Link::parse_upgrade(text).is_some(), is_upgrade, "{text:?}");
        }
    }

    #[test]
    fn values_in_a_link_are_escaped_and_stay_in_their_place() {
        let link = Link::parse("https://a.example/?s={siteid}&u={username}&x={other}").unwrap();
        assert_eq!(
            link.filled(&[("siteid", "5"), ("username", "b&x=1 #ø")]),
            "https://a.example/?s=5&u=b%26x%3D1%20%23%C3%B8&x={other}"
        );
        assert_eq!(link.origin(), Some("https://a.example"));
    }

    #[test]
    fn a_logo_is_a_url_or_a_small_picture_in_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let read = |bytes: &[u8]| {
            std::fs::write(path, bytes).unwrap();
            Logo::read(path).map(|logo| logo.src().to_owned()).map_err(|error| error.to_string())
        };
        assert_eq!(read(b"GIF89a").unwrap(), "data:image/gif;base64,R0lGODlh");
        assert_eq!(read(b"<svg/>").unwrap(), "data:image/svg+xml;base64,PHN2Zy8+");
        assert_eq!(
            read(b"<html>").unwrap_err(),
            "expected a picture in PNG, JPEG, GIF, WebP or SVG"
        );
        assert!(read(&[b'x'; 32 * 1024 + 1]).unwrap_err().starts_with("it has more than 32768"));
        let logo = Logo::read("https://cdn.example.com:8443/logo.png").unwrap();
        assert_eq!(
            (logo.src(), logo.source()),
            ("https://cdn.example.com:8443/logo.png", "https://cdn.example.com:8443")
        );
        for bad in ["ftp://a.example/x.png", "https://a;script-src *.example/x.png", "/nowhere"] {
            assert!(Logo::read(bad).is_err(), "{bad}");
        }
    }
}
