//! The place of a release among the others, which decides if a promotion goes forward.

use super::driver::Run;
use super::machine::Change;
use super::past::last_committed;
use super::request::MoveOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Intent, Op, ReleaseOrder, Source};
use crate::policy::{LiveMove, Order, OrderBy, Tagged};
use crate::registry::Manifest;
use crate::value::{Channel, Digest, Line, Provenance};

/// The annotations of a manifest that name the run which built it: the number of the run, and its series.
const BUILD_NUMBER: &str = "dev.tagwarden.build-number";
const BUILD_SERIES: &str = "dev.tagwarden.build-series";

impl MoveOptions {
    /// The value that the caller gave to the release; none if the caller gave none. VALUE_INVALID if the policy has no
    /// order, or if the text is no value of its kind.
    pub(super) fn given_place(&self, order: Option<Order>) -> Result<Option<ReleaseOrder>> {
        let Some(text) = &self.order else { return Ok(None) };
        let Some(order) = order else {
            let message = "order: no order of releases is configured; set `by` in `[order]` of tagwarden.toml";
            return Err(Error::new(ErrorKind::ValueInvalid, message));
        };
        let series = if order.by() == OrderBy::BuildNumber { series(&self.provenance) } else { None };
        order.value(text.as_str(), series).map(Some)
    }
}

impl Run {
    /// The place of the target among the releases. A rollback, a repair and an adoption copy the value of `origin`, the
    /// intent that made the target live here. For the others it is the first of these: the value that was given; that
    /// of the source channel's log, also for a past release; the policy's kind of value, read from the source tag or
    /// the annotations; that of this channel's log. If there is none of these, the second value says what could not be
    /// read.
    pub(super) async fn place(
        &self,
        change: &Change,
        origin: Option<&Intent>,
        manifest: Option<&Manifest>,
        tagged: Option<&Tagged>,
    ) -> Result<(Option<ReleaseOrder>, Option<Line>)> {
        if matches!(change.op, Op::Rollback | Op::Repair | Op::Adopt) {
            return Ok((origin.and_then(|intent| intent.order.clone()), None));
        }
        let configured = self.effects.inner.policy.order();
        if let Some(given) = self.terms.given_place(configured)? {
            return Ok((Some(given), None));
        }
        let Some(order) = configured else { return Ok((None, None)) };
        let digest = &change.target;
        if let Some(from) = self.source_channel()
            && let Some(known) = self.recorded_place(from, digest, order).await?
        {
            return Ok((Some(known), None));
        }
        match read_place(order, manifest, self.source_tag(digest, tagged)) {
            Ok(Some(read)) => Ok((Some(read), None)),
            none => Ok((self.recorded_place(&self.effects.channel, digest, order).await?, none.err())),
        }
    }

    /// The channel that the release is named by: its live digest, or a step into its past.
    fn source_channel(&self) -> Option<&Channel> {
        let named = self.named.as_ref()?;
        match (&named.past, &named.source) {
            (Some((channel, ..)), _) | (None, Source::Channel(channel)) => Some(channel),
            (None, Source::Reference(_)) => None,
        }
    }

    /// The value of this kind that a channel's log has for a digest: that of the last move which made it live and has
    /// one. An earlier move may have been recorded before releases had an order.
    async fn recorded_place(&self, channel: &Channel, digest: &Digest, order: Order) -> Result<Option<ReleaseOrder>> {
        let by = order.by().as_str();
        let has_one = |intent: &Intent| intent.order.as_ref().is_some_and(|known| known.by.as_str() == by);
        let mut journal = self.effects.inner.journal(channel).lock_owned().await;
        Ok(journal.made_live_by(digest, has_one).await?.and_then(|intent| intent.order))
    }

    /// The tag by which the caller named the release. A tag that was written beside a digest is a mere claim, so it
    /// counts only if the registry confirms it.
    fn source_tag(&self, digest: &Digest, tagged: Option<&Tagged>) -> Option<String> {
        let Source::Reference(reference) = self.source()? else { return None };
        let confirmed = || tagged.filter(|tagged| tagged.answered == Some(*digest)).map(|tagged| &tagged.tag);
        reference.tag().or_else(confirmed).map(ToString::to_string)
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

/// The value of this kind in the tag by which a release was named, or in its annotations; none if there is none. An
/// error says which annotation could not be read.
fn read_place(
    order: Order,
    target: Option<&Manifest>,
    tag: Option<String>,
) -> std::result::Result<Option<ReleaseOrder>, Line> {
    let annotations = target.map(|target| target.description().annotations).unwrap_or_default();
    let read = |name: &str, series| {
        let value = annotations.get(name).map(|text| order.value(text, series));
        value.transpose().map_err(|e| unread(name, &e))
    };
    match order.by() {
        OrderBy::Semver => match tag.and_then(|tag| order.value(&tag, None).ok()) {
            Some(version) => Ok(Some(version)),
            None => read("org.opencontainers.image.version", None),
        },
        OrderBy::Created => read("org.opencontainers.image.created", None),
        OrderBy::BuildNumber => {
            // Without its series, a number could be compared with one of another series.
            let series = annotations.get(BUILD_SERIES).map(|series| series.parse::<Line>());
            read(BUILD_NUMBER, series.transpose().map_err(|e| unread(BUILD_SERIES, &e))?)
        }
        OrderBy::Unordered => Ok(None),
    }
}

fn unread(annotation: &str, why: &Error) -> Line {
    Line::lossy(format!("its annotation {annotation} cannot be read: {why}"))
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
