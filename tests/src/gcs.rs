//! Google Cloud Storage for tests: our own model, on loopback, in memory.
//!
//! No emulator of it supports conditions in the XML API, so this model implements Google's documentation and nothing
//! else: PUT with `x-goog-if-generation-match`, GET with ranges, lists of version 2, tokens from the instance's
//! metadata, and at most one change of the same object each second. Other behaviour of a real bucket is not tested.

mod answer;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, put};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use self::answer::{Object, content, list, refused, stored, token};

/// The bucket that exists at the start.
pub const BUCKET: &str = "ledgers";

/// The shortest time between two changes of one object.
const CHANGES: Duration = Duration::from_secs(1);

/// A running model with one empty bucket. It is stopped when this value is dropped.
#[derive(Debug)]
pub struct Gcs {
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    /// The token from the metadata server. No other token is accepted.
    token: String,
    bucket: Mutex<Bucket>,
}

#[derive(Debug, Default)]
struct Bucket {
    objects: BTreeMap<String, Object>,
    generation: u64,
}

impl Gcs {
    /// Starts a model.
    pub fn start() -> Gcs {
        let (stop, stopped) = oneshot::channel();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                listener.set_nonblocking(true).expect("a socket that does not block");
                let listener = TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    served = axum::serve(listener, routes(port)) => served.expect("it serves until it is stopped"),
                    _ = stopped => {}
                }
            });
        });
        Gcs { port, stop: Some(stop), thread: Some(thread) }
    }

    /// `http://127.0.0.1:port`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The ledger below `prefix`, for a process with [`Gcs::environment`].
    pub fn url(&self, prefix: &str) -> String {
        format!("gs://{BUCKET}/{prefix}?endpoint={}", self.endpoint())
    }

    /// The environment of an instance with an account: its metadata server gives tokens, and the home directory has no
    /// login.
    pub fn environment(&self) -> [(&'static str, String); 2] {
        let home = crate::file("no-home").display().to_string();
        [("GCE_METADATA_HOST", format!("127.0.0.1:{}", self.port)), ("HOME", home)]
    }
}

impl Drop for Gcs {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(()))), "the model of GCS panicked");
    }
}

fn routes(port: u16) -> Router {
    let shared = Shared { token: format!("canary-7f3a91-{port}"), bucket: Mutex::default() };
    Router::new()
        .route("/computeMetadata/v1/instance/service-accounts/default/token", get(metadata))
        .route("/{bucket}", get(listed))
        .route("/{bucket}/{*key}", put(write).get(read))
        .with_state(Arc::new(shared))
}

async fn metadata(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    // The header protects the token: a web page in a browser cannot send it.
    match headers.get("metadata-flavor").is_some_and(|flavor| flavor == "Google") {
        true => token(&shared.token),
        false => refused(StatusCode::FORBIDDEN, "Forbidden", "Metadata-Flavor is missing"),
    }
}

async fn write(
    State(shared): State<Arc<Shared>>,
    Path((bucket, key)): Path<(String, String)>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    if let Err(refused) = shared.admits(&headers, &bucket) {
        return refused;
    }
    let mut bucket = shared.bucket.lock().expect("no test panics while it is held");
    let there = bucket.objects.get(&key);
    // https://cloud.google.com/storage/docs/xml-api/reference-headers: generation 0 means that the object does not
    // exist.
    if let Some(wanted) = headers.get("x-goog-if-generation-match") {
        let generation = there.map_or(0, |object| object.generation).to_string();
        if wanted.as_bytes() != generation.as_bytes() {
            let message = "At least one of the pre-conditions you specified did not hold.";
            return refused(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message);
        }
    }
    // https://cloud.google.com/storage/quotas: one write each second to the same object name.
    if there.is_some_and(|object| object.changed.elapsed() < CHANGES) {
        let message = "The object exceeded the rate limit for object mutation operations.";
        return refused(StatusCode::TOO_MANY_REQUESTS, "SlowDown", message);
    }
    bucket.generation += 1;
    let object = Object { bytes, generation: bucket.generation, changed: Instant::now() };
    let answer = stored(&object);
    bucket.objects.insert(key, object);
    answer
}

async fn read(
    State(shared): State<Arc<Shared>>,
    Path((bucket, key)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Err(refused) = shared.admits(&headers, &bucket) {
        return refused;
    }
    let bucket = shared.bucket.lock().expect("no test panics while it is held");
    match bucket.objects.get(&key) {
        Some(object) => content(object, headers.get(header::RANGE)),
        None => refused(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist."),
    }
}

async fn listed(
    State(shared): State<Arc<Shared>>,
    Path(bucket): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    if let Err(refused) = shared.admits(&headers, &bucket) {
        return refused;
    }
    let bucket = shared.bucket.lock().expect("no test panics while it is held");
    list(&bucket.objects, &query)
}

impl Shared {
    #[expect(clippy::result_large_err, reason = "an answer is an answer")]
    fn admits(&self, headers: &HeaderMap, bucket: &str) -> Result<(), Response> {
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if bearer.and_then(|value| value.strip_prefix("Bearer ")) != Some(&self.token) {
            return Err(refused(StatusCode::UNAUTHORIZED, "AuthenticationRequired", "Authentication required."));
        }
        match bucket == BUCKET {
            true => Ok(()),
            false => Err(refused(StatusCode::NOT_FOUND, "NoSuchBucket", "The specified bucket does not exist.")),
        }
    }
}
