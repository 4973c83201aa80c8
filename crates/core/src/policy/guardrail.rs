//! `Guardrail`: one rule that judges facts, and the rules that are built in.

use std::fmt;
use std::sync::Arc;

use super::facts::{ExpectedDigest, Facts, LiveHistory, Tagged, Upstream};
use super::finding::Finding;
use super::mode::{GuardrailInfo, Mode};
use crate::log::{Op, Source, UpstreamLog};
use crate::value::{ActorKind, Provenance, joined, or_nothing};

/// One rule that judges facts.
///
/// # Requirements
/// - **Pure.** The same facts give the same finding: no I/O, no clock, no memory of earlier calls.
/// - **One reason, with numbers.** A finding has one line of reason, with names, numbers and units.
/// - **Unknown refuses.** A fact that a rule needs and does not find counts against the move.
pub trait Guardrail: fmt::Debug + Send + Sync {
    /// Its name, in lower case with dashes; unique in a policy.
    fn name(&self) -> &str;

    /// Its settings, as JSON. They are part of the policy's digest. Null, the default, if it has no settings.
    fn settings(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// Its default mode, the operations that it is meant for, and the facts that people read about it. By default it
    /// refuses, judges every operation, and cannot be overridden.
    fn info(&self) -> GuardrailInfo {
        GuardrailInfo::default()
    }

    /// Judges a move.
    fn judge(&self, facts: &Facts) -> Finding;
}

impl<G: Guardrail + ?Sized> Guardrail for Arc<G> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn settings(&self) -> serde_json::Value {
        (**self).settings()
    }

    fn info(&self) -> GuardrailInfo {
        (**self).info()
    }

    fn judge(&self, facts: &Facts) -> Finding {
        (**self).judge(facts)
    }
}

/// The move names its actor and its pipeline run. The types guarantee most of that; this rule records it, and refuses
/// an actor of an unknown kind (PROVENANCE_INCOMPLETE).
#[derive(Clone, Copy, Debug, Default)]
pub struct ProvenanceComplete;

impl Guardrail for ProvenanceComplete {
    fn name(&self) -> &str {
        "provenance-complete"
    }

    fn info(&self) -> GuardrailInfo {
        GuardrailInfo::refusing_if("it is not known whether the actor is a person or a workload")
    }

    fn judge(&self, facts: &Facts) -> Finding {
        let Provenance { pipeline, actor, commit, release, identity, .. } = &facts.provenance;
        let run = format!("run {} of {}", pipeline.run_id, pipeline.provider);
        let kind = match actor.kind {
            ActorKind::Human => "a person",
            ActorKind::Workload => "a workload",
            ActorKind::Other => {
                let why = format!("{run}: it is not known whether {} is a person or a workload", actor.id);
                return Finding::refuse(self.name(), "PROVENANCE_INCOMPLETE", why);
            }
        };
        let verified = if identity.is_some() { "verified" } else { "not verified" };
        let commit = commit.as_ref().map_or("no commit".to_owned(), |commit| format!("commit {commit}"));
        let release = release.as_ref().map_or("no release".to_owned(), |release| format!("release {release}"));
        Finding::pass(self.name(), format!("{run} by {} ({kind}, {verified}), {commit}, {release}", actor.id))
    }
}

/// The target's manifest is in the registry and was read (TARGET_ABSENT). It warns if a tag that was written beside the
/// target's digest points at another digest, or does not exist (TARGET_TAG_DIFFERS).
#[derive(Clone, Copy, Debug, Default)]
pub struct TargetReadable;

impl Guardrail for TargetReadable {
    fn name(&self) -> &str {
        "target-readable"
    }

    fn info(&self) -> GuardrailInfo {
        GuardrailInfo::refusing_if("the target does not exist in the registry")
    }

    fn judge(&self, facts: &Facts) -> Finding {
        let named = match &facts.source {
            Some(Source::Reference(reference)) => reference.to_string(),
            Some(Source::Channel(channel)) => format!("what is live on {channel}"),
            None => "the target".to_owned(),
        };
        let Some(target) = &facts.target else {
            return Finding::refuse(self.name(), "TARGET_ABSENT", format!("{named} does not exist in the registry"));
        };
        let is = format!("{named} is {}, {}, {} bytes", target.digest, target.media_type, target.size);
        let answer = match &facts.tagged {
            Some(Tagged { tag, answered: Some(other) }) if *other != target.digest => {
                format!("{tag} that was named with it points at {other}")
            }
            Some(Tagged { tag, answered: None }) => format!("{tag} that was named with it does not exist"),
            _ => return Finding::pass(self.name(), is),
        };
        Finding::warn(self.name(), "TARGET_TAG_DIFFERS", format!("{is}; the tag {answer}"))
    }
}

/// The channel points at the digest that the caller expects (EXPECTATION_FAILED). It passes if the caller expects none
/// in particular.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExpectedState;

