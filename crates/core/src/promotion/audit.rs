//! `audit`: compares each channel's log with the registry. It writes nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};

use super::facts::passage;
use super::machine::{LogRead, WaitReason, back_off};
use super::parts::{AT_ONCE, Depth, Preflight};
use super::promoter::Promoter;
use super::request::MoveOptions;
use super::times::ms;
use crate::drift::{AuditReport, ChannelAudit, Drift};
use crate::error::{ErrorKind, Result};
use crate::log::ChannelState;
use crate::policy::{Finding, LiveHistory, NotBlocked, PartsPresent};
use crate::value::{Channel, Digest, Line, joined};

/// The options of an audit. By default it waits for reads to settle, for three minutes at most, and looks at the tag
/// alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditOptions {
    /// The longest time for which a channel whose read may be an old answer is read again; then it is *unsettled*. With
    /// `None` the audit does not wait, and such a channel is *lagging*. Three minutes by default.
    pub timeout: Option<Duration>,
    /// The objects that are looked at; the tag alone by default.
    pub looks: AuditLooks,
}

/// The objects that an audit looks at, for each channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuditLooks {
    /// The tag: one request for a channel that does not lag.
    #[default]
    Tag,
    /// The tag and, if it is in sync or lagging, all parts of the live digest: its manifest, and each manifest, config
    /// and layer that is named there. A part that is missing, or could not be looked at, is a warning; it does not
    /// change the state.
    TagAndParts,
}

impl Default for AuditOptions {
    fn default() -> AuditOptions {
        AuditOptions { timeout: Some(MoveOptions::TIMEOUT), looks: AuditLooks::default() }
    }
}

impl AuditOptions {
    /// With another timeout, or none.
    #[must_use]
    pub fn timeout(self, timeout: Option<Duration>) -> AuditOptions {
        AuditOptions { timeout, ..self }
    }

    /// With other objects to look at.
    #[must_use]
    pub fn looks(self, looks: AuditLooks) -> AuditOptions {
        AuditOptions { looks, ..self }
    }
}

impl Promoter {
    /// Compares each channel's live digest with the digest that its tag points at. A channel that could not be read is
    /// unknown, never in sync. A channel whose read may be an old answer is read again until its reads are settled, at
    /// the same time as the others; see [`Promoter::audit_with`].
    ///
    /// CONFIG_INVALID if a login or another setting of this machine cannot be used: that says nothing about a channel.
    pub async fn audit(&self, channels: &[Channel]) -> Result<AuditReport> {
        self.audit_with(channels, AuditOptions::default()).await
    }

    /// Like [`Promoter::audit`], with options.
    pub async fn audit_with(&self, channels: &[Channel], options: AuditOptions) -> Result<AuditReport> {
        // Collected first: with the closure inside the stream, the compiler cannot see that the future is Send.
        let once = &self.once();
        let looks: Vec<_> = channels.iter().map(|channel| once.clone().audit_one(channel, options)).collect();
        let audited: Vec<_> = stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
        Ok(AuditReport::new(self.inner.clock.now(), audited.into_iter().collect::<Result<_>>()?))
    }

    async fn audit_one(mut self, channel: &Channel, options: AuditOptions) -> Result<ChannelAudit> {
        let compared = async {
            let compared = self.compared(channel, options.timeout).await?;
            self.judged(compared).await
        };
        let mut audited = match compared.await {
            Ok(audited) => audited,
            Err(error) if error.kind() == ErrorKind::ConfigInvalid => return Err(error),
            Err(error) => {
                let empty = ChannelState::empty(channel.clone());
                ChannelAudit::new(channel.clone(), 0, Drift::judge(&empty, &Err(error), LiveHistory::Never))
            }
        };
        if let (
            AuditLooks::TagAndParts,
            Drift::InSync { live } | Drift::BlockedAndLive { live, .. } | Drift::Lagging { expected: live, .. },
        ) = (options.looks, &audited.drift)
        {
            let (registry, repository, depth) = (&*self.inner.registry, channel.repository(), Depth::Everything);
            let parts = Preflight { registry, repository, depth }.parts_of(*live).await;
            audited.findings.extend(PartsPresent::warning(live, &parts.missing, &parts.unknown));
        }
        Ok(audited)
    }

