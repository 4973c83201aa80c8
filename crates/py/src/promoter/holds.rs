//! Holds and blocks.

use pyo3::prelude::*;
use tagwarden::log::{Block, Hold, Unblock, Unhold};
use tagwarden_bind::args::parse;

use super::{AsyncPromoter, Blocked, Deferred, Inner, Promoter, deferred, methods};
use crate::args::{Number, Release, Text};
use crate::error::Raises;
use crate::host::{Count, List, Time};
use crate::provenance::Provenance;
use crate::records::{ActiveHold, BlockResult, BlockedOn, HeldChannel, HoldScope};
use crate::run::Awaited;
use crate::value::Channel;

methods! {
    /// Stops moves of the channel. Returns the hold's id, its position in the log; ``unhold`` ends that hold.
    ///
    /// - ``reason``: the reason, one line of 1 to 1,024 characters.
    /// - ``provenance``: who asks; it is written into the log.
    /// - ``scope``: ``promotions`` (the default) stops promote and bootstrap, while rollback, repair and adopt pass;
    ///   ``all`` stops every move.
    /// - ``until``: when it ends by itself, an aware datetime; never by default.
    ///
    /// InvalidValueError VALUE_INVALID if ``until`` is not in the future; ChannelError CHANNEL_ABSENT if the ledger has
    /// no log of the channel and the registry has no such tag (an unreachable registry does not prevent a hold);
    /// LedgerError as ``promote``.
    #[pyo3(signature = (channel, *, reason, provenance, scope = None, until = None))]
    fn hold(
        channel: Channel,
        reason: Text,
        provenance: Provenance,
        scope: Option<HoldScope>,
        until: Option<Time>
    ) -> Count {
        let (scope, reason) = (scope.map_or_else(Default::default, Into::into), parse("reason", &reason.0)?);
        let hold = Hold { scope, reason, provenance: provenance.given()?, until: until.map(|Time(until)| until) };
        Ok(deferred(async move |inner: Inner| inner.core.hold(&channel.0, hold).await))
    }

    /// Stops moves of every environment of the pipeline, also of those without a log. Returns the hold's id on each
    /// channel, in their order.
    ///
    /// ``reason``, ``provenance``, ``scope`` and ``until`` as in ``hold``. InvalidValueError CONFIG_INVALID without a
    /// pipeline. If a channel cannot be held, the others are, and the LedgerError says which.
    #[pyo3(signature = (*, reason, provenance, scope = None, until = None))]
    fn hold_pipeline(
        reason: Text,
        provenance: Provenance,
        scope: Option<HoldScope>,
        until: Option<Time>
    ) -> List<HeldChannel> {
        let (scope, reason) = (scope.map_or_else(Default::default, Into::into), parse("reason", &reason.0)?);
        let hold = Hold { scope, reason, provenance: provenance.given()?, until: until.map(|Time(until)| until) };
        Ok(deferred(async move |inner: Inner| inner.core.hold_pipeline(hold).await))
    }

    /// Ends one hold; the others stay. Returns the position of the new entry in the log.
    ///
    /// - ``hold``: the id that ``hold`` returned, and that ``holds`` lists.
    /// - ``reason`` and ``provenance``: as in ``hold``.
    ///
    /// InvalidValueError VALUE_INVALID if no such hold is in force: the message names those that are. LedgerError as
    /// ``promote``.
    #[pyo3(signature = (channel, hold, *, reason, provenance))]
    fn unhold(channel: Channel, hold: Number, reason: Text, provenance: Provenance) -> Count {
        let (hold, reason) = (hold.get("hold")?, parse("reason", &reason.0)?);
        let unhold = Unhold { hold, reason, provenance: provenance.given()? };
        Ok(deferred(async move |inner: Inner| inner.core.unhold(&channel.0, unhold).await))
    }

    /// Ends every hold of one person: those of the same provider and actor. Returns the ids of these holds.
    ///
    /// ``reason`` and ``provenance`` as in ``hold``; LedgerError as ``promote``.
    #[pyo3(signature = (channel, *, reason, provenance))]
    fn unhold_mine(channel: Channel, reason: Text, provenance: Provenance) -> List<Count> {
        let (reason, provenance) = (parse("reason", &reason.0)?, provenance.given()?);
        Ok(deferred(async move |inner: Inner| inner.core.unhold_mine(&channel.0, reason, provenance).await))
    }

    /// The holds in force now, the oldest first. LedgerError.
    fn holds(channel: Channel) -> List<ActiveHold> {
        Ok(deferred(async move |inner: Inner| inner.core.holds(&channel.0).await))
    }

    /// Declares a release unfit: no promotion, rollback or repair goes to it, here and in every later environment. If
    /// the digest is blocked in that log already, nothing is recorded, and the result says ``already``.
    ///
    /// - ``release``: as ``source`` of ``promote``. A tag names what was promoted under it; VALUE_INVALID if it moved since.
    /// - ``reason`` and ``provenance``: as in ``hold``.
    /// - ``only``: the channel from which on it counts; by default that of the pipeline's first environment.
    /// - ``url``: a page with more information. None by default.
    ///
    /// InvalidValueError CONFIG_INVALID without ``only`` and without a pipeline; RegistryError REGISTRY_ABSENT for a tag
    /// that does not exist; ChannelError RELEASE_UNKNOWN if the record has no such release, CHANNEL_ABSENT as in
    /// ``hold``; LedgerError as ``promote``.
    #[pyo3(signature = (release, *, reason, provenance, only = None, url = None))]
    fn block(
        release: Release,
        reason: Text,
        provenance: Provenance,
        only: Option<Channel>,
        url: Option<Text>
    ) -> BlockResult {
        let (reason, provenance) = (parse("reason", &reason.0)?, provenance.given()?);
        let url = url.map(|Text(url)| parse("url", &url)).transpose()?;
        Ok(deferred(async move |inner: Inner| {
            let only = only.map(|Channel(only)| only);
            let (channel, digest) = inner.core.block_target(only.as_ref(), &release.0).await?;
            let result = inner.core.block(&channel, Block { digest, reason, provenance, url }).await?;
            Ok((channel, digest, result))
        }))
    }

    /// Ends the block of a release in the log that has it. Returns the position of the new entry.
    ///
    /// The arguments are those of ``block``. InvalidValueError VALUE_INVALID if that log does not block it: the message
    /// names the channels whose logs do, for ``only``.
    #[pyo3(signature = (release, *, reason, provenance, only = None))]
    fn unblock(release: Release, reason: Text, provenance: Provenance, only: Option<Channel>) -> Count {
        let (reason, provenance) = (parse("reason", &reason.0)?, provenance.given()?);
        Ok(deferred(async move |inner: Inner| {
            let only = only.map(|Channel(only)| only);
            let (channel, digest) = inner.core.unblock_target(only.as_ref(), &release.0).await?;
            inner.core.unblock(&channel, Unblock { digest, reason, provenance }).await
        }))
    }

    /// The blocks in force on the channel: those of its own log, and of every earlier environment. LedgerError.
    fn blocks(channel: Channel) -> List<BlockedOn> {
        Ok(deferred(async move |inner: Inner| inner.core.blocks(&channel.0).await))
    }
}
