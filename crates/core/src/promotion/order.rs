//! The place of a release among the others, which decides if a promotion goes forward.

use super::driver::Run;
use super::past::last_committed;
use super::request::MoveOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Intent, Op, ReleaseOrder, Source};
use crate::policy::{LiveMove, Order, OrderBy};
use crate::registry::Manifest;
use crate::value::{Line, Provenance, Target};

/// The annotations of a manifest that name the run which built it: the number of the run, and its series.
const BUILD_NUMBER: &str = "dev.tagwarden.build-number";
const BUILD_SERIES: &str = "dev.tagwarden.build-series";

impl MoveOptions {
    /// The value that the caller gave to the release; none if the caller gave none. VALUE_INVALID if the policy has no
    /// order, or if the text is no value of its kind.
    pub(super) fn given_place(&self, order: Option<Order>) -> Result<Option<ReleaseOrder>> {
        let Some(text) = &self.order else { return Ok(None) };
        let Some(order) = order else {
            let message =
                "order: no order of releases is configured; `[order]` of tagwarden.toml says the kind of value";
            return Err(Error::new(ErrorKind::ValueInvalid, message));
        };
        let series = if order.by() == OrderBy::BuildNumber { series(&self.provenance) } else { None };
        order.value(text.as_str(), series).map(Some)
    }
}

impl Run {
    /// The place of the target among the releases. `origin` is the intent that made it live on the source channel or,
    /// if there is no source channel, here. A rollback, a repair and an adoption copy its value. For the others, the
    /// value is the first of these: the value that was given; that of the source channel's log, or of a past release; the
    /// policy's kind of value, read from the source tag or the annotations; that of this channel's log.
    pub(super) fn place(
        &self,
        op: Op,
        origin: Option<&Intent>,
        target: Option<&Manifest>,
    ) -> Result<Option<ReleaseOrder>> {
        let copied = origin.and_then(|intent| intent.order.clone());
        if matches!(op, Op::Rollback | Op::Repair | Op::Adopt) {
            return Ok(copied);
        }
        let configured = self.effects.inner.policy.order();
        if let Some(given) = self.terms.given_place(configured)? {
            return Ok(Some(given));
        }
        let Some(order) = configured else { return Ok(None) };
        let copied = copied.filter(|copied| copied.by.as_str() == order.by().as_str());
        let of_channel = self.past().is_some() || matches!(self.source(), Some(Source::Channel(_)));
        Ok(match copied {
            Some(copied) if of_channel => Some(copied),
            copied => self.read_place(order, target).or(copied),
        })
    }

    /// The value of this kind in the source tag or in the annotations of the release.
    fn read_place(&self, order: Order, target: Option<&Manifest>) -> Option<ReleaseOrder> {
        let annotations = target.map(|target| target.description().annotations).unwrap_or_default();
        let annotation = |name: &str| annotations.get(name).cloned();
        let read = |text: Option<String>, series| order.value(text?.as_str(), series).ok();
        match order.by() {
            OrderBy::Semver => {
                let version = || read(annotation("org.opencontainers.image.version"), None);
                read(self.source_tag(), None).or_else(version)
            }
            OrderBy::Created => read(annotation("org.opencontainers.image.created"), None),
            OrderBy::BuildNumber => {
                let series = annotation(BUILD_SERIES).and_then(|series| series.parse().ok());
                read(annotation(BUILD_NUMBER), series)
            }
            OrderBy::Unordered => None,
        }
    }

    /// The tag by which the caller named the release.
    fn source_tag(&self) -> Option<String> {
        let named = match self.source()? {
            Source::Reference(reference) => match reference.target() {
                Target::Tag(tag) => Some(tag),
                Target::Digest(_) => None,
            },
            Source::Channel(_) => None,
        };
        named.or(self.terms.tag.as_ref()).map(ToString::to_string)
    }

    /// The last committed move; none if no order is configured: then no guardrail asks for it.
    pub(super) async fn live_move(&self) -> Result<Option<LiveMove>> {
        let order = self.effects.inner.policy.order().filter(|order| order.by() != OrderBy::Unordered);
        if order.is_none() {
            return Ok(None);
        }
        let log = self.effects.journal.lock().await.snapshot();
        let last = last_committed(&log).await?;
        Ok(last.map(|last| LiveMove { seq: last.seq, place: last.intent.order, provenance: last.intent.provenance }))
    }
}

/// The series of build numbers: the project and the workflow of the run, such as `acme/shop/build.yml`; none if neither
/// is known.
fn series(provenance: &Provenance) -> Option<Line> {
    let project = provenance.repository_url.as_ref().map(|url| {
        let url = url.as_str();
        let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or(url, |(_, path)| path);
        let path = path.trim_end_matches('/');
        path.strip_suffix(".git").unwrap_or(path).to_owned()
    });
    let workflow = provenance.pipeline.workflow.as_ref().map(ToString::to_string);
    let parts: Vec<_> = project.into_iter().chain(workflow).collect();
    (!parts.is_empty()).then(|| Line::lossy(parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_of_build_numbers_is_the_project_and_the_workflow() {
        let mut provenance = Provenance::new("github-actions", "42", "ada").unwrap();
        assert_eq!(series(&provenance), None);
        provenance.pipeline.workflow = Some(Line::lossy("build.yml"));
        assert_eq!(series(&provenance).unwrap().as_str(), "build.yml");
        for url in ["https://github.example.com/acme/shop", "https://gitlab.example.com/acme/shop.git/"] {
            provenance.repository_url = Some(Line::lossy(url));
            assert_eq!(series(&provenance).unwrap().as_str(), "acme/shop/build.yml", "{url}");
        }
    }
}
