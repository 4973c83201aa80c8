//! `Policy`: a list of guardrails, with their judgement of a move.

mod ways;

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::blocked::NotBlocked;
use super::facts::Facts;
use super::finding::Finding;
use super::forward::ForwardOnly;
use super::guardrail::{ExpectedState, Guardrail, NoHold, PromotionOrder, ProvenanceComplete, TargetReadable};
use super::mode::{GuardrailUse, Mode};
use super::order::Order;
use super::overrides::OverrideRule;
use super::parts::PartsPresent;
use super::refusal::{PolicyEvaluation, Refusal};
use super::rolled_back::NotRolledBack;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Op, RecordedPolicy};
use crate::value::{ActorName, Channel, Digest, Line, Pipeline, Provenance, Timestamp, joined};

/// A list of guardrails, with a mode for each. All of them judge every move, in their order; one refusal refuses it.
#[derive(Clone, Debug)]
pub struct Policy {
    name: Line,
    guardrails: Vec<Arc<dyn Guardrail>>,
    /// The guardrails that are not used as they are by themselves, by name.
    uses: BTreeMap<String, GuardrailUse>,
    overrides: OverrideRule,
    order: Option<Order>,
    pipeline: Option<Pipeline>,
}

impl Policy {
    /// The policy of these guardrails. CONFIG_INVALID if the list is empty, because such a policy judges nothing; or if
    /// two guardrails have the same name, because a finding must name one guardrail.
    pub fn new(name: Line, guardrails: Vec<Arc<dyn Guardrail>>) -> Result<Policy> {
        let bad = |why: String| Err(Error::new(ErrorKind::ConfigInvalid, format!("policy {name}: {why}")));
        if guardrails.is_empty() {
            return bad("it has no guardrail".to_owned());
        }
        for (at, guardrail) in guardrails.iter().enumerate() {
            if guardrails.iter().take(at).any(|earlier| earlier.name() == guardrail.name()) {
                return bad(format!("{} stands in it twice", guardrail.name()));
            }
        }
        Ok(Policy::of(name, guardrails))
    }

    fn of(name: Line, guardrails: Vec<Arc<dyn Guardrail>>) -> Policy {
        let (uses, overrides) = (BTreeMap::new(), OverrideRule::default());
        Policy { name, guardrails, uses, overrides, order: None, pipeline: None }
    }

    /// The built-in guardrails: provenance complete, target readable, parts present, expected state, no hold, promotion
    /// order, forward only, not rolled back, not blocked.
    pub fn standard() -> Policy {
        let guardrails: Vec<Arc<dyn Guardrail>> = vec![
            Arc::new(ProvenanceComplete),
            Arc::new(TargetReadable),
            Arc::new(PartsPresent),
            Arc::new(ExpectedState),
            Arc::new(NoHold),
            Arc::new(PromotionOrder),
            Arc::new(ForwardOnly),
            Arc::new(NotRolledBack),
            Arc::new(NotBlocked),
        ];
        Policy::of(Line::lossy("standard"), guardrails)
    }

    /// With another name. The policy's digest changes.
    #[must_use]
    pub fn named(self, name: Line) -> Policy {
        Policy { name, ..self }
    }

    /// With one more guardrail, after the others. The name stays, the policy's digest changes. CONFIG_INVALID if a
    /// guardrail of this name is in the policy already.
    pub fn with(mut self, guardrail: impl Guardrail + 'static) -> Result<Policy> {
        self.guardrails.push(Arc::new(guardrail));
        let Policy { guardrails, .. } = Policy::new(self.name.clone(), self.guardrails)?;
        Ok(Policy { guardrails, ..self })
    }

    /// With another mode, or more operations, for one of its guardrails. CONFIG_INVALID if the policy has no such
    /// guardrail, or if the guardrail cannot have the mode.
    pub fn with_use(mut self, guardrail: &str, used: GuardrailUse) -> Result<Policy> {
        let bad = |why: String| Error::new(ErrorKind::ConfigInvalid, format!("policy {}: {why}", self.name));
        let Some(known) = self.guardrails.iter().find(|known| known.name() == guardrail) else {
            return Err(bad(format!("it has no guardrail {guardrail}")));
        };
        if let Some(mode) = used.mode
            && !known.info().modes.contains(&mode)
        {
            return Err(bad(format!("{guardrail} cannot have the mode {}", mode.as_str())));
        }
        self.uses.insert(guardrail.to_owned(), used);
        Ok(self)
    }

