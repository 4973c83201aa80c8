//! The requirement that a tag has one digest: the values that each of many reads may answer, also where reads lag.

use std::time::Duration;

use tokio::time::Instant;

use super::case::{Case, Verdict, tag};
use crate::TestImage;
use tagwarden::registry::Manifest;
use tagwarden::{Digest, Repository, Tag};

pub(super) async fn check_one_digest(case: &Case<'_>) -> Verdict {
    let repository = case.fixture.repository().await;
    let (first, second, third, other) =
        (TestImage::image(1), TestImage::image(2), TestImage::image(3), TestImage::image(4));
    for sample in [&first, &second, &third, &other] {
        case.store_parts(&repository, sample).await?;
    }
    let mut prod = Watched { case, repository: repository.clone(), tag: tag("prod"), now: None, past: Vec::new() };
    prod.put(&first.manifest).await?;
    prod.watch().await?;
    // *Absent* ended longer ago than the lag, and the digest of `other` was never a value of this tag.
    case.applied(&repository, &tag("other"), &other.manifest).await?;
    prod.put(&second.manifest).await?;
    prod.put(&third.manifest).await?;
    prod.watch().await
}

/// A tag with its current and past values.
struct Watched<'a> {
    case: &'a Case<'a>,
    repository: Repository,
    tag: Tag,
    now: Option<Digest>,
    /// Each past value, with the latest time at which it can have ended.
    past: Vec<(Option<Digest>, Instant)>,
}

impl Watched<'_> {
    async fn put(&mut self, manifest: &Manifest) -> Verdict {
        self.case.accepted(&self.repository, &self.tag, manifest).await?;
        self.past.push((self.now.replace(manifest.digest()), Instant::now()));
        self.read_five_times().await
    }

    /// Reads the tag until the lag is over, and once after it.
    async fn watch(&self) -> Verdict {
        let lag = self.case.fixture.lag();
        let begun = Instant::now();
        while begun.elapsed() < lag {
            self.read_five_times().await?;
            tokio::time::sleep((lag / 20).max(Duration::from_millis(10))).await;
        }
        self.read_five_times().await
    }

    async fn read_five_times(&self) -> Verdict {
        for _ in 0..5 {
            let sent = Instant::now();
            let resolved = self.case.resolve(&self.repository, &self.tag).await?;
            self.may_answer(resolved, sent, "resolves to")?;
            let sent = Instant::now();
            let fetched = self.case.registry.fetch(&self.repository.tag(self.tag.clone())).await;
            let fetched = self.case.answered(fetched, "fetch")?;
            self.may_answer(fetched.map(|manifest| manifest.digest()), sent, "is fetched as")?;
        }
        Ok(())
    }

    /// A read sent at this time may answer the current value, and each value that ended less than the lag before.
    fn may_answer(&self, seen: Option<Digest>, sent: Instant, what: &str) -> Verdict {
        let lag = self.case.fixture.lag();
        let is_in_window =
            |(value, ended): &(Option<Digest>, Instant)| *value == seen && sent.saturating_duration_since(*ended) < lag;
        self.case.holds(seen == self.now || self.past.iter().any(is_in_window), || {
            let window = if lag.is_zero() { String::new() } else { format!(", which it did not have within {lag:?}") };
            format!("{} {what} {seen:?} instead of {:?}{window}", self.tag, self.now)
        })
    }
}
