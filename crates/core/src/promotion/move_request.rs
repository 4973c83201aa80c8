//! `MoveRequest`: a move that is asked of a promoter, with its options set by name.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use super::machine::OnConflict;
use super::plan::Plan;
use super::promoter::Promoter;
use super::receipt::Receipt;
use super::request::{BootstrapOptions, MoveOptions, Operation};
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Predecessor, Source};
use crate::policy::ExpectedDigest;
use crate::value::{Channel, IdempotencyKey, Line, Provenance, ReleaseExpression};

/// A move that is asked of a [`Promoter`]. Set its options by name, then await it, or await [`plan`](MoveRequest::plan)
/// to see what it would do. A text is parsed when it is given; the first one that is wrong is the error of the move.
///
/// The provenance is required (PROVENANCE_INCOMPLETE); [`MoveOptions`] lists the other options with their defaults.
///
/// ```
/// # async fn example(promoter: tagwarden::Promoter) -> tagwarden::Result<()> {
/// use tagwarden::{Channel, Provenance};
///
/// let prod: Channel = "registry.example.com/acme/shop:prod".parse()?;
/// let ada = Provenance::manual("ada")?;
/// let release = "registry.example.com/acme/shop:1.4.2";
/// let plan = promoter.promote(&prod, release).provenance(&ada).plan().await?;
/// println!("{:?}", plan.change());
/// promoter.promote(&prod, release).provenance(&ada).reason("release day").await?;
/// promoter.rollback(&prod).to("1.4.1").provenance(&ada).await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "a request does nothing until it, or its plan, is awaited"]
pub struct MoveRequest<'a, O = Operation> {
    promoter: &'a Promoter,
    channel: &'a Channel,
    /// The operation, or the first text that is wrong.
    asked: Result<O>,
    options: MoveOptions<Option<Provenance>>,
}

impl Promoter {
    /// Points the channel at a release, or at the live digest of another channel, by the grammar of
    /// [`ReleaseExpression`]. A word that is no environment of the pipeline, and whose tag is no channel beside this one,
    /// is a tag of the channel's repository.
    pub fn promote<'a>(
        &'a self,
        channel: &'a Channel,
        source: impl TryInto<ReleaseExpression, Error: Into<Error>>,
    ) -> MoveRequest<'a> {
        let asked = source.try_into().map_err(Into::into).map(Operation::Promote);
        MoveRequest { promoter: self, channel, asked, options: MoveOptions::new(None) }
    }

    /// Points the channel back at the digest that was live before, or at [`to`](MoveRequest::to). ROLLBACK_NO_TARGET if
    /// that was never live here. POLICY_REFUSED, with the finding TARGET_INCOMPLETE, if a part of the target is gone
    /// from the registry.
    pub fn rollback<'a>(&'a self, channel: &'a Channel) -> MoveRequest<'a, Option<ReleaseExpression>> {
        MoveRequest::new(self, channel, None)
    }

    /// Records the channel's first state in the log: the digest that the tag points at; or a release
    /// ([`source`](MoveRequest::source)), if the tag is absent or points at it already.
    pub fn bootstrap<'a>(&'a self, channel: &'a Channel) -> MoveRequest<'a, BootstrapOptions> {
        MoveRequest::new(self, channel, BootstrapOptions::default())
    }

    /// Puts the live digest back after another writer moved the tag without the ledger.
    pub fn repair<'a>(&'a self, channel: &'a Channel) -> MoveRequest<'a> {
        MoveRequest::new(self, channel, Operation::Repair)
    }

    /// Accepts the digest that the tag points at as live, after another writer moved the tag. The move must have a
    /// reason.
    pub fn adopt<'a>(&'a self, channel: &'a Channel) -> MoveRequest<'a> {
        MoveRequest::new(self, channel, Operation::Adopt)
    }
}