impl Guardrail for ExpectedState {
    fn name(&self) -> &str {
        "expected-state"
    }

    fn info(&self) -> GuardrailInfo {
        GuardrailInfo::refusing_if("the channel does not point at the digest that the caller expects")
    }

    fn judge(&self, facts: &Facts) -> Finding {
        let (wanted, found) = match facts.expected {
            ExpectedDigest::Any => return Finding::pass(self.name(), "no state was expected"),
            ExpectedDigest::Absent => (None, facts.live.or(facts.observed)),
            ExpectedDigest::At(wanted) => (Some(wanted), facts.before()),
        };
        let (channel, want) = (&facts.channel, or_nothing(wanted));
        if found == wanted {
            return Finding::pass(self.name(), format!("{channel} points at {want}, as expected"));
        }
        let why = format!("{channel} should point at {want}, and points at {}", or_nothing(found));
        Finding::refuse(self.name(), "EXPECTATION_FAILED", why)
    }
}

/// No hold in force stops the move (CHANNEL_HELD), by the clock of this machine. A hold stays in force until 5 min
/// after its end. A hold of scope `promotions` lets rollback, repair and adopt pass.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHold;

impl Guardrail for NoHold {
    fn name(&self) -> &str {
        "no-hold"
    }

    fn info(&self) -> GuardrailInfo {
        // A hold also stops a move that has its intent: in another mode the move would begin, and then be aborted.
        GuardrailInfo { modes: &[Mode::Refuse], ..GuardrailInfo::refusing_if("a hold in force covers the move") }
    }

    fn judge(&self, facts: &Facts) -> Finding {
        if facts.holds.is_empty() {
            let (op, channel) = (facts.op.as_str(), &facts.channel);
            return Finding::pass(self.name(), format!("no hold on {channel} stops a {op} at {}", facts.at));
        }
        let holds = joined(facts.holds.iter().map(|hold| hold.said_at(facts.at)), "; ");
        Finding::refuse(self.name(), "CHANNEL_HELD", holds).later()
    }
}

/// A release goes through the environments of the pipeline in their order (STAGE_SKIPPED).
///
/// - A promotion's target must have been live in the environment before; so must that of the first promotion of a new
///   channel, which is a bootstrap that makes the tag. If it is not live there now, the finding is a warning
///   (STAGE_SUPERSEDED): that environment may have a newer release, or may have been rolled back.
/// - A rollback's target must have been live here, or in the environment before.
/// - A repair, and a bootstrap that takes the tag as it is, pass.
/// - An adoption passes. If its digest was never live in the environment before, the finding is a warning
///   (STAGE_SKIPPED).
#[derive(Clone, Copy, Debug, Default)]
pub struct PromotionOrder;

impl Guardrail for PromotionOrder {
    fn name(&self) -> &str {
        "promotion-order"
    }

    fn info(&self) -> GuardrailInfo {
        GuardrailInfo::refusing_if("the target was never live in the environment before")
    }

    fn judge(&self, facts: &Facts) -> Finding {
        let pass = |why: String| Finding::pass(self.name(), why);
        let before = match (facts.op, &facts.upstream) {
            (Op::Repair, _) => return pass("a repair puts back what was judged before".to_owned()),
            (Op::Bootstrap, _) if !facts.promotes() => {
                return pass("a bootstrap takes the tag as it is, whatever it is".to_owned());
            }
            (Op::Rollback, _) if facts.here != LiveHistory::Never => {
                return pass(format!("it was live on {} before", facts.channel));
            }
            (_, None) => return pass(format!("no environment comes before {}", facts.channel)),
            (_, Some(before)) => before,
        };
        let Upstream { log: UpstreamLog { environment, channel, .. }, live, passage } = before;
        let Some(target) = facts.target.as_ref().map(|target| target.digest) else {
            let why = format!("there is no target that could have been live in {environment} first");
            return Finding::refuse(self.name(), "STAGE_SKIPPED", why);
        };
        let now = or_nothing(*live);
        match (passage, facts.op) {
            (LiveHistory::Live, _) => pass(format!("{target} is live in {environment} ({channel})")),
            (LiveHistory::Earlier, _) => {
                let why = format!("{target} was live in {environment} ({channel}) earlier; {now} is live there now");
                Finding::warn(self.name(), "STAGE_SUPERSEDED", why)
            }
            (LiveHistory::Never, Op::Adopt) => {
                let why = format!("{target} is there already, but was never live in {environment} ({channel})");
                Finding::warn(self.name(), "STAGE_SKIPPED", why)
            }
            (LiveHistory::Never, _) => {
                let why = format!("{target} was never live in {environment} ({channel}); {now} is live there now");
                Finding::refuse(self.name(), "STAGE_SKIPPED", why)
            }
        }
    }
}

#[cfg(test)]
mod tests;
