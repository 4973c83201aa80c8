//! `LedgerUrl`: the address of a ledger, as people write it.

pub(super) mod branch;
pub(super) mod open;
pub(super) mod place;
pub(super) mod remote;
#[cfg(test)]
mod tests;
pub(in crate::ledger) mod text;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use self::branch::GitBranch;
pub(super) use self::place::Place;
use self::place::{SCHEMES, bucket, database, file, harmless, is_dsn, whole};
use self::text::{bad, decode, parts};
use crate::error::{Error, Result};
use crate::value::{Line, without_credentials};

/// The address of a ledger: the path of a directory, or a URL.
///
/// | written as | is |
/// | --- | --- |
/// | `ledger`, `/srv/ledger` | a directory of this host, one file for each log: `FileLedger` |
/// | `file:///srv/ledger` | the layout of an object store in a directory of this host: `ObjectLedger` |
/// | `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix` | an object store: `ObjectLedger` |
/// | `postgres://user@host/database` | a PostgreSQL database: `PostgresLedger` |
/// | `git+https://host/path`, `git+ssh://git@host/path`, `git+file:///path` | a branch of a Git repository: `GitLedger` |
/// | `git` | the same in the repository of the CI's job (GitHub, Gitea, Forgejo, GitLab), else in `origin` of the working directory |
///
/// After a Git repository, `#branch` names another branch than `tagwarden`. A directory with the name `git` is `./git`.
///
/// It is parsed once, and CONFIG_INVALID says what is wrong with it. It may hold a password. `Display`, `Debug` and
/// serde leave out the password and every option of the query that is not known to be harmless; only
/// [`open`](LedgerUrl::open) and [`init`](LedgerUrl::init) use them.
///
/// ```
/// use tagwarden::ledger::LedgerUrl;
///
/// let url: LedgerUrl = "postgres://ci:hunter2@db.example.com/audit?sslmode=require".parse()?;
/// assert_eq!(url.to_string(), "postgres://ci@db.example.com/audit?sslmode=require");
/// # Ok::<(), tagwarden::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct LedgerUrl {
    /// Empty for a plain path.
    pub(super) scheme: &'static str,
    pub(super) place: Place,
    /// The options after the `?`, percent-decoded. The ledger that is opened reads them.
    pub(super) options: Vec<(String, String)>,
    /// The URL without its secrets.
    pub(super) shown: String,
}

/// Options that are a part of the ledger's address.
const WHERE: [&str; 7] = ["account", "dbname", "endpoint", "host", "hostaddr", "port", "schema"];

impl LedgerUrl {
    fn directory(dir: PathBuf) -> LedgerUrl {
        let shown = dir.display().to_string();
        LedgerUrl { scheme: "", place: Place::Directory(dir), options: Vec::new(), shown }
    }

    /// The same address, with a relative path made relative to `home`.
    #[must_use]
    pub fn within(self, home: &Path) -> LedgerUrl {
        match self.place {
            Place::Directory(dir) => LedgerUrl::directory(home.join(dir)),
            _ => self,
        }
    }

    /// The name of this ledger in the last entry of a log that was migrated to it: the URL without secrets, or the
    /// absolute path of a directory. CONFIG_INVALID if an entry cannot hold the name.
    pub fn name(&self) -> Result<Line> {
        let name = match &self.place {
            Place::Directory(dir) => whole(dir)?.to_string_lossy().into_owned(),
            _ => self.resolved()?.shown,
        };
        name.parse().map_err(|e| bad(format!("{self}: an entry cannot name it: {e}")))
    }

    /// True if both are known to be the same place. User, password and the protection of the connection are not
    /// compared. Two different names of one host are not recognised as the same place.
    pub fn is_same(&self, other: &LedgerUrl) -> bool {
        let key = |url: &LedgerUrl| {
            let url = url.resolved().unwrap_or_else(|_| url.clone());
            let options = url.options.iter().filter(|(name, _)| WHERE.contains(&name.as_str())).cloned();
            let options = options.collect::<BTreeSet<_>>();
            (url.scheme, url.place.key(), options)
        };
        key(self) == key(other)
    }

