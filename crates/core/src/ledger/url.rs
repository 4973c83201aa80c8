//! `LedgerUrl`: the address of a ledger, as people write it.

mod secret;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Ledger, OpenMode};
use crate::error::{Error, ErrorKind, Result};
use crate::value::Line;

/// The address of a ledger: the path of a directory, or a URL.
///
/// | written as | is |
/// | --- | --- |
/// | `ledger`, `/srv/ledger` | a directory of this host, one file for each log: `FileLedger` |
/// | `file:///srv/ledger` | the layout of an object store in a directory of this host: `ObjectLedger` |
/// | `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix` | an object store: `ObjectLedger` |
/// | `postgres://user@host/database` | a PostgreSQL database: `PostgresLedger` |
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
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LedgerUrl(Place);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Place {
    Directory(PathBuf),
    Store {
        scheme: Scheme,
        /// The URL with its secrets.
        url: Box<str>,
        /// The URL without its secrets.
        shown: Box<str>,
    },
}

/// The scheme of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Scheme {
    File,
    S3,
    Gs,
    Az,
    Postgres,
}

impl LedgerUrl {
    /// The same address, with a relative path made relative to `home`.
    #[must_use]
    pub fn within(self, home: &Path) -> LedgerUrl {
        match self.0 {
            Place::Directory(dir) => LedgerUrl(Place::Directory(home.join(dir))),
            store => LedgerUrl(store),
        }
    }

    /// Opens the ledger. With [`OpenMode::Write`] a directory is created if it does not exist; nothing else is created.
    ///
    /// CONFIG_INVALID if this program was built without the needed feature, LEDGER_ABSENT if there is no ledger at the
    /// address, and the other errors of the ledger.
    pub async fn open(&self, access: OpenMode) -> Result<Arc<dyn Ledger>> {
        match &self.0 {
            Place::Directory(dir) => directory(dir, access),
            Place::Store { scheme, url, .. } => scheme.open(url, access).await,
        }
    }

    /// Creates the directory, or the tables in the database. May be called again. The bucket of an object store is not
    /// created; instead this checks that the store can keep a ledger.
    ///
    /// Errors as in [`LedgerUrl::open`] with [`OpenMode::Write`], and LEDGER_DENIED if the credentials may not write.
    pub async fn init(&self) -> Result<()> {
        match &self.0 {
            Place::Directory(dir) => directory(dir, OpenMode::Write).map(|_| ()),
            Place::Store { scheme, url, .. } => scheme.init(url).await,
        }
    }

    /// The name of this ledger in the last entry of a log that was migrated to it: the URL without secrets, or the
    /// absolute path of a directory. CONFIG_INVALID if an entry cannot hold the name.
    pub fn name(&self) -> Result<Line> {
        let name = match &self.0 {
            Place::Directory(dir) => whole(dir)?.to_string_lossy().into_owned(),
            Place::Store { shown, .. } => shown.to_string(),
        };
        name.parse().map_err(|e| bad(format!("{self}: an entry cannot name it: {e}")))
    }

    /// True if both are known to be the same place. User, password and the protection of the connection are not
    /// compared. Two different names of one host are not recognised as the same place.
    pub fn is_same(&self, other: &LedgerUrl) -> bool {
        match (&self.0, &other.0) {
            (Place::Directory(one), Place::Directory(other)) => {
                let found = |dir: &Path| dir.canonicalize().or_else(|_| std::path::absolute(dir)).ok();
                one == other || (found(one).is_some() && found(one) == found(other))
            }
            (Place::Store { shown: one, .. }, Place::Store { shown: other, .. }) => {
                secret::address(one) == secret::address(other)
            }
            _ => false,
        }
    }
}

impl FromStr for LedgerUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<LedgerUrl> {
        if text.is_empty() {
            return Err(bad("it is empty; give a directory or a URL".to_owned()));
        }
        let Some((word, rest)) = text.split_once("://") else {
            return match text.split_once(':').map(|(word, _)| word) {
                // Otherwise a password could become a part of a directory's name.
                Some(word) if Scheme::named(word).is_some() => Err(bad(format!("write {word}://"))),
                _ if secret::is_dsn(text) => {
                    let why = "a libpq connection string; write it as postgres://USER@HOST/DATABASE";
                    Err(bad(why.to_owned()))
                }
                _ => Ok(LedgerUrl(Place::Directory(PathBuf::from(text)))),
            };
        };
        let scheme = Scheme::named(word).ok_or_else(|| unknown(word))?;
        let (url, shown) = match scheme {
            Scheme::File => secret::file(rest)?,
            Scheme::Postgres => secret::server(rest)?,
            Scheme::S3 | Scheme::Gs | Scheme::Az => secret::bucket(scheme.as_str(), rest)?,
        };
        let [url, shown] = [url, shown].map(|rest| format!("{}://{rest}", scheme.as_str()).into_boxed_str());
        match shown.parse::<Line>() {
            Ok(_) => Ok(LedgerUrl(Place::Store { scheme, url, shown })),
            // The message names the defect and its place, and does not contain the text.
            Err(e) => Err(bad(format!("{}://: {}", scheme.as_str(), e.message()))),
        }
    }
}

