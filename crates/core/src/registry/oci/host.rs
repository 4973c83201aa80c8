//! `Host`: the login of one registry, as far as it is known.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::header::HeaderValue;
use tokio::time::Instant;

use super::challenge::Challenge;
use super::credentials::{Known, authorization};
use super::options::TokenScope;
use crate::error::Result;
use crate::secret::Secret;

/// The longest time that a token is kept, even if its server names a longer one.
pub(super) const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// The challenge, the credentials and the tokens of one registry.
#[derive(Debug, Default)]
pub(super) struct Host {
    pub(super) challenge: Mutex<Option<Challenge>>,
    /// The credentials that were looked up.
    pub(super) credentials: tokio::sync::Mutex<Known>,
    /// The token of each repository. Its lock is held while a new token is fetched, so that requests that begin
    /// together share one token.
    pub(super) tokens: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Pass>>>>>,
}

/// The authentication of a request.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    /// The `Authorization` header.
    pub(super) header: HeaderValue,
    pub(super) access: TokenScope,
    /// The time at which the token was issued, or the password was looked up. No two tokens have the same time.
    pub(super) since: Instant,
    pub(super) until: Instant,
}

impl Pass {
    pub(super) fn new(header: HeaderValue, access: TokenScope, since: Instant, life: Duration) -> Pass {
        // A token that expires during a request costs a round trip, so a token with a long life is replaced a little
        // before its end.
        let life = life.min(LONGEST_LIFE);
        let until = since + life.saturating_sub((life / 10).min(Duration::from_secs(5)));
        Pass { header, access, since, until }
    }

    /// The pass of a token that was issued now.
    pub(super) fn bearer(token: &Secret, access: TokenScope, life: Duration) -> Result<Pass> {
        Ok(Pass::new(authorization("Bearer", token)?, access, Instant::now(), life))
    }
}
