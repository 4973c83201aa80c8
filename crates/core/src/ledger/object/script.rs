//! A store with scripted faults that records its requests.

use std::fmt;
use std::iter::repeat_n;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::testing::Script;

/// The kind of a request to a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Create,
    Put,
    Get,
    List,
}

/// The fault of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// No fault.
    Not,
    /// The request has no effect, and its error does not say so.
    Before,
    /// The request has its effect, and its error does not say so.
    After,
    /// The request has its effect, and the answer is that the object exists. A library that retries after a lost answer reports this.
    AfterTaken,
    /// No effect, and the answer that another writer is changing the object.
    Conflict,
    /// A create overwrites an object that exists.
    Overwrites,
    /// No effect, and the answer that it is not allowed.
    Denied,
    /// No effect, and no answer.
    Silent,
    /// Another writer stores its bytes first.
    Beaten,
    /// No effect, and the answer that there is no bucket.
    NoBucket,
}

/// A store in memory with faults and a record of its requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Scripted {
    pub(super) inner: Arc<InMemory>,
    calls: Arc<Mutex<Calls>>,
}

#[derive(Debug, Default)]
struct Calls {
    asked: Vec<(Asked, String)>,
    script: Script<Asked, Wrong>,
}

impl Scripted {
    /// Sets the faults of the next requests of this kind.
    pub(super) fn script(&self, asked: Asked, wrong: impl IntoIterator<Item = Wrong>) {
        self.calls.lock().unwrap().script.push(move |of| *of == asked, wrong);
    }

    /// Sets the fault of every request of this kind from now on.
    pub(super) fn always(&self, asked: Asked, wrong: Wrong) {
        self.calls.lock().unwrap().script.rule(move |of| (*of == asked).then_some(wrong));
    }

    /// Sets the fault of the n-th request from now on, counted from 0.
    pub(super) fn nth(&self, nth: usize, wrong: Wrong) {
        self.calls.lock().unwrap().script.push(|_| true, repeat_n(Wrong::Not, nth).chain([wrong]));
    }

    /// Removes all faults, and clears the record of requests.
    pub(super) fn calm(&self) {
        *self.calls.lock().unwrap() = Calls::default();
    }

    /// The requests since the last `calm`, with their keys.
    pub(super) fn asked(&self) -> Vec<(Asked, String)> {
        self.calls.lock().unwrap().asked.clone()
    }

    /// Stores bytes under a key without the ledger.
    pub(super) async fn plant(&self, key: &str, bytes: &[u8]) {
        self.inner.put(&Path::from(key), bytes.to_vec().into()).await.unwrap();
    }

    pub(super) async fn take_away(&self, key: &str) {
        self.inner.delete(&Path::from(key)).await.unwrap();
    }

    fn next(&self, asked: Asked, key: &Path) -> Wrong {
        let mut calls = self.calls.lock().unwrap();
        calls.asked.push((asked, key.to_string()));
        calls.script.take(&asked).unwrap_or(Wrong::Not)
    }
}

fn lost() -> Error {
    Error::Generic { store: "scripted", source: "the answer was lost".into() }
}

fn taken(key: &Path) -> Error {
    Error::AlreadyExists { path: key.to_string(), source: "409".into() }
}

/// The error of a request that has no effect; `Ok` if the request goes on.
async fn stopped(wrong: Wrong, key: &Path) -> Result<()> {
    match wrong {
        Wrong::Before => Err(lost()),
        Wrong::Conflict => Err(taken(key)),
        Wrong::Denied => Err(Error::PermissionDenied { path: key.to_string(), source: "403".into() }),
        Wrong::NoBucket => {
            let source = "Server returned non-2xx status code: 404 Not Found: <Code>NoSuchBucket</Code>";
            Err(Error::NotFound { path: key.to_string(), source: source.into() })
        }
        Wrong::Silent => std::future::pending().await,
        _ => Ok(()),
    }
}

impl fmt::Display for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("scripted")
    }
}

#[async_trait]
impl ObjectStore for Scripted {
    async fn put_opts(&self, key: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let create = options.mode == PutMode::Create;
        let wrong = self.next(if create { Asked::Create } else { Asked::Put }, key);
        stopped(wrong, key).await?;
        if wrong == Wrong::Beaten {
            self.inner.put(key, PutPayload::from_static(b"another writer's")).await?;
        }
        let options = if wrong == Wrong::Overwrites { PutOptions::default() } else { options };
        let put = self.inner.put_opts(key, payload, options).await;
        match wrong {
            Wrong::After => Err(lost()),
            Wrong::AfterTaken => Err(taken(key)),
            _ => put,
        }
    }

    async fn put_multipart_opts(&self, key: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        panic!("a ledger has no large objects: {key}")
    }

    async fn get_opts(&self, key: &Path, options: GetOptions) -> Result<GetResult> {
        // A read cannot conflict.
        let wrong = match self.next(Asked::Get, key) {
            Wrong::Conflict => Wrong::Before,
            wrong => wrong,
        };
        stopped(wrong, key).await?;
        match wrong {
            Wrong::After => Err(lost()),
            _ => self.inner.get_opts(key, options).await,
        }
    }

    fn delete_stream(&self, keys: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        keys.map(|key| panic!("a ledger deletes nothing: {key:?}")).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_with_offset(prefix, &Path::default())
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        let key = prefix.cloned().unwrap_or_default();
        let wrong = self.next(Asked::List, &key);
        let listed = self.inner.list_with_offset(prefix, offset);
        futures_util::stream::once(async move { stopped(wrong, &key).await.map(|()| listed) }).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let key = prefix.cloned().unwrap_or_default();
        stopped(self.next(Asked::List, &key), &key).await?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        panic!("a ledger copies nothing: {from}")
    }
}
