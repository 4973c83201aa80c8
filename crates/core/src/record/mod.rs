//! What is written down. Pure: no I/O, no async, no clock.
//!
//! An [`Entry`] is one immutable record; its canonical bytes are the record ([`Sealed`]). A [`ChannelState`] is the fold
//! of a channel's log up to some position: what is live, what was before, which move is open.

mod body;
mod entry;
mod event;
mod fold;
mod json;
mod log;
pub mod merkle;
#[cfg(test)]
mod proptests;
mod tape;
mod verify;

pub use entry::{
    Adoption, Approval, Attribution, Body, Deadlines, Decision, Entry, ErrorNote, FindingNote, Hold, Intent, Kind,
    Leaf, MAX_ENTRY, MovedTo, Observation, ObservationCause, Op, Outcome, OverrideNote, PolicyNote, Predecessor,
    Release, Sealed, Source, Status, Subject, Takeover, Verdict,
};
pub use event::{Closing, EventStatus, PromotionEvent, TakenOver, Window, events};
pub use fold::{ChannelState, Closed, Defect, DefectCode, OpenMove, Standing, Step};
pub use json::canonical;
pub use log::check;
pub use verify::{LogReport, Verifier};
