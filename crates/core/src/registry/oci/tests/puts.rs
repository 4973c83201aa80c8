//! Puts.

use super::super::script::{Reply, Request, bytes, refusal, reply};
use super::*;

const SECOND: Duration = Duration::from_secs(1);

async fn put_with(options: OciOptions, script: &Script, timeout: Duration) -> Put {
    registry(options).put(&repository(script), &prod(), &manifest(), timeout).await
}

async fn put(script: &Script) -> Put {
    put_with(options(), script, SECOND).await
}

/// `applied`, or `refused` or `unknown` followed by the code.
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
async fn a_put_is_applied_refused_or_unknown_by_the_status_alone() {
    const BODIES: [&str; 5] = [
        "",
        "<html>",
        r#"{"errors":[{"code":"UNKNOWN","message":"m"}]}"#,
        r#"{"errors":[{"message":"no code"}]}"#,
        r#"{"errors":[{"code":"SOMETHING_NEW"}]}"#,
    ];
    for (statuses, want) in [
        (&[200, 201, 202, 204, 299][..], "applied"),
        (&[301, 302, 307, 308], "refused REGISTRY_REFUSED"),
        (&[300, 303, 304, 500, 501, 502, 503, 504, 599, 408, 425], "unknown REGISTRY_AMBIGUOUS"),
        (&[401, 403], "refused REGISTRY_DENIED"),
        (&[405], "refused REGISTRY_UNSUPPORTED"),
        (&[413], "refused MANIFEST_TOO_LARGE"),
        (&[400, 402, 404, 406, 409, 410, 411, 412, 415, 418, 422, 423, 424, 428, 451, 499], "refused REGISTRY_REFUSED"),
    ] {
        for (status, body) in statuses.iter().flat_map(|status| BODIES.map(|body| (*status, body))) {
            let location = "http://127.0.0.1:1/";
            let script = Script::start(move |_, _| reply(status, &[("location", location)], body)).await;
            assert_eq!(verdict(&put(&script).await), want, "{status} {body}");
            // A 401 has no challenge here, so `/v2/` is asked for one.
            assert_eq!(script.requests().len(), if status == 401 { 2 } else { 1 }, "{status} {body}");
        }
    }
}

#[tokio::test]
async fn a_2xx_that_names_another_digest_is_unknown() {
    let sha512 = "sha512:d6abf87b9b0a2fa3adb59d0c6abeff2fdf4ddfa69ac7da0c30d4bdf0efabd2cf\
                  4dd4ecbbd8dd4a4ee8f3c4b4ff2a7b2a3f1b1ad9d4d0c4a8ff6c1e3f4d3b2a10";
    for (digest, want) in [
        (digest().as_str(), "applied"),
        (&Digest::of(b"other").to_string(), "unknown REGISTRY_DIGEST_MISMATCH"),
        (sha512, "unknown REGISTRY_DIGEST_MISMATCH"),
        ("sha256:../", "unknown REGISTRY_AMBIGUOUS"),
    ] {
        for status in [200, 201, 202] {
            let echo = digest.to_owned();
            let script = Script::start(move |_, _| reply(status, &[("docker-content-digest", &echo)], "")).await;
            assert_eq!(verdict(&put(&script).await), want, "{status} {digest}");
        }
    }
}

#[tokio::test]
async fn a_refusal_shows_all_that_the_registry_said_of_it() {
    const TWO: &str = r#"{"errors":[{"code":"A","message":"m","detail":"sha256:1"},{"message":"Not enough"}]}"#;
    const CUT: &str = r#"{"errors":[{"code":"DENIED","mess"#;
    type Case = (u16, fn() -> Reply, &'static str);
    let cases: [Case; 5] = [
        (400, || reply(400, &[], TWO), "the registry answered 400 A: m (sha256:1); Not enough"),
        (403, || reply(403, &[], "<html><h1>403</h1>blocked by\nrules</html>"), "answered 403: 403 blocked by rules"),
        (503, || refusal(503, "DOWN"), "the registry answered 503 DOWN: m"),
        (
            400,
            || Reply::Bytes(bytes(400, &[], 99, CUT)),
            r#"the registry answered 400: {"errors":[{"code":"DENIED","mess (the body is cut: "#,
        ),
        (
            409,
            || Reply::Trickle(bytes(409, &[], 9999, "immutable".repeat(1111)), Duration::from_millis(1)),
            "the registry answered 409: immutableimm",
        ),
    ];
    for (status, answer, want) in cases {
        let script = Script::start(move |_, _| answer()).await;
        let ended = put_with(options(), &script, Duration::from_millis(400)).await;
        let (Put::Refused(error) | Put::Unknown(error)) = &ended else { panic!("{ended:?}") };
        assert_eq!(matches!(ended, Put::Refused(_)), status < 500, "{ended:?}");
        assert!(error.to_string().contains(want), "{error}");
        assert!(error.context().any(|pair| pair == ("status", &status.to_string())), "{error:?}");
        assert_eq!(script.requests().len(), 1);
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
async fn put_that_was_not_sent_is_refused() {
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
        // More attempts than a read makes, with a pause before each further one.
        assert!((4..=20).contains(&script.requests().len()), "{}", script.requests().len());
    }
}

/// A registry with a token server on the same host; its tokens are `token-0`, `token-1`, ….
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

/// Makes logins older than a minute: advances tokio's clock by 61 s, then resumes real time for the network.
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
        let registry = registry(options()).for_moves().unwrap();
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
    let registry = registry(options()).for_moves().unwrap();
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
    let registry = registry(options()).for_moves().unwrap();
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
async fn timeout_before_the_put_is_sent_is_refused() {
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

#[tokio::test]
async fn redirect_within_the_registry_is_followed_with_the_same_method_and_bytes() {
    for status in [301, 302, 307, 308] {
        let script = Script::start(move |request, _| match request.is("PUT /v2/other/manifests/prod") {
            true => reply(201, &[("docker-content-digest", &digest())], ""),
            false => reply(status, &[("location", "/v2/other/manifests/prod")], ""),
        })
        .await;
        assert_eq!(verdict(&put(&script).await), "applied", "{status}");
        let requests = script.requests();
        assert_eq!(script.lines(), ["PUT /v2/acme/shop/manifests/prod", "PUT /v2/other/manifests/prod"]);
        assert_eq!((&requests[1].body[..], requests[1].header("content-type")), (BODY.as_bytes(), Some(TYPE)));
    }
}

#[tokio::test]
async fn redirect_to_another_origin_or_no_url_is_refused_with_the_reason() {
    let other = Script::start(|_, _| reply(201, &[], "")).await;
    let elsewhere = format!("http://{}/x", other.host());
    let want = format!("the registry answered 307, a redirect to {}", elsewhere.trim_end_matches("/x"));
    for (location, want) in [
        (elsewhere.as_str(), want.as_str()),
        ("https://user:pw@127.0.0.1:1/", "the registry answered 307, a redirect to https://127.0.0.1:1, which is not"),
        ("http://", "the registry answered 307, a redirect without a usable Location"),
        ("/v2/acme/shop/manifests/prod", "the registry answered 307"),
    ] {
        let to = location.to_owned();
        let script = Script::start(move |_, _| reply(307, &[("location", &to)], "")).await;
        let ended = put(&script).await;
        assert_eq!(verdict(&ended), "refused REGISTRY_REFUSED", "{location}");
        let Put::Refused(error) = ended else { unreachable!() };
        assert!(error.to_string().contains(want), "{error}");
        assert!(!error.to_string().contains("pw"), "{error}");
    }
    assert_eq!(other.requests().len(), 0);
}
