//! `Way`: a way to go on after a refusal. The policy says it only if it leads on.

use crate::value::Digest;

/// A way to go on after a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A rollback to this digest.
    Rollback(Digest),
    /// An override of the guardrail, with the purpose, such as `to promote it all the same`.
    Override(&'static str),
}
