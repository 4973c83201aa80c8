//! Questions about channels, logs and releases. None of them moves a channel.

use pyo3::prelude::*;
use tagwarden::MoveOptions;
use tagwarden::promotion::{AuditLooks, AuditOptions, DiffOptions};

use super::{AsyncPromoter, Blocked, Deferred, Inner, Promoter, deferred, methods};
use crate::args::{Number, Release, Seconds, duration, number};
use crate::error::Raises;
use crate::host::{List, Time};
use crate::records::{
    AuditReport, ChannelStatus, HistoryPage, LiveAt, LogReport, MayDelete, ReleaseDiff, RetentionPlan,
};
use crate::run::Awaited;
use crate::settings::RetentionRule;
use crate::value::{Channel, Digest, Repository};

methods! {
    /// Every channel that the ledger has a log of, in their order. LedgerError.
    fn channels() -> List<Channel> {
        Ok(deferred(async move |inner: Inner| inner.core.channels().await))
    }

    /// The channel's state by its log; no registry is asked. LedgerError.
    ///
    /// A channel without a log has size 0 and no live digest, which is no error.
    fn current(channel: Channel) -> ChannelStatus {
        Ok(deferred(async move |inner: Inner| inner.core.current(&channel.0).await))
    }

    /// The digest that was live before the last move that changed it, or None. LedgerError.
    fn previous(channel: Channel) -> Option<Digest> {
        Ok(deferred(async move |inner: Inner| inner.core.previous(&channel.0).await))
    }

    /// A page of the moves of a channel, newest first. ``history`` iterates over all of them.
    ///
    /// - ``before``: a position in the log: only moves with the intent at a lower one. The newest by default.
    /// - ``limit``: at most so many moves; at least 1, and 0 counts as 1. 64 by default.
    ///
    /// LedgerError.
    #[pyo3(signature = (channel, *, before = None, limit = None))]
    fn history_page(channel: Channel, before: Option<Number>, limit: Option<Number>) -> HistoryPage {
        let (before, limit) = (number("before", before)?, number("limit", limit)?.unwrap_or(PAGE));
        Ok(deferred(async move |inner: Inner| inner.core.history_page(&channel.0, before, limit).await))
    }

    /// The move that was live ``at`` a time (an aware datetime), by the clocks of the log's writers.
    ///
    /// ``open`` is the move that was open then, and ``drift`` the drift that had been seen. None if the channel was not
    /// bootstrapped yet. LedgerError.
    fn at(channel: Channel, at: Time) -> Option<LiveAt> {
        Ok(deferred(async move |inner: Inner| inner.core.at(&channel.0, at.0).await))
    }

    /// Compares two releases: revisions, the moves between them, platforms, layers, and the files of Flux artifacts.
    ///
    /// - ``old`` and ``new``: as ``source`` of ``promote``.
    /// - ``channel``: the channel that words, and steps without a name such as ``~1``, are about. By default the one that
    ///   ``new`` or ``old`` names; words are then of the repository of the pipeline's first channel.
    /// - ``unified``: True for the unified diff of each file; False by default.
    /// - ``timeout``: how long to read what the releases have in them, in seconds or as a timedelta; 30 s by default.
    ///
    /// A release that is gone from the registry is compared by what its move recorded; ``notes`` says what is not known.
    /// ChannelError RELEASE_UNKNOWN if neither the registry nor the record has it; RegistryError and LedgerError as
    /// ``promote``.
    #[pyo3(signature = (old, new, *, channel = None, unified = false, timeout = None))]
    fn diff(
        old: Release,
        new: Release,
        channel: Option<Channel>,
        unified: bool,
        timeout: Option<Seconds>
    ) -> ReleaseDiff {
        let timeout = duration("timeout", timeout)?.unwrap_or(DiffOptions::default().timeout);
        let options = DiffOptions { channel: channel.map(|Channel(channel)| channel), unified, timeout };
        Ok(deferred(async move |inner: Inner| inner.core.diff(&old.0, &new.0, &options).await))
    }

    /// Compares each tag's digest with the live digest of its log. It writes nothing.
    ///
    /// - ``channels``: several, such as those of ``Promoter.channels``. TypeError for a single one.
    /// - ``settle``: True (the default) reads a tag again while the registry may answer an older value, until its reads
    ///   are settled; False reports ``lagging`` at once.
    /// - ``timeout``: how long to read again at most, in seconds or as a timedelta; 180 s by default. After that, such
    ///   a channel is ``unsettled``.
    /// - ``parts``: True also checks the parts of each live digest: its manifests, configs and layers. A missing part
    ///   is a warning among the ``findings`` of its channel, and does not change its state. False (the default) reads
    ///   only the tags, one request for each.
    ///
    /// A channel that could not be read is ``unknown`` in the report, never in sync, and no error.
    #[pyo3(signature = (channels, *, settle = true, timeout = None, parts = false))]
    fn audit(channels: List<Channel>, settle: bool, timeout: Option<Seconds>, parts: bool) -> AuditReport {
        let timeout = duration("timeout", timeout)?.unwrap_or(MoveOptions::TIMEOUT);
        let looks = if parts { AuditLooks::TagAndParts } else { AuditLooks::Tag };
        let options = AuditOptions::default().timeout(settle.then_some(timeout)).looks(looks);
        let channels: Vec<_> = channels.0.into_iter().map(|Channel(channel)| channel).collect();
        Ok(deferred(async move |inner: Inner| inner.core.audit_with(&channels, options).await))
    }

    /// Checks every entry of a log, from its first byte. A broken rule is in the report, and no error.
    ///
    /// LedgerError if the log cannot be read.
    fn verify(channel: Channel) -> LogReport {
        Ok(deferred(async move |inner: Inner| inner.core.verify(&channel.0).await))
    }

    /// The digests of a repository that must stay and those that may go, each with its reason. Nothing is deleted.
    ///
    /// - ``repository``: ``registry/path``; the logs of all its channels and all its tags are read.
    /// - ``rule``: how far back its channels can be rolled back, see ``RetentionRule``; 10 digests and 30 days by
    ///   default.
    ///
    /// If a log or a tag cannot be read, ``blocked`` names it and everything is kept. LedgerError if the channels
    /// cannot be listed.
    #[pyo3(signature = (repository, *, rule = None))]
    fn retention_plan(repository: Repository, rule: Option<RetentionRule>) -> RetentionPlan {
        let rule = RetentionRule::core(rule)?;
        Ok(deferred(async move |inner: Inner| inner.core.retention_plan(&repository.0, &rule).await))
    }

    /// The permission to delete ``digest`` now, with the reason. It writes nothing.
    ///
    /// Ask twice, some time apart: a move that is just beginning pins its target before its log names it.
    ///
    /// ``repository``, ``rule`` and the errors as in ``retention_plan``.
    #[pyo3(signature = (repository, digest, *, rule = None))]
    fn may_delete(repository: Repository, digest: Digest, rule: Option<RetentionRule>) -> MayDelete {
        let rule = RetentionRule::core(rule)?;
        Ok(deferred(async move |inner: Inner| inner.core.may_delete(&repository.0, &rule, &digest.0).await))
    }
}

/// The number of moves of a page.
const PAGE: usize = 64;
