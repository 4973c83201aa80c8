//! `ForwardOnly`: the guardrail against promotions from a newer release to an older one.

use std::cmp::Ordering;

use super::facts::{Facts, LiveHistory, LiveMove};
use super::finding::Finding;
use super::guardrail::Guardrail;
use super::mode::{GuardrailInfo, Mode};
use super::order::{Order, OrderBy, compare};
use super::way::Way;
use crate::log::{Op, OrderValue, ReleaseOrder};
use crate::value::Provenance;

/// The target is not older than the live release, by the order of the policy (ORDER_OUTDATED).
///
/// If the two cannot be compared (a value is missing, or is of another kind or series), the finding is a warning
/// (ORDER_UNKNOWN): an unknown value is never an older one. If the order requires a value, it refuses in every mode.
#[derive(Clone, Copy, Debug, Default)]
pub struct ForwardOnly;

impl ForwardOnly {
    /// Its name, for an override.
    pub const NAME: &'static str = "forward-only";

    fn unknown(order: Option<Order>, why: &str) -> Finding {
        match order.is_some_and(Order::is_required) {
            true => {
                let (why, ways) = (format!("{why}. A value is required"), vec![Way::Override("to move all the same")]);
                Finding { ways, ..Finding::refuse(Self::NAME, "ORDER_UNKNOWN", why).in_every_mode() }
            }
            false => Finding::warn(Self::NAME, "ORDER_UNKNOWN", why),
        }
    }

    fn outdated(facts: &Facts, target: &ReleaseOrder, live: &ReleaseOrder, by: &LiveMove) -> Finding {
        let mut ways = match (facts.op, facts.here, &facts.target) {
            (Op::Promote, LiveHistory::Earlier, Some(manifest)) => vec![Way::Rollback(manifest.digest)],
            _ => Vec::new(),
        };
        ways.push(Way::Override(match facts.op {
            Op::Promote => "to promote it all the same",
            _ => "to move to it all the same",
        }));
        let why = format!(
            "{} is older than {}, which is live: this is {}, and {} moved the live one (seq {})",
            said(target),
            said(live),
            run(&facts.provenance),
            run(&by.provenance),
            by.seq
        );
        Finding { ways, ..Finding::refuse(Self::NAME, "ORDER_OUTDATED", why) }
    }
}

/// `1.4.2 (semver)`, `41 (build-number of acme/shop/build.yml)`
fn said(order: &ReleaseOrder) -> String {
    let value = match &order.value {
        OrderValue::Number(number) => number.to_string(),
        OrderValue::Text(text) => text.to_string(),
    };
    let series = order.series.as_ref().map(|series| format!(" of {series}")).unwrap_or_default();
    format!("{value} ({}{series})", order.by)
}

fn run(provenance: &Provenance) -> String {
    let Provenance { pipeline, actor, .. } = provenance;
    format!("run {} of {} by {}", pipeline.run_id, pipeline.provider, actor.id)
}

/// The way to give a release a value of this kind.
fn remedy(by: OrderBy) -> &'static str {
    match by {
        OrderBy::Semver => {
            "promote it by a tag such as 1.4.2, annotate it with org.opencontainers.image.version, or give --order"
        }
        OrderBy::Created => "annotate it with org.opencontainers.image.created, or give --order",
        OrderBy::BuildNumber => "annotate it with dev.tagwarden.build-number, or give --order",
        OrderBy::Unordered => "give --order",
    }
}

impl Guardrail for ForwardOnly {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn info(&self) -> GuardrailInfo {
        let refuses_if = "the target is older than the live release, by `[order]`";
        let ops = &[Op::Promote];
        GuardrailInfo { refuses_if, mode: Mode::Warn, ops, overridable: ops, ..GuardrailInfo::default() }
    }

