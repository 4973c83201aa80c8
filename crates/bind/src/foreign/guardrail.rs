//! Guardrails of the other language, and the policy that they are a part of.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tagwarden::policy::{Facts, Finding, Guardrail, Policy};
use tagwarden::{Line, Result, Retry};

use super::{Answer, ForeignError, timeout, within};
use crate::args::parse;
use crate::failure::{Failure, findings};

/// The finding code of a guardrail that raised an exception, did not answer, or returned an invalid finding. Such a
/// move is refused.
const GUARDRAIL_FAILED: &str = "GUARDRAIL_FAILED";

/// The number of exceptions that are kept as possible causes of a refusal.
const REMEMBERED: usize = 16;

/// A guardrail of the other language.
#[async_trait]
pub trait ForeignGuardrail: fmt::Debug + Send + Sync + 'static {
    /// The judgement of a move.
    async fn judge(&self, facts: &Facts) -> Answer<Judgement>;
}

/// The judgement of a foreign guardrail about a move.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// `pass`, `warn` or `refuse`.
    pub verdict: tagwarden::log::Verdict,
    /// The code of a warning or a refusal.
    pub code: Option<String>,
    /// The reason.
    pub why: String,
    /// For a refusal, `Later` if a later attempt may pass.
    pub retry: Option<Retry>,
}

impl Judgement {
    fn finding(self, guardrail: &str) -> Answer<Finding> {
        use tagwarden::log::Verdict;
        match (self.verdict, self.code, self.retry) {
            (Verdict::Pass, None, None) => Ok(Finding::pass(guardrail, self.why)),
            (Verdict::Warn, Some(code), None) => Ok(Finding::warn(guardrail, &code, self.why)),
            (Verdict::Refuse, Some(code), None | Some(Retry::Never)) => Ok(Finding::refuse(guardrail, &code, self.why)),
            (Verdict::Refuse, Some(code), Some(Retry::Later)) => {
                Ok(Finding::refuse(guardrail, &code, self.why).later())
            }
            _ => Err(ForeignError::broken(
                "it gave what is no finding: a warning and a refusal have a code, and only a refusal has a retry",
            )),
        }
    }
}

/// A foreign guardrail in a policy.
#[derive(Debug)]
struct Guard {
    name: String,
    settings: Value,
    foreign: Box<dyn ForeignGuardrail>,
    timeout: Duration,
    raised: Mutex<VecDeque<ForeignError>>,
}

impl Guard {
    /// Removes and returns the exception that led to this finding.
    fn blamed(&self, finding: &Finding) -> Option<ForeignError> {
        let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        let last = raised.iter().rposition(|raised| self.failed(raised) == *finding)?;
        raised.remove(last)
    }

    fn failed(&self, why: &ForeignError) -> Finding {
        Finding::refuse(&self.name, GUARDRAIL_FAILED, why.to_string())
    }
}

impl Guardrail for Guard {
    fn name(&self) -> &str {
        &self.name
    }

    fn settings(&self) -> Value {
        self.settings.clone()
    }

    fn judge(&self, facts: &Facts) -> Finding {
        let judged = within(self.timeout, self.foreign.judge(facts));
        let judged = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(judged));
        judged.and_then(|judgement| judgement.finding(&self.name)).unwrap_or_else(|why| {
            let finding = self.failed(&why);
            let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
            raised.push_back(why);
            if raised.len() > REMEMBERED {
                raised.pop_front();
            }
            finding
        })
    }
}

/// The foreign guardrails of a policy.
#[derive(Clone, Debug, Default)]
pub struct Guardrails(Vec<Arc<Guard>>);

impl Guardrails {
    /// Adds a guardrail. `name` is in lower case with dashes, and unique in a policy. `settings` are part of the
    /// policy's digest. `timeout` is that of a call in seconds, 30 by default. CONFIG_INVALID if it is not a valid
    /// timeout.
    pub fn add(
        &mut self,
        name: String,
        settings: Value,
        foreign: impl ForeignGuardrail,
        call_timeout: Option<f64>,
    ) -> Result<()> {
        let timeout = timeout(&foreign, call_timeout)?;
        self.0.push(Arc::new(Guard { name, settings, foreign: Box::new(foreign), timeout, raised: Mutex::default() }));
        Ok(())
    }

    /// The error as a failure. Its cause is the exception of a guardrail, if that led to the refusal.
    pub fn blame(&self, error: impl Into<Failure>) -> Failure {
        let failure = error.into();
        let raised =
            findings(failure.error()).iter().find_map(|finding| self.0.iter().find_map(|guard| guard.blamed(finding)));
        failure.blaming(raised)
    }
}

/// This policy, followed by these guardrails. Its name is by default its own, and those of the guardrails, with `+`
/// between them. CONFIG_INVALID if two guardrails have one name.
pub fn policy(policy: Policy, name: Option<String>, guardrails: &Guardrails) -> Result<Policy> {
    let name = match name {
        Some(name) => parse("policy", &name)?,
        None => {
            let standard = policy.note().name;
            let own = guardrails.0.iter().map(|guard| guard.name.as_str());
            Line::lossy([standard.as_str()].into_iter().chain(own).collect::<Vec<_>>().join("+"))
        }
    };
    guardrails.0.iter().try_fold(policy.named(name), |policy, guard| policy.with(Arc::clone(guard)))
}
