//! Faults in the memory registry and on the wire.

use std::collections::BTreeSet;

use super::*;
use tagwarden::Digest;
use tagwarden_testing::{ErrorAnswer, InjectedFault, ReadFault};

const PROD: &str = "/v2/shop/manifests/prod";

async fn shop() -> (RegistryServer, TestImage) {
    let server = server().await;
    let repository = server.repository("shop");
    server.memory().push_image(&repository, &"prod".parse().unwrap(), 1);
    let next = TestImage::image(2);
    server.memory().store(&repository, &next);
    (server, next)
}

fn prod(server: &RegistryServer) -> Option<Digest> {
    server.memory().peek(&server.repository("shop"), &"prod".parse().unwrap())
}

#[tokio::test]
async fn faults_of_the_memory_registry_apply_over_http() {
    let (old, new) = (TestImage::image(1).digest(), TestImage::image(2).digest());
    for (fault, status, points_at) in [
        (InjectedFault::Before, 500, old),
        (InjectedFault::After, 500, new),
        (InjectedFault::Denied, 403, old),
        (InjectedFault::refused("TAG_IMMUTABLE"), 409, old),
        (InjectedFault::refused("PRECONDITION"), 412, old),
        (InjectedFault::refused("TAG_INVALID"), 400, old),
        (InjectedFault::Ignored, 201, old),
    ] {
        let (server, next) = shop().await;
        server.memory().script([fault.clone()]);
        let put = put_manifest(&server, PROD, &next).await;
        assert_eq!((put.status, prod(&server)), (status, Some(points_at)), "{fault:?}: {put:?}");
    }
    for (fault, status) in [(ReadFault::Unavailable, 503), (ReadFault::Busy, 429), (ReadFault::Denied, 403)] {
        let (server, _) = shop().await;
        server.memory().script_reads([fault]);
        assert_eq!(get(&server, PROD).await.status, status);
    }
    let (server, _) = shop().await;
    server.memory().script_reads([ReadFault::DigestMismatch]);
    let lie = get(&server, PROD).await;
    assert_eq!((lie.status, lie.header("docker-content-digest")), (200, Some(old.to_string().as_str())));
    assert!(!old.verify(&lie.body));
}

#[tokio::test]
async fn http_faults_have_their_documented_effect() {
    let (server, next) = shop().await;
    server.script([HttpFault::Status(503), HttpFault::StatusAfter(502)]);
    assert_eq!(
        (put_manifest(&server, PROD, &next).await.status, prod(&server)),
        (503, Some(TestImage::image(1).digest()))
    );
    assert_eq!((put_manifest(&server, PROD, &next).await.status, prod(&server)), (502, Some(next.digest())));

    server.script([HttpFault::html(200), HttpFault::Redirect(307, "http://other.example/x".to_owned())]);
    let html = get(&server, PROD).await;
    assert!(
        html.text().starts_with("<!DOCTYPE html>") && html.header("content-type").unwrap().starts_with("text/html")
    );
    let moved = get(&server, PROD).await;
    assert_eq!((moved.status, moved.header("location")), (307, Some("http://other.example/x")));

    server.script([HttpFault::CutBody, HttpFault::Pass]);
    let cut = get(&server, PROD).await;
    assert!(cut.cut && cut.status == 200, "{cut:?}");
    assert!(!get(&server, PROD).await.cut);

    let first = TestImage::image(1);
    server.script([HttpFault::Closed, HttpFault::ClosedAfter, HttpFault::Closed]);
    let closed = put_manifest(&server, PROD, &first).await;
    assert_eq!((closed.status, closed.head.as_str(), prod(&server)), (0, "", Some(next.digest())));
    assert_eq!((put_manifest(&server, PROD, &first).await.status, prod(&server)), (0, Some(first.digest())));
    assert_eq!(send(server.addr(), &format!("HEAD {PROD}"), &[], "").await.status, 0);

    server.script([
        HttpFault::wrong_digest(),
        HttpFault::no_digest(),
        HttpFault::Header("content-type", "text/plain".to_owned()),
    ]);
    let wrong = get(&server, PROD).await;
    let digest = wrong.header("docker-content-digest").unwrap().parse::<Digest>().unwrap();
    assert!(!digest.verify(&wrong.body));
    assert_eq!(get(&server, PROD).await.header("docker-content-digest"), None);
    assert_eq!(get(&server, PROD).await.header("content-type"), Some("text/plain"));

    server.script([
        HttpFault::Oversized(5 * 1024 * 1024),
        HttpFault::tags_null(),
        HttpFault::link("/v2/shop/tags/list"),
    ]);
    let huge = get(&server, PROD).await;
    assert!(huge.header("content-length").is_none() && huge.body.len() >= 5 * 1024 * 1024, "{}", huge.head);
    assert!(get(&server, "/v2/shop/tags/list").await.json()["tags"].is_null());
    let looping = get(&server, "/v2/shop/tags/list").await;
    assert_eq!(looping.header("link"), Some("</v2/shop/tags/list>; rel=\"next\""));
    assert_eq!(server.faults_left(), 0);
}

