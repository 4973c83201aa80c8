//! The requirement under test, and the log that it expects.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::LedgerHarness;
use crate::conformance::{Failure, TestResult};
use crate::entries;
use tagwarden::Result;
use tagwarden::ledger::{Appended, Ledger};
use tagwarden::log::{Body, EncodedEntry, Entry, Hold, HoldScope, RecordedFinding, Verdict};
use tagwarden::{Channel, Digest, Provenance, Timestamp};

/// The name of the requirement under test.
pub(super) struct Requirement(pub(super) &'static str);

impl Requirement {
    pub(super) fn violation(&self, seen: String) -> Failure {
        Failure { requirement: self.0, seen }
    }

    pub(super) fn broken(&self, seen: String) -> TestResult {
        Err(self.violation(seen))
    }

    pub(super) fn that(&self, kept: bool, seen: impl FnOnce() -> String) -> TestResult {
        if kept { Ok(()) } else { self.broken(seen()) }
    }

    pub(super) fn value<T>(&self, what: &str, result: Result<T>) -> std::result::Result<T, Failure> {
        result.map_err(|e| self.violation(format!("{what} failed: {e:?}")))
    }

    /// A log whose channel name was not used before.
    pub(super) fn log(&self, name: &str) -> std::result::Result<Log, Failure> {
        let channel = self.value("a channel", format!("conformance.example/{}/{name}:prod", unique()).parse())?;
        Ok(Log::of(channel))
    }

    pub(super) async fn open(&self, store: &dyn LedgerHarness) -> std::result::Result<Arc<dyn Ledger>, Failure> {
        self.value("open", store.open().await)
    }

    /// Appends `entry`, which [`Log::next`] has already counted in `log`.
    pub(super) async fn stored(&self, ledger: &dyn Ledger, log: &Log, entry: &EncodedEntry) -> TestResult {
        let seq = log.size - 1;
        let append = self.value("append", ledger.append(&log.channel, seq, entry.bytes().clone()).await)?;
        self.that(append == Appended::Stored, || {
            format!("an append of {} at {seq}, the next position, answered Conflict", log.channel)
        })
    }

    /// The log is exactly `written`, in a read of the whole log.
    pub(super) async fn holds(&self, ledger: &dyn Ledger, channel: &Channel, written: &[Bytes]) -> TestResult {
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
pub(super) struct Log {
    pub(super) channel: Channel,
    pub(super) size: u64,
    pub(super) parent: Option<Digest>,
}

impl Log {
    pub(super) fn of(channel: Channel) -> Log {
        Log { channel, size: 0, parent: None }
    }

    /// Makes the entry at the end and counts it as stored.
    pub(super) fn next(&mut self, requirement: &Requirement, text: &str) -> std::result::Result<EncodedEntry, Failure> {
        let sealed = requirement.value("an entry", self.entry(self.size, self.parent, text))?;
        self.take(&sealed);
        Ok(sealed)
    }

    pub(super) fn take(&mut self, sealed: &EncodedEntry) {
        self.size += 1;
        self.parent = Some(sealed.leaf());
    }

    pub(super) fn entry(&self, seq: u64, parent: Option<Digest>, text: &str) -> Result<EncodedEntry> {
        let body =
            Body::Hold(Hold { scope: HoldScope::All, reason: text.parse()?, provenance: author()?, until: None });
        self.seal(seq, parent, body)
    }

    pub(super) fn seal(&self, seq: u64, parent: Option<Digest>, body: Body) -> Result<EncodedEntry> {
        let at = Timestamp::from_unix_ms(1_795_000_000_000);
        Entry { channel: self.channel.clone(), seq, id: Uuid::now_v7(), at, parent, body }.seal()
    }

    /// An entry of exactly `length` bytes (at least a few thousand) for the end of the log: an intent with enough
    /// findings.
    pub(super) fn long(&self, length: usize) -> Result<EncodedEntry> {
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

    pub(super) fn intent(&self, findings: Vec<RecordedFinding>) -> Result<EncodedEntry> {
        let mut intent = entries::intent(&self.channel, self.size, None, Digest::of(b"conformance"))?;
        intent.decision.findings = findings;
        self.seal(self.size, self.parent, Body::Intent(Box::new(intent)))
    }
}

fn author() -> Result<Provenance> {
    Provenance::new("manual", "conformance", "conformance")
}

/// A word that no other run of the requirements uses.
pub(super) fn unique() -> String {
    Uuid::now_v7().simple().to_string()
}
