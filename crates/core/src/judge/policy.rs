//! `Policy`: a list of guardrails, what they decide together, and a refusal as a person reads it.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::facts::Facts;
use super::guardrail::{ExpectedState, Finding, Guardrail, NoHold, PromotionOrder, ProvenanceComplete, TargetReadable};
use crate::error::{Error, ErrorKind, Result};
use crate::record::{Decision, FindingNote, PolicyNote};
use crate::value::{Channel, Digest, Text};

/// A list of guardrails. All of them judge every move, in their order; one refusal refuses it.
#[derive(Clone, Debug)]
pub struct Policy {
    name: Text,
    guardrails: Vec<Arc<dyn Guardrail>>,
}

impl Policy {
    /// The policy of these guardrails. CONFIG_INVALID if there is none, or if a name stands in it twice: a policy that
    /// judges nothing is no policy, and a finding must say whose it is.
    pub fn new(name: Text, guardrails: Vec<Arc<dyn Guardrail>>) -> Result<Policy> {
        let bad = |why: String| Err(Error::new(ErrorKind::ConfigInvalid, format!("policy {name}: {why}")));
        if guardrails.is_empty() {
            return bad("it has no guardrail".to_owned());
        }
        for (at, guardrail) in guardrails.iter().enumerate() {
            if guardrails.iter().take(at).any(|earlier| earlier.name() == guardrail.name()) {
                return bad(format!("{} stands in it twice", guardrail.name()));
            }
        }
        Ok(Policy { name, guardrails })
    }

    /// The five built-in guardrails: provenance complete, target readable, expected state, no hold, promotion order.
    pub fn standard() -> Policy {
        Policy {
            name: Text::lossy("standard"),
            guardrails: vec![
                Arc::new(ProvenanceComplete),
                Arc::new(TargetReadable),
                Arc::new(ExpectedState),
                Arc::new(NoHold),
                Arc::new(PromotionOrder),
            ],
        }
    }

    /// Its name.
    pub fn name(&self) -> &Text {
        &self.name
    }

    /// Its guardrails in order.
    pub fn guardrails(&self) -> &[Arc<dyn Guardrail>] {
        &self.guardrails
    }

    /// What the log says about it: its name, and the SHA-256 of its canonical form, which is the JSON
    /// `{"guardrails":[{"name":…,"settings":…},…],"name":…}` with sorted keys and no space; settings that are null are
    /// left out. Another order of the guardrails is another policy.
    pub fn note(&self) -> PolicyNote {
        let guardrails = self.guardrails.iter().map(|guardrail| match guardrail.settings() {
            serde_json::Value::Null => serde_json::json!({ "name": guardrail.name() }),
            settings => serde_json::json!({ "name": guardrail.name(), "settings": settings }),
        });
        let guardrails: Vec<_> = guardrails.collect();
        let canonical = serde_json::json!({ "guardrails": guardrails, "name": self.name.as_str() });
        // Settings that have no canonical form (a fraction) are told apart by their text all the same.
        let bytes = crate::record::canonical(&canonical).unwrap_or_else(|_| canonical.to_string().into_bytes());
        PolicyNote { name: self.name.clone(), digest: Digest::of(&bytes) }
    }

    /// Lets every guardrail judge.
    pub fn judge(&self, facts: &Facts) -> Judgement {
        let findings = self.guardrails.iter().map(|guardrail| {
            // A finding is filed under the guardrail that was asked, whatever it says of itself.
            Finding { guardrail: Text::lossy(guardrail.name()), ..guardrail.judge(facts) }
        });
        Judgement { channel: facts.channel.clone(), policy: self.note(), findings: findings.collect() }
    }
}

/// What a policy found about one move.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Judgement {
    /// The channel that was to move.
    pub channel: Channel,
    /// Which policy.
    pub policy: PolicyNote,
    /// What each guardrail says, in the policy's order.
    pub findings: Vec<Finding>,
}

impl Judgement {
    /// True if nothing stops the move.
    pub fn passes(&self) -> bool {
        !self.findings.iter().any(Finding::refuses)
    }

    /// The decision for the intent, or the refusal if any finding refuses.
    pub fn decide(self) -> Result<Decision, Refusal> {
        if !self.passes() {
            return Err(Refusal(Box::new(self)));
        }
        let findings = self.findings.into_iter().map(FindingNote::from).collect();
        Ok(Decision { policy: self.policy, findings, overrides: Vec::new(), approvals: Vec::new() })
    }
}

/// A policy's no: a decision, not a fault. Nothing was written.
///
/// As an [`Error`] it is CHANNEL_HELD if only a hold stands against the move (it may pass later), POLICY_REFUSED
/// otherwise; [`Error::source_as`] gives it back with every finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Refusal(Box<Judgement>);

impl Refusal {
    /// The channel that was to move.
    pub fn channel(&self) -> &Channel {
        &self.0.channel
    }

    /// Which policy.
    pub fn policy(&self) -> &PolicyNote {
        &self.0.policy
    }

