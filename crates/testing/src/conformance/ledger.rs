//! The laws of a [`Ledger`], one function each; [`all`] runs every law, in order.
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

use super::{Kept, Violation};
use tagwarden::Result;
use tagwarden::ledger::{Append, Ledger};
use tagwarden::log::{
    Body, Deadlines, Decision, Entry, FindingNote, Hold, HoldScope, Intent, MAX_ENTRY, Op, PolicyNote, Sealed, Source,
    TargetManifest, Verdict,
};
use tagwarden::{Channel, Digest, Provenance, Timestamp};

/// The store under test. It can be opened several times.
#[async_trait]
pub trait Store: Send + Sync {
    /// Opens the store as a newly started process would. Ledgers that were opened before stay open. A ledger that does
    /// not outlive its process returns the same ledger again.
    async fn open(&self) -> Result<Arc<dyn Ledger>>;
}

#[async_trait]
impl<F: Fn() -> Result<Arc<dyn Ledger>> + Send + Sync> Store for F {
    async fn open(&self) -> Result<Arc<dyn Ledger>> {
        self()
    }
}

/// Runs every law, in order, up to the first violation.
pub async fn all(store: &dyn Store) -> Kept {
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
pub async fn append_if_next(store: &dyn Store) -> Kept {
    let law = Law("append_if_next");
    let ledger = law.open(store).await?;
    let mut log = law.log("next")?;
    let mut written = Vec::new();
    for _ in 0..4 {
        let entry = log.next(&law, "first")?;
        law.stored(ledger.as_ref(), &log, &entry).await?;
        written.push(entry.bytes().clone());
        for seq in 0..log.size {
            let late = law.value("an entry", log.entry(seq, None, "late"))?;
            let append = law.value("append", ledger.append(&log.channel, seq, late.bytes().clone()).await)?;
            law.that(append == Append::Lost, || format!("an append at {seq}, which was taken, said {append:?}"))?;
        }
        law.holds(ledger.as_ref(), &log.channel, &written).await?;
    }
    Ok(())
}

/// An append beyond the next position is lost and stores nothing, in an empty log too.
pub async fn gaps_are_refused(store: &dyn Store) -> Kept {
    let law = Law("gaps_are_refused");
    let ledger = law.open(store).await?;
    let mut log = law.log("gaps")?;
    let mut written = Vec::new();
    for size in 0..3 {
        for seq in [size + 1, size + 2, size + 1000, (1 << 53) - 1] {
            let early = law.value("an entry", log.entry(seq, log.parent, "early"))?;
            let append = law.value("append", ledger.append(&log.channel, seq, early.bytes().clone()).await)?;
            law.that(append == Append::Lost, || format!("an append at {seq} of a log of {size} said {append:?}"))?;
            law.holds(ledger.as_ref(), &log.channel, &written).await?;
        }
        let entry = log.next(&law, "next")?;
        law.stored(ledger.as_ref(), &log, &entry).await?;
        written.push(entry.bytes().clone());
    }
    Ok(())
}

/// `Lost` means that nothing was stored. An append without a competing writer is not lost.
pub async fn lost_is_not_stored(store: &dyn Store) -> Kept {
    let law = Law("lost_is_not_stored");
    let ledger = law.open(store).await?;
    let mut log = law.log("lost")?;
    for _ in 0..32 {
        let entry = log.next(&law, "mine")?;
        let seq = log.size - 1;
        let append = law.value("append", ledger.append(&log.channel, seq, entry.bytes().clone()).await)?;
        if append == Append::Lost {
            let there = law.value("read", ledger.read(&log.channel, seq, 1).await)?;
            return law.broken(match there.first() == Some(entry.bytes()) {
                true => format!("the append at {seq} said Lost, and its entry stands there"),
                false => format!("the append at {seq}, the next position, said Lost though it was not contested"),
            });
        }
    }
    Ok(())
}

/// When several writers append at one position, exactly one of them succeeds, and the log has the winner's entry. Half
/// of the writers open the store anew.
pub async fn one_order(store: &dyn Store) -> Kept {
    const WRITERS: usize = 8;
    const POSITIONS: u64 = 16;
    let law = Law("one_order");
    let mut log = law.log("race")?;
    let ledgers = [law.open(store).await?, law.open(store).await?];
    let start = Arc::new(tokio::sync::Barrier::new(WRITERS));
    let mut won = Vec::new();
    for seq in 0..POSITIONS {
        let mut writers = JoinSet::new();
        for (writer, ledger) in ledgers.iter().cycle().take(WRITERS).enumerate() {
            let sealed = law.value("an entry", log.entry(seq, log.parent, &format!("writer {writer}")))?;
            let (ledger, channel, start) = (ledger.clone(), log.channel.clone(), start.clone());
            writers.spawn(async move {
                start.wait().await;
                let append = ledger.append(&channel, seq, sealed.bytes().clone()).await;
                (append, sealed)
            });
        }
        let mut winners = Vec::new();
        while let Some(joined) = writers.join_next().await {
            let (append, sealed) = joined.map_err(|e| law.violation(format!("a writer ended early: {e}")))?;
            if law.value("append", append)? == Append::Stored {
                winners.push(sealed);
            }
        }
        let [winner] = winners.as_slice() else {
            return law.broken(format!("{} of {WRITERS} writers won position {seq}", winners.len()));
        };
        log.take(winner);
        won.push(winner.bytes().clone());
        for ledger in &ledgers {
            law.holds(ledger.as_ref(), &log.channel, &won).await?;
        }
    }
    Ok(())
}

/// A read sees every append that returned before the read began, also an append through another opening of the store.
pub async fn read_your_writes(store: &dyn Store) -> Kept {
    let law = Law("read_your_writes");
    let (one, other) = (law.open(store).await?, law.open(store).await?);
    let mut log = law.log("reads")?;
    let mut written = Vec::new();
    for round in 0..8 {
        // Both read before the append, so that a cached size would be out of date.
        law.holds(one.as_ref(), &log.channel, &written).await?;
        law.holds(other.as_ref(), &log.channel, &written).await?;
        let entry = log.next(&law, "seen")?;
        let writer = if round % 2 == 0 { &one } else { &other };
        law.stored(writer.as_ref(), &log, &entry).await?;
        written.push(entry.bytes().clone());
        law.holds(one.as_ref(), &log.channel, &written).await?;
        law.holds(other.as_ref(), &log.channel, &written).await?;
    }
    Ok(())
}

/// A stored entry is still there when the store is opened again.
pub async fn durable(store: &dyn Store) -> Kept {
    let law = Law("durable");
    let mut log = law.log("durable")?;
    let mut written = Vec::new();
    for _ in 0..5 {
        let ledger = law.open(store).await?;
        law.holds(ledger.as_ref(), &log.channel, &written).await?;
        for _ in 0..2 {
            let entry = log.next(&law, "kept")?;
            law.stored(ledger.as_ref(), &log, &entry).await?;
            written.push(entry.bytes().clone());
        }
        drop(ledger);
    }
    let ledger = law.open(store).await?;
    law.holds(ledger.as_ref(), &log.channel, &written).await
}

/// A read returns the appended bytes exactly: the smallest entries, the largest (32 KiB), and text of any script.
pub async fn bytes_are_exact(store: &dyn Store) -> Kept {
    let law = Law("bytes_are_exact");
    let ledger = law.open(store).await?;
    let mut log = law.log("bytes")?;
    let mut written = Vec::new();
    let texts =
        ["x", "\"\\/,\"seq\":0,\"v\":1}", "Zoë Ωmega 漢字 🚢 e\u{301}", "'; DROP TABLE entries; --", "%00 \\u0000 ../"];
    for text in texts {
        let entry = log.next(&law, text)?;
        law.stored(ledger.as_ref(), &log, &entry).await?;
        written.push(entry.bytes().clone());
    }
    for length in [4095, 4096, 4097, 8192, MAX_ENTRY - 1, MAX_ENTRY] {
        let entry = law.value("an entry", log.long(length))?;
        log.take(&entry);
        law.stored(ledger.as_ref(), &log, &entry).await?;
        written.push(entry.bytes().clone());
    }
    law.holds(ledger.as_ref(), &log.channel, &written).await?;
    let again = law.open(store).await?;
    law.holds(again.as_ref(), &log.channel, &written).await
}

/// Each channel has a log of its own, even if their names are similar.
pub async fn logs_are_apart(store: &dyn Store) -> Kept {
    let law = Law("logs_are_apart");
    let ledger = law.open(store).await?;
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
        logs.push((Log::of(law.value("a channel", name.parse())?), Vec::new()));
    }
    for round in 0..2 {
        for (log, written) in &mut logs {
            let entry = log.next(&law, &format!("round {round}"))?;
            law.stored(ledger.as_ref(), log, &entry).await?;
            written.push(entry.bytes().clone());
        }
    }
    for (log, written) in &logs {
        law.holds(ledger.as_ref(), &log.channel, written).await?;
    }
    Ok(())
}

