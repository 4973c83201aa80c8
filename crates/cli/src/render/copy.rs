//! The age of the copy of the ledger that a command read.

use std::time::Duration;

use tagwarden::{Clock as _, SystemClock, Timestamp};

use super::diff::apart;

/// The age of a copy that was read at this time.
pub(crate) fn copy(as_of: Timestamp) -> String {
    let age = SystemClock.now().unix_ms().saturating_sub(as_of.unix_ms());
    let age = apart(Duration::from_millis(u64::try_from(age).unwrap_or_default()));
    format!("ledger    this machine's copy, read {age} ago, at {as_of}")
}
