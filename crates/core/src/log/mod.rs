//! The log format: entries, their hash chain and the state computed from them. Pure: no I/O, no async, no clock.
//!
//! An [`Entry`] is one immutable record; its canonical bytes are what is stored and hashed ([`EncodedEntry`]). A
//! [`ChannelState`] is the state of a channel after the entries of its log up to some position: the live digest, the
//! previous one, the open move.

mod body;
mod defect;
mod encode;
mod entry;
mod envelope;
mod intent;
pub mod merkle;
mod move_record;
#[cfg(test)]
pub(crate) mod proptests;
mod state;
mod verify;

pub use body::{
    Approval, Approver, Block, Check, CheckName, CheckVerdict, Deployment, Hold, HoldScope, Migrated, Observation,
    ObservationCause, Outcome, PolicyEntry, PutStatus, RecordedError, Status, Takeover, TakeoverOp, Unblock, Unhold,
};
pub use defect::{Defect, DefectCode};
pub use encode::canonical;
pub use entry::{Body, EncodedEntry, Entry, EntryHash, Kind, MAX_ENTRY};
pub use envelope::check;
pub use intent::{
    Deadlines, Decision, Expected, Intent, MoveSet, OnFailure, Op, OrderValue, Predecessor, RecordedCheck,
    RecordedFinding, RecordedOverride, RecordedPolicy, ReleaseOrder, Source, TargetManifest, UpstreamLog, Verdict,
};
pub use move_record::{MoveRecord, MoveStatus, OutcomeRecord, TakeoverRecord, events};
pub use state::{
    ActiveBlock, ActiveHold, CLOCK_TOLERANCE_MS, ChannelState, ClosedMove, Ended, Mark, MayBe, MayBeCause, MigratedTo,
    OpenMove, PolicyInForce, PossiblyOpen, RolledBack, RolledBackCause, Trail,
};
pub use verify::{LogReport, Verifier};
