//! `Policy`: a list of guardrails, with their judgement of a move and the text of a refusal.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::facts::Facts;
use super::guardrail::{ExpectedState, Finding, Guardrail, NoHold, PromotionOrder, ProvenanceComplete, TargetReadable};
use super::parts::PartsPresent;
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::log::{ActiveHold, Decision, RecordedFinding, RecordedPolicy, Verdict};
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

/// A policy's refusal of a move: a decision, not a failure. Nothing was written.
///
/// As an [`Error`] it is POLICY_REFUSED. The same move may pass later if every finding that refuses says so
/// ([`Finding::later`]). [`Error::source_as`] returns the refusal with every finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Refusal(Box<PolicyEvaluation>);

impl Refusal {
    /// The refusal by a hold that was recorded after the policy had judged.
    pub(crate) fn held(channel: Channel, policy: RecordedPolicy, at: Timestamp, hold: &ActiveHold) -> Refusal {
        let finding = Finding::refuse(NoHold.name(), "CHANNEL_HELD", hold.said_at(at)).later();
        Refusal(Box::new(PolicyEvaluation { channel, policy, at, findings: vec![finding] }))
    }

    /// The channel that was to move.
    pub fn channel(&self) -> &Channel {
        &self.0.channel
    }

    /// The finding of each guardrail, passes included, in the policy's order.
    pub fn findings(&self) -> &[Finding] {
        &self.0.findings
    }

    /// The findings that refuse: at least one.
    pub fn refusals(&self) -> impl Iterator<Item = &Finding> {
        self.findings().iter().filter(|finding| finding.refuses())
    }
}

impl fmt::Display for Refusal {
    /// `<channel>: refused by 1 of 5 guardrails: no-hold: held by …`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused = self.refusals().count();
        let noun = if self.findings().len() == 1 { "guardrail" } else { "guardrails" };
        write!(f, "{}: refused by {refused} of {} {noun}", self.channel(), self.findings().len())?;
        for (at, finding) in self.refusals().enumerate() {
            let before = if at == 0 { ": " } else { "; " };
            write!(f, "{before}{}: {}", finding.guardrail, finding.why)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        let later = refusal.refusals().all(|finding| finding.retry == Some(Retry::Later));
        Error::new(ErrorKind::PolicyRefused, refusal.to_string())
            .with_retry(if later { Retry::Later } else { Retry::Never })
            .with_context("channel", refusal.channel())
            .with_context("policy", &refusal.0.policy.name)
            .with_source(refusal)
    }
}

#[cfg(test)]
mod tests;
