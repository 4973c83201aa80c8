//! The request of a move: its operation, and its options (`MoveOptions`).

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::machine::{OnConflict, Want};
use super::naming::NamedSource;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Expected, Op, Predecessor, RecordedOverride, canonical};
use crate::policy::{ExpectedDigest, Policy};
use crate::value::{Channel, Digest, IdempotencyKey, Line, Provenance, ReleaseExpression, Repository, Tag};

/// The operation of a move, with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Points the channel at a release: a tag or a digest of its repository, or what is or was live on a channel.
    Promote(ReleaseExpression),
    /// Points the channel back at the digest that was live before, or at the named target, which must have been live
    /// here.
    Rollback(Option<ReleaseExpression>),
    /// Records the channel's first state in the log.
    Bootstrap(BootstrapOptions),
    /// Puts the live digest back.
    Repair,
    /// Accepts the digest that the tag points at as live. The terms must have a reason.
    Adopt,
}

/// The options of a bootstrap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BootstrapOptions {
    /// The release that the channel is to point at: the tag must be absent or point at it already. Without it, the
    /// digest that the tag points at becomes live.
    pub source: Option<ReleaseExpression>,
    /// The log that this one continues, when a repository was renamed.
    pub predecessor: Option<Predecessor>,
}

/// The guardrail that refuses if this ledger lacks moves of the channel. In a bootstrap it refuses if another ledger
/// governs the repository: the repository has pins that no log of this ledger in it explains (LEDGER_FOREIGN).
pub const LEDGER_COMPLETE: &str = "ledger-complete";

/// The options of a move. [`MoveRequest`](super::MoveRequest) sets them by name; a program that gathers them itself
/// fills the fields:
///
/// ```
/// use tagwarden::{MoveOptions, Provenance};
/// # fn main() -> tagwarden::Result<()> {
/// let provenance = Provenance::new("jenkins", "shop/42", "ada")?;
/// let options = MoveOptions { reason: Some("release day".parse()?), ..MoveOptions::new(provenance) };
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct MoveOptions<P = Provenance> {
    /// The pipeline run and the actor.
    pub provenance: P,
    /// The idempotency key: the same request with the same key moves the channel once. A random key by default.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The reason for the move; none by default.
    pub reason: Option<Line>,
    /// The digest that the channel must point at before the move starts; any by default.
    pub expected: ExpectedDigest,
    /// The names of the guardrails whose refusal does not count; none by default. They are recorded with the move, and
    /// need a reason. [`LEDGER_COMPLETE`] can be one in a bootstrap and a repair, a guardrail of the policy in the
    /// operations that its [`info`](crate::policy::Guardrail::info) names or that the policy adds. The policy may limit them.
    pub overrides: BTreeSet<Line>,
    /// The reaction to another move that comes first. By default the move waits, and goes on only if the live digest is
    /// still the same.
    pub on_conflict: OnConflict,
    /// The longest wait for other moves; three minutes by default. With the default times a dead worker's move may be
    /// taken over before that.
    pub timeout: Duration,
    /// The tag that was written beside the source's digest (see [`ReleaseName`](crate::ReleaseName)); by default the one
    /// in the source, if there is one. It is the release's label, unless the provenance has one. The move warns (TARGET_TAG_DIFFERS) if the tag points
    /// at another digest.
    pub tag: Option<Tag>,
    /// The release's value in the order of releases, of the policy's kind ([`Order::value`](crate::policy::Order::value));
    /// only in a promotion and a bootstrap. By default it is that of the source channel's log, else it is read from the
    /// source tag or the annotations of the release.
    pub order: Option<Line>,
}

impl<P> MoveOptions<P> {
    /// The defaults, with this provenance.
    pub fn new(provenance: P) -> MoveOptions<P> {
        MoveOptions {
            provenance,
            idempotency_key: None,
            reason: None,
            expected: ExpectedDigest::Any,
            overrides: BTreeSet::new(),
            on_conflict: OnConflict::Wait,
            timeout: MoveOptions::TIMEOUT,
            tag: None,
            order: None,
        }
    }

