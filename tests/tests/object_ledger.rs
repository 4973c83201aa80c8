//! `ObjectLedger` on real engines: an S3 server and an Azure Blob server. Each engine is first checked to honour
//! conditional writes.

use std::process::Command;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use bytes::Bytes;
use tagwarden::ledger::{Appended, Ledger, LedgerUrl, ObjectLedger, OpenMode};
use tagwarden::{Channel, ErrorKind, Result};
use tagwarden_testing::conformance::ledger::{self as requirements, LedgerHarness};
use tagwarden_tests::azurite::Azurite;
use tagwarden_tests::docker_registry::Transport;
use tagwarden_tests::gcs::Gcs;
use tagwarden_tests::moto::Moto;

const URL: &str = "TAGWARDEN_TEST_OBJECTS";

struct Opened(String);

#[async_trait]
impl LedgerHarness for Opened {
    async fn open(&self) -> Result<Arc<dyn Ledger>> {
        Ok(Arc::new(ObjectLedger::open(&self.0, OpenMode::Write).await?))
    }
}

struct InMemory(Arc<object_store::memory::InMemory>);

#[async_trait]
impl LedgerHarness for InMemory {
    async fn open(&self) -> Result<Arc<dyn Ledger>> {
        Ok(Arc::new(ObjectLedger::over(self.0.clone(), "team/ledger", OpenMode::Write).await?))
    }
}

#[tokio::test]
async fn requirements_hold_in_memory() {
    requirements::all(&InMemory(Arc::default())).await.unwrap();
}

#[tokio::test]
async fn requirements_hold_in_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    requirements::all(&Opened(format!("file://{}/ledger", dir.path().display()))).await.unwrap();
}

/// Tests that run in a child process: `ObjectLedger` finds its credentials only in the environment.
mod engine {
    use super::*;

    fn url() -> String {
        std::env::var(URL).unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "a child of the tests of an engine"]
    async fn exactly_one_of_16_writers_wins_each_of_20_races() {
        let url = url();
        let mut writers = Vec::new();
        for _ in 0..16 {
            writers.push(ObjectLedger::open(&url, OpenMode::Write).await.unwrap());
        }
        let channel: Channel = "conformance.example/race:prod".parse().unwrap();
        for seq in 0..20 {
            let start = Arc::new(tokio::sync::Barrier::new(writers.len()));
            let races: Vec<_> = writers
                .iter()
                .cloned()
                .enumerate()
                .map(|(writer, ledger)| {
                    let (channel, start) = (channel.clone(), start.clone());
                    tokio::spawn(async move {
                        start.wait().await;
                        let bytes = Bytes::from(format!("writer {writer} at {seq}"));
                        (ledger.append(&channel, seq, bytes.clone()).await.unwrap(), bytes)
                    })
                })
                .collect();
            let mut won = Vec::new();
            for race in races {
                let (append, bytes) = race.await.unwrap();
                if append == Appended::Stored {
                    won.push(bytes);
                }
            }
            assert_eq!(won.len(), 1, "the winners of position {seq}: {won:?}");
            assert_eq!(writers[0].read(&channel, seq, 1).await.unwrap(), won);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "a child of the tests of an engine"]
    async fn requirements_hold() {
        let url = url();
        requirements::all(&Opened(url)).await.unwrap();
    }

    #[tokio::test]
    #[ignore = "a child of the tests of an engine"]
    async fn missing_bucket_is_ledger_absent() {
        let url = url();
        let elsewhere = url.replacen("://ledgers/", "://nowhere/", 1);
        let error = ObjectLedger::open(&elsewhere, OpenMode::Write).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LedgerAbsent, "{error:?}");
        assert!(error.to_string().ends_with("make the bucket or container first, tagwarden never does"), "{error}");
        let read = ObjectLedger::open(&elsewhere, OpenMode::Read).await.unwrap();
        let channel: Channel = "conformance.example/absent:prod".parse().unwrap();
        assert_eq!(read.size(&channel).await.unwrap_err().kind(), ErrorKind::LedgerAbsent);
    }
}

/// Tests with credentials that the store does not accept.
mod stranger {
    use super::*;