#[tokio::test]
async fn custom_answer_is_sent_with_or_without_processing_the_request() {
    let (server, next) = shop().await;
    let (old, new) = (TestImage::image(1).digest(), next.digest());
    let json = r#"{"errors":[{"message":"Not enough permissions"}]}"#;
    let own = HttpAnswer::new(451).with_body("application/json", json);
    server.script([HttpFault::Answer(own.clone()), HttpFault::AnswerAfter(own.clone())]);
    for points_at in [old, new] {
        let put = put_manifest(&server, PROD, &next).await;
        assert_eq!(
            (put.status, put.text().as_str(), put.header("content-type")),
            (451, json, Some("application/json"))
        );
        assert_eq!(prod(&server), Some(points_at));
    }
    server.script([
        HttpFault::Answer(own.clone()),
        HttpFault::Answer(HttpAnswer::new(404)),
        HttpFault::Answer(own.cut()),
    ]);
    let head = send(server.addr(), &format!("HEAD {PROD}"), &[], "").await;
    assert_eq!((head.status, head.body.len()), (451, 0));
    let bare = get(&server, PROD).await;
    assert_eq!((bare.status, bare.header("content-type"), bare.body.len()), (404, None, 0));
    let cut = get(&server, PROD).await;
    assert!(cut.cut && json.starts_with(&cut.text()) && !cut.body.is_empty(), "{cut:?}");
}

#[tokio::test]
async fn busy_answer_has_retry_after_in_each_format() {
    let (server, _) = shop().await;
    server.script([
        HttpFault::Busy(RetryAfter::Seconds(7)),
        HttpFault::Busy(RetryAfter::Date(Duration::from_secs(60))),
        HttpFault::Busy(RetryAfter::Message(250)),
        HttpFault::Busy(RetryAfter::Unsaid),
    ]);
    let [seconds, date, message, unsaid] =
        [get(&server, PROD).await, get(&server, PROD).await, get(&server, PROD).await, get(&server, PROD).await];
    assert_eq!((seconds.status, seconds.header("retry-after")), (429, Some("7")));
    assert!(date.header("retry-after").unwrap().ends_with(" GMT"));
    assert!(message.header("retry-after").is_none() && message.text().contains("retry-after: 250ms"));
    assert!(unsaid.header("retry-after").is_none());
}

#[tokio::test]
async fn words_of_the_memory_registry_are_sent_over_http() {
    let (server, next) = shop().await;
    let repository = server.repository("shop");
    let said = |status, code: &str, message: &str| ErrorAnswer::new(status, code, message);
    server.memory().script([InjectedFault::Refused(said(423, "LOCKED", "frozen until \"Monday\""))]);
    let put = put_manifest(&server, PROD, &next).await;
    let error = &put.json()["errors"][0];
    assert_eq!(put.status, 423);
    assert_eq!((&error["code"], &error["message"]), (&"LOCKED".into(), &"frozen until \"Monday\"".into()));

    let old = TestImage::image(1).digest();
    server.memory().hide(&repository, &old, said(412, "PROJECTPOLICYVIOLATION", "3 critical"));
    for path in [PROD.to_owned(), format!("/v2/shop/manifests/{old}")] {
        let hidden = get(&server, &path).await;
        let error = &hidden.json()["errors"][0];
        assert_eq!(hidden.status, 412, "{path}");
        assert_eq!((&error["code"], &error["message"]), (&"PROJECTPOLICYVIOLATION".into(), &"3 critical".into()));
        let head = send(server.addr(), &format!("HEAD {path}"), &[&format!("Accept: {IMAGE}")], "").await;
        assert_eq!((head.status, head.body.len()), (412, 0), "{path}");
    }
    let other = get(&server, &format!("/v2/shop/manifests/{}", next.digest())).await;
    assert_eq!(other.status, 200, "another manifest of the repository");
    server.memory().unhide(&repository, &old);
    assert_eq!(get(&server, PROD).await.status, 200);
}

