//! `Plan` and `ApprovedPlan`: a plan and the permission to execute it, held for another language.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use tagwarden::policy::Finding;
use tagwarden::promotion;
use tagwarden::{Digest, Error, ErrorKind, Receipt, Result};

use crate::error::Failure;
use crate::promoter::{Given, Guards};

/// A plan. It can be approved once.
#[derive(Debug)]
pub struct Plan {
    plan: Mutex<Option<promotion::Plan>>,
    guards: Guards,
}

/// An approved plan. It can be executed once.
#[derive(Debug)]
pub struct ApprovedPlan(Mutex<Option<promotion::ApprovedPlan>>);

#[derive(Serialize)]
struct Says<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<Change>,
    findings: &'a [Finding],
    #[serde(skip_serializing_if = "Option::is_none")]
    settled: Option<&'a Receipt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_move: Option<&'a promotion::DeadMove>,
}

#[derive(Serialize)]
struct Change {
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_digest: Option<Digest>,
    digest: Digest,
}

impl Plan {
    pub(crate) fn new(plan: promotion::Plan, guards: Guards) -> Plan {
        Plan { plan: Mutex::new(Some(plan)), guards }
    }

    /// The change and the findings of the plan: `{change?: {previous_digest?, digest}, findings, settled?,
    /// dead_move?}`.
    pub fn says(&self) -> Result<Given> {
        let plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = plan.as_ref().ok_or_else(|| used("plan", "approved"))?;
        let change = plan.change().map(|(previous_digest, digest)| Change { previous_digest, digest });
        Given::json(&Says { change, findings: plan.findings(), settled: plan.settled(), dead_move: plan.dead_move() })
    }

    /// Approves the plan. POLICY_REFUSED with every finding.
    pub fn approve(&self) -> std::result::Result<ApprovedPlan, Failure> {
        let plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner).take();
        let approved = plan.ok_or_else(|| used("plan", "approved"))?.approve();
        let approved = approved.map_err(|refusal| self.guards.blame(Error::from(refusal).into()))?;
        Ok(ApprovedPlan(Mutex::new(Some(approved))))
    }
}

impl ApprovedPlan {
    /// The approved plan; an error after the first call.
    pub(crate) fn take(&self) -> Result<promotion::ApprovedPlan> {
        let plan = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        plan.ok_or_else(|| used("approved plan", "executed"))
    }
}

fn used(what: &str, how: &str) -> Error {
    Error::new(ErrorKind::ValueInvalid, format!("the {what} was {how} already: plan again"))
}
