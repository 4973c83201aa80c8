//! Judgement of moves: pure functions of facts. No I/O, no async, no clock.
//!
//! A [`Guardrail`] judges [`Facts`] and returns a [`Finding`]; a [`Policy`] is a list of guardrails, each with
//! a [`Mode`]. A [`Refusal`] is a decision, not a failure.

mod blocked;
mod evaluation;
mod facts;
mod finding;
mod forward;
mod guardrail;
mod mode;
mod order;
mod overrides;
mod parts;
mod refusal;
mod rolled_back;
#[cfg(test)]
mod sample;
mod way;

pub use blocked::NotBlocked;
pub use evaluation::Policy;
pub use facts::{BlockedOn, ExpectedDigest, Facts, LeftBy, LiveHistory, LiveMove, Tagged, Upstream};
pub use finding::Finding;
pub use forward::ForwardOnly;
pub use guardrail::{ExpectedState, Guardrail, NoHold, PromotionOrder, ProvenanceComplete, TargetReadable};
pub use mode::{GuardrailInfo, GuardrailUse, Mode};
pub use order::{Order, OrderBy};
pub use overrides::OverrideRule;
pub use parts::PartsPresent;
pub use refusal::{PolicyEvaluation, Refusal};
pub use rolled_back::NotRolledBack;
