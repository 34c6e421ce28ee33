//! The web servers of the examples read a form completely before they call the service. A slow
//! visitor holds a connection of the web server, not of the service.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};

use crate::support::PATIENCE;
use crate::web::{Host, Visitor, WebServer};

/// Takes the place of the service: accepts one call, reads it up to this word, and answers.
fn call(service: &TcpListener, to: &str) -> String {
    let (mut stream, _) = service.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut call, mut piece) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&call).contains(to) {
        let bytes = stream.read(&mut piece).expect("the call does not come whole");
        assert!(bytes > 0, "the call broke off");
        call.extend_from_slice(&piece[..bytes]);
    }
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ndone")
        .unwrap();
    String::from_utf8_lossy(&call).into_owned()
}

/// Begins a form, sends a second form beside it, and then sends the rest of the first one.
fn a_slow_form_holds_up_nobody(start: impl Fn(&Host) -> Option<WebServer>) {
    let Some(mut host) = Host::new() else { return };
    let service = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    host.service = service.local_addr().unwrap();
    let Some(server) = start(&host) else { return };
    let visitor = Visitor::of(&host, &server);
    for url in
        ["https://www.example.com/login?site=1", "https://members.example.com/postback/token"]
    {
        let mut slow = visitor.begin(url);
        let mut body = slow.stdin.take().unwrap();
        body.write_all(b"first=").unwrap();
        std::thread::scope(|scope| {
            let quick = scope.spawn(|| visitor.post(url, "second=whole", &[]));
            assert!(
                call(&service, "whole").contains("second="),
                "{url}: the first one is not handed on yet"
            );
            assert_eq!(quick.join().unwrap().body, "done", "{url}: {}", server.errors());
        });
        body.write_all(b"whole").unwrap();
        drop(body);
        assert!(call(&service, "whole").contains("first="), "{url}");
        let output = slow.wait_with_output().unwrap();
        assert!(
            String::from_utf8_lossy(&output.stdout).ends_with("done"),
            "{url}: {}",
            server.errors()
        );
    }
    // A form that exceeds the limit and does not end is not forwarded either.
    let mut long = visitor.begin("https://www.example.com/login?site=1");
    long.stdin.as_mut().unwrap().write_all(&[b'x'; 90_000]).unwrap();
    let quick = std::thread::scope(|scope| {
        let quick = scope
            .spawn(|| visitor.post("https://www.example.com/login?site=1", "third=whole", &[]));
        assert!(call(&service, "whole").contains("third="));
        quick.join().unwrap()
    });
    assert_eq!(quick.body, "done", "{}", server.errors());
    long.kill().unwrap();
    long.wait().unwrap();
}

#[test]
fn nginx_reads_a_form_whole_before_it_calls_the_service() {
    a_slow_form_holds_up_nobody(|host| host.nginx(&["nginx.conf", "members-nginx.conf"]));
}

#[test]
fn caddy_reads_a_form_whole_before_it_calls_the_service() {
    a_slow_form_holds_up_nobody(|host| host.caddy(&["Caddyfile", "members.Caddyfile"]));
}
