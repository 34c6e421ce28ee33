use super::*;

fn record(kind: u8, id: u16, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    super::push(&mut bytes, kind, id, content);
    bytes
}

fn begin(role: u16, flags: u8) -> Vec<u8> {
    record(BEGIN_REQUEST, 1, &[0, role as u8, flags, 0, 0, 0, 0, 0])
}

fn pair(name: &[u8], value: &[u8]) -> Vec<u8> {
    let length = |text: &[u8]| match u8::try_from(text.len()) {
        Ok(short @ ..0x80) => vec![short],
        _ => (text.len() as u32 | 0x8000_0000).to_be_bytes().to_vec(),
    };
    [length(name), length(value), name.to_vec(), value.to_vec()].concat()
}

/// What a reader finds in these bytes, with the parameters of a request.
type Found = Result<Option<Vec<(Vec<u8>, Vec<u8>)>>, Malformed>;

fn found(reader: &mut Reader, bytes: &[u8]) -> Found {
    match reader.push(bytes)? {
        Progress::More | Progress::Aborted => Ok(None),
        Progress::Request(request) => {
            let owned = |(name, value): (&[u8], &[u8])| (name.to_vec(), value.to_vec());
            Ok(Some(request.params()?.into_iter().map(owned).collect()))
        }
    }
}

fn read(bytes: &[u8]) -> Found {
    found(&mut Reader::default(), bytes)
}

#[test]
fn a_request_is_read_from_pieces_of_any_length() {
    let long = vec![b'x'; 300];
    let pairs = [pair(b"A", b"1"), pair(b"B", b""), pair(b"", b""), pair(b"C", &long)].concat();
    // A pair may begin in one record and end in the next one, and records may have padding.
    let (first, rest) = pairs.split_at(20);
    let mut padded = record(PARAMS, 1, rest);
    padded[6] = 3;
    padded.extend([0; 3]);
    let all =
        [begin(AUTHORIZER, 0), record(PARAMS, 1, first), padded, record(PARAMS, 1, b"")].concat();
    let expected = vec![
        (b"A".to_vec(), b"1".to_vec()),
        (b"B".to_vec(), Vec::new()),
        (Vec::new(), Vec::new()),
        (b"C".to_vec(), long),
    ];
    for piece in [1, 7, 8, 9, 64, all.len()] {
        let mut reader = Reader::default();
        let mut whole = None;
        for piece in all.chunks(piece) {
            assert_eq!(whole, None, "nothing is read before the end");
            whole = found(&mut reader, piece).unwrap();
        }
        assert_eq!(whole.as_ref(), Some(&expected), "pieces of {piece}");
        assert!(!reader.has_begun());
    }
}

#[test]
fn requests_follow_each_other_and_their_input_is_passed_over() {
    let one = |id: u16, value: &[u8]| {
        let mut begin = begin(RESPONDER, KEEP_CONNECTION);
        begin[3] = id as u8;
        let params = record(PARAMS, id, &pair(b"A", value));
        [begin, params, record(PARAMS, id, b""), record(STDIN, id, b"")].concat()
    };
    let mut reader = Reader::default();
    let both = [one(1, b"first"), one(2, b"second")].concat();
    let value = |found: Found| found.unwrap().map(|pairs| pairs[0].1.clone());
    assert_eq!(value(found(&mut reader, &both)), Some(b"first".to_vec()));
    assert!(reader.has_begun(), "the second one has come");
    assert_eq!(value(found(&mut reader, b"")), Some(b"second".to_vec()));
    assert_eq!(value(found(&mut reader, b"")), None);
    let aborted = [begin(AUTHORIZER, 0), record(ABORT_REQUEST, 1, b"")].concat();
    assert_eq!(Reader::default().push(&aborted), Ok(Progress::Aborted));
}

