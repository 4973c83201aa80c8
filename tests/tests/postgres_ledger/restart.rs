//! The server is killed and started again during moves: each move is recorded once or not at all, and moves do not
//! interleave.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tagwarden::ledger::{OpenMode, PostgresLedger};
use tagwarden::log::{MoveStatus, Source};
use tagwarden::promotion::OnConflict;
use tagwarden::promotion::RecoveryMode;
use tagwarden::{MoveOptions, Promoter, Provenance, Repository, Retry, Times};
use tagwarden_testing::MemoryRegistry;
use tagwarden_tests::postgres::Postgres;
use tokio::task::JoinSet;

use super::made;

const TIMEOUT: Duration = Duration::from_secs(60);

fn promoter(registry: &MemoryRegistry, ledger: PostgresLedger) -> Promoter {
    let times = [5_000, 1_000, 500, 500].map(Duration::from_millis);
    let [ttl, grace, quiet, put] = times;
    Promoter::builder()
        .registry(Arc::new(registry.clone()))
        .ledger(Arc::new(ledger))
        .times(Times::new(ttl, grace, quiet, put).unwrap().with_settle(quiet).unwrap())
        .build()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moves_survive_restarts_of_the_server() {
    let Some(mut server) = Postgres::start("moves_survive_restarts_of_the_server", &[]) else { return };
    let (url, ledger) = made(&server, "moves").await;
    let (registry, repository) = (MemoryRegistry::new(), "reg.io/acme/restarted".parse::<Repository>().unwrap());
    let release = |name: &str| Source::Reference(repository.tag(name.parse().unwrap()));
    for (number, name) in ["1.0", "1.1", "1.2"].into_iter().enumerate() {
        registry.push_image(&repository, &name.parse().unwrap(), number as u64);
    }
    let channel = format!("{repository}:prod").parse().unwrap();
    let who = Provenance::new("manual", "restart", "ada").unwrap();
    let terms = MoveOptions { timeout: TIMEOUT, ..MoveOptions::new(who.clone()) };
    let one = promoter(&registry, ledger);
    one.bootstrap(&channel).source(release("1.0")).options(terms.clone()).await.unwrap();

    let stop = Arc::new(AtomicBool::new(false));
    let mut workers = JoinSet::new();
    for worker in 0..4 {
        let ledger = PostgresLedger::open(&url, OpenMode::Write).await.unwrap();
        let (one, channel, terms) = (
            promoter(&registry, ledger),
            channel.clone(),
            MoveOptions { on_conflict: OnConflict::Requeue, ..terms.clone() },
        );
        let (stop, sources) = (Arc::clone(&stop), [release("1.1"), release("1.2")]);
        workers.spawn(async move {
            let (mut done, mut failed) = (Vec::new(), 0);
            for (number, source) in sources.into_iter().cycle().enumerate() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let terms = MoveOptions {
                    idempotency_key: Some(format!("{worker}-{number}").parse().unwrap()),
                    ..terms.clone()
                };
                match one.promote(&channel, source).options(terms).await {
                    Ok(receipt) => done.extend(receipt.r#move.map(|event| event.intent.move_id)),
                    Err(error) => {
                        assert!(matches!(error.retry(), Retry::Later | Retry::Recover), "{error:?}");
                        failed += 1;
                    }
                }
            }
            (done, failed)
        });
    }
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        server.kill();
        tokio::time::sleep(Duration::from_millis(200)).await;
        server.start_again(&[]);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.store(true, Ordering::Relaxed);
    let said = workers.join_all().await;

    one.recover(&channel, RecoveryMode::RollForward, who, TIMEOUT).await.unwrap();
    let state = one.state(&channel).await.unwrap();
    assert_eq!((state.open, state.live), (None, registry.peek(&repository, channel.tag())));
    let report = one.verify(&channel).await.unwrap();
    assert_eq!(report.defect, None);
    let page = one.history_page(&channel, None, 100_000).await.unwrap();
    let committed: Vec<_> = page.events.iter().filter(|event| event.status() == MoveStatus::Committed).collect();
    for (done, _) in &said {
        for id in done {
            let times = committed.iter().filter(|event| event.intent.move_id == *id).count();
            assert_eq!(times, 1, "a receipt is in the log once: {id}");
        }
    }
    let receipts: usize = said.iter().map(|(done, _)| done.len()).sum();
    let failed: usize = said.iter().map(|(_, failed)| failed).sum();
    println!("{receipts} receipts, {failed} errors, {} moves", committed.len());
    assert!(receipts >= 4, "moves went on between the restarts: {receipts}");
}
