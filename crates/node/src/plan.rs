//! `Plan` and `Approved`: what was thought through, and what may be executed.

use std::sync::{Mutex, PoisonError};

use napi_derive::napi;
use serde::Serialize;
use tagwarden::judge::Finding;
use tagwarden::{Digest, Error, ErrorKind, Receipt, Result, promoter};

use crate::call::text;
use crate::error::thrown;

/// A plan. Approving it uses it up.
#[napi]
pub struct Plan {
    plan: Mutex<Option<promoter::Plan>>,
}

impl From<promoter::Plan> for Plan {
    fn from(plan: promoter::Plan) -> Plan {
        Plan { plan: Mutex::new(Some(plan)) }
    }
}

#[napi]
impl Plan {
    /// What it would do and what the policy says: `{change?: {from?, to}, findings, settled?}`.
    #[napi(catch_unwind)]
    pub fn says(&self) -> napi::Result<String> {
        let plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(plan) = plan.as_ref() else { return Err(thrown(&used("plan", "approved"))) };
        let change = plan.change().map(|(from, to)| Change { from, to });
        text(&Says { change, findings: plan.findings(), settled: plan.settled() }).map_err(|error| thrown(&error))
    }

    /// The permission to execute it.
    #[napi(catch_unwind)]
    pub fn approve(&self) -> napi::Result<Approved> {
        let plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner).take();
        let approved = match plan {
            Some(plan) => plan.approve().map_err(Error::from),
            None => Err(used("plan", "approved")),
        };
        approved.map(|approved| Approved { plan: Mutex::new(Some(approved)) }).map_err(|error| thrown(&error))
    }
}

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

/// An approved plan. Executing it uses it up.
#[napi]
pub struct Approved {
    plan: Mutex<Option<promoter::Approved>>,
}

impl Approved {
    /// The plan, once.
    pub(crate) fn take(&self) -> Result<promoter::Approved> {
        let plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner).take();
        plan.ok_or_else(|| used("approved plan", "executed"))
    }
}

fn used(what: &str, how: &str) -> Error {
    Error::new(ErrorKind::ValueInvalid, format!("the {what} was {how} already: plan again"))
}
