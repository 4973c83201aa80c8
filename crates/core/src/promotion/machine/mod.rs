//! The state machine of a move, without I/O.
//!
//! The machine returns the next thing to do ([`Effect`]) and takes the result ([`Input`]). The driver performs effects
//! against a real registry and ledger; the model check performs them against interleavings, crashes, delays and reads
//! that lag. Both run the same machine.
//!
//! # Steps
//! The names are those of `docs/internals/protocol.md`.
//!
//! | step | does | where |
//! | --- | --- | --- |
//! | look | reads log and tag | [`moving`] |
//! | replay, wait, drift | compares them with the request | [`situation`] |
//! | judge | asks the policy | [`moving`] |
//! | intent, pin | appends the intent, then the pins | [`moving`] |
//! | guard, put, outcome | runs a move that this worker holds | [`holding`] |
//! | read back | concludes from a read of the tag for that move | `holding::concluding` |
//! | takeover, closing | closes a move that another worker left open | [`clearing`] |
//!
//! Reads that may lag are judged by [`windows`].

mod ask;
mod claim;
mod clearing;
mod effect;
mod end;
mod holding;
#[cfg(test)]
mod model;
mod moving;
#[cfg(test)]
mod rules;
mod situation;
#[cfg(test)]
mod tests;
mod windows;

pub use ask::OnConflict;
pub(crate) use ask::{Ask, Key, Want, Worker};
pub(crate) use clearing::Clearing;
pub use effect::WaitReason;
pub(crate) use effect::{AppendEnd, Effect, Input, Next, PutEnd, back_off};
pub(crate) use end::{End, Replay, Why};
pub(crate) use holding::Part;
pub(crate) use moving::{Moving, same_basis};
pub(crate) use situation::Change;
pub(crate) use windows::{FirstRead, LogRead, Ms, TagRead};
