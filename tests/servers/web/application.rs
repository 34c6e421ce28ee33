//! The application behind the members area. Headers tell it the name of the member.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

/// Starts an application that answers every request with the headers that name a member or contain
/// a password: one per line, sorted. It runs until the end of the process.
pub fn start() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || answer(stream));
        }
    });
    address
}

/// Answers one request and closes the connection. If a proxy closes it earlier, the test does not
/// fail.
fn answer(mut stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let head: Vec<String> =
        (&mut reader).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    // The whole request is read, because closing the connection before that resets it and may lose
    // the answer.
    let length = head.iter().find_map(|line| {
        line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok()
    });
    std::io::copy(&mut reader.take(length.unwrap_or(0)), &mut std::io::sink()).ok()?;
    let headers = head.iter().skip(1).filter_map(|line| line.split_once(':'));
    let headers =
        headers.map(|(name, value)| format!("{}: {}\n", name.to_ascii_lowercase(), value.trim()));
    let mut told: Vec<String> = headers.filter(|line| is_told(line)).collect();
    told.sort_unstable();
    let body = told.concat();
    let length = body.len();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
        .ok()
}

fn is_told(line: &str) -> bool {
    ["x-member", "x_member", "authorization:"].iter().any(|start| line.starts_with(start))
}
