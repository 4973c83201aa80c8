//! `Revision`: the state of a source repository, as Flux writes it.

use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};
use crate::value::{Commit, Line, serde_text, without_credentials};

/// A branch or tag with its full commit: `main@sha1:<40 hex>`, or `@sha256:<64 hex>` in a SHA-256 repository.
///
/// ```
/// use tagwarden::flux::Revision;
/// let text = "main@sha1:0123456789abcdef0123456789abcdef01234567";
/// assert_eq!(text.parse::<Revision>().unwrap().to_string(), text);
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Revision {
    name: Line,
    commit: Commit,
}

impl Revision {
    /// The revision of a branch or tag. VALUE_INVALID if the commit is abbreviated.
    pub fn new(name: Line, commit: Commit) -> Result<Revision> {
        if algorithm(&commit).is_none() {
            let length = commit.as_str().len();
            return Err(invalid(format!("a commit of {length} hex digits; a whole one has 40 or 64")));
        }
        Ok(Revision { name, commit })
    }

    /// The branch or tag.
    pub fn name(&self) -> &Line {
        &self.name
    }

    /// The commit.
    pub fn commit(&self) -> &Commit {
        &self.commit
    }
}

fn algorithm(commit: &Commit) -> Option<&'static str> {
    match commit.as_str().len() {
        40 => Some("sha1"),
        64 => Some("sha256"),
        _ => None,
    }
}

fn invalid(why: String) -> Error {
    Error::new(ErrorKind::ValueInvalid, format!("revision: {why}"))
}

impl FromStr for Revision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Revision> {
        let within = |e: Error| invalid(e.to_string());
        let parts = text.rsplit_once('@').and_then(|(name, rest)| Some((name, rest.split_once(':')?)));
        let Some((name, (stated, commit))) = parts else {
            let text = Line::lossy(without_credentials(text));
            return Err(invalid(format!("{:?} is not <branch or tag>@sha1:<commit>", text.as_str())));
        };
        let revision = Revision::new(name.parse().map_err(within)?, commit.parse().map_err(within)?)?;
        if algorithm(&revision.commit) != Some(stated) {
            return Err(invalid(format!("a commit of {} hex digits is not of that algorithm", commit.len())));
        }
        Ok(revision)
    }
}

impl std::fmt::Display for Revision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}:{}", self.name, algorithm(&self.commit).unwrap_or("sha1"), self.commit)
    }
}

serde_text!(Revision);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_good_comes_back_and_what_is_not_says_why() {
        let (sha1, sha256) = ("0".repeat(40), "0".repeat(64));
        for text in [
            format!("main@sha1:{sha1}"),
            format!("v1.4.2@sha1:{sha1}"),
            format!("feature/a@b@sha1:{sha1}"),
            format!("main@sha256:{sha256}"),
        ] {
            assert_eq!(text.parse::<Revision>().unwrap().to_string(), text);
        }
        let error = |text: &str| text.parse::<Revision>().unwrap_err().to_string();
        assert_eq!(error("main"), "revision: \"main\" is not <branch or tag>@sha1:<commit>");
        assert_eq!(error("main@sha1:0123456"), "revision: a commit of 7 hex digits; a whole one has 40 or 64");
        assert_eq!(error(&format!("@sha1:{sha1}")), "revision: text: it is empty at byte 0");
        assert_eq!(
            error(&format!("main@sha256:{sha1}")),
            "revision: a commit of 40 hex digits is not of that algorithm"
        );
        assert_eq!(error("main@sha1:XY"), "revision: commit: not a lower-case hex digit at byte 0");
    }
}
