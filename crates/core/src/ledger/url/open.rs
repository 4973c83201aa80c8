//! Opens the ledger at an address.

use std::sync::Arc;

use super::LedgerUrl;
use super::place::Place;
#[cfg(not(all(feature = "file", unix)))]
use super::text::bad;
use crate::error::{Error, Result};
use crate::ledger::{Ledger, OpenMode};

/// Opens the ledger at this address for writing: [`LedgerUrl::open`] with [`OpenMode::Write`].
///
/// ```no_run
/// # async fn example() -> tagwarden::Result<()> {
/// let ledger = tagwarden::open_ledger("s3://acme-audit/tagwarden").await?;
/// # Ok(()) }
/// ```
pub async fn open_ledger(url: impl TryInto<LedgerUrl, Error: Into<Error>>) -> Result<Arc<dyn Ledger>> {
    url.try_into().map_err(Into::into)?.open(OpenMode::Write).await
}

impl LedgerUrl {
    /// Opens the ledger. With [`OpenMode::Write`] a directory is created if it does not exist; nothing else is created.
    ///
    /// CONFIG_INVALID if this program was built without the needed feature, LEDGER_ABSENT if there is no ledger at the
    /// address, and the other errors of the ledger.
    pub async fn open(&self, access: OpenMode) -> Result<Arc<dyn Ledger>> {
        match &self.place {
            #[cfg(all(feature = "file", unix))]
            Place::Directory(dir) => Ok(Arc::new(match access {
                OpenMode::Write => crate::ledger::FileLedger::open(dir)?,
                OpenMode::Read | OpenMode::Offline => crate::ledger::FileLedger::open_read_only(dir)?,
            })),
            #[cfg(not(all(feature = "file", unix)))]
            Place::Directory(_) => {
                let _ = access;
                let why = "directories are not built into this program: it takes the feature `file`, and Unix";
                Err(bad(why.to_owned()))
            }
            #[cfg(feature = "postgres")]
            Place::Postgres(_) => Ok(Arc::new(crate::ledger::PostgresLedger::at(self, access).await?)),
            #[cfg(feature = "object-store")]
            Place::File(_) | Place::Bucket(_) => Ok(Arc::new(crate::ledger::ObjectLedger::at(self, access).await?)),
            #[cfg(all(feature = "git", unix))]
            Place::Git(_) => Ok(Arc::new(crate::ledger::GitLedger::at(self, access).await?)),
            #[cfg(not(all(feature = "postgres", feature = "object-store", feature = "git", unix)))]
            _ => Err(self.not_built_in()),
        }
    }

    /// The same address, with the repository that `git` means in this process.
    pub(super) fn resolved(&self) -> Result<LedgerUrl> {
        match &self.place {
            #[cfg(all(feature = "git", unix))]
            Place::Git(branch) => crate::ledger::git::resolve(branch),
            _ => Ok(self.clone()),
        }
    }

    /// Creates the directory, the tables in the database, or the branch of a Git repository with its `README.md`. May be
    /// called again. The bucket of an object store is not created; instead this checks that the store can keep a ledger.
    ///
    /// Errors as in [`LedgerUrl::open`] with [`OpenMode::Write`], and LEDGER_DENIED if the credentials may not write.
    pub async fn init(&self) -> Result<()> {
        match &self.place {
            #[cfg(feature = "postgres")]
            Place::Postgres(_) => crate::ledger::PostgresLedger::init_at(self).await,
            #[cfg(feature = "object-store")]
            Place::File(_) | Place::Bucket(_) => {
                crate::ledger::ObjectLedger::at(self, OpenMode::Write).await?.probe().await
            }
            #[cfg(all(feature = "git", unix))]
            Place::Git(_) => crate::ledger::GitLedger::at(self, OpenMode::Write).await?.start().await,
            _ => self.open(OpenMode::Write).await.map(|_| ()),
        }
    }
}
