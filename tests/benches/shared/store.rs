//! A store in memory that lists like a cloud store: the cost of a page depends on its size, not on the number of
//! objects.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt as _,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// The number of objects in one page of a list.
const PAGE: usize = 1000;

/// The store. With `slow`, each request takes a set time.
#[derive(Clone, Debug, Default)]
pub struct Store {
    memory: Arc<InMemory>,
    listed: Arc<Mutex<BTreeMap<Path, ObjectMeta>>>,
    asked: Arc<AtomicU64>,
    wait: Duration,
}

impl Store {
    pub fn slow(&self, wait: Duration) -> Store {
        Store { wait, ..self.clone() }
    }

    /// The number of requests so far.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// The folder of `channel`'s object whose key ends in `suffix`.
    pub fn folder(&self, suffix: &str, channel: &str) -> String {
        let listed = self.listed.lock().unwrap();
        let mut keys = listed.keys().map(ToString::to_string);
        let key = keys.find(|key| key.ends_with(suffix) && key.contains(channel)).unwrap();
        key.rsplit_once('/').unwrap().0.to_owned()
    }

    async fn request(&self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if !self.wait.is_zero() {
            tokio::time::sleep(self.wait).await;
        }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a store in memory")
    }
}

#[async_trait]
impl ObjectStore for Store {
    async fn put_opts(&self, key: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.request().await;
        let put = self.memory.put_opts(key, payload, options).await?;
        let meta = self.memory.head(key).await?;
        self.listed.lock().unwrap().insert(key.clone(), meta);
        Ok(put)
    }

    async fn put_multipart_opts(&self, key: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        panic!("a ledger has no large objects: {key}")
    }

    async fn get_opts(&self, key: &Path, options: GetOptions) -> Result<GetResult> {
        self.request().await;
        self.memory.get_opts(key, options).await
    }

    fn delete_stream(&self, keys: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        keys.map(|key| panic!("a ledger deletes nothing: {key:?}")).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_with_offset(prefix, &Path::default())
    }

    /// Lists one page: the benchmarks read no further page.
    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix) = (self.clone(), prefix.cloned().unwrap_or_default());
        let from = offset.clone().max(prefix.clone());
        let page = async move {
            store.request().await;
            let listed = store.listed.lock().unwrap();
            let after = listed.range((Bound::Excluded(from), Bound::Unbounded));
            let within = after.take_while(|(key, _)| key.prefix_matches(&prefix)).take(PAGE);
            stream::iter(within.map(|(_, meta)| Ok(meta.clone())).collect::<Vec<_>>())
        };
        stream::once(page).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.request().await;
        self.memory.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        panic!("a ledger copies nothing: {from}")
    }
}
