//! Challenges, tokens, and the hosts that get credentials.

use super::super::script::{Reply, Request, refusal, reply};
use super::*;
use crate::error::ErrorKind;

fn challenge(realm: &str) -> String {
    format!("Bearer realm=\"{realm}\",service=\"reg\",scope=\"repository:acme/shop:pull\"")
}

/// A registry with a token server on its own host.
pub(super) fn own(request: &Request, token: impl Fn(&Request) -> Reply) -> Reply {
    if request.is("GET /token") || request.is("POST /token") {
        return token(request);
    }
    match request.header("authorization") {
        Some("Bearer good") if request.is("PUT") => reply(201, &[], ""),
        Some("Bearer good") if request.is("GET") => reply(200, &[("content-type", TYPE)], BODY),
        Some("Bearer good") => reply(200, &[("docker-content-digest", &digest())], ""),
        _ => {
            let realm = format!("http://{}/token", request.header("host").unwrap());
            reply(401, &[("www-authenticate", &challenge(&realm))], "")
        }
    }
}

pub(super) fn good(_: &Request) -> Reply {
    reply(200, &[], r#"{"token":"good","expires_in":300}"#)
}

pub(super) fn count(script: &Script, start: &str) -> usize {
    script.lines().iter().filter(|line| line.starts_with(start)).count()
}

#[tokio::test]
async fn one_token_covers_a_move() {
    let script = Script::start(|request, _| own(request, good)).await;
    let registry = registry(options().credentials(script.host(), Credentials::password("ci", "pw")));
    let registry = registry.for_moves().unwrap();
    let repository = repository(&script);
    let (tag, pin): (Tag, Tag) = (prod(), "tw-pin.sha256.00".parse().unwrap());
    let version = repository.tag("1.4.2".parse().unwrap());
    let (a, b, c) = tokio::join!(
        registry.resolve(&repository, &tag),
        registry.fetch(&version),
        registry.resolve(&repository, &pin)
    );
    assert!(a.unwrap().is_some() && b.unwrap().is_some() && c.unwrap().is_some());
    for tag in [&pin, &tag] {
        let put = registry.put(&repository, tag, &manifest(), Duration::from_secs(1)).await;
        assert!(matches!(put, Put::Applied), "{put:?}");
    }
    assert!(registry.resolve(&repository, &tag).await.unwrap().is_some());
    assert_eq!(count(&script, "GET /token"), 1, "{:?}", script.lines());
    // Three requests with a 401, the same three again, two puts, one confirmation, one token; no GET /v2/.
    assert_eq!(script.requests().len(), 10, "{:?}", script.lines());
    let token = script.requests().into_iter().find(|request| request.is("GET /token")).unwrap();
    assert_eq!(token.header("authorization"), Some("Basic Y2k6cHc="));
    assert!(token.is("GET /token?service=reg&scope=repository%3Aacme%2Fshop%3Apull%2Cpush "), "{}", token.line);
}

#[tokio::test]
async fn an_identity_token_is_exchanged_by_post() {
    let script = Script::start(|request, _| own(request, |_| reply(200, &[], r#"{"access_token":"good"}"#))).await;
    let options = options().credentials(script.host(), Credentials::IdentityToken("id&1".into()));
    assert!(registry(options).resolve(&repository(&script), &prod()).await.unwrap().is_some());
    let post = script.requests().into_iter().find(|request| request.is("POST /token ")).unwrap();
    let form = "grant_type=refresh_token&service=reg&client_id=tagwarden\
                &scope=repository%3Aacme%2Fshop%3Apull&refresh_token=id%261";
    assert_eq!(String::from_utf8(post.body).unwrap(), form);
    assert_eq!(post.headers.iter().find(|(name, _)| name == "authorization"), None);
}

#[tokio::test]
async fn identity_token_answers_a_basic_challenge_as_a_password() {
    let script = Script::start(|request, _| match request.header("authorization") {
        Some("Basic PHRva2VuPjpjYW5hcnktZ29vZA==") => reply(200, &[("docker-content-digest", &digest())], ""),
        _ => reply(
            401,
            &[("www-authenticate", "Basic realm=\"r\"")],
            r#"{"errors":[{"message":"no PHRva2VuPjpjYW5hcnktb3RoZXI="}]}"#,
        ),
    })
    .await;
    let with = |token: &str| options().credentials(script.host(), Credentials::IdentityToken(token.into()));
    assert!(registry(with("canary-good")).resolve(&repository(&script), &prod()).await.unwrap().is_some());
    let error = registry(with("canary-other")).resolve(&repository(&script), &prod()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RegistryDenied);
    assert!(error.to_string().ends_with("no *** (the login is from the caller (--username))"), "{error}");
}

#[tokio::test]
async fn a_registry_token_is_sent_as_it_is() {
    let script = Script::start(|request, _| own(request, |_| Reply::Hangup)).await;
    let options = options().credentials(script.host(), Credentials::RegistryToken("good".into()));
    assert!(registry(options).resolve(&repository(&script), &prod()).await.unwrap().is_some());
    assert_eq!(script.requests().len(), 2);
}

#[tokio::test]
async fn tokens_are_used_until_they_expire() {
    for (grant, want) in [(r#"{"token":"good","expires_in":0}"#, 2), (r#"{"token":"good"}"#, 1)] {
        let script = Script::start(move |request, _| own(request, |_| reply(200, &[], grant))).await;
        let registry = registry(options());
        for _ in 0..2 {
            registry.resolve(&repository(&script), &prod()).await.unwrap();
        }
        assert_eq!(count(&script, "GET /token"), want, "{grant}");
        assert_eq!(count(&script, "HEAD"), 3, "the challenge is remembered");
    }
}

#[tokio::test]
async fn a_401_loop_ends_after_one_refresh() {
    let script = Script::start(|request, _| own(request, |_| reply(200, &[], r#"{"token":"bad"}"#))).await;
    let error = registry(options()).resolve(&repository(&script), &prod()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RegistryDenied);
    // HEAD, token, HEAD, and a GET for the words of the registry.
    assert_eq!(script.requests().len(), 4, "{:?}", script.lines());
}

#[tokio::test]
async fn a_401_that_no_login_answers_shows_the_registrys_words() {
    let script = Script::start(|_, _| {
        let words = r#"{"errors":[{"code":"UNAUTHORIZED","message":"run docker login"}]}"#;
        reply(401, &[("www-authenticate", "Basic")], words)
    })
    .await;
    let error = registry(options()).fetch(&repository(&script).tag(prod())).await.unwrap_err();
    let want = "there are none for it; the registry answered 401 UNAUTHORIZED: run docker login";
    assert!(error.to_string().ends_with(want), "{error}");
}

#[tokio::test]
async fn text_of_a_token_server_is_kept_after_an_attempt_without_an_answer() {
    let script = Script::start(|request, number| {
        own(request, |_| match number {
            1 => refusal(503, "MAINTENANCE"),
            _ => Reply::Hangup,
        })
    })
    .await;
    let error = registry(options()).resolve(&repository(&script), &prod()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RegistryUnavailable);
    assert!(error.to_string().contains("; before that no token from "), "{error}");
    assert!(error.to_string().ends_with("it answered 503 MAINTENANCE: m"), "{error}");
}

#[tokio::test]
async fn busy_or_broken_token_server_is_tried_again_and_never_bypassed() {
    let script = Script::start(|request, number| {
        own(request, |request| match number {
            1 => reply(429, &[("retry-after", "0")], ""),
            2 => reply(500, &[], ""),
            _ => good(request),
        })
    })
    .await;
    assert!(registry(options()).resolve(&repository(&script), &prod()).await.unwrap().is_some());

    let script = Script::start(|request, _| own(request, |_| reply(429, &[("retry-after", "999")], ""))).await;
    let error = registry(options()).resolve(&repository(&script), &prod()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RegistryBusy, "{error:?}");
    assert!(error.to_string().contains("it asks to wait for 999 s"), "{error}");
    assert_eq!(script.requests().len(), 2, "nothing goes out unauthenticated");
}

#[tokio::test]
async fn token_answer_without_a_token_is_an_error() {
    for (status, body, kind) in [
        (200, "{}", ErrorKind::RegistryUnavailable),
        (200, r#"{"token":""}"#, ErrorKind::RegistryUnavailable),
        (200, r#"{"token":"a\nb"}"#, ErrorKind::RegistryUnavailable),
        (200, "<html>", ErrorKind::RegistryUnavailable),
        (302, "", ErrorKind::RegistryUnavailable),
        (401, r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#, ErrorKind::RegistryDenied),
        (403, "no", ErrorKind::RegistryDenied),
    ] {
        let script = Script::start(move |request, _| own(request, |_| reply(status, &[], body))).await;
        let error = registry(options()).resolve(&repository(&script), &prod()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {body}: {error:?}");
    }
}

#[tokio::test]
async fn credentials_are_not_sent_before_they_are_asked_for_and_then_from_the_start() {
    // An open registry that sends no challenge, and then one that asks for Basic on the resource.
    let script = Script::start(|request, number| match (number, request.header("authorization")) {
        (0, _) => reply(200, &[("docker-content-digest", &digest())], ""),
        (_, Some("Basic Y2k6cHc=")) => reply(200, &[("docker-content-digest", &digest())], ""),
        _ => reply(401, &[("www-authenticate", "Basic realm=\"r\"")], ""),
    })
    .await;
    let registry = registry(options().credentials(script.host(), Credentials::password("ci", "pw")));
    for _ in 0..3 {
        registry.resolve(&repository(&script), &prod()).await.unwrap();
    }
    let sent: Vec<bool> = script.requests().iter().map(|request| request.header("authorization").is_some()).collect();
    assert_eq!(sent, [false, false, true, true]);
}

#[tokio::test]
async fn credentials_belong_to_one_registry() {
    let script = Script::start(|_, _| reply(401, &[("www-authenticate", "Basic")], "")).await;
    let registry = registry(options().credentials("reg.example.com", Credentials::password("ci", "pw")));
    let error = registry.resolve(&repository(&script), &prod()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RegistryDenied);
    let why = "it wants a user and a password, and there are none for it";
    assert!(error.to_string().ends_with(why), "{error}");
    assert_eq!(script.requests().len(), 1);
}

#[tokio::test]
async fn refusal_of_an_anonymous_request_says_where_a_login_was_looked_for() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config.json");
    for case in ["a password is asked for", "no token is given", "the token is refused"] {
        let script = Script::start(move |request, _| match (case, request.header("authorization")) {
            ("a password is asked for", None) => reply(401, &[("www-authenticate", "Basic")], ""),
            ("no token is given", _) => own(request, |_| refusal(401, "UNAUTHORIZED")),
            (_, None) => own(request, good),
            _ => refusal(403, "DENIED"),
        })
        .await;
        let looking = options().lookup(CredentialSource::Docker).docker_config(&file);
        let error = registry(looking.clone()).resolve(&repository(&script), &prod()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RegistryDenied, "{case}");
        let (host, file) = (script.host(), file.display());
        let want = format!("the request was anonymous: there is no login of {host} in {file} (no such file)");
        assert!(error.to_string().contains(&want), "{case}: {error}");

        let given = looking.credentials(script.host(), Credentials::password("ci", "pw"));
        let error = registry(given).resolve(&repository(&script), &prod()).await.unwrap_err();
        assert!(error.to_string().contains("the login is from the caller (--username)"), "{case}: {error}");
    }
}

#[tokio::test]
async fn a_challenge_that_cannot_be_read_is_an_error() {
    for header in ["Bearer realm=\"", "Negotiate", "=", "Bearer"] {
        let script = Script::start(move |_, _| reply(401, &[("www-authenticate", header)], "")).await;
        let error = registry(options()).resolve(&repository(&script), &prod()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RegistryUnavailable, "{header}");
        assert!(error.to_string().contains("WWW-Authenticate: "), "{error}");
    }
    let script = Script::start(|_, _| reply(401, &[], "")).await;
    let error = registry(options()).resolve(&repository(&script), &prod()).await.unwrap_err();
    assert!(error.to_string().ends_with("it is not known how to log in"), "{error}");
}
