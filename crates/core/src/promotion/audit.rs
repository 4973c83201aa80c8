//! `audit`: what log and registry say together. It writes nothing.

use futures_util::stream::{self, StreamExt};

use std::sync::Arc;
use std::time::Duration;

use super::machine::{Comparison, LogRead, Waiting, back_off};
use super::{Promoter, Terms};
use crate::error::Result;
use crate::judge::{AuditReport, Audited, Drift, Passage};
use crate::record::ChannelState;
use crate::value::Channel;

/// How many channels, tags or manifests are looked at at once.
pub(super) const AT_ONCE: usize = 16;

impl Promoter {
    /// Compares each channel's live digest with what its tag points at. What could not be looked at is unknown, never in
    /// sync. A channel whose read may be an old answer is looked at again until its reads are settled, side by side with the
    /// others, for three minutes at most; see [`Promoter::audit_within`].
    pub async fn audit(&self, channels: &[Channel]) -> Result<AuditReport> {
        self.audit_within(channels, Some(Terms::TIMEOUT)).await
    }

    /// The same, for `timeout` at most; without a timeout nothing is waited for, and such a channel is *lagging*.
    pub async fn audit_within(&self, channels: &[Channel], timeout: Option<Duration>) -> Result<AuditReport> {
        // Collected first: with the closure inside the stream, the compiler cannot see that the future is Send.
        let looks: Vec<_> = channels.iter().map(|channel| self.audit_one(channel, timeout)).collect();
        let audited: Vec<_> = stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
        Ok(AuditReport::new(self.inner.clock.now(), audited))
    }

    async fn audit_one(&self, channel: &Channel, timeout: Option<Duration>) -> Audited {
        match self.look_at(channel, timeout).await {
            Ok(audited) => audited,
            Err(error) => {
                let empty = ChannelState::empty(channel.clone());
                let drift = Drift::judge(&empty, &Err(error), Passage::Never);
                Audited { channel: channel.clone(), size: 0, drift }
            }
        }
    }

    async fn look_at(&self, channel: &Channel, timeout: Option<Duration>) -> Result<Audited> {
        let begun = self.inner.now();
        let give_up =
            timeout.map(|timeout| begun.saturating_add(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)));
        let mut looks = 0;
        loop {
            let (log, read) = tokio::join!(self.read_log(channel), self.inner.read_tag(channel));
            let log = log?;
            let state = Arc::clone(&log.state);
            let audited = |drift| Ok(Audited { channel: channel.clone(), size: state.size, drift });
            let read = match read {
                Ok(read) => read,
                Err(error) => return audited(Drift::judge(&state, &Err(error), Passage::Never)),
            };
            let observed = read.value;
            let now = self.inner.now();
            let expected = match log.compare(&read) {
                Comparison::Same => return audited(Drift::judge(&state, &Ok(observed), Passage::Live)),
                Comparison::Differs { live } => live,
                Comparison::Lags { live: expected } => match give_up {
                    None => return audited(Drift::Lagging { expected, observed }),
                    Some(give_up) if now >= give_up => return audited(Drift::Unsettled { expected, observed }),
                    Some(give_up) => {
                        let until = log.settled_at(&read, now).min(give_up);
                        self.inner.watch(channel, Waiting::Settle { until }, None, now);
                        tokio::time::sleep(Duration::from_millis(back_off(looks).min(until - now).max(1))).await;
                        looks += 1;
                        continue;
                    }
                },
            };
            // *foreign*: the log's head, read once more after the tag, has not moved.
            if self.read_log(channel).await?.state.size != state.size {
                continue;
            }
            let here = match observed {
                Some(digest) if self.inner.has_unexplained_pin(channel, &digest).await.unwrap_or(false) => {
                    return audited(Drift::LedgerBehind { expected, observed: digest });
                }
                Some(digest) => match self.inner.journal(channel).lock().await.made_live(&digest).await? {
                    Some(_) => Passage::Earlier,
                    None => Passage::Never,
                },
                None => Passage::Never,
            };
            return audited(Drift::judge(&state, &Ok(observed), here));
        }
    }

    async fn read_log(&self, channel: &Channel) -> Result<LogRead> {
        let state = self.inner.journal(channel).lock().await.refresh().await?;
        let first_read = self.inner.first_read(channel, state.size);
        let settle_ms = self.inner.times.deadlines_for(channel.repository().registry()).settle_ms;
        Ok(LogRead { state, replay: None, held: false, first_read, settle_ms })
    }
}
