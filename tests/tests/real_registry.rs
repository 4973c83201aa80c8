//! A governed promotion on a real `docker-registry`, with `skopeo` as an independent reader and as a foreign writer.
//! The requirements of a registry are tested on the adapter, over the in-process server and over the real registry.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tagwarden::drift::Drift;
use tagwarden::ledger::FileLedger;
use tagwarden::log::Source;
use tagwarden::registry::oci::{CredentialSource, OciOptions, OciRegistry};
use tagwarden::registry::{Put, Registry};
use tagwarden::{
    Channel, Digest, ErrorKind, MoveOptions, Pipeline, Promoter, Provenance, Repository, Result, Stage, Tag,
};
use tagwarden_testing::RegistryServer;
use tagwarden_testing::TestImage;
use tagwarden_testing::conformance::registry::{RegistryHarness, all};
use tagwarden_tests::docker_registry::{Access, DockerRegistry, Transport};
use tagwarden_tests::verify_ledgers;

fn oci() -> OciRegistry {
    OciRegistry::new(OciOptions::new().lookup(CredentialSource::Nowhere)).unwrap()
}

async fn store(registry: &OciRegistry, repository: &Repository, sample: &TestImage) -> Result<()> {
    for blob in &sample.blobs {
        registry.push_blob(repository, blob.clone()).await?;
    }
    for child in &sample.children {
        Box::pin(store(registry, repository, child)).await?;
        let name: Tag = format!("child-{}", &child.digest().to_string()[7..19]).parse()?;
        let put = registry.put(repository, &name, &child.manifest, std::time::Duration::from_secs(15)).await;
        assert!(matches!(put, Put::Applied), "{put:?}");
    }
    Ok(())
}

/// The adapter over a registry at `host`.
struct Over {
    host: String,
    registry: OciRegistry,
    repositories: AtomicUsize,
}

impl Over {
    fn new(host: String) -> Over {
        Over { host, registry: oci(), repositories: AtomicUsize::new(0) }
    }
}

#[async_trait]
impl RegistryHarness for Over {
    fn registry(&self) -> Arc<dyn Registry> {
        Arc::new(self.registry.clone())
    }

    async fn repository(&self) -> Repository {
        let number = self.repositories.fetch_add(1, Ordering::Relaxed);
        format!("{}/requirements/{number}", self.host).parse().unwrap()
    }

    async fn store_parts(&self, repository: &Repository, sample: &TestImage) -> Result<()> {
        store(&self.registry, repository, sample).await
    }

    async fn broken(&self) -> (Arc<dyn Registry>, Repository) {
        // No process listens on this port: it was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let registry =
            OciRegistry::new(OciOptions::new().lookup(CredentialSource::Nowhere).retry_for(Duration::ZERO)).unwrap();
        (Arc::new(registry), format!("127.0.0.1:{port}/requirements/broken").parse().unwrap())
    }
}

#[tokio::test]
async fn requirements_hold_over_the_in_process_server() {
    let server = RegistryServer::start().await.unwrap();
    assert_eq!(all(&Over::new(server.host().to_owned())).await, []);
}

#[tokio::test]
async fn requirements_hold_over_docker_registry() {
    let test = "requirements_hold_over_docker_registry";
    let Some(server) = DockerRegistry::start(test, Access::Open, Transport::Http) else { return };
    assert_eq!(all(&Over::new(server.host())).await, []);
}

/// The output of `skopeo`. None, with a line that names the test, if it is not installed; with `CI=true` that is a
/// panic.
fn skopeo(test: &str, arguments: &[&str]) -> Option<String> {
    let Ok(run) = Command::new("skopeo").args(arguments).output() else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{test}: skopeo is not installed");
        eprintln!("SKIPPED {test}: skopeo is not installed");
        return None;
    };
    assert!(run.status.success(), "skopeo {arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    Some(String::from_utf8(run.stdout).unwrap().trim().to_owned())
}

