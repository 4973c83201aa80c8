//! A ledger with random faults.

use std::sync::Arc;

use tagwarden::ledger::{Ledger, MemoryLedger};
use tagwarden::{Error, ErrorKind};
use tagwarden_testing::{Fault, FaultyLedger, LedgerCall};
use tagwarden_tests::random::Random;
use tokio::time::sleep;

/// A ledger over `memory` that loses answers, sometimes does not answer, and is slow. A stored entry is never lost. Of
/// the reads and appends, `percent` meet a fault.
pub(super) fn flaky(memory: &Arc<MemoryLedger>, mut random: Random, percent: u64) -> Arc<FaultyLedger> {
    let ledger = FaultyLedger::over(memory.clone());
    let memory = Arc::clone(memory);
    ledger.rule(move |call| match call {
        LedgerCall::Read { .. } | LedgerCall::Append { .. } => {
            let fault = if random.below(100) < percent { draw(call, &memory, &mut random) } else { Fault::pass() };
            let most = if random.one_in(50) { 5_000 } else { 20 };
            let (there, back) = (random.ms(most), random.ms(most));
            Some(fault.first(async move { sleep(there).await }).then(async move { sleep(back).await }))
        }
        LedgerCall::Size { .. } | LedgerCall::Channels => None,
    });
    Arc::new(ledger)
}

fn draw(call: &LedgerCall, memory: &Arc<MemoryLedger>, random: &mut Random) -> Fault {
    let lost = || Error::new(ErrorKind::LedgerAmbiguous, "the answer to the append was lost");
    match (random.below(5), call.clone()) {
        (0, _) => Fault::before(Error::new(ErrorKind::LedgerUnavailable, "the ledger gave no answer")),
        (1, LedgerCall::Append { .. }) => Fault::before(lost()),
        (2 | 3, LedgerCall::Append { .. }) => Fault::after(lost()),
        // The entry is stored later if the position is still free then.
        (4, LedgerCall::Append { channel, seq, bytes }) => {
            let (memory, later) = (Arc::clone(memory), random.ms(20_000));
            let lands = async move {
                sleep(later).await;
                drop(memory.append(&channel, seq, bytes).await);
            };
            Fault::before(lost()).then(async { drop(tokio::spawn(lands)) })
        }
        _ => Fault::pass(),
    }
}
