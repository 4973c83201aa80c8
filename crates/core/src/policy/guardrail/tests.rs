use super::*;
use crate::error::Retry;
use crate::log::{ActiveHold, ChannelState, HoldScope, TargetManifest, Verdict};
use crate::value::{Digest, Line};

fn facts(op: Op) -> Facts {
    let mut state = ChannelState::empty("reg.io/acme/shop:prod".parse().unwrap());
    state.live = Some(Digest::of(b"live"));
    let provenance = Provenance::new("github-actions", "42", "octocat").unwrap();
    let mut facts = Facts::new(op, &state, provenance, "2026-11-23T06:00:00Z".parse().unwrap());
    facts.observed = facts.live;
    facts.target = Some(TargetManifest::new(Digest::of(b"next"), "application/json".parse().unwrap(), 7));
    facts
}

fn said(guardrail: &dyn Guardrail, facts: &Facts) -> (Verdict, Option<String>, String) {
    let finding = guardrail.judge(facts);
    assert_eq!(finding.guardrail.as_str(), guardrail.name());
    assert_eq!(finding.code.is_some(), finding.verdict != Verdict::Pass, "a code if and only if it is no pass");
    (finding.verdict, finding.code().map(str::to_owned), finding.why.to_string())
}

fn refused(guardrail: &dyn Guardrail, facts: &Facts) -> (String, String) {
    let (verdict, code, why) = said(guardrail, facts);
    assert_eq!(verdict, Verdict::Refuse, "{why}");
    (code.unwrap(), why)
}

fn passed(guardrail: &dyn Guardrail, facts: &Facts) -> String {
    let (verdict, _, why) = said(guardrail, facts);
    assert_eq!(verdict, Verdict::Pass, "{why}");
    why
}

fn upstream(passage: LiveHistory) -> Option<Upstream> {
    let (environment, channel) = ("preprod".parse().unwrap(), "reg.io/acme/shop:preprod".parse().unwrap());
    let log = UpstreamLog { environment, channel, size: 7, root: Digest::of(b"root") };
    let live = Some(Digest::of(if passage == LiveHistory::Live { b"next" } else { b"other" }));
    Some(Upstream { log, live, passage })
}

#[test]
fn provenance_is_written_down_with_what_it_lacks() {
    let mut facts = facts(Op::Promote);
    assert_eq!(
        passed(&ProvenanceComplete, &facts),
        "run 42 of github-actions by octocat (a workload, not verified), no commit, no release"
    );
    facts.provenance.commit = Some("0123abc".parse().unwrap());
    facts.provenance.release = Some("v1.4.2".parse().unwrap());
    assert!(passed(&ProvenanceComplete, &facts).ends_with("commit 0123abc, release v1.4.2"));
    facts.provenance.actor.kind = ActorKind::Other;
    assert_eq!(refused(&ProvenanceComplete, &facts).0, "PROVENANCE_INCOMPLETE");
}

#[test]
fn an_absent_target_is_refused_by_the_name_it_was_given() {
    let mut facts = facts(Op::Promote);
    facts.source = Some(Source::Reference("reg.io/acme/shop:1.4.2".parse().unwrap()));
    let digest = Digest::of(b"next");
    assert_eq!(
        passed(&TargetReadable, &facts),
        format!("reg.io/acme/shop:1.4.2 is {digest}, application/json, 7 bytes")
    );
    facts.target = None;
    assert_eq!(
        refused(&TargetReadable, &facts),
        ("TARGET_ABSENT".to_owned(), "reg.io/acme/shop:1.4.2 does not exist in the registry".to_owned())
    );
}

