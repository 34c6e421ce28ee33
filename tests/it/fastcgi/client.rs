//! A web server that asks by FastCGI, record by record.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::support::{PATIENCE, Response, read_response};

pub const RESPONDER: u8 = 1;
pub const AUTHORIZER: u8 = 2;
pub const BEGIN: u8 = 1;
pub const ABORT: u8 = 2;
pub const PARAMS: u8 = 4;
pub const STDIN: u8 = 5;
const STDOUT: u8 = 6;
const END: u8 = 3;

/// A record of the request 1.
pub fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[1, kind, 0, 1, high, low, 0, 0], content].concat()
}

/// A BEGIN_REQUEST. Bit 0 of the flags keeps the connection.
pub fn begin(role: u8, flags: u8) -> Vec<u8> {
    record(BEGIN, &[0, role, flags, 0, 0, 0, 0, 0])
}

/// A whole request with these parameters.
pub fn request(role: u8, flags: u8, params: &[(&str, &str)]) -> Vec<u8> {
    let mut pairs = Vec::new();
    for (name, value) in params {
        for text in [name, value] {
            match u8::try_from(text.len()) {
                Ok(short @ ..0x80) => pairs.push(short),
                _ => pairs.extend((text.len() as u32 | 0x8000_0000).to_be_bytes()),
            }
        }
        pairs.extend(name.bytes().chain(value.bytes()));
    }
    let mut bytes = begin(role, flags);
    for piece in pairs.chunks(16_384) {
        bytes.extend(record(PARAMS, piece));
    }
    bytes.extend(record(PARAMS, b""));
    bytes
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads the records of an answer to their end. It is read as an HTTP response.
pub fn read_answer(stream: &mut TcpStream) -> std::io::Result<Response> {
    let mut printed = Vec::new();
    loop {
        let mut header = [0; 8];
        stream.read_exact(&mut header)?;
        let [version, kind, id_high, id, high, low, padding, _] = header;
        assert_eq!((version, id_high, id, padding), (1, 0, 1, 0));
        let mut content = vec![0; u16::from_be_bytes([high, low]).into()];
        stream.read_exact(&mut content)?;
        match kind {
            STDOUT => printed.extend(content),
            END => {
                assert_eq!(content, [0; 8], "complete");
                break;
            }
            other => panic!("a record of type {other}"),
        }
    }
    let printed = [b"HTTP/1.1 ", printed.strip_prefix(b"Status: ").unwrap()].concat();
    read_response(&mut printed.as_slice())
}

/// Asks on a new connection.
pub fn ask(address: SocketAddr, params: &[(&str, &str)]) -> Response {
    let mut stream = connect(address);
    stream.write_all(&request(AUTHORIZER, 0, params)).unwrap();
    let answer = read_answer(&mut stream).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0, "the connection is closed");
    answer
}
