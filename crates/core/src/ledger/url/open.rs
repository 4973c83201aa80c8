//! Opens the ledger at an address.

use std::sync::Arc;

use super::LedgerUrl;
use super::place::Place;
#[cfg(not(all(feature = "file", unix)))]
use super::place::bad;
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
                OpenMode::Read => crate::ledger::FileLedger::open_read_only(dir)?,
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
            #[cfg(not(all(feature = "postgres", feature = "object-store")))]
            _ => Err(self.not_built_in()),
        }
    }

    /// Creates the directory, or the tables in the database. May be called again. The bucket of an object store is not
    /// created; instead this checks that the store can keep a ledger.
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
            _ => self.open(OpenMode::Write).await.map(|_| ()),
        }
    }
}