    /// With limits on overrides.
    #[must_use]
    pub fn with_overrides(self, overrides: OverrideRule) -> Policy {
        Policy { overrides, ..self }
    }

    /// With the order of releases.
    #[must_use]
    pub fn with_order(self, order: Option<Order>) -> Policy {
        Policy { order, ..self }
    }

    /// With the environments that releases go through. A guardrail judges by them, so they are part of the policy's
    /// text and digest.
    #[must_use]
    pub fn with_pipeline(self, pipeline: Option<Pipeline>) -> Policy {
        Policy { pipeline, ..self }
    }

    /// Its guardrails in order.
    pub fn guardrails(&self) -> &[Arc<dyn Guardrail>] {
        &self.guardrails
    }

    /// The mode of a guardrail: what the policy sets, else the guardrail's own.
    pub fn mode(&self, guardrail: &dyn Guardrail) -> Mode {
        let set = self.uses.get(guardrail.name()).and_then(|used| used.mode);
        set.unwrap_or(guardrail.info().mode)
    }

    /// The operations that a guardrail judges: those that it is meant for, and those that the policy adds.
    pub fn ops(&self, guardrail: &dyn Guardrail) -> Vec<Op> {
        guardrail.info().ops.iter().copied().chain(self.added_ops(guardrail)).collect()
    }

    /// The operations that the policy adds to those that a guardrail is meant for.
    fn added_ops(&self, guardrail: &dyn Guardrail) -> Vec<Op> {
        let (used, meant) = (self.uses.get(guardrail.name()), guardrail.info().ops);
        used.into_iter().flat_map(|used| &used.ops).filter(|op| !meant.contains(op)).copied().collect()
    }

    /// The operations in which a refusal of a guardrail can be overridden by name: its own, and those that the policy
    /// adds to what it judges. None if it cannot be overridden at all.
    pub(crate) fn overridable(&self, guardrail: &dyn Guardrail) -> Vec<Op> {
        match guardrail.info().overridable {
            [] => Vec::new(),
            own => own.iter().copied().chain(self.added_ops(guardrail)).collect(),
        }
    }

    /// The limits on overrides.
    pub fn overrides(&self) -> &OverrideRule {
        &self.overrides
    }

    /// The order of releases; none if the policy does not say.
    pub fn order(&self) -> Option<Order> {
        self.order
    }

