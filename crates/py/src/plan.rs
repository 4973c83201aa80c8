//! `Plan` and `ApprovedPlan`: a planned move, and the permission to execute it.

use pyo3::prelude::*;
use tagwarden::{Error, promotion};
use tagwarden_bind::args::Once;
use tagwarden_bind::convert::{FromCore, to};
use tagwarden_bind::foreign::Guardrails;

use crate::error::Raises;
use crate::host::{Digest, List};
use crate::records::{DeadMove, Finding, Receipt};

/// A planned move, and the policy's findings about it. Nothing was moved.
#[pyclass(frozen, weakref, module = "tagwarden")]
pub(crate) struct Plan {
    plan: Once<promotion::Plan>,
    guards: Guardrails,
    /// The live digest now; None before the first move, or if there is nothing to do.
    #[pyo3(get)]
    previous_digest: Option<Digest>,
    /// The digest that would be live; None if there is nothing to do.
    #[pyo3(get)]
    digest: Option<Digest>,
    /// The findings of the guardrails, in the policy's order; empty if there is nothing to do.
    #[pyo3(get)]
    findings: List<Finding>,
    /// The receipt, if there is nothing to do: the channel points there already, or the key has moved it.
    #[pyo3(get)]
    settled: Option<Receipt>,
    /// The dead worker's move that executing would close before it judges; None if no such move is open.
    #[pyo3(get)]
    dead_move: Option<DeadMove>,
}

/// A plan that the policy permits. ``execute`` takes only this, and only once.
#[pyclass(frozen, weakref, module = "tagwarden")]
pub(crate) struct ApprovedPlan(pub(crate) Once<promotion::ApprovedPlan>);

impl FromCore<(promotion::Plan, Guardrails)> for Plan {
    fn from_core((plan, guards): (promotion::Plan, Guardrails)) -> Plan {
        let (previous, digest) = plan.change().map_or((None, None), |(previous, digest)| (previous, Some(digest)));
        Plan {
            previous_digest: to(previous),
            digest: to(digest),
            findings: to(plan.findings().to_vec()),
            settled: to(plan.settled().cloned()),
            dead_move: to(plan.dead_move().cloned()),
            plan: Once::new(plan, "the plan was approved"),
            guards,
        }
    }
}

#[pymethods]
impl Plan {
    /// The permission to execute the plan, given only once.
    ///
    /// PolicyRefusedError POLICY_REFUSED with every finding. InvalidValueError VALUE_INVALID if it was approved before.
    fn approve(&self) -> Raises<ApprovedPlan> {
        let approved = self.plan.take()?.approve().map_err(|refusal| self.guards.blame(Error::from(refusal)))?;
        Ok(ApprovedPlan(Once::new(approved, "the approved plan was executed")))
    }
}