/// Every channel that has an entry is listed once, in order. No other channel is listed.
pub async fn channels_are_listed(store: &dyn Store) -> Kept {
    let law = Law("channels_are_listed");
    let ledger = law.open(store).await?;
    let run = unique();
    let mut mine = Vec::new();
    for tag in ["b", "a", "B", "a.1", "_"] {
        let mut log = Log::of(law.value("a channel", format!("conformance.example/{run}:{tag}").parse())?);
        let entry = log.next(&law, "listed")?;
        law.stored(ledger.as_ref(), &log, &entry).await?;
        mine.push(log.channel);
    }
    mine.sort();
    let empty: Channel = law.value("a channel", format!("conformance.example/{run}:none").parse())?;
    law.value("size", ledger.size(&empty).await)?;
    law.value("read", ledger.read(&empty, 0, 1).await)?;
    for ledger in [ledger, law.open(store).await?] {
        let all = law.value("channels", ledger.channels().await)?;
        law.that(all.is_sorted(), || format!("the channels are not in order: {all:?}"))?;
        let listed: Vec<_> = all.into_iter().filter(|channel| channel.repository() == empty.repository()).collect();
        law.that(listed == mine, || format!("{listed:?} are listed; {mine:?} have entries"))?;
    }
    Ok(())
}

