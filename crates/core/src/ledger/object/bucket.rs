//! `Bucket`: single requests to an object store, each with a timeout and with errors of one type.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode};

use super::fault::Fault;
use crate::backoff::Backoff;
use crate::error::{Error, Result};

/// A request that changes nothing is sent so many times before its error is returned.
const TRIES: u32 = 3;

/// The pauses after an error that may pass, of reads and of appends.
pub(super) const BACKOFF: Backoff = Backoff { first: Duration::from_millis(25), longest: Duration::from_secs(1) };

/// The greatest number of keys in one page of a listing: the page size of S3.
pub(super) const PAGE: usize = 1000;

/// A store, and the prefix of the ledger in it.
#[derive(Clone)]
pub(super) struct Bucket {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) prefix: Path,
    /// The address in a form for people, without any credential.
    pub(super) place: Arc<str>,
    pub(super) listing: Listing,
    pub(super) timeout: Duration,
}

/// The order in which the store lists the keys after a given one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listing {
    /// Sorted, one page per request.
    Sorted,
    /// Not sorted: the store reads all keys.
    Walk,
}

impl Bucket {
    /// The bytes under `key`; none if there is no such object.
    pub(super) async fn get(&self, key: &Path) -> Result<Option<Bytes>> {
        match self.patiently(|| async { self.store.get(key).await?.bytes().await }).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Fault::NoObject) => Ok(None),
            Err(fault) => Err(self.error(fault, "read", key)),
        }
    }

    /// Stores the bytes under `key` if there is no object. Sent once.
    pub(super) async fn create(&self, key: &Path, bytes: Bytes) -> Result<(), Fault> {
        self.once(self.store.put_opts(key, bytes.into(), PutMode::Create.into())).await.map(|_| ())
    }

    /// Stores the bytes under `key`, and replaces an object that is there. Sent once.
    pub(super) async fn put(&self, key: &Path, bytes: Bytes) -> Result<()> {
        let put = self.once(self.store.put(key, bytes.into())).await;
        put.map(|_| ()).map_err(|fault| self.error(fault, "write", key))
    }

    /// The first keys below `prefix` that come after `after`, at most [`PAGE`]. Some stores do not sort them.
    pub(super) async fn list(&self, prefix: &Path, after: &Path) -> Result<Vec<Path>, Fault> {
        self.patiently(|| async {
            let all = self.store.list_with_offset(Some(prefix), after);
            all.take(PAGE).map_ok(|meta| meta.location).try_collect().await
        })
        .await
    }

    /// The names directly below the prefix that have keys below them.
    pub(super) async fn names(&self) -> Result<Vec<String>> {
        let prefix = Some(&self.prefix).filter(|prefix| !prefix.as_ref().is_empty());
        let name = |path: &Path| Some(path.filename()?.to_owned());
        match self.patiently(|| self.store.list_with_delimiter(prefix)).await {
            Ok(listed) => Ok(listed.common_prefixes.iter().filter_map(name).collect()),
            Err(Fault::NoObject) => Ok(Vec::new()),
            Err(fault) => Err(self.error(fault, "list", &self.prefix)),
        }
    }

    /// The error of the operation `what` on `key`.
    pub(super) fn error(&self, fault: Fault, what: &str, key: &Path) -> Error {
        let (kind, why) = fault.into_error();
        Error::new(kind, format!("{}: cannot {what} {key}: {why}", self.place)).with_context("key", key)
    }

    async fn once<T>(&self, request: impl Future<Output = object_store::Result<T>>) -> Result<T, Fault> {
        match tokio::time::timeout(self.timeout, request).await {
            Ok(answer) => answer.map_err(|error| Fault::of(&error)),
            Err(_) => Err(Fault::Unclear(format!("no answer within {} s", self.timeout.as_secs_f64()))),
        }
    }

    /// Sends a request that changes nothing, and sends it again after an error that may pass.
    async fn patiently<T, F: Future<Output = object_store::Result<T>>>(
        &self,
        request: impl Fn() -> F,
    ) -> Result<T, Fault> {
        let mut tries = 1;
        loop {
            match self.once(request()).await {
                Err(fault) if fault.passes() && tries < TRIES => tokio::time::sleep(BACKOFF.pause(tries)).await,
                answer => return answer,
            }
            tries += 1;
        }
    }
}
