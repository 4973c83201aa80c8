//! `Host`: the login of one registry, as far as it is known.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::header::HeaderValue;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::challenge::Challenge;
use super::credentials::{Known, authorization};
use super::options::TokenScope;
use super::recent::Recent;
use crate::error::Result;
use crate::lock::lock;
use crate::secret::Secret;

/// The longest time that a token is kept, even if its server names a longer one.
pub(super) const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// The number of registries whose logins are remembered.
const MAX_HOSTS: usize = 64;
/// The number of repositories of one registry whose logins are remembered.
const MAX_REPOSITORIES: usize = 1024;

/// The registries that were asked, by `host[:port]`.
pub(super) type Hosts = Recent<Arc<Host>>;

/// A map without registries.
pub(super) fn hosts() -> Hosts {
    Recent::new(MAX_HOSTS)
}

/// The challenge, the credentials and the tokens of one registry.
#[derive(Debug)]
pub(super) struct Host {
    /// The first challenge of the host. It counts for every repository without a challenge of its own.
    challenge: Mutex<Option<Challenge>>,
    /// The challenge of `/v2/`, once it was asked for; none if `/v2/` has none.
    pub(super) root: OnceCell<Option<Challenge>>,
    /// The credentials that were looked up.
    pub(super) credentials: tokio::sync::Mutex<Known>,
    repositories: Mutex<Recent<Arc<RepositoryLogin>>>,
}

/// The login for one repository.
#[derive(Debug, Default)]
pub(super) struct RepositoryLogin {
    /// The last challenge, if it is another one than the host's: a registry may have several token servers.
    challenge: Mutex<Option<Challenge>>,
    /// The token. Its lock is held while a new token is fetched, so that requests that begin together share one token.
    pub(super) token: tokio::sync::Mutex<Option<Pass>>,
}

impl Default for Host {
    fn default() -> Host {
        let repositories = Mutex::new(Recent::new(MAX_REPOSITORIES));
        Host { challenge: Mutex::default(), root: OnceCell::new(), credentials: Default::default(), repositories }
    }
}

impl Host {
    /// The login for the repository with this path.
    pub(super) fn repository(&self, path: &str) -> Arc<RepositoryLogin> {
        lock(&self.repositories).get(path)
    }

    /// The challenge that a request to a repository has to answer; none if it is not known yet.
    pub(super) fn challenge(&self, repository: &RepositoryLogin) -> Option<Challenge> {
        let own = lock(&repository.challenge).clone();
        own.or_else(|| lock(&self.challenge).clone())
    }

    /// Remembers the challenge that a request to the repository with this path got.
    pub(super) fn learn(&self, repository: &RepositoryLogin, path: &str, challenge: &Challenge) {
        let mut common = lock(&self.challenge);
        let common = common.get_or_insert_with(|| challenge.clone());
        *lock(&repository.challenge) = (!common.is_answered_as(challenge, path)).then(|| challenge.clone());
    }
}

/// The authentication of a request.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    /// The `Authorization` header.
    pub(super) header: HeaderValue,
    /// The access that it was issued for.
    pub(super) access: TokenScope,
    /// The access that was asked for at first; more than `access` if that was refused.
    pub(super) asked: TokenScope,
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
        Pass { header, access, asked: access, since, until }
    }

    /// The pass of a token that was issued now.
    pub(super) fn bearer(token: &Secret, access: TokenScope, life: Duration) -> Result<Pass> {
        Ok(Pass::new(authorization("Bearer", token)?, access, Instant::now(), life))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(header: &str) -> Challenge {
        Challenge::select([header]).unwrap().unwrap()
    }

    #[test]
    fn repository_has_a_challenge_of_its_own_only_if_its_answer_differs() {
        let host = Host::default();
        let [a, b] = ["a", "b"].map(|path| host.repository(path));
        assert_eq!(host.challenge(&a), None);
        let first = challenge(r#"Bearer realm="https://one/t",service="s",scope="repository:a:pull""#);
        host.learn(&a, "a", &first);
        assert_eq!(host.challenge(&b), Some(first.clone()), "what one repository said is tried for the others");

        host.learn(&b, "b", &challenge(r#"Bearer realm="https://one/t",service="s",scope="repository:b:pull""#));
        assert_eq!(host.challenge(&b), Some(first.clone()), "the scope is made for each repository");
        for header in [
            r#"Bearer realm="https://two/t",service="s""#,
            r#"Bearer realm="https://one/t",service="other""#,
            r#"Bearer realm="https://one/t",service="s",scope="repository:local/b:pull""#,
            "Basic",
        ] {
            host.learn(&b, "b", &challenge(header));
            assert_eq!(host.challenge(&b), Some(challenge(header)));
            assert_eq!(host.challenge(&a), Some(first.clone()), "{header}");
        }
    }

    #[test]
    fn logins_of_a_host_are_bounded() {
        let host = Host::default();
        let first = host.repository("first");
        for number in 0..MAX_REPOSITORIES {
            host.repository(&number.to_string());
        }
        assert_eq!(Arc::strong_count(&first), 1, "the registry client keeps it no longer");
    }
}
