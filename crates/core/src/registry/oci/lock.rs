//! A lock on values that remain valid after a panic.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The values behind a poisoned lock are replaced as a whole, so they are still valid.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