    /// The state of a channel. If a move may be open that the log does not have, it is *possibly open* instead of *in
    /// sync*, *lagging* or *never recorded*.
    async fn compared(&mut self, channel: &Channel, timeout: Option<Duration>) -> Result<ChannelAudit> {
        let mut audited = self.look_at(channel, timeout).await?;
        let observed = match audited.drift {
            Drift::InSync { live } => Some(live),
            Drift::Lagging { observed, .. } | Drift::NeverRecorded { observed } => observed,
            _ => return Ok(audited),
        };
        if let Some(doubt) = self.inner.journal(channel).lock().await.possibly_open().await? {
            audited.drift = Drift::PossiblyOpen { seq: doubt.seq, target: doubt.target, observed };
        }
        Ok(audited)
    }

    /// The state, with the blocks of the live digest: it is *blocked and live* instead of *in sync* or *lagging*, and a
    /// warning where the tag points elsewhere. Without them, a warning where the tag points at a blocked digest.
    async fn judged(&self, mut audited: ChannelAudit) -> Result<ChannelAudit> {
        let (live, is_there, observed) = match audited.drift {
            Drift::InSync { live } | Drift::Lagging { expected: live, .. } => (live, true, None),
            Drift::MovedOutside { expected, observed } | Drift::MovedBack { expected, observed } => {
                (expected, false, Some(observed))
            }
            Drift::Missing { expected } => (expected, false, None),
            _ => return Ok(audited),
        };
        let blocks = self.inner.blocks_of(&audited.channel, &live).await?;
        if blocks.is_empty() {
            audited.findings.extend(self.observed_blocked(&audited.channel, observed).await?);
            return Ok(audited);
        }
        let instead = self.inner.unblocked(&audited.channel, None).await?;
        match is_there {
            true => {
                audited.drift = Drift::BlockedAndLive { live, why: Line::lossy(joined(&blocks, "; ")), instead };
            }
            false => audited.findings.push(NotBlocked::drifted(&audited.channel, &blocks, instead)),
        }
        Ok(audited)
    }

    /// The warning about a blocked digest that the tag was moved to around the ledger.
    async fn observed_blocked(&self, channel: &Channel, observed: Option<Digest>) -> Result<Option<Finding>> {
        let Some(observed) = observed else { return Ok(None) };
        let blocks = self.inner.blocks_of(channel, &observed).await?;
        if blocks.is_empty() {
            return Ok(None);
        }
        Ok(Some(NotBlocked::observed(channel, &blocks, self.inner.unblocked(channel, None).await?)))
    }

    async fn look_at(&mut self, channel: &Channel, timeout: Option<Duration>) -> Result<ChannelAudit> {
        let give_up = timeout.map(|timeout| self.inner.now().saturating_add(ms(timeout)));
        let mut looks = 0;
        loop {
            // A log that cannot be read ends the audit at once, also beside a registry that does not answer.
            let read = async { Ok(self.inner.read_tag(channel).await) };
            let (log, read) = tokio::try_join!(self.read_log(channel), read)?;
            let audited = |drift| Ok(ChannelAudit::new(channel.clone(), log.state.size, drift));
            let read = match read {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::ConfigInvalid => return Err(error),
                Err(error) => return audited(Drift::judge(&log.state, &Err(error), LiveHistory::Never)),
            };
            let (observed, now) = (read.value, self.inner.now());
            let Some(expected) = log.differs(&read) else {
                return audited(Drift::judge(&log.state, &Ok(observed), LiveHistory::Live));
            };
            if log.is_unsettled(&read) {
                let Some(give_up) = give_up else { return audited(Drift::Lagging { expected, observed }) };
                if now >= give_up {
                    return audited(Drift::Unsettled { expected, observed });
                }
                let until = log.settled_at(&read, now).min(give_up);
                self.inner.watch(channel, WaitReason::Settle, until, None);
                tokio::time::sleep(Duration::from_millis(back_off(looks).min(until - now).max(1))).await;
                looks += 1;
                *self = self.since(Instant::now());
                continue;
            }
            // *foreign*: the log's head, read once more after the tag, has not moved.
            *self = self.since(Instant::now());
            if self.read_log(channel).await?.state.size != log.state.size {
                continue;
            }
            let here = match observed {
                Some(digest) if self.inner.has_unexplained_pin(channel, &digest).await.unwrap_or(false) => {
                    return audited(Drift::LedgerBehind { expected, observed: digest });
                }
                Some(digest) => passage(&mut *self.inner.journal(channel).lock().await, &digest).await?,
                None => LiveHistory::Never,
            };
            return audited(Drift::judge(&log.state, &Ok(observed), here));
        }
    }

    async fn read_log(&self, channel: &Channel) -> Result<LogRead> {
        let state = Arc::clone(self.inner.refreshed(channel).await?.state());
        Ok(self.inner.log_read(channel, state))
    }
}
