//! Ledgers: by URL, in memory, and their methods.

use std::sync::Arc;

use bytes::Bytes;
use pyo3::prelude::*;
use tagwarden::ledger::{self, Appended, LedgerUrl};
use tagwarden_bind::foreign::LedgerPort;

use crate::args::{Number, Text};
use crate::error::Raises;
use crate::foreign::{Backend, native, timeout};
use crate::host::Time;
use crate::records::OpenMode;
use crate::run::{Home, Nothing, block};
use crate::value::Channel;

/// A ledger of the core. Its methods are those of ``Ledger``, for one of your own that delegates to it.
///
/// They block without the GIL. Each raises a LedgerError: LEDGER_UNAVAILABLE, LEDGER_DENIED, LEDGER_CORRUPT or
/// LEDGER_TRUNCATED; InvalidValueError VALUE_INVALID for an invalid channel or position. A promoter calls them in Rust,
/// unless a subclass overrides one.
#[pyclass(frozen, subclass, dict, weakref, module = "tagwarden")]
pub(crate) struct OpenedLedger {
    port: Arc<dyn ledger::Ledger>,
    home: Home,
}

impl OpenedLedger {
    pub(crate) fn of(port: Arc<dyn ledger::Ledger>) -> OpenedLedger {
        OpenedLedger { port, home: Home::here() }
    }
}

#[pymethods]
impl OpenedLedger {
    /// How many entries the log has; 0 if there is none.
    fn size(&self, py: Python<'_>, channel: Channel) -> Raises<u64> {
        self.home.check("ledger")?;
        block(py, self.port.size(&channel.0))
    }

    /// The entries from position ``start`` on, without gaps: at least one if there is one, at most ``limit``.
    fn read(&self, py: Python<'_>, channel: Channel, start: Number, limit: Number) -> Raises<Vec<Bytes>> {
        let (start, limit) = (start.get("start")?, limit.get("limit")?);
        self.home.check("ledger")?;
        block(py, self.port.read(&channel.0, start, limit))
    }

    /// Stores the entry at ``seq`` if that is the next position: True if it was, False if it was not.
    ///
    /// LedgerError LEDGER_AMBIGUOUS: the result is unknown. The bytes are not checked: ``Promoter.verify`` does that.
    fn append(&self, py: Python<'_>, channel: Channel, seq: Number, entry: &[u8]) -> Raises<bool> {
        let (seq, entry) = (seq.get("seq")?, Bytes::copy_from_slice(entry));
        self.home.check("ledger")?;
        Ok(block(py, self.port.append(&channel.0, seq, entry))? == Appended::Stored)
    }

    /// Every channel that has a log, in their order.
    fn channels(&self, py: Python<'_>) -> Raises<Vec<Channel>> {
        self.home.check("ledger")?;
        Ok(block(py, self.port.channels())?.into_iter().map(Channel).collect())
    }

    /// When the copy was made that this ledger reads, if it was opened with ``offline``; None if a read shows what is
    /// stored now.
    #[getter]
    fn as_of(&self) -> Option<Time> {
        self.port.as_of().map(Time)
    }
}

/// A ledger in memory, for tests. It is gone with the process.
#[pyclass(frozen, subclass, extends = OpenedLedger, module = "tagwarden")]
pub(crate) struct MemoryLedger;

#[pymethods]
impl MemoryLedger {
    #[new]
    fn new() -> PyClassInitializer<MemoryLedger> {
        let opened = OpenedLedger::of(Arc::new(ledger::MemoryLedger::new()));
        PyClassInitializer::from(opened).add_subclass(MemoryLedger)
    }
}

/// The port of a ledger, and true if it is one that is written in Python.
pub(crate) fn port(
    ledger: &Bound<'_, PyAny>,
    event_loop: Option<&Bound<'_, PyAny>>,
) -> Raises<(Arc<dyn ledger::Ledger>, bool)> {
    let methods = ["size", "read", "append", "channels"];
    if let Some(native) = native::<OpenedLedger>(ledger, "a Ledger", &methods)? {
        native.get().home.check("ledger")?;
        return Ok((Arc::clone(&native.get().port), false));
    }
    let port = LedgerPort::new(Backend::of(ledger, event_loop)?, timeout(ledger)?)?;
    Ok((Arc::new(port), true))
}

functions! {
    /// Opens the ledger at a URL. It creates a missing directory if ``access`` is ``write``, and nothing else; the branch of
    /// a Git repository is created by the first append.
    ///
    /// - ``url``: a directory's path, ``git`` (a branch of the CI job's repository, else of ``origin``), ``git+https://``,
    ///   ``git+ssh://``, ``file://``, ``s3://``, ``gs://``, ``az://`` or ``postgres://``; docs/guides/ledgers.md says which
    ///   one to choose. No output shows a password in it.
    /// - ``access``: ``write`` (the default); ``read``: nothing is created or changed, and read permission is enough;
    ///   ``offline``: as ``read``, but of a Git branch only what this machine has of it, without a fetch.
    ///
    /// LedgerError LEDGER_ABSENT, LEDGER_UNSUPPORTED, LEDGER_DENIED or LEDGER_UNAVAILABLE; InvalidValueError
    /// CONFIG_INVALID for an invalid URL.
    fn opening of open_ledger, open_ledger_async(
        url: Text,
        access: Option<OpenMode>
    ) as (url, *, access = None) -> OpenedLedger {
        let (url, access) = (url.0.parse::<LedgerUrl>()?, access.map_or(ledger::OpenMode::Write, Into::into));
        Ok(Box::pin(async move { Ok(OpenedLedger::of(url.open(access).await?)) }))
    }

    /// Creates the directory, the tables or the Git branch of a ledger. Safe to repeat.
    ///
    /// ``url`` and the errors are those of ``open_ledger``.
    fn making of init_ledger, init_ledger_async(url: Text) as (url) -> Nothing {
        let url: LedgerUrl = url.0.parse()?;
        Ok(Box::pin(async move {
            url.init().await?;
            Ok(Nothing)
        }))
    }
}
