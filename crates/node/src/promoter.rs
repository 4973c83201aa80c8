//! `Promoter`.

use std::future::Future;

use napi::bindgen_prelude::{ToNapiValue, Unknown};
use napi_derive::napi;
use tagwarden::log::{Block, Unblock, Unhold};
use tagwarden::promotion::{self, RecoveryMode};
use tagwarden::{Channel, Digest, Repository, Result};
use tagwarden_bind::convert::{FromCore, to};
use tagwarden_bind::foreign::Guardrails;

use crate::args::{Options, class, options_of};
use crate::backend::{ledger_port, registry_port};
use crate::call::{Abort, Failure, Promise, constructed, run, sync};
use crate::config::own_config;
use crate::given::{Many, Millis, Release, Source, Text, When, Whole};
use crate::guardrail::own_guardrails;
use crate::host::{Count, List, Nullable};
use crate::plan::{ApprovedPlan, Plan};
use crate::records::{
    ActiveHold, AuditReport, BlockResult, BlockedOn, ChannelStatus, HeldChannel, HistoryPage, LiveAt, LogReport,
    MayDelete, Receipt, RecoveryResult, ReleaseDiff, RetentionPlan,
};
use crate::terms::{
    AuditOptions, BlockOptions, BootstrapOptions, DiffOptions, HistoryOptions, HoldOptions, MoveOptions, Operation,
    PromoteOptions, PromoterOptions, Reasoned, RecoverOptions, RetentionOptions, RollbackOptions, UnblockOptions,
    bootstrap,
};

/// The most moves on a page of history, if no number is given.
const PAGE: Whole = Whole(64);

/// Moves channels, and reports their state and history. Every call is safe from many tasks, processes and machines at
/// once: the ledger puts the moves of a channel in order. Every failure is a TagwardenError; an argument of a type that no
/// argument has is a TypeError.
#[napi]
#[derive(Clone)]
pub struct Promoter {
    core: promotion::Promoter,
    guardrails: Guardrails,
}

impl Promoter {
    /// Starts a call.
    fn ask<T, V, F>(&self, abort: Option<Abort>, ask: impl FnOnce(promotion::Promoter) -> F) -> Promise<V>
    where
        F: Future<Output = Result<T>> + Send + 'static,
        V: FromCore<T> + ToNapiValue + Send + 'static,
    {
        let asked = ask(self.core.clone());
        run(abort, async move { Ok(to(asked.await?)) })
    }

    /// Starts a move.
    fn make(
        &self,
        channel: Text<Channel>,
        abort: Option<Abort>,
        operation: promotion::Operation,
        terms: promotion::MoveOptions,
    ) -> Promise<Receipt> {
        let promoter = self.clone();
        run(abort, async move { promoter.receipt(promoter.core.run(&channel, operation, terms).await) })
    }

    fn receipt(&self, receipt: Result<tagwarden::Receipt>) -> std::result::Result<Receipt, Failure> {
        Ok(to(receipt.map_err(|error| self.guardrails.blame(error))?))
    }
}

#[napi]
impl Promoter {
    /// A promoter over any registry and any ledger.
    #[napi(constructor, catch_unwind)]
    pub fn new(
        #[napi(ts_arg_type = "Registry")] registry: Unknown<'_>,
        #[napi(ts_arg_type = "Ledger")] ledger: Unknown<'_>,
        #[napi(ts_arg_type = "PromoterOptions")] options: Option<Unknown<'_>>,
    ) -> napi::Result<Promoter> {
        let (registry, ledger) = (registry_port(registry)?, ledger_port(ledger)?);
        let guardrails = options.as_ref().map(own_guardrails).transpose()?.unwrap_or_default();
        let config = options.as_ref().map(own_config).transpose()?.flatten();
        let given: PromoterOptions = options_of("Promoter", options)?;
        let builder = given.builder(config, &guardrails).map(|builder| builder.registry(registry).ledger(ledger));
        let core = constructed("Promoter", builder.and_then(promotion::PromoterBuilder::build))?;
        Ok(Promoter { core, guardrails })
    }

