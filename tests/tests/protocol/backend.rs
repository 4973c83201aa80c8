//! The backends that the laws are held to, each a place where logs are kept.
//!
//! A backend is an entry in [`Backend`] and an arm in [`Place::start`]; a place is known to other processes by its URL.

use std::path::Path;
use std::sync::Arc;

use tagwarden::Channel;
use tagwarden::ledger::{FileLedger, Ledger, MemoryLedger};
use tempfile::TempDir;

/// Where logs are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Memory,
    File,
}

/// Those that need no engine: a test of many small worlds runs on each of them.
pub const BACKENDS: [Backend; 2] = [Backend::Memory, Backend::File];

/// A backend that runs, and the logs in it. It ends, and they are gone, when this is dropped.
pub struct Place {
    backend: Backend,
    store: Store,
}

enum Store {
    Memory(Arc<MemoryLedger>),
    File(TempDir),
}

impl Place {
    /// An empty one.
    pub fn start(backend: Backend) -> Place {
        let store = match backend {
            Backend::Memory => Store::Memory(Arc::new(MemoryLedger::new())),
            Backend::File => Store::File(tempfile::tempdir().unwrap()),
        };
        Place { backend, store }
    }

    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// What another process opens.
    pub fn url(&self) -> String {
        match &self.store {
            Store::Memory(_) => panic!("no other process reaches memory"),
            Store::File(dir) => dir.path().display().to_string(),
        }
    }

    /// The ledger, opened anew as by another process.
    pub fn open(&self) -> Arc<dyn Ledger> {
        match &self.store {
            Store::Memory(ledger) => Arc::clone(ledger) as Arc<dyn Ledger>,
            Store::File(_) => open(&self.url()),
        }
    }
}

/// The ledger at a URL.
pub fn open(url: &str) -> Arc<dyn Ledger> {
    Arc::new(FileLedger::open(url).unwrap())
}

/// Writes a log to a file, an entry a line, for the independent verifier.
pub async fn export(ledger: &dyn Ledger, channel: &Channel, file: &Path) {
    let mut lines = Vec::new();
    let mut next = 0;
    loop {
        let page = ledger.read(channel, next, 10_000).await.unwrap();
        if page.is_empty() {
            break;
        }
        next += page.len() as u64;
        for entry in page {
            lines.extend_from_slice(&entry);
            lines.push(b'\n');
        }
    }
    std::fs::write(file, lines).unwrap();
}
