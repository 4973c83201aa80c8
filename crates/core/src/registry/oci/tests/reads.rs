//! Resolves and fetches.

use super::super::script::{Reply, bytes, refusal, reply};
use super::*;
use crate::error::ErrorKind;

async fn resolve(options: OciOptions, script: &Script) -> Result<Option<Digest>> {
    registry(options).resolve(&repository(script), &prod()).await
}

async fn fetch(script: &Script) -> Result<Option<Manifest>> {
    registry(options()).fetch(&repository(script).tag(prod())).await
}

#[tokio::test]
async fn a_resolve_is_one_head_that_accepts_every_kind() {
    let script = Script::start(|_, _| reply(200, &[("docker-content-digest", &digest())], "")).await;
    assert_eq!(resolve(options(), &script).await.unwrap().unwrap().to_string(), digest());
    let requests = script.requests();
    assert_eq!(script.lines(), ["HEAD /v2/acme/shop/manifests/prod"]);
    assert_eq!(
        requests[0].header("accept").unwrap(),
        format!("{}, */*;q=0.1", crate::registry::MANIFEST_TYPES.join(", "))
    );
    assert_eq!(requests[0].header("user-agent").unwrap(), format!("tagwarden/{}", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn a_head_without_a_usable_digest_is_followed_by_a_get_that_is_hashed() {
    for header in [("x", "y"), ("docker-content-digest", "sha256:../"), ("docker-content-digest", "md5:00")] {
        let script = Script::start(move |request, _| match request.is("HEAD") {
            true => reply(200, &[header], ""),
            false => reply(200, &[("content-type", TYPE)], BODY),
        })
        .await;
        assert_eq!(resolve(options(), &script).await.unwrap().unwrap().to_string(), digest());
        assert_eq!(script.requests().len(), 2);
    }
}

#[tokio::test]
async fn unusable_answer_is_unknown_with_its_reason() {
    type Case = (fn() -> Reply, ErrorKind, &'static str);
    let cases: [Case; 7] = [
        (|| reply(451, &[], "<html>not here</html>"), ErrorKind::RegistryUnavailable, "451: not here"),
        (|| refusal(404, "DENIED"), ErrorKind::RegistryUnavailable, "404 DENIED: m"),
        (|| refusal(403, "DENIED"), ErrorKind::RegistryDenied, "403 DENIED: m"),
        (|| refusal(400, "MANIFEST_UNKNOWN"), ErrorKind::RegistryUnavailable, "400 MANIFEST_UNKNOWN: m"),
        (|| reply(206, &[("content-type", TYPE)], BODY), ErrorKind::RegistryUnavailable, "206: {\"schemaVersion\":2}"),
        (|| refusal(500, "UNKNOWN"), ErrorKind::RegistryUnavailable, "500 UNKNOWN: m"),
        (|| refusal(429, "TOOMANYREQUESTS"), ErrorKind::RegistryBusy, "429 TOOMANYREQUESTS: m"),
    ];
    for (answer, kind, text) in cases {
        let script = Script::start(move |_, _| answer()).await;
        let error = fetch(&script).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        let want = format!("fetch {}:prod: the registry answered {text}", repository(&script));
        assert_eq!(error.to_string(), want);
        assert!(error.context().any(|(name, _)| name == "status"), "{error:?}");
    }
}

#[tokio::test]
async fn a_fetch_keeps_bytes_and_type_exactly() {
    let body = "{ \"schemaVersion\" : 2,\n \"a\":\"é\" }\n";
    let odd = "application/vnd.oci.image.manifest.v1+json; charset=UTF-8";
    let script = Script::start(move |_, _| reply(200, &[("content-type", odd)], body)).await;
    let manifest = fetch(&script).await.unwrap().unwrap();
    assert_eq!((&manifest.bytes()[..], manifest.media_type().as_str()), (body.as_bytes(), odd));

    let typed = r#"{"mediaType":"application/vnd.oci.image.index.v1+json"}"#;
    let script = Script::start(move |_, _| reply(200, &[], typed)).await;
    let manifest = fetch(&script).await.unwrap().unwrap();
    assert_eq!(manifest.media_type().as_str(), "application/vnd.oci.image.index.v1+json");
}

#[tokio::test]
async fn answer_that_is_no_known_manifest_is_refused() {
    type Case = (&'static [(&'static str, &'static str)], &'static str, ErrorKind);
    let cases: [Case; 5] = [
        (&[("content-type", "text/html")], "<html>", ErrorKind::ManifestUnsupported),
        (
            &[("content-type", "application/vnd.docker.distribution.manifest.v1+prettyjws")],
            "{}",
            ErrorKind::ManifestUnsupported,
        ),
        (&[], "{}", ErrorKind::ManifestInvalid),
        (&[], "no json", ErrorKind::ManifestInvalid),
        (&[("content-type", TYPE), ("content-encoding", "gzip")], "x", ErrorKind::RegistryUnavailable),
    ];
    for (headers, body, kind) in cases {
        let script = Script::start(move |_, _| reply(200, headers, body)).await;
        assert_eq!(fetch(&script).await.unwrap_err().kind(), kind, "{headers:?} {body}");
    }
}

#[tokio::test]
async fn digest_of_other_bytes_is_a_mismatch() {
    let other = Digest::of(b"other").to_string();
    let claimed = other.clone();
    let script =
        Script::start(move |_, _| reply(200, &[("content-type", TYPE), ("docker-content-digest", &claimed)], BODY))
            .await;
    let error = fetch(&script).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RegistryDigestMismatch);
    assert!(
        error.to_string().ends_with(&format!("the registry names {other} and sends bytes of {}", digest())),
        "{error}"
    );

    let script = Script::start(|_, _| reply(200, &[("content-type", TYPE)], BODY)).await;
    let by_digest = repository(&script).digest(Digest::of(b"other"));
    let error = registry(options()).fetch(&by_digest).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RegistryDigestMismatch, "{error:?}");
}

#[tokio::test]
async fn a_digest_header_that_is_no_digest_is_refused_on_a_get() {
    for (header, kind) in [("sha256:../", ErrorKind::ValueInvalid), ("blake3:00", ErrorKind::RegistryUnsupported)] {
        let script =
            Script::start(move |_, _| reply(200, &[("content-type", TYPE), ("docker-content-digest", header)], BODY))
                .await;
        assert_eq!(fetch(&script).await.unwrap_err().kind(), kind, "{header}");
    }
}

#[tokio::test]
async fn reads_are_tried_again_after_a_5xx_a_hangup_and_a_cut_body() {
    let failures: [fn() -> Reply; 5] = [
        || refusal(500, "UNKNOWN"),
        || reply(503, &[("retry-after", "0")], "busy"),
        || reply(429, &[("retry-after", "0")], "slow down"),
        || Reply::Hangup,
        || Reply::Bytes(bytes(200, &[("content-type", TYPE)], BODY.len() + 1, BODY)),
    ];
    for (at, failure) in failures.into_iter().enumerate() {
        let script = Script::start(move |_, number| match number {
            0 | 1 => failure(),
            _ => reply(200, &[("content-type", TYPE)], BODY),
        })
        .await;
        assert!(fetch(&script).await.unwrap_or_else(|e| panic!("{at}: {e:?}")).is_some());
        assert_eq!(script.requests().len(), 3, "{at}");
    }
}

#[tokio::test]
async fn a_body_over_4_mib_is_not_read_to_its_end() {
    const TOO_LONG: usize = crate::registry::MAX_MANIFEST + 1;
    let script = Script::start(|_, _| Reply::Bytes(bytes(200, &[("content-type", TYPE)], TOO_LONG, ""))).await;
    assert_eq!(fetch(&script).await.unwrap_err().kind(), ErrorKind::ManifestTooLarge);

    let script = Script::start(|_, _| {
        let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: {TYPE}\r\n\r\n");
        Reply::Bytes([head.into_bytes(), vec![b' '; TOO_LONG]].concat())
    })
    .await;
    assert_eq!(fetch(&script).await.unwrap_err().kind(), ErrorKind::ManifestTooLarge);
}

#[tokio::test]
async fn a_trickle_and_silence_end_at_the_total_timeout() {
    let answers: [fn() -> Reply; 2] = [
        || Reply::Trickle(bytes(200, &[("content-type", TYPE)], 5000, " ".repeat(5000)), Duration::from_millis(20)),
        || Reply::Silence,
    ];
    for answer in answers {
        let script = Script::start(move |_, _| answer()).await;
        let start = std::time::Instant::now();
        let time = Duration::from_millis(300);
        let slow = registry(options().total_timeout(time).retry_for(time));
        let error = slow.fetch(&repository(&script).tag(prod())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RegistryUnavailable);
        assert!(error.to_string().ends_with("no whole answer within 0.3 s"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_long_retry_after_is_busy_at_once() {
    for wait in ["3600", "Fri, 31 Dec 2999 23:59:59 GMT"] {
        let script = Script::start(move |_, _| reply(429, &[("retry-after", wait)], "")).await;
        let error = fetch(&script).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RegistryBusy, "{error:?}");
        assert!(error.to_string().contains("it asks to wait for "), "{error}");
        assert_eq!(script.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_port_without_a_listener_is_unavailable() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let gone: Repository = format!("127.0.0.1:{port}/a").parse().unwrap();
    let error = registry(options()).resolve(&gone, &prod()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RegistryUnavailable);
    assert!(error.to_string().starts_with(&format!("resolve {gone}:prod: 127.0.0.1:{port}: ")), "{error}");
}

#[tokio::test]
async fn a_redirect_is_followed_without_credentials_and_proves_no_absence() {
    let mirror = Script::start(|request, _| match request.is("GET /there") {
        true => reply(200, &[("content-type", TYPE)], BODY),
        false => refusal(404, "MANIFEST_UNKNOWN"),
    })
    .await;
    for (path, found) in [("/there", true), ("/gone", false)] {
        let location = format!("http://{}{path}", mirror.host());
        let script = Script::start(move |request, _| match request.header("authorization") {
            None => reply(401, &[("www-authenticate", "Basic")], ""),
            Some(_) => reply(307, &[("location", &location)], ""),
        })
        .await;
        let options = options().credentials(script.host(), Credentials::password("ci", "canary"));
        let fetched = registry(options).fetch(&repository(&script).tag(prod())).await;
        match found {
            true => assert!(fetched.unwrap().is_some()),
            false => assert_eq!(fetched.unwrap_err().kind(), ErrorKind::RegistryUnavailable),
        }
    }
    for request in mirror.requests() {
        assert_eq!(request.header("authorization"), None, "{request:?}");
    }
    assert_eq!(mirror.requests().len(), 2);
}

#[tokio::test]
async fn redirect_to_a_forbidden_url_is_refused() {
    for (location, why) in [
        ("/v2/acme/shop/manifests/prod", "more than 5 redirects"),
        ("ftp://127.0.0.1/x", "it does not lead to an http or https URL without a user"),
        ("http://169.254.169.254/latest", "its address is link-local, or of a metadata service"),
        ("http://", "a redirect without a usable Location"),
    ] {
        let script = Script::start(move |_, _| reply(302, &[("location", location)], "")).await;
        let error = fetch(&script).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RegistryUnavailable);
        assert!(error.to_string().ends_with(why), "{location}: {error}");
    }
}

#[tokio::test]
async fn a_blob_is_there_or_proven_absent_or_unknown() {
    let digest = Digest::of(b"blob");
    let has = async |script: &Script| registry(options()).has_blob(&repository(script), &digest).await;
    let script = Script::start(|_, _| reply(200, &[], "")).await;
    assert!(has(&script).await.unwrap());
    let script = Script::start(|_, _| refusal(404, "BLOB_UNKNOWN")).await;
    assert!(!has(&script).await.unwrap());
    assert_eq!(script.requests().len(), 2);
    let script = Script::start(|_, _| reply(404, &[], "<html>")).await;
    assert_eq!(has(&script).await.unwrap_err().kind(), ErrorKind::RegistryUnavailable);

    let script = Script::start(|_, _| reply(200, &[], "blob")).await;
    let fetch = async |max| registry(options()).fetch_blob(&repository(&script), &digest, max).await;
    assert_eq!(fetch(4).await.unwrap().unwrap(), "blob");
    assert_eq!(fetch(3).await.unwrap_err().kind(), ErrorKind::ManifestTooLarge);
    let other = registry(options()).fetch_blob(&repository(&script), &Digest::of(b"x"), 9).await;
    assert_eq!(other.unwrap_err().kind(), ErrorKind::RegistryDigestMismatch);
}