    /// Plans a move and evaluates the policy. Nothing is moved.
    #[napi(catch_unwind)]
    pub fn plan(
        &self,
        channel: Text<Channel>,
        operation: Operation,
        options: Options<MoveOptions>,
    ) -> napi::Result<Promise<Plan>> {
        let promoter = self.clone();
        let (operation, order) = sync(operation.core())?;
        let terms = options.rest.terms(order);
        Ok(run(options.abort, async move {
            let plan = promoter.core.plan(&channel, operation, terms).await;
            Ok(Plan::of(plan.map_err(|error| promoter.guardrails.blame(error))?, promoter.guardrails))
        }))
    }

    /// Executes an approved plan, once. CHANNEL_CHANGED if the channel has moved since, unless the terms say to requeue.
    #[napi(catch_unwind)]
    pub fn execute(
        &self,
        #[napi(ts_arg_type = "ApprovedPlan")] approved: Unknown<'_>,
        options: Option<Options>,
    ) -> napi::Result<Promise<Receipt>> {
        let promoter = self.clone();
        let approved = class::<ApprovedPlan>(&approved, "execute takes what Plan.approve returned")?.core.take();
        Ok(run(
            options.unwrap_or_default().abort,
            async move { promoter.receipt(promoter.core.execute(approved?).await) },
        ))
    }

    /// Points the channel at a release: plans, evaluates the policy, and executes.
    #[napi(catch_unwind)]
    pub fn promote(
        &self,
        channel: Text<Channel>,
        #[napi(ts_arg_type = "Release")] source: Source,
        mut options: Options<PromoteOptions>,
    ) -> Promise<Receipt> {
        let Source(Release(source)) = source;
        let order = options.rest.order.take();
        self.make(channel, options.abort, promotion::Operation::Promote(source), options.rest.terms(order))
    }

    /// Points it back at the digest that was live before, or at `to`, which must have been live here.
    #[napi(catch_unwind)]
    pub fn rollback(&self, channel: Text<Channel>, mut options: Options<RollbackOptions>) -> Promise<Receipt> {
        let target = options.rest.to.take().map(|Release(target)| target);
        self.make(channel, options.abort, promotion::Operation::Rollback(target), options.rest.terms(None))
    }

    /// Records the channel's first state in the log.
    #[napi(catch_unwind)]
    pub fn bootstrap(&self, channel: Text<Channel>, mut options: Options<BootstrapOptions>) -> Promise<Receipt> {
        let operation = bootstrap(options.rest.source.take(), options.rest.predecessor.take());
        let order = options.rest.order.take();
        self.make(channel, options.abort, operation, options.rest.terms(order))
    }

    /// Puts the live digest back after a write around the ledger.
    #[napi(catch_unwind)]
    pub fn repair(&self, channel: Text<Channel>, options: Options<MoveOptions>) -> Promise<Receipt> {
        self.make(channel, options.abort, promotion::Operation::Repair, options.rest.terms(None))
    }

    /// Makes the tag's digest live, after a write around the ledger.
    #[napi(catch_unwind)]
    pub fn adopt(
        &self,
        channel: Text<Channel>,
        #[napi(ts_arg_type = "Options<MoveOptions & { reason: string }>")] options: Options<MoveOptions>,
    ) -> Promise<Receipt> {
        self.make(channel, options.abort, promotion::Operation::Adopt, options.rest.terms(None))
    }

    /// Closes the open move, if there is one: waits until it may be taken over, and completes it, or, with `abort`, closes
    /// it without a put.
    #[napi(catch_unwind)]
    pub fn recover(&self, channel: Text<Channel>, options: Options<RecoverOptions>) -> Promise<RecoveryResult> {
        let RecoverOptions { provenance, abort, timeout_ms } = options.rest;
        let mode = if abort == Some(true) { RecoveryMode::Abort } else { RecoveryMode::RollForward };
        let timeout = timeout_ms.map_or(promotion::MoveOptions::TIMEOUT, |Millis(timeout)| timeout);
        self.ask(options.abort, |promoter| async move { promoter.recover(&channel, mode, provenance, timeout).await })
    }

