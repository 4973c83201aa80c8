//! The requirements of a [`Ledger`], one function each; [`all`] runs every requirement, in order.
//!
//! ```
//! # tokio_test(async {
//! use std::sync::Arc;
//! use tagwarden_testing::conformance::ledger;
//! use tagwarden::ledger::{Ledger, MemoryLedger};
//!
//! let one = Arc::new(MemoryLedger::new());
//! ledger::all(&move || Ok(one.clone() as Arc<dyn Ledger>)).await.unwrap();
//! # });
//! # fn tokio_test(f: impl Future<Output = ()>) {
//! #     tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(f)
//! # }
//! ```

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{Failure, TestResult};
use crate::entries;
use tagwarden::Result;
use tagwarden::ledger::{Appended, Ledger};
use tagwarden::log::{Body, EncodedEntry, Entry, Hold, HoldScope, MAX_ENTRY, RecordedFinding, Verdict};
use tagwarden::{Channel, Digest, Provenance, Timestamp};

/// The store under test. It can be opened several times.
#[async_trait]
pub trait LedgerHarness: Send + Sync {
    /// Opens the store as a newly started process would. Ledgers that were opened before stay open. A ledger that does
    /// not outlive its process returns the same ledger again.
    async fn open(&self) -> Result<Arc<dyn Ledger>>;
}

#[async_trait]
impl<F: Fn() -> Result<Arc<dyn Ledger>> + Send + Sync> LedgerHarness for F {
    async fn open(&self) -> Result<Arc<dyn Ledger>> {
        self()
    }
}

/// Runs every requirement, in order, up to the first violation.
pub async fn all(store: &dyn LedgerHarness) -> TestResult {
    append_if_next(store).await?;
    gaps_are_refused(store).await?;
    lost_is_not_stored(store).await?;
    one_order(store).await?;
    read_your_writes(store).await?;
    durable(store).await?;
    bytes_are_exact(store).await?;
    logs_are_apart(store).await?;
    channels_are_listed(store).await?;
    read_limits(store).await
}

/// The bytes are stored at the position if it is the next one. A position that is taken keeps its entry.
pub async fn append_if_next(store: &dyn LedgerHarness) -> TestResult {
    let requirement = Requirement("append_if_next");
    let ledger = requirement.open(store).await?;
    let mut log = requirement.log("next")?;
    let mut written = Vec::new();
    for _ in 0..4 {
        let entry = log.next(&requirement, "first")?;
        requirement.stored(ledger.as_ref(), &log, &entry).await?;
        written.push(entry.bytes().clone());
        for seq in 0..log.size {
            let late = requirement.value("an entry", log.entry(seq, None, "late"))?;
            let append = requirement.value("append", ledger.append(&log.channel, seq, late.bytes().clone()).await)?;
            requirement.that(append == Appended::Conflict, || {
                format!("an append at {seq}, which was taken, said {append:?}")
            })?;
        }
        requirement.holds(ledger.as_ref(), &log.channel, &written).await?;
    }
    Ok(())
}

/// An append beyond the next position is a `Conflict` and stores nothing, in an empty log too.
pub async fn gaps_are_refused(store: &dyn LedgerHarness) -> TestResult {
    let requirement = Requirement("gaps_are_refused");
    let ledger = requirement.open(store).await?;
    let mut log = requirement.log("gaps")?;
    let mut written = Vec::new();
    for size in 0..3 {
        for seq in [size + 1, size + 2, size + 1000, (1 << 53) - 1] {
            let early = requirement.value("an entry", log.entry(seq, log.parent, "early"))?;
            let append = requirement.value("append", ledger.append(&log.channel, seq, early.bytes().clone()).await)?;
            requirement.that(append == Appended::Conflict, || {
                format!("an append at {seq} of a log of {size} said {append:?}")
            })?;
            requirement.holds(ledger.as_ref(), &log.channel, &written).await?;
        }
        let entry = log.next(&requirement, "next")?;
        requirement.stored(ledger.as_ref(), &log, &entry).await?;
        written.push(entry.bytes().clone());
    }
    Ok(())
}

