//! The registry's words are in the error, in every form of answer.

use super::super::script::{Reply, bytes, refusal, reply};
use super::*;
use crate::error::ErrorKind;

async fn resolve(options: OciOptions, script: &Script) -> Result<Option<Digest>> {
    registry(options).resolve(&repository(script), &prod()).await
}

/// `reply` without a body, as in the answer to a HEAD.
fn head(status: u16) -> Reply {
    reply(status, &[], "")
}

#[tokio::test]
async fn failed_head_is_repeated_as_get_for_its_message() {
    for status in [400, 403, 404, 405, 412, 451, 500, 501, 503] {
        for retry_ms in [0, 200] {
            let script = Script::start(move |request, _| match request.is("HEAD") {
                true => head(status),
                false => refusal(status, "PROJECTPOLICYVIOLATION"),
            })
            .await;
            let error = resolve(options().retry_for(Duration::from_millis(retry_ms)), &script).await.unwrap_err();
            let want = format!("the registry answered {status} PROJECTPOLICYVIOLATION: m");
            assert!(error.to_string().ends_with(&want), "{error}");
            assert!(error.context().any(|pair| pair == ("status", &status.to_string())), "{error:?}");
            let heads = script.lines().iter().filter(|line| line.starts_with("HEAD")).count();
            assert_eq!(heads, 1, "{:?}", script.lines());
        }
    }
}

#[tokio::test]
async fn get_after_failed_head_decides() {
    for status in [403, 405, 412, 429, 500, 501] {
        let script = Script::start(move |request, _| match request.is("HEAD") {
            true => head(status),
            false => reply(200, &[("content-type", TYPE)], BODY),
        })
        .await;
        assert_eq!(resolve(options(), &script).await.unwrap().unwrap().to_string(), digest(), "{status}");
        assert_eq!(script.requests().len(), 2, "{status}");
    }
    let blob = Digest::of(b"blob");
    let script = Script::start(|request, _| reply(if request.is("HEAD") { 405 } else { 200 }, &[], "")).await;
    assert!(registry(options()).has_blob(&repository(&script), &blob).await.unwrap());
}

#[tokio::test]
async fn head_with_a_long_retry_after_is_not_repeated() {
    let script = Script::start(|_, _| reply(429, &[("retry-after", "3600")], "")).await;
    assert_eq!(resolve(options(), &script).await.unwrap_err().kind(), ErrorKind::RegistryBusy);
    assert_eq!(script.requests().len(), 1);
}

#[tokio::test]
async fn message_of_the_last_5xx_reaches_the_error_after_lost_connections() {
    let script = Script::start(|_, number| match number {
        0 => refusal(502, "FIRST"),
        1 => refusal(503, "MAINTENANCE"),
        _ => Reply::Hangup,
    })
    .await;
    let error = registry(options()).fetch(&repository(&script).tag(prod())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RegistryUnavailable);
    assert!(error.to_string().ends_with("; before that the registry answered 503 MAINTENANCE: m"), "{error}");
    assert!(script.requests().len() >= 3, "{:?}", script.lines());
}

#[tokio::test]
async fn message_of_the_last_5xx_reaches_the_error_after_a_timeout() {
    let script =
        Script::start(|_, number| if number == 0 { refusal(503, "MAINTENANCE") } else { Reply::Silence }).await;
    let time = Duration::from_millis(400);
    let slow = registry(options().total_timeout(time).retry_for(time));
    let error = slow.fetch(&repository(&script).tag(prod())).await.unwrap_err();
    assert!(error.to_string().ends_with("the registry answered 503 MAINTENANCE: m"), "{error}");
}

#[tokio::test]
async fn cut_error_body_is_shown_as_far_as_it_was_read() {
    let part = r#"{"errors":[{"code":"DENIED","message":"blocked by"#;
    for status in [403, 404, 500] {
        let script = Script::start(move |_, _| Reply::Bytes(bytes(status, &[], 999, part))).await;
        let error = resolve(options(), &script).await.unwrap_err().to_string();
        assert!(error.contains(&format!("the registry answered {status}: {part} (the body is cut: ")), "{error}");
    }
    // A 403 is not retried, because its status is clear.
    let script = Script::start(move |_, _| Reply::Bytes(bytes(403, &[], 999, part))).await;
    let error = registry(options()).fetch(&repository(&script).tag(prod())).await.unwrap_err();
    assert_eq!((error.kind(), script.requests().len()), (ErrorKind::RegistryDenied, 1));
}

#[tokio::test]
async fn error_body_is_shown_as_far_as_it_was_read_before_the_timeout() {
    let body = "blocked by administrative rules".repeat(200);
    let script =
        Script::start(move |_, _| Reply::Trickle(bytes(403, &[], body.len(), &body), Duration::from_millis(1))).await;
    let time = Duration::from_millis(500);
    let slow = registry(options().total_timeout(time).retry_for(time));
    let error = slow.fetch(&repository(&script).tag(prod())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RegistryDenied);
    assert!(error.to_string().contains("the registry answered 403: blocked by"), "{error}");
    assert!(error.to_string().ends_with("(the body is cut: no whole answer within 0.5 s)"), "{error}");
}

#[tokio::test]
async fn error_body_over_64_kib_is_shown_from_its_beginning() {
    let script = Script::start(|_, _| reply(403, &[], "too many words ".repeat(10_000))).await;
    let error = registry(options()).fetch(&repository(&script).tag(prod())).await.unwrap_err();
    assert!(error.to_string().contains("the registry answered 403: too many words "), "{error}");
    assert!(error.to_string().ends_with("… (the body is cut: it has more than 65536 bytes)"), "{error}");
    assert!(error.to_string().len() < 1300, "{}", error.to_string().len());
}

#[tokio::test]
async fn compressed_error_body_is_named_as_compressed() {
    let script = Script::start(|_, _| reply(403, &[("content-encoding", "gzip")], "x")).await;
    let error = registry(options()).fetch(&repository(&script).tag(prod())).await.unwrap_err();
    let want = "the registry answered 403 (the body is cut: it is compressed, which was not asked for)";
    assert!(error.to_string().ends_with(want), "{error}");
}

#[tokio::test]
async fn cut_secret_in_an_error_body_is_not_shown() {
    let script = Script::start(|request, _| match request.header("authorization") {
        None => reply(401, &[("www-authenticate", "Basic")], ""),
        Some(_) => Reply::Bytes(bytes(403, &[], 99, "you sent canary-5d")),
    })
    .await;
    let options = options().credentials(script.host(), Credentials::password("ci", "canary-5d1f7"));
    let error = registry(options).fetch(&repository(&script).tag(prod())).await.unwrap_err().to_string();
    assert!(error.contains("the registry answered 403: you sent *** (the body is cut: "), "{error}");
}
