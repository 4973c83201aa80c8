//! The backends under test. Each place is one backend with its logs.
//!
//! Another process finds a place by its URL, possibly through a proxy.

mod elsewhere;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use tagwarden::ledger::{FileLedger, GitLedger, Ledger, MemoryLedger, ObjectLedger, OpenMode, PostgresLedger};
use tagwarden::{Channel, Result};
use tagwarden_tests::azurite::{self, Azurite};
use tagwarden_tests::docker_registry::Transport;
use tagwarden_tests::gcs::Gcs;
use tagwarden_tests::git_http::GitServer;
use tagwarden_tests::moto::Moto;
use tagwarden_tests::postgres::Postgres;
use tagwarden_tests::proxy::Proxy;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use self::elsewhere::Elsewhere;

/// The kind of a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Memory,
    File,
    /// An object store's layout in a directory.
    Directory,
    Postgres,
    S3,
    Azure,
    Gcs,
    /// A branch of a repository in a directory.
    Git,
    /// A branch of a repository behind the HTTP backend of Git.
    GitHttp,
}

/// The backends that need no engine. A test with many small worlds runs on each of them.
pub const BACKENDS: [Backend; 2] = [Backend::Memory, Backend::File];

/// A running backend with its logs. It is stopped, and its logs are removed, when this value is dropped.
pub struct Place {
    backend: Backend,
    url: String,
    memory: Arc<MemoryLedger>,
    /// The directory of the caches of Git, for this process and its children.
    caches: Option<Arc<TempDir>>,
    engine: Engine,
}

#[allow(dead_code, reason = "it runs as long as it is held")]
enum Engine {
    None,
    Directory(TempDir),
    Postgres(Postgres),
    S3(Moto),
    Azure(Azurite),
    Gcs(Gcs),
    Git(GitServer),
}

/// The environment variable with the place's URL, for a test that runs again with the credentials of its place.
const PLACE: &str = "TAGWARDEN_TEST_PLACE";

/// Runs `requirement` on a backend. `test` is the full name of the calling test. If the engine is not installed, nothing runs,
/// and a line on standard error says so.
///
/// A cloud's client reads credentials from the environment, which a running process cannot change safely. So the test
/// starts itself again in a child process.
pub fn on(backend: Backend, test: &str, requirement: impl FnOnce(&Place)) {
    if let Ok(url) = std::env::var(PLACE) {
        return requirement(&Place::at(backend, url, Engine::None));
    }
    let Some(place) = Place::try_start(backend, test) else { return };
    let credentials = match &place.engine {
        Engine::S3(_) => Moto::environment().map(|(name, value)| (name, value.to_owned())).to_vec(),
        // One signature for all requests, so that a proxy may change a request.
        Engine::Azure(_) => vec![("AZURE_STORAGE_SAS_TOKEN", shared_access())],
        Engine::Gcs(gcs) => gcs.environment().to_vec(),
        _ => return requirement(&place),
    };
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args([test, "--exact", "--nocapture"]).envs(credentials).env(PLACE, place.url());
    let run = again.output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && text.contains(" 1 passed"), "{text}");
    println!("{text}");
}

/// Runs `work` in paused time.
pub fn paused(work: impl Future<Output = ()>) {
    Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(work);
}

/// Runs `work` in real time.
pub fn real_time(work: impl Future<Output = ()>) {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(work);
}

impl Place {
    /// Starts an empty place that needs no engine.
    pub fn start(backend: Backend) -> Place {
        Place::try_start(backend, "").expect("it needs no engine")
    }

    fn try_start(backend: Backend, test: &str) -> Option<Place> {
        let (url, engine) = match backend {
            Backend::Memory => (String::new(), Engine::None),
            Backend::File => {
                let dir = tempfile::tempdir().unwrap();
                (dir.path().display().to_string(), Engine::Directory(dir))
            }
            Backend::Directory => {
                let dir = tempfile::tempdir().unwrap();
                (format!("file://{}", dir.path().display()), Engine::Directory(dir))
            }
            Backend::Postgres => {
                let postgres = Postgres::start(test, &[])?;
                let url = postgres.database("ledger");
                outside(PostgresLedger::init(&url)).unwrap();
                (url, Engine::Postgres(postgres))
            }
            Backend::S3 => {
                let moto = Moto::start(test, Transport::Http)?;
                (moto.url("team/ledger"), Engine::S3(moto))
            }
            Backend::Azure => {
                let azurite = Azurite::start(test)?;
                (azurite.url("team/ledger"), Engine::Azure(azurite))
            }
            Backend::Gcs => {
                let gcs = Gcs::start();
                (gcs.url("team/ledger"), Engine::Gcs(gcs))
            }
            Backend::Git => {
                let dir = tempfile::tempdir().unwrap();
                let made = Command::new("git").args(["init", "--quiet", "--bare"]).arg(dir.path()).status().unwrap();
                assert!(made.success());
                (format!("git+file://{}", dir.path().display()), Engine::Directory(dir))
            }
            Backend::GitHttp => {
                let server = GitServer::start();
                (server.ledger(), Engine::Git(server))
            }
        };
        Some(Place::at(backend, url, engine))
    }