    /// Stops moves of the channel, until the hold is ended or until `until`. Returns the hold's id, its position in the
    /// log. CHANNEL_ABSENT if the ledger has no log of the channel and the registry has no such tag; an unreachable
    /// registry does not prevent a hold.
    #[napi(catch_unwind)]
    pub fn hold(&self, channel: Text<Channel>, options: Options<HoldOptions>) -> Promise<Count> {
        self.ask(options.abort, |promoter| async move { promoter.hold(&channel, options.rest.core()).await })
    }

    /// Stops moves of every environment of the pipeline, also of those without a log. Returns the hold's id on each
    /// channel, in their order. CONFIG_INVALID without a pipeline. If a channel cannot be held, the others are, and the
    /// error says which.
    #[napi(catch_unwind)]
    pub fn hold_pipeline(&self, options: Options<HoldOptions>) -> Promise<List<HeldChannel>> {
        self.ask(options.abort, |promoter| async move { promoter.hold_pipeline(options.rest.core()).await })
    }

    /// Ends one hold; the others stay. Returns the position of the new entry. VALUE_INVALID if no such hold is in force.
    #[napi(catch_unwind)]
    pub fn unhold(&self, channel: Text<Channel>, hold: Whole, options: Options<Reasoned>) -> Promise<Count> {
        let Reasoned { reason, provenance } = options.rest;
        let unhold = Unhold { hold: hold.0, reason, provenance };
        self.ask(options.abort, |promoter| async move { promoter.unhold(&channel, unhold).await })
    }

    /// Ends every hold of one person: those of the same provider and actor. Returns the ids of these holds.
    #[napi(catch_unwind)]
    pub fn unhold_mine(&self, channel: Text<Channel>, options: Options<Reasoned>) -> Promise<List<Count>> {
        let Reasoned { reason, provenance } = options.rest;
        self.ask(options.abort, |promoter| async move { promoter.unhold_mine(&channel, reason, provenance).await })
    }

    /// The holds in force now, the oldest first.
    #[napi(catch_unwind)]
    pub fn holds(&self, channel: Text<Channel>, options: Option<Options>) -> Promise<List<ActiveHold>> {
        self.ask(options.unwrap_or_default().abort, |promoter| async move { promoter.holds(&channel).await })
    }

    /// Declares a release unfit: no promotion, rollback or repair goes to it, here and in every later environment. A
    /// tag names what was promoted under it; VALUE_INVALID if it moved since. If the digest is blocked in that log
    /// already, nothing is recorded, and the result says `already`. CONFIG_INVALID without `only` and without a
    /// pipeline; REGISTRY_ABSENT for a tag that does not exist; RELEASE_UNKNOWN if the record has no such release;
    /// CHANNEL_ABSENT as in `hold`.
    #[napi(catch_unwind)]
    pub fn block(&self, release: Release, options: Options<BlockOptions>) -> Promise<BlockResult> {
        let BlockOptions { reason, provenance, only, url } = options.rest;
        self.ask(options.abort, |promoter| async move {
            let (channel, digest) = promoter.block_target(only.as_deref(), &release.0).await?;
            let result = promoter.block(&channel, Block { digest, reason, provenance, url }).await?;
            Ok((channel, digest, result))
        })
    }

    /// Ends the block of a release in the log that has it. Returns the position of the new entry. VALUE_INVALID if that
    /// log does not block it: the message names the channels whose logs do, for `only`.
    #[napi(catch_unwind)]
    pub fn unblock(&self, release: Release, options: Options<UnblockOptions>) -> Promise<Count> {
        let UnblockOptions { reason, provenance, only } = options.rest;
        self.ask(options.abort, |promoter| async move {
            let (channel, digest) = promoter.unblock_target(only.as_deref(), &release.0).await?;
            promoter.unblock(&channel, Unblock { digest, reason, provenance }).await
        })
    }

    /// The blocks in force on the channel: those of its own log, and of every earlier environment.
    #[napi(catch_unwind)]
    pub fn blocks(&self, channel: Text<Channel>, options: Option<Options>) -> Promise<List<BlockedOn>> {
        self.ask(options.unwrap_or_default().abort, |promoter| async move { promoter.blocks(&channel).await })
    }

