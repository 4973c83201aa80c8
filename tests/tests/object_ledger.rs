//! `ObjectLedger` on real engines: an S3 server and an Azure Blob server, each first shown to honour conditional writes.

use std::process::Command;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tagwarden::conformance::ledger::{self as laws, Store};
use tagwarden::ledger::{Access, Append, Ledger, ObjectLedger};
use tagwarden::{Channel, ErrorKind, Result};
use tagwarden_tests::azurite::Azurite;
use tagwarden_tests::moto::Moto;

const URL: &str = "TAGWARDEN_TEST_OBJECTS";

/// What runs in a process of its own, whose environment holds the credentials: `ObjectLedger` finds them only there.
mod engine {
    use super::*;

    fn url() -> Option<String> {
        std::env::var(URL).ok()
    }

    struct Opened(String);

    #[async_trait]
    impl Store for Opened {
        async fn open(&self) -> Result<Arc<dyn Ledger>> {
            Ok(Arc::new(ObjectLedger::open(&self.0, Access::Write).await?))
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn exactly_one_of_16_writers_wins_each_of_20_races() {
        let Some(url) = url() else { return };
        let mut writers = Vec::new();
        for _ in 0..16 {
            writers.push(ObjectLedger::open(&url, Access::Write).await.unwrap());
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
                if append == Append::Stored {
                    won.push(bytes);
                }
            }
            assert_eq!(won.len(), 1, "the winners of position {seq}: {won:?}");
            assert_eq!(writers[0].read(&channel, seq, 1).await.unwrap(), won);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_laws_hold() {
        let Some(url) = url() else { return };
        laws::all(&Opened(url)).await.unwrap();
    }

    #[tokio::test]
    async fn a_bucket_that_is_not_there_is_absent() {
        let Some(url) = url() else { return };
        let elsewhere = url.replacen("://ledgers/", "://nowhere/", 1);
        let error = ObjectLedger::open(&elsewhere, Access::Write).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LedgerAbsent, "{error:?}");
        assert!(error.to_string().ends_with("make the bucket or container first, tagwarden never does"), "{error}");
        let read = ObjectLedger::open(&elsewhere, Access::Read).await.unwrap();
        let channel: Channel = "conformance.example/absent:prod".parse().unwrap();
        assert_eq!(read.size(&channel).await.unwrap_err().kind(), ErrorKind::LedgerAbsent);
    }
}

/// Runs the tests of `engine` in a child with these variables.
fn within<const N: usize>(url: String, environment: [(&str, &str); N]) {
    let run = Command::new(std::env::current_exe().unwrap())
        .args(["engine::", "--nocapture"])
        .env(URL, url)
        .envs(environment)
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && !text.contains(" 0 passed"), "{text}");
}

#[test]
fn on_s3() {
    let Some(moto) = Moto::start("on_s3") else { return };
    within(moto.url("team/ledger"), Moto::environment());
}

#[test]
fn on_azure_blob_storage() {
    let Some(azurite) = Azurite::start("on_azure_blob_storage") else { return };
    within(azurite.url("team/ledger"), Azurite::environment());
}
