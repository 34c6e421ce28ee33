//! The requests: bytes made once, with the few values that differ from member to member patched in
//! place. Building them for each request would cost processor time that the server shares.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_urlencoded::to_string;

use crate::expected::Expected;

/// What NATS4 sends for a new member, as its maker's capture script recorded it.
const RECORD: &str = include_str!("captured-add.txt");
/// The token of the servers that flood starts. It protects nothing: they listen on the loopback
/// address for a minute.
pub const TOKEN: &str = "flood-flood-flood-flood-flood-flood";
/// The key for authstrings at these servers. It protects nothing either.
pub const API_USERNAME: &str = "flood";
pub const API_KEY: &str = "flood-flood-flood-flood-flood-fl";
/// Numbers from here on are never added: names of these are free.
const FREE_FROM: u64 = 1 << 31;
/// The step through all members, in an order without locality for caches and B-trees. It is a
/// prime, so it visits each member once.
const STRIDE: u64 = 7_368_787;

/// The place of a value in the template, as letters that occur nowhere else, each as wide as what
/// replaces them.
const MEMBERID: &str = "MMMMMMMMM";
const NAME: &str = "UUUUUUUUU";
const SESSION: &str = "SSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS";
const SUBSCRIPTION: &str = "XXXXXXXXXXXX";
/// Name, colon and password in base64.
const CREDENTIALS: &str = "BBBBBBBBBBBBBBBBBBBBBBBB";
/// The value of a login cookie.
const COOKIE: &str = "KKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKK\
    KKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKK";
/// The end of the prefix of a network of IPv6: groups of four digits.
const NETWORK: &str = "NNNN:NNNN";
/// The password of all members, as it is in the record.
const PASSWORD: &str = "testtest";
/// The number of the first member's own network.
const HOMES_FROM: u64 = 1 << 31;
/// This many wrong passwords from one network make one block.
pub const GUESSES: u64 = 10;

/// The kind of requests.
#[derive(Clone)]
pub enum Ask {
    /// ADDs of members never sent before, from this number on.
    Add {
        /// The first one's number.
        first: u64,
    },
    /// ADDs of this many members, whose memberids are in random order.
    AddScattered {
        /// Members 0 to this.
        members: u64,
    },
    /// CHECKs, every other one for a name that is taken.
    Check {
        /// Members 0 to this one exist.
        members: u64,
    },
    /// Checks of /auth with name and password.
    Basic {
        /// The first visitor's number.
        first: u64,
        /// From one visitor's number to the next one's.
        step: u64,
        /// The number of visitors, who come in random order, again and again.
        visitors: u64,
    },
    /// Checks of /auth with cookies, one after the other and again from the first.
    Cookie {
        /// Their values.
        cookies: Arc<[String]>,
    },
    /// Checks of /auth with wrong passwords for one member: the same [`GUESSES`] from one network
    /// after the other.
    Guess {
        /// Whose.
        member: u64,
        /// The first network's number.
        first: u64,
    },
    /// Checks of /auth with name and password, each member from a network of their own.
    Home,
    /// Authstrings of members, by name.
    AuthString {
        /// Members 0 to this one exist.
        members: u64,
    },
    /// Authstrings for names that nobody has.
    Blank,
}

impl Ask {
    /// The member of the `index`th request, and what a right reply holds.
    fn pick(&self, index: u64) -> (u64, Expected) {
        match self {
            Self::Add { first } => (first + index, Expected::Word("OK|")),
            Self::AddScattered { members } => (scattered(index, *members), Expected::Word("OK|")),
            Self::Check { members } if index.is_multiple_of(2) => {
                (scattered(index / 2, *members), Expected::Word("OK|"))
            }
            Self::Check { .. } => (FREE_FROM + index / 2, Expected::Word("NOTOK|")),
            // Status 200 says all.
            Self::Basic { first, step, visitors } => {
                (first + scattered(index, *visitors) * step, Expected::Word(""))
            }
            Self::Cookie { cookies } => (index % cookies.len().max(1) as u64, Expected::Word("")),
            Self::Guess { .. } => (index, Expected::Wrong),
            Self::Home => (index, Expected::Word("")),
            Self::AuthString { members } => (scattered(index, *members), Expected::AuthString),
            Self::Blank => (FREE_FROM + index, Expected::Blank),
        }
    }

    /// The whole of an HTTP/1.1 request, with letters where the values go.
    fn text(&self) -> Result<String, serde_urlencoded::ser::Error> {
        let check = |login: &str| {
            format!("GET /auth?site=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n{login}\r\n\r\n")
        };
        Ok(match self {
            Self::Add { .. } | Self::AddScattered { .. } | Self::Check { .. } => {
                let body = self.body()?;
                format!(
                    "POST /postback/{TOKEN} HTTP/1.1\r\nHost: 127.0.0.1\r\n\
                     Content-Type: application/x-www-form-urlencoded\r\n\
                     Content-Length: {}\r\n\r\n{body}",
                    body.len()
                )
            }
            Self::Basic { .. } => check(&format!("Authorization: Basic {CREDENTIALS}")),
            Self::Cookie { .. } => check(&format!("Cookie: __Host-userman={COOKIE}")),
            Self::Guess { .. } | Self::Home => check(&format!(
                "Authorization: Basic {CREDENTIALS}\r\nX-Forwarded-For: 2001:{NETWORK}::1"
            )),
            Self::AuthString { .. } | Self::Blank => format!(
                "GET /api/member/authstring?type=upsell&username={NAME}&siteid=1 HTTP/1.1\r\n\
                 Host: 127.0.0.1\r\n\
                 api-username: {API_USERNAME}\r\napi-key: {API_KEY}\r\n\r\n"
            ),
        })
    }

