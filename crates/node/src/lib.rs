//! The native half of the Node binding: every object has `call(method, request)`, which returns a `Call`.
//!
//! Both halves exchange JSON text, as in `tagwarden-bind`. `lib/` is the half that users see.

#![deny(unsafe_code)]
#![allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    reason = "what napi exports is public to it alone"
)]

mod call;
mod conformance;
mod host;
mod object;
mod value;
