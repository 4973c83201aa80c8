//! Retries by time, on tokio's clock, which advances by itself while every task waits.

use tokio::time::Instant;

use super::super::script::{Reply, refusal, reply};
use super::*;
use crate::error::ErrorKind;

const OUTAGE: Duration = Duration::from_secs(20);

/// A registry that gives this answer for 20 s, and then the right ones.
async fn down(answer: impl Fn() -> Reply + Send + Sync + 'static) -> Script {
    let start = Instant::now();
    Script::start(move |request, _| match (start.elapsed() < OUTAGE, request.is("PUT"), request.is("POST")) {
        (true, ..) => answer(),
        (_, true, _) => reply(201, &[], ""),
        (_, _, true) => reply(202, &[("location", "/upload")], ""),
        _ if request.line.contains("/blobs/") => refusal(404, "BLOB_UNKNOWN"),
        _ => reply(200, &[("content-type", TYPE)], BODY),
    })
    .await
}

/// The default options of a user.
fn untouched() -> OciOptions {
    OciOptions::new().lookup(CredentialSource::Nowhere).certs_dir("/nowhere")
}

async fn put(options: OciOptions, script: &Script, seconds: u64) -> Put {
    registry(options).put(&repository(script), &prod(), &manifest(), Duration::from_secs(seconds)).await
}

#[tokio::test(start_paused = true)]
async fn read_outlasts_an_outage_of_20_s() {
    let outages: [fn() -> Reply; 4] = [
        || refusal(503, "MAINTENANCE"),
        || reply(503, &[("retry-after", "7")], ""),
        || reply(429, &[("retry-after", "20")], ""),
        || Reply::Hangup,
    ];
    for (at, outage) in outages.into_iter().enumerate() {
        let script = down(outage).await;
        let found = registry(untouched()).resolve(&repository(&script), &prod()).await;
        assert_eq!(found.unwrap_or_else(|e| panic!("{at}: {e:?}")).unwrap().to_string(), digest());
        assert!(script.requests().len() < 30, "{}", script.requests().len());
    }
}

#[tokio::test(start_paused = true)]
async fn upload_outlasts_an_outage_of_20_s() {
    let script = down(|| refusal(503, "MAINTENANCE")).await;
    let pushed = registry(untouched()).push_blob(&repository(&script), Bytes::from_static(b"blob")).await;
    assert_eq!(pushed.unwrap(), Digest::of(b"blob"));
}

#[tokio::test(start_paused = true)]
async fn upload_whose_end_is_answered_503_is_begun_again() {
    let script = Script::start(|request, number| match (request.is("POST"), request.is("PUT")) {
        (true, _) => reply(202, &[("location", &format!("/upload/{number}"))], ""),
        (_, true) if number < 4 => refusal(503, "MAINTENANCE"),
        (_, true) => reply(201, &[], ""),
        _ => refusal(404, "BLOB_UNKNOWN"),
    })
    .await;
    registry(untouched()).push_blob(&repository(&script), Bytes::from_static(b"blob")).await.unwrap();
    let sent = script.lines().iter().filter(|line| line.starts_with("P")).count();
    assert_eq!(sent, 4, "POST and PUT, twice: {:?}", script.lines());
}

