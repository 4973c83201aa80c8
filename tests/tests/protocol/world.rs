//! A registry, a ledger, and the moves of a test.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tagwarden::drift::Drift;
use tagwarden::ledger::Ledger;
use tagwarden::log::{ChannelState, Hold, HoldScope, Source};
use tagwarden::policy::Refusal;
use tagwarden::promotion::{RecoveryMode, RecoveryResult};
use tagwarden::registry::Registry;
use tagwarden::{Channel, Digest, IdempotencyKey, Line, MoveOptions, Promoter, Provenance, Receipt, Result, Tag};
use tagwarden_testing::MemoryRegistry;
use tagwarden_testing::PausedClock;

use super::backend::{Backend, Place, export};
use super::gate::{Gate, Port, What};

/// The task of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Bootstraps a channel whose tag is absent, from a release.
    BootstrapFrom,
    /// Bootstraps a channel as its tag is.
    BootstrapAsIs,
    Promote,
    Rollback,
    Repair,
    Adopt,
    /// Completes the promotion of a worker that died before its put.
    Recover,
}

pub const JOBS: [Job; 7] =
    [Job::BootstrapFrom, Job::BootstrapAsIs, Job::Promote, Job::Rollback, Job::Repair, Job::Adopt, Job::Recover];

/// Longer than any recovery takes.
pub const TIMEOUT: Duration = Duration::from_secs(600);

/// A new repository in a new registry, with the releases 1.0 to 1.4 (`digests`) and a hotfix (`digests[5]`).
pub struct World<'a> {
    pub registry: MemoryRegistry,
    pub prod: Channel,
    pub digests: Vec<Digest>,
    pub clock: PausedClock,
    place: &'a Place,
}

pub fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

pub fn text(text: &str) -> Line {
    text.parse().unwrap()
}

pub fn key(text: &str) -> IdempotencyKey {
    text.parse().unwrap()
}

pub fn who() -> Provenance {
    Provenance::new("manual", "run-1", "ada").unwrap()
}

/// A hold of every move, without an end time.
pub fn a_hold(reason: &str) -> Hold {
    Hold { scope: HoldScope::All, reason: text(reason), provenance: who(), until: None }
}

pub fn terms() -> MoveOptions {
    MoveOptions { timeout: TIMEOUT, ..MoveOptions::new(who()) }
}

/// The options of a promotion of a release whose promotion was aborted before.
pub fn on_purpose(terms: MoveOptions) -> MoveOptions {
    let overrides = [text("not-rolled-back")].into();
    MoveOptions { overrides, reason: Some(text("it was not the release")), ..terms }
}

/// *no-return*: asserts that a retry of an aborted promotion was refused, and by that rule alone.
pub fn assert_no_return(retried: Result<impl std::fmt::Debug>, what: &str) {
    let error = retried.expect_err(what);
    let refusal: &Refusal = error.source_as().unwrap_or_else(|| panic!("{what}: {error}"));
    let codes: Vec<_> = refusal.refusals().map(|finding| finding.code().unwrap_or_default()).collect();
    assert_eq!(codes, ["ROLLED_BACK"], "{what}");
}

