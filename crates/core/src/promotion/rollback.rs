//! `RollbackTarget`: the digest, release or move that a rollback goes back to.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};
use crate::value::{Digest, ReleaseLabel, serde_text};

/// The target of a rollback: a digest, a release or a move. Its digest must have been live on the channel.
///
/// # Syntax
/// - `sha256:…`: a digest.
/// - `#42` or `prod#42`: the digest that the move at this position made live. The text before the `#` is ignored.
/// - Anything else is a release, as it was promoted here: its tag, or the label that was recorded. If it was promoted
///   with several digests, the newest counts, and the receipt has a warning.
///
/// ```
/// use tagwarden::promotion::RollbackTarget;
/// assert_eq!("prod#42".parse::<RollbackTarget>().unwrap(), RollbackTarget::Move(42));
/// assert_eq!("1.4.2".parse::<RollbackTarget>().unwrap().to_string(), "1.4.2");
/// assert!("prod#".parse::<RollbackTarget>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum RollbackTarget {
    /// This digest.
    Digest(Digest),
    /// The release of this tag or label.
    Release(ReleaseLabel),
    /// The digest that the move at this position made live.
    Move(u64),
}

impl FromStr for RollbackTarget {
    type Err = Error;

    fn from_str(text: &str) -> Result<RollbackTarget> {
        if let Some((_, seq)) = text.rsplit_once('#') {
            let bad = || format!("rollback target: {seq:?} after '#' is not the sequence number of a move");
            return seq.parse().map(RollbackTarget::Move).map_err(|_| Error::new(ErrorKind::ValueInvalid, bad()));
        }
        match text.contains(':') {
            true => text.parse().map(RollbackTarget::Digest),
            false => text.parse().map(RollbackTarget::Release),
        }
    }
}

impl fmt::Display for RollbackTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RollbackTarget::Digest(digest) => digest.fmt(f),
            RollbackTarget::Release(release) => release.fmt(f),
            RollbackTarget::Move(seq) => write!(f, "#{seq}"),
        }
    }
}

serde_text!(RollbackTarget);

impl From<Digest> for RollbackTarget {
    fn from(digest: Digest) -> RollbackTarget {
        RollbackTarget::Digest(digest)
    }
}
