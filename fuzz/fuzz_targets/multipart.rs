//! Any multipart body gives parts or is refused; what a well-behaved sender writes comes back byte
//! for byte.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nats_userman::fields::Fields;
use nats_userman::http::multipart::parts;

/// The input is `type NEWLINE body`; without a line break it is a body with the boundary `B`.
const TYPE: &[u8] = b"multipart/form-data; boundary=B";
const BOUNDARY: &str = "--------------------------0123456789abcdef";

fuzz_target!(|input: &[u8]| {
    let (kind, body) = match input.iter().position(|&b| b == b'\n') {
        Some(end) if input.starts_with(b"multipart/") => (&input[..end], &input[end + 1..]),
        _ => (TYPE, input),
    };
    if let Ok(parts) = parts(kind, body) {
        let bytes: usize = parts.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(bytes <= body.len(), "{bytes} of {}", body.len());
        let journal = Fields::from_parts(parts).journal_text();
        assert!(journal.bytes().all(|b| b.is_ascii_graphic()), "{journal}");
    }
    comes_back(input);
});

/// The input as the value of a part, which no boundary of its own can cut: what PHP's curl sends.
fn comes_back(value: &[u8]) {
    if value.windows(BOUNDARY.len()).any(|window| window == BOUNDARY.as_bytes()) {
        return;
    }
    let mut body = Vec::new();
    for (name, value) in [("password", value), ("action", b"ADD")] {
        body.extend_from_slice(
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n")
                .as_bytes(),
        );
        body.extend_from_slice(value);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let expected =
        vec![(b"password".to_vec(), value.to_vec()), (b"action".to_vec(), b"ADD".to_vec())];
    assert_eq!(parts(kind.as_bytes(), &body), Ok(expected), "{}", value.escape_ascii());
}
