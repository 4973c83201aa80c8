//! `PolicyEvaluation`: the judgement of a policy about one move; and `Refusal`, one that refuses.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::blocked::NotBlocked;
use super::facts::BlockedOn;
use super::finding::Finding;
use super::guardrail::{Guardrail, NoHold};
use crate::error::{Error, ErrorKind, Retry};
use crate::log::{ActiveBlock, ActiveHold, Decision, RecordedFinding, RecordedPolicy};
use crate::value::{Channel, Line, Timestamp};

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
                *finding = finding.clone().into_warning("overridden");
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
pub struct Refusal(pub(super) Box<PolicyEvaluation>);

impl Refusal {
    /// The refusal by a hold that was recorded after the policy had judged.
    pub(crate) fn held(channel: Channel, policy: RecordedPolicy, at: Timestamp, hold: &ActiveHold) -> Refusal {
        let finding = Finding::refuse(NoHold.name(), "CHANNEL_HELD", hold.said_at(at)).later();
        Refusal(Box::new(PolicyEvaluation { channel, policy, at, findings: vec![finding] }))
    }

    /// The refusal by a block that was recorded after the policy had judged, or that stops a recovery.
    pub(crate) fn blocked(channel: Channel, policy: RecordedPolicy, at: Timestamp, block: &ActiveBlock) -> Refusal {
        let blocks = [BlockedOn { channel: channel.clone(), block: block.clone() }];
        let help = format!("an open move to it: tagwarden recover {channel} --abort closes it without a put");
        let finding = Finding::refuse(NotBlocked::NAME, "TARGET_BLOCKED", NotBlocked::why(&blocks, &help));
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
mod tests {
    use super::*;
    use crate::policy::Policy;
    use crate::policy::sample::{facts, hold};

    #[test]
    fn a_refusal_by_a_hold_alone_may_pass_later() {
        let mut facts = facts();
        facts.holds = vec![hold()];
        let error = Error::from(Policy::standard().judge(&facts).decide().unwrap_err());
        assert_eq!((error.kind(), error.retry()), (ErrorKind::PolicyRefused, Retry::Later));
        assert_eq!(
            error.to_string(),
            "reg.io/acme/shop:prod: refused by 1 of 9 guardrails: \
             no-hold: held for promotions by ada until it is ended (hold 9): incident 7"
        );
        let refusal: &Refusal = error.source_as().unwrap();
        assert_eq!((refusal.findings().len(), refusal.refusals().count()), (9, 1));
        assert_eq!(refusal.refusals().next().unwrap().code(), Some("CHANNEL_HELD"));
    }

    #[test]
    fn a_refusal_by_more_than_a_hold_never_passes() {
        let mut facts = facts();
        facts.holds = vec![hold()];
        facts.target = None;
        let error = Error::from(Policy::standard().judge(&facts).decide().unwrap_err());
        assert_eq!((error.kind(), error.retry()), (ErrorKind::PolicyRefused, Retry::Never));
        assert_eq!(
            error.to_string(),
            "reg.io/acme/shop:prod: refused by 2 of 9 guardrails: \
             target-readable: the target does not exist in the registry; \
             no-hold: held for promotions by ada until it is ended (hold 9): incident 7"
        );
    }
}
