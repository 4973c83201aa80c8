//! `NotRolledBack`: the guardrail against promotions of a release that a rollback left.

use super::facts::{Facts, LeftBy};
use super::finding::Finding;
use super::guardrail::Guardrail;
use super::mode::GuardrailInfo;
use super::way::Way;
use crate::log::{Op, RolledBackCause};

/// The last time that the target was live here, no rollback left it, and no promotion of it was aborted on purpose
/// since (ROLLED_BACK). A rollback that names it and an adoption warn. The restore of a set is no rollback.
#[derive(Clone, Copy, Debug, Default)]
pub struct NotRolledBack;

impl Guardrail for NotRolledBack {
    fn name(&self) -> &str {
        "not-rolled-back"
    }

    fn info(&self) -> GuardrailInfo {
        let refuses_if = "a rollback left the target when it was live here the last time";
        let overridable = &[Op::Promote, Op::Bootstrap];
        GuardrailInfo { refuses_if, overridable, ..GuardrailInfo::default() }
    }

    fn judge(&self, facts: &Facts) -> Finding {
        let (Some(left), Some(target)) = (&facts.left_by, &facts.target) else {
            return Finding::pass(self.name(), "no rollback left it");
        };
        let LeftBy { seq, cause, provenance, reason } = left;
        let (run, provider, actor) = (&provenance.pipeline.run_id, &provenance.pipeline.provider, &provenance.actor.id);
        let by = match cause {
            RolledBackCause::Rollback => "was left by the rollback of",
            RolledBackCause::Aborted => "was being promoted, and its promotion was aborted by",
        };
        let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let why = format!("{} {by} run {run} of {provider} by {actor} (seq {seq}{reason})", target.digest);
        match facts.op {
            Op::Promote | Op::Bootstrap => {
                let ways = vec![Way::Override("to promote it all the same")];
                Finding { ways, ..Finding::refuse(self.name(), "ROLLED_BACK", why) }
            }
            Op::Rollback | Op::Repair | Op::Adopt => Finding::warn(self.name(), "ROLLED_BACK", why),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::log::{ChannelState, TargetManifest, Verdict};
    use crate::policy::Policy;
    use crate::value::{Digest, Line, Provenance};

    fn facts(op: Op, cause: RolledBackCause) -> Facts {
        let state = ChannelState::empty("reg.io/acme/shop:prod".parse().unwrap());
        let ada = Provenance::new("github-actions", "42", "ada").unwrap();
        let mut facts = Facts::new(op, &state, ada, "2026-11-23T06:00:00Z".parse().unwrap());
        facts.target = Some(TargetManifest::new(Digest::of(b"next"), Line::lossy("a/b"), 7));
        let (provenance, reason) = (Provenance::new("manual", "7", "eve").unwrap(), Some(Line::lossy("incident 7")));
        facts.left_by = Some(LeftBy { seq: 9, cause, provenance, reason });
        facts
    }

    #[test]
    fn release_that_was_rolled_back_refuses_a_promotion_and_warns_otherwise() {
        let by =
            format!("{} was left by the rollback of run 7 of manual by eve (seq 9: incident 7)", Digest::of(b"next"));
        let policy = Policy::new(Line::lossy("own"), vec![Arc::new(NotRolledBack)]).unwrap();
        let finding = policy.judge(&facts(Op::Promote, RolledBackCause::Rollback)).findings.remove(0);
        let why = format!("{by}; to promote it all the same: --override not-rolled-back --reason …");
        assert_eq!((finding.verdict, finding.code()), (Verdict::Refuse, Some("ROLLED_BACK")));
        assert_eq!(finding.why.as_str(), why);
        for op in [Op::Rollback, Op::Adopt] {
            let finding = NotRolledBack.judge(&facts(op, RolledBackCause::Rollback));
            assert_eq!(
                (finding.verdict, finding.code(), finding.why.as_str()),
                (Verdict::Warn, Some("ROLLED_BACK"), by.as_str())
            );
        }
    }

    #[test]
    fn aborted_promotion_is_said_as_such_and_nothing_passes() {
        let mut facts = facts(Op::Promote, RolledBackCause::Aborted);
        let why = NotRolledBack.judge(&facts).why.to_string();
        assert!(
            why.contains(" was being promoted, and its promotion was aborted by run 7 of manual by eve (seq 9"),
            "{why}"
        );
        facts.left_by = None;
        assert_eq!(NotRolledBack.judge(&facts).verdict, Verdict::Pass);
    }
}
