//! The sender: keep-alive connections on one thread, each with one request under way, and of HTTP
//! only what these servers speak.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout_at;

use crate::Failure;
use crate::request::{Ask, Request};

/// Replies are a line and a few headers.
const REPLY_BYTES_MAX: usize = 4096;
/// How long after its time a scenario waits for replies that are under way; then they count as
/// failures.
const STRAGGLER_TIME_MAX: Duration = Duration::from_secs(15);
/// How often an open loop reads the clock.
const PACE_TICK: Duration = Duration::from_micros(100);
/// How long a request that is due waits for a free connection.
const PATIENCE: Duration = Duration::from_millis(1);

/// What to send, and the bounds of it.
#[derive(Clone)]
pub struct Load {
    pub address: SocketAddr,
    pub ask: Ask,
    /// The server gives every request the same answer.
    pub is_ceiling: bool,
    pub connections: usize,
    /// At most this many requests, of all connections together.
    pub requests: u64,
    /// No request is begun after this.
    pub time: Duration,
    /// Requests a second to offer, independent of the replies (open loop). Without it each
    /// connection sends when it has its reply.
    pub rate: Option<f64>,
}

/// The counted replies and their times.
#[derive(Default)]
pub struct Outcome {
    /// Microseconds from the first byte written to the last byte read, of replies that are the
    /// expected ones.
    pub latencies: Vec<u32>,
    /// Microseconds from the first byte written to the last byte read, of 503 replies.
    pub refused: Vec<u32>,
    /// Everything else: another text or status, a broken connection, no reply.
    pub failures: u64,
    pub first_failure: Option<String>,
    /// Open loop: requests that were due while every connection was busy, hence not sent.
    pub unsent: u64,
    /// From the first request to the last reply.
    pub elapsed: Duration,
}

impl Outcome {
    /// Expected replies a second.
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Adds the counts of another one; elapsed times add up.
    pub fn absorb(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.refused.extend(other.refused);
        self.failures += other.failures;
        self.first_failure = self.first_failure.take().or(other.first_failure);
        self.unsent += other.unsent;
        self.elapsed += other.elapsed;
    }

    fn fail(&mut self, what: String) {
        self.failures += 1;
        self.first_failure.get_or_insert(what);
    }
}

/// What the connections of one run share.
struct Run {
    load: Load,
    next: AtomicU64,
    start: Instant,
    /// Open loop: a permit for each request that is due.
    due: Option<Semaphore>,
}

impl Run {
    /// The number of the request to send now; `None` when the run is over.
    async fn turn(&self) -> Option<u64> {
        if let Some(due) = &self.due {
            due.acquire().await.ok()?.forget();
        }
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        (index < self.load.requests && self.start.elapsed() < self.load.time).then_some(index)
    }
}

/// Sends the load and waits for the replies.
///
/// Connections are open before the clock starts.
pub async fn run(load: Load) -> Result<Outcome, Failure> {
    let request = Request::new(load.ask.clone())?;
    let mut connections = Vec::with_capacity(load.connections);
    for _ in 0..load.connections {
        connections.push(Connection::open(load.address).await?);
    }
    let (rate, time) = (load.rate, load.time);
    let due = rate.map(|_| Semaphore::new(0));
    let run = Arc::new(Run { load, next: AtomicU64::new(0), start: Instant::now(), due });
    let mut tasks = JoinSet::new();
    for connection in connections {
        tasks.spawn(send(run.clone(), connection, request.clone()));
    }
    let mut outcome = Outcome::default();
    if let Some(rate) = rate {
        let run = Arc::clone(&run);
        let paced = spawn_blocking(move || run.due.as_ref().map_or(0, |due| pace(rate, due, &run)));
        outcome.unsent = paced.await?;
    }
    let deadline = run.start + time + STRAGGLER_TIME_MAX;
    while let Ok(Some(ended)) = timeout_at(deadline.into(), tasks.join_next()).await {
        let mut part = ended?;
        outcome.elapsed = outcome.elapsed.max(std::mem::take(&mut part.elapsed));
        outcome.absorb(part);
    }
    for _ in 0..tasks.len() {
        outcome.fail(format!("no reply within {STRAGGLER_TIME_MAX:?} of the end"));
    }
    Ok(outcome)
}

/// Issues requests as they become due. A request without a free connection for [`PATIENCE`] is
/// counted and not sent.
///
/// On a thread of its own: timers of the runtime tick by the millisecond, and all that is due in
/// one would come at once.
fn pace(rate: f64, due: &Semaphore, run: &Run) -> u64 {
    let (mut issued, mut unsent) = (0, 0);
    let waiting_max = (rate * PATIENCE.as_secs_f64()).ceil() as usize;
    while run.start.elapsed() < run.load.time && issued < run.load.requests {
        std::thread::sleep(PACE_TICK);
        unsent += due.forget_permits(due.available_permits().saturating_sub(waiting_max)) as u64;
        let now = ((run.start.elapsed().as_secs_f64() * rate) as u64).min(run.load.requests);
        due.add_permits((now - issued) as usize);
        issued = now;
    }
    unsent += due.forget_permits(usize::MAX) as u64;
    due.close();
    unsent
}

/// One connection until the run is over.
async fn send(run: Arc<Run>, mut connection: Connection, mut request: Request) -> Outcome {
    let mut tally = Outcome::default();
    while let Some(index) = run.turn().await {
        let (bytes, expected) = request.patch(index);
        let expected = if run.load.is_ceiling { expected.of_ceiling() } else { expected };
        let begun = Instant::now();
        let reply = connection.exchange(bytes).await;
        let took = u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX);
        tally.elapsed = run.start.elapsed();
        let keep = match reply {
            Ok(reply) => {
                match reply.status {
                    status if status == expected.status() && expected.is(reply.body) => {
                        tally.latencies.push(took)
                    }
                    503 => tally.refused.push(took),
                    status => tally.fail(format!(
                        "expected {expected}, got {status} {}",
                        reply.body.escape_ascii()
                    )),
                }
                !reply.close
            }
            Err(error) => {
                tally.fail(format!("expected {expected}, got no reply: {error}"));
                false
            }
        };
        if !keep {
            match Connection::open(run.load.address).await {
                Ok(new) => connection = new,
                Err(error) => {
                    tally.fail(format!("cannot connect again: {error}"));
                    break;
                }
            }
        }
    }
    tally
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

struct Reply<'a> {
    status: u16,
    close: bool,
    body: &'a [u8],
}

impl Connection {
    async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; REPLY_BYTES_MAX] })
    }

    async fn exchange(&mut self, request: &[u8]) -> io::Result<Reply<'_>> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        let (status, close, body) = loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            filled += read;
            if let Some((status, close, body)) = head(&self.buffer[..filled])
                && body.end <= filled
            {
                break (status, close, body);
            }
        };
        Ok(Reply { status, close, body: &self.buffer[body] })
    }
}

/// Status, whether the server closes, and where the body is; `None` while the head is not whole. An
/// answer that cannot be read is status 0, which no scenario expects.
fn head(bytes: &[u8]) -> Option<(u16, bool, std::ops::Range<usize>)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..end]).unwrap_or_default();
    let status = text.get(9..12).and_then(|digits| digits.parse().ok()).unwrap_or(0);
    let header = |name: &str| {
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        lines
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .next()
    };
    let length: usize =
        header("content-length").and_then(|digits| digits.parse().ok()).unwrap_or(0);
    let close = header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    Some((status, close, end..end + length))
}
