//! The results of an audit, and the requests that it sends to the registry.

use super::flawed::{over, shared};
use super::*;
use crate::drift::{AuditReport, ChannelAudit, Drift};
use crate::registry::Content;
use crate::testing::{Call, Fault, FaultyLedger, FaultyRegistry, PausedClock, ReadFault, TestImage};

const PARTS: AuditLooks = AuditLooks::TagAndParts;

impl World {
    async fn audited(&self, channels: &[Channel], looks: AuditLooks) -> AuditReport {
        self.promoter.audit_with(channels, AuditOptions::default().looks(looks)).await.unwrap()
    }

    async fn audited_prod(&self, looks: AuditLooks) -> ChannelAudit {
        self.audited(std::slice::from_ref(&self.prod), looks).await.channels()[0].clone()
    }
}

fn codes(audited: &ChannelAudit) -> Vec<&str> {
    assert!(audited.findings.iter().all(|finding| finding.verdict == Verdict::Warn));
    audited.findings.iter().filter_map(|finding| finding.code()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_audit_says_what_each_channel_is() {
    let w = world().bootstrapped().await;
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    let audit = async || w.promoter.audit(std::slice::from_ref(&w.prod)).await.unwrap().channels()[0].drift.clone();
    assert_eq!(audit().await, Drift::InSync { live: w.digests[1] });
    let hotfix = w.registry.push_image(w.prod.repository(), &tag("hotfix"), 99);
    w.registry.overwrite(w.prod.repository(), w.prod.tag(), &hotfix);
    assert_eq!(audit().await, Drift::MovedOutside { expected: w.digests[1], observed: hotfix.digest() });
    let earlier = w.registry.fetch(&w.prod.repository().digest(w.digests[0])).await.unwrap().unwrap();
    w.registry.overwrite(w.prod.repository(), w.prod.tag(), &earlier);
    assert_eq!(audit().await, Drift::MovedBack { expected: w.digests[1], observed: w.digests[0] });
    w.registry.script_reads([ReadFault::Unavailable]);
    assert!(matches!(audit().await, Drift::Unknown { .. }), "a failure to look is never in sync");
    w.registry.delete_tag(w.prod.repository(), w.prod.tag());
    assert_eq!(audit().await, Drift::Missing { expected: w.digests[1] });
}

#[tokio::test(start_paused = true)]
async fn audit_asks_for_the_tag_alone_unless_told() {
    let w = world().bootstrapped().await;
    w.registry.clear_calls();
    assert!(w.audited_prod(AuditLooks::Tag).await.findings.is_empty());
    assert_eq!(w.registry.calls().len(), 1, "{:?}", w.registry.calls());
    w.registry.clear_calls();
    assert!(w.audited_prod(PARTS).await.findings.is_empty());
    assert_eq!(
        w.registry.calls().len(),
        4,
        "the tag, the manifest, its config and its layer: {:?}",
        w.registry.calls()
    );
}

#[tokio::test(start_paused = true)]
async fn missing_part_of_a_live_digest_is_a_warning_and_the_channel_stays_in_sync() {
    let w = world().bootstrapped().await;
    let layer = match w.manifest(0).await.content() {
        Ok(Content::Image { layers, .. }) => layers[0].digest,
        other => panic!("{other:?}"),
    };
    w.registry.delete_blob(w.prod.repository(), &layer);
    let report = w.audited(std::slice::from_ref(&w.prod), PARTS).await;
    let [audited] = report.channels() else { panic!("{report}") };
    assert_eq!((&audited.drift, codes(audited)), (&Drift::InSync { live: w.digests[0] }, vec!["TARGET_INCOMPLETE"]));
    assert_eq!(report.class(), None);
    let live = w.digests[0];
    assert_eq!(
        report.to_string(),
        format!(
            "{}  in sync at {live}\n  warning: parts-present TARGET_INCOMPLETE: {live} lacks parts: not in the registry: \
             blob {layer}",
            w.prod
        )
    );
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["channels"][0]["findings"][0]["code"], "TARGET_INCOMPLETE");
}

#[tokio::test(start_paused = true)]
async fn missing_child_of_a_live_index_is_a_warning() {
    let w = world().bootstrapped().await;
    let index = TestImage::index([TestImage::image(7), TestImage::image(8)]);
    w.registry.store(w.prod.repository(), &index);
    w.registry.push(w.prod.repository(), &tag("multi"), &index.manifest);
    w.promoter.promote(&w.prod, w.release("multi")).options(terms()).await.unwrap();
    assert_eq!(codes(&w.audited_prod(PARTS).await), Vec::<&str>::new());
    w.registry.delete_manifest(w.prod.repository(), &index.children[1].manifest.digest());
    let audited = w.audited_prod(PARTS).await;
    assert_eq!(codes(&audited), ["TARGET_INCOMPLETE"]);
    assert!(audited.findings[0].why.as_str().contains(&index.children[1].manifest.digest().to_string()));
}

#[tokio::test(start_paused = true)]
async fn part_that_an_audit_cannot_look_at_is_a_warning() {
    let w = world().bootstrapped().await;
    let blobs = |call: &Call| matches!(call, Call::HasBlob { .. });
    w.registry.script_reads_when(blobs, vec![ReadFault::Unavailable; 8]);
    let audited = w.audited_prod(PARTS).await;
    assert_eq!((audited.drift.class(), codes(&audited)), (None, vec!["TARGET_UNKNOWN"]));
    let manifests = |call: &Call| matches!(call, Call::Fetch { .. });
    w.registry.script_reads_when(manifests, vec![ReadFault::Unavailable; 8]);
    let audited = w.audited_prod(PARTS).await;
    assert_eq!((audited.drift.class(), codes(&audited)), (None, vec!["TARGET_UNKNOWN"]));
    assert!(audited.findings[0].why.as_str().contains(&format!("manifest {}", w.digests[0])), "{audited:?}");
}

#[tokio::test(start_paused = true)]
async fn parts_are_looked_at_where_the_tag_lags_and_not_where_it_drifted() {
    let w = world().bootstrapped().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    w.registry.overwrite(w.prod.repository(), w.prod.tag(), &w.manifest(0).await);
    w.registry.clear_calls();
    let options = AuditOptions::default().looks(PARTS).timeout(None);
    let report = w.promoter.audit_with(std::slice::from_ref(&w.prod), options).await.unwrap();
    assert!(matches!(report.channels()[0].drift, Drift::Lagging { .. }), "{report}");
    let blobs = || w.registry.calls().iter().filter(|call| matches!(call, Call::HasBlob { .. })).count();
    assert_eq!(blobs(), 2);
    assert!(matches!(w.audited_prod(PARTS).await.drift, Drift::MovedBack { .. }));
    assert_eq!(blobs(), 2, "drift is said first: the parts of a digest that is not there do not matter");
}

/// A blob host that does not answer delays the audit by one timeout, not by one timeout for each channel.
#[tokio::test(start_paused = true)]
async fn audit_looks_at_the_parts_of_many_channels_side_by_side() {
    let w = world().bootstrapped().await;
    let mut channels = vec![w.prod.clone()];
    for n in 0..7 {
        let channel: Channel = format!("reg.io/acme/shop:env{n}").parse().unwrap();
        w.promoter.bootstrap(&channel).source(w.release("1.0")).options(terms()).await.unwrap();
        channels.push(channel);
    }
    let blobs = |call: &Call| matches!(call, Call::HasBlob { .. });
    w.registry.script_reads_when(blobs, vec![ReadFault::Slow(Duration::from_secs(60)); 64]);
    let began = tokio::time::Instant::now();
    let report = w.audited(&channels, PARTS).await;
    assert!(began.elapsed() < Duration::from_secs(11), "{:?}", began.elapsed());
    assert!(report.channels().iter().all(|audited| codes(audited) == ["TARGET_UNKNOWN"]), "{report}");
}

#[tokio::test(start_paused = true)]
async fn move_between_the_reads_of_log_and_tag_is_no_drift() {
    let (w, ledger) = shared().await;
    let (other, prod, source) = (over(&w, ledger.clone()), w.prod.clone(), w.release("1.1"));
    let registry = Arc::new(FaultyRegistry::over(Arc::new(w.registry.clone())));
    let auditor = Promoter::builder()
        .registry(registry.clone())
        .ledger(ledger)
        .clock(Arc::new(PausedClock::new()))
        .build()
        .unwrap();
    let audit = async || auditor.audit(std::slice::from_ref(&w.prod)).await.unwrap().channels()[0].drift.clone();
    assert_eq!(audit().await, Drift::InSync { live: w.digests[0] });
    // Each entry that the auditor has read so far is settled.
    tokio::time::sleep(Duration::from_secs(31)).await;
    // Another worker's move runs before the next answer for the tag, from its intent to its outcome.
    let moves = async move { drop(other.promote(&prod, source).options(terms()).await.unwrap()) };
    registry.script_when(|call| matches!(call, Call::Resolve { .. }), [Fault::pass().first(moves)]);
    assert_eq!(audit().await, Drift::InSync { live: w.digests[1] });
}

/// A ledger that cannot be read, and a registry that answers after an hour.
#[tokio::test(start_paused = true)]
async fn ledger_that_cannot_be_read_is_said_before_the_registry_answers() {
    let w = world();
    let ledger = Arc::new(FaultyLedger::over(Arc::new(MemoryLedger::new())));
    ledger.rule(|_| Some(Fault::before(Error::new(ErrorKind::LedgerAbsent, "there is no branch"))));
    let promoter = over(&w, ledger);
    w.registry.script_reads_when(|_| true, vec![ReadFault::Slow(Duration::from_secs(3_600)); 64]);
    let began = tokio::time::Instant::now();
    let report = promoter.audit(std::slice::from_ref(&w.prod)).await.unwrap();
    assert!(report.to_string().contains("unknown: LEDGER_ABSENT: there is no branch"), "{report}");
    let promote = promoter.promote(&w.prod, w.release("1.1")).options(terms());
    assert_eq!(w.kind(promote).await, ErrorKind::LedgerAbsent);
    assert_eq!(began.elapsed(), Duration::ZERO);
}
