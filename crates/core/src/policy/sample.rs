//! Facts and a hold for the tests of policies.

use super::Facts;
use crate::log::{ActiveHold, ChannelState, HoldScope, Op, TargetManifest};
use crate::value::{Digest, Line, Provenance};

/// A promotion of `next` to prod, where `live` is live.
pub(super) fn facts() -> Facts {
    let mut state = ChannelState::empty("reg.io/acme/shop:prod".parse().unwrap());
    state.live = Some(Digest::of(b"live"));
    let provenance = Provenance::new("github-actions", "42", "octocat").unwrap();
    let mut facts = Facts::new(Op::Promote, &state, provenance, "2026-11-23T06:00:00Z".parse().unwrap());
    facts.target = Some(TargetManifest::new(Digest::of(b"next"), Line::lossy("a/b"), 7));
    facts
}

/// A hold of promotions by ada.
pub(super) fn hold() -> ActiveHold {
    let (reason, provenance) = (Line::lossy("incident 7"), Provenance::new("manual", "1", "ada").unwrap());
    ActiveHold { seq: 9, scope: HoldScope::Promotions, reason, provenance, until: None }
}