/// `Conflict` means that nothing was stored. An append without a competing writer is no `Conflict`.
pub async fn lost_is_not_stored(store: &dyn LedgerHarness) -> TestResult {
    let requirement = Requirement("lost_is_not_stored");
    let ledger = requirement.open(store).await?;
    let mut log = requirement.log("lost")?;
    for _ in 0..32 {
        let entry = log.next(&requirement, "mine")?;
        let seq = log.size - 1;
        let append = requirement.value("append", ledger.append(&log.channel, seq, entry.bytes().clone()).await)?;
        if append == Appended::Conflict {
            let there = requirement.value("read", ledger.read(&log.channel, seq, 1).await)?;
            return requirement.broken(match there.first() == Some(entry.bytes()) {
                true => format!("the append at {seq} answered Conflict, but its entry was stored"),
                false => format!("the append at {seq}, the next position, answered Conflict, but it was not contested"),
            });
        }
    }
    Ok(())
}

/// When several writers append at one position, exactly one of them succeeds, and the log has the winner's entry. Half
/// of the writers open the store anew.
pub async fn one_order(store: &dyn LedgerHarness) -> TestResult {
    const WRITERS: usize = 8;
    const POSITIONS: u64 = 16;
    let requirement = Requirement("one_order");
    let mut log = requirement.log("race")?;
    let ledgers = [requirement.open(store).await?, requirement.open(store).await?];
    let start = Arc::new(tokio::sync::Barrier::new(WRITERS));
    let mut won = Vec::new();
    for seq in 0..POSITIONS {
        let mut writers = JoinSet::new();
        for (writer, ledger) in ledgers.iter().cycle().take(WRITERS).enumerate() {
            let sealed = requirement.value("an entry", log.entry(seq, log.parent, &format!("writer {writer}")))?;
            let (ledger, channel, start) = (ledger.clone(), log.channel.clone(), start.clone());
            writers.spawn(async move {
                start.wait().await;
                let append = ledger.append(&channel, seq, sealed.bytes().clone()).await;
                (append, sealed)
            });
        }
        let mut winners = Vec::new();
        while let Some(joined) = writers.join_next().await {
            let (append, sealed) = joined.map_err(|e| requirement.violation(format!("a writer ended early: {e}")))?;
            if requirement.value("append", append)? == Appended::Stored {
                winners.push(sealed);
            }
        }
        let [winner] = winners.as_slice() else {
            return requirement.broken(format!("{} of {WRITERS} writers won position {seq}", winners.len()));
        };
        log.take(winner);
        won.push(winner.bytes().clone());
        for ledger in &ledgers {
            requirement.holds(ledger.as_ref(), &log.channel, &won).await?;
        }
    }
    Ok(())
}

/// A read sees every append that returned before the read began, also an append through another opening of the store.
pub async fn read_your_writes(store: &dyn LedgerHarness) -> TestResult {
    let requirement = Requirement("read_your_writes");
    let (one, other) = (requirement.open(store).await?, requirement.open(store).await?);
    let mut log = requirement.log("reads")?;
    let mut written = Vec::new();
    for round in 0..8 {
        // Both read before the append, so that a cached size would be out of date.
        requirement.holds(one.as_ref(), &log.channel, &written).await?;
        requirement.holds(other.as_ref(), &log.channel, &written).await?;
        let entry = log.next(&requirement, "seen")?;
        let writer = if round % 2 == 0 { &one } else { &other };
        requirement.stored(writer.as_ref(), &log, &entry).await?;
        written.push(entry.bytes().clone());
        requirement.holds(one.as_ref(), &log.channel, &written).await?;
        requirement.holds(other.as_ref(), &log.channel, &written).await?;
    }
    Ok(())
}

