//! The protocol as it runs: the real promoter over real ledgers, among crashes, faults, rivals and time.
//!
//! Time is tokio's, paused, wherever no other process takes part: 90 s of waiting take nothing.

mod backend;
mod child;
mod clocks;
mod crash_table;
mod faults;
mod gate;
mod invariants;
mod kills;
mod kinds;
mod lagging;
mod lossy;
mod seeds;
mod simulation;
mod stripped;
mod world;
mod writers;
