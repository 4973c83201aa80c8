//! The Node binding of tagwarden: converts and calls; no rule lives here.