/// A stored entry is still there when the store is opened again.
pub async fn durable(store: &dyn LedgerHarness) -> TestResult {
    let requirement = Requirement("durable");
    let mut log = requirement.log("durable")?;
    let mut written = Vec::new();
    for _ in 0..5 {
        let ledger = requirement.open(store).await?;
        requirement.holds(ledger.as_ref(), &log.channel, &written).await?;
        for _ in 0..2 {
            let entry = log.next(&requirement, "kept")?;
            requirement.stored(ledger.as_ref(), &log, &entry).await?;
            written.push(entry.bytes().clone());
        }
        drop(ledger);
    }
    let ledger = requirement.open(store).await?;
    requirement.holds(ledger.as_ref(), &log.channel, &written).await
}

/// A read returns the appended bytes exactly: the smallest entries, the largest (32 KiB), and text of any script.
pub async fn bytes_are_exact(store: &dyn LedgerHarness) -> TestResult {
    let requirement = Requirement("bytes_are_exact");
    let ledger = requirement.open(store).await?;
    let mut log = requirement.log("bytes")?;
    let mut written = Vec::new();
    let texts =
        ["x", "\"\\/,\"seq\":0,\"v\":1}", "Zoë Ωmega 漢字 🚢 e\u{301}", "'; DROP TABLE entries; --", "%00 \\u0000 ../"];
    for text in texts {
        let entry = log.next(&requirement, text)?;
        requirement.stored(ledger.as_ref(), &log, &entry).await?;
        written.push(entry.bytes().clone());
    }
    for length in [4095, 4096, 4097, 8192, MAX_ENTRY - 1, MAX_ENTRY] {
        let entry = requirement.value("an entry", log.long(length))?;
        log.take(&entry);
        requirement.stored(ledger.as_ref(), &log, &entry).await?;
        written.push(entry.bytes().clone());
    }
    requirement.holds(ledger.as_ref(), &log.channel, &written).await?;
    let again = requirement.open(store).await?;
    requirement.holds(again.as_ref(), &log.channel, &written).await
}

/// Each channel has a log of its own, even if their names are similar.
pub async fn logs_are_apart(store: &dyn LedgerHarness) -> TestResult {
    let requirement = Requirement("logs_are_apart");
    let ledger = requirement.open(store).await?;
    let run = unique();
    let long = "abcdefghi/".repeat(19);
    let names = [
        format!("conformance.example/{run}/a:prod"),
        format!("conformance.example/{run}/a:Prod"),
        format!("conformance.example/{run}/a:PROD"),
        format!("conformance.example/{run}/a:prod."),
        format!("conformance.example/{run}/a:_prod"),
        format!("conformance.example/{run}/a-b:prod"),
        format!("conformance.example/{run}/a/b:prod"),
        format!("conformance.example/{run}/a.b:prod"),
        format!("conformance.example/{run}/a_b:prod"),
        format!("conformance.example/{run}/a__b:prod"),
        format!("conformance.example:5000/{run}/a:prod"),
        format!("conformance.example/{run}/{long}x:prod"),
        format!("conformance.example/{run}/{long}y:prod"),
        format!("conformance.example/{run}/a:{}", "t".repeat(128)),
        format!("conformance.example/{run}/a:{}T", "t".repeat(127)),
    ];
    let mut logs = Vec::new();
    for name in &names {
        logs.push((Log::of(requirement.value("a channel", name.parse())?), Vec::new()));
    }
    for round in 0..2 {
        for (log, written) in &mut logs {
            let entry = log.next(&requirement, &format!("round {round}"))?;
            requirement.stored(ledger.as_ref(), log, &entry).await?;
            written.push(entry.bytes().clone());
        }
    }
    for (log, written) in &logs {
        requirement.holds(ledger.as_ref(), &log.channel, written).await?;
    }
    Ok(())
}

