//! `Gate`: counts the calls of one worker to its ports, and injects a fault into some of them.

use std::fmt;
use std::future::{Future, pending};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tagwarden::ledger::{Appended, IndexStore, Ledger, Term};
use tagwarden::log::ChannelState;
use tagwarden::registry::{Manifest, Put, Registry, pin_tag, pinned};
use tagwarden::{Channel, Digest, Error, ErrorKind, Reference, Repository, Result, Tag};
use tagwarden_testing::MemoryRegistry;
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
    happens: Mutex<Vec<(usize, What)>>,
    made: AtomicUsize,
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
            happens: Mutex::new(happens.to_vec()),
            made: AtomicUsize::new(0),
            calls: Mutex::default(),
            dead: AtomicBool::new(false),
            died: Notify::new(),
            violations: Mutex::default(),
        })
    }

    pub fn registry(self: &Arc<Gate>) -> Arc<dyn Registry> {
        Arc::new(GatedRegistry(Arc::clone(self)))
    }

    pub fn ledger(self: &Arc<Gate>) -> Arc<dyn Ledger> {
        Arc::new(GatedLedger(Arc::clone(self)))
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
    pub async fn unless_dead<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.died.notified() => None,
            done = work => Some(done),
        }
    }

    async fn pass<T>(&self, port: Port, what: String, act: impl Future<Output = T>, fail: impl FnOnce(What) -> T) -> T {
        if self.is_dead() {
            return pending().await;
        }
        let number = 1 + self.made.fetch_add(1, Ordering::SeqCst);
        self.calls.lock().unwrap().push(Call { port, what });
        let happens = self.happens.lock().unwrap().iter().find(|(at, _)| *at == number).map(|(_, what)| *what);
        match happens {
            None => {
                let answer = act.await;
                // The worker died during the call: it gets no answer.
                if self.is_dead() { pending().await } else { answer }
            }
            Some(What::CrashBefore) => {
                self.kill();
                pending().await
            }
            Some(What::CrashAfter) => {
                act.await;
                self.kill();
                pending().await
            }
            Some(What::LostAfter) => {
                act.await;
                fail(What::LostAfter)
            }
            Some(what) => fail(what),
        }
    }

    /// Checks intent-before-put and pinned-first at the time of a put: an open intent names the target, and both digests are
    /// pinned.
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

#[derive(Debug)]
struct GatedRegistry(Arc<Gate>);

fn unreadable<T>(what: What) -> Result<T> {
    Err(Error::new(ErrorKind::RegistryUnavailable, format!("the registry gave no answer ({what:?})")))
}

#[async_trait]
impl Registry for GatedRegistry {
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>> {
        let act = self.0.registry.resolve(repository, tag);
        self.0.pass(Port::Look, format!("resolve {tag}"), act, unreadable).await
    }

    async fn fetch(&self, reference: &Reference) -> Result<Option<Manifest>> {
        let act = self.0.registry.fetch(reference);
        self.0.pass(Port::Look, format!("fetch {reference}"), act, unreadable).await
    }

    async fn put(&self, repository: &Repository, tag: &Tag, manifest: &Manifest, timeout: Duration) -> Put {
        let port = if pinned(tag).is_some() { Port::Pin } else { Port::Put };
        let act = async {
            if port == Port::Put {
                self.0.check_put(repository, tag, manifest.digest()).await;
            }
            self.0.registry.put(repository, tag, manifest, timeout).await
        };
        let fail = |what| match what {
            What::Refused => {
                Put::Refused(Error::new(ErrorKind::RegistryRefused, "the registry refused, as it was told to"))
            }
            _ => Put::Unknown(Error::new(ErrorKind::RegistryAmbiguous, "the answer was lost")),
        };
        self.0.pass(port, format!("put {tag} {}", manifest.digest()), act, fail).await
    }

    async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>> {
        let act = self.0.registry.tags(repository);
        self.0.pass(Port::Look, format!("tags {repository}"), act, unreadable).await
    }

    async fn has_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool> {
        let act = self.0.registry.has_blob(repository, digest);
        self.0.pass(Port::Look, format!("blob {digest}"), act, unreadable).await
    }
}

#[derive(Debug)]
struct GatedLedger(Arc<Gate>);

fn unread<T>(what: What) -> Result<T> {
    Err(Error::new(ErrorKind::LedgerUnavailable, format!("the ledger gave no answer ({what:?})")))
}

#[async_trait]
impl Ledger for GatedLedger {
    async fn size(&self, channel: &Channel) -> Result<u64> {
        self.0.pass(Port::Read, "size".to_owned(), self.0.ledger.size(channel), unread).await
    }

    async fn read(&self, channel: &Channel, from: u64, limit: usize) -> Result<Vec<Bytes>> {
        self.0.pass(Port::Read, format!("read {from}"), self.0.ledger.read(channel, from, limit), unread).await
    }

    async fn append(&self, channel: &Channel, seq: u64, bytes: Bytes) -> Result<Appended> {
        let kind = serde_json::from_slice::<serde_json::Value>(&bytes).unwrap()["kind"].to_string();
        let fail = |what| match what {
            What::Refused => unread(what),
            _ => Err(Error::new(ErrorKind::LedgerAmbiguous, "the answer to the append was lost")),
        };
        let act = self.0.ledger.append(channel, seq, bytes);
        self.0.pass(Port::Append, format!("append {seq} {kind}"), act, fail).await
    }

    async fn channels(&self) -> Result<Vec<Channel>> {
        self.0.pass(Port::Read, "channels".to_owned(), self.0.ledger.channels(), unread).await
    }

    async fn search(&self, channel: &Channel, term: Term<'_>, size: u64) -> Result<Option<Vec<u64>>> {
        self.0.ledger.search(channel, term, size).await
    }

    fn index(&self) -> Option<&dyn IndexStore> {
        self.0.ledger.index()
    }
}