impl<'a, O> MoveRequest<'a, O> {
    fn new(promoter: &'a Promoter, channel: &'a Channel, asked: O) -> MoveRequest<'a, O> {
        MoveRequest { promoter, channel, asked: Ok(asked), options: MoveOptions::new(None) }
    }

    /// With all of these options in place of those that were given so far.
    pub fn options(mut self, options: MoveOptions) -> Self {
        let provenance = Some(options.provenance.clone());
        self.options = options.with_provenance(provenance);
        self
    }

    /// With the pipeline run and the actor: [`Provenance::from_ci`], [`Provenance::manual`] or parts of your own.
    pub fn provenance(self, provenance: impl Into<Provenance>) -> Self {
        self.set(provenance.into(), |_, options, provenance| options.provenance = Some(provenance))
    }

    /// With an idempotency key of 1 to 128 characters: the same request with the same key moves the channel once.
    pub fn idempotency_key(self, key: impl TryInto<IdempotencyKey, Error: Into<Error>>) -> Self {
        self.set(key, |_, options, key| options.idempotency_key = Some(key))
    }

    /// With a reason: one line of 1 to 1,024 characters.
    pub fn reason(self, reason: impl TryInto<Line, Error: Into<Error>>) -> Self {
        self.set(reason, |_, options, reason| options.reason = Some(reason))
    }

    /// With the digest that the channel must point at before the move starts; as text a digest, `absent` or `any`.
    pub fn expected(self, expected: impl TryInto<ExpectedDigest, Error: Into<Error>>) -> Self {
        self.set(expected, |_, options, expected| options.expected = expected)
    }

    /// With one more guardrail whose refusal does not count ([`MoveOptions`](MoveOptions#structfield.overrides)). The move needs a reason.
    pub fn overriding(self, guardrail: impl TryInto<Line, Error: Into<Error>>) -> Self {
        self.set(guardrail, |_, options, guardrail| _ = options.overrides.insert(guardrail))
    }

    /// With the release's value in the order of releases ([`MoveOptions`](MoveOptions#structfield.order)).
    pub fn order(self, value: impl TryInto<Line, Error: Into<Error>>) -> Self {
        self.set(value, |_, options, value| options.order = Some(value))
    }

    /// With another reaction to a move that comes first.
    pub fn on_conflict(self, on_conflict: OnConflict) -> Self {
        self.set(on_conflict, |_, options, on_conflict| options.on_conflict = on_conflict)
    }

    /// With another longest wait for other moves.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.set(timeout, |_, options, timeout| options.timeout = timeout)
    }

    /// Sets a value in the operation or the options, unless a text was wrong before or this one is.
    fn set<T>(
        mut self,
        given: impl TryInto<T, Error: Into<Error>>,
        set: impl FnOnce(&mut O, &mut MoveOptions<Option<Provenance>>, T),
    ) -> Self {
        match (&mut self.asked, given.try_into()) {
            (Ok(operation), Ok(value)) => set(operation, &mut self.options, value),
            (Ok(_), Err(error)) => self.asked = Err(error.into()),
            (Err(_), _) => {}
        }
        self
    }
}

impl MoveRequest<'_, BootstrapOptions> {
    /// With the release that the channel is to point at: its tag must be absent or point at it already.
    pub fn source(self, source: impl TryInto<ReleaseExpression, Error: Into<Error>>) -> Self {
        self.set(source, |bootstrap, _, source| bootstrap.source = Some(source))
    }

    /// With the log that this one continues, when a repository was renamed.
    pub fn predecessor(self, predecessor: Predecessor) -> Self {
        self.set(predecessor, |bootstrap, _, predecessor| bootstrap.predecessor = Some(predecessor))
    }
}

impl MoveRequest<'_, Option<ReleaseExpression>> {
    /// With another target than the digest that was live before, by the grammar of [`ReleaseExpression`]. A word is first
    /// a release that was promoted here, by its tag or its label. If it was promoted with several digests, the newest
    /// counts, and the receipt has a warning.
    pub fn to(self, target: impl TryInto<ReleaseExpression, Error: Into<Error>>) -> Self {
        self.set(target, |to, _, target| *to = Some(target))
    }
}

impl<'a, O: Into<Operation>> MoveRequest<'a, O> {
    /// Plans the move and has the policy judge it, as [`Promoter::plan`].
    pub async fn plan(self) -> Result<Plan> {
        let (promoter, channel, operation, options) = self.checked()?;
        promoter.plan(channel, operation, options).await
    }

    fn checked(self) -> Result<(&'a Promoter, &'a Channel, Operation, MoveOptions)> {
        let operation = self.asked?.into();
        let Some(provenance) = self.options.provenance.clone() else {
            let message = "provenance: a move needs one; give Provenance::from_ci() or Provenance::manual(name)";
            return Err(Error::new(ErrorKind::ProvenanceIncomplete, message).with_context("channel", self.channel));
        };
        Ok((self.promoter, self.channel, operation, self.options.with_provenance(provenance)))
    }
}

impl<'a, O: Into<Operation> + Send + 'a> IntoFuture for MoveRequest<'a, O> {
    type Output = Result<Receipt>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Receipt>> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (promoter, channel, operation, options) = self.checked()?;
            promoter.run(channel, operation, options).await
        })
    }
}

impl From<Option<ReleaseExpression>> for Operation {
    fn from(to: Option<ReleaseExpression>) -> Operation {
        Operation::Rollback(to)
    }
}

impl From<BootstrapOptions> for Operation {
    fn from(options: BootstrapOptions) -> Operation {
        Operation::Bootstrap(options)
    }
}

impl From<Source> for ReleaseExpression {
    fn from(source: Source) -> ReleaseExpression {
        match source {
            Source::Reference(reference) => reference.into(),
            Source::Channel(channel) => channel.into(),
        }
    }
}
