//! Registries that hide their private repositories: an anonymous request is answered 403 or 404.

use super::super::script::{Reply, Request, refusal, reply};
use super::*;
use crate::error::ErrorKind;

const LOGIN: &str = "Basic Y2k6cHc=";

/// A registry that answers an anonymous request with `status`. `/v2/` answers with `root`.
fn hiding(request: &Request, status: u16, root: impl Fn() -> Reply) -> Reply {
    match request.header("authorization") {
        Some(LOGIN) if request.is("PUT") => reply(201, &[], ""),
        Some(LOGIN) if request.line.contains("/manifests/absent") => refusal(404, "MANIFEST_UNKNOWN"),
        Some(LOGIN) => reply(200, &[("docker-content-digest", &digest()), ("content-type", TYPE)], BODY),
        _ if request.is("GET /v2/ ") => root(),
        _ => refusal(status, if status == 404 { "NAME_UNKNOWN" } else { "DENIED" }),
    }
}

fn asks_for_a_password() -> Reply {
    reply(401, &[("www-authenticate", "Basic realm=\"r\"")], "")
}

fn with_login(script: &Script) -> OciOptions {
    options().credentials(script.host(), Credentials::password("ci", "pw"))
}

fn absent() -> Tag {
    "absent".parse().unwrap()
}

#[tokio::test]
async fn private_repository_that_is_hidden_is_read_with_the_login() {
    for status in [403, 404] {
        let script = Script::start(move |request, _| hiding(request, status, asks_for_a_password)).await;
        let (registry, repository) = (registry(with_login(&script)), repository(&script));
        assert!(registry.resolve(&repository, &prod()).await.unwrap().is_some());
        let lines = ["HEAD /v2/acme/shop/manifests/prod", "GET /v2/", "HEAD /v2/acme/shop/manifests/prod"];
        assert_eq!(script.lines(), lines);
        assert_eq!(script.requests()[1].header("authorization"), None, "the question needs no login");
        assert_eq!(registry.resolve(&repository, &absent()).await.unwrap(), None, "the login is there from the start");
        assert_eq!(script.lines().len(), 5, "{:?}", script.lines());
    }
}

#[tokio::test]
async fn hidden_repository_is_put_to_with_the_login() {
    let script = Script::start(|request, _| hiding(request, 404, asks_for_a_password)).await;
    let registry = registry(with_login(&script));
    let put = registry.put(&repository(&script), &prod(), &manifest(), Duration::from_secs(1)).await;
    assert!(matches!(put, Put::Applied), "{put:?}");
    assert_eq!(script.lines().iter().filter(|line| line.starts_with("PUT")).count(), 2);
}

#[tokio::test]
async fn requests_that_begin_together_ask_for_the_challenge_once() {
    let script = Script::start(|request, _| hiding(request, 404, asks_for_a_password)).await;
    let (registry, repository) = (registry(with_login(&script)), repository(&script));
    let (prod, absent) = (prod(), absent());
    let (a, b) = tokio::join!(registry.resolve(&repository, &prod), registry.resolve(&repository, &absent));
    assert!(a.unwrap().is_some() && b.unwrap().is_none());
    assert_eq!(script.lines().iter().filter(|line| *line == "GET /v2/").count(), 1);
}

#[tokio::test]
async fn without_credentials_an_anonymous_404_is_the_answer() {
    let script = Script::start(|request, _| hiding(request, 404, asks_for_a_password)).await;
    assert_eq!(registry(options()).resolve(&repository(&script), &prod()).await.unwrap(), None);
    assert_eq!(script.lines().len(), 2, "HEAD and GET: {:?}", script.lines());
}

#[tokio::test]
async fn registry_without_logins_is_asked_for_a_challenge_once() {
    let script = Script::start(|request, _| hiding(request, 404, || reply(200, &[], "{}"))).await;
    let (registry, repository) = (registry(with_login(&script)), repository(&script));
    for _ in 0..2 {
        assert_eq!(registry.resolve(&repository, &absent()).await.unwrap(), None);
    }
    assert_eq!(script.lines().iter().filter(|line| *line == "GET /v2/").count(), 1);
    assert!(script.requests().iter().all(|request| request.header("authorization").is_none()));
}

#[tokio::test]
async fn hidden_404_proves_no_absence_if_the_login_fails() {
    let wants_a_token = || reply(401, &[("www-authenticate", "Bearer realm=\"/token\"")], "");
    for (root, why) in [
        ((|| reply(503, &[], "")) as fn() -> Reply, "the registry answered 503"),
        (wants_a_token as fn() -> Reply, "the token server's answer has no token"),
    ] {
        let script = Script::start(move |request, _| hiding(request, 404, root)).await;
        let error = registry(with_login(&script)).resolve(&repository(&script), &absent()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RegistryUnavailable, "{error}");
        assert!(error.to_string().contains("(no other login: ") && error.to_string().contains(why), "{error}");
    }
}
