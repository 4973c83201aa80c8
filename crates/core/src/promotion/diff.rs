//! `Promoter::diff`: reads two releases from the registry and the record, and compares them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::driver::{annotation, annotation_key};
use super::inner::Inner;
use super::naming::{Home, NamedSource};
use super::past::{back, last_committed};
use super::promoter::Promoter;
use crate::diff::{
    Contents, Difference, FactsFrom, FileDiff, Files, Forge, MadeLive, MoveBetween, MovesBetween, ReleaseDiff,
    ReleaseFacts, compare_files, compare_url, has_files, is_same_repository, read_files, same_host,
};
use crate::error::{Error, ErrorKind, Result};
use crate::log::{MoveRecord, MoveStatus, Source, TargetManifest};
use crate::registry::Manifest;
use crate::value::{Channel, Digest, Line, ReleaseExpression, ReleaseLabel, Repository, Tag, Target};

/// The options of a comparison.
#[derive(Clone, Debug)]
pub struct DiffOptions {
    /// The channel that words, and steps without a name, are about. By default the one that an expression names; if none
    /// does, words are of the repository of the pipeline's first channel.
    pub channel: Option<Channel>,
    /// True for the unified diff of each file that differs.
    pub unified: bool,
    /// The longest time for reading what the releases have in them; 30 s by default. What is not read by then is not
    /// known.
    pub timeout: Duration,
}

impl Default for DiffOptions {
    fn default() -> DiffOptions {
        DiffOptions { channel: None, unified: false, timeout: Duration::from_secs(30) }
    }
}

/// One of the compared releases, as far as it was read.
struct Side {
    facts: ReleaseFacts,
    event: Option<MoveRecord>,
    manifest: Option<Manifest>,
    notes: Vec<Line>,
}

/// The number of moves that one read backwards asks for.
const PAGE: usize = 256;

impl Promoter {
    /// Compares two releases: revisions, the time and the moves between them, platforms and layers, and for Flux
    /// artifacts the files. It only reads.
    ///
    /// A release that is gone from the registry is compared by what its move recorded, and a note says so.
    /// RELEASE_UNKNOWN if neither the registry nor the record has it.
    pub async fn diff(
        &self,
        old: &ReleaseExpression,
        new: &ReleaseExpression,
        options: &DiffOptions,
    ) -> Result<ReleaseDiff> {
        let inner = &self.inner;
        let home = inner.home(options.channel.as_ref(), [new, old])?;
        let (mut old, mut new) = tokio::try_join!(inner.side(&home, old), inner.side(&home, new))?;
        let between = inner.between(&old, &new).await?;
        let read = inner.contents(&mut old, &mut new, options.unified);
        let (layers, platforms, files) = match tokio::time::timeout(options.timeout, read).await {
            Ok(read) => read,
            Err(_) => {
                let why = format!("the registry did not give everything within {} s", options.timeout.as_secs());
                new.notes.push(Line::lossy(why));
                (None, None, None)
            }
        };
        let compare_url = compared_at(&old, &new);
        let notes = old.notes.into_iter().chain(new.notes).collect();
        let (old, new) = (old.facts, new.facts);
        Ok(ReleaseDiff { old, new, compare_url, between, platforms, layers, files, notes })
    }
}

impl Inner {
    /// The channel or repository that expressions without a name are about.
    fn home(&self, given: Option<&Channel>, expressions: [&ReleaseExpression; 2]) -> Result<Home> {
        if let Some(channel) = given {
            return Ok(channel.into());
        }
        let mut named = expressions.into_iter().filter_map(|expression| self.home_of(expression));
        let of_pipeline = || Some(Home { repository: self.first_channel()?.repository().clone(), channel: None });
        named.next().or_else(of_pipeline).ok_or_else(|| {
            let message = "release: name the channel that it is about, or write it as HOST/REPOSITORY:TAG";
            Error::new(ErrorKind::ValueInvalid, message)
        })
    }

