//! `MemoryRegistry` as a `Registry`: each call has the fault that was set for it.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::{Instant, sleep, sleep_until};

use super::model::{Landing, Model};
use super::{Call, ChangeOrigin, ErrorAnswer, InjectedFault, MemoryRegistry, ReadFault};
use tagwarden::registry::{Manifest, Put, Registry};
use tagwarden::{Digest, Error, ErrorKind, Reference, Repository, Result, Tag, Target};

#[async_trait]
impl Registry for MemoryRegistry {
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Option<Digest>> {
        let call = Call::Resolve { repository: repository.clone(), tag: tag.clone() };
        self.read(call, Some(tag), |_, seen| seen).await
    }

    async fn fetch(&self, reference: &Reference) -> Result<Option<Manifest>> {
        let call = Call::Fetch { reference: reference.clone() };
        let repository = reference.repository();
        let tag = match reference.target() {
            Target::Tag(tag) => Some(tag),
            Target::Digest(_) => None,
        };
        let look = |model: &Model, seen: Option<Digest>| {
            let digest = match reference.target() {
                Target::Tag(_) => seen?,
                Target::Digest(digest) => *digest,
            };
            model.holdings(repository)?.manifest(&digest).cloned()
        };
        self.read(call, tag, look).await
    }

    async fn put(&self, repository: &Repository, tag: &Tag, manifest: &Manifest, timeout: Duration) -> Put {
        let sent = Instant::now();
        let (takes, put) = self.model().send_put(sent, repository, tag, manifest);
        if takes > timeout {
            sleep_until(sent + timeout).await;
            return Put::Unknown(lost(repository, tag, format!("no answer within {} ms", timeout.as_millis())));
        }
        if !takes.is_zero() {
            sleep_until(sent + takes).await;
        }
        put
    }

    async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>> {
        let call = Call::Tags { repository: repository.clone() };
        let look = |model: &Model, _| {
            model.holdings(repository).map_or_else(Vec::new, |holdings| holdings.tags().cloned().collect())
        };
        self.read(call, None, look).await
    }

    async fn has_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool> {
        let call = Call::HasBlob { repository: repository.clone(), digest: *digest };
        let look = |model: &Model, _| model.holdings(repository).is_some_and(|h| h.blob(digest).is_some());
        self.read(call, None, look).await
    }

    async fn fetch_blob(&self, repository: &Repository, digest: &Digest, _: usize) -> Result<Option<Bytes>> {
        let call = Call::HasBlob { repository: repository.clone(), digest: *digest };
        let look = |model: &Model, _| model.holdings(repository)?.blob(digest).cloned();
        self.read(call, None, look).await
    }
}

impl MemoryRegistry {
    /// Runs one read: waits for the request, reads the model, waits for the answer, and applies the fault. `tag` is the
    /// tag that is read, if the read is of a tag.
    async fn read<T>(
        &self,
        call: Call,
        tag: Option<&Tag>,
        look: impl FnOnce(&Model, Option<Digest>) -> T + Send,
    ) -> Result<T> {
        let (fault, there, back) = self.model().arrive(&call);
        wait(there).await;
        let (seen, hidden) = self.model().look(&call, tag, &fault, look);
        wait(back + if let ReadFault::Slow(longer) = fault { longer } else { Duration::ZERO }).await;
        let error = |kind, why: &str| Err(Error::new(kind, format!("{why} ({call})")));
        match fault {
            ReadFault::Unavailable => error(ErrorKind::RegistryUnavailable, "the registry gave no answer"),
            ReadFault::Busy => error(ErrorKind::RegistryBusy, "the registry asks to slow down"),
            ReadFault::Denied => error(ErrorKind::RegistryDenied, "the registry did not accept the credentials"),
            ReadFault::DigestMismatch if matches!(call, Call::Fetch { .. }) => {
                error(ErrorKind::RegistryDigestMismatch, "the registry sent other bytes than it was asked for")
            }
            _ => match hidden {
                Some(answer) => Err(answer.read_error(&call)),
                None => Ok(seen),
            },
        }
    }
}

impl Model {
    /// Records a read, and returns its fault, the duration of its request and the duration of its answer.
    fn arrive(&mut self, call: &Call) -> (ReadFault, Duration, Duration) {
        self.calls.push(call.clone());
        let (there, back) = self.ways();
        let scripted = self.reads.take(call);
        let fault = scripted.or_else(|| self.dice.as_mut().and_then(|dice| dice.read(call)));
        (fault.unwrap_or(ReadFault::Pass), there, back)
    }

    fn ways(&mut self) -> (Duration, Duration) {
        match &mut self.dice {
            Some(dice) => (dice.latency(), dice.latency()),
            None => (self.latency / 2, self.latency / 2),
        }
    }