    /// The same options with another provenance.
    pub(super) fn with_provenance<Q>(self, provenance: Q) -> MoveOptions<Q> {
        let MoveOptions {
            provenance: _,
            idempotency_key,
            reason,
            expected,
            overrides,
            on_conflict,
            timeout,
            tag,
            order,
        } = self;
        MoveOptions { provenance, idempotency_key, reason, expected, overrides, on_conflict, timeout, tag, order }
    }
}

impl MoveOptions {
    /// The default of `timeout`: three minutes.
    pub const TIMEOUT: Duration = Duration::from_secs(180);

    /// The options, with what a source says: the tag beside its digest, and the release's label if the provenance has
    /// none.
    pub(super) fn of_source(mut self, source: Option<&NamedSource>) -> MoveOptions {
        self.tag = self.tag.take().or_else(|| source?.tag.clone());
        let by_tag = || self.tag.as_ref()?.as_str().parse().ok();
        self.provenance.release = self.provenance.release.take().or_else(by_tag);
        self
    }

    /// The required digest as the log records it; none if any is accepted.
    pub(super) fn recorded_expected(&self) -> Option<Expected> {
        match self.expected {
            ExpectedDigest::Any => None,
            ExpectedDigest::Absent => Some(Expected::Absent),
            ExpectedDigest::At(digest) => Some(Expected::Digest(digest)),
        }
    }

    /// The overrides as the log records them. Without a reason there are none: [`Operation::check`] refused them.
    pub(super) fn override_notes(&self) -> Vec<RecordedOverride> {
        let Some(reason) = &self.reason else { return Vec::new() };
        let note = |guardrail: &Line| RecordedOverride { guardrail: guardrail.clone(), reason: reason.clone() };
        self.overrides.iter().map(note).collect()
    }
}

impl Operation {
    /// The operation's name in the log, without its arguments.
    pub fn op(&self) -> Op {
        match self {
            Operation::Promote(_) => Op::Promote,
            Operation::Rollback(_) => Op::Rollback,
            Operation::Bootstrap(_) => Op::Bootstrap,
            Operation::Repair => Op::Repair,
            Operation::Adopt => Op::Adopt,
        }
    }

    /// The release that a promotion or a bootstrap brings.
    pub(super) fn source(&self) -> Option<&ReleaseExpression> {
        match self {
            Operation::Promote(source) => Some(source),
            Operation::Bootstrap(first) => first.source.as_ref(),
            Operation::Rollback(_) | Operation::Repair | Operation::Adopt => None,
        }
    }

    /// The log that a bootstrap continues.
    pub(super) fn predecessor(&self) -> Option<&Predecessor> {
        let Operation::Bootstrap(first) = self else { return None };
        first.predecessor.as_ref()
    }

    /// The digest that the channel is to point at. `target` is the digest that the source was resolved to.
    pub(super) fn want(&self, target: Option<Digest>) -> Want {
        match (self, target) {
            (_, Some(target)) => Want::Digest(target),
            (Operation::Rollback(_), None) => Want::Previous,
            (Operation::Repair, None) => Want::Live,
            (_, None) => Want::Observed,
        }
    }

    /// The SHA-256 of the request's canonical form: the operation, the channel and the arguments as they were given,
    /// not as they were resolved. The provenance and the reason are not part of it: a job that is run again has another
    /// attempt.
    pub(super) fn request(
        &self,
        channel: &Channel,
        source: Option<&NamedSource>,
        terms: &MoveOptions,
    ) -> Result<Digest> {
        let source = source.map(|named| match &named.past {
            Some((channel, step, _)) => json!({ "past": format!("{channel}{step}") }),
            None => json!(named.source),
        });
        let to = if let Operation::Rollback(to) = self { to.as_ref() } else { None };
        let mut request = json!({
            "op": self.op(),
            "channel": channel,
            "source": source,
            "to": to,
            "expected": terms.recorded_expected(),
            "override": (!terms.overrides.is_empty()).then_some(&terms.overrides),
            "order": terms.order,
            "predecessor": self.predecessor(),
        });
        // An argument that was not given is no part of the request.
        if let Some(arguments) = request.as_object_mut() {
            arguments.retain(|_, value| !value.is_null());
        }
        Ok(Digest::of(&canonical(&request)?))
    }