#[tokio::test]
async fn requests_of_a_tag_answer_any_value_of_the_window() {
    let (server, next) = shop().await;
    put_manifest(&server, PROD, &next).await;
    let (first, last) = (TestImage::image(1).digest().to_string(), next.digest().to_string());
    let seen = async |method: &str| {
        let mut seen = BTreeSet::new();
        for _ in 0..40 {
            let accept = format!("Accept: {IMAGE}");
            let answer = send(server.addr(), &format!("{method} {PROD}"), &[&accept], "").await;
            let digest = answer.header("docker-content-digest").map(str::to_owned);
            assert_eq!(answer.status, if digest.is_some() { 200 } else { 404 });
            if let (Some(digest), "GET") = (&digest, method) {
                assert!(digest.parse::<Digest>().unwrap().verify(&answer.body), "the body is of the same value");
            }
            seen.insert(digest);
        }
        seen
    };
    for (window_s, want) in [
        (0, BTreeSet::from([Some(last.clone())])),
        (3600, BTreeSet::from([None, Some(first.clone()), Some(last.clone())])),
    ] {
        server.memory().lag(Duration::from_secs(window_s));
        assert_eq!((seen("HEAD").await, seen("GET").await), (want.clone(), want), "{window_s} s");
    }
    let by_digest = format!("/v2/shop/manifests/{first}");
    for _ in 0..20 {
        assert_eq!(get(&server, &by_digest).await.status, 200, "a digest does not lag");
    }
}

#[tokio::test]
async fn each_answer_has_one_date_by_the_clock_of_the_server() {
    let (server, _) = shop().await;
    let ahead_s = async |path: &str| {
        let now = jiff::Timestamp::now().as_second();
        let answer = get(&server, path).await;
        let dates = answer.head.lines().filter(|line| line.to_ascii_lowercase().starts_with("date:")).count();
        assert_eq!(dates, 1, "{}", answer.head);
        let date = answer.header("date").unwrap();
        assert!(date.len() == 29 && date.ends_with(" GMT"), "{date}");
        jiff::fmt::rfc2822::parse(date).unwrap().timestamp().as_second() - now
    };
    for (offset_ms, want_s) in [(0, 0), (7_200_000, 7200), (-86_400_000, -86_400)] {
        server.date_offset_ms(offset_ms);
        for path in [PROD, "/v2/shop/manifests/absent", "/v2/"] {
            let off = ahead_s(path).await - want_s;
            assert!((-1..=5).contains(&off), "{path}, {offset_ms} ms: {off} s beside it");
        }
    }
    server.script([HttpFault::Status(503), HttpFault::Header("date", "yesterday".to_owned())]);
    assert!(ahead_s(PROD).await < -86_000, "an answer of a fault has the server's date as well");
    assert_eq!(get(&server, PROD).await.header("date"), Some("yesterday"));
}

#[tokio::test]
async fn slow_answers_take_their_delay() {
    let (server, _) = shop().await;
    let took = |server: RegistryServer| async move {
        let begun = std::time::Instant::now();
        let answer = get(&server, "/v2/").await;
        (server, begun.elapsed(), answer)
    };
    server.latency(Duration::from_millis(60));
    let (server, latency, _) = took(server).await;
    server.latency(Duration::ZERO);
    server.script([HttpFault::Slow(Duration::from_millis(70)), HttpFault::Trickle(Duration::from_millis(40))]);
    let (server, slow, _) = took(server).await;
    let (_, trickle, answer) = took(server).await;
    assert_eq!(answer.text(), "{}");
    assert!(
        latency.as_millis() >= 60 && slow.as_millis() >= 70 && trickle.as_millis() >= 80,
        "{latency:?} {slow:?} {trickle:?}"
    );
}

#[tokio::test]
async fn server_with_silent_requests_can_be_stopped() {
    let (server, next) = shop().await;
    server.script_when(|seen| seen.is("PUT", "/manifests/prod"), [HttpFault::SilentAfter]);
    let (address, memory, port) = (server.addr(), server.memory().clone(), server.addr().port());
    let content_type = format!("Content-Type: {IMAGE}");
    let body = next.manifest.bytes().to_vec();
    let waiting = tokio::spawn(async move { send(address, &format!("PUT {PROD}"), &[&content_type], body).await });
    while prod(&server) != Some(next.digest()) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let requests = server.requests();
    assert_eq!((requests.len(), requests[0].status, requests[0].to_string()), (1, None, format!("PUT {PROD}")));
    tokio::time::timeout(Duration::from_secs(5), server.stop()).await.unwrap().unwrap();
    waiting.await.unwrap();

    let again = RegistryServer::start_on(port, memory).await.unwrap();
    assert_eq!(get(&again, PROD).await.status, 200, "what was held is held on");
}

#[tokio::test]
async fn permanent_fault_lasts_until_calm() {
    let (server, _) = shop().await;
    server.always(|seen| seen.path.contains("/referrers/"), HttpFault::Status(404));
    let referrers = format!("/v2/shop/referrers/{}", Digest::of(b""));
    for _ in 0..2 {
        assert_eq!(get(&server, &referrers).await.status, 404);
    }
    assert_eq!(get(&server, PROD).await.status, 200);
    server.calm();
    assert_eq!(get(&server, &referrers).await.status, 200);
    let ports: std::collections::BTreeSet<_> = server.requests().iter().map(|seen| seen.port).collect();
    assert_eq!(ports.len(), 4, "a connection each");
}