/// Every channel that has an entry is listed once, in order. No other channel is listed.
pub async fn channels_are_listed(store: &dyn LedgerHarness) -> TestResult {
    let requirement = Requirement("channels_are_listed");
    let ledger = requirement.open(store).await?;
    let run = unique();
    let mut mine = Vec::new();
    for tag in ["b", "a", "B", "a.1", "_"] {
        let mut log = Log::of(requirement.value("a channel", format!("conformance.example/{run}:{tag}").parse())?);
        let entry = log.next(&requirement, "listed")?;
        requirement.stored(ledger.as_ref(), &log, &entry).await?;
        mine.push(log.channel);
    }
    mine.sort();
    let empty: Channel = requirement.value("a channel", format!("conformance.example/{run}:none").parse())?;
    requirement.value("size", ledger.size(&empty).await)?;
    requirement.value("read", ledger.read(&empty, 0, 1).await)?;
    for ledger in [ledger, requirement.open(store).await?] {
        let all = requirement.value("channels", ledger.channels().await)?;
        requirement.that(all.is_sorted(), || format!("the channels are not in order: {all:?}"))?;
        let listed: Vec<_> = all.into_iter().filter(|channel| channel.repository() == empty.repository()).collect();
        requirement.that(listed == mine, || format!("{listed:?} are listed; {mine:?} have entries"))?;
    }
    Ok(())
}

/// A read returns at least one entry if there is one, at most the requested number, and nothing beyond the end.
pub async fn read_limits(store: &dyn LedgerHarness) -> TestResult {
    const SIZE: u64 = 20;
    let requirement = Requirement("read_limits");
    let ledger = requirement.open(store).await?;
    let mut log = requirement.log("limits")?;
    let mut written = Vec::new();
    for _ in 0..SIZE {
        let entry = log.next(&requirement, "counted")?;
        requirement.stored(ledger.as_ref(), &log, &entry).await?;
        written.push(entry.bytes().clone());
    }
    for from in [0, 1, SIZE / 2, SIZE - 1, SIZE, SIZE + 1, u64::MAX] {
        for limit in [0, 1, 7, usize::MAX] {
            let read = requirement.value("read", ledger.read(&log.channel, from, limit).await)?;
            let there = written.get(usize::try_from(from).unwrap_or(usize::MAX)..).unwrap_or_default();
            let least = 1.min(limit).min(there.len());
            let most = limit.min(there.len());
            requirement.that((least..=most).contains(&read.len()), || {
                format!("read({from}, {limit}) of {SIZE} gave {} entries instead of {least} to {most}", read.len())
            })?;
            requirement.that(there.starts_with(&read), || {
                format!("read({from}, {limit}) gave other entries than stand there")
            })?;
        }
    }
    Ok(())
}