    async fn side(&self, home: &Home, expression: &ReleaseExpression) -> Result<Side> {
        let NamedSource { source, past, .. } = self.source(home, expression).await?;
        let mut notes = Vec::new();
        let (repository, digest, event) = match (source, past) {
            (source, Some((_, _, event))) => (source.repository().clone(), event.intent.target.digest, Some(*event)),
            (Source::Channel(channel), None) => {
                let live = self.live(&channel).await?;
                (channel.repository().clone(), live, last_committed(&self.snapshot(&channel).await?).await?)
            }
            (Source::Reference(reference), None) => {
                let repository = reference.repository();
                let (digest, event) = match reference.target() {
                    Target::Digest(digest) => (*digest, None),
                    Target::Tag(tag) => self.tagged(home, repository, tag, &mut notes).await?,
                };
                let event = match event {
                    Some(event) => Some(event),
                    None => self.recorded(home, repository, &digest).await?,
                };
                (repository.clone(), digest, event)
            }
        };
        let manifest = match (self.registry.fetch(&repository.digest(digest)).await, &event) {
            (Ok(Some(manifest)), _) => Some(manifest),
            (fetched, Some(event)) => {
                let why = fetched
                    .map_or_else(|e| format!("cannot be read ({e})"), |_| "is gone from the registry".to_owned());
                notes.push(Line::lossy(format!(
                    "{expression}: {digest} {why}; this is what its move recorded (seq {} of {}), and its platforms, \
                     layers and files are not known",
                    event.seq, event.channel
                )));
                None
            }
            (Err(error), None) => return Err(error),
            (Ok(None), None) => return Err(unknown(format!("neither the registry nor the record has {digest}"))),
        };
        let facts = ReleaseFacts {
            name: expression.clone(),
            repository,
            digest,
            facts: if manifest.is_some() { FactsFrom::Registry } else { FactsFrom::Record },
            release: event.as_ref().and_then(|event| event.intent.provenance.release.clone()),
            annotations: annotations(manifest.as_ref(), event.as_ref()),
            live: event.as_ref().map(MadeLive::of),
        };
        Ok(Side { facts, event, manifest, notes })
    }

    /// The digest of a tag, by the registry; if it does not say, the last release that was promoted under this name.
    async fn tagged(
        &self,
        home: &Home,
        repository: &Repository,
        tag: &Tag,
        notes: &mut Vec<Line>,
    ) -> Result<(Digest, Option<MoveRecord>)> {
        let resolved = self.registry.resolve(repository, tag).await;
        if let Ok(Some(digest)) = resolved {
            return Ok((digest, None));
        }
        let label: ReleaseLabel = tag.as_str().parse()?;
        for channel in self.channels_of(home, repository).await? {
            if let Some(event) = self.brought(&channel, &label).await? {
                let why = resolved.map_or_else(|e| format!("is not known ({e})"), |_| "is gone".to_owned());
                notes.push(Line::lossy(format!(
                    "the tag {repository}:{tag} {why}; {channel} was moved to it at seq {}",
                    event.seq
                )));
                return Ok((event.intent.target.digest, Some(event)));
            }
        }
        resolved.and(Err(unknown(format!("neither the registry nor the record has {repository}:{tag}"))))
    }

