//! `Plan` and `ApprovedPlan`: a plan, and the permission to execute it.

use napi::bindgen_prelude::Either;
use napi_derive::napi;
use tagwarden::promotion;
use tagwarden_bind::args::Once;
use tagwarden_bind::convert::to;
use tagwarden_bind::foreign::Guardrails;

use crate::call::sync;
use crate::host::{List, defined};
use crate::records::{DeadMove, Finding, Receipt};

record! {
    /// The change that a plan makes.
    pub struct Change {
        /// The live digest before it; absent before the first move.
        pub previous_digest: Option<String>,
        /// The digest that it makes live.
        pub digest: String,
    }
}

/// A plan: what a move would do, by the facts of a moment. It can be approved once.
#[napi]
pub struct Plan {
    change: Option<Change>,
    findings: List<Finding>,
    settled: Option<Receipt>,
    dead_move: Option<DeadMove>,
    core: Once<promotion::Plan>,
    guardrails: Guardrails,
}

impl Plan {
    pub fn of(plan: promotion::Plan, guardrails: Guardrails) -> Plan {
        let change =
            plan.change().map(|(previous, digest)| Change { previous_digest: to(previous), digest: to(digest) });
        Plan {
            change,
            findings: to(plan.findings().to_vec()),
            settled: to(plan.settled().cloned()),
            dead_move: to(plan.dead_move().cloned()),
            core: Once::new(plan, "the plan was approved"),
            guardrails,
        }
    }
}

#[napi]
impl Plan {
    /// The change, if there is anything to move.
    #[napi(getter, catch_unwind)]
    pub fn change(&self) -> Either<Change, ()> {
        defined(self.change.clone())
    }

    /// The finding of every guardrail.
    #[napi(getter, catch_unwind)]
    pub fn findings(&self) -> List<Finding> {
        self.findings.clone()
    }

    /// The receipt, if there is nothing to move.
    #[napi(getter, catch_unwind)]
    pub fn settled(&self) -> Either<Receipt, ()> {
        defined(self.settled.clone())
    }

    /// The move of a dead worker, which executing the plan closes first.
    #[napi(getter, catch_unwind)]
    pub fn dead_move(&self) -> Either<DeadMove, ()> {
        defined(self.dead_move.clone())
    }

    /// Approves the plan. POLICY_REFUSED, with every finding, if a guardrail refuses.
    #[napi(catch_unwind)]
    pub fn approve(&self) -> napi::Result<ApprovedPlan> {
        let approved = sync(self.core.take())?.approve();
        let approved = approved.map_err(|refusal| self.guardrails.blame(tagwarden::Error::from(refusal)));
        Ok(ApprovedPlan { core: Once::new(sync(approved)?, "the approved plan was executed") })
    }
}

/// An approved plan. It can be executed once.
#[napi]
pub struct ApprovedPlan {
    pub(crate) core: Once<promotion::ApprovedPlan>,
}

#[napi]
impl ApprovedPlan {
    /// True: only an approved plan can be executed.
    #[napi(getter, ts_return_type = "true")]
    pub fn approved(&self) -> bool {
        true
    }
}
