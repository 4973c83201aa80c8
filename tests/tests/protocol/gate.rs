//! `Gate`: counts the calls of one worker to its ports, and injects a fault into some of them.

use std::fmt;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tagwarden::ledger::Ledger;
use tagwarden::log::ChannelState;
use tagwarden::registry::{Registry, pin_tag, pinned};
use tagwarden::{Channel, Digest, Error, ErrorKind, Repository, Tag};
use tagwarden_testing::{Call as RegistryCall, Fault, FaultyLedger, FaultyRegistry, LedgerCall, MemoryRegistry};
use tokio::sync::Notify;

/// The fault of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The worker stops for ever before the call is made.
    CrashBefore,
    /// The worker stops for ever after the call had its effect and before its answer.
    CrashAfter,
    /// The call has no effect, and the worker does not know that.
    LostBefore,
    /// The call has its effect, and the worker does not know that.
    LostAfter,
    /// The call has no effect, and the worker gets an error that says so.
    Refused,
}

/// The ports of one worker.
pub struct Gate {
    registry: Arc<dyn Registry>,
    ledger: Arc<dyn Ledger>,
    /// The registry and the ledger without faults; none if they cannot be read.
    truth: Option<(MemoryRegistry, Arc<dyn Ledger>)>,
    happens: Vec<(usize, What)>,
    calls: Mutex<Vec<Call>>,
    dead: AtomicBool,
    died: Notify,
    violations: Mutex<Vec<String>>,
}

/// A call of a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub port: Port,
    pub what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// A read of the registry.
    Look,
    /// A put of a pin.
    Pin,
    /// A put of a channel's tag.
    Put,
    /// A read of the ledger.
    Read,
    /// An append to the ledger.
    Append,
}

impl Call {
    fn of_registry(call: &RegistryCall) -> Call {
        let (port, what) = match call {
            RegistryCall::Put { tag, digest, .. } => {
                (if pinned(tag).is_some() { Port::Pin } else { Port::Put }, format!("put {tag} {digest}"))
            }
            RegistryCall::Resolve { tag, .. } => (Port::Look, format!("resolve {tag}")),
            _ => (Port::Look, call.to_string()),
        };
        Call { port, what }
    }

    fn of_ledger(call: &LedgerCall) -> Call {
        let (port, what) = match call {
            LedgerCall::Append { seq, bytes, .. } => {
                let kind = &serde_json::from_slice::<serde_json::Value>(bytes).unwrap()["kind"];
                (Port::Append, format!("append {seq} {kind}"))
            }
            LedgerCall::Size { .. } => (Port::Read, "size".to_owned()),
            LedgerCall::Read { from, .. } => (Port::Read, format!("read {from}")),
            LedgerCall::Channels => (Port::Read, "channels".to_owned()),
        };
        Call { port, what }
    }
}

impl Port {
    /// The error of a call that is lost or refused.
    fn error(self, what: What) -> Error {
        let (kind, message) = match (self, what) {
            (Port::Look, _) => (ErrorKind::RegistryUnavailable, "the registry gave no answer"),
            (Port::Pin | Port::Put, What::Refused) => {
                (ErrorKind::RegistryRefused, "the registry refused, as the test scripted")
            }
            (Port::Pin | Port::Put, _) => (ErrorKind::RegistryAmbiguous, "the answer was lost"),
            (Port::Read, _) | (Port::Append, What::Refused) => {
                (ErrorKind::LedgerUnavailable, "the ledger gave no answer")
            }
            (Port::Append, _) => (ErrorKind::LedgerAmbiguous, "the answer to the append was lost"),
        };
        Error::new(kind, message)
    }
}

impl Gate {
    /// Ports with a fault at the given calls, counted from 1.
    pub fn new(
        registry: Arc<dyn Registry>,
        ledger: Arc<dyn Ledger>,
        truth: Option<(MemoryRegistry, Arc<dyn Ledger>)>,
        happens: &[(usize, What)],
    ) -> Arc<Gate> {
        Arc::new(Gate {
            truth,
            registry,
            ledger,
            happens: happens.to_vec(),
            calls: Mutex::default(),
            dead: AtomicBool::new(false),
            died: Notify::new(),
            violations: Mutex::default(),
        })
    }

