//! `Policy`: a list of guardrails, with their judgement of a move.

use std::any::Any;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::facts::Facts;
use super::guardrail::{ExpectedState, Finding, Guardrail, NoHold, PromotionOrder, ProvenanceComplete, TargetReadable};
use super::parts::PartsPresent;
use super::refusal::Refusal;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Decision, RecordedFinding, RecordedPolicy, Verdict};
use crate::value::{Channel, Digest, Line, Pipeline, Timestamp};

/// A list of guardrails. All of them judge every move, in their order; one refusal refuses it.
#[derive(Clone, Debug)]
pub struct Policy {
    name: Line,
    guardrails: Vec<Arc<dyn Guardrail>>,
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
        Ok(Policy { name, guardrails, pipeline: None })
    }

    /// The six built-in guardrails: provenance complete, target readable, parts present, expected state, no hold,
    /// promotion order.
    pub fn standard() -> Policy {
        Policy {
            name: Line::lossy("standard"),
            guardrails: vec![
                Arc::new(ProvenanceComplete),
                Arc::new(TargetReadable),
                Arc::new(PartsPresent),
                Arc::new(ExpectedState),
                Arc::new(NoHold),
                Arc::new(PromotionOrder),
            ],
            pipeline: None,
        }
    }

    /// With one more guardrail, after the others. The name stays, the policy's digest changes. CONFIG_INVALID if a
    /// guardrail of this name is in the policy already.
    pub fn with(mut self, guardrail: impl Guardrail + 'static) -> Result<Policy> {
        self.guardrails.push(Arc::new(guardrail));
        Ok(Policy::new(self.name, self.guardrails)?.with_pipeline(self.pipeline))
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

    /// The policy as canonical JSON: the guardrails with their settings, and the environments of the pipeline in their
    /// order: `{"guardrails":[{"name":…,"settings":…},…],"name":…,"pipeline":[{"channel":…,"environment":…},…]}`, with
    /// sorted keys and no space; a field that is not set is left out. Another order of the guardrails is another
    /// policy.
    pub fn text(&self) -> String {
        let guardrails = self.guardrails.iter().map(|guardrail| match guardrail.settings() {
            Value::Null => json!({ "name": guardrail.name() }),
            settings => json!({ "name": guardrail.name(), "settings": settings }),
        });
        let mut policy = json!({ "guardrails": guardrails.collect::<Value>(), "name": self.name });
        if let (Some(pipeline), Some(fields)) = (&self.pipeline, policy.as_object_mut()) {
            fields.insert("pipeline".to_owned(), json!(pipeline));
        }
        // Settings that have no canonical form (a fraction) use their plain JSON text.
        let canonical = crate::log::canonical(&policy).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        canonical.unwrap_or_else(|| policy.to_string())
    }

    /// The policy as the log names it: its name, and the SHA-256 of its [text](Policy::text).
    pub fn note(&self) -> RecordedPolicy {
        RecordedPolicy { name: self.name.clone(), digest: Digest::of(self.text().as_bytes()) }
    }

    /// Runs every guardrail. A guardrail that panics refuses (GUARDRAIL_FAILED): a move that cannot be judged does not
    /// pass. If the log declares another policy binding, the judgement also has the refusal POLICY_MISMATCH, by the
    /// guardrail `policy`.
    pub fn judge(&self, facts: &Facts) -> PolicyEvaluation {
        let policy = self.note();
        let mut findings: Vec<_> = self.guardrails.iter().map(|guardrail| judged(&**guardrail, facts)).collect();
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

/// The judgement of a policy about one move.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PolicyEvaluation {
    /// The channel that was to move.
    pub channel: Channel,
    /// The policy that judged.
    pub policy: RecordedPolicy,
    /// The time of the judgement.
    pub at: Timestamp,
    /// The finding of each guardrail, in the policy's order.
    pub findings: Vec<Finding>,
}

impl PolicyEvaluation {
    /// The same judgement, with each refusal of the named guardrails turned into a warning.
    #[must_use]
    pub fn overriding(mut self, names: &BTreeSet<Line>) -> PolicyEvaluation {
        for finding in &mut self.findings {
            if finding.refuses() && names.contains(&finding.guardrail) {
                let why = Line::lossy(format!("{} (overridden)", finding.why));
                *finding = Finding { verdict: Verdict::Warn, retry: None, why, ..finding.clone() };
            }
        }
        self
    }

    /// True if nothing stops the move.
    pub fn passes(&self) -> bool {
        !self.findings.iter().any(Finding::refuses)
    }

    /// The decision for the intent, or the refusal if any finding refuses.
    pub fn decide(self) -> Result<Decision, Refusal> {
        if !self.passes() {
            return Err(Refusal(Box::new(self)));
        }
        let findings = self.findings.into_iter().map(RecordedFinding::from).collect();
        let (overrides, approvals, checks) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Decision { at: self.at, policy: self.policy, findings, overrides, approvals, checks })
    }
}

#[cfg(test)]
mod tests;
