//! Judgement of moves, drift and retention: pure functions of facts. No I/O, no async, no clock.
//!
//! A [`Guardrail`] judges [`Facts`] and returns a [`Finding`]; a [`Policy`] is a list of guardrails. A [`Refusal`] is a
//! decision, not a failure.

mod drift;
mod facts;
mod guardrail;
mod parts;
mod policy;
mod retention;

pub use drift::{AuditReport, Audited, Drift, Landing};
pub use facts::{ExpectedDigest, Facts, Passage, Tagged, Upstream};
pub use guardrail::{ExpectedState, Finding, Guardrail, NoHold, PromotionOrder, ProvenanceComplete, TargetReadable};
pub use parts::PartsPresent;
pub use policy::{Judgement, Policy, Refusal};
pub use retention::{
    ChannelHistory, Evidence, Expire, Fate, Judged, Keep, Lived, MayDelete, OpenDigests, Pin, RetentionPlan,
    RetentionRule, Shape, Tried,
};