/// A read returns at least one entry if there is one, at most the requested number, and nothing beyond the end.
pub async fn read_limits(store: &dyn Store) -> Kept {
    const SIZE: u64 = 20;
    let law = Law("read_limits");
    let ledger = law.open(store).await?;
    let mut log = law.log("limits")?;
    let mut written = Vec::new();
    for _ in 0..SIZE {
        let entry = log.next(&law, "counted")?;
        law.stored(ledger.as_ref(), &log, &entry).await?;
        written.push(entry.bytes().clone());
    }
    for from in [0, 1, SIZE / 2, SIZE - 1, SIZE, SIZE + 1, u64::MAX] {
        for limit in [0, 1, 7, usize::MAX] {
            let read = law.value("read", ledger.read(&log.channel, from, limit).await)?;
            let there = written.get(usize::try_from(from).unwrap_or(usize::MAX)..).unwrap_or_default();
            let least = 1.min(limit).min(there.len());
            let most = limit.min(there.len());
            law.that((least..=most).contains(&read.len()), || {
                format!("read({from}, {limit}) of {SIZE} gave {} entries instead of {least} to {most}", read.len())
            })?;
            law.that(there.starts_with(&read), || {
                format!("read({from}, {limit}) gave other entries than stand there")
            })?;
        }
    }
    Ok(())
}

