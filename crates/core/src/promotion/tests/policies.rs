//! Policies: what the log records of them, the environments of a pipeline, and overrides.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_policy_is_recorded_once_before_its_first_intent() {
    let w = world().bootstrapped().await;
    w.promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap();
    let kinds = async || {
        let entries = w.promoter.inner.ledger.read(&w.prod, 0, 64).await.unwrap();
        entries.iter().map(|bytes| Entry::open(bytes).unwrap().body.kind()).collect::<Vec<_>>()
    };
    let first = [Kind::Policy, Kind::Intent, Kind::Outcome, Kind::Intent, Kind::Outcome];
    assert_eq!(kinds().await, first);
    let policy = Policy::new(text("strict"), vec![Arc::new(crate::policy::NoHold)]).unwrap();
    let other = w.promoter.to_builder().policy(policy).build().unwrap();
    other.promote(&w.prod, w.release("1.2")).options(terms()).await.unwrap();
    w.promoter.promote(&w.prod, w.release("1.3")).options(terms()).await.unwrap();
    let more = [Kind::Policy, Kind::Intent, Kind::Outcome, Kind::Intent, Kind::Outcome];
    assert_eq!(kinds().await, [&first[..], &more].concat());
    assert_eq!(w.promoter.verify(&w.prod).await.unwrap().defect, None);
}

#[tokio::test(start_paused = true)]
async fn an_intent_says_what_the_decision_stood_on() {
    let w = world();
    let dev: Channel = "reg.io/acme/shop:dev".parse().unwrap();
    let stage = |name: &str, channel: &Channel| Stage { environment: name.parse().unwrap(), channel: channel.clone() };
    let pipeline = Pipeline::new(vec![stage("dev", &dev), stage("prod", &w.prod)]).unwrap();
    let promoter = w.promoter.to_builder().pipeline(pipeline).build().unwrap();
    for channel in [&dev, &w.prod] {
        promoter.bootstrap(channel).source(w.release("1.0")).options(terms()).await.unwrap();
    }
    promoter.promote(&dev, w.release("1.1")).options(terms()).await.unwrap();
    let report = promoter.verify(&dev).await.unwrap();
    let expected = MoveOptions { expected: ExpectedDigest::At(w.digests[0]), ..terms() };
    let receipt = promoter.promote(&w.prod, Source::Channel(dev.clone())).options(expected).await.unwrap();
    let intent = receipt.r#move.unwrap().intent;
    let environment = "dev".parse().unwrap();
    assert_eq!(intent.upstream, [UpstreamLog { environment, channel: dev, size: report.entries, root: report.root }]);
    assert_eq!(intent.expected, Some(Expected::Digest(w.digests[0])));
    assert_eq!(intent.deadlines.settle_ms, 30_000);
}

#[tokio::test(start_paused = true)]
async fn a_release_goes_through_the_environments_in_order() {
    let w = world();
    let dev: Channel = "reg.io/acme/shop:dev".parse().unwrap();
    let stage = |name: &str, channel: &Channel| Stage { environment: name.parse().unwrap(), channel: channel.clone() };
    let pipeline = Pipeline::new(vec![stage("dev", &dev), stage("prod", &w.prod)]).unwrap();
    let promoter = w.promoter.to_builder().pipeline(pipeline).build().unwrap();
    for channel in [&dev, &w.prod] {
        promoter.bootstrap(channel).source(w.release("1.0")).options(terms()).await.unwrap();
    }
    let skipped = promoter.promote(&w.prod, w.release("1.1")).options(terms()).await.unwrap_err();
    assert!(skipped.to_string().contains("never live in dev"), "{skipped}");
    promoter.promote(&dev, w.release("1.1")).options(terms()).await.unwrap();
    promoter.promote(&w.prod, Source::Channel(dev.clone())).options(terms()).await.unwrap();
    assert_eq!(w.observed(), Some(w.digests[1]));
}

#[tokio::test(start_paused = true)]
async fn first_promotion_of_a_new_channel_goes_through_the_environments_in_order() {
    let w = world();
    let dev: Channel = "reg.io/acme/shop:dev".parse().unwrap();
    let stage = |name: &str, channel: &Channel| Stage { environment: name.parse().unwrap(), channel: channel.clone() };
    let pipeline = Pipeline::new(vec![stage("dev", &dev), stage("prod", &w.prod)]).unwrap();
    let promoter = w.promoter.to_builder().pipeline(pipeline).build().unwrap();
    let promote = || promoter.promote(&w.prod, w.release("1.1")).options(terms());
    let bootstrap = || promoter.bootstrap(&w.prod).source(w.release("1.1")).options(terms());
    for skipped in [promote().await, bootstrap().await] {
        assert_eq!(refused_by(&skipped.unwrap_err()), ["STAGE_SKIPPED"]);
    }
    assert_eq!((w.observed(), promoter.state(&w.prod).await.unwrap().committed), (None, 0));
    promoter.bootstrap(&dev).source(w.release("1.1")).options(terms()).await.unwrap();
    promote().await.unwrap();
    assert_eq!(w.observed(), Some(w.digests[1]));
}

