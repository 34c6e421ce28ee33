//! Bytes as hexadecimal digits.

/// Two digits a byte, in lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads two digits a byte, in either case. `None` for anything else.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks_exact(2);
    let whole = digits.remainder().is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.map(byte).collect::<Option<_>>().filter(|_| whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again_and_nothing_else_is() {
        assert_eq!(hex(&[0, 10, 255]), "000aff");
        for (text, bytes) in [("", vec![]), ("000aff", vec![0, 10, 255]), ("0AFf", vec![10, 255])] {
            assert_eq!(unhex(text), Some(bytes), "{text}");
        }
        for text in ["0", "0a0", "+f", " f", "0g", "\u{e4}"] {
            assert_eq!(unhex(text), None, "{text}");
        }
    }
}
