//! `DatabaseClock`: the time of the database, computed from its last answer.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::value::Timestamp;

/// The last `clock_timestamp()` of the database, and when that answer arrived, on the monotonic clock.
#[derive(Debug, Default)]
pub(super) struct DatabaseClock(Mutex<Option<(Timestamp, Instant)>>);

impl DatabaseClock {
    /// Records a time of the database, in milliseconds since 1970.
    pub(super) fn note(&self, unix_ms: i64) {
        let said = Some((Timestamp::from_unix_ms(unix_ms), Instant::now()));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = said;
    }

    /// The current time of the database; none before the first answer.
    pub(super) fn now(&self) -> Option<Timestamp> {
        let said = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.map(|(said, at)| said.plus(at.elapsed()))
    }
}