    fn at(backend: Backend, url: String, engine: Engine) -> Place {
        let is_git = matches!(backend, Backend::Git | Backend::GitHttp);
        let caches = is_git.then(|| Arc::new(tempfile::tempdir().unwrap()));
        Place { backend, url, memory: Arc::default(), caches, engine }
    }

    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// The URL with which another process opens the ledger.
    pub fn url(&self) -> &str {
        assert!(self.backend != Backend::Memory, "no other process reaches memory");
        &self.url
    }

    /// A proxy in front of the engine, and this place as seen through the proxy.
    pub fn proxied(&self) -> (Proxy, Place) {
        let before = match self.backend {
            Backend::Postgres => "@",
            Backend::GitHttp => "git+http://",
            _ => "endpoint=http://",
        };
        let (_, rest) = self.url.split_once(before).expect("an engine with a host");
        let host = rest.split(['/', '&']).next().unwrap();
        let proxy = if self.backend == Backend::Postgres { Proxy::tcp(host) } else { Proxy::http(host) };
        let url = self.url.replacen(host, &proxy.host(), 1);
        (proxy, Place::at(self.backend, url, Engine::None))
    }

    /// The environment of another process that opens the ledger.
    pub fn environment(&self) -> Option<(&'static str, PathBuf)> {
        Some(("XDG_CACHE_HOME", self.caches.as_ref()?.path().to_owned()))
    }

    /// The ledger, newly opened as by another process.
    pub fn open(&self) -> Arc<dyn Ledger> {
        match self.backend {
            Backend::Memory => Arc::clone(&self.memory) as Arc<dyn Ledger>,
            Backend::Git | Backend::GitHttp => {
                let ledger = outside(GitLedger::open(self.url(), OpenMode::Write)).unwrap();
                let caches = self.caches.as_ref().expect("it has caches");
                Arc::new(ledger.cache(caches.path().join("tagwarden")))
            }
            _ => open(self.url()).unwrap_or_else(|error| panic!("{:?}: {error:?}", self.backend)),
        }
    }

    /// The ledger, newly opened, for a test in paused time: an engine answers in real time.
    pub fn open_in_paused_time(&self) -> Arc<dyn Ledger> {
        match self.backend {
            Backend::Memory | Backend::File => self.open(),
            _ => Arc::new(Elsewhere(self.open())),
        }
    }
}

/// The ledger at a URL.
pub fn open(url: &str) -> Result<Arc<dyn Ledger>> {
    Ok(match url.split_once("://") {
        Some((scheme, _)) if scheme.starts_with("git+") => Arc::new(outside(GitLedger::open(url, OpenMode::Write))?),
        Some(("postgres", _)) => Arc::new(outside(PostgresLedger::open(url, OpenMode::Write))?),
        Some(_) => Arc::new(outside(ObjectLedger::open(url, OpenMode::Write))?),
        None => Arc::new(FileLedger::open(url)?),
    })
}

/// The runtime for calls to engines while the time of the test is paused.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap())
}

fn outside<T: Send>(work: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| scope.spawn(|| runtime().block_on(work)).join().unwrap())
}

/// A token for everything in the emulator's account.
fn shared_access() -> String {
    const SIGN: &str = "import base64, hashlib, hmac, sys, urllib.parse\n\
        account, key = sys.argv[1:]\n\
        may = dict(sp='rwdlac', ss='b', srt='sco', se='2099-01-01T00:00:00Z', sv='2021-08-06')\n\
        text = '\\n'.join([account, may['sp'], 'b', 'sco', '', may['se'], '', '', may['sv'], '', ''])\n\
        mac = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()\n\
        print(urllib.parse.urlencode(dict(may, sig=base64.b64encode(mac).decode())))";
    let run = Command::new("python3").args(["-c", SIGN, azurite::ACCOUNT, azurite::KEY]).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap().trim().to_owned()
}

/// Writes a log to a file, one entry a line, for the independent verifier.
pub async fn export(ledger: &dyn Ledger, channel: &Channel, file: &Path) {
    let mut lines = Vec::new();
    let mut next = 0;
    loop {
        let page = ledger.read(channel, next, 10_000).await.unwrap();
        if page.is_empty() {
            break;
        }
        next += page.len() as u64;
        for entry in page {
            lines.extend_from_slice(&entry);
            lines.push(b'\n');
        }
    }
    std::fs::write(file, lines).unwrap();
}