    /// The result of a read, or a policy's answer to a hidden manifest. The fault's writes of a foreign writer are
    /// applied just before the read or just after it.
    fn look<T>(
        &mut self,
        call: &Call,
        tag: Option<&Tag>,
        fault: &ReadFault,
        look: impl FnOnce(&Model, Option<Digest>) -> T,
    ) -> (T, Option<ErrorAnswer>) {
        let now = Instant::now();
        let foreign = |model: &mut Model, manifest: &Manifest| {
            if let Some(tag) = tag {
                model.send(now, Landing::of(call.repository(), tag, Some(manifest), ChangeOrigin::Outside));
                model.settle(now);
            }
        };
        if let ReadFault::ForeignBefore(manifest) = fault {
            foreign(self, manifest);
        }
        let value = tag.and_then(|tag| self.read_tag(call.repository(), tag, fault));
        let seen = look(self, value);
        let digest = match call {
            Call::Fetch { reference } => match reference.target() {
                Target::Digest(digest) => Some(*digest),
                Target::Tag(_) => value,
            },
            _ => value,
        };
        let hidden = digest.and_then(|digest| self.holdings(call.repository())?.hidden(&digest).cloned());
        match fault {
            ReadFault::ForeignAfter(manifest) => foreign(self, manifest),
            ReadFault::DeletedAfter(digest) => {
                self.delete_manifest(call.repository(), digest, now);
            }
            _ => {}
        }
        (seen, hidden)
    }

    /// Records a put and sends its changes. Returns the duration until the answer, and the answer.
    fn send_put(&mut self, at: Instant, repository: &Repository, tag: &Tag, manifest: &Manifest) -> (Duration, Put) {
        let call = Call::Put { repository: repository.clone(), tag: tag.clone(), digest: manifest.digest() };
        self.calls.push(call.clone());
        let (there, back) = self.ways();
        let scripted = self.puts.take(&call);
        let fault =
            scripted.or_else(|| self.dice.as_mut().and_then(|dice| dice.put(&call))).unwrap_or(InjectedFault::Pass);
        let lost = |why: &str| Put::Unknown(lost(repository, tag, why));
        if fault == InjectedFault::Before {
            return (there + back, lost("the connection was lost"));
        }
        if let Some(refusal) = self.refusal(&call, &fault, manifest) {
            return (there + back, Put::Refused(refusal));
        }

        let lands = at + there;
        let put = || Landing::of(repository, tag, Some(manifest), ChangeOrigin::Put);
        let foreign = |manifest: &Manifest| Landing::of(repository, tag, Some(manifest), ChangeOrigin::Outside);
        let (longer, sent, answer) = match &fault {
            InjectedFault::After => (Duration::ZERO, vec![(lands, put())], lost("the connection was lost")),
            InjectedFault::Late(later) => {
                (Duration::ZERO, vec![(lands + *later, put())], lost("the connection was lost"))
            }
            InjectedFault::Gone => {
                let gone = Landing::of(repository, tag, None, ChangeOrigin::Put);
                (Duration::ZERO, vec![(lands, gone)], lost("the registry failed"))
            }
            InjectedFault::Twice(later) => {
                (Duration::ZERO, vec![(lands, put()), (lands + *later, put())], Put::Applied)
            }
            InjectedFault::Slow(longer) => (*longer, vec![(lands + *longer, put())], Put::Applied),
            InjectedFault::Stale(reads) => {
                (Duration::ZERO, vec![(lands, Landing { stale: *reads, ..put() })], Put::Applied)
            }
            InjectedFault::Ignored => (Duration::ZERO, Vec::new(), Put::Applied),
            InjectedFault::ForeignBefore(m) => {
                (Duration::ZERO, vec![(lands, foreign(m)), (lands, put())], Put::Applied)
            }
            InjectedFault::ForeignAfter(m) => (Duration::ZERO, vec![(lands, put()), (lands, foreign(m))], Put::Applied),
            InjectedFault::Pass | InjectedFault::Before | InjectedFault::Denied | InjectedFault::Refused(_) => {
                (Duration::ZERO, vec![(lands, put())], Put::Applied)
            }
        };
        sent.into_iter().for_each(|(lands, landing)| self.send(lands, landing));
        self.settle(at);
        (there + longer + back, answer)
    }

    /// The error of a refused put: the scripted one, or one that a real registry would answer; none if the put is
    /// accepted.
    fn refusal(&self, call: &Call, fault: &InjectedFault, manifest: &Manifest) -> Option<Error> {
        let refused = |answer: ErrorAnswer| Some(answer.refusal(call));
        match fault {
            InjectedFault::Refused(answer) => return refused(answer.clone()),
            InjectedFault::Denied => {
                let message = format!("the registry did not accept the credentials ({call})");
                return Some(Error::new(ErrorKind::RegistryDenied, message));
            }
            _ => {}
        }
        if let Call::Put { repository, tag, .. } = call
            && let Some(answer) = self.refused_put(repository, tag)
        {
            return refused(answer);
        }
        match self.check(call.repository(), manifest) {
            Err(error) => refused(ErrorAnswer::new(400, "MANIFEST_INVALID", error.message())),
            Ok(missing) => {
                let why = format!("{} is missing", missing.first()?.digest);
                refused(ErrorAnswer::new(400, "MANIFEST_BLOB_UNKNOWN", why))
            }
        }
    }
}

fn lost(repository: &Repository, tag: &Tag, why: impl fmt::Display) -> Error {
    Error::new(ErrorKind::RegistryAmbiguous, format!("the put of {repository}:{tag} may have been applied: {why}"))
}

async fn wait(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}
