//! The facade: gathers facts and drives the state machine of a move. It has no rule of its own.

mod audit;
mod behind;
mod driver;
mod effects;
mod explain;
mod facts;
mod foreign;
mod inner;
mod machine;
mod parts;
mod past;
mod pins;
mod plan;
mod promoter;
mod query;
mod read_ahead;
mod receipt;
mod recover;
mod releases;
mod request;
mod retention;
mod rollback;
#[cfg(test)]
mod tests;
mod times;

pub use audit::{AuditLooks, AuditOptions};
pub use inner::{Wait, Watcher};
pub use machine::OnConflict;
pub use past::{DriftSeen, LiveAt, Page};
pub use plan::{Approved, Closing, DeadMove, Plan};
pub use promoter::Promoter;
pub use query::Current;
pub use receipt::{Live, MoveResult, Receipt};
pub use recover::{Recovered, RecoveryMode};
pub use request::{First, LEDGER_COMPLETE, Operation, Terms};
pub use rollback::RollbackTarget;
pub use times::Times;
