//! The log format: entries, their hash chain and the state computed from them. Pure: no I/O, no async, no clock.
//!
//! An [`Entry`] is one immutable record; its canonical bytes are what is stored and hashed ([`Sealed`]). A
//! [`ChannelState`] is the state of a channel after the entries of its log up to some position: the live digest, the
//! previous one, the open move.

mod body;
mod canonical;
mod defect;
mod doubt;
mod entry;
mod intent;
mod link;
pub mod merkle;
mod move_record;
#[cfg(test)]
pub(crate) mod proptests;
mod read;
mod state;
mod trail;
mod verify;

pub use body::{
    Approval, Approver, Block, Check, CheckName, CheckVerdict, Deployment, ErrorNote, Hold, HoldScope, Migrated,
    Observation, ObservationCause, Outcome, PolicyEntry, PutStatus, Status, Takeover, TakeoverOp, Unblock, Unhold,
};
pub use canonical::canonical;
pub use defect::{Defect, DefectCode};
pub use doubt::PossiblyOpen;
pub use entry::{Body, Entry, Kind, Leaf, MAX_ENTRY, Sealed};
pub use intent::{
    CheckNote, Deadlines, Decision, Expected, FindingNote, Intent, MoveSet, OnFailure, Op, OrderValue, OverrideNote,
    PolicyNote, Predecessor, ReleaseOrder, Source, TargetManifest, UpstreamLog, Verdict,
};
pub use link::check;
pub(crate) use link::check_link;
pub use move_record::{Closing, EventStatus, PromotionEvent, TakenOver, Window, events};
pub use state::{ActiveHold, CLOCK_TOLERANCE_MS, ChannelState, Closed, MigratedTo, OpenMove, PolicyInForce, Step};
pub use trail::{Ended, Mark, MayBe, MayBeCause, Trail};
pub use verify::{LogReport, Verifier};
