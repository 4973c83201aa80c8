//! Retention: decides which digests of a repository must stay, and which may be deleted. It deletes nothing.

mod evidence;
mod fate;
mod history;
mod plan;
mod rule;
#[cfg(test)]
mod tests;

pub use evidence::{ManifestKind, RetentionInput};
pub use fate::{DeleteReason, DigestRetention, KeepReason, MayDelete, Pin, RetentionDecision};
pub use history::{ChannelUsage, FailedTarget, LivePeriod, OpenDigests};
pub use plan::RetentionPlan;
pub use rule::RetentionRule;