#[tokio::test(start_paused = true)]
async fn bootstrap_of_the_tag_as_it_is_needs_no_earlier_environment() {
    let w = world();
    let dev: Channel = "reg.io/acme/shop:dev".parse().unwrap();
    let stage = |name: &str, channel: &Channel| Stage { environment: name.parse().unwrap(), channel: channel.clone() };
    let pipeline = Pipeline::new(vec![stage("dev", &dev), stage("prod", &w.prod)]).unwrap();
    let promoter = w.promoter.to_builder().pipeline(pipeline).build().unwrap();
    w.registry.push_image(w.prod.repository(), w.prod.tag(), 1);
    promoter.bootstrap(&w.prod).options(terms()).await.unwrap();
    assert_eq!(promoter.state(&w.prod).await.unwrap().live, Some(w.digests[1]));
}

#[tokio::test(start_paused = true)]
async fn a_guardrail_that_cannot_be_overridden_is_an_invalid_value() {
    let w = world().bootstrapped().await;
    let terms = |name| MoveOptions { overrides: [text(name)].into(), reason: Some(text("I know")), ..terms() };
    let error = w.promoter.promote(&w.prod, w.release("1.1")).options(terms(LEDGER_COMPLETE)).await.unwrap_err();
    let want = "override: ledger-complete cannot be overridden in a promote; ledger-complete can, in a bootstrap or a \
                repair, parts-present in a rollback or a repair, forward-only in a promote, and not-rolled-back in a \
                promote or a bootstrap";
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::ValueInvalid, want));
    let error = w.promoter.bootstrap(&w.prod).options(terms("no-hold")).await.unwrap_err();
    assert!(error.to_string().starts_with("override: no-hold cannot be overridden in a bootstrap; "), "{error}");
    for moved in [
        w.promoter.promote(&w.prod, w.release("1.1")).options(terms("parts-present")).await,
        w.promoter.bootstrap(&w.prod).options(terms("parts-present")).await,
        w.promoter.rollback(&w.prod).options(terms(LEDGER_COMPLETE)).await,
        w.promoter.adopt(&w.prod).options(terms("parts-present")).await,
    ] {
        assert_eq!(moved.unwrap_err().kind(), ErrorKind::ValueInvalid);
    }
}

/// The reason in the finding CHANNEL_NEW of a promotion to a channel of this tag, as its plan and its receipt have it.
async fn said_of_a_new_channel(w: &World, promoter: &Promoter, name: &str) -> Option<String> {
    let channel = Channel::new(w.prod.repository().clone(), tag(name)).unwrap();
    let promote = || promoter.promote(&channel, w.release("1.1")).options(terms());
    let plan = promote().plan().await.unwrap();
    let planned = plan.findings().iter().find(|finding| finding.code() == Some("CHANNEL_NEW")).cloned();
    let receipt = promote().await.unwrap();
    let recorded = receipt.findings().iter().find(|finding| finding.guardrail.as_str() == "new-channel");
    assert_eq!(planned.as_ref().map(|finding| &finding.why), recorded.map(|finding| &finding.why));
    assert!(recorded.is_none_or(|finding| finding.verdict == Verdict::Warn));
    planned.map(|finding| finding.why.to_string())
}

#[tokio::test(start_paused = true)]
async fn first_promotion_of_a_channel_says_so_and_names_the_similar_one() {
    let w = world().bootstrapped().await;
    let new =
        |name| format!("this is the first move of a new channel: the registry has no tag reg.io/acme/shop:{name}");
    let said = said_of_a_new_channel(&w, &w.promoter, "prdo").await;
    assert_eq!(said, Some(new("prdo") + "; did you mean reg.io/acme/shop:prod?"));
    assert_eq!(said_of_a_new_channel(&w, &w.promoter, "canary").await, Some(new("canary")));
    assert_eq!(said_of_a_new_channel(&w, &w.promoter, "prod").await, None);
}

#[tokio::test(start_paused = true)]
async fn new_channel_of_another_repository_is_similar_to_none() {
    let w = world();
    let other: Channel = "reg.io/acme/other:prod".parse().unwrap();
    w.registry.push_image(other.repository(), &tag("1.0"), 7);
    let release = Source::Reference(other.repository().tag(tag("1.0")));
    w.promoter.bootstrap(&other).source(release).options(terms()).await.unwrap();
    let said = said_of_a_new_channel(&w, &w.promoter, "prdo").await.unwrap();
    assert!(!said.contains("did you mean"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn new_channel_that_the_pipeline_names_is_no_surprise() {
    let w = world();
    let stage = Stage { environment: "prod".parse().unwrap(), channel: w.prod.clone() };
    let promoter = w.promoter.to_builder().pipeline(Pipeline::new(vec![stage]).unwrap()).build().unwrap();
    let said = said_of_a_new_channel(&w, &promoter, "prdo").await.unwrap();
    assert!(said.ends_with("; did you mean reg.io/acme/shop:prod?"), "the pipeline names it: {said}");
    assert_eq!(said_of_a_new_channel(&w, &promoter, "prod").await, None);
}