#[test]
fn tag_beside_the_digest_that_points_elsewhere_is_a_warning() {
    let mut facts = facts(Op::Promote);
    let (digest, other) = (Digest::of(b"next"), Digest::of(b"other"));
    let source = format!("reg.io/acme/shop@{digest}");
    facts.source = Some(Source::Reference(source.parse().unwrap()));
    let is = format!("{source} is {digest}, application/json, 7 bytes");
    let mut tagged = |answered| {
        facts.tagged = Some(Tagged { tag: "1.4.2".parse().unwrap(), answered });
        said(&TargetReadable, &facts)
    };
    assert_eq!(tagged(Some(digest)), (Verdict::Pass, None, is.clone()));
    let warned =
        |what: String| (Verdict::Warn, Some("TARGET_TAG_DIFFERS".to_owned()), format!("{is}; the tag 1.4.2 {what}"));
    assert_eq!(tagged(Some(other)), warned(format!("that was named with it points at {other}")));
    assert_eq!(tagged(None), warned("that was named with it does not exist".to_owned()));
}

#[test]
fn an_expectation_is_held_against_live_or_against_what_was_observed() {
    let (live, other) = (Digest::of(b"live"), Digest::of(b"other"));
    let check = |op, live: Option<Digest>, observed, expect| {
        let mut facts = facts(op);
        (facts.live, facts.observed, facts.expected) = (live, observed, expect);
        let finding = ExpectedState.judge(&facts);
        finding.refuses().then(|| finding.why.to_string())
    };
    let points = |want: &dyn fmt::Display, found: &dyn fmt::Display| {
        Some(format!("reg.io/acme/shop:prod should point at {want}, and points at {found}"))
    };
    assert_eq!(check(Op::Promote, Some(live), Some(live), ExpectedDigest::Any), None);
    assert_eq!(check(Op::Promote, Some(live), Some(live), ExpectedDigest::At(live)), None);
    assert_eq!(check(Op::Promote, Some(live), Some(live), ExpectedDigest::At(other)), points(&other, &live));
    assert_eq!(check(Op::Repair, Some(live), Some(other), ExpectedDigest::At(other)), None);
    assert_eq!(check(Op::Adopt, Some(live), Some(other), ExpectedDigest::At(live)), points(&live, &other));
    assert_eq!(check(Op::Bootstrap, None, None, ExpectedDigest::Absent), None);
    assert_eq!(check(Op::Bootstrap, None, None, ExpectedDigest::At(live)), points(&live, &"nothing"));
    assert_eq!(check(Op::Bootstrap, None, Some(live), ExpectedDigest::Absent), points(&"nothing", &live));
    assert_eq!(check(Op::Repair, Some(live), None, ExpectedDigest::Absent), points(&"nothing", &live));
}

#[test]
fn no_hold_says_every_hold_that_stops_the_move() {
    let mut facts = facts(Op::Promote);
    assert!(passed(&NoHold, &facts).starts_with("no hold on reg.io/acme/shop:prod stops a promote"));
    facts.holds = vec![hold(9, HoldScope::Promotions, None)];
    let why = "held for promotions by ada until it is ended (hold 9): incident 7";
    assert_eq!(refused(&NoHold, &facts), ("CHANNEL_HELD".to_owned(), why.to_owned()));
    assert_eq!(NoHold.judge(&facts).retry, Some(Retry::Later));
    facts.holds.push(hold(10, HoldScope::All, Some("2026-11-24T00:00:00Z")));
    let both = format!("{why}; held for all moves by ada until 2026-11-24T00:00:00.000Z (hold 10): incident 7");
    assert_eq!(refused(&NoHold, &facts).1, both);
    facts.holds = vec![hold(11, HoldScope::All, Some("2026-11-23T05:58:00Z"))];
    let why = "held for all moves by ada until 2026-11-23T05:58:00.000Z (hold 11): incident 7 (it counts for 5 min \
               longer, as clocks may differ)";
    assert_eq!(refused(&NoHold, &facts).1, why);
}

fn hold(seq: u64, scope: HoldScope, until: Option<&str>) -> ActiveHold {
    let (reason, provenance) = (Line::lossy("incident 7"), Provenance::new("manual", "1", "ada").unwrap());
    ActiveHold { seq, scope, reason, provenance, until: until.map(|until| until.parse().unwrap()) }
}