    fn judge(&self, facts: &Facts) -> Finding {
        let pass = |why: String| Finding::pass(self.name(), why);
        let by = match facts.order.map(Order::by) {
            None | Some(OrderBy::Unordered) => return pass("releases have no order here".to_owned()),
            Some(by) => by,
        };
        let Some(target) = &facts.place else {
            let remedy = match facts.op {
                Op::Promote | Op::Bootstrap => remedy(by),
                Op::Rollback | Op::Repair | Op::Adopt => "the log of the channel has none",
            };
            let unread = facts.unread.as_ref().map(|why| format!("{why}; ")).unwrap_or_default();
            let why = format!("the release has no value by {}: {unread}{remedy}", by.as_str());
            return Self::unknown(facts.order, &why);
        };
        let Some(live_move) = &facts.live_move else { return pass(format!("{} is the first release", said(target))) };
        let Some(live) = &live_move.place else {
            let (target, seq, run) = (said(target), live_move.seq, run(&live_move.provenance));
            let why =
                format!("{target} cannot be compared: the live release, moved by {run} (seq {seq}), has no value");
            return Self::unknown(facts.order, &why);
        };
        match compare(target, live) {
            None => {
                let why = format!("{} and {}, which is live, cannot be compared", said(target), said(live));
                Self::unknown(facts.order, &why)
            }
            Some(Ordering::Less) => Self::outdated(facts, target, live, live_move),
            Some(_) => pass(format!("{} is not older than {}, which is live", said(target), said(live))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::log::{ChannelState, TargetManifest, Verdict};
    use crate::policy::{GuardrailUse, Policy};
    use crate::value::{Digest, Line};

    /// A promotion by ada over a release that bob moved, with these values of build 9 of a series and so on.
    fn facts(by: OrderBy, required: bool, target: Option<ReleaseOrder>, live: Option<ReleaseOrder>) -> Facts {
        let mut state = ChannelState::empty("reg.io/acme/shop:prod".parse().unwrap());
        state.live = Some(Digest::of(b"live"));
        let by_ada = Provenance::new("github-actions", "42", "ada").unwrap();
        let mut facts = Facts::new(Op::Promote, &state, by_ada, "2026-11-23T06:00:00Z".parse().unwrap());
        facts.target = Some(TargetManifest::new(Digest::of(b"next"), Line::lossy("a/b"), 7));
        facts.order = Some(Order::new(by, required).unwrap());
        facts.place = target;
        let provenance = Provenance::new("github-actions", "43", "bob").unwrap();
        facts.live_move = Some(LiveMove { seq: 7, place: live, provenance });
        facts
    }

    fn value(by: OrderBy, text: &str, series: Option<&str>) -> Option<ReleaseOrder> {
        Some(Order::new(by, false).unwrap().value(text, series.map(Line::lossy)).unwrap())
    }

    fn said_of(facts: &Facts) -> (Verdict, Option<String>, String) {
        let refuses = GuardrailUse { mode: Some(Mode::Refuse), ..GuardrailUse::default() };
        let policy = Policy::new(Line::lossy("own"), vec![Arc::new(ForwardOnly)]).unwrap();
        let policy = policy.with_use(ForwardOnly::NAME, refuses).unwrap();
        let finding = policy.judge(facts).findings.remove(0);
        (finding.verdict, finding.code().map(str::to_owned), finding.why.to_string())
    }

    #[test]
    fn older_release_is_refused_with_both_values_and_both_runs() {
        let semver = |text| value(OrderBy::Semver, text, None);
        let mut facts = facts(OrderBy::Semver, false, semver("1.1.0"), semver("1.2.0"));
        let why = "1.1.0 (semver) is older than 1.2.0 (semver), which is live: this is run 42 of github-actions by ada, \
                   and run 43 of github-actions by bob moved the live one (seq 7); to promote it all the same: \
                   --override forward-only --reason …";
        assert_eq!(said_of(&facts), (Verdict::Refuse, Some("ORDER_OUTDATED".to_owned()), why.to_owned()));
        facts.here = LiveHistory::Earlier;
        let back = format!("tagwarden rollback reg.io/acme/shop:prod --to {}; ", Digest::of(b"next"));
        assert!(said_of(&facts).2.contains(&back), "{:?}", said_of(&facts));
        facts.place = semver("1.2");
        let pass = "1.2 (semver) is not older than 1.2.0 (semver), which is live";
        assert_eq!(said_of(&facts), (Verdict::Pass, None, pass.to_owned()));
    }

    #[test]
    fn releases_that_cannot_be_compared_are_a_warning() {
        let build = |text, series| value(OrderBy::BuildNumber, text, Some(series));
        let cases = [
            (
                build("9", "a/build.yml"),
                build("10", "b/build.yml"),
                "9 (build-number of a/build.yml) and 10 (build-number of b/build.yml), which is live, cannot be compared",
            ),
            (
                build("9", "a"),
                None,
                "9 (build-number of a) cannot be compared: the live release, moved by run 43 of github-actions by bob (seq 7), has no value",
            ),
            (
                None,
                build("9", "a"),
                "the release has no value by build-number: annotate it with dev.tagwarden.build-number, or give --order",
            ),
        ];
        for (target, live, why) in cases {
            let warned = said_of(&facts(OrderBy::BuildNumber, false, target.clone(), live.clone()));
            assert_eq!(warned, (Verdict::Warn, Some("ORDER_UNKNOWN".to_owned()), why.to_owned()));
            let refused = said_of(&facts(OrderBy::BuildNumber, true, target, live));
            let required =
                format!("{why}. A value is required; to move all the same: --override forward-only --reason …");
            assert_eq!(refused, (Verdict::Refuse, Some("ORDER_UNKNOWN".to_owned()), required));
        }
    }

    #[test]
    fn annotation_that_cannot_be_read_is_named() {
        let mut facts = facts(OrderBy::Semver, false, None, value(OrderBy::Semver, "1.2.0", None));
        facts.unread = Some(Line::lossy("its annotation x is \"y\", which is no version"));
        let why = said_of(&facts).2;
        let want =
            "the release has no value by semver: its annotation x is \"y\", which is no version; promote it by a tag";
        assert!(why.starts_with(want), "{why}");
    }

    #[test]
    fn value_that_only_a_promotion_can_give_is_not_asked_of_another_move() {
        let mut facts = facts(OrderBy::Semver, false, None, value(OrderBy::Semver, "1.2.0", None));
        facts.op = Op::Rollback;
        let finding = ForwardOnly.judge(&facts);
        assert_eq!(finding.why.as_str(), "the release has no value by semver: the log of the channel has none");
    }

    #[test]
    fn releases_without_an_order_pass() {
        let mut facts = facts(OrderBy::Unordered, false, None, None);
        assert_eq!(said_of(&facts).2, "releases have no order here");
        facts.order = None;
        assert_eq!(said_of(&facts).0, Verdict::Pass);
    }

    #[test]
    fn first_release_of_a_channel_passes() {
        let mut facts = facts(OrderBy::Semver, true, value(OrderBy::Semver, "0.1.0", None), None);
        facts.live_move = None;
        assert_eq!(said_of(&facts), (Verdict::Pass, None, "0.1.0 (semver) is the first release".to_owned()));
    }
}
