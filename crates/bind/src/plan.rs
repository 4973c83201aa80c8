//! `Plan` and `Approved`: what was thought through, and what may be executed, held for another language.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::{Value, json};
use tagwarden::judge::Finding;
use tagwarden::promoter;
use tagwarden::{Digest, Error, ErrorKind, Receipt, Result};

/// A plan. Approving it uses it up.
#[derive(Debug)]
pub struct Plan(Mutex<Option<promoter::Plan>>);

/// An approved plan. Executing it uses it up.
#[derive(Debug)]
pub struct Approved(Mutex<Option<promoter::Approved>>);

#[derive(Serialize)]
struct Says<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<Change>,
    findings: &'a [Finding],
    #[serde(skip_serializing_if = "Option::is_none")]
    settled: Option<&'a Receipt>,
}

#[derive(Serialize)]
struct Change {
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Digest>,
    to: Digest,
}

impl Plan {
    pub(crate) fn of(plan: promoter::Plan) -> Plan {
        Plan(Mutex::new(Some(plan)))
    }

    /// What it would do and what the policy says: `{change?: {from?, to}, findings, settled?}`.
    pub fn says(&self) -> Result<Value> {
        let plan = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = plan.as_ref().ok_or_else(|| used("plan", "approved"))?;
        let change = plan.change().map(|(from, to)| Change { from, to });
        Ok(json!(Says { change, findings: plan.findings(), settled: plan.settled() }))
    }

    /// The permission to execute it. POLICY_REFUSED or CHANNEL_HELD with every finding.
    pub fn approve(&self) -> Result<Approved> {
        let plan = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let approved = plan.ok_or_else(|| used("plan", "approved"))?.approve()?;
        Ok(Approved(Mutex::new(Some(approved))))
    }
}

impl Approved {
    /// The plan, once.
    pub fn take(&self) -> Result<promoter::Approved> {
        let plan = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        plan.ok_or_else(|| used("approved plan", "executed"))
    }
}

fn used(what: &str, how: &str) -> Error {
    Error::new(ErrorKind::ValueInvalid, format!("the {what} was {how} already: plan again"))
}
