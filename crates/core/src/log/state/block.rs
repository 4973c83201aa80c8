//! `ActiveBlock`: a block that no entry ended.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ChannelState;
use crate::value::{Digest, Line, Provenance};

/// A block that no [`Unblock`](crate::log::Unblock) ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ActiveBlock {
    /// Its position in the log.
    pub seq: u64,
    /// The digest that is declared unfit.
    pub digest: Digest,
    /// The reason.
    pub reason: Line,
    /// The actor and the pipeline run.
    pub provenance: Provenance,
    /// A URL with more information.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Line>,
}

impl ChannelState {
    /// The block of a digest in this log; none if it is not blocked here.
    pub fn block_of(&self, digest: &Digest) -> Option<&ActiveBlock> {
        self.blocked.iter().find(|block| block.digest == *digest)
    }
}

impl fmt::Display for ActiveBlock {
    /// `sha256:… blocked by ada (seq 12): it loses orders`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ActiveBlock { seq, digest, reason, provenance, url } = self;
        write!(f, "{digest} blocked by {} (seq {seq}): {reason}", provenance.actor.id)?;
        url.as_ref().map_or(Ok(()), |url| write!(f, ", {url}"))
    }
}
