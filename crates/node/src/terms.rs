//! The options of a promoter and of its calls.

use serde::Deserialize;
use serde::de::IgnoredAny;
use tagwarden::config::Config;
use tagwarden::log::{self, Predecessor};
use tagwarden::promotion::{self, AuditLooks, PromoterBuilder};
use tagwarden::{Channel, Environment, IdempotencyKey, Line, Pipeline, Provenance, Result, retention};
use tagwarden_bind::args::{TimesArgs, rule, wrong};
use tagwarden_bind::foreign::Guardrails;
use tagwarden_bind::settings::PromoterArgs;

use crate::args::in_camel_case;
use crate::given::{Expected, Many, Millis, OrderText, Release, Text, When, Whole};
use crate::records::{HoldScope, OnConflict, Op};

/// The options of a move, with options of its own before them.
macro_rules! move_options {
    ($(#[$about:meta])* pub struct $name:ident { $($own:tt)* }) => {
        options! {
            $(#[$about])*
            pub struct $name {
                $($own)*
                /// The pipeline run and the actor.
                #[serde(deserialize_with = "crate::provenance::read")]
                pub provenance: Provenance,
                /// The same request with the same key moves the channel once. A random one by default.
                pub idempotency_key: Option<Text<IdempotencyKey>>,
                /// The reason, for the log. `adopt` needs it.
                pub reason: Option<Line>,
                /// The required digest of the channel before the move: `any` (the default), `absent`, or this one.
                pub expected: Option<Expected>,
                /// Names of guardrails whose refusal is ignored; they are recorded with the move, which needs a reason.
                /// `forward-only` is allowed in a promotion, `not-rolled-back` in a promotion and a bootstrap,
                /// `parts-present` in a rollback and a repair (the registry does not have all of the target),
                /// `ledger-complete` in a bootstrap and a repair (another ledger seems to govern the repository).
                #[napi(js_name = "override")]
                #[serde(rename = "override")]
                pub overrides: Option<Many<Line>>,
                /// How to treat another move that comes first: wait and continue only if the live digest is still the
                /// same (the default), wait and evaluate the policy again, or give up at once.
                pub on_conflict: Option<OnConflict>,
                /// How long to wait for other moves, in milliseconds. 180,000 by default.
                pub timeout_ms: Option<Millis>,
            }
        }

        impl $name {
            /// The core's terms of the move, with the release's value in the order of releases.
            pub fn terms(self, order: Option<OrderText>) -> promotion::MoveOptions {
                let mut terms = promotion::MoveOptions::new(self.provenance);
                terms.idempotency_key = self.idempotency_key.map(|Text(key)| key);
                terms.reason = self.reason;
                terms.expected = self.expected.map_or(terms.expected, |Text(expected)| expected);
                terms.overrides = self.overrides.into_iter().flatten().collect();
                terms.on_conflict = self.on_conflict.map_or(terms.on_conflict, Into::into);
                terms.timeout = self.timeout_ms.map_or(terms.timeout, |Millis(timeout)| timeout);
                terms.order = order.map(|OrderText(order)| order);
                terms
            }
        }
    };
}

move_options! {
    /// The author and the terms of a move.
    pub struct MoveOptions {}
}

move_options! {
    /// The options of a promotion.
    pub struct PromoteOptions {
        /// The release's value in the order of releases, of the configured kind: a version, an RFC 3339 time or a build
        /// number. By default the first of these: that of the source channel's log, that of the tag or the annotations,
        /// that of the channel's own log. VALUE_INVALID if no order is configured.
        pub order: Option<OrderText>,
    }
}

move_options! {
    /// The options of a rollback.
    pub struct RollbackOptions {
        /// The target, which must have been live on the channel: its digest, its tag or label, or an expression such as
        /// `~2` and `prod#42`. A word is first a release that was promoted here. By default the digest that was live
        /// before.
        pub to: Option<Release>,
    }
}

move_options! {
    /// The options of a bootstrap.
    pub struct BootstrapOptions {
        /// The release that the channel shall point at: its tag must be absent or point there already. By default the
        /// tag's digest.
        pub source: Option<Release>,
        /// The log that the channel's log continues, if its repository was renamed.
        pub predecessor: Option<Predecessor>,
        /// As in a promotion.
        pub order: Option<OrderText>,
    }
}

/// The move to plan. `types.d.ts` describes it.
#[derive(Deserialize)]
pub struct Operation {
    op: Op,
    source: Option<Release>,
    to: Option<Release>,
    predecessor: Option<Predecessor>,
    order: Option<OrderText>,
}

argument!(Operation);

impl Operation {
    /// The core's operation, and the release's value in the order of releases.
    pub fn core(self) -> Result<(promotion::Operation, Option<OrderText>)> {
        let Operation { op, source, to, predecessor, order } = self;
        let operation = match (op, source, to, predecessor) {
            (Op::Promote, Some(Release(source)), None, None) => promotion::Operation::Promote(source),
            (Op::Promote, None, None, None) => return Err(wrong("source", "it is missing")),
            (Op::Rollback, None, to, None) => promotion::Operation::Rollback(to.map(|Release(to)| to)),
            (Op::Bootstrap, source, None, predecessor) => bootstrap(source, predecessor),
            (Op::Repair, None, None, None) => promotion::Operation::Repair,
            (Op::Adopt, None, None, None) => promotion::Operation::Adopt,
            (op, ..) => return Err(wrong("op", format!("{op:?} does not take all of these arguments"))),
        };
        Ok((operation, order))
    }
}

/// A bootstrap.
pub fn bootstrap(source: Option<Release>, predecessor: Option<Predecessor>) -> promotion::Operation {
    let source = source.map(|Release(source)| source);
    promotion::BootstrapOptions { source, predecessor }.into()
}

options! {
    /// How a recovery closes the open move.
    pub struct RecoverOptions {
        /// The actor and the pipeline run; they are recorded if the move is taken over.
        #[serde(deserialize_with = "crate::provenance::read")]
        pub provenance: Provenance,
        /// True closes the move without a put; false, the default, completes it.
        pub abort: Option<bool>,
        /// How long to wait until the move may be taken over, in milliseconds. 180,000 by default.
        pub timeout_ms: Option<Millis>,
    }
}

options! {
    /// The author and the reason of a request.
    pub struct Reasoned {
        /// The reason, for the log.
        pub reason: Line,
        /// The pipeline run and the actor; they are recorded.
        #[serde(deserialize_with = "crate::provenance::read")]
        pub provenance: Provenance,
    }
}

options! {
    /// A hold.
    pub struct HoldOptions {
        /// The reason, for the log.
        pub reason: Line,
        /// The pipeline run and the actor; they are recorded.
        #[serde(deserialize_with = "crate::provenance::read")]
        pub provenance: Provenance,
        /// `promotions` (the default) stops promote and bootstrap, while rollback, repair and adopt pass; `all` stops
        /// every move.
        pub scope: Option<HoldScope>,
        /// When it ends by itself; never by default.
        pub until: Option<When>,
    }
}

impl HoldOptions {
    pub fn core(self) -> log::Hold {
        let scope = self.scope.map(Into::into).unwrap_or_default();
        let until = self.until.map(|Text(until)| until);
        log::Hold { scope, reason: self.reason, provenance: self.provenance, until }
    }
}

options! {
    /// A block.
    pub struct BlockOptions {
        /// The reason, for the log.
        pub reason: Line,
        /// The pipeline run and the actor; they are recorded.
        #[serde(deserialize_with = "crate::provenance::read")]
        pub provenance: Provenance,
        /// The channel from which on it counts; by default that of the pipeline's first environment.
        pub only: Option<Text<Channel>>,
        /// A page with more information.
        pub url: Option<Line>,
    }
}

options! {
    /// The end of a block.
    pub struct UnblockOptions {
        /// The reason, for the log.
        pub reason: Line,
        /// The pipeline run and the actor; they are recorded.
        #[serde(deserialize_with = "crate::provenance::read")]
        pub provenance: Provenance,
        /// The channel whose log has the block; by default that of the pipeline's first environment.
        pub only: Option<Text<Channel>>,
    }
}

options! {
    /// How two releases are compared.
    #[derive(Default)]
    pub struct DiffOptions {
        /// The channel that words, and steps without a name such as `~1`, are about. By default the one that a release
        /// names; words are then of the repository of the pipeline's first channel.
        pub channel: Option<Text<Channel>>,
        /// True for the unified diff of each file. False by default.
        pub unified: Option<bool>,
        /// How long to read what the releases have in them, in milliseconds. 30,000 by default.
        pub timeout_ms: Option<Millis>,
    }
}

impl DiffOptions {
    pub fn core(self) -> promotion::DiffOptions {
        let default = promotion::DiffOptions::default();
        promotion::DiffOptions {
            channel: self.channel.map(|Text(channel)| channel),
            unified: self.unified.unwrap_or(default.unified),
            timeout: self.timeout_ms.map_or(default.timeout, |Millis(timeout)| timeout),
        }
    }
}

options! {
    /// The part of a history.
    #[derive(Default)]
    pub struct HistoryOptions {
        /// Only the moves whose intent is before this position; all by default.
        pub before: Option<Whole>,
        /// The most moves; 64 by default.
        pub limit: Option<Whole>,
    }
}

options! {
    /// How an audit looks at each channel.
    #[derive(Default)]
    pub struct AuditOptions {
        /// Read again until reads are settled; false reports `lagging` at once. True by default.
        pub settle: Option<bool>,
        /// How long to read again at most, in milliseconds; after that, the channel is `unsettled`. 180,000 by default.
        pub timeout_ms: Option<Millis>,
        /// Also check the parts of each live digest: its manifests, configs and layers. A missing part is a warning among
        /// the `findings` of its channel, and does not change its state. False, the default, reads only the tags.
        pub parts: Option<bool>,
    }
}

impl AuditOptions {
    pub fn core(self) -> promotion::AuditOptions {
        let timeout = self.timeout_ms.map_or(promotion::MoveOptions::TIMEOUT, |Millis(timeout)| timeout);
        let looks = if self.parts == Some(true) { AuditLooks::TagAndParts } else { AuditLooks::Tag };
        promotion::AuditOptions::default().timeout((self.settle != Some(false)).then_some(timeout)).looks(looks)
    }
}

options! {
    /// How far back a channel can be rolled back. A digest inside either window is kept.
    pub struct RetentionRule {
        /// Digests kept for rollback on each channel, the live one included. At least 1; 10 by default.
        pub keep_last: Option<u32>,
        /// How long a digest is kept after it stopped being live, in milliseconds. 30 days by default.
        pub keep_for_ms: Option<Millis>,
    }
}

options! {
    /// The rule of a retention plan.
    #[derive(Default)]
    pub struct RetentionOptions {
        /// The rule; its defaults by default.
        pub rule: Option<RetentionRule>,
    }
}

impl RetentionOptions {
    pub fn core(self) -> Result<retention::RetentionRule> {
        let (last, keep_for) = self.rule.map_or((None, None), |rule| (rule.keep_last, rule.keep_for_ms));
        rule(last, keep_for.map(|Millis(keep_for)| keep_for)).map_err(in_camel_case)
    }
}

options! {
    /// An environment of a pipeline, and its channel.
    pub struct Stage {
        /// Its name.
        pub environment: Text<Environment>,
        /// Its channel.
        pub channel: Text<Channel>,
    }
}

options! {
    /// Times that a promoter writes into the log, and the timeout of one put, in milliseconds: each from 1 to 3,600,000.
    pub struct Times {
        /// After this a worker sends no put. 60,000 by default.
        pub ttl_ms: Option<Millis>,
        /// How long after `ttlMs` another worker may take the move over. 30,000 by default.
        pub grace_ms: Option<Millis>,
        /// How long a put whose answer was lost may still land. 30,000 by default.
        pub quiet_ms: Option<Millis>,
        /// The timeout of one put: shorter than `ttlMs`, not longer than `graceMs` and `quietMs`. 15,000 by default.
        pub put_ms: Option<Millis>,
        /// How long after a write a read of the tag may answer an older value; not shorter than `quietMs`. 30,000 by
        /// default, 600,000 for ghcr.io, 120,000 for *.azurecr.io.
        pub settle_ms: Option<Millis>,
    }
}

options! {
    /// The options of a promoter.
    #[derive(Default)]
    pub struct PromoterOptions {
        /// The order of environments that releases go through.
        pub pipeline: Option<Many<Stage>>,
        /// Its times.
        pub times: Option<Times>,
        /// Rules of your own, which run after the built-in ones.
        #[napi(ts_type = "readonly Guardrail[]")]
        #[expect(dead_code, reason = "they are functions, which are read from the object")]
        pub guardrails: Option<IgnoredAny>,
        /// The name of the policy, written into the log with each move. By default `standard`, and the names of your own
        /// rules, with `+` between them.
        pub policy: Option<String>,
        /// A `tagwarden.toml`. The promoter has the policy of the `channel`'s environment and its step after a rollback,
        /// and the file's pipeline, order of releases and settle times. VALUE_INVALID without a `channel`, and beside a
        /// `pipeline`.
        #[napi(ts_type = "Config")]
        #[expect(dead_code, reason = "it is of a class, which is read from the object")]
        pub config: Option<IgnoredAny>,
        /// The channel that the promoter moves; only with a `config`, which needs it.
        pub channel: Option<Text<Channel>>,
    }
}

impl PromoterOptions {
    /// The promoter with these options, to be built with a registry and a ledger.
    pub fn builder(self, config: Option<Config>, guardrails: &Guardrails) -> Result<PromoterBuilder> {
        let stage = |Stage { environment: Text(environment), channel: Text(channel) }| tagwarden::Stage {
            environment,
            channel,
        };
        let pipeline = self.pipeline.map(|stages| Pipeline::new(stages.into_iter().map(stage).collect()));
        let args = PromoterArgs {
            config,
            channel: self.channel.map(|Text(channel)| channel),
            pipeline: pipeline.transpose()?,
            times: self.times.map(Times::args),
            policy: self.policy,
        };
        args.builder(guardrails)
    }
}

impl Times {
    fn args(self) -> TimesArgs {
        let Times { ttl_ms, grace_ms, quiet_ms, put_ms, settle_ms } = self;
        let [ttl, grace, quiet, put, settle] =
            [ttl_ms, grace_ms, quiet_ms, put_ms, settle_ms].map(|ms| ms.map(|Millis(time)| time));
        TimesArgs { ttl, grace, quiet, put, settle }
    }
}
