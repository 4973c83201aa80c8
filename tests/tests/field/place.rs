//! `Place`: a registry behind a proxy, with the same releases for tagwarden and for each other program.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tagwarden::ledger::FileLedger;
use tagwarden::promotion::PromoterBuilder;
use tagwarden::registry::oci::{CredentialSource, OciOptions, OciRegistry};
use tagwarden::registry::{Put, Registry};
use tagwarden::{Channel, Digest, MoveOptions, Promoter, Provenance, Repository, Tag, Times};
use tagwarden_testing::{RegistryServer, TestImage};
use tagwarden_tests::docker_registry::{Access, DockerRegistry, Transport};
use tagwarden_tests::proxy::Proxy;
use tagwarden_tests::verify_ledgers;
use tempfile::TempDir;

use crate::tool::{Other, inspected};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    InProcess,
    DockerRegistry,
}

enum Server {
    InProcess(RegistryServer),
    Docker(DockerRegistry),
}

/// A registry behind a proxy, and a ledger.
pub struct Place {
    server: Server,
    pub proxy: Proxy,
    ledger: TempDir,
    others: Vec<Other>,
    /// The names of the digests that were pushed.
    names: Mutex<BTreeMap<Digest, String>>,
}

/// Short times, so that a scenario that waits for one takes no minutes.
pub const QUIET: Duration = Duration::from_millis(300);
pub const TTL: Duration = Duration::from_secs(2);
pub const GRACE: Duration = Duration::from_millis(500);

const PUT_WITHIN: Duration = Duration::from_secs(15);

impl Place {
    /// None, said with the name of the test, if `docker-registry` is needed and not installed.
    pub async fn start(test: &str, kind: Kind) -> Option<Place> {
        let server = match kind {
            Kind::InProcess => Server::InProcess(RegistryServer::start().await.unwrap()),
            Kind::DockerRegistry => Server::Docker(DockerRegistry::start(test, Access::Open, Transport::Http)?),
        };
        let proxy = Proxy::http(server.host());
        let others = Other::installed(&proxy.host());
        let ledger = tempfile::tempdir().unwrap();
        Some(Place { server, proxy, ledger, others, names: Mutex::default() })
    }

    /// The other programs.
    pub fn others(&self) -> &[Other] {
        &self.others
    }

    /// The channel `prod` of tagwarden, through the proxy.
    pub fn prod(&self) -> Channel {
        self.channel("prod")
    }

    pub fn channel(&self, tag: &str) -> Channel {
        format!("{}/ours/shop:{tag}", self.proxy.host()).parse().unwrap()
    }

    /// A promoter like one of another process: it shares nothing but the ledger.
    pub fn promoter(&self) -> Promoter {
        self.builder().build().unwrap()
    }

    pub fn builder(&self) -> PromoterBuilder {
        let times = Times::new(TTL, GRACE, QUIET, QUIET).unwrap().with_settle(QUIET).unwrap();
        let ledger = FileLedger::open(self.ledger_dir()).unwrap();
        Promoter::builder().registry(Arc::new(oci())).ledger(Arc::new(ledger)).times(times)
    }

    pub fn ledger_dir(&self) -> PathBuf {
        self.ledger.path().to_owned()
    }

    /// Pushes images as releases, for tagwarden and for each other program; the number of an image is its content.
    pub async fn push(&self, releases: &[(&str, u64)]) {
        for (name, number) in releases {
            self.push_sample(name, name, &TestImage::image(*number)).await;
        }
    }

    /// Pushes a sample to `tag` in every repository. `name` is its name in the table.
    pub async fn push_sample(&self, tag: &str, name: &str, sample: &TestImage) {
        for path in self.paths() {
            self.push_to(&path, tag, sample).await;
        }
        self.names.lock().unwrap().insert(sample.digest(), name.to_owned());
    }

    /// Pushes a sample to `tag` in the repository of tagwarden alone.
    pub async fn push_to_ours(&self, tag: &str, name: &str, sample: &TestImage) {
        self.push_to("ours/shop", tag, sample).await;
        self.names.lock().unwrap().insert(sample.digest(), name.to_owned());
    }