    /// Compares two releases: revisions, the moves between them, platforms, layers, and the files of Flux artifacts. A
    /// release that is gone from the registry is compared by what its move recorded; `notes` says what is not known.
    /// RELEASE_UNKNOWN if neither the registry nor the record has it.
    #[napi(catch_unwind)]
    pub fn diff(&self, old: Release, newer: Release, options: Option<Options<DiffOptions>>) -> Promise<ReleaseDiff> {
        let Options { rest, abort } = options.unwrap_or_default();
        self.ask(abort, |promoter| async move { promoter.diff(&old.0, &newer.0, &rest.core()).await })
    }

    /// Every channel that the ledger has a log of.
    #[napi(catch_unwind)]
    pub fn channels(&self, options: Option<Options>) -> Promise<List<String>> {
        self.ask(options.unwrap_or_default().abort, |promoter| async move { promoter.channels().await })
    }

    /// The channel's state by its log: live and previous digest, the last committed move, the open move, the holds in force.
    #[napi(catch_unwind)]
    pub fn current(&self, channel: Text<Channel>, options: Option<Options>) -> Promise<ChannelStatus> {
        self.ask(options.unwrap_or_default().abort, |promoter| async move { promoter.current(&channel).await })
    }

    /// The digest that was live before the last move that changed it; null if there is none.
    #[napi(catch_unwind)]
    pub fn previous(&self, channel: Text<Channel>, options: Option<Options>) -> Promise<Nullable<String>> {
        self.ask(options.unwrap_or_default().abort, |promoter| async move { promoter.previous(&channel).await })
    }

    /// Some moves, newest first, and the `before` of the next page. `history` iterates over all pages.
    #[napi(catch_unwind)]
    pub fn history_page(
        &self,
        channel: Text<Channel>,
        options: Option<Options<HistoryOptions>>,
    ) -> Promise<HistoryPage> {
        let Options { rest: HistoryOptions { before, limit }, abort } = options.unwrap_or_default();
        let (before, limit) = (before.map(|Whole(before)| before), limit.unwrap_or(PAGE).size());
        self.ask(abort, |promoter| async move { promoter.history_page(&channel, before, limit).await })
    }

    /// The channel's state at that time: its live move, open move and drift; null before it was bootstrapped.
    #[napi(catch_unwind)]
    pub fn at(&self, channel: Text<Channel>, at: When, options: Option<Options>) -> Promise<Nullable<LiveAt>> {
        self.ask(options.unwrap_or_default().abort, |promoter| async move { promoter.at(&channel, at.0).await })
    }

    /// Compares each channel's live digest with its tag's digest. A channel that could not be read is `unknown`.
    #[napi(catch_unwind)]
    pub fn audit(&self, channels: Many<Text<Channel>>, options: Option<Options<AuditOptions>>) -> Promise<AuditReport> {
        let Options { rest, abort } = options.unwrap_or_default();
        let channels: Vec<_> = channels.into_iter().map(|Text(channel)| channel).collect();
        self.ask(abort, |promoter| async move { promoter.audit_with(&channels, rest.core()).await })
    }

    /// Checks a channel's whole log, from its first byte.
    #[napi(catch_unwind)]
    pub fn verify(&self, channel: Text<Channel>, options: Option<Options>) -> Promise<LogReport> {
        self.ask(options.unwrap_or_default().abort, |promoter| async move { promoter.verify(&channel).await })
    }

    /// The digests of a repository that must stay and those that may go, each with its reason. Nothing is deleted.
    #[napi(catch_unwind)]
    pub fn retention_plan(
        &self,
        repository: Text<Repository>,
        options: Option<Options<RetentionOptions>>,
    ) -> napi::Result<Promise<RetentionPlan>> {
        let Options { rest, abort } = options.unwrap_or_default();
        let rule = sync(rest.core())?;
        Ok(self.ask(abort, |promoter| async move { promoter.retention_plan(&repository, &rule).await }))
    }

    /// The permission to delete a digest now, with the reason.
    #[napi(catch_unwind)]
    pub fn may_delete(
        &self,
        repository: Text<Repository>,
        digest: Text<Digest>,
        options: Option<Options<RetentionOptions>>,
    ) -> napi::Result<Promise<MayDelete>> {
        let Options { rest, abort } = options.unwrap_or_default();
        let rule = sync(rest.core())?;
        Ok(self.ask(abort, |promoter| async move { promoter.may_delete(&repository, &rule, &digest).await }))
    }
}
