//! `Address`: the repository and the branch of a ledger. For the URL `git`, this process finds the repository.

use std::time::Duration;

use super::command::Git;
use super::repository::{of_job, of_origin};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::LedgerUrl;
use crate::ledger::url::Place;
use crate::ledger::url::branch::GitBranch;
use crate::ledger::url::remote::Remote;
use crate::value::ProvenanceParts;

/// The longest time of a git command that sends no request.
pub(super) const SHORT: Duration = Duration::from_secs(10);

/// Looks up an environment variable.
pub(super) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The branch of a ledger.
#[derive(Clone, Debug)]
pub(super) struct Address {
    /// The URL without secrets, as errors show it.
    pub(super) place: String,
    pub(super) remote: Remote,
    pub(super) branch: String,
    /// The provider of the CI, as provenance names it.
    pub(super) ci: Option<String>,
}

impl Address {
    /// The address of `url`. CONFIG_INVALID if it is not the URL of a Git ledger, or if it is `git` and this process
    /// finds no repository.
    pub(super) fn of(url: &LedgerUrl, env: Env) -> Result<Address> {
        let Place::Git(branch) = &url.place else {
            let message = "a Git ledger's URL is git, or begins with git+https://, git+ssh:// or git+file://";
            return Err(Error::new(ErrorKind::ConfigInvalid, message));
        };
        let remote = remote(branch, env)?;
        let place = GitBranch { repository: Some(remote.clone()), name: branch.name.clone() }.shown();
        // Errors name the setting of this provider. Nothing else needs the provider, so ignore a failure.
        let parts = ProvenanceParts::default().fill(env).unwrap_or_default();
        let ci = parts.provider.map(|provider| provider.as_str().to_owned());
        Ok(Address { place, remote, branch: branch.name.clone(), ci })
    }

    /// The ref of the branch on the server.
    pub(super) fn branch_ref(&self) -> String {
        format!("refs/heads/{}", self.branch)
    }
}

/// The full URL of `branch`. If it names no repository, this process finds it.
pub(in crate::ledger) fn resolve(branch: &GitBranch) -> Result<LedgerUrl> {
    let repository = remote(branch, &|name| std::env::var(name).ok())?;
    LedgerUrl::git("git", GitBranch { repository: Some(repository), name: branch.name.clone() })
}

fn remote(branch: &GitBranch, env: Env) -> Result<Remote> {
    if let Some(remote) = &branch.repository {
        return Ok(remote.clone());
    }
    if let Some(repository) = of_job(env)? {
        return Remote::of(&repository);
    }
    let asked = Git::asked(SHORT).args(["remote", "get-url", "origin"]).run()?;
    Remote::of(&of_origin(asked.is_ok().then(|| asked.text()).as_deref())?)
}
