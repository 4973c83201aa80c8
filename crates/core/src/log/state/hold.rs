//! `ActiveHold`: a hold that no entry ended.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::log::HoldScope;
use crate::value::{Line, Provenance, Timestamp};

/// A hold that no [`Unhold`](crate::log::Unhold) ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ActiveHold {
    /// Its position, which is its id.
    pub seq: u64,
    /// The moves that it stops.
    pub scope: HoldScope,
    /// The reason.
    pub reason: Line,
    /// The actor and the pipeline run.
    pub provenance: Provenance,
    /// The time at which it ends by itself; absent: only an [`Unhold`](crate::log::Unhold) ends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// The allowed difference between the clocks of two machines, in milliseconds: 5 min.
pub const CLOCK_TOLERANCE_MS: u64 = 5 * 60 * 1000;

impl ActiveHold {
    /// True if the hold is over at `now`. The end time may come from another machine's clock, and the clock of `now`
    /// may be ahead of that one, so the hold counts for [`CLOCK_TOLERANCE_MS`] longer.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until.plus(Duration::from_millis(CLOCK_TOLERANCE_MS)) <= now)
    }

    /// The text of the hold in a finding at `now`; after its end time it adds why it still counts.
    pub(crate) fn said_at(&self, now: Timestamp) -> String {
        match self.until {
            Some(until) if until <= now => format!("{self} (it counts for 5 min longer, as clocks may differ)"),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for ActiveHold {
    /// `held for promotions by ada until it is ended (hold 17): incident 7`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ActiveHold { seq, scope, reason, provenance, until } = self;
        let moves = match scope {
            HoldScope::Promotions => "promotions",
            HoldScope::All => "all moves",
        };
        let until = until.map_or_else(|| "it is ended".to_owned(), |until| until.to_string());
        write!(f, "held for {moves} by {} until {until} (hold {seq}): {reason}", provenance.actor.id)
    }
}
