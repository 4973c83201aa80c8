//! The facade: gathers facts and drives the state machine of a move. It has no rule of its own.

mod audit;
mod block;
mod diff;
mod driver;
mod effects;
mod explain;
mod facts;
mod foreign;
mod history;
mod inner;
mod machine;
mod move_request;
mod naming;
mod order;
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
pub use block::BlockResult;
pub use diff::DiffOptions;
pub use history::History;
pub use inner::ProgressObserver;
pub use machine::{OnConflict, WaitReason};
pub use move_request::MoveRequest;
pub use past::{DriftSeen, HistoryPage, LiveAt};
pub use plan::{ApprovedPlan, DeadMove, DeadMoveEnd, Plan};
pub use promoter::{Promoter, PromoterBuilder};
pub use query::ChannelStatus;
pub use receipt::{Live, MoveResult, Receipt};
pub use recover::{RecoveryMode, RecoveryResult};
pub use request::{BootstrapOptions, LEDGER_COMPLETE, MoveOptions, Operation};
pub use rollback::AfterRollback;
pub use times::Times;
