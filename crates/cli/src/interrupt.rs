//! Ctrl-C while a move runs: the first waits until the move is closed, the second exits at once (I9). It ends a server.

use std::future::Future;
use std::pin::pin;

use tagwarden::{Channel, Error, ErrorKind, Result};

use crate::progress::say;

/// Waits for `moving` and returns its result. A second Ctrl-C (or SIGTERM) returns MOVE_INDETERMINATE, with the advice
/// to run `recover`.
pub(crate) async fn until_closed<T>(channel: &Channel, moving: impl Future<Output = Result<T>>) -> Result<T> {
    let mut signals = Signals::new()?;
    let mut moving = pin!(moving);
    tokio::select! {
        biased;
        done = &mut moving => return done,
        () = signals.next() => {}
    }
    say(&format!(
        "{channel}: interrupted; a move that has begun is completed first. Ctrl-C again ends the program at once"
    ));
    tokio::select! {
        biased;
        done = &mut moving => done,
        () = signals.next() => {
            let message = format!(
                "{channel}: left before the move was closed; if it has begun, `tagwarden recover {channel}` is due"
            );
            Err(Error::new(ErrorKind::MoveIndeterminate, message).with_context("channel", channel))
        }
    }
}

/// Ctrl-C and SIGTERM, which are caught from [`new`](Signals::new) on.
#[cfg(unix)]
pub(crate) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(crate) fn new() -> Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        let on = |kind| signal(kind).map_err(|e| fault(&e));
        Ok(Signals { interrupt: on(SignalKind::interrupt())?, terminate: on(SignalKind::terminate())? })
    }

    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Ctrl-C.
#[cfg(not(unix))]
pub(crate) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn new() -> Result<Signals> {
        Ok(Signals)
    }

    pub(crate) async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn fault(why: &std::io::Error) -> Error {
    Error::new(ErrorKind::InternalFault, format!("Ctrl-C cannot be caught: {why}"))
}
