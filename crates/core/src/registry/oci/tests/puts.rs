//! Putting.

use super::super::script::{Reply, Request, refusal, reply};
use super::*;

const SECOND: Duration = Duration::from_secs(1);

async fn put_with(options: OciOptions, script: &Script, timeout: Duration) -> Put {
    registry(options).put(&repository(script), &prod(), &manifest(), timeout).await
}

async fn put(script: &Script) -> Put {
    put_with(options(), script, SECOND).await
}

/// `applied`, or `refused` or `unknown` with the code.
fn verdict(put: &Put) -> String {
    match put {
        Put::Applied => "applied".to_owned(),
        Put::Refused(error) => format!("refused {}", error.code()),
        Put::Unknown(error) => format!("unknown {}", error.code()),
    }
}

#[tokio::test]
async fn a_put_is_one_request_with_the_exact_bytes_and_type() {
    let script = Script::start(|_, _| reply(201, &[("docker-content-digest", &digest())], "")).await;
    assert_eq!(verdict(&put(&script).await), "applied");
    let requests = script.requests();
    assert_eq!(script.lines(), ["PUT /v2/acme/shop/manifests/prod"]);
    assert_eq!((&requests[0].body[..], requests[0].header("content-type")), (BODY.as_bytes(), Some(TYPE)));
}

#[tokio::test]
async fn every_answer_is_applied_refused_or_unknown() {
    fn code(status: u16, code: &'static str) -> (u16, Vec<(&'static str, String)>, String) {
        (status, vec![], format!(r#"{{"errors":[{{"code":"{code}","message":"m"}}]}}"#))
    }
    fn bare(status: u16) -> (u16, Vec<(&'static str, String)>, String) {
        (status, vec![], "<html>".to_owned())
    }
    fn header(status: u16, name: &'static str, value: &str) -> (u16, Vec<(&'static str, String)>, String) {
        (status, vec![(name, value.to_owned())], String::new())
    }
    let echo = "docker-content-digest";
    let sha512 = "sha512:d6abf87b9b0a2fa3adb59d0c6abeff2fdf4ddfa69ac7da0c30d4bdf0efabd2cf\
                  4dd4ecbbd8dd4a4ee8f3c4b4ff2a7b2a3f1b1ad9d4d0c4a8ff6c1e3f4d3b2a10";
    for (answer, want) in [
        (header(201, "x", "y"), "applied"),
        (header(201, echo, &digest()), "applied"),
        (header(201, echo, &Digest::of(b"other").to_string()), "unknown REGISTRY_DIGEST_MISMATCH"),
        (header(201, echo, sha512), "unknown REGISTRY_DIGEST_MISMATCH"),
        (header(201, echo, "sha256:../"), "unknown REGISTRY_AMBIGUOUS"),
        (bare(200), "unknown REGISTRY_AMBIGUOUS"),
        (bare(202), "unknown REGISTRY_AMBIGUOUS"),
        (bare(204), "unknown REGISTRY_AMBIGUOUS"),
        (bare(500), "unknown REGISTRY_AMBIGUOUS"),
        (code(503, "UNAVAILABLE"), "unknown REGISTRY_AMBIGUOUS"),
        (code(500, "DENIED"), "unknown REGISTRY_AMBIGUOUS"),
        (header(307, "location", "http://127.0.0.1:1/"), "refused REGISTRY_REFUSED"),
        (header(303, "location", "http://127.0.0.1:1/"), "unknown REGISTRY_AMBIGUOUS"),
        (code(400, "MANIFEST_BLOB_UNKNOWN"), "refused REGISTRY_REFUSED"),
        (code(400, "TAG_INVALID"), "refused REGISTRY_REFUSED"),
        (code(409, "TAG_IMMUTABLE"), "refused REGISTRY_REFUSED"),
        (code(412, "PRECONDITION"), "refused REGISTRY_REFUSED"),
        (bare(412), "unknown REGISTRY_AMBIGUOUS"),
        (code(412, "SOMETHING_NEW"), "unknown REGISTRY_AMBIGUOUS"),
        (code(403, "DENIED"), "refused REGISTRY_DENIED"),
        (bare(403), "unknown REGISTRY_AMBIGUOUS"),
        (code(404, "NAME_UNKNOWN"), "refused REGISTRY_REFUSED"),
        (bare(404), "unknown REGISTRY_AMBIGUOUS"),
        (bare(408), "unknown REGISTRY_AMBIGUOUS"),
        (code(405, "UNSUPPORTED"), "refused REGISTRY_UNSUPPORTED"),
        (bare(413), "refused MANIFEST_TOO_LARGE"),
        (bare(401), "refused REGISTRY_DENIED"),
        (header(429, "retry-after", "3600"), "refused REGISTRY_BUSY"),
    ] {
        let shown = format!("{answer:?}");
        let (status, headers, body) = answer;
        let script = Script::start(move |_, _| {
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            reply(status, &headers, &body)
        })
        .await;
        assert_eq!(verdict(&put(&script).await), want, "{shown}");
        assert_eq!(script.requests().len(), 1, "{shown}");
    }
}

#[tokio::test]
async fn a_lost_answer_is_unknown_and_the_put_is_not_sent_again() {
    let answers: [fn() -> Reply; 3] = [
        || Reply::Hangup,
        || Reply::Silence,
        || Reply::Trickle(b"HTTP/1.1 201 Created\r\n\r\n".to_vec(), Duration::from_millis(50)),
    ];
    for answer in answers {
        let script = Script::start(move |_, _| answer()).await;
        let put = put_with(options(), &script, Duration::from_millis(300)).await;
        assert_eq!(verdict(&put), "unknown REGISTRY_AMBIGUOUS");
        let Put::Unknown(error) = put else { unreachable!() };
        let want = format!("put {}:prod: it is not known whether the put was applied: ", repository(&script));
        assert!(error.to_string().starts_with(&want), "{error}");
        assert_eq!(script.requests().len(), 1);
    }
}

#[tokio::test]
async fn what_could_not_be_sent_is_refused() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let gone: Repository = format!("127.0.0.1:{port}/a").parse().unwrap();
    let put = registry(options()).put(&gone, &prod(), &manifest(), SECOND).await;
    assert_eq!(verdict(&put), "refused REGISTRY_UNAVAILABLE");
}

