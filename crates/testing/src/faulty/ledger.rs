//! `FaultyLedger`: a ledger whose calls meet faults.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::{Fault, Faults};
use tagwarden::ledger::{Appended, IndexStore, Ledger, RepairNotice, Term};
use tagwarden::{Channel, Result, Timestamp};

/// A call of a [`FaultyLedger`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerCall {
    /// [`Ledger::size`].
    Size {
        /// The channel.
        channel: Channel,
    },
    /// [`Ledger::read`].
    Read {
        /// The channel.
        channel: Channel,
        /// The position of the first entry.
        from: u64,
        /// The largest number of entries.
        limit: usize,
    },
    /// [`Ledger::append`].
    Append {
        /// The channel.
        channel: Channel,
        /// The position.
        seq: u64,
        /// The entry.
        bytes: Bytes,
    },
    /// [`Ledger::channels`].
    Channels,
}

impl LedgerCall {
    /// True for an append.
    pub fn appends(&self) -> bool {
        matches!(self, LedgerCall::Append { .. })
    }
}

/// A ledger over another one, whose sizes, reads, appends and lists of channels meet [`Fault`]s. Without a fault it
/// answers as the other ledger. It verifies a log by its own reads, and does not know of unacknowledged appends.
///
/// ```
/// use std::sync::Arc;
/// use tagwarden::ledger::{Ledger, MemoryLedger};
/// use tagwarden::{Error, ErrorKind};
/// use tagwarden_testing::{Fault, FaultyLedger, LedgerCall};
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let ledger = FaultyLedger::over(Arc::new(MemoryLedger::new()));
/// let channel = "reg.io/shop:prod".parse().unwrap();
///
/// // The second append is stored, and the answer is lost.
/// let lost = Error::new(ErrorKind::LedgerAmbiguous, "the answer was lost");
/// ledger.script_when(LedgerCall::appends, [Fault::pass(), Fault::after(lost)]);
/// assert!(ledger.append(&channel, 0, "first".into()).await.is_ok());
/// assert!(ledger.append(&channel, 1, "second".into()).await.is_err());
/// assert_eq!(ledger.size(&channel).await.unwrap(), 2);
/// # });
/// ```
pub struct FaultyLedger {
    inner: Arc<dyn Ledger>,
    faults: Faults<LedgerCall>,
    time: Option<Time>,
    index: Option<Arc<dyn IndexStore>>,
}

type Time = Box<dyn Fn() -> Timestamp + Send + Sync>;

impl FaultyLedger {
    /// A ledger over `inner`, without a fault.
    pub fn over(inner: Arc<dyn Ledger>) -> FaultyLedger {
        FaultyLedger { inner, faults: Faults::new(), time: None, index: None }
    }

    /// The same with this clock of its own: [`Ledger::time`].
    #[must_use]
    pub fn with_time(self, time: impl Fn() -> Timestamp + Send + Sync + 'static) -> FaultyLedger {
        FaultyLedger { time: Some(Box::new(time)), ..self }
    }

    /// The same with this place for the index of each log: [`Ledger::index`].
    #[must_use]
    pub fn with_index(self, index: Arc<dyn IndexStore>) -> FaultyLedger {
        FaultyLedger { index: Some(index), ..self }
    }

    /// Sets the faults of the next calls for which `when` is true, one each, in this order. `when` must not use the
    /// ledger.
    pub fn script_when(
        &self,
        when: impl Fn(&LedgerCall) -> bool + Send + 'static,
        faults: impl IntoIterator<Item = Fault>,
    ) {
        self.faults.script().push(when, faults);
    }

    /// From now on, each call without a scripted fault meets the fault that `rule` has for it. Of several rules, the
    /// first one that has a fault for a call counts. `rule` must not use the ledger.
    pub fn rule(&self, rule: impl FnMut(&LedgerCall) -> Option<Fault> + Send + 'static) {
        self.faults.script().rule(rule);
    }

    /// Ends all faults, except for calls that have met theirs.
    pub fn calm(&self) {
        self.faults.script().clear();
    }
}

impl fmt::Debug for FaultyLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyLedger").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[async_trait]
impl Ledger for FaultyLedger {
    async fn size(&self, channel: &Channel) -> Result<u64> {
        let call = LedgerCall::Size { channel: channel.clone() };
        self.faults.meet(call, self.inner.size(channel)).await
    }

    async fn read(&self, channel: &Channel, from: u64, limit: usize) -> Result<Vec<Bytes>> {
        let call = LedgerCall::Read { channel: channel.clone(), from, limit };
        self.faults.meet(call, self.inner.read(channel, from, limit)).await
    }

    async fn append(&self, channel: &Channel, seq: u64, bytes: Bytes) -> Result<Appended> {
        let call = LedgerCall::Append { channel: channel.clone(), seq, bytes: bytes.clone() };
        self.faults.meet(call, self.inner.append(channel, seq, bytes)).await
    }

    async fn channels(&self) -> Result<Vec<Channel>> {
        self.faults.meet(LedgerCall::Channels, self.inner.channels()).await
    }

    // `unacknowledged` keeps its default: a fault may be an append that lands later.

    fn time(&self) -> Option<Timestamp> {
        self.time.as_ref().map(|time| time()).or_else(|| self.inner.time())
    }

    fn notices(&self) -> Vec<RepairNotice> {
        self.inner.notices()
    }

    async fn search(&self, channel: &Channel, term: Term<'_>, size: u64) -> Result<Option<Vec<u64>>> {
        self.inner.search(channel, term, size).await
    }

    fn index(&self) -> Option<&dyn IndexStore> {
        self.index.as_deref().or_else(|| self.inner.index())
    }
}