    pub(super) fn git(scheme: &'static str, branch: GitBranch) -> Result<LedgerUrl> {
        let shown = branch.shown();
        // The message names the defect and its place, and does not contain the text.
        shown.parse::<Line>().map_err(|e| bad(format!("{scheme}: {}", e.message())))?;
        Ok(LedgerUrl { scheme, place: Place::Git(branch), options: Vec::new(), shown })
    }

    #[allow(dead_code, reason = "with every feature there is nothing to say")]
    pub(super) fn not_built_in(&self) -> Error {
        let scheme = self.scheme;
        let feature = SCHEMES.iter().find(|(known, _)| *known == scheme).map(|(_, feature)| *feature);
        let feature = feature.unwrap_or(if scheme == "git" { "git" } else { "file" });
        bad(format!("{scheme}:// is not built into this program: cargo install tagwarden-cli --features {feature}"))
    }

    /// The value of an option; of several with this name the last one counts.
    #[cfg(any(feature = "object-store", feature = "postgres"))]
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl FromStr for LedgerUrl {
    type Err = Error;

    /// Parses a ledger's URL. An error shows no part of it before it is known which part is the password.
    fn from_str(text: &str) -> Result<LedgerUrl> {
        if text.is_empty() {
            return Err(bad("it is empty; give a directory or a URL".to_owned()));
        }
        if let Some(branch) = GitBranch::here(text) {
            return LedgerUrl::git("git", branch?);
        }
        let known = |word: &str| match word.to_ascii_lowercase().as_str() {
            "postgresql" => Some("postgres"),
            word => SCHEMES.into_iter().map(|(scheme, _)| scheme).find(|scheme| *scheme == word),
        };
        let Some((word, rest)) = text.split_once("://") else {
            return match text.split_once(':').map(|(word, _)| word) {
                // Otherwise a password could become a part of a directory's name.
                Some(word) if known(word).is_some() => Err(bad(format!("write {word}://"))),
                // A login and a host, without a scheme.
                _ if without_credentials(text).starts_with('…') => Err(bad(
                    "a user, a password and a host, but no scheme, such as postgres://; a directory with a : and an @ \
                     in its name is written ./NAME"
                        .to_owned(),
                )),
                _ if is_dsn(text) => {
                    Err(bad("a libpq connection string; write it as postgres://USER@HOST/DATABASE".to_owned()))
                }
                _ => Ok(LedgerUrl::directory(text.into())),
            };
        };
        let scheme = known(word).ok_or_else(|| unknown(word))?;
        if scheme.starts_with("git+") {
            return LedgerUrl::git(scheme, GitBranch::parse(scheme, rest)?);
        }
        let (authority, path, query) = if scheme == "file" { file(rest)? } else { parts(scheme, rest)? };
        let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let place = match scheme {
            "file" => Place::File(decode(scheme, path)?.into()),
            "postgres" => Place::Postgres(database(user, hosts, path)?),
            _ => Place::Bucket(bucket(scheme, authority, path)?),
        };
        let host = match user.split_once(':').map_or(user, |(name, _)| name) {
            "" => hosts.to_owned(),
            name => format!("{name}@{hosts}"),
        };
        let options: Vec<(&str, &str)> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .collect();
        let shown = format!("{scheme}://{host}{path}{}", harmless(&options));
        // The message names the defect and its place, and does not contain the text.
        shown.parse::<Line>().map_err(|e| bad(format!("{scheme}://: {}", e.message())))?;
        let decoded = |(name, value): (&str, &str)| Ok((name.to_owned(), decode(scheme, value)?));
        Ok(LedgerUrl { scheme, place, options: options.into_iter().map(decoded).collect::<Result<_>>()?, shown })
    }
}

impl fmt::Display for LedgerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

crate::value::serde_text!(LedgerUrl);

impl TryFrom<String> for LedgerUrl {
    type Error = Error;

    fn try_from(text: String) -> Result<LedgerUrl> {
        text.parse()
    }
}

fn unknown(word: &str) -> Error {
    // Show the word only if it looks like a scheme: it can be anything, even a part of a password.
    let plain = !word.is_empty() && word.len() <= 16 && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+');
    let what = if plain { format!("no ledger is kept in {word}://") } else { "an unknown scheme".to_owned() };
    bad(format!("{what}; give a directory, {}", SCHEMES.map(|(scheme, _)| format!("{scheme}://")).join(", ")))
}
