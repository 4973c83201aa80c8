//! The model check: the protocol against interleavings. A few workers, with crashes anywhere, puts that are delayed,
//! dropped and repeated, lost answers, foreign writers, auditors, holds, and reads that answer any value of the window.
//!
//! It runs the real machines. One unit of time is one of their milliseconds. Each property is about the world (the
//! tag), not about a worker's result.

mod cases;
mod checks;
mod large;
mod left_out;
mod search;
mod setup;
mod work;
mod world;

use std::sync::Arc;

use self::search::{holds, holds_within, is_missed};
use self::setup::{Goal, Setup, Start, adopt, audit, bootstrap, promote, recover, repair, rollback};
use self::world::{Flying, Left, Running, Slot, Todo, World};
use super::rules::Rule;
use super::*;
use crate::log::{Body, Deadlines, Op, OpenMove, PutStatus, Status};
use crate::value::{Digest, IdempotencyKey, Line};

/// A digest made from this name, without a hash: a hash would take longer than a step.
fn digest(name: &str) -> Digest {
    let mut bytes = [0; 32];
    for (at, byte) in name.bytes().enumerate() {
        bytes[at % 32] ^= byte.rotate_left(u32::try_from(at / 32).unwrap());
    }
    Digest::Sha256(bytes)
}

fn text(text: impl AsRef<str>) -> Line {
    text.as_ref().parse().unwrap()
}

#[derive(Clone, Debug, PartialEq)]
enum Event {
    Tick,
    Work(usize, Choice),
    Crash(usize),
    Land(usize, Keep),
    Drop(usize),
    Arrive(usize),
    Note,
    Hold,
    Unhold,
    Block,
    Unblock,
    Foreign,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Keep {
    /// It lands, and may land again.
    Repeat,
    Last,
}

/// The way in which a worker's step goes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Choice {
    Fine,
    /// The log is read before the tag. `Fine` reads the tag first.
    Other,
    /// A read or an append fails, and the worker knows.
    Fail,
    /// An append is stored, but not answered.
    Flaw,
    /// An append is not answered and not stored yet: it may be stored later, or never.
    Late,
    /// A put is refused; a pin is not confirmed.
    Refuse,
    /// The answer to a put is lost.
    Lost,
    /// A read answers the nth value of the window, which the tag has no more.
    Old(usize),
}
