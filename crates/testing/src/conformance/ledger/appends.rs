//! The requirements of an append.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{LedgerHarness, Requirement};
use crate::conformance::TestResult;
use tagwarden::ledger::Appended;

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