    pub fn registry(self: &Arc<Gate>) -> Arc<dyn Registry> {
        let (gate, registry) = (Arc::clone(self), FaultyRegistry::over(self.registry.clone()));
        registry.rule(move |call| {
            let fault = gate.meet(Call::of_registry(call));
            Some(match call {
                RegistryCall::Put { repository, tag, digest } if pinned(tag).is_none() => {
                    let (gate, repository, tag, to) = (Arc::clone(&gate), repository.clone(), tag.clone(), *digest);
                    fault.first(async move { gate.check_put(&repository, &tag, to).await })
                }
                _ => fault,
            })
        });
        Arc::new(registry)
    }

    pub fn ledger(self: &Arc<Gate>) -> Arc<dyn Ledger> {
        let (gate, ledger) = (Arc::clone(self), FaultyLedger::over(self.ledger.clone()));
        ledger.rule(move |call| Some(gate.meet(Call::of_ledger(call))));
        Arc::new(ledger)
    }

    /// Every call so far.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// The violations of intent-before-put and pinned-first at the time of a put.
    pub fn violations(&self) -> Vec<String> {
        self.violations.lock().unwrap().clone()
    }

    /// Stops the worker for ever, now.
    pub fn kill(&self) {
        self.dead.store(true, Ordering::SeqCst);
        self.died.notify_waiters();
        self.died.notify_one();
    }

    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// The result of `work`; none if the worker dies first.
    pub async fn unless_dead<T>(&self, work: impl IntoFuture<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.died.notified() => None,
            done = work.into_future() => Some(done),
        }
    }

    /// Counts a call, and chooses its fault.
    fn meet(self: &Arc<Gate>, call: Call) -> Fault {
        if self.is_dead() {
            return Fault::pass().first(pending());
        }
        let (port, gate) = (call.port, Arc::clone(self));
        let number = {
            let mut calls = self.calls.lock().unwrap();
            calls.push(call);
            calls.len()
        };
        match self.happens.iter().find(|(at, _)| *at == number).map(|(_, what)| *what) {
            None => Fault::pass().then(async move {
                // A worker that died during the call gets no answer.
                if gate.is_dead() {
                    pending().await
                }
            }),
            Some(What::CrashBefore) => {
                self.kill();
                Fault::pass().first(pending())
            }
            Some(What::CrashAfter) => Fault::pass().then(async move {
                gate.kill();
                pending().await
            }),
            Some(What::LostAfter) => Fault::after(port.error(What::LostAfter)),
            Some(what) => Fault::before(port.error(what)),
        }
    }

    /// Checks intent-before-put and pinned-first at the time of a put: an open intent names the target, and both
    /// digests are pinned.
    async fn check_put(&self, repository: &Repository, tag: &Tag, to: Digest) {
        let Some((registry, ledger)) = &self.truth else { return };
        let channel: Channel = format!("{repository}:{tag}").parse().unwrap();
        let mut state = ChannelState::empty(channel.clone());
        let entries = ledger.read(&channel, 0, 100_000).await.unwrap();
        for entry in entries {
            state.take(&entry).unwrap();
        }
        let bad = |why: String| self.violations.lock().unwrap().push(format!("put of {to} to {channel}: {why}"));
        let Some(open) = state.open else { return bad("intent-before-put: no intent is open".to_owned()) };
        if open.target != to {
            bad(format!("intent-before-put: the open intent goes to {}", open.target));
        }
        for (which, digest) in [("target", Some(open.target)), ("left digest", open.previous)] {
            let Some(digest) = digest else { continue };
            let found = registry.peek(repository, &pin_tag(&digest));
            if found != Some(digest) {
                bad(format!("pinned-first: the {which}'s pin, of {digest}, is at {found:?}"));
            }
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate")
    }
}
