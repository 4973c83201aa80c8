//! The requirements of a put.

use super::case::{Case, TIMEOUT, Verdict, tag};
use crate::TestImage;
use tagwarden::registry::Put;

pub(super) async fn check_last_put(case: &Case<'_>) -> Verdict {
    let repository = case.fixture.repository().await;
    let first = case.pushed(&repository, &tag("prod"), 1).await?;
    let second = case.pushed(&repository, &tag("prod"), 2).await?;
    for manifest in [&first, &second, &second, &first] {
        case.applied(&repository, &tag("prod"), manifest).await?;
        case.fetches(&repository, &tag("prod"), manifest.digest()).await?;
    }
    Ok(())
}

pub(super) async fn check_at_once(case: &Case<'_>) -> Verdict {
    let repository = case.fixture.repository().await;
    let samples: Vec<TestImage> = (1..=8).map(TestImage::image).collect();
    for sample in &samples {
        case.store_parts(&repository, sample).await?;
    }
    let puts: Vec<_> = samples
        .iter()
        .map(|sample| {
            let (registry, repository, manifest) = (case.registry.clone(), repository.clone(), sample.manifest.clone());
            tokio::spawn(async move { registry.put(&repository, &tag("prod"), &manifest, TIMEOUT).await })
        })
        .collect();
    for put in puts {
        match put.await {
            Ok(Put::Applied) => {}
            other => return case.broken(format!("one of eight puts at once: {other:?}")),
        }
    }
    case.settled().await;
    let stands = case.resolve(&repository, &tag("prod")).await?;
    case.holds(samples.iter().any(|sample| Some(sample.digest()) == stands), || format!("{stands:?} stands"))?;
    case.points_at(&repository, &tag("prod"), stands).await
}

pub(super) async fn check_other_tags(case: &Case<'_>) -> Verdict {
    let (repository, elsewhere) = (case.fixture.repository().await, case.fixture.repository().await);
    let first = case.pushed(&repository, &tag("prod"), 1).await?;
    case.applied(&repository, &tag("preprod"), &first).await?;
    case.pushed(&elsewhere, &tag("prod"), 1).await?;
    case.pushed(&repository, &tag("prod"), 2).await?;
    case.settled().await;
    case.points_at(&repository, &tag("preprod"), Some(first.digest())).await?;
    case.points_at(&elsewhere, &tag("prod"), Some(first.digest())).await?;
    case.points_at(&elsewhere, &tag("preprod"), None).await?;
    case.fetched(repository.digest(first.digest())).await.map(|_| ())
}

pub(super) async fn check_refused(case: &Case<'_>) -> Verdict {
    let repository = case.fixture.repository().await;
    let there = case.pushed(&repository, &tag("prod"), 1).await?;
    let incomplete = TestImage::image(2).manifest;
    let want = match case.put(&repository, &tag("prod"), &incomplete).await {
        Put::Refused(_) => there.digest(),
        Put::Applied => incomplete.digest(),
        Put::Unknown(error) => {
            return case.broken(format!("a put without its blobs is not known to be refused: {error:?}"));
        }
    };
    // Do not stop at the first read that agrees: within the lag, a read may answer the digest of before the put.
    case.settled().await;
    let seen = case.resolve(&repository, &tag("prod")).await?;
    case.holds(seen == Some(want), || format!("prod resolves to {seen:?} instead of {want}"))
}