impl fmt::Display for LedgerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Directory(dir) => write!(f, "{}", dir.display()),
            Place::Store { shown, .. } => f.write_str(shown),
        }
    }
}

impl fmt::Debug for LedgerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LedgerUrl({self})")
    }
}

impl TryFrom<String> for LedgerUrl {
    type Error = Error;

    fn try_from(text: String) -> Result<LedgerUrl> {
        text.parse()
    }
}

impl From<LedgerUrl> for String {
    /// The URL without its secrets.
    fn from(url: LedgerUrl) -> String {
        url.to_string()
    }
}

impl Scheme {
    const ALL: [Scheme; 5] = [Scheme::File, Scheme::S3, Scheme::Gs, Scheme::Az, Scheme::Postgres];

    fn named(word: &str) -> Option<Scheme> {
        match word.to_ascii_lowercase().as_str() {
            "postgresql" => Some(Scheme::Postgres),
            word => Scheme::ALL.into_iter().find(|scheme| scheme.as_str() == word),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Scheme::File => "file",
            Scheme::S3 => "s3",
            Scheme::Gs => "gs",
            Scheme::Az => "az",
            Scheme::Postgres => "postgres",
        }
    }

    /// The Cargo feature that the scheme needs, and true if it was built in.
    fn feature(self) -> (&'static str, bool) {
        match self {
            Scheme::File => ("object-store", cfg!(feature = "object-store")),
            Scheme::S3 => ("s3", cfg!(feature = "s3")),
            Scheme::Gs => ("gcs", cfg!(feature = "gcs")),
            Scheme::Az => ("azure", cfg!(feature = "azure")),
            Scheme::Postgres => ("postgres", cfg!(feature = "postgres")),
        }
    }

    #[allow(unused_variables, reason = "a build without any store asks none")]
    async fn open(self, url: &str, access: OpenMode) -> Result<Arc<dyn Ledger>> {
        match self {
            #[cfg(feature = "postgres")]
            Scheme::Postgres => Ok(Arc::new(super::PostgresLedger::open(url, access).await?)),
            #[cfg(feature = "object-store")]
            Scheme::File | Scheme::S3 | Scheme::Gs | Scheme::Az if self.feature().1 => {
                Ok(Arc::new(super::ObjectLedger::open(url, access).await?))
            }
            _ => Err(self.not_built_in()),
        }
    }

    #[allow(unused_variables, reason = "a build without any store asks none")]
    async fn init(self, url: &str) -> Result<()> {
        match self {
            #[cfg(feature = "postgres")]
            Scheme::Postgres => super::PostgresLedger::init(url).await,
            #[cfg(feature = "object-store")]
            Scheme::File | Scheme::S3 | Scheme::Gs | Scheme::Az if self.feature().1 => {
                super::ObjectLedger::open(url, OpenMode::Write).await?.try_out().await
            }
            _ => Err(self.not_built_in()),
        }
    }

    fn not_built_in(self) -> Error {
        let (feature, _) = self.feature();
        bad(format!(
            "{}:// is not built into this program: cargo install tagwarden-cli --features {feature}",
            self.as_str()
        ))
    }
}

#[cfg(all(feature = "file", unix))]
fn directory(dir: &Path, access: OpenMode) -> Result<Arc<dyn Ledger>> {
    Ok(Arc::new(match access {
        OpenMode::Write => super::FileLedger::open(dir)?,
        OpenMode::Read => super::FileLedger::open_read_only(dir)?,
    }))
}

#[cfg(not(all(feature = "file", unix)))]
fn directory(_: &Path, _: OpenMode) -> Result<Arc<dyn Ledger>> {
    Err(bad("directories are not built into this program: it takes the feature `file`, and Unix".to_owned()))
}

fn whole(dir: &Path) -> Result<PathBuf> {
    let found = dir.canonicalize().or_else(|_| std::path::absolute(dir));
    found.map_err(|e| bad(format!("{}: {e}", dir.display())).with_source(e))
}

fn unknown(word: &str) -> Error {
    let there: Vec<String> = Scheme::ALL.iter().map(|scheme| format!("{}://", scheme.as_str())).collect();
    // Show the word only if it looks like a scheme: it can be anything, even a part of a password.
    let plain = !word.is_empty() && word.len() <= 16 && word.bytes().all(|b| b.is_ascii_alphanumeric());
    let what = if plain { format!("no ledger is kept in {word}://") } else { "an unknown scheme".to_owned() };
    bad(format!("{what}; give a directory, {}", there.join(", ")))
}

fn bad(why: String) -> Error {
    Error::new(ErrorKind::ConfigInvalid, format!("ledger: {why}"))
}