    /// The last committed move that made a digest live, on the channel at hand or beside it.
    async fn recorded(&self, home: &Home, repository: &Repository, digest: &Digest) -> Result<Option<MoveRecord>> {
        for channel in self.channels_of(home, repository).await? {
            if let Some(event) = self.last_made_live(&channel, digest).await? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// The channels of a repository, the channel at hand first.
    pub(super) async fn channels_of(&self, home: &Home, repository: &Repository) -> Result<Vec<Channel>> {
        let mut channels = self.ledger.channels().await?;
        channels.retain(|channel| channel.repository() == repository);
        channels.sort_by_key(|channel| Some(channel) != home.channel.as_ref());
        Ok(channels)
    }

    /// The moves between two releases, on a channel on which both were live.
    async fn between(&self, old: &Side, new: &Side) -> Result<Option<MovesBetween>> {
        for channel in [&new.event, &old.event].into_iter().flatten().map(|event| &event.channel) {
            let made_live = async |side: &Side| match &side.event {
                Some(event) if event.channel == *channel => Ok(Some(event.clone())),
                _ => self.last_made_live(channel, &side.facts.digest).await,
            };
            let (Some(old), Some(new)) = (made_live(old).await?, made_live(new).await?) else { continue };
            let (low, high) = (old.seq.min(new.seq), old.seq.max(new.seq));
            let log = self.snapshot(channel).await?;
            let (mut count, mut moves, mut before) = (0, Vec::new(), Some(high + 1));
            while let Some(end) = before.filter(|end| *end > low) {
                let page = back(&log, Some(end), PAGE).await?;
                let committed = page.events.iter().filter(|event| event.status() == MoveStatus::Committed);
                for event in committed.filter(|event| event.seq > low) {
                    count += 1;
                    moves.extend((moves.len() < MovesBetween::MOST).then(|| MoveBetween::of(event)));
                }
                before = page.next;
            }
            let apart_ms = MadeLive::of(&new).at.unix_ms() - MadeLive::of(&old).at.unix_ms();
            return Ok(Some(MovesBetween { channel: channel.clone(), apart_ms, count, moves }));
        }
        Ok(None)
    }

    /// Compares what the releases have in them, as far as the registry gives it.
    async fn contents(&self, old: &mut Side, new: &mut Side, unified: bool) -> Compared {
        let (was, is) = tokio::join!(self.contents_of(old), self.contents_of(new));
        let (Some(was), Some(is)) = (old.noted(was), new.noted(is)) else { return (None, None, None) };
        let named = !was.platforms.is_empty() || !is.platforms.is_empty();
        let platforms = named.then(|| Difference::of(&was.platforms, &is.platforms));
        let layers = Difference::of(&was.layers, &is.layers);
        let files = match has_files(&was.layers) || has_files(&is.layers) {
            true if layers.added.is_empty() && layers.gone.is_empty() => Some(Vec::new()),
            true => {
                let (was, is) = tokio::join!(self.files_of(old, &was), self.files_of(new, &is));
                let files: Option<(Files, Files)> = old.noted(was.map(Some)).zip(new.noted(is.map(Some)));
                files.map(|(was, is)| compare_files(&was, &is, unified))
            }
            false => None,
        };
        (Some(layers), platforms, files)
    }

    async fn contents_of(&self, side: &Side) -> Result<Option<Contents>> {
        let Some(manifest) = &side.manifest else { return Ok(None) };
        Contents::read(&*self.registry, &side.facts.repository, manifest).await.map(Some)
    }

    async fn files_of(&self, side: &Side, contents: &Contents) -> Result<Files> {
        read_files(&*self.registry, &side.facts.repository, &contents.layers).await
    }
}

/// Layers, platforms and files, as far as they are known.
type Compared = (Option<Difference<crate::diff::Layer>>, Option<Difference<Line>>, Option<Vec<FileDiff>>);

impl Side {
    /// The result of a read; an error becomes a note.
    fn noted<T>(&mut self, read: Result<Option<T>>) -> Option<T> {
        read.unwrap_or_else(|error| {
            let ReleaseFacts { name, digest, .. } = &self.facts;
            self.notes.push(Line::lossy(format!("{name}: what is in {digest} is not known: {error}")));
            None
        })
    }

    fn source(&self) -> Option<&Line> {
        let recorded = || self.event.as_ref()?.intent.provenance.repository_url.as_ref();
        self.facts.annotations.get("source").or_else(recorded)
    }

    /// The source revision: the annotation, else the commit of the run that moved the release.
    fn revision(&self) -> Option<Line> {
        let commit = || self.event.as_ref()?.intent.provenance.commit.as_ref()?.as_str().parse().ok();
        self.facts.annotations.get("revision").cloned().or_else(commit)
    }
}

/// The page that compares both revisions.
fn compared_at(old: &Side, new: &Side) -> Option<String> {
    let source = new.source()?;
    if !is_same_repository(old.source()?, source) {
        return None;
    }
    let provenance = new.event.as_ref().map(|event| &event.intent.provenance);
    let on_forge = provenance.filter(|run| run.repository_url.as_ref().is_some_and(|url| same_host(url, source)));
    let forge = on_forge.and_then(|run| Forge::of_ci(run.pipeline.provider.as_str()));
    compare_url(source, &old.revision()?, &new.revision()?, forge)
}

/// The annotations of a release: those of its manifest, else those that its move recorded.
fn annotations(manifest: Option<&Manifest>, event: Option<&MoveRecord>) -> BTreeMap<&'static str, Line> {
    let description = manifest.map(Manifest::description);
    let named = |name: &&'static str| {
        let recorded = || event?.intent.target.annotations.get(&Line::lossy(annotation_key(name))).cloned();
        let value = description.as_ref().map_or_else(recorded, |description| annotation(description, name));
        Some((*name, value?))
    };
    TargetManifest::ANNOTATIONS.iter().filter_map(named).collect()
}

fn unknown(why: String) -> Error {
    Error::new(ErrorKind::ReleaseUnknown, why)
}
