//! `Scene`: the circumstances of a refusal, and the setting or command that helps in them.

use super::{At, Call};
use crate::ledger::git::credential::{Credential, Source};

/// The circumstances that the advice depends on.
pub(super) struct Scene<'a> {
    /// In lower case.
    pub(super) text: &'a str,
    pub(super) call: Call,
    pub(super) at: &'a At<'a>,
}

impl Scene<'_> {
    /// The setting that gives a job the right to push.
    pub(super) fn right_to_push(&self) -> String {
        let branch = self.at.branch;
        match (self.at.ci, self.source()) {
            _ if self.text.contains("deploy key") || self.text.contains("marked as read") => {
                "give the deploy key write access".to_owned()
            }
            (Some("github-actions" | "gitea-actions" | "forgejo-actions"), _) => {
                "give the job the right to write: `permissions: contents: write`".to_owned()
            }
            (Some("gitlab-ci"), None | Some(Source::JobToken)) => format!(
                "in Settings > CI/CD > Job token permissions turn on *Allow Git push requests to the repository* \
                 (GitLab 17.2 or later), and let the person who runs the job push to the branch `{branch}`"
            ),
            _ => format!(
                "the account needs the right to push to the branch `{branch}`: a token with write access to the \
                 repository's contents"
            ),
        }
    }

    /// The credential that the server did not accept, or the ways to give one.
    pub(super) fn credential(&self) -> String {
        if let Some(source) = self.source() {
            return format!("the server did not accept {}", source.as_str());
        }
        let without = match self.at.ci {
            Some("github-actions" | "gitea-actions" | "forgejo-actions") => {
                "no credential was found: give a token (TAGWARDEN_GIT_TOKEN), or run after actions/checkout in the \
                 same directory; in a container first `git config --global --add safe.directory \"$GITHUB_WORKSPACE\"`"
            }
            Some("gitlab-ci") => {
                "no credential was found: CI_JOB_TOKEN is for the server of the job only; give a token \
                 (TAGWARDEN_GIT_TOKEN)"
            }
            _ => "give a token (TAGWARDEN_GIT_TOKEN), or set up a credential helper of Git (git help credentials)",
        };
        without.to_owned()
    }

    /// The ruleset of GitHub that refuses the push.
    pub(super) fn repository_rule(&self) -> String {
        let branch = self.at.branch;
        format!(
            "exclude the branch `{branch}` from the ruleset (Settings > Rules > Rulesets > Target branches; the rules \
             *Restrict deletions* and *Block force pushes* may stay), or keep the ledger in a repository of its own"
        )
    }

    /// The protection of the branch that refuses the push.
    pub(super) fn protected(&self) -> String {
        let branch = self.at.branch;
        if self.text.contains("gitlab:") {
            return format!(
                "in Settings > Repository > Protected branches allow this user to push to the branch `{branch}`"
            );
        }
        format!(
            "let this account push to the branch `{branch}` without a pull request, in the branch's protection rule; \
             the rules against deletion and force pushes may stay"
        )
    }

    /// The command that trusts the directory of a repository.
    pub(super) fn safe_directory(&self) -> String {
        let path = self.at.remote.strip_prefix("file://").unwrap_or("DIRECTORY");
        format!("if you trust the directory's owner: git config --global --add safe.directory {path}")
    }

    /// The command that makes the repository.
    pub(super) fn make(&self) -> String {
        match self.at.remote.strip_prefix("file://") {
            Some(path) => format!("make it: git init --bare {path}"),
            None => "make the repository on the server first".to_owned(),
        }
    }

    /// The missing key of a login over SSH.
    pub(super) fn ssh(&self) -> &'static str {
        match self.text.contains("publickey") {
            true => {
                "give the host the public key of this account, as a deploy key with write access, or use git+https://"
            }
            false => {
                "put the host's key into ~/.ssh/known_hosts, after comparing it with the one that the host publishes"
            }
        }
    }

    fn source(&self) -> Option<Source> {
        self.at.credential.map(Credential::source)
    }
}