#[test]
fn what_is_no_request_is_refused_as_soon_as_it_is_seen() {
    use Malformed::{Begin, Id, Pair, ParamsTooLong, Record, Role, TooManyRecords, Version};
    let begun = |more: Vec<u8>| [begin(AUTHORIZER, 0), more].concat();
    let wrong_version = |mut bytes: Vec<u8>| {
        bytes[0] = 2;
        bytes
    };
    let header = |kind: u8, id: u8, length: u16| {
        let [high, low] = length.to_be_bytes();
        vec![VERSION, kind, 0, id, high, low, 0, 0]
    };
    let full = record(PARAMS, 1, &vec![0; 60_000]);
    let ended = |pairs: &[u8]| begun([record(PARAMS, 1, pairs), record(PARAMS, 1, b"")].concat());
    let many = |count: usize| begun(record(PARAMS, 1, &[0]).repeat(count));
    let table: Vec<(Vec<u8>, Malformed, &str)> = vec![
        (b"GET / HTTP/1.1\r\n".to_vec(), Version(b'G'), "HTTP"),
        (b"\x16\x03\x01".to_vec(), Version(0x16), "TLS"),
        (wrong_version(begin(AUTHORIZER, 0)), Version(2), "a later version"),
        (vec![0], Version(0), "one byte is enough"),
        (begun(wrong_version(record(PARAMS, 1, b""))), Version(2), "in a later record"),
        (header(BEGIN_REQUEST, 1, 7), Begin(7), "too short"),
        (header(BEGIN_REQUEST, 1, 65_535), Begin(65_535), "too long, by its header"),
        (begin(3, 0), Role(3), "a filter"),
        (begin(0, 0), Role(0), "no role"),
        (begin(255, 0), Role(255), "an unknown one"),
        (header(BEGIN_REQUEST, 0, 8), Id, "a management record"),
        (header(PARAMS, 1, 0), Record { expected: "BEGIN_REQUEST", found: PARAMS }, "too early"),
        (header(9, 1, 0), Record { expected: "BEGIN_REQUEST", found: 9 }, "an unknown type"),
        (begun(begin(AUTHORIZER, 0)), Record { expected: "PARAMS", found: 1 }, "begun twice"),
        (begun(header(STDIN, 1, 0)), Record { expected: "PARAMS", found: STDIN }, "input first"),
        (begun(header(11, 1, 0)), Record { expected: "PARAMS", found: 11 }, "an unknown type"),
        (begun(header(PARAMS, 2, 0)), Id, "another request beside it"),
        (begun(header(PARAMS, 0, 0)), Id, "no request"),
        (
            begun([full, header(PARAMS, 1, 6_000)].concat()),
            ParamsTooLong,
            "by the header of the record that is too much",
        ),
        (many(RECORDS_MAX), TooManyRecords, "records of one byte without an end"),
        (header(STDIN, 1, 0).repeat(RECORDS_MAX + 1), TooManyRecords, "input without an end"),
        (ended(&[1]), Pair, "no second length"),
        (ended(&[1, 1, b'A']), Pair, "no value"),
        (ended(&[0x80, 0, 0]), Pair, "half a length"),
        (ended(&[0xff, 0xff, 0xff, 0xff, 0]), Pair, "two gigabytes"),
    ];
    for (bytes, why, what) in table {
        assert_eq!(read(&bytes), Err(why), "{what}");
    }
    assert_eq!(read(&many(RECORDS_MAX - 1)), Ok(None));
    let largest = record(PARAMS, 1, &vec![0; u16::MAX.into()]);
    assert_eq!(read(&begun([largest, record(PARAMS, 1, &[0])].concat())), Ok(None));
}

#[test]
fn a_responder_is_an_authorizer_only_where_a_parameter_says_so() {
    let request = |role: u16| {
        let bytes = [begin(role, 0), record(PARAMS, 1, b"")].concat();
        match Reader::default().push(&bytes) {
            Ok(Progress::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(request(AUTHORIZER).check_role(false), Ok(()));
    assert_eq!(request(RESPONDER).check_role(true), Ok(()));
    let why = request(RESPONDER).check_role(false).unwrap_err();
    assert_eq!(
        why.to_string(),
        "expected the role AUTHORIZER, found RESPONDER without the parameter FCGI_ROLE=AUTHORIZER"
    );
}

#[test]
fn an_answer_has_the_end_of_its_head_and_its_body_in_one_record() {
    let bytes = [begin(AUTHORIZER, 0), record(PARAMS, 1, b"")].concat();
    let Ok(Progress::Request(request)) = Reader::default().push(&bytes) else { panic!() };
    let expected = [
        record(STDOUT, 1, b"Status: 401\r\n"),
        record(STDOUT, 1, b"\r\npage"),
        record(STDOUT, 1, b""),
        record(END_REQUEST, 1, &[0; 8]),
    ];
    assert_eq!(request.answer(b"Status: 401\r\n", b"page"), expected.concat());
}

proptest::proptest! {
    #[test]
    fn any_bytes_in_any_pieces_are_bounded_and_read_alike(
        kinds in proptest::collection::vec((0_u8..7, 0_u8..3, 0_usize..40), 0..12),
        noise in proptest::collection::vec(0..=255_u8, 0..20),
        piece in 1_usize..50,
    ) {
        let mut bytes = Vec::new();
        for (kind, id, length) in kinds {
            let content = match kind {
                BEGIN_REQUEST => vec![0, AUTHORIZER as u8, 0, 0, 0, 0, 0, 0],
                _ => vec![0; length],
            };
            bytes.extend(record(kind, id.into(), &content));
        }
        bytes.extend(noise);
        let outcome = |pieces: &mut dyn Iterator<Item = &[u8]>| {
            let mut reader = Reader::default();
            let mut requests = 0;
            for piece in pieces {
                let mut next = reader.push(piece);
                while let Ok(Progress::Request(_) | Progress::Aborted) = next {
                    requests += 1;
                    next = reader.push(b"");
                }
                if let Err(why) = next {
                    return (requests, Some(why));
                }
            }
            (requests, None)
        };
        let whole = outcome(&mut std::iter::once(bytes.as_slice()));
        proptest::prop_assert_eq!(outcome(&mut bytes.chunks(piece)), whole);
    }
}