    #[tokio::test]
    #[ignore = "a child of the test of an account with other credentials"]
    async fn wrong_credentials_are_denied_and_never_shown() {
        let url = std::env::var(STRANGER).unwrap();
        let channel: Channel = "conformance.example/denied:prod".parse().unwrap();
        let ledger = ObjectLedger::open(&url, OpenMode::Write).await.unwrap();
        let append = ledger.append(&channel, 0, Bytes::from_static(b"{}")).await.unwrap_err();
        let size = ledger.size(&channel).await.unwrap_err();
        let all = ledger.channels().await.unwrap_err();
        let init = url.parse::<LedgerUrl>().unwrap().init().await.unwrap_err();
        for error in [&append, &size, &all, &init] {
            assert_eq!(error.kind(), ErrorKind::LedgerDenied, "{error:?}");
        }
        // No process listens on this port. The client's error message has the URL in it.
        let (_, host) = url.split_once("?endpoint=http://").unwrap();
        let gone = url.replace(host.split('/').next().unwrap(), "127.0.0.1:1");
        let gone = ObjectLedger::open(&gone, OpenMode::Write).await.unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::LedgerUnavailable, "{gone:?}");
        let shown = format!(
            "{append:?} {size:?} {all:?} {init:?} {gone:?} {append} {size} {all} {init} {gone} {ledger:?} {ledger:#?}"
        );
        assert!(!shown.contains("canary") && !shown.contains(&secret()), "{shown}");
        println!("denied: {append}");
    }
}

const STRANGER: &str = "TAGWARDEN_TEST_STRANGER";

/// The key of an account that does not exist.
fn secret() -> String {
    base64::engine::general_purpose::STANDARD.encode("canary-7f3a91")
}

/// Runs the tests of a module in a child process with these environment variables.
fn within(module: &str, variables: &[(&str, &str)]) {
    let run = Command::new(std::env::current_exe().unwrap())
        .args([module, "--ignored", "--nocapture"])
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && !text.contains(" 0 passed"), "{text}");
    assert!(!text.contains("canary") && !text.contains(&secret()), "{text}");
}

fn on_moto(test: &str, transport: Transport, variables: &[(&str, &str)]) {
    let Some(moto) = Moto::start(test, transport) else { return };
    let url = moto.url("team/ledger");
    within("engine::", &[&[(URL, url.as_str())][..], &Moto::environment(), variables].concat());
}

#[test]
fn requirements_hold_on_s3() {
    on_moto("requirements_hold_on_s3", Transport::Http, &[]);
}

/// The ledger's client sets up TLS itself: the child process has no default crypto provider.
#[test]
fn requirements_hold_on_s3_over_tls() {
    let trusted = tagwarden_tests::file("data/tls/ca.pem");
    on_moto("requirements_hold_on_s3_over_tls", Transport::Tls, &[("SSL_CERT_FILE", trusted.to_str().unwrap())]);
}

#[test]
fn requirements_hold_on_azure_blob_storage() {
    let Some(azurite) = Azurite::start("requirements_hold_on_azure_blob_storage") else { return };
    let url = azurite.url("team/ledger");
    within("engine::", &[&[(URL, url.as_str())][..], &Azurite::environment()].concat());
    let (wrong, sas) = (secret(), "?sv=2021-08-06&ss=b&srt=co&sp=rwl&se=2099-01-01T00:00:00Z&sig=canary-7f3a91%3D");
    within("stranger::", &[(STRANGER, url.as_str()), ("AZURE_STORAGE_KEY", &wrong)]);
    within("stranger::", &[(STRANGER, url.as_str()), ("AZURE_STORAGE_SAS_TOKEN", sas)]);
}

#[test]
fn requirements_hold_on_google_cloud_storage() {
    let gcs = Gcs::start();
    let (url, account) = (gcs.url("team/ledger"), gcs.environment());
    let [metadata, home] = account.each_ref().map(|(name, value)| (*name, value.as_str()));
    within("engine::", &[(URL, &url), metadata, home]);
    // A token of another project, which this one does not accept.
    let other = Gcs::start();
    let [(metadata, elsewhere), _] = other.environment();
    within("stranger::", &[(STRANGER, &url), (metadata, &elsewhere), home]);
}
