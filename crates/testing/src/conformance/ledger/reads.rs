//! The requirements of reads.

use std::time::Instant;

use super::case::unique;
use super::{LedgerHarness, Log, Requirement};
use crate::conformance::TestResult;
use tagwarden::Channel;
use tagwarden::log::MAX_ENTRY;

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
        let now = Instant::now();
        for ledger in [&one, &other] {
            requirement.holds(ledger.as_ref(), &log.channel, &written).await?;
            let since = requirement.value("size_since", ledger.size_since(&log.channel, now).await)?;
            requirement.that(since == log.size, || {
                format!("size_since a moment after {} appends to {} is {since}", log.size, log.channel)
            })?;
        }
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
