//! The colours of pages. The operator chooses backgrounds and accents; the colours of texts are
//! computed, so that each text has the contrast of WCAG's level AA on its background.

use std::fmt;

/// What a colour may be, for errors.
pub const COLOUR_EXPECTED: &str = "expected a colour as in #0b5cad or #fff";
/// The least contrast of text, by WCAG's level AA.
const TEXT_CONTRAST_MIN: f64 = 4.5;
/// The least contrast of the border of a field.
const BORDER_CONTRAST_MIN: f64 = 3.0;

const BLACK: Colour = Colour([0; 3]);
const WHITE: Colour = Colour([255; 3]);
/// The border of fields, where its contrast is high enough.
const GREY: Colour = Colour([0x76; 3]);

/// A colour of the sRGB space. It is printed as `#0b5cad`, so no text of the operator's gets into a
/// style sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour([u8; 3]);

impl Colour {
    /// Reads `#rgb` or `#rrggbb`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Option<Vec<u8>> = text
            .strip_prefix('#')?
            .chars()
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect();
        match digits?[..] {
            [r, g, b] => Some(Self([r * 17, g * 17, b * 17])),
            [r, r2, g, g2, b, b2] => Some(Self([r * 16 + r2, g * 16 + g2, b * 16 + b2])),
            _ => None,
        }
    }

    /// WCAG's relative luminance, from 0 to 1.
    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        let [r, g, b] = self.0.map(linear);
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    /// WCAG's contrast ratio, from 1 to 21.
    fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// Black or white, whichever is easier to read on this colour. Its contrast is at least 4.58,
    /// the square root of the contrast of black and white.
    fn text(self) -> Self {
        if self.contrast(BLACK) >= self.contrast(WHITE) { BLACK } else { WHITE }
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [r, g, b] = self.0;
        write!(f, "#{r:02x}{g:02x}{b:02x}")
    }
}

/// The colours of a page in one mode, light or dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    /// Behind everything.
    pub background: Colour,
    /// The button.
    pub accent: Colour,
}

impl Palette {
    /// The default of the light mode.
    pub const LIGHT: Self = Self { background: WHITE, accent: Colour([0x0b, 0x5c, 0xad]) };
    /// The default of the dark mode.
    pub const DARK: Self =
        Self { background: Colour([0x12; 3]), accent: Colour([0x8a, 0xb4, 0xf8]) };

    /// All colours, by the names that the style sheet has for them.
    pub(super) fn all(self) -> [(&'static str, Colour); 6] {
        let Self { background, accent } = self;
        let text = background.text();
        let readable = |colour: Colour, least| colour.contrast(background) >= least;
        let link = if readable(accent, TEXT_CONTRAST_MIN) { accent } else { text };
        let border = if readable(GREY, BORDER_CONTRAST_MIN) { GREY } else { text };
        [
            ("background", background),
            ("text", text),
            ("accent", accent),
            ("accent_text", accent.text()),
            ("link", link),
            ("border", border),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_three_or_six_digits_and_nothing_else() {
        for (text, read) in [
            ("#0b5cad", Some("#0b5cad")),
            ("#FFF", Some("#ffffff")),
            ("#1a0", Some("#11aa00")),
            ("0b5cad", None),
            ("#0b5ca", None),
            ("#0b5cadff", None),
            ("#ggg", None),
            ("red", None),
            ("#fff;}body{display:none", None),
            ("", None),
        ] {
            let found = Colour::parse(text).map(|colour| colour.to_string());
            assert_eq!(found.as_deref(), read, "{text:?}");
        }
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        let colour = |text| Colour::parse(text).unwrap();
        for (a, b, ratio) in
            [("#000", "#fff", 21.0), ("#767676", "#fff", 4.54), ("#fff", "#fff", 1.0)]
        {
            let found = colour(a).contrast(colour(b));
            assert!((found - ratio).abs() < 0.01, "{a} on {b}: {found}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_the_operator_chooses_each_text_can_be_read(
            background: [u8; 3],
            accent: [u8; 3],
        ) {
            let palette = Palette { background: Colour(background), accent: Colour(accent) };
            let [background, text, accent, accent_text, link, border] =
                palette.all().map(|(_, colour)| colour);
            for (on, colour, least) in [
                (background, text, 4.5),
                (accent, accent_text, 4.5),
                (background, link, 4.5),
                (background, border, 3.0),
            ] {
                proptest::prop_assert!(colour.contrast(on) >= least, "{colour} on {on}");
            }
        }
    }
}
