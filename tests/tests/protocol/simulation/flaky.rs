//! `Flaky`: a ledger with random faults.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tagwarden::ledger::{Appended, Ledger, MemoryLedger};
use tagwarden::{Channel, Error, ErrorKind, Result};
use tagwarden_tests::random::Random;

/// A ledger that loses answers, sometimes does not answer, and is slow. A stored entry is never lost.
#[derive(Debug)]
pub(super) struct Flaky {
    pub(super) inner: Arc<MemoryLedger>,
    pub(super) random: Mutex<Random>,
    /// The percentage of calls that meet a fault.
    pub(super) percent: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    Unavailable,
    /// Appends: nothing was stored, and the caller does not know that.
    LostBefore,
    /// Appends: the entry was stored, and the caller does not know that.
    LostAfter,
    /// Appends: the caller gets no result. The entry is stored after this time if the position is still free.
    Late(Duration),
}

impl Flaky {
    /// The delay of the request, the fault, and the delay of the answer.
    fn draw(&self) -> (Duration, Trouble, Duration) {
        let mut random = self.random.lock().unwrap();
        let trouble = match random.below(100) < self.percent {
            false => Trouble::None,
            true => match random.below(5) {
                0 => Trouble::Unavailable,
                1 => Trouble::LostBefore,
                2 | 3 => Trouble::LostAfter,
                _ => Trouble::Late(random.ms(20_000)),
            },
        };
        let most = if random.one_in(50) { 5_000 } else { 20 };
        (random.ms(most), trouble, random.ms(most))
    }

    async fn read_through<T>(&self, read: impl Future<Output = Result<T>>) -> Result<T> {
        let (there, trouble, back) = self.draw();
        tokio::time::sleep(there).await;
        let answer = read.await;
        tokio::time::sleep(back).await;
        match trouble {
            Trouble::Unavailable => Err(Error::new(ErrorKind::LedgerUnavailable, "the ledger gave no answer")),
            _ => answer,
        }
    }
}

#[async_trait]
impl Ledger for Flaky {
    async fn size(&self, channel: &Channel) -> Result<u64> {
        self.inner.size(channel).await
    }

    async fn read(&self, channel: &Channel, from: u64, limit: usize) -> Result<Vec<Bytes>> {
        self.read_through(self.inner.read(channel, from, limit)).await
    }

    async fn append(&self, channel: &Channel, seq: u64, bytes: Bytes) -> Result<Appended> {
        let (there, trouble, back) = self.draw();
        let lost = || Err(Error::new(ErrorKind::LedgerAmbiguous, "the answer to the append was lost"));
        tokio::time::sleep(there).await;
        match trouble {
            Trouble::None => {
                let answer = self.inner.append(channel, seq, bytes).await;
                tokio::time::sleep(back).await;
                answer
            }
            Trouble::Unavailable => Err(Error::new(ErrorKind::LedgerUnavailable, "the ledger gave no answer")),
            Trouble::LostBefore => lost(),
            Trouble::LostAfter => {
                self.inner.append(channel, seq, bytes).await?;
                tokio::time::sleep(back).await;
                lost()
            }
            Trouble::Late(later) => {
                let (inner, channel) = (Arc::clone(&self.inner), channel.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(later).await;
                    drop(inner.append(&channel, seq, bytes).await);
                });
                tokio::time::sleep(back).await;
                lost()
            }
        }
    }

    async fn channels(&self) -> Result<Vec<Channel>> {
        self.inner.channels().await
    }
}
