//! The signals of a service and of `export --watch`. Every signal that can be caught either stops
//! it cleanly, reloads its files, or is ignored: a closed terminal or a limit of the shell must not
//! kill it.

use std::io;
use std::task::Poll;

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What the service does on a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// Stop.
    Stop,
    /// Reload the files of the settings.
    Reload,
    /// Ignore it. By default it would kill the process.
    Nothing,
}

/// The named signals. SIGXFSZ is one of them: a write beyond the limit of a file's size is a fault
/// like a full disk. SIGPIPE is not, as Rust ignores it already.
const NAMED: [(&str, Number, Meaning); 14] = [
    ("SIGTERM", Number::TERM, Meaning::Stop),
    ("SIGINT", Number::INT, Meaning::Stop),
    ("SIGQUIT", Number::QUIT, Meaning::Stop),
    ("SIGHUP", Number::HUP, Meaning::Reload),
    ("SIGUSR1", Number::USR1, Meaning::Nothing),
    ("SIGUSR2", Number::USR2, Meaning::Nothing),
    ("SIGALRM", Number::ALARM, Meaning::Nothing),
    ("SIGVTALRM", Number::VTALARM, Meaning::Nothing),
    ("SIGPROF", Number::PROF, Meaning::Nothing),
    ("SIGIO", Number::IO, Meaning::Nothing),
    ("SIGPWR", Number::POWER, Meaning::Nothing),
    ("SIGSTKFLT", Number::STKFLT, Meaning::Nothing),
    ("SIGXCPU", Number::XCPU, Meaning::Nothing),
    ("SIGXFSZ", Number::XFSZ, Meaning::Nothing),
];

/// The real-time signals of Linux, without the first two, which glibc reserves.
const REAL_TIME: std::ops::RangeInclusive<i32> = 34..=64;

/// A signal that is caught.
#[derive(Debug)]
struct Caught {
    name: String,
    meaning: Meaning,
    signal: Signal,
    was_logged: bool,
}

/// All caught signals. They stay caught until the process ends, also after this is dropped: a
/// second SIGTERM does not interrupt the stop.
#[derive(Debug)]
pub(super) struct Signals(Vec<Caught>);

impl Signals {
    /// Catches all signals: from here on none of them kills the process.
    pub(super) fn catch() -> io::Result<Self> {
        let named =
            NAMED.map(|(name, number, meaning)| (name.to_owned(), number.as_raw(), meaning));
        let real_time =
            REAL_TIME.map(|number| (format!("signal {number}"), number, Meaning::Nothing));
        let mut signals = Vec::new();
        for (name, number, meaning) in named.into_iter().chain(real_time) {
            signals.push(Caught {
                name,
                meaning,
                signal: signal(SignalKind::from_raw(number))?,
                was_logged: false,
            });
        }
        Ok(Self(signals))
    }

    /// Waits for a signal that stops the service, and returns its name. Calls `reload` with the
    /// name on each SIGHUP meanwhile.
    pub(super) async fn stop(&mut self, reload: impl Fn(&str)) -> String {
        loop {
            let caught = self.next().await;
            match caught.meaning {
                Meaning::Stop => return caught.name.clone(),
                Meaning::Reload => reload(&caught.name),
                Meaning::Nothing if caught.was_logged => {}
                Meaning::Nothing => {
                    log::warn!("{} is ignored; SIGTERM stops the program", caught.name)
                }
            }
            caught.was_logged = true;
        }
    }

    async fn next(&mut self) -> &mut Caught {
        let index = std::future::poll_fn(|context| {
            let came = |caught: &mut Caught| caught.signal.poll_recv(context).is_ready();
            self.0.iter_mut().position(came).map_or(Poll::Pending, Poll::Ready)
        });
        let index = index.await;
        &mut self.0[index]
    }
}
