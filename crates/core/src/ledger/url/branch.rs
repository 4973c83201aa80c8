//! `GitBranch`: the branch of a Git repository that a ledger's URL names.

use super::remote::Remote;
use super::text::bad;
use crate::error::Result;

/// The branch of a ledger, unless its URL names another.
const BRANCH: &str = "tagwarden";

/// A branch of a Git repository.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::ledger) struct GitBranch {
    /// None: the repository of the CI's job, or else `origin` of the working directory.
    pub(in crate::ledger) repository: Option<Remote>,
    pub(in crate::ledger) name: String,
}

impl GitBranch {
    /// The branch in `git` and `git#branch`; none for any other text.
    pub(super) fn here(text: &str) -> Option<Result<GitBranch>> {
        let name = match text.strip_prefix("git")? {
            "" => BRANCH,
            rest => rest.strip_prefix('#')?,
        };
        Some(branch(name).map(|name| GitBranch { repository: None, name }))
    }

    /// The branch in the part of a URL after `git+PROTOCOL://`. No error shows a part of it that may be a password.
    pub(super) fn parse(scheme: &str, rest: &str) -> Result<GitBranch> {
        let (address, name) = rest.split_once('#').unwrap_or((rest, BRANCH));
        if name.contains('@') {
            return Err(bad(format!(
                "{scheme}://: an @ after the #; in a password write @ as %40, # as %23, / as %2F, ? as %3F"
            )));
        }
        let protocol = scheme.strip_prefix("git+").unwrap_or(scheme);
        let repository = Remote::of(&format!("{protocol}://{address}"))?;
        Ok(GitBranch { repository: Some(repository), name: branch(name)? })
    }

    /// The text of a ledger's URL, without secrets.
    pub(in crate::ledger) fn shown(&self) -> String {
        let branch = if self.name == BRANCH { String::new() } else { format!("#{}", self.name) };
        match &self.repository {
            // `user@host:path` is written as a URL.
            Some(remote) if !remote.url.contains("://") => {
                format!("git+ssh://{}{branch}", remote.url.replacen(':', "/", 1))
            }
            Some(remote) => format!("git+{}{branch}", remote.url),
            None => format!("git{branch}"),
        }
    }

    /// The same text for the same branch, for any user.
    pub(super) fn key(&self) -> String {
        let shown = GitBranch { repository: self.repository.clone(), name: BRANCH.to_owned() }.shown();
        let (_, address) = shown.split_once("://").unwrap_or(("", &shown));
        let (authority, path) = address.split_at(address.find('/').unwrap_or(address.len()));
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_ascii_lowercase();
        let path = path.trim_end_matches('/');
        format!("{host}{}#{}", path.strip_suffix(".git").unwrap_or(path), self.name)
    }
}

/// The name of a branch: CONFIG_INVALID unless Git accepts it (`git help check-ref-format`).
fn branch(name: &str) -> Result<String> {
    let odd = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\%".contains(c);
    let is_whole = |part: &str| !part.is_empty() && !part.starts_with(['.', '-']) && !part.ends_with(".lock");
    let is_name = !name.contains(odd) && !name.contains("..") && !name.contains("@{") && !name.ends_with('.');
    if is_name && name.split('/').all(is_whole) {
        return Ok(name.to_owned());
    }
    Err(bad("git: after the # stands the name of a branch, such as #tagwarden".to_owned()))
}