#[tokio::test]
async fn a_429_is_waited_for_within_the_timeout() {
    let script = Script::start(|_, number| match number {
        0 => reply(429, &[("retry-after", "0")], ""),
        1 => refusal(429, "TOOMANYREQUESTS"),
        _ => reply(201, &[], ""),
    })
    .await;
    assert_eq!(verdict(&put(&script).await), "applied");
    assert_eq!(script.requests().len(), 3);

    let script = Script::start(|_, _| reply(429, &[("retry-after", "2")], "")).await;
    let put = put(&script).await;
    assert_eq!(verdict(&put), "refused REGISTRY_BUSY", "2 s do not fit into 1 s");
    assert_eq!(script.requests().len(), 1);
}

#[tokio::test]
async fn a_registry_that_stays_busy_is_asked_until_the_time_is_over() {
    for headers in [&[("retry-after", "0")][..], &[]] {
        let script = Script::start(|_, _| reply(429, headers, "<p>slow down</p>")).await;
        let ended = put(&script).await;
        assert_eq!(verdict(&ended), "refused REGISTRY_BUSY");
        let Put::Refused(error) = ended else { unreachable!() };
        assert!(error.to_string().contains("the registry answered 429: slow down"), "{error}");
        // More often than reads are tried again, and never at once again.
        assert!((4..=20).contains(&script.requests().len()), "{}", script.requests().len());
    }
}

