//! `Policy`: a list of guardrails, with their judgement of a move and the text of a refusal.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::Serialize;

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

    /// With the environments that releases go through. A guardrail judges by them, so they are part of the policy's
    /// text and digest.
    #[must_use]
    pub fn with_pipeline(self, pipeline: Option<Pipeline>) -> Policy {
        Policy { pipeline, ..self }
    }

    /// Its name.
    pub fn name(&self) -> &Line {
        &self.name
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
            serde_json::Value::Null => serde_json::json!({ "name": guardrail.name() }),
            settings => serde_json::json!({ "name": guardrail.name(), "settings": settings }),
        });
        let mut policy =
            serde_json::json!({ "guardrails": guardrails.collect::<Vec<_>>(), "name": self.name.as_str() });
        if let (Some(pipeline), Some(fields)) = (&self.pipeline, policy.as_object_mut()) {
            let stages = pipeline
                .stages()
                .iter()
                .map(|stage| serde_json::json!({ "channel": stage.channel, "environment": stage.environment }));
            fields.insert("pipeline".to_owned(), stages.collect());
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
        let mut findings: Vec<_> = self
            .guardrails
            .iter()
            .map(|guardrail| {
                // A finding gets the name of the guardrail that made it, even if the finding itself names another one.
                Finding { guardrail: Line::lossy(guardrail.name()), ..judged(&**guardrail, facts) }
            })
            .collect();
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

/// The finding of a guardrail. A panic in the guardrail is caught, and refuses.
fn judged(guardrail: &dyn Guardrail, facts: &Facts) -> Finding {
    // Unwind safe: a guardrail cannot change the facts, so a panic leaves only its own state broken.
    catch_unwind(AssertUnwindSafe(|| guardrail.judge(facts))).unwrap_or_else(|panic| {
        let why = format!("the guardrail {} panicked: {}", guardrail.name(), words(&*panic));
        Finding::refuse(guardrail.name(), "GUARDRAIL_FAILED", why)
    })
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

    /// The policy that judged.
    pub fn policy(&self) -> &RecordedPolicy {
        &self.0.policy
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
            .with_context("policy", &refusal.policy().name)
            .with_source(refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{ChannelState, HoldScope, Op, TargetManifest, Verdict};
    use crate::value::{Provenance, Stage};

    fn facts() -> Facts {
        let mut state = ChannelState::empty("reg.io/acme/shop:prod".parse().unwrap());
        state.live = Some(Digest::of(b"live"));
        let provenance = Provenance::new("github-actions", "42", "octocat").unwrap();
        let mut facts = Facts::new(Op::Promote, &state, provenance, "2026-11-23T06:00:00Z".parse().unwrap());
        facts.target = Some(TargetManifest::new(Digest::of(b"next"), Line::lossy("a/b"), 7));
        facts
    }

    fn hold() -> ActiveHold {
        let (reason, provenance) = (Line::lossy("incident 7"), Provenance::new("manual", "1", "ada").unwrap());
        ActiveHold { seq: 9, scope: HoldScope::Promotions, reason, provenance, until: None }
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
            let mut finding = Finding::refuse("another", "RULE_BROKEN", "because\n");
            finding.verdict = self.1;
            finding
        }
    }

    fn policy(guardrails: Vec<Arc<dyn Guardrail>>) -> Result<Policy> {
        Policy::new(Line::lossy("own"), guardrails)
    }

    #[test]
    fn a_decision_holds_every_finding_in_order() {
        let decision = Policy::standard().judge(&facts()).decide().unwrap();
        let names: Vec<_> = decision.findings.iter().map(|finding| finding.guardrail.to_string()).collect();
        assert_eq!(
            names,
            ["provenance-complete", "target-readable", "parts-present", "expected-state", "no-hold", "promotion-order"]
        );
        assert_eq!(decision.policy, Policy::standard().note());
    }

    #[test]
    fn refusal_that_is_overridden_by_name_is_a_warning_and_others_stand() {
        let mut facts = facts();
        (facts.op, facts.missing) = (Op::Rollback, vec![Line::lossy("blob 1")]);
        let judge = |name: &str, facts: &Facts| {
            Policy::standard().judge(facts).overriding(&BTreeSet::from([Line::lossy(name)]))
        };
        assert!(!judge("no-hold", &facts).passes(), "it is not what refuses");
        let judgement = judge("parts-present", &facts);
        assert!(judgement.passes());
        let finding = judgement.findings.iter().find(|finding| finding.verdict == Verdict::Warn).unwrap();
        assert_eq!((finding.code(), finding.retry), (Some("TARGET_INCOMPLETE"), None));
        assert!(finding.why.as_str().ends_with("not in the registry: blob 1 (overridden)"), "{}", finding.why);
        facts.holds = vec![ActiveHold { scope: HoldScope::All, ..hold() }];
        assert!(!judge("parts-present", &facts).passes(), "the hold still refuses");
    }

    #[test]
    fn a_refusal_by_a_hold_alone_may_pass_later() {
        let mut facts = facts();
        facts.holds = vec![hold()];
        let error = Error::from(Policy::standard().judge(&facts).decide().unwrap_err());
        assert_eq!((error.kind(), error.retry()), (ErrorKind::PolicyRefused, Retry::Later));
        assert_eq!(
            error.to_string(),
            "reg.io/acme/shop:prod: refused by 1 of 6 guardrails: \
             no-hold: held for promotions by ada until it is ended (hold 9): incident 7"
        );
        let refusal: &Refusal = error.source_as().unwrap();
        assert_eq!((refusal.findings().len(), refusal.refusals().count()), (6, 1));
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
            "reg.io/acme/shop:prod: refused by 2 of 6 guardrails: \
             target-readable: the target does not exist in the registry; \
             no-hold: held for promotions by ada until it is ended (hold 9): incident 7"
        );
    }

    #[test]
    fn a_policy_that_is_not_the_binding_one_refuses() {
        let mut facts = facts();
        facts.binding_policy = Some(Policy::standard().note().digest);
        assert!(Policy::standard().judge(&facts).passes());
        facts.binding_policy = Some(Digest::of(b"another"));
        let refusal = Policy::standard().judge(&facts).decide().unwrap_err();
        let codes: Vec<_> = refusal.refusals().map(|finding| (finding.guardrail.as_str(), finding.code())).collect();
        assert_eq!(codes, [("policy", Some("POLICY_MISMATCH"))]);
        assert!(refusal.to_string().contains("this version cannot change that"), "{refusal}");
    }

    #[test]
    fn the_pipeline_is_part_of_the_policy() {
        let stage = |environment: &str| Stage {
            environment: environment.parse().unwrap(),
            channel: format!("reg.io/acme/shop:{environment}").parse().unwrap(),
        };
        let pipeline = Pipeline::new(vec![stage("dev"), stage("prod")]).unwrap();
        let policy = policy(vec![Arc::new(NoHold)]).unwrap();
        assert_eq!(policy.text(), r#"{"guardrails":[{"name":"no-hold"}],"name":"own"}"#);
        let ordered = policy.clone().with_pipeline(Some(pipeline));
        assert_eq!(
            ordered.text(),
            concat!(
                r#"{"guardrails":[{"name":"no-hold"}],"name":"own","pipeline":["#,
                r#"{"channel":"reg.io/acme/shop:dev","environment":"dev"},"#,
                r#"{"channel":"reg.io/acme/shop:prod","environment":"prod"}]}"#
            )
        );
        assert_ne!(ordered.note().digest, policy.note().digest);
        assert_eq!(ordered.note().digest, Digest::of(ordered.text().as_bytes()));
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

    /// Panics with a text that is made at run time, or with a value that is not a text.
    #[derive(Debug)]
    struct Panics(Option<u32>);

    impl Guardrail for Panics {
        fn name(&self) -> &str {
            "soak"
        }
        fn judge(&self, _: &Facts) -> Finding {
            match self.0 {
                Some(number) => panic!("no entry {number}"),
                None => std::panic::panic_any(7),
            }
        }
    }

    #[test]
    fn guardrail_that_panics_refuses_by_its_name_and_the_others_still_judge() {
        for (panics, said) in [(Panics(Some(3)), "no entry 3"), (Panics(None), "it did not say why")] {
            let refusal =
                policy(vec![Arc::new(panics), Arc::new(NoHold)]).unwrap().judge(&facts()).decide().unwrap_err();
            let [soak, hold] = refusal.findings() else { panic!("{refusal:?}") };
            assert_eq!((soak.guardrail.as_str(), soak.code()), ("soak", Some("GUARDRAIL_FAILED")));
            assert_eq!(soak.why.as_str(), format!("the guardrail soak panicked: {said}"));
            assert_eq!(hold.verdict, Verdict::Pass);
        }
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
