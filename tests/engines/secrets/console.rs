//! What the pages of the console and the metrics show of all that was sent.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::Stdio;

use super::{Caller, Place};
use crate::support::{Request, eventually, operations_in, send_raw};

/// The flags with which a service has a console.
pub const OPS: [&str; 2] = ["--ops-listen", "127.0.0.1:0"];

impl Place {
    /// All pages, as an operator of the role admin reads them, of a service that was started under
    /// this name with [`OPS`].
    pub fn pages(&self, name: &str, caller: &mut Caller) -> Vec<u8> {
        let password = caller.sent.plain("the password of an operator");
        self.add_admin(&password);
        let address = self.operations(name);
        let form = format!("name=anna&password={password}");
        let login = Request::post("/login").same_origin().form(&form);
        let entered = send_raw(address, login).unwrap();
        assert_eq!(entered.status, 303, "{}", entered.body);
        let cookie = entered.header("set-cookie").unwrap().split(';').next().unwrap();
        let newest: u32 = self.beside().rows("SELECT max(id) FROM journal")[0].parse().unwrap();
        let members = (1..=caller.members).map(|member| format!("/members/1/{member}"));
        let records = (1..=newest).map(|id| format!("/postbacks/{id}"));
        let lists = [
            "/",
            "/members?q=s",
            "/members?q=u",
            "/postbacks",
            "/blocks",
            "/settings",
            "/health",
            "/metrics",
        ];
        let mut said = Vec::new();
        for path in lists.into_iter().map(str::to_owned).chain(members).chain(records) {
            let page =
                send_raw(address, Request::get(&path).host("localhost").cookie(cookie)).unwrap();
            // The numbers of records on a server have gaps.
            let is_gap = page.status == 404 && path.starts_with("/postbacks/");
            assert!(page.status == 200 || is_gap, "{path}: {}", page.body);
            said.extend(page.body.into_bytes());
        }
        said
    }

    fn add_admin(&self, password: &str) {
        let mut command = self.command();
        command.args(["operator", "add", "anna", "--role", "admin"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }

    /// Where the operations listener listens, as the log says in either format.
    pub fn operations(&self, name: &str) -> SocketAddr {
        let log = self.dir.path().join("out").join(format!("{name}.stderr"));
        let mut address = None;
        eventually("the operations listener runs", || {
            address = operations_in(&fs::read_to_string(&log).unwrap());
            address.is_some()
        });
        address.unwrap()
    }
}
