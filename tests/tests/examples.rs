//! Runs the examples of the library against a registry over HTTP.

#[path = "../../crates/core/examples/custom_guardrail.rs"]
#[allow(dead_code, reason = "its main is not called")]
mod custom_guardrail;
#[path = "../../crates/core/examples/promote.rs"]
#[allow(dead_code, reason = "its main is not called")]
mod promote;
#[path = "../../crates/core/examples/rollback.rs"]
#[allow(dead_code, reason = "its main is not called")]
mod rollback;
#[path = "../../crates/core/examples/tasks.rs"]
#[allow(dead_code, reason = "its main is not called")]
mod tasks;

use std::sync::Arc;

use custom_guardrail::OfficeHours;
use tagwarden::{ErrorKind, Repository};
use tagwarden_testing::{MemoryRegistry, RegistryServer};

#[tokio::test]
async fn examples_promote_roll_back_and_refuse() {
    let server = RegistryServer::start().await.unwrap();
    let repository: Repository = format!("{}/acme/shop", server.host()).parse().unwrap();
    let push = |tag: &str, number| server.memory().push_image(&repository, &tag.parse().unwrap(), number).digest();
    let (first, second) = (push("1.4.1", 1), push("1.4.2", 2));
    let dir = tempfile::tempdir().unwrap();
    let ledger = dir.path().join("ledger");
    let (ledger, prod) = (ledger.to_str().unwrap(), format!("{repository}:prod"));

    let new = promote::promote(ledger, &prod, &format!("{repository}:1.4.1")).await.unwrap();
    assert_eq!((new.previous_digest, new.digest), (None, first));
    let moved = promote::promote(ledger, &prod, &format!("{repository}:1.4.2")).await.unwrap();
    assert_eq!((moved.previous_digest, moved.digest), (Some(first), second));
    let back = rollback::rollback(ledger, &prod, None).await.unwrap();
    assert_eq!((back.previous_digest, back.digest), (Some(second), first));
    let forth = rollback::rollback(ledger, &prod, Some("1.4.2")).await.unwrap();
    assert_eq!(forth.digest, second);

    // Both rollbacks left their release, so the next promotion brings another one.
    push("1.4.3", 3);
    let release = format!("{repository}:1.4.3");
    let refused = custom_guardrail::promote(ledger, &prod, &release, OfficeHours { until: 0 }).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PolicyRefused);
    assert!(refused.message().contains("office-hours"), "{refused}");
    custom_guardrail::promote(ledger, &prod, &release, OfficeHours { until: 24 }).await.unwrap();
    server.stop().await.unwrap();
}

#[tokio::test]
async fn ten_tasks_run() {
    let registry = MemoryRegistry::new();
    let shop: Repository = "registry.example.com/acme/shop".parse().unwrap();
    for (number, tag) in [(1, "1.4.1"), (2, "1.4.2")] {
        registry.push_image(&shop, &tag.parse().unwrap(), number);
    }
    let dir = tempfile::tempdir().unwrap();
    tasks::tasks(Arc::new(registry), dir.path().to_str().unwrap(), &shop).await.unwrap();
}
