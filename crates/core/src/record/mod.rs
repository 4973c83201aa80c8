//! What is written down. Pure: no I/O, no async, no clock.
//!
//! An [`Entry`] is one immutable record; its canonical bytes are the record ([`Sealed`]). A [`ChannelState`] is the fold
//! of a channel's log up to some position: what is live, what was before, which move is open.

mod body;
mod entry;
mod event;
mod fold;
mod intent;
mod json;
mod log;
pub mod merkle;
#[cfg(test)]
pub(crate) mod proptests;
mod tape;
mod verify;

pub use entry::{
    Adoption, Approval, Attribution, Body, Entry, ErrorNote, Hold, Kind, Leaf, MAX_ENTRY, MovedTo, Observation,
    ObservationCause, Outcome, Release, Sealed, Status, Takeover,
};
pub use event::{Closing, EventStatus, PromotionEvent, TakenOver, Window, events};
pub use fold::{ChannelState, Closed, Defect, DefectCode, GoesOn, OpenMove, Standing, Step};
pub use intent::{
    Deadlines, Decision, FindingNote, Intent, Op, OverrideNote, PolicyNote, Predecessor, Source, Subject, Verdict,
};
pub use json::canonical;
pub use log::check;
pub use verify::{LogReport, Verifier};
