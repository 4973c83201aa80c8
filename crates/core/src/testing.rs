//! The sources of the crate `tagwarden-testing` that the unit tests of this crate need. They cannot use that crate itself:
//! it depends on this one, and its types would be those of another build.

#![allow(
    unreachable_pub,
    dead_code,
    unused_imports,
    reason = "the modules are public, and used in full, where they belong"
)]

#[path = "../../testing/src/clock.rs"]
mod clock;
#[path = "../../testing/src/entries.rs"]
pub(crate) mod entries;
#[path = "../../testing/src/faulty/mod.rs"]
mod faulty;
#[path = "../../testing/src/memory/mod.rs"]
mod memory;
#[path = "../../testing/src/script.rs"]
mod script;

pub(crate) use clock::PausedClock;
pub(crate) use faulty::*;
pub(crate) use memory::*;
pub(crate) use script::Script;
