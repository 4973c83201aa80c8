//! `Attempts`: the results of the attempts of one request, for the final error.

use super::answer::Arriving;
use super::words::and;
use crate::error::Error;

/// The results of attempts. They are kept outside of the future that makes the attempts, so that they remain after a
/// timeout.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    /// The answer whose body is being read.
    pub(super) arriving: Option<Arriving>,
    /// The error of the last attempt that was answered.
    answered: Option<Error>,
    /// The error of the last attempt.
    last: Option<Error>,
}

impl Attempts {
    /// Records the error of an attempt, and returns the error to use if there is no other attempt. A lost connection or
    /// a timeout has no words of the registry, so those of the last answer are added.
    pub(super) fn failed(&mut self, error: Error) -> Error {
        let is_answer = error.context().any(|(name, _)| name == "status");
        let error = match &self.answered {
            Some(answered) if !is_answer => and(error.kind(), &error, &format!("before that {answered}")),
            _ => error,
        };
        if is_answer {
            self.answered = Some(error.clone());
        }
        self.last = Some(error.clone());
        error
    }

    /// The error of the last attempt; the error of `none` if there was no attempt.
    pub(super) fn last(self, none: impl FnOnce() -> Error) -> Error {
        self.last.unwrap_or_else(none)
    }
}
