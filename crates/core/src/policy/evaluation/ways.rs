//! The ways to go on after a refusal, as far as they are open to the actor.

use super::Policy;
use crate::log::Op;
use crate::policy::facts::Facts;
use crate::policy::finding::Finding;
use crate::policy::guardrail::Guardrail;
use crate::policy::mode::Mode;
use crate::policy::way::Way;
use crate::value::Line;

impl Policy {
    /// The finding, with the ways to go on that are open to the actor in its reason.
    pub(super) fn with_ways(&self, mut finding: Finding, guardrail: &dyn Guardrail, facts: &Facts) -> Finding {
        let ways = std::mem::take(&mut finding.ways);
        for said in ways.into_iter().filter_map(|way| self.said(way, guardrail, facts)) {
            finding.why = Line::lossy(format!("{}; {said}", finding.why));
        }
        finding
    }

    fn said(&self, way: Way, guardrail: &dyn Guardrail, facts: &Facts) -> Option<String> {
        match way {
            // A rollback that this guardrail refuses for the same reason leads nowhere.
            Way::Rollback(_) if self.mode(guardrail) == Mode::Refuse && self.ops(guardrail).contains(&Op::Rollback) => {
                None
            }
            Way::Rollback(to) => Some(format!("to go back on purpose: tagwarden rollback {} --to {to}", facts.channel)),
            Way::Override(purpose) => {
                let name = Line::lossy(guardrail.name());
                let forbidden = self.forbids_override(&name, &facts.provenance);
                Some(forbidden.unwrap_or_else(|| format!("{purpose}: --override {name} --reason …")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::log::ChannelState;
    use crate::policy::{GuardrailInfo, GuardrailUse, OverrideRule};
    use crate::value::{Digest, Provenance};

    /// Refuses each promotion, with both ways.
    #[derive(Debug)]
    struct Refuses;

    impl Guardrail for Refuses {
        fn name(&self) -> &str {
            "soak"
        }
        fn info(&self) -> GuardrailInfo {
            let ops = &[Op::Promote];
            GuardrailInfo { ops, overridable: ops, ..GuardrailInfo::default() }
        }
        fn judge(&self, _: &Facts) -> Finding {
            let ways = [Way::Rollback(Digest::of(b"old")), Way::Override("to move it")];
            Finding { ways: ways.into(), ..Finding::refuse("soak", "SOAK_SHORT", "too early") }
        }
    }

    fn why(policy: &Policy) -> String {
        let state = ChannelState::empty("reg.io/acme/shop:prod".parse().unwrap());
        let ada = Provenance::new("manual", "1", "ada").unwrap();
        let facts = Facts::new(Op::Promote, &state, ada, "2026-11-23T06:00:00Z".parse().unwrap());
        policy.judge(&facts).findings.remove(0).why.to_string()
    }

    #[test]
    fn only_ways_that_lead_on_are_said() {
        let policy = Policy::new(Line::lossy("own"), vec![Arc::new(Refuses)]).unwrap();
        let back =
            format!("to go back on purpose: tagwarden rollback reg.io/acme/shop:prod --to {}", Digest::of(b"old"));
        assert_eq!(why(&policy), format!("too early; {back}; to move it: --override soak --reason …"));
        let used = |mode| GuardrailUse { mode: Some(mode), ops: BTreeSet::from([Op::Rollback]) };
        let both = policy.clone().with_use("soak", used(Mode::Refuse)).unwrap();
        assert_eq!(why(&both), "too early; to move it: --override soak --reason …");
        let by = Some(BTreeSet::from(["manual:grace".parse().unwrap()]));
        let limits = [
            (OverrideRule { allowed: Some(BTreeSet::new()), by: None }, "the policy lets no guardrail be overridden"),
            (OverrideRule { allowed: None, by }, "manual:ada may not override it, only manual:grace"),
        ];
        for (limit, said) in limits {
            assert_eq!(why(&policy.clone().with_overrides(limit)), format!("too early; {back}; {said}"));
        }
    }
}
