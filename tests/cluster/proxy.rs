//! Between a receiver and a node: passes everything on, and cuts the connection at a COMMIT of
//! postbacks when it is told to.

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

/// The commands of a text statement, and of one that is prepared and run later.
const COM_QUERY: u8 = 3;
const COM_STMT_PREPARE: u8 = 22;
const COM_STMT_EXECUTE: u8 = 23;
/// What a transaction of postbacks runs last, prepared for several numbers of rows.
const OF_POSTBACKS: &str = "INSERT INTO journal (";

/// Where a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The node does not get the COMMIT.
    Before,
    /// The node gets it, and the receiver gets no answer.
    After,
    /// The node gets it this long after the receiver has lost the connection.
    Late(Duration),
}

#[derive(Clone)]
pub struct Proxy {
    pub port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    next: Mutex<Option<Cut>>,
    /// Nothing passes.
    is_closed: AtomicBool,
    /// COMMITs that reached the node late, or not because it had closed the connection.
    late: AtomicUsize,
}

impl Proxy {
    /// Passes on to this port.
    pub fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = Self { port, state: Arc::default() };
        let state = Arc::clone(&proxy.state);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // Dropped: the node is down, and the client sees the end.
                if !state.is_closed.load(Ordering::SeqCst)
                    && let Ok(node) = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], target)))
                {
                    pass_on(client, node, &state);
                }
            }
        });
        proxy
    }

    /// Cuts the next connection whose writer commits.
    pub fn cut_next(&self, cut: Cut) {
        *self.state.next.lock() = Some(cut);
    }

    /// Takes it back. Returns whether no connection was cut.
    pub fn never_mind(&self) -> bool {
        self.state.next.lock().take().is_some()
    }

    /// From now on no new connection passes, or all do.
    pub fn close(&self, is_closed: bool) {
        self.state.is_closed.store(is_closed, Ordering::SeqCst);
    }

    /// COMMITs that were sent late.
    pub fn late(&self) -> usize {
        self.state.late.load(Ordering::SeqCst)
    }

    pub fn is_done(&self) -> bool {
        self.state.next.lock().is_none()
    }
}

/// What is known of a connection.
#[derive(Default)]
struct Seen {
    /// No answer passes any more.
    swallows: AtomicBool,
    /// The next answer tells the number of a statement [`OF_POSTBACKS`].
    awaits_number: AtomicBool,
    numbers: Mutex<HashSet<[u8; 4]>>,
}

fn pass_on(client: TcpStream, node: TcpStream, state: &Arc<State>) {
    let _ = (client.set_nodelay(true), node.set_nodelay(true));
    let (client_too, node_too) = (client.try_clone().unwrap(), node.try_clone().unwrap());
    let state = Arc::clone(state);
    let seen = Arc::new(Seen::default());
    let seen_too = Arc::clone(&seen);
    std::thread::spawn(move || {
        let _ = requests(&client, &node, &state, &seen_too);
        end(&client, &node);
    });
    std::thread::spawn(move || {
        let _ = answers(&node_too, &client_too, &seen);
        end(&client_too, &node_too);
    });
}

fn end(client: &TcpStream, node: &TcpStream) {
    let _ = (client.shutdown(Shutdown::Both), node.shutdown(Shutdown::Both));
}

/// Packet by packet: three bytes of length, a number, the content.
fn requests(
    mut client: &TcpStream,
    mut node: &TcpStream,
    state: &State,
    seen: &Seen,
) -> std::io::Result<()> {
    let mut has_postbacks = false;
    loop {
        let mut packet = vec![0; 4];
        client.read_exact(&mut packet)?;
        let length =
            usize::from(packet[0]) | usize::from(packet[1]) << 8 | usize::from(packet[2]) << 16;
        packet.resize(4 + length, 0);
        client.read_exact(&mut packet[4..])?;
        match packet.as_slice() {
            [_, _, _, 0, COM_STMT_PREPARE, text @ ..]
                if String::from_utf8_lossy(text).contains(OF_POSTBACKS) =>
            {
                seen.awaits_number.store(true, Ordering::SeqCst);
            }
            [_, _, _, 0, COM_STMT_EXECUTE, number @ ..] => {
                let numbers = seen.numbers.lock();
                has_postbacks |= number.first_chunk().is_some_and(|it| numbers.contains(it));
            }
            [_, _, _, 0, COM_QUERY, text @ ..] if text.ends_with(b"COMMIT") && has_postbacks => {
                has_postbacks = false;
                let cut = state.next.lock().take();
                match cut {
                    Some(Cut::Before) => return Ok(()),
                    Some(Cut::After) => seen.swallows.store(true, Ordering::SeqCst),
                    Some(Cut::Late(pause)) => {
                        let _ = client.shutdown(Shutdown::Both);
                        std::thread::sleep(pause);
                        let sent = node.write_all(&packet);
                        // The node's answer, or the end of the connection.
                        let _ = node.read(&mut [0; 64]);
                        state.late.fetch_add(1, Ordering::SeqCst);
                        return sent;
                    }
                    None => {}
                }
            }
            [_, _, _, 0, COM_QUERY, ..] => has_postbacks = false,
            _ => {}
        }
        node.write_all(&packet)?;
    }
}

fn answers(mut node: &TcpStream, mut client: &TcpStream, seen: &Seen) -> std::io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = node.read(&mut buffer)?;
        if length == 0 || seen.swallows.load(Ordering::SeqCst) {
            return Ok(());
        }
        if seen.awaits_number.swap(false, Ordering::SeqCst)
            && let [_, _, _, _, 0, number @ ..] = &buffer[..length]
        {
            seen.numbers.lock().extend(number.first_chunk());
        }
        client.write_all(&buffer[..length])?;
    }
}