/// The name of the requirement under test.
struct Requirement(&'static str);

impl Requirement {
    fn violation(&self, seen: String) -> Failure {
        Failure { requirement: self.0, seen }
    }

    fn broken(&self, seen: String) -> TestResult {
        Err(self.violation(seen))
    }

    fn that(&self, kept: bool, seen: impl FnOnce() -> String) -> TestResult {
        if kept { Ok(()) } else { self.broken(seen()) }
    }

    fn value<T>(&self, what: &str, result: Result<T>) -> std::result::Result<T, Failure> {
        result.map_err(|e| self.violation(format!("{what} failed: {e:?}")))
    }

    /// A log whose channel name was not used before.
    fn log(&self, name: &str) -> std::result::Result<Log, Failure> {
        let channel = self.value("a channel", format!("conformance.example/{}/{name}:prod", unique()).parse())?;
        Ok(Log::of(channel))
    }

    async fn open(&self, store: &dyn LedgerHarness) -> std::result::Result<Arc<dyn Ledger>, Failure> {
        self.value("open", store.open().await)
    }

    /// Appends `entry`, which [`Log::next`] has already counted in `log`.
    async fn stored(&self, ledger: &dyn Ledger, log: &Log, entry: &EncodedEntry) -> TestResult {
        let seq = log.size - 1;
        let append = self.value("append", ledger.append(&log.channel, seq, entry.bytes().clone()).await)?;
        self.that(append == Appended::Stored, || {
            format!("an append of {} at {seq}, the next position, answered Conflict", log.channel)
        })
    }

    /// The log is exactly `written`, in a read of the whole log.
    async fn holds(&self, ledger: &dyn Ledger, channel: &Channel, written: &[Bytes]) -> TestResult {
        let size = self.value("size", ledger.size(channel).await)?;
        self.that(size == written.len() as u64, || format!("the size of {channel} is {size} after {}", written.len()))?;
        let mut read = Vec::new();
        loop {
            let page = self.value("read", ledger.read(channel, read.len() as u64, written.len() + 1).await)?;
            if page.is_empty() {
                break;
            }
            read.extend(page);
            self.that(read.len() <= written.len(), || format!("{channel} has more entries than its size says"))?;
        }
        match read.iter().zip(written).position(|(read, written)| read != written) {
            Some(seq) => self.broken(format!("the entry at {seq} of {channel} is not what was appended")),
            None => self.that(read.len() == written.len(), || {
                format!("{} entries of {channel} could be read of {}", read.len(), written.len())
            }),
        }
    }
}

/// The expected state of a log.
struct Log {
    channel: Channel,
    size: u64,
    parent: Option<Digest>,
}

impl Log {
    fn of(channel: Channel) -> Log {
        Log { channel, size: 0, parent: None }
    }

    /// Makes the entry at the end and counts it as stored.
    fn next(&mut self, requirement: &Requirement, text: &str) -> std::result::Result<EncodedEntry, Failure> {
        let sealed = requirement.value("an entry", self.entry(self.size, self.parent, text))?;
        self.take(&sealed);
        Ok(sealed)
    }

    fn take(&mut self, sealed: &EncodedEntry) {
        self.size += 1;
        self.parent = Some(sealed.leaf());
    }

    fn entry(&self, seq: u64, parent: Option<Digest>, text: &str) -> Result<EncodedEntry> {
        let body =
            Body::Hold(Hold { scope: HoldScope::All, reason: text.parse()?, provenance: author()?, until: None });
        self.seal(seq, parent, body)
    }

    fn seal(&self, seq: u64, parent: Option<Digest>, body: Body) -> Result<EncodedEntry> {
        let at = Timestamp::from_unix_ms(1_795_000_000_000);
        Entry { channel: self.channel.clone(), seq, id: Uuid::now_v7(), at, parent, body }.seal()
    }

    /// An entry of exactly `length` bytes (at least a few thousand) for the end of the log: an intent with enough
    /// findings.
    fn long(&self, length: usize) -> Result<EncodedEntry> {
        const SHORT: usize = 300;
        let finding = |length: usize| -> Result<RecordedFinding> {
            let why = "w".repeat(length).parse()?;
            Ok(RecordedFinding { guardrail: "length".parse()?, verdict: Verdict::Pass, code: None, why })
        };
        let mut findings = vec![finding(SHORT)?];
        loop {
            // A text has at most 1,024 characters: the last finding takes the missing bytes.
            let missing = length.saturating_sub(self.intent(findings.clone())?.bytes().len());
            if missing <= 2 * SHORT {
                findings.pop();
                findings.push(finding(SHORT + missing)?);
                return self.intent(findings);
            }
            findings.push(finding(SHORT)?);
        }
    }

    fn intent(&self, findings: Vec<RecordedFinding>) -> Result<EncodedEntry> {
        let mut intent = entries::intent(&self.channel, self.size, None, Digest::of(b"conformance"))?;
        intent.decision.findings = findings;
        self.seal(self.size, self.parent, Body::Intent(Box::new(intent)))
    }
}

fn author() -> Result<Provenance> {
    Provenance::new("manual", "conformance", "conformance")
}

/// A word that no other run of the requirements uses.
fn unique() -> String {
    Uuid::now_v7().simple().to_string()
}

#[cfg(test)]
mod tests;