impl<'a> World<'a> {
    /// A world whose log is at `place`, beside the logs of other worlds.
    pub fn new(place: &'a Place) -> World<'a> {
        let registry = MemoryRegistry::new();
        static WORLDS: AtomicU64 = AtomicU64::new(0);
        let number = WORLDS.fetch_add(1, Ordering::Relaxed);
        let prod: Channel = format!("reg.io/acme/shop-{number}:prod").parse().unwrap();
        let names = ["1.0", "1.1", "1.2", "1.3", "1.4", "hotfix"];
        let digests =
            names.iter().zip(0..).map(|(name, n)| registry.push_image(prod.repository(), &tag(name), n).digest());
        let digests = digests.collect();
        World { registry, prod, digests, clock: PausedClock::new(), place }
    }

    /// The ledger, newly opened as by another process.
    pub fn ledger(&self) -> Arc<dyn Ledger> {
        self.place.open_in_paused_time()
    }

    /// A promoter without faults.
    pub fn promoter(&self) -> Promoter {
        Promoter::builder()
            .registry(Arc::new(self.registry.clone()))
            .ledger(self.ledger())
            .clock(Arc::new(self.clock))
            .build()
            .unwrap()
    }

    /// A promoter with faults at the given calls, and its gate.
    pub fn gated(&self, happens: &[(usize, What)]) -> (Promoter, Arc<Gate>) {
        let registry: Arc<dyn Registry> = Arc::new(self.registry.clone());
        let gate = Gate::new(registry, self.ledger(), Some((self.registry.clone(), self.ledger())), happens);
        let promoter = Promoter::builder()
            .registry(gate.registry())
            .ledger(gate.ledger())
            .clock(Arc::new(self.clock))
            .build()
            .unwrap();
        (promoter, gate)
    }

    pub fn release(&self, name: &str) -> Source {
        Source::Reference(self.prod.repository().tag(tag(name)))
    }

    pub fn observed(&self) -> Option<Digest> {
        self.registry.peek(self.prod.repository(), self.prod.tag())
    }

    pub async fn state(&self) -> ChannelState {
        self.promoter().state(&self.prod).await.unwrap()
    }

    /// The drift that an audit finds.
    pub async fn drift(&self) -> Drift {
        let report = self.promoter().audit(std::slice::from_ref(&self.prod)).await.unwrap();
        report.channels()[0].drift.clone()
    }

    /// Prepares the channel for `job`.
    pub async fn prepare(&self, job: Job) {
        let promoter = self.promoter();
        let hotfix = || {
            let manifest = tagwarden_testing::TestImage::image(5).manifest;
            self.registry.overwrite(self.prod.repository(), self.prod.tag(), &manifest);
        };
        let first = || promoter.bootstrap(&self.prod).source(self.release("1.0")).options(terms());
        match job {
            Job::BootstrapFrom => {}
            Job::BootstrapAsIs => hotfix(),
            Job::Promote => drop(first().await.unwrap()),
            Job::Rollback => {
                first().await.unwrap();
                promoter.promote(&self.prod, self.release("1.1")).options(terms()).await.unwrap();
            }
            Job::Repair | Job::Adopt => {
                first().await.unwrap();
                hotfix();
            }
            Job::Recover => {
                first().await.unwrap();
                let puts = self.calls_of(Job::Promote, Port::Put).await;
                let (dying, gate) = self.gated(&[(puts[0], What::CrashBefore)]);
                assert!(gate.unless_dead(self.run(&dying, Job::Promote)).await.is_none(), "it dies before its put");
            }
        }
        // Wait for the end of the look back.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    /// The numbers of the calls that `job` makes to `port`, counted from 1, in a separate world.
    async fn calls_of(&self, job: Job, port: Port) -> Vec<usize> {
        let calls = Box::pin(calls(&Place::start(Backend::Memory), job)).await;
        calls.iter().zip(1..).filter(|(called, _)| **called == port).map(|(_, number)| number).collect()
    }

    /// Does the job, always with the same key.
    pub async fn run(&self, promoter: &Promoter, job: Job) -> Result<Option<Receipt>> {
        self.run_with(promoter, job, terms()).await
    }

    /// The same, with these options.
    pub async fn run_with(&self, promoter: &Promoter, job: Job, terms: MoveOptions) -> Result<Option<Receipt>> {
        let terms = MoveOptions { idempotency_key: Some(key("the-job")), ..terms };
        let prod = &self.prod;
        let moved = match job {
            Job::BootstrapFrom => promoter.bootstrap(prod).source(self.release("1.0")).options(terms).await,
            Job::BootstrapAsIs => promoter.bootstrap(prod).options(terms).await,
            Job::Promote => promoter.promote(prod, self.release("1.1")).options(terms).await,
            Job::Rollback => promoter.rollback(prod).options(terms).await,
            Job::Repair => promoter.repair(prod).options(terms).await,
            Job::Adopt => {
                promoter.adopt(prod).options(MoveOptions { reason: Some(text("a hotfix by hand")), ..terms }).await
            }
            Job::Recover => {
                return match promoter.recover(prod, RecoveryMode::RollForward, who(), TIMEOUT).await? {
                    RecoveryResult::Nothing | RecoveryResult::Closed { .. } => Ok(None),
                };
            }
        };
        moved.map(Some)
    }

    /// The digest of the channel after the job.
    pub fn goal(&self, job: Job) -> Digest {
        match job {
            Job::BootstrapFrom | Job::Rollback | Job::Repair => self.digests[0],
            Job::Promote | Job::Recover => self.digests[1],
            Job::BootstrapAsIs | Job::Adopt => self.digests[5],
        }
    }

    /// Asserts that the tag and the log agree, that no move is open, and that the log is valid.
    pub async fn at_rest(&self, what: &str) {
        let state = self.state().await;
        assert_eq!(state.open, None, "{what}: a move is open");
        assert_eq!(state.live, self.observed(), "{what}: tag and log differ");
        let report = self.promoter().verify(&self.prod).await.unwrap();
        assert_eq!(report.defect, None, "{what}");
    }

    /// Writes the log to a file, one entry a line, for the independent verifier.
    pub async fn export(&self, file: &Path) {
        export(self.ledger().as_ref(), &self.prod, file).await;
    }
}

/// The ports that a job calls without faults, in order.
pub async fn calls(place: &Place, job: Job) -> Vec<Port> {
    let world = World::new(place);
    world.prepare(job).await;
    let (promoter, gate) = world.gated(&[]);
    world.run(&promoter, job).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(gate.violations(), [""; 0]);
    gate.calls().into_iter().map(|call| call.port).collect()
}

/// The calls that are tested with a fault, numbered from 1. A waiting worker makes a long run of reads; of such a run
/// only the first and the last three are tested.
pub fn points(ports: &[Port]) -> Vec<(Port, usize)> {
    let is_read = |at: usize| ports.get(at) == Some(&Port::Read);
    let in_long_run = |at: usize| at >= 3 && (at - 3..=at + 3).all(is_read);
    ports.iter().copied().zip(1..).filter(|(_, number)| !in_long_run(number - 1)).collect()
}
