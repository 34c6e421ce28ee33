//! What comes in on a connection of a web server: the same questions in pieces of any length, each
//! within its bounds, and an answer whose records say what was answered.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nats_userman::fastcgi::question::Params;
use nats_userman::fastcgi::record::{Malformed, Pair, Progress, Reader, Request};
use nats_userman::identity::USERNAME_BYTES_MAX;
use nats_userman::network::{TrustedProxies, parse_network};

const HEADER_BYTES: usize = 8;
const BEGIN: [u8; 16] = [1, 1, 0, 1, 0, 8, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0];
const PARAMS_BYTES_MAX: usize = 64 * 1024;
const LINE_BYTES_MAX: usize = 400;

fuzz_target!(|bytes: &[u8]| {
    let (requests, end) = read([bytes].into_iter());
    let piece = usize::from(bytes.first_chunk::<6>().map_or(0, |first| first[5])) + 1;
    assert!(read(bytes.chunks(piece)) == (requests.clone(), end), "in pieces of {piece}");
    if let Some(why) = end {
        assert!(why.to_string().len() <= LINE_BYTES_MAX, "{why}");
    }
    for request in &requests {
        assert_eq!(format!("{request:?}"), "Request(***)");
        let Ok(pairs) = request.params() else { continue };
        let long: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(long <= PARAMS_BYTES_MAX);
        let (again, end) = read([&*written(&pairs)].into_iter());
        assert!(again.len() == 1 && end.is_none());
        assert!(again[0].params() == Ok(pairs.clone()));
        question(&pairs);
        answer(request, bytes);
    }
});

/// The requests of these bytes, and what ended the connection.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Request>, Option<Malformed>) {
    let (mut reader, mut requests) = (Reader::default(), Vec::new());
    for piece in pieces {
        let mut some = piece;
        loop {
            match reader.push(some) {
                Ok(Progress::More) => break,
                Ok(Progress::Request(request)) => {
                    requests.push(request);
                    some = &[];
                }
                Ok(Progress::Aborted) => return (requests, None),
                Err(why) => return (requests, Some(why)),
            }
        }
    }
    (requests, None)
}

/// A request with these parameters, as a web server writes it.
fn written(pairs: &[Pair<'_>]) -> Vec<u8> {
    let mut params = Vec::new();
    for (name, value) in pairs {
        for text in [name, value] {
            match u8::try_from(text.len()) {
                Ok(short @ ..0x80) => params.push(short),
                _ => {
                    let long = u32::try_from(text.len()).expect("at most 64 KiB") | 0x8000_0000;
                    params.extend(long.to_be_bytes());
                }
            }
        }
        params.extend([*name, *value].concat());
    }
    let mut bytes = BEGIN.to_vec();
    for chunk in params.chunks(0x4000).chain([&[][..]]) {
        let length = u16::try_from(chunk.len()).expect("at most 16 KiB").to_be_bytes();
        bytes.extend([1, 4, 0, 1, length[0], length[1], 0, 0]);
        bytes.extend(chunk);
    }
    bytes
}

/// Only a single question by a single address is one, and no password is shown.
fn question(pairs: &[Pair<'_>]) {
    let networks = vec![parse_network("10.0.0.0/8").expect("a network")];
    let values = |name: &[u8]| {
        let of_name = pairs.iter().filter(|(key, _)| *key == name);
        of_name.map(|(_, value)| *value).collect::<Vec<_>>()
    };
    match Params(pairs).question(&TrustedProxies(networks)) {
        Ok(question) => {
            assert_eq!(values(b"USERMAN_QUESTION"), [question.query]);
            assert_eq!(values(b"REMOTE_ADDR").len(), 1);
            assert_eq!(values(b"HTTP_COOKIE"), question.request.visit.cookies);
            if let Some(typed) = question.request.typed {
                let long = typed.name.as_str().len();
                assert!((1..=USERNAME_BYTES_MAX).contains(&long));
                let shown = format!("{typed:?}");
                assert!(shown.ends_with("password: Password(***) }"), "{shown}");
            }
        }
        Err(refusal) => assert!(refusal.to_string().len() <= LINE_BYTES_MAX, "{refusal}"),
    }
}

/// Head, empty line and body, and one end.
fn answer(request: &Request, body: &[u8]) {
    let head = b"Status: 401\r\n";
    let answer = request.answer(head, body);
    let (mut rest, mut output, mut ended) = (&answer[..], Vec::<u8>::new(), false);
    while let Some((header, after)) = rest.split_first_chunk::<HEADER_BYTES>() {
        let [1, kind, _, _, high, low, 0, 0] = *header else { panic!("{header:?}") };
        let (content, after) = after.split_at(u16::from_be_bytes([high, low]).into());
        assert!(!ended);
        match kind {
            6 => output.extend(content),
            3 => ended = true,
            other => panic!("a record of type {other}"),
        }
        rest = after;
    }
    assert!(ended && rest.is_empty());
    assert_eq!(output, [head, &b"\r\n"[..], body].concat());
}
