//! The number of requests to the Git server.

use std::sync::Arc;
use std::time::Instant;

use tagwarden::ledger::{GitLedger, Ledger, OpenMode};
use tagwarden::promotion::BootstrapOptions;
use tagwarden::{MoveOptions, Operation, Promoter, Provenance, Repository};
use tagwarden_testing::MemoryRegistry;
use tagwarden_tests::git_http::GitServer;

use super::{Machines, append, channel};

fn paths(server: &GitServer) -> Vec<String> {
    server.requests().iter().map(|seen| format!("{} {} {}", seen.method, seen.path, seen.status)).collect()
}

fn options() -> MoveOptions {
    MoveOptions::new(Provenance::new("manual", "run-1", "ada").unwrap())
}

/// A look at an unchanged branch is 2 requests, and an entry is 2. A promotion looks at the branch twice, before it
/// judges and before it puts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promotion_is_two_looks_and_two_entries_and_current_is_one_look() {
    let server = GitServer::start();
    let machines = Machines::at(server.ledger(), true);
    let registry = MemoryRegistry::new();
    let shop: Repository = "registry.example.com/acme/shop".parse().unwrap();
    for (tag, number) in [("1.0", 0), ("1.1", 1)] {
        registry.push_image(&shop, &tag.parse().unwrap(), number);
    }
    let prod = shop.tag("prod".parse().unwrap()).to_string().parse().unwrap();
    let source = |tag: &str| tagwarden::log::Source::Reference(format!("{shop}:{tag}").parse().unwrap());
    let promoter =
        async |machine: &str| Promoter::new(Arc::new(registry.clone()), Arc::new(machines.open(machine).await));
    let first = Operation::Bootstrap(BootstrapOptions { source: Some(source("1.0").into()), ..Default::default() });
    promoter("one").await.run(&prod, first, options()).await.unwrap();

    // Another process on the same machine.
    let writer = promoter("one").await;
    server.clear_requests();
    writer.run(&prod, Operation::Promote(source("1.1").into()), options()).await.unwrap();
    let seen = paths(&server);
    assert!(seen.len() <= 8, "{seen:#?}");

    let reader = promoter("one").await;
    server.clear_requests();
    reader.current(&prod).await.unwrap();
    let seen = paths(&server);
    assert!(seen.len() <= 2, "{seen:#?}");

    let cold = promoter("two").await;
    server.clear_requests();
    cold.current(&prod).await.unwrap();
    let seen = paths(&server);
    assert!(seen.len() <= 5, "{seen:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looks_and_appends_have_no_request_too_many() {
    let server = GitServer::start();
    let machines = Machines::at(server.ledger(), true);
    let (one, shop, mut log) = (machines.open("one").await, channel("shop"), Vec::new());
    append(&one, &shop, &mut log, "first").await.unwrap();
    let count = async |what: &str, want: usize, work: &dyn AsyncWork| {
        server.clear_requests();
        work.run().await;
        let seen = paths(&server);
        assert_eq!(seen.len(), want, "{what}: {seen:#?}");
    };
    count("a warm look", 2, &Look(&one)).await;
    let cold = machines.open("two").await;
    count("a cold look at the log", 5, &Look(&cold)).await;
    server.clear_requests();
    append(&one, &shop, &mut log, "second").await.unwrap();
    assert_eq!(paths(&server).len(), 2, "an append: {:#?}", paths(&server));
    count("a look after another machine's append", 3, &Look(&cold)).await;
    server.clear_requests();
    assert_eq!(cold.read(&shop, 0, 10).await.unwrap(), log);
    assert_eq!(paths(&server).len(), 0, "{:#?}", paths(&server));
    // Looks that begin together share a request.
    server.clear_requests();
    let looks = futures_util::future::join_all((0..20).map(|_| one.size(&shop))).await;
    assert!(looks.into_iter().all(|size| size.unwrap() == 2));
    assert!(paths(&server).len() <= 8, "{:#?}", paths(&server));
    // A look that is new enough is no request, also for another log; a newer one is.
    let since = Instant::now();
    assert_eq!(one.size(&shop).await.unwrap(), 2);
    append(&cold, &shop, &mut log, "third").await.unwrap();
    server.clear_requests();
    assert_eq!(one.size_since(&shop, since).await.unwrap(), 2);
    assert_eq!(one.size_since(&channel("other"), since).await.unwrap(), 0);
    assert_eq!(paths(&server).len(), 0, "{:#?}", paths(&server));
    assert_eq!(one.size_since(&shop, Instant::now()).await.unwrap(), 3);
    let reader = GitLedger::open(&machines.url, OpenMode::Read).await.unwrap().cache(machines.cache("three"));
    server.clear_requests();
    reader.channels().await.unwrap();
    assert_eq!(paths(&server).len(), 3, "{:#?}", paths(&server));
}

#[async_trait::async_trait]
trait AsyncWork {
    async fn run(&self);
}

struct Look<'a>(&'a GitLedger);

#[async_trait::async_trait]
impl AsyncWork for Look<'_> {
    async fn run(&self) {
        self.0.size(&channel("shop")).await.unwrap();
    }
}
