//! The signals of a service. None of those that can be caught ends it but through its stop: an
//! operator's slip, a closed terminal or a limit of the shell must not kill it in the middle.

use std::io;
use std::task::Poll;

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// Stop.
    Stop,
    /// Read again what can be read again.
    Reload,
    /// Nothing. By default it would kill.
    Nothing,
}

/// SIGXFSZ among them: a write beyond a limit of file size is a fault like a full disk.
/// SIGPIPE is not: Rust has it ignored already.
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

/// Linux's real-time signals, without the two before them that glibc keeps for itself.
const REAL_TIME: std::ops::RangeInclusive<i32> = 34..=64;

/// A signal that is caught.
#[derive(Debug)]
struct Caught {
    name: String,
    meaning: Meaning,
    signal: Signal,
    was_told: bool,
}

/// All of them. They stay caught until the process ends, also when this is dropped: a second
/// SIGTERM does not cut the stop short.
#[derive(Debug)]
pub(super) struct Signals(Vec<Caught>);

impl Signals {
    /// From here on none of them kills.
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
                was_told: false,
            });
        }
        Ok(Self(signals))
    }

    /// Waits for one that stops, and returns its name. Meanwhile SIGHUP has `reload` called.
    pub(super) async fn stop(&mut self, reload: impl Fn()) -> String {
        loop {
            let caught = self.next().await;
            match caught.meaning {
                Meaning::Stop => return caught.name.clone(),
                Meaning::Reload => {
                    log::info!("{}: the files of the settings are read again", caught.name);
                    reload();
                }
                Meaning::Nothing if caught.was_told => {}
                Meaning::Nothing => {
                    log::warn!("{} is ignored; SIGTERM stops the service", caught.name)
                }
            }
            caught.was_told = true;
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