#[tokio::test(start_paused = true)]
async fn put_that_is_answered_429_waits_within_its_timeout() {
    let script = down(|| reply(429, &[("retry-after", "20")], "")).await;
    assert!(matches!(put(untouched(), &script, 30).await, Put::Applied));
    assert_eq!(script.requests().len(), 2);

    let script = down(|| reply(429, &[("retry-after", "20")], "")).await;
    let Put::Refused(error) = put(untouched(), &script, 15).await else { panic!("not refused") };
    assert_eq!(error.kind(), ErrorKind::RegistryBusy);
    assert!(error.to_string().contains("it asks to wait for 20 s, and "), "{error}");
    assert!(error.to_string().ends_with(" s are left"), "{error}");
    assert!(error.context().any(|pair| pair == ("retry_after_ms", "20000")), "{error:?}");
    assert_eq!(script.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn put_that_is_answered_503_is_not_sent_again() {
    let script = down(|| reply(503, &[("retry-after", "1")], "")).await;
    assert!(matches!(put(untouched(), &script, 30).await, Put::Unknown(_)));
    assert_eq!(script.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn retry_time_is_that_of_the_caller_then_of_the_registry_then_of_the_call() {
    let seconds = Duration::from_secs;
    for (given, own, finds) in
        [(None, None, true), (None, Some(5), false), (Some(25), Some(5), true), (Some(5), Some(25), false)]
    {
        let script = down(|| refusal(503, "MAINTENANCE")).await;
        let mut options = untouched().total_timeout(seconds(22));
        options = given.map_or(options.clone(), |time| options.retry_for(seconds(time)));
        options = own.map_or(options.clone(), |time| options.retry_for_on(script.host(), seconds(time)));
        let (start, found) = (Instant::now(), registry(options).fetch(&repository(&script).tag(prod())).await);
        assert_eq!(found.is_ok(), finds, "{given:?} {own:?} {found:?}");
        assert!(finds || start.elapsed() <= seconds(6), "{:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn longer_retry_time_extends_a_read() {
    let script = down(|| refusal(503, "MAINTENANCE")).await;
    let options = untouched().total_timeout(Duration::from_secs(3)).retry_for(Duration::from_secs(60));
    assert!(registry(options).fetch(&repository(&script).tag(prod())).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn zero_retry_time_means_one_attempt() {
    let script = down(|| refusal(503, "MAINTENANCE")).await;
    let once = untouched().retry_for(Duration::ZERO);
    assert!(registry(once).fetch(&repository(&script).tag(prod())).await.is_err());
    assert_eq!(script.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn name_that_is_not_found_is_not_waited_for() {
    let start = Instant::now();
    let unknown: Repository = "registry.invalid/acme/shop".parse().unwrap();
    let error = registry(untouched()).resolve(&unknown, &prod()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RegistryUnavailable);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?} {error}", start.elapsed());
}

/// A call of an observer: the registry, the words, and the time that was left.
#[derive(Debug, Default)]
struct Told(std::sync::Mutex<Vec<(String, String, Duration)>>);

impl RetryObserver for Told {
    fn still_trying(&self, registry: &str, why: &str, remaining: Duration) {
        self.0.lock().unwrap().push((registry.to_owned(), why.to_owned(), remaining));
    }
}

/// A read of a registry with these options, and what its observer was told.
async fn observed(options: OciOptions, script: &Script) -> Vec<(String, String, Duration)> {
    let told = Arc::new(Told::default());
    let _ = registry(options.retry_observer(told.clone())).resolve(&repository(script), &prod()).await;
    std::mem::take(&mut told.0.lock().unwrap())
}

#[tokio::test(start_paused = true)]
async fn observer_of_a_registry_that_is_down_gets_its_words_after_2_s() {
    let script = down(|| refusal(503, "MAINTENANCE")).await;
    let told = observed(untouched(), &script).await;
    let (registry, why, remaining) = told.first().unwrap();
    assert_eq!((registry, why.as_str()), (&script.host(), "the registry answered 503 MAINTENANCE: m"));
    // The first pause that leads beyond 2 s is no longer than 2 s.
    assert!((26..=29).contains(&remaining.as_secs()), "{remaining:?}");

    let script = down(|| refusal(503, "MAINTENANCE")).await;
    assert_eq!(observed(untouched().retry_for(Duration::from_secs(1)), &script).await, []);
}

#[tokio::test(start_paused = true)]
async fn observer_of_a_registry_that_does_not_answer_is_told_so() {
    let script = Script::start(|_, _| Reply::Silence).await;
    let told = observed(untouched(), &script).await;
    assert_eq!(told.first().unwrap().1, "no answer after 2 s");
    let script = Script::start(|_, _| Reply::Silence).await;
    let told = observed(untouched().retry_for(Duration::from_secs(6)), &script).await;
    assert!(told.first().unwrap().2 <= Duration::from_secs(4), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn read_without_an_answer_ends_after_the_time_for_retries() {
    for (seconds, ends) in [(3, 3), (0, 15), (60, 75)] {
        let script = Script::start(|_, _| Reply::Silence).await;
        let options = untouched().retry_for(Duration::from_secs(seconds));
        let (start, found) = (Instant::now(), registry(options).resolve(&repository(&script), &prod()).await);
        assert_eq!(found.unwrap_err().kind(), ErrorKind::RegistryUnavailable);
        assert!(start.elapsed() < Duration::from_secs(ends + 1), "{seconds}: {:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn put_without_an_answer_keeps_its_timeout_whatever_the_time_for_retries_is() {
    let script = Script::start(|_, _| Reply::Silence).await;
    let start = Instant::now();
    assert!(matches!(put(untouched().retry_for(Duration::from_secs(1)), &script, 10).await, Put::Unknown(_)));
    assert_eq!((start.elapsed().as_secs(), script.requests().len()), (10, 1));
}