/// A registry with a token server on the same host; tokens are `token-0`, `token-1`, ….
fn with_tokens(request: &Request, number: usize, wants: &str, answer: impl Fn() -> Reply) -> Reply {
    if request.is("GET /token") {
        return reply(200, &[], format!(r#"{{"token":"token-{number}"}}"#));
    }
    match request.header("authorization") == Some(&format!("Bearer {wants}")) {
        true => answer(),
        false => {
            let realm = format!("Bearer realm=\"http://{}/token\",service=\"s\"", request.header("host").unwrap());
            reply(401, &[("www-authenticate", &realm)], "")
        }
    }
}

#[tokio::test]
async fn a_401_costs_one_token_and_the_put_is_sent_again() {
    let script = Script::start(|request, number| with_tokens(request, number, "token-1", || reply(201, &[], ""))).await;
    assert_eq!(verdict(&put(&script).await), "applied");
    let token = "GET /token?service=s&scope=repository%3Aacme%2Fshop%3Apull%2Cpush";
    let put_line = "PUT /v2/acme/shop/manifests/prod";
    assert_eq!(script.lines(), [put_line, token, put_line]);
}

#[tokio::test]
async fn a_401_loop_ends_after_one_refresh() {
    let script = Script::start(|request, number| with_tokens(request, number, "never", || reply(201, &[], ""))).await;
    assert_eq!(verdict(&put(&script).await), "refused REGISTRY_DENIED");
    assert_eq!(script.requests().len(), 3);
}

/// Lets time pass for logins, not for the network.
async fn a_minute_later() {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_403_to_a_token_older_than_a_minute_renews_it_and_sends_the_put_once_more() {
    for expired in [true, false] {
        // Requests: 0 HEAD 401, 1 token, 2 HEAD, 3 PUT 403 (expired), 4 token, 5 PUT.
        let script = Script::start(move |request, number| match (number, request.header("authorization")) {
            (0, _) => with_tokens(request, number, "never", || Reply::Hangup),
            (1 | 4, _) => reply(200, &[], format!(r#"{{"token":"token-{number}","expires_in":43200}}"#)),
            (2, Some("Bearer token-1")) => reply(200, &[("docker-content-digest", &digest())], ""),
            (3, Some("Bearer token-1")) => refusal(403, "DENIED"),
            (5, Some("Bearer token-4")) if expired => reply(201, &[], ""),
            (5, Some("Bearer token-4")) => refusal(403, "DENIED"),
            _ => Reply::Hangup,
        })
        .await;
        let registry = registry(options());
        registry.resolve(&repository(&script), &prod()).await.unwrap();
        a_minute_later().await;
        let put = registry.put(&repository(&script), &prod(), &manifest(), SECOND).await;
        assert_eq!(verdict(&put), if expired { "applied" } else { "refused REGISTRY_DENIED" }, "{:?}", script.lines());
        assert_eq!(script.requests().len(), 6, "{:?}", script.lines());
    }
}

#[tokio::test]
async fn a_403_to_a_younger_token_is_meant_and_the_put_is_not_sent_again() {
    let script = Script::start(|request, number| match (request.is("PUT"), request.header("authorization")) {
        (true, Some(_)) => refusal(403, "DENIED"),
        _ => with_tokens(request, number, "token-1", || reply(200, &[("docker-content-digest", &digest())], "")),
    })
    .await;
    let registry = registry(options());
    registry.resolve(&repository(&script), &prod()).await.unwrap();
    let put = registry.put(&repository(&script), &prod(), &manifest(), SECOND).await;
    assert_eq!(verdict(&put), "refused REGISTRY_DENIED");
    assert_eq!(script.lines().iter().filter(|line| line.starts_with("PUT")).count(), 1, "{:?}", script.lines());
}

#[tokio::test]
async fn a_403_whose_login_cannot_be_renewed_says_both() {
    let script = Script::start(|request, number| match (number, request.is("GET /token")) {
        (1, true) => reply(200, &[], r#"{"token":"token-1","expires_in":43200}"#),
        (_, true) => refusal(401, "LOGGED_OUT"),
        (0, _) => with_tokens(request, number, "never", || Reply::Hangup),
        (2, _) => reply(200, &[("docker-content-digest", &digest())], ""),
        _ => refusal(403, "DENIED"),
    })
    .await;
    let registry = registry(options());
    registry.resolve(&repository(&script), &prod()).await.unwrap();
    a_minute_later().await;
    let put = registry.put(&repository(&script), &prod(), &manifest(), SECOND).await;
    assert_eq!(verdict(&put), "refused REGISTRY_DENIED");
    let Put::Refused(error) = put else { unreachable!() };
    let error = error.to_string();
    assert!(error.contains("the registry answered 403 DENIED: m (no other login: no token from "), "{error}");
    assert!(error.contains("401 LOGGED_OUT: m"), "{error}");
    assert_eq!(script.lines().iter().filter(|line| line.starts_with("PUT")).count(), 1, "{:?}", script.lines());
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_the_put_is_refused() {
    let script = Script::start(|request, number| match request.is("GET /token") {
        true => reply(429, &[("retry-after", "3600")], ""),
        false => with_tokens(request, number, "x", || reply(201, &[], "")),
    })
    .await;
    assert_eq!(verdict(&put(&script).await), "refused REGISTRY_BUSY");
    assert_eq!(script.lines().iter().filter(|line| line.starts_with("PUT")).count(), 1, "the one that got the 401");
}

#[tokio::test]
async fn a_timeout_before_anything_is_under_way_is_refused() {
    let script = Script::start(|request, number| match request.is("GET /token") {
        true => Reply::Silence,
        false => with_tokens(request, number, "x", || reply(201, &[], "")),
    })
    .await;
    let put = put_with(options(), &script, Duration::from_millis(300)).await;
    assert_eq!(verdict(&put), "refused REGISTRY_UNAVAILABLE");
    let Put::Refused(error) = put else { unreachable!() };
    assert!(error.to_string().ends_with("the put was not sent within 0.3 s"), "{error}");
}
