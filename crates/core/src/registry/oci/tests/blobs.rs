//! Pushes of blobs.

use super::super::script::{Reply, Request, refusal, reply};
use super::*;
use crate::error::ErrorKind;

const UPLOADS: &str = "/v2/acme/shop/blobs/uploads/";

async fn push(options: OciOptions, script: &Script) -> Result<Digest> {
    registry(options).push_blob(&repository(script), Bytes::from_static(b"blob")).await
}

/// A registry with public reads, and tokens for pushes.
fn guarded(request: &Request, location: &str) -> Reply {
    let authorised = request.header("authorization").is_some_and(|header| header.starts_with("Bearer good"));
    if request.is("GET /token") {
        return reply(200, &[], r#"{"token":"good.opaque"}"#);
    }
    if request.is("HEAD") || request.is("GET") {
        return refusal(404, "BLOB_UNKNOWN");
    }
    if !authorised {
        let realm = format!("Bearer realm=\"http://{}/token\"", request.header("host").unwrap());
        return reply(401, &[("www-authenticate", &realm)], "");
    }
    match request.is("POST") {
        true => reply(202, &[("location", location)], ""),
        false => reply(201, &[("location", "/v2/acme/shop/blobs/x")], ""),
    }
}

#[tokio::test]
async fn blob_that_exists_is_not_pushed() {
    let script = Script::start(|_, _| reply(200, &[], "")).await;
    assert_eq!(push(options(), &script).await.unwrap(), Digest::of(b"blob"));
    assert_eq!(script.lines(), [format!("HEAD /v2/acme/shop/blobs/{}", Digest::of(b"blob"))]);
}

#[tokio::test]
async fn a_blob_is_pushed_whole_with_a_token_of_ours() {
    let script = Script::start(|request, _| guarded(request, "/v2/acme/shop/blobs/uploads/1?state=s")).await;
    assert_eq!(push(options(), &script).await.unwrap(), Digest::of(b"blob"));
    let last = script.requests().pop().unwrap();
    assert!(last.is("PUT /v2/acme/shop/blobs/uploads/1?state=s&digest=sha256%3A"), "{}", last.line);
    assert_eq!((&last.body[..], last.header("authorization")), (&b"blob"[..], Some("Bearer good.opaque")));
    assert!(!script.lines().contains(&"GET /v2/".to_owned()), "{:?}", script.lines());
    assert_eq!(script.lines().iter().filter(|line| line.starts_with("GET /token")).count(), 1);
}

#[tokio::test]
async fn upload_to_another_host_gets_no_token() {
    let other = Script::start(|_, _| reply(201, &[("location", "/x")], "")).await;
    let location = format!("http://{}/upload", other.host());
    let script = Script::start(move |request, _| guarded(request, &location)).await;
    push(options(), &script).await.unwrap();
    assert_eq!(other.requests()[0].header("authorization"), None);
}

#[tokio::test]
async fn upload_that_fails_says_why_and_never_panics() {
    for (location, why) in [
        ("http://[", "the registry's answer to the upload could not be read"),
        ("http://127.0.0.1:1/", "onnection refused"),
        ("ftp://127.0.0.1/x", "it does not lead to an http or https URL without a user"),
    ] {
        let script = Script::start(move |request, _| guarded(request, location)).await;
        let error = push(options(), &script).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RegistryUnavailable);
        assert!(error.to_string().contains(why), "{error}");
    }
    let script = Script::start(|request, _| match request.line.contains(UPLOADS) {
        true => refusal(403, "DENIED"),
        false => refusal(404, "BLOB_UNKNOWN"),
    })
    .await;
    let error = push(options(), &script).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RegistryDenied, "{error:?}");

    let script = Script::start(|_, _| refusal(404, "BLOB_UNKNOWN")).await;
    let empty = registry(options()).push_blob(&repository(&script), Bytes::new()).await.unwrap_err();
    assert_eq!(empty.kind(), ErrorKind::RegistryUnsupported);
}