#[tokio::test]
async fn release_is_promoted_and_rolled_back_on_a_real_registry() {
    let test = "release_is_promoted_and_rolled_back_on_a_real_registry";
    let Some(server) = DockerRegistry::start(test, Access::Open, Transport::Http) else { return };
    let repository: Repository = format!("{}/acme/shop", server.host()).parse().unwrap();
    let inspect = |tag: &str| {
        let image = format!("docker://{repository}:{tag}");
        skopeo(test, &["inspect", "--tls-verify=false", "--no-tags", "--format", "{{.Digest}}", &image])
    };
    let registry = oci();
    let mut digests: Vec<Digest> = Vec::new();
    for (name, number) in ["1.4.0", "1.4.1", "1.4.2", "hotfix"].into_iter().zip(0..) {
        let sample = TestImage::image(number);
        store(&registry, &repository, &sample).await.unwrap();
        let put = registry
            .put(&repository, &name.parse().unwrap(), &sample.manifest, std::time::Duration::from_secs(15))
            .await;
        assert!(matches!(put, Put::Applied), "{put:?}");
        digests.push(sample.digest());
    }
    if inspect("1.4.0").is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let channel = |name: &str| -> Channel { format!("{repository}:{name}").parse().unwrap() };
    let channels = ["dev", "preprod", "prod"].map(channel);
    let stages = ["dev", "preprod", "prod"]
        .map(|name| Stage { environment: name.parse().unwrap(), channel: channel(name) })
        .to_vec();
    let promoter = Promoter::builder()
        .registry(Arc::new(registry))
        .ledger(Arc::new(FileLedger::open(dir.path()).unwrap()))
        .pipeline(Pipeline::new(stages).unwrap())
        .build()
        .unwrap();
    let terms = || MoveOptions::new(Provenance::new("manual", "run-7", "ada").unwrap());
    let release = |name: &str| Source::Reference(repository.tag(name.parse().unwrap()));
    let says = |digest: Digest| Some(digest.to_string());

    for channel in &channels {
        promoter.bootstrap(channel).source(release("1.4.0")).options(terms()).await.unwrap();
    }
    assert_eq!(inspect("prod"), says(digests[0]));
    let [dev, preprod, prod] = &channels;
    let skipped = promoter.promote(prod, release("1.4.1")).options(terms()).await.unwrap_err();
    assert_eq!(skipped.kind(), ErrorKind::PolicyRefused, "{skipped}");
    for (name, digest) in [("1.4.1", digests[1]), ("1.4.2", digests[2])] {
        promoter.promote(dev, release(name)).options(terms()).await.unwrap();
        promoter.promote(preprod, Source::Channel(dev.clone())).options(terms()).await.unwrap();
        promoter.promote(prod, Source::Channel(preprod.clone())).options(terms()).await.unwrap();
        assert_eq!(inspect("prod"), says(digest), "skopeo reads the promoted digest back");
    }
    promoter.rollback(prod).options(terms()).await.unwrap();
    assert_eq!(inspect("prod"), says(digests[1]));

    // A foreign write, around the ledger.
    let (from, to) = (format!("docker://{repository}:hotfix"), format!("docker://{repository}:prod"));
    skopeo(
        test,
        &["copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false", "--preserve-digests", &from, &to],
    );
    assert_eq!(inspect("prod"), says(digests[3]));
    let audit = promoter.audit(&channels).await.unwrap();
    let moved = Drift::MovedOutside { expected: digests[1], observed: digests[3] };
    let found: Vec<_> = audit.channels().iter().map(|audited| audited.drift.clone()).collect();
    let live = |digest| Drift::InSync { live: digest };
    assert_eq!(found, [live(digests[2]), live(digests[2]), moved]);
    let refused = promoter.promote(prod, release("1.4.2")).options(terms()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ChannelDrifted, "{refused}");
    promoter.repair(prod).options(terms()).await.unwrap();
    assert_eq!(inspect("prod"), says(digests[1]));
    assert_eq!(promoter.current(prod).await.unwrap().previous, Some(digests[2]));

    let logs = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.extension().is_some_and(|ending| ending == "jsonl") {
            std::fs::copy(&entry, logs.path().join(entry.file_name().unwrap())).unwrap();
        }
    }
    assert_eq!(verify_ledgers(logs.path()).unwrap(), 3);
}
