//! The running protocol: the real promoter over real ledgers, with crashes, faults, rivals and waiting times.
//!
//! Unless another process takes part, time is tokio's paused time: a wait of 90 s takes no real time.

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
