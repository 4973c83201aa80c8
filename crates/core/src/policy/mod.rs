//! Judgement of moves: pure functions of facts. No I/O, no async, no clock.
//!
//! A [`Guardrail`] judges [`Facts`] and returns a [`Finding`]; a [`Policy`] is a list of guardrails. A [`Refusal`] is a
//! decision, not a failure.

mod evaluation;
mod facts;
mod guardrail;
mod parts;
mod refusal;

pub use evaluation::{Policy, PolicyEvaluation};
pub use facts::{ExpectedDigest, Facts, LiveHistory, Tagged, Upstream};
pub use guardrail::{ExpectedState, Finding, Guardrail, NoHold, PromotionOrder, ProvenanceComplete, TargetReadable};
pub use parts::PartsPresent;
pub use refusal::Refusal;