    /// What each guardrail says, passes included, in the policy's order.
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
        let held = ErrorKind::ChannelHeld;
        let kind = match refusal.refusals().all(|finding| finding.code() == Some(held.code())) {
            true => held,
            false => ErrorKind::PolicyRefused,
        };
        Error::new(kind, refusal.to_string())
            .with("channel", refusal.channel())
            .with("policy", &refusal.policy().name)
            .because(refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{ChannelState, Op, Standing, Subject, Verdict};
    use crate::value::Provenance;

    fn facts() -> Facts {
        let mut state = ChannelState::empty("reg.io/acme/shop:prod".parse().unwrap());
        state.live = Some(Digest::of(b"live"));
        let provenance = Provenance::new("github-actions", "42", "octocat").unwrap();
        let mut facts = Facts::new(Op::Promote, &state, provenance, "2026-11-23T06:00:00Z".parse().unwrap());
        facts.target = Some(Subject { digest: Digest::of(b"next"), media_type: Text::lossy("a/b"), size: 7 });
        facts
    }

    fn standing() -> Standing {
        Standing { seq: 9, reason: Text::lossy("incident 7"), by: Text::lossy("ada"), until: None }
    }

    #[derive(Debug)]
    struct Says(&'static str, Verdict, serde_json::Value);

    impl Guardrail for Says {
        fn name(&self) -> &str {
            self.0
        }
        fn settings(&self) -> serde_json::Value {
            self.2.clone()
        }
        fn judge(&self, _: &Facts) -> Finding {
            let mut finding = Finding::refuse("somebody-else", "RULE_BROKEN", "because\n");
            finding.verdict = self.1;
            finding
        }
    }

    fn policy(guardrails: Vec<Arc<dyn Guardrail>>) -> Result<Policy> {
        Policy::new(Text::lossy("own"), guardrails)
    }

    #[test]
    fn a_decision_holds_every_finding_in_order() {
        let decision = Policy::standard().judge(&facts()).decide().unwrap();
        let names: Vec<_> = decision.findings.iter().map(|finding| finding.guardrail.to_string()).collect();
        assert_eq!(names, ["provenance-complete", "target-readable", "expected-state", "no-hold", "promotion-order"]);
        assert_eq!(decision.policy, Policy::standard().note());
    }

    #[test]
    fn a_hold_alone_is_channel_held_and_reads_as_a_sentence() {
        let mut facts = facts();
        facts.hold = Some(standing());
        let error = Error::from(Policy::standard().judge(&facts).decide().unwrap_err());
        assert_eq!(error.kind(), ErrorKind::ChannelHeld);
        assert_eq!(
            error.to_string(),
            "reg.io/acme/shop:prod: refused by 1 of 5 guardrails: \
             no-hold: held by ada until it is released (seq 9): incident 7"
        );
        let refusal: &Refusal = error.source_as().unwrap();
        assert_eq!((refusal.findings().len(), refusal.refusals().count()), (5, 1));
    }

    #[test]
    fn anything_beside_a_hold_is_policy_refused() {
        let mut facts = facts();
        facts.hold = Some(standing());
        facts.target = None;
        let error = Error::from(Policy::standard().judge(&facts).decide().unwrap_err());
        assert_eq!(error.kind(), ErrorKind::PolicyRefused);
        assert_eq!(
            error.to_string(),
            "reg.io/acme/shop:prod: refused by 2 of 5 guardrails: \
             target-readable: the target does not exist in the registry; \
             no-hold: held by ada until it is released (seq 9): incident 7"
        );
    }

    #[test]
    fn an_own_guardrail_is_filed_under_its_name_and_made_safe_to_show() {
        let judge = |verdict| {
            let rule = Arc::new(Says("soak", verdict, serde_json::Value::Null));
            policy(vec![rule]).unwrap().judge(&facts()).decide()
        };
        let refusal = judge(Verdict::Refuse).unwrap_err().to_string();
        assert_eq!(refusal, "reg.io/acme/shop:prod: refused by 1 of 1 guardrail: soak: because\u{fffd}");
        assert_eq!(judge(Verdict::Warn).unwrap().findings[0].guardrail.as_str(), "soak");
        assert!(judge(Verdict::Other).is_err(), "a verdict that is not known refuses");
    }

    #[test]
    fn a_policy_has_guardrails_and_each_name_once() {
        assert_eq!(policy(vec![]).unwrap_err().to_string(), "policy own: it has no guardrail");
        let error = policy(vec![Arc::new(NoHold), Arc::new(NoHold)]).unwrap_err();
        assert_eq!((error.code(), error.message()), ("CONFIG_INVALID", "policy own: no-hold stands in it twice"));
    }

    #[test]
    fn the_digest_changes_with_name_order_and_settings_only() {
        let says = |settings| -> Arc<dyn Guardrail> { Arc::new(Says("soak", Verdict::Pass, settings)) };
        let hold = || -> Arc<dyn Guardrail> { Arc::new(NoHold) };
        let note = |guardrails| policy(guardrails).unwrap().note().digest;
        let ten = note(vec![hold(), says(serde_json::json!({"seconds": 10}))]);
        assert_eq!(
            ten,
            Digest::of(
                br#"{"guardrails":[{"name":"no-hold"},{"name":"soak","settings":{"seconds":10}}],"name":"own"}"#
            )
        );
        assert_eq!(ten, note(vec![hold(), says(serde_json::json!({"seconds": 10}))]));
        assert_ne!(ten, note(vec![hold(), says(serde_json::json!({"seconds": 20}))]));
        assert_ne!(ten, note(vec![says(serde_json::json!({"seconds": 10})), hold()]));
        assert_ne!(Policy::standard().note().digest, ten);
    }
}
