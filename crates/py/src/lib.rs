//! The Python binding: a frozen class for each value and record, and a typed method for each verb.
//!
//! A file for each noun; `run` has what is about threads, signals and event loops, `error` the exceptions, `foreign`
//! the backends that are written in Python. `python/tagwarden` has the names of the package, the exceptions and the
//! protocols.

#![forbid(unsafe_code)]
#![allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    reason = "what PyO3 exports is public to it alone"
)]

#[macro_use]
mod host;
#[macro_use]
mod run;
mod args;
mod config;
mod error;
mod flux;
mod foreign;
mod history;
mod ledger;
mod memory;
mod plan;
mod promoter;
mod provenance;
mod record;
#[allow(dead_code, reason = "some are for the other binding")]
#[path = "../../bind/records/mod.rs"]
mod records;
mod registry;
mod settings;
mod testing;
mod value;

use pyo3::prelude::*;

#[pymodule]
mod _tagwarden {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use pyo3::exceptions::PyImportError;
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::config::Config;
    #[pymodule_export]
    use super::error::{error_kinds, panic};
    #[pymodule_export]
    use super::flux::{Artifact, pack_artifact, pack_artifact_async, push_artifact, push_artifact_async};
    #[pymodule_export]
    use super::history::{AsyncHistory, History};
    #[pymodule_export]
    use super::ledger::{MemoryLedger, OpenedLedger, init_ledger, init_ledger_async, open_ledger, open_ledger_async};
    #[pymodule_export]
    use super::memory::{InjectedFault, MemoryRegistry, ReadFault};
    #[pymodule_export]
    use super::plan::{ApprovedPlan, Plan};
    #[pymodule_export]
    use super::promoter::{AsyncPromoter, Promoter};
    #[pymodule_export]
    use super::provenance::Provenance;
    #[pymodule_export]
    use super::records::{
        ActiveHold, AuditReport, Because, BlockResult, BlockedOn, ChannelAudit, ChannelStatus, DeadMove, Deadlines,
        Decision, Defect, DeleteAllowed, DeleteRefused, DigestRetention, DriftSeen, EnvironmentConfig, Facts, FileDiff,
        Finding, GuardrailUse, HeldChannel, HistoryPage, Intent, Layer, LayerDifference, LeftBy, Live, LiveAt,
        LiveMove, LogReport, LogSize, MadeLive, MayDelete, MigratedTo, MoveBetween, MoveRecord, MoveSet, MovesBetween,
        OpenMove, Order, Outcome, OverrideRule, PlatformDifference, PossiblyOpen, Predecessor, Receipt, RecordedCheck,
        RecordedError, RecordedOverride, RecordedPolicy, RecoveryResult, RegistryConfig, ReleaseDiff, ReleaseFacts,
        ReleaseOrder, RetentionPlan, RetentionWindow, Source, Tagged, TakeoverRecord, TargetManifest, Upstream,
        UpstreamLog,
    };
    #[pymodule_export]
    use super::registry::{Credentials, Manifest, NativeRegistry, OciRegistry};
    #[pymodule_export]
    use super::settings::{Pipeline, RetentionRule, Stage, Times};
    #[pymodule_export]
    use super::testing::{Failure, TestRegistry, ledger, registry};
    #[pymodule_export]
    use super::value::{
        Channel, Commit, Digest, Environment, IdempotencyKey, Reference, ReleaseLabel, Repository, Tag,
    };

    #[pymodule_export]
    #[allow(non_upper_case_globals, reason = "Python gives the name")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    /// Allows one interpreter in each process: a callback from the core's threads would not know its interpreter.
    #[pymodule_init]
    fn init(py: Python<'_>) -> PyResult<()> {
        static HOME: AtomicUsize = AtomicUsize::new(0);
        // The `sys` module identifies the interpreter: each interpreter has its own.
        let here = py.import("sys")?.as_ptr() as usize;
        match HOME.compare_exchange(0, here, Ordering::SeqCst, Ordering::SeqCst) {
            Err(other) if other != here => {
                let why =
                    "tagwarden is loaded in another interpreter of this process: sub-interpreters are not supported";
                Err(PyImportError::new_err(why))
            }
            _ => Ok(()),
        }
    }
}