    async fn push_to(&self, path: &str, tag: &str, sample: &TestImage) {
        let (registry, repository) = (oci(), self.repository(path));
        for image in sample.children.iter().chain([sample]) {
            for blob in &image.blobs {
                registry.push_blob(&repository, blob.clone()).await.unwrap();
            }
        }
        for (at, child) in sample.children.iter().enumerate() {
            let name: Tag = format!("{tag}-part-{at}").parse().unwrap();
            let put = registry.put(&repository, &name, &child.manifest, PUT_WITHIN).await;
            assert!(matches!(put, Put::Applied), "{put:?}");
        }
        let put = registry.put(&repository, &tag.parse().unwrap(), &sample.manifest, PUT_WITHIN).await;
        assert!(matches!(put, Put::Applied), "{put:?}");
    }

    fn paths(&self) -> Vec<String> {
        self.others.iter().map(Other::path).chain(["ours/shop".to_owned()]).collect()
    }

    /// The repository of this path, without the proxy.
    pub fn repository(&self, path: &str) -> Repository {
        format!("{}/{path}", self.server.host()).parse().unwrap()
    }

    /// Removes what no tag names, as a registry's own cleaner does.
    pub async fn collect_garbage(&self) {
        match &self.server {
            Server::Docker(registry) => registry.collect_garbage(),
            Server::InProcess(server) => {
                for path in self.paths() {
                    let (memory, repository) = (server.memory(), self.repository(&path));
                    let tags = oci().tags(&repository).await.unwrap();
                    let named: Vec<_> = tags.iter().filter_map(|tag| memory.peek(&repository, tag)).collect();
                    for manifest in memory.manifests(&repository) {
                        if !named.contains(&manifest.digest()) {
                            memory.delete_manifest(&repository, &manifest.digest());
                        }
                    }
                }
            }
        }
    }

    /// The name of what `prod` of tagwarden is.
    pub fn end_of_ours(&self) -> String {
        self.name_of("ours/shop")
    }

    /// The name of what `prod` of another program is.
    pub fn end_of(&self, other: &Other) -> String {
        self.name_of(&other.path())
    }

    /// True if a repository has this release.
    pub fn has(&self, path: &str, digest: &Digest) -> bool {
        inspected(&format!("{}@{digest}", self.repository(path))).is_some()
    }

    fn name_of(&self, path: &str) -> String {
        let digest = inspected(&format!("{}:prod", self.repository(path)));
        let names = self.names.lock().unwrap();
        digest.map_or("nothing", |digest| names.get(&digest).map_or("no release", String::as_str)).to_owned()
    }

    /// The library and the independent verifier are content with every log.
    pub async fn verify(&self) {
        let (promoter, logs) = (self.promoter(), tempfile::tempdir().unwrap());
        let channels = promoter.channels().await.unwrap();
        for channel in &channels {
            let report = promoter.verify(channel).await.unwrap();
            assert!(report.defects.is_empty(), "{channel}: {report:?}");
            assert!(promoter.current(channel).await.unwrap().open.is_none(), "{channel}: no move is open");
        }
        for entry in std::fs::read_dir(self.ledger.path()).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.extension().is_some_and(|ending| ending == "jsonl") {
                std::fs::copy(&entry, logs.path().join(entry.file_name().unwrap())).unwrap();
            }
        }
        assert_eq!(verify_ledgers(logs.path()).unwrap(), channels.len());
    }
}

impl Server {
    fn host(&self) -> String {
        match self {
            Server::InProcess(server) => server.host().to_owned(),
            Server::Docker(registry) => registry.host(),
        }
    }
}

/// A client that gives up soon, so that a scenario without answers takes no ten seconds.
fn oci() -> OciRegistry {
    OciRegistry::new(OciOptions::new().lookup(CredentialSource::Nowhere).retry_for(Duration::from_secs(1))).unwrap()
}

/// The options of a run of the pipeline.
pub fn run(id: &str) -> MoveOptions {
    MoveOptions::new(Provenance::new("github-actions", id, "ada").unwrap())
}

/// The options of a run, with the key of its attempt.
pub fn attempt(id: &str, number: u32) -> MoveOptions {
    MoveOptions { idempotency_key: Some(format!("{id}-{number}").parse().unwrap()), ..run(id) }
}

/// True for a put of the tag `prod`.
pub fn put_of_prod(head: &[u8]) -> bool {
    head.starts_with(b"PUT ")
        && String::from_utf8_lossy(head).lines().next().is_some_and(|line| line.contains("/manifests/prod "))
}