    /// The policy as canonical JSON, with sorted keys and no space:
    ///
    /// - `guardrails`: each `{"mode":…,"name":…,"ops":[…],"settings":…}`. The mode `refuse` is left out; `ops` has the
    ///   operations that the policy adds. Another order of the guardrails is another policy.
    /// - `name`
    /// - `order`: `{"by":…,"required":true}`
    /// - `override`: `{"allowed":[…],"by":[…]}`
    /// - `pipeline`: the environments in their order, each `{"channel":…,"environment":…}`
    ///
    /// A field that is not set is left out.
    pub fn text(&self) -> String {
        let guardrails: Vec<_> = self.guardrails.iter().map(|guardrail| self.described(&**guardrail)).collect();
        let mut policy = json!({ "guardrails": guardrails, "name": self.name });
        let pipeline = self.pipeline.as_ref().map(|pipeline| json!(pipeline));
        let overrides = (self.overrides != OverrideRule::default()).then(|| json!(self.overrides));
        let order = self.order.map(|order| json!(order));
        if let Some(fields) = policy.as_object_mut() {
            let set = [("pipeline", pipeline), ("override", overrides), ("order", order)];
            fields.extend(set.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        }
        // Settings that have no canonical form (a fraction) use their plain JSON text.
        let canonical = crate::log::canonical(&policy).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        canonical.unwrap_or_else(|| policy.to_string())
    }

    /// A guardrail in the policy's text.
    fn described(&self, guardrail: &dyn Guardrail) -> Value {
        let mut fields = Map::from_iter([("name".to_owned(), json!(guardrail.name()))]);
        let (settings, mode, ops) = (guardrail.settings(), self.mode(guardrail), self.added_ops(guardrail));
        if !settings.is_null() {
            fields.insert("settings".to_owned(), settings);
        }
        if mode != Mode::Refuse {
            fields.insert("mode".to_owned(), json!(mode));
        }
        if !ops.is_empty() {
            fields.insert("ops".to_owned(), json!(ops));
        }
        Value::Object(fields)
    }

    /// The policy as the log names it: its name, and the SHA-256 of its [text](Policy::text).
    pub fn note(&self) -> RecordedPolicy {
        RecordedPolicy { name: self.name.clone(), digest: Digest::of(self.text().as_bytes()) }
    }

    /// Runs every guardrail, in its mode and for its operations. A guardrail that panics refuses (GUARDRAIL_FAILED): a
    /// move that cannot be judged does not pass. If the log declares another policy binding, the judgement also has the
    /// refusal POLICY_MISMATCH, by the guardrail `policy`.
    pub fn judge(&self, facts: &Facts) -> PolicyEvaluation {
        let policy = self.note();
        let mut findings: Vec<_> = self.guardrails.iter().map(|guardrail| self.finding(&**guardrail, facts)).collect();
        if let Some(binding) = facts.binding_policy.filter(|binding| *binding != policy.digest) {
            let why = format!(
                "the log says that policy {binding} is binding, and this one is {}; this version cannot change that: move \
                 the channel under the binding policy",
                policy.digest
            );
            findings.push(Finding::refuse("policy", "POLICY_MISMATCH", why));
        }
        PolicyEvaluation { channel: facts.channel.clone(), policy, at: facts.at, findings }
    }

    /// The finding of one guardrail. A pass says so if the guardrail did not judge.
    fn finding(&self, guardrail: &dyn Guardrail, facts: &Facts) -> Finding {
        let mode = self.mode(guardrail);
        if mode == Mode::Off {
            return Finding::pass(guardrail.name(), "not judged: the policy turns it off");
        }
        let ops = self.ops(guardrail);
        if !ops.contains(&facts.op) {
            let meant = joined(ops.into_iter().map(Op::as_str), ", ");
            return Finding::pass(guardrail.name(), format!("not judged: it is meant for {meant}"));
        }
        let finding = self.with_ways(judged(guardrail, facts), guardrail, facts);
        match mode {
            Mode::Warn if finding.refuses() && !finding.in_every_mode => finding.into_warning("the policy only warns"),
            _ => finding,
        }
    }

    /// The reason why this actor may not override the guardrail; none if the actor may.
    pub(crate) fn forbids_override(&self, guardrail: &Line, provenance: &Provenance) -> Option<String> {
        self.overrides.forbids(guardrail, &ActorName::of(provenance))
    }

    /// Refuses overrides that the policy does not let this actor make (OVERRIDE_NOT_ALLOWED), one finding for each.
    pub(crate) fn permit_overrides(
        &self,
        channel: &Channel,
        names: &BTreeSet<Line>,
        provenance: &Provenance,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        let refused = |name: &Line| {
            let why = self.forbids_override(name, provenance)?;
            Some(Finding::refuse(name.as_str(), "OVERRIDE_NOT_ALLOWED", why))
        };
        let findings: Vec<_> = names.iter().filter_map(refused).collect();
        match findings.is_empty() {
            true => Ok(()),
            false => {
                let channel = channel.clone();
                Err(Refusal(Box::new(PolicyEvaluation { channel, policy: self.note(), at, findings })))
            }
        }
    }
}

/// The finding of a guardrail, under its name even if the finding names another one. A panic in the guardrail is
/// caught, and refuses.
fn judged(guardrail: &dyn Guardrail, facts: &Facts) -> Finding {
    let name = guardrail.name();
    // Unwind safe: a guardrail cannot change the facts, so a panic leaves only its own state broken.
    let finding = catch_unwind(AssertUnwindSafe(|| guardrail.judge(facts))).unwrap_or_else(|panic| {
        Finding::refuse(name, "GUARDRAIL_FAILED", format!("the guardrail {name} panicked: {}", words(&*panic)))
    });
    Finding { guardrail: Line::lossy(name), ..finding }
}

/// The message of a panic.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it did not say why")
}

#[cfg(test)]
mod tests;
