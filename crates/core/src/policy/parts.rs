//! `PartsPresent`: the guardrail that requires the parts of a release in the registry.

use super::facts::Facts;
use super::finding::Finding;
use super::guardrail::Guardrail;
use super::mode::GuardrailInfo;
use crate::log::Op;
use crate::value::{Digest, Line, joined};

/// The parts of the target (manifests, configs, layers) are in the registry.
///
/// - A part that is proven missing refuses a rollback and a repair, and is a warning for a promotion
///   (TARGET_INCOMPLETE). A rollback and a repair look at all parts; a promotion looks at the manifests, and leaves the
///   blobs to the registry.
/// - A part that could not be looked at, or a manifest that is not understood, is a warning (TARGET_UNKNOWN): a move of
///   a tag needs no blob, so an unreachable blob host does not stop a move.
/// - A bootstrap and an adoption take the tag as it is: no part is looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct PartsPresent;

impl PartsPresent {
    /// Its name, for an override.
    pub const NAME: &'static str = "parts-present";

    /// The most parts that a finding names.
    const NAMED: usize = 4;

    /// The reason why a move passes.
    fn complete(op: Op, digest: &Digest) -> String {
        match op {
            Op::Promote => "its manifests are there; a promotion does not look for blobs".to_owned(),
            Op::Rollback | Op::Repair => format!("all parts of {digest} are there"),
            Op::Bootstrap | Op::Adopt => {
                format!("an operation that takes what is there ({}) looks at no parts", op.as_str())
            }
        }
    }

    /// The warning of an audit about a live digest; none if all of its parts are in the registry.
    pub(crate) fn warning(live: &Digest, missing: &[Line], unknown: &[Line]) -> Option<Finding> {
        Self::wanting(missing, unknown).map(|why| Self::warn(live, missing, &why))
    }

    fn warn(digest: &Digest, missing: &[Line], why: &str) -> Finding {
        match missing.is_empty() {
            false => Finding::warn(Self::NAME, "TARGET_INCOMPLETE", format!("{digest} lacks parts: {why}")),
            true => Finding::warn(Self::NAME, "TARGET_UNKNOWN", format!("{digest} may lack parts: {why}")),
        }
    }

    /// The text of a finding about missing and unknown parts; none if there are no such parts.
    fn wanting(missing: &[Line], unknown: &[Line]) -> Option<String> {
        let missing = (!missing.is_empty()).then(|| format!("not in the registry: {}", Self::list(missing)));
        let unknown = (!unknown.is_empty()).then(|| format!("not known: {}", Self::list(unknown)));
        let why = joined(missing.into_iter().chain(unknown), "; ");
        (!why.is_empty()).then_some(why)
    }

    fn list(parts: &[Line]) -> String {
        let named = joined(parts.iter().take(Self::NAMED), ", ");
        match parts.len().saturating_sub(Self::NAMED) {
            0 => named,
            more => format!("{named}, and {more} more"),
        }
    }
}

impl Guardrail for PartsPresent {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn info(&self) -> GuardrailInfo {
        let refuses_if = "a rollback or a repair goes to a release of which parts are missing; a promotion warns";
        let overridable = &[Op::Rollback, Op::Repair];
        GuardrailInfo { refuses_if, overridable, ..GuardrailInfo::default() }
    }

    fn judge(&self, facts: &Facts) -> Finding {
        let Some(digest) = facts.target.as_ref().map(|target| target.digest) else {
            return Finding::pass(self.name(), "there is no target whose parts could be looked at");
        };
        let (missing, unknown) = (&facts.missing, &facts.unknown);
        match (facts.op, Self::wanting(missing, unknown)) {
            (op, None) => Finding::pass(self.name(), Self::complete(op, &digest)),
            (Op::Rollback | Op::Repair, Some(why)) if !missing.is_empty() => {
                Finding::refuse(self.name(), "TARGET_INCOMPLETE", format!("{digest} cannot run again: {why}"))
            }
            (_, Some(why)) => Self::warn(&digest, missing, &why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{ChannelState, TargetManifest, Verdict};
    use crate::value::Provenance;

    /// The verdict, the code and the reason, with this many missing and unknown parts.
    fn said(op: Op, missing: usize, unknown: usize) -> (Verdict, Option<String>, String) {
        let state = ChannelState::empty("reg.io/acme/shop:prod".parse().unwrap());
        let provenance = Provenance::new("manual", "1", "ada").unwrap();
        let mut facts = Facts::new(op, &state, provenance, "2026-11-23T06:00:00Z".parse().unwrap());
        facts.target = Some(TargetManifest::new(Digest::of(b"next"), Line::lossy("a/b"), 7));
        let parts = |what: &str, count| (0..count).map(|n| Line::lossy(format!("{what} {n}"))).collect();
        (facts.missing, facts.unknown) = (parts("blob", missing), parts("cdn.example.com: refused", unknown));
        let finding = PartsPresent.judge(&facts);
        (finding.verdict, finding.code().map(str::to_owned), finding.why.to_string())
    }

    #[test]
    fn missing_parts_refuse_a_rollback_and_a_repair_and_warn_otherwise() {
        let digest = Digest::of(b"next");
        for op in [Op::Rollback, Op::Repair] {
            let why = format!("{digest} cannot run again: not in the registry: blob 0");
            assert_eq!(said(op, 1, 0), (Verdict::Refuse, Some("TARGET_INCOMPLETE".to_owned()), why));
        }
        for op in [Op::Promote, Op::Bootstrap, Op::Adopt] {
            let why = format!("{digest} lacks parts: not in the registry: blob 0");
            assert_eq!(said(op, 1, 0), (Verdict::Warn, Some("TARGET_INCOMPLETE".to_owned()), why));
        }
    }

    #[test]
    fn unknown_parts_warn_whatever_the_move() {
        let digest = Digest::of(b"next");
        for op in [Op::Promote, Op::Rollback, Op::Repair] {
            let why = format!("{digest} may lack parts: not known: cdn.example.com: refused 0");
            assert_eq!(said(op, 0, 1), (Verdict::Warn, Some("TARGET_UNKNOWN".to_owned()), why));
        }
        let (verdict, code, why) = said(Op::Rollback, 1, 1);
        assert_eq!((verdict, code.as_deref()), (Verdict::Refuse, Some("TARGET_INCOMPLETE")));
        assert!(why.ends_with("not in the registry: blob 0; not known: cdn.example.com: refused 0"), "{why}");
    }

    #[test]
    fn parts_beyond_the_fourth_are_counted() {
        let (_, _, why) = said(Op::Rollback, 6, 0);
        assert!(why.ends_with(": blob 0, blob 1, blob 2, blob 3, and 2 more"), "{why}");
        assert!(said(Op::Rollback, 4, 0).2.ends_with(": blob 0, blob 1, blob 2, blob 3"));
    }

    #[test]
    fn complete_target_passes_and_says_what_was_looked_at() {
        let passes = |op| match said(op, 0, 0) {
            (Verdict::Pass, None, why) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(passes(Op::Promote), "its manifests are there; a promotion does not look for blobs");
        assert_eq!(passes(Op::Repair), format!("all parts of {} are there", Digest::of(b"next")));
        assert_eq!(passes(Op::Adopt), "an operation that takes what is there (adopt) looks at no parts");
    }
}
