use super::*;
use crate::log::{ActiveHold, HoldScope, Verdict};
use crate::policy::sample::{facts, hold};
use crate::policy::{GuardrailInfo, OrderBy};
use crate::value::Stage;

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
        [
            "provenance-complete",
            "target-readable",
            "parts-present",
            "expected-state",
            "no-hold",
            "promotion-order",
            "forward-only",
            "not-rolled-back",
            "not-blocked"
        ]
    );
    assert_eq!(decision.policy, Policy::standard().note());
}

#[test]
fn refusal_that_is_overridden_by_name_is_a_warning_and_others_stand() {
    let mut facts = facts();
    (facts.op, facts.missing) = (Op::Rollback, vec![Line::lossy("blob 1")]);
    let judge =
        |name: &str, facts: &Facts| Policy::standard().judge(facts).overriding(&BTreeSet::from([Line::lossy(name)]));
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
fn text_of_the_standard_policy_has_names_and_the_mode_that_only_warns() {
    let names =
        ["provenance-complete", "target-readable", "parts-present", "expected-state", "no-hold", "promotion-order"];
    let mut guardrails = names.map(|name| format!(r#"{{"name":"{name}"}}"#)).join(",");
    guardrails.push_str(r#",{"mode":"warn","name":"forward-only"},{"name":"not-rolled-back"},{"name":"not-blocked"}"#);
    assert_eq!(Policy::standard().text(), format!(r#"{{"guardrails":[{guardrails}],"name":"standard"}}"#));
}

#[test]
fn text_has_modes_operations_limits_and_order() {
    let warn = GuardrailUse { mode: Some(Mode::Warn), ..GuardrailUse::default() };
    let policy = policy(vec![Arc::new(Says("soak", Verdict::Pass, Value::Null)), Arc::new(Promotes)]).unwrap();
    let ops = BTreeSet::from([Op::Promote, Op::Rollback]);
    let overrides = OverrideRule {
        allowed: Some(BTreeSet::from([Line::lossy("soak")])),
        by: Some(BTreeSet::from(["manual:ada".parse().unwrap()])),
    };
    let set = policy
        .clone()
        .with_use("soak", warn)
        .unwrap()
        .with_use("rate", GuardrailUse { mode: Some(Mode::Refuse), ops })
        .unwrap()
        .with_overrides(overrides)
        .with_order(Order::new(OrderBy::Semver, true).ok());
    assert_eq!(
        set.text(),
        concat!(
            r#"{"guardrails":[{"mode":"warn","name":"soak"},{"name":"rate","ops":["rollback"]}],"name":"own","#,
            r#""order":{"by":"semver","required":true},"override":{"allowed":["soak"],"by":["manual:ada"]}}"#
        )
    );
    assert_ne!(set.note().digest, policy.note().digest);
    assert_eq!(policy.text(), r#"{"guardrails":[{"name":"soak"},{"mode":"warn","name":"rate"}],"name":"own"}"#);
}

/// Refuses, is meant for promotions, and only warns by itself.
#[derive(Debug)]
struct Promotes;

impl Guardrail for Promotes {
    fn name(&self) -> &str {
        "rate"
    }
    fn info(&self) -> GuardrailInfo {
        GuardrailInfo { mode: Mode::Warn, ops: &[Op::Promote], ..GuardrailInfo::default() }
    }
    fn judge(&self, _: &Facts) -> Finding {
        Finding::refuse("rate", "RATE_EXCEEDED", "7 moves in 1 d").later()
    }
}

#[test]
fn guardrail_judges_in_its_mode_and_for_its_operations() {
    let judged = |mode, ops: &[Op], op| {
        let used = GuardrailUse { mode, ops: ops.iter().copied().collect() };
        let policy = policy(vec![Arc::new(Promotes)]).unwrap().with_use("rate", used).unwrap();
        let finding = policy.judge(&Facts { op, ..facts() }).findings.remove(0);
        (finding.verdict, finding.retry, finding.why.to_string())
    };
    let off = "not judged: the policy turns it off".to_owned();
    let warns = "7 moves in 1 d (the policy only warns)".to_owned();
    let other = "not judged: it is meant for promote".to_owned();
    assert_eq!(judged(None, &[], Op::Promote), (Verdict::Warn, None, warns.clone()));
    assert_eq!(judged(None, &[], Op::Rollback), (Verdict::Pass, None, other));
    assert_eq!(judged(None, &[Op::Rollback], Op::Rollback), (Verdict::Warn, None, warns));
    assert_eq!(judged(Some(Mode::Off), &[], Op::Promote), (Verdict::Pass, None, off));
    let refused = (Verdict::Refuse, Some(crate::error::Retry::Later), "7 moves in 1 d".to_owned());
    assert_eq!(judged(Some(Mode::Refuse), &[Op::Rollback], Op::Rollback), refused);
}

#[test]
fn use_of_a_guardrail_that_is_absent_or_cannot_have_the_mode_is_invalid() {
    let error = |guardrail: &str| {
        let warn = GuardrailUse { mode: Some(Mode::Warn), ..GuardrailUse::default() };
        let error = Policy::standard().with_use(guardrail, warn).unwrap_err();
        (error.kind(), error.to_string())
    };
    let invalid = |why: &str| (ErrorKind::ConfigInvalid, format!("policy standard: {why}"));
    assert_eq!(error("soak"), invalid("it has no guardrail soak"));
    assert_eq!(error("no-hold"), invalid("no-hold cannot have the mode warn"));
}

#[test]
fn override_that_the_policy_does_not_allow_is_a_refusal_for_each_guardrail() {
    let limited = Policy::standard().with_overrides(OverrideRule {
        allowed: Some(BTreeSet::from([Line::lossy("parts-present")])),
        by: Some(BTreeSet::from(["manual:grace".parse().unwrap()])),
    });
    let (facts, names) = (facts(), ["ledger-complete", "parts-present"].map(Line::lossy));
    let permit = |policy: &Policy, names: &[Line]| {
        policy.permit_overrides(&facts.channel, &names.iter().cloned().collect(), &facts.provenance, facts.at)
    };
    assert_eq!(permit(&Policy::standard(), &names), Ok(()));
    assert_eq!(permit(&limited, &[]), Ok(()));
    let refusal = permit(&limited, &names).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "reg.io/acme/shop:prod: refused by 2 of 2 guardrails: \
         ledger-complete: the policy does not let it be overridden, only parts-present; \
         parts-present: github-actions:octocat may not override it, only manual:grace"
    );
    assert!(refusal.findings().iter().all(|finding| finding.code() == Some("OVERRIDE_NOT_ALLOWED")));
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
        let refusal = policy(vec![Arc::new(panics), Arc::new(NoHold)]).unwrap().judge(&facts()).decide().unwrap_err();
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
        Digest::of(br#"{"guardrails":[{"name":"no-hold"},{"name":"soak","settings":{"seconds":10}}],"name":"own"}"#)
    );
    assert_eq!(ten, note(vec![hold(), says(serde_json::json!({"seconds": 10}))]));
    assert_ne!(ten, note(vec![hold(), says(serde_json::json!({"seconds": 20}))]));
    assert_ne!(ten, note(vec![says(serde_json::json!({"seconds": 10})), hold()]));
    assert_ne!(Policy::standard().note().digest, ten);
}