/// The name of the law under test.
struct Law(&'static str);

impl Law {
    fn violation(&self, seen: String) -> Violation {
        Violation { law: self.0, seen }
    }

    fn broken(&self, seen: String) -> Kept {
        Err(self.violation(seen))
    }

    fn that(&self, kept: bool, seen: impl FnOnce() -> String) -> Kept {
        if kept { Ok(()) } else { self.broken(seen()) }
    }

    fn value<T>(&self, what: &str, result: Result<T>) -> std::result::Result<T, Violation> {
        result.map_err(|e| self.violation(format!("{what} failed: {e:?}")))
    }

    /// A log whose channel name was not used before.
    fn log(&self, name: &str) -> std::result::Result<Log, Violation> {
        let channel = self.value("a channel", format!("conformance.example/{}/{name}:prod", unique()).parse())?;
        Ok(Log::of(channel))
    }

    async fn open(&self, store: &dyn Store) -> std::result::Result<Arc<dyn Ledger>, Violation> {
        self.value("open", store.open().await)
    }

    /// Appends `entry`, which [`Log::next`] has already counted in `log`.
    async fn stored(&self, ledger: &dyn Ledger, log: &Log, entry: &Sealed) -> Kept {
        let seq = log.size - 1;
        let append = self.value("append", ledger.append(&log.channel, seq, entry.bytes().clone()).await)?;
        self.that(append == Append::Stored, || format!("an append of {} at {seq}, the next, said Lost", log.channel))
    }

    /// The log is exactly `written`, in a read of the whole log.
    async fn holds(&self, ledger: &dyn Ledger, channel: &Channel, written: &[Bytes]) -> Kept {
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
    fn next(&mut self, law: &Law, text: &str) -> std::result::Result<Sealed, Violation> {
        let sealed = law.value("an entry", self.entry(self.size, self.parent, text))?;
        self.take(&sealed);
        Ok(sealed)
    }

    fn take(&mut self, sealed: &Sealed) {
        self.size += 1;
        self.parent = Some(sealed.leaf());
    }

    fn entry(&self, seq: u64, parent: Option<Digest>, text: &str) -> Result<Sealed> {
        let body =
            Body::Hold(Hold { scope: HoldScope::All, reason: text.parse()?, provenance: author()?, until: None });
        self.seal(seq, parent, body)
    }

    fn seal(&self, seq: u64, parent: Option<Digest>, body: Body) -> Result<Sealed> {
        let at = Timestamp::from_unix_ms(1_795_000_000_000);
        Entry { channel: self.channel.clone(), seq, id: Uuid::now_v7(), at, parent, body }.seal()
    }

    /// An entry of exactly `length` bytes (at least a few thousand) for the end of the log: an intent with enough
    /// findings.
    fn long(&self, length: usize) -> Result<Sealed> {
        const SHORT: usize = 300;
        let finding = |length: usize| -> Result<FindingNote> {
            let why = "w".repeat(length).parse()?;
            Ok(FindingNote { guardrail: "length".parse()?, verdict: Verdict::Pass, code: None, why })
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

    fn intent(&self, findings: Vec<FindingNote>) -> Result<Sealed> {
        let digest = Digest::of(b"conformance");
        let intent = Intent {
            op: Op::Bootstrap,
            move_id: Uuid::now_v7().to_string().parse()?,
            key: "conformance".parse()?,
            request: digest,
            previous: None,
            target: TargetManifest::new(digest, "application/vnd.oci.image.manifest.v1+json".parse()?, 2),
            source: Source::Channel(self.channel.clone()),
            provenance: author()?,
            reason: None,
            expected: None,
            order: None,
            upstream: Vec::new(),
            decision: Decision {
                at: Timestamp::from_unix_ms(1_795_000_000_000),
                policy: PolicyNote { name: "none".parse()?, digest },
                findings,
                overrides: Vec::new(),
                approvals: Vec::new(),
                checks: Vec::new(),
            },
            replaced: None,
            predecessor: None,
            set: None,
            owner: "conformance".parse()?,
            epoch: 0,
            deadlines: Deadlines::default(),
        };
        self.seal(self.size, self.parent, Body::Intent(Box::new(intent)))
    }
}

fn author() -> Result<Provenance> {
    Provenance::new("manual", "conformance", "conformance")
}

/// A word that no other run of the laws uses.
fn unique() -> String {
    Uuid::now_v7().simple().to_string()
}

#[cfg(test)]
mod tests;