#[test]
fn facts_have_the_holds_in_force_whose_scope_covers_the_move() {
    let mut state = ChannelState::empty("reg.io/acme/shop:prod".parse().unwrap());
    state.holds = vec![hold(1, HoldScope::All, Some("2026-11-23T06:00:00Z")), hold(2, HoldScope::Promotions, None)];
    let provenance = Provenance::new("manual", "1", "ada").unwrap();
    let held = |op, at: &str| -> Vec<u64> {
        let facts = Facts::new(op, &state, provenance.clone(), at.parse().unwrap());
        facts.holds.iter().map(|hold| hold.seq).collect()
    };
    for (op, before, after) in [
        (Op::Promote, vec![1, 2], vec![2]),
        (Op::Bootstrap, vec![1, 2], vec![2]),
        (Op::Rollback, vec![1], vec![]),
        (Op::Repair, vec![1], vec![]),
        (Op::Adopt, vec![1], vec![]),
    ] {
        assert_eq!(held(op, "2026-11-23T05:59:59Z"), before, "{op:?}");
        assert_eq!(held(op, "2026-11-23T06:04:59.999Z"), before, "{op:?}: clocks may differ by 5 min");
        assert_eq!(held(op, "2026-11-23T06:05:00Z"), after, "{op:?}");
    }
}

#[test]
fn promotion_order_by_operation_and_passage() {
    use LiveHistory::{Earlier, Live, Never};
    use Verdict::{Pass, Refuse, Warn};
    let table = [
        // operation, upstream, here → verdict
        (Op::Promote, None, Never, Pass),
        (Op::Promote, Some(Live), Never, Pass),
        (Op::Promote, Some(Earlier), Never, Warn),
        (Op::Promote, Some(Never), Never, Refuse),
        (Op::Promote, Some(Never), Earlier, Refuse),
        (Op::Rollback, Some(Never), Earlier, Pass),
        (Op::Rollback, Some(Never), Never, Refuse),
        (Op::Rollback, Some(Live), Never, Pass),
        (Op::Rollback, None, Never, Pass),
        (Op::Bootstrap, Some(Never), Never, Refuse),
        (Op::Bootstrap, Some(Earlier), Never, Warn),
        (Op::Bootstrap, Some(Live), Never, Pass),
        (Op::Bootstrap, None, Never, Pass),
        (Op::Repair, Some(Never), Live, Pass),
        (Op::Adopt, Some(Never), Never, Warn),
        (Op::Adopt, Some(Live), Never, Pass),
        (Op::Adopt, None, Never, Pass),
    ];
    for (op, passage, here, want) in table {
        let mut facts = facts(op);
        facts.upstream = passage.and_then(upstream);
        facts.here = here;
        if op == Op::Bootstrap {
            facts.observed = None;
        }
        let (verdict, _, why) = said(&PromotionOrder, &facts);
        assert_eq!(verdict, want, "{op:?} {passage:?} {here:?}: {why}");
    }
}

#[test]
fn bootstrap_of_the_tag_as_it_is_passes_the_promotion_order() {
    let mut facts = facts(Op::Bootstrap);
    facts.upstream = upstream(LiveHistory::Never);
    assert_eq!(passed(&PromotionOrder, &facts), "a bootstrap takes the tag as it is, whatever it is");
}

#[test]
fn a_skipped_environment_is_named_with_both_digests() {
    let mut facts = facts(Op::Promote);
    facts.upstream = upstream(LiveHistory::Never);
    let (next, other) = (Digest::of(b"next"), Digest::of(b"other"));
    let why = format!("{next} was never live in preprod (reg.io/acme/shop:preprod); {other} is live there now");
    assert_eq!(refused(&PromotionOrder, &facts), ("STAGE_SKIPPED".to_owned(), why));
    facts.target = None;
    assert_eq!(refused(&PromotionOrder, &facts).0, "STAGE_SKIPPED", "no target refuses too");
}
