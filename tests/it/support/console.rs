//! The console of the operations listener, as the browser of an operator uses it.

use std::net::SocketAddr;

use nats_userman::operator::{Operator, OperatorName, Role};
use nats_userman::operators::password::hash;
use nats_userman::password::{HashKind, Password};
use nats_userman::store::{Location, with_engine};

use super::{App, NOON, Request, Response, cheap, eventually, send_raw};

/// The password of all operators in tests.
pub const OPERATOR_PASSWORD: &str = "correct horse battery";

/// The flags of an operations listener on a free port.
pub const OPS: [&str; 2] = ["--ops-listen", "127.0.0.1:0"];

/// A browser that an operator has logged in.
pub struct Console {
    address: SocketAddr,
    /// The `Cookie` header.
    pub cookie: String,
    /// The token of forms.
    pub csrf: String,
}

/// Adds an operator with [`OPERATOR_PASSWORD`] to a database.
pub fn add_operator(location: &Location, name: &str, role: Role) {
    let password = Password::parse(OPERATOR_PASSWORD).unwrap();
    let operator = Operator {
        name: OperatorName::parse(name).unwrap(),
        role,
        hash: hash(&password, cheap(HashKind::Argon2id)).unwrap(),
        created_at: NOON,
        changed_at: NOON,
    };
    with_engine(location, false, |engine| {
        engine.begin().unwrap();
        engine.add_operator(&operator).unwrap();
        engine.commit().unwrap();
    })
    .unwrap();
}

fn submit_login(address: SocketAddr, name: &str, password: &str) -> Response {
    let form = format!("name={name}&password={}", password.replace(' ', "+"));
    send_raw(address, Request::post("/login").same_origin().form(&form)).unwrap()
}

impl App {
    /// Adds an operator with [`OPERATOR_PASSWORD`], as `operator add` does.
    pub fn add_operator(&self, name: &str, role: Role) {
        add_operator(&self.config.location, name, role);
    }

    /// Sends a request to the operations listener.
    pub fn send_ops(&self, request: impl Into<Vec<u8>>) -> Response {
        send_raw(self.ops.expect("--ops-listen is not set"), request).unwrap()
    }

    /// Sends the login form of the console.
    pub fn submit_login(&self, name: &str, password: &str) -> Response {
        submit_login(self.ops.expect("--ops-listen is not set"), name, password)
    }

    /// Adds an operator and logs them in.
    pub fn console(&self, name: &str, role: Role) -> Console {
        self.add_operator(name, role);
        self.log_in_operator(name)
    }

    /// Logs an operator in.
    pub fn log_in_operator(&self, name: &str) -> Console {
        Console::log_in(self.ops.unwrap(), name)
    }
}

impl Console {
    /// Logs an operator in at this listener.
    pub fn log_in(address: SocketAddr, name: &str) -> Self {
        // An operator who was added beside the service is seen one round of each thread later.
        let mut response = submit_login(address, name, OPERATOR_PASSWORD);
        eventually("the operator is let in", || {
            if response.status != 303 {
                response = submit_login(address, name, OPERATOR_PASSWORD);
            }
            response.status == 303
        });
        let cookie = response.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        let page = send_raw(address, Request::get("/logout").cookie(&cookie)).unwrap().body;
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").expect("a form with a token");
        Self { address, cookie, csrf: rest.split('"').next().unwrap().to_owned() }
    }

    /// Loads a page.
    pub fn get(&self, path: &str) -> Response {
        self.send(Request::get(path))
    }

    /// Sends a form of a page, with its token.
    pub fn post(&self, path: &str, form: &str) -> Response {
        let form = format!("{form}&csrf={}", self.csrf);
        self.send(Request::post(path).same_origin().form(&form))
    }

    /// Sends a request with the cookie.
    pub fn send(&self, request: Request) -> Response {
        send_raw(self.address, request.cookie(&self.cookie)).unwrap()
    }
}
