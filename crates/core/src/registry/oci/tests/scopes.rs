//! The access that tokens are requested for.

use super::super::script::{refusal, reply};
use super::authentication::{count, good, own};
use super::*;
use crate::error::ErrorKind;

#[tokio::test]
async fn read_never_asks_for_push() {
    let script = Script::start(|request, _| own(request, good)).await;
    let (registry, repository) = (registry(options()), repository(&script));
    registry.resolve(&repository, &prod()).await.unwrap();
    registry.fetch(&repository.tag(prod())).await.unwrap();
    assert_eq!(count(&script, "GET /token"), 1);
    assert_eq!(script.lines().iter().filter(|line| line.contains("push")).count(), 0, "{:?}", script.lines());

    // A move does not begin with a token that does not allow its put.
    let moves = registry.for_moves().unwrap();
    moves.resolve(&repository, &prod()).await.unwrap();
    let put = moves.put(&repository, &prod(), &manifest(), Duration::from_secs(1)).await;
    assert!(matches!(put, Put::Applied), "{put:?}");
    registry.resolve(&repository, &prod()).await.unwrap();
    assert_eq!(count(&script, "GET /token"), 2, "{:?}", script.lines());
}

#[tokio::test]
async fn move_that_may_not_push_reads_with_pull_alone() {
    let script = Script::start(|request, _| {
        own(request, |request| match request.line.contains("push") {
            true => refusal(403, "DENIED"),
            false => good(request),
        })
    })
    .await;
    let registry = registry(options()).for_moves().unwrap();
    for _ in 0..2 {
        assert!(registry.resolve(&repository(&script), &prod()).await.unwrap().is_some());
        assert_eq!(count(&script, "GET /token"), 2);
    }
    let put = registry.put(&repository(&script), &prod(), &manifest(), Duration::from_secs(1)).await;
    assert!(matches!(&put, Put::Refused(error) if error.kind() == ErrorKind::RegistryDenied), "{put:?}");
    assert_eq!(count(&script, "PUT"), 0, "there was no token to send it with");
}

#[tokio::test]
async fn pushed_blob_takes_one_token() {
    let script = Script::start(|request, _| {
        let there = format!("http://{}/v2/acme/shop/blobs/uploads/1", request.header("host").unwrap());
        match request.header("authorization") {
            Some(_) if request.is("HEAD") || request.is("GET /v2") => refusal(404, "BLOB_UNKNOWN"),
            Some(_) if request.is("POST /v2") => reply(202, &[("location", &there)], ""),
            Some(_) if request.is("PUT") => reply(201, &[], ""),
            _ => own(request, good),
        }
    })
    .await;
    registry(options()).push_blob(&repository(&script), "x".into()).await.unwrap();
    let tokens: Vec<String> = script.lines().into_iter().filter(|line| line.starts_with("GET /token")).collect();
    assert!(tokens.len() == 1 && tokens[0].ends_with("pull%2Cpush"), "{tokens:?}");
}
