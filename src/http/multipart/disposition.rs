//! The Content-Disposition of a part, as PHP reads it.

/// The parameters of a Content-Disposition. Its type is ignored.
#[derive(Debug, Default)]
pub(super) struct Disposition {
    pub(super) name: Option<Vec<u8>>,
    pub(super) filename: Option<Vec<u8>>,
}

impl Disposition {
    /// Reads them. If a parameter is doubled, the last one counts.
    pub(super) fn read(value: &[u8]) -> Self {
        let (mut found, mut rest) = (Self::default(), trim_start(value));
        while !rest.is_empty() {
            let mut parameter = next_word(&mut rest, b';');
            rest = trim_start(rest);
            if !parameter.contains(&b'=') {
                continue;
            }
            let key = next_word(&mut parameter, b'=');
            if key.eq_ignore_ascii_case(b"name") {
                found.name = Some(unquoted(parameter));
            } else if key.eq_ignore_ascii_case(b"filename") {
                found.filename = Some(unquoted(parameter));
            }
        }
        found
    }
}

/// Splits off the text before the next `stop` outside of quotation marks of either kind, and skips
/// all `stop` bytes that follow.
fn next_word<'a>(rest: &mut &'a [u8], stop: u8) -> &'a [u8] {
    let text = *rest;
    let (mut at, mut quote) = (0, None);
    while let Some(&byte) = text.get(at) {
        match quote {
            Some(mark) if byte == b'\\' && text.get(at + 1) == Some(&mark) => at += 1,
            Some(mark) if byte == mark => quote = None,
            Some(_) => {}
            None if byte == stop => break,
            None if matches!(byte, b'"' | b'\'') => quote = Some(byte),
            None => {}
        }
        at += 1;
    }
    let behind = text[at..].iter().position(|&b| b != stop).map_or(text.len(), |stops| at + stops);
    *rest = &text[behind..];
    &text[..at]
}

/// The text inside its quotation marks, or without them the text up to a blank. A backslash escapes
/// only another one and the mark.
fn unquoted(value: &[u8]) -> Vec<u8> {
    let value = trim_start(value);
    let mark = value.first().copied().filter(|b| matches!(b, b'"' | b'\''));
    let ends = |b: u8| if mark.is_some() { Some(b) == mark } else { is_space(b) };
    let mut text = Vec::with_capacity(value.len());
    let mut bytes = value[usize::from(mark.is_some())..].iter().copied().peekable();
    while let Some(byte) = bytes.next().filter(|&b| !ends(b)) {
        let escaped =
            (byte == b'\\').then(|| bytes.next_if(|&b| b == b'\\' || Some(b) == mark)).flatten();
        text.push(escaped.unwrap_or(byte));
    }
    text
}

pub(super) fn trim_start(text: &[u8]) -> &[u8] {
    &text[text.iter().position(|&b| !is_space(b)).unwrap_or(text.len())..]
}

/// `isspace` of C, which includes the vertical tab.
pub(super) fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}