    /// VALUE_INVALID if a reason is needed and there is none, if a guardrail cannot be overridden here, if the order's
    /// value is invalid or not expected, or if the source is of another repository.
    pub(super) fn check(
        &self,
        channel: &Channel,
        source: Option<&NamedSource>,
        terms: &MoveOptions,
        policy: &Policy,
    ) -> Result<()> {
        let overridable = overridable(policy);
        let can_be = |name: &Line| {
            let mut known = overridable.iter();
            known.any(|(guardrail, ops)| *guardrail == name.as_str() && ops.contains(&self.op()))
        };
        if let Some(name) = terms.overrides.iter().find(|name| !can_be(name)) {
            let (op, can) = (self.op().as_str(), said(&overridable));
            let message = format!("override: {name} cannot be overridden in a {op}; {can}");
            return Err(Error::new(ErrorKind::ValueInvalid, message).with_context("channel", channel));
        }
        let needs_reason = match self {
            Operation::Adopt => Some("adopt"),
            _ if !terms.overrides.is_empty() => Some("an override"),
            _ => None,
        };
        if let (Some(what), None) = (needs_reason, &terms.reason) {
            return Err(Error::new(ErrorKind::ValueInvalid, format!("{what} needs a reason")));
        }
        let brings = matches!(self, Operation::Promote(_) | Operation::Bootstrap(_));
        if terms.given_place(policy.order())?.is_some() && !brings {
            let message =
                format!("order: a {} brings no release; it copies the value that the log has", self.op().as_str());
            return Err(Error::new(ErrorKind::ValueInvalid, message).with_context("channel", channel));
        }
        source.map_or(Ok(()), |named| stays_in(channel, named.source.repository()))
    }
}

/// VALUE_INVALID if a release of the repository is not one of the channel's.
pub(super) fn stays_in(channel: &Channel, repository: &Repository) -> Result<()> {
    if repository == channel.repository() {
        return Ok(());
    }
    let message = format!(
        "the source is in {repository} and the channel in {}: a move stays in one repository; copy the release there \
         first",
        channel.repository()
    );
    Err(Error::new(ErrorKind::ValueInvalid, message).with_context("channel", channel))
}

/// The guardrails that can be overridden, each with the operations in which it can.
fn overridable(policy: &Policy) -> Vec<(&str, Vec<Op>)> {
    let ledger = (LEDGER_COMPLETE, vec![Op::Bootstrap, Op::Repair]);
    let guardrails = policy.guardrails().iter().map(|guardrail| (guardrail.name(), policy.overridable(&**guardrail)));
    [ledger].into_iter().chain(guardrails).filter(|(_, ops)| !ops.is_empty()).collect()
}

/// `ledger-complete can, in a bootstrap or a repair, and parts-present in a rollback or a repair`
fn said(overridable: &[(&str, Vec<Op>)]) -> String {
    let mut text = String::new();
    for (at, (guardrail, ops)) in overridable.iter().enumerate() {
        let ops: Vec<_> = ops.iter().map(|op| format!("a {}", op.as_str())).collect();
        text.push_str(match at {
            0 => "",
            _ if at + 1 == overridable.len() => ", and ",
            _ => ", ",
        });
        let can = if at == 0 { " can," } else { "" };
        text.push_str(&format!("{guardrail}{can} in {}", ops.join(" or ")));
    }
    text
}