    fn body(&self) -> Result<String, serde_urlencoded::ser::Error> {
        match self {
            Self::Add { .. } | Self::AddScattered { .. } => {
                let pairs: Vec<_> =
                    RECORD.lines().filter_map(|line| line.split_once('=')).map(patched).collect();
                to_string(pairs)
            }
            Self::Check { .. } => {
                to_string([("siteid", "1"), ("username", NAME), ("action", "CHECK")])
            }
            Self::Basic { .. }
            | Self::Cookie { .. }
            | Self::Guess { .. }
            | Self::Home
            | Self::AuthString { .. }
            | Self::Blank => Ok(String::new()),
        }
    }
}

/// The `index`th of this many, in an order without locality.
pub fn scattered(index: u64, count: u64) -> u64 {
    let count = count.max(1);
    index % count * STRIDE % count
}

/// The memberid of the member with this number.
pub fn memberid(member: u64) -> u64 {
    100_000_000 + member
}

fn patched((name, value): (&str, &str)) -> (String, String) {
    let value = match name {
        "memberid" => MEMBERID.into(),
        "username" => NAME.into(),
        "email" => format!("{NAME}@test1.com"),
        "session" => SESSION.into(),
        "memberidx" => format!("NETBILLING:{SUBSCRIPTION}"),
        _ => value.into(),
    };
    (name.into(), value)
}

/// One connection's request, patched for one member after the other.
#[derive(Clone)]
pub struct Request {
    ask: Ask,
    bytes: Vec<u8>,
    slots: Vec<(usize, &'static str)>,
}

impl Request {
    /// A request that is still to be patched.
    pub fn new(ask: Ask) -> Result<Self, serde_urlencoded::ser::Error> {
        let text = ask.text()?;
        let found = |slot: &'static str| text.match_indices(slot).map(move |(at, _)| (at, slot));
        let slots = [MEMBERID, NAME, SESSION, SUBSCRIPTION, CREDENTIALS, COOKIE, NETWORK]
            .into_iter()
            .flat_map(found)
            .collect();
        Ok(Self { ask, slots, bytes: text.into_bytes() })
    }

    /// The `index`th request's bytes, and what a right reply's body holds.
    pub fn patch(&mut self, index: u64) -> (&[u8], Expected) {
        let (member, expected) = self.ask.pick(index);
        for &(at, slot) in &self.slots {
            let room = &mut self.bytes[at..at + slot.len()];
            match slot {
                MEMBERID => digits(room, memberid(member), 10),
                NAME => name(room, member),
                CREDENTIALS => {
                    let mut clear = [b':'; NAME.len() + 1 + PASSWORD.len()];
                    let password = &mut clear[NAME.len() + 1..];
                    password.copy_from_slice(PASSWORD.as_bytes());
                    if let Ask::Guess { .. } = self.ask {
                        digits(password, index % GUESSES, 10);
                    }
                    let whose =
                        if let Ask::Guess { member, .. } = self.ask { member } else { member };
                    name(&mut clear[..NAME.len()], whose);
                    // 18 bytes are 24 letters; were they not, no reply would be right.
                    let _ = STANDARD.encode_slice(clear, room);
                }
                COOKIE => {
                    if let Ask::Cookie { cookies } = &self.ask {
                        room.copy_from_slice(cookies[member as usize].as_bytes());
                    }
                }
                NETWORK => {
                    // Each in a /48 of its own, so that no wider network is blocked: the hardest of
                    // all floods. Guesses come from other networks than members.
                    let number = match self.ask {
                        Ask::Guess { first, .. } => first + index / GUESSES,
                        _ => HOMES_FROM + index,
                    };
                    digits(&mut room[..4], number >> 16, 16);
                    digits(&mut room[5..], number & 0xffff, 16);
                }
                SESSION => {
                    let (left, right) = room.split_at_mut(16);
                    digits(left, member.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15), 16);
                    digits(right, member.wrapping_add(1).wrapping_mul(0xD6E8_FEB8_6659_FD93), 16);
                }
                _ => digits(room, 100_000_000_000 + member, 10),
            }
        }
        (&self.bytes, expected)
    }
}

/// Scattered: names come in random order, so the index of names must get them in random order too.
fn name(room: &mut [u8], member: u64) {
    room[0] = b'u';
    digits(&mut room[1..], member.wrapping_mul(0x9E37_79B1) & 0xFFFF_FFFF, 16);
}

/// Fills the space from the right.
fn digits(room: &mut [u8], mut number: u64, base: u64) {
    for place in room.iter_mut().rev() {
        *place = b"0123456789abcdef"[(number % base) as usize];
        number /= base;
    }
}
