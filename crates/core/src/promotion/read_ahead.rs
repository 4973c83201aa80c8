//! Reads the log, the tag, the target and the pins at the same time, before the machine asks for them.

use std::sync::Arc;

use tokio::task::JoinSet;
use uuid::Uuid;

use super::driver::Run;
use super::effects::{Author, Effects};
use super::inner::Inner;
use super::machine::{Ask, Key, Moving, Next, TagRead};
use super::naming::NamedSource;
use super::request::{MoveOptions, Operation};
use super::rollback::AfterRollback;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Op, Source};
use crate::registry::Manifest;
use crate::value::{Channel, Digest, Target};

impl Run {
    /// Starts the run of a request: reads the log, the tag, the target and the pins at the same time.
    pub(super) async fn of(
        inner: &Arc<Inner>,
        channel: &Channel,
        operation: Operation,
        named: Option<NamedSource>,
        reading: JoinSet<Result<TagRead>>,
        terms: MoveOptions,
    ) -> Result<Run> {
        let (op, want, on_conflict) = (operation.op(), operation.want(None), terms.on_conflict);
        let (key, key_from) = match &terms.idempotency_key {
            Some(key) => (key.clone(), Key::Given),
            None => (format!("auto-{}", Uuid::now_v7()).parse()?, Key::Random),
        };
        let request = operation.request(channel, named.as_ref(), &terms)?;
        let holds_first = op == Op::Rollback && inner.after_rollback == AfterRollback::Hold;
        let ask = Ask { op, want, key, key_from, request, on_conflict, holds_first };
        let (provenance, takeover) = (terms.provenance.clone(), op.into());
        let author = Author { provenance, takeover, ask: Some(ask.clone()) };
        let effects = Effects::new(inner, channel, terms.timeout, author)?;
        let (moving, first) = Moving::start(ask.clone(), effects.worker.clone(), effects.inner.now());
        let (next, upstream, warnings) = (Next::Do(first), Vec::new(), Vec::new());
        let (decision, label, hold, place, refusal) = (None, None, None, None, None);
        let mut run = Run {
            effects,
            operation,
            named,
            terms,
            ask,
            moving,
            next,
            decision,
            upstream,
            warnings,
            label,
            hold,
            place,
            refusal,
        };
        let target = run.read_ahead(reading).await?;
        run.ask.want = run.operation.want(target);
        (run.moving, _) = Moving::start(run.ask.clone(), run.effects.worker.clone(), run.effects.inner.now());
        Ok(run)
    }

    /// Reads log, target and pins while the tag is read. Returns the target's digest, if the request names a target.
    async fn read_ahead(&mut self, mut reading: JoinSet<Result<TagRead>>) -> Result<Option<Digest>> {
        let channel = self.effects.channel.clone();
        let source = match self.operation.clone() {
            Operation::Rollback(Some(target)) => {
                Some(Source::Reference(channel.repository().digest(self.rollback_digest(&target).await?)))
            }
            _ => self.source().cloned(),
        };
        let effects = &self.effects;
        let log = async {
            let log = effects.read_log_first().await?;
            // An unnamed rollback goes back to the previous digest, if no move is open.
            let previous = log.state.previous.filter(|_| self.operation == Operation::Rollback(None));
            let (live, previous) = tokio::join!(self.pin_of(log.state.live), self.pin_of(previous));
            Ok::<_, Error>((log, [live, previous]))
        };
        let read = async {
            let cut = || Error::new(ErrorKind::InternalFault, format!("{channel}: the read of the tag was cut short"));
            reading.join_next().await.and_then(std::result::Result::ok).unwrap_or_else(|| Err(cut()))
        };
        // A log that cannot be read ends the run at once, also beside a registry that does not answer.
        let (read, target) = (async { Ok(read.await) }, async { Ok(self.find(source.as_ref()).await) });
        let ((log, pins), read, target) = tokio::try_join!(log, read, target)?;
        self.effects.pinned.extend(pins.into_iter().flatten());
        let replayed = log.replay.is_some();
        self.effects.ahead = Some((log, read));
        if replayed {
            // A committed move has the key. Do not read its target, which may be gone from the registry.
            return Ok(None);
        }
        let (target, target_pin) = target?;
        self.effects.pinned.extend(target_pin);
        match (source, target) {
            (None, _) => Ok(None),
            (Some(_), Some(manifest)) => {
                let digest = manifest.digest();
                self.effects.manifests.insert(digest, manifest);
                Ok(Some(digest))
            }
            // The target is absent: the policy judges the move, and refuses it.
            (Some(source), None) => Err(self.judge_absent(&source).await?),
        }
    }

    /// A source's manifest, and its digest if the pin of that digest was found. The live digest of a source channel is
    /// in its log, so the manifest and the pin are read at the same time.
    async fn find(&self, source: Option<&Source>) -> Result<(Option<Manifest>, Option<Digest>)> {
        let (reference, digest) = match source {
            None => return Ok((None, None)),
            Some(Source::Reference(reference)) => match reference.target() {
                Target::Digest(digest) => (reference.clone(), Some(*digest)),
                Target::Tag(_) => (reference.clone(), None),
            },
            Some(Source::Channel(channel)) => {
                let live = self.effects.inner.live(channel).await?;
                (channel.repository().digest(live), Some(live))
            }
        };
        let pin = async { self.pin_of(if digest.is_some() { digest } else { self.guess().await }).await };
        let (manifest, pin) = tokio::join!(self.effects.inner.registry.fetch(&reference), pin);
        Ok((manifest?, pin))
    }
}
