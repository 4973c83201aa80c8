//! `RetentionRule`: the rollback windows of a channel.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// The two rollback windows of a channel: a number of digests and a time. A digest inside *either* window is kept. The
/// windows count for each channel separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct RetentionRule {
    /// The number of distinct digests kept for rollback on each channel, with the live one. At least 1; 10 by default.
    pub keep_last: NonZeroU32,
    /// The time for which a digest is kept after it stopped being live, or after the last move to it was closed without
    /// effect. 30 days by default. With zero, only `keep_last` counts.
    #[serde(rename = "keep_for_s", serialize_with = "seconds")]
    pub keep_for: Duration,
}

fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(time.as_secs())
}

impl Default for RetentionRule {
    /// 10 digests and 30 days.
    fn default() -> RetentionRule {
        let ten = NonZeroU32::MIN.saturating_add(9);
        RetentionRule { keep_last: ten, keep_for: Duration::from_secs(30 * 24 * 60 * 60) }
    }
}
