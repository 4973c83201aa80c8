//! A guardrail written in the other language.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};
use tagwarden::policy::{Facts, Finding, Guardrail};

use crate::host::{HostError, Port};

/// The finding code of a guardrail that raised an exception, did not answer, or returned an invalid finding. Such a
/// move is refused.
const GUARDRAIL_FAILED: &str = "GUARDRAIL_FAILED";

/// The number of exceptions that are kept as possible causes of a refusal.
const REMEMBERED: usize = 16;

/// A guardrail of the other language. Its method `judge` takes the facts and returns `{verdict, code?, why, retry?}`.
#[derive(Debug)]
pub struct Guard {
    name: String,
    settings: Value,
    port: Port,
    raised: Mutex<VecDeque<HostError>>,
}

#[derive(Deserialize)]
#[serde(tag = "verdict", rename_all = "lowercase", deny_unknown_fields)]
enum Found {
    Pass { why: String },
    Warn { code: String, why: String },
    Refuse { code: String, why: String, retry: Option<Passes> },
}

/// The retry of a refusal: `later` if a later attempt may pass, else `never`, which is the default.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Passes {
    Never,
    Later,
}

impl Guard {
    /// `name` is in lower case with dashes, and unique in a policy. `settings` are part of the policy's digest.
    pub fn new(name: String, settings: Value, port: Port) -> Guard {
        Guard { name, settings, port, raised: Mutex::default() }
    }

    /// Removes and returns the exception that led to this finding.
    pub(crate) fn blamed(&self, finding: &Finding) -> Option<HostError> {
        let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        let last = raised.iter().rposition(|raised| self.failed(raised) == *finding)?;
        raised.remove(last)
    }

    fn failed(&self, why: &HostError) -> Finding {
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
        let found = self.port.wait("judge", json!(facts)).map(serde_json::from_value::<Found>);
        match found {
            Ok(Ok(Found::Pass { why })) => Finding::pass(&self.name, why),
            Ok(Ok(Found::Warn { code, why })) => Finding::warn(&self.name, &code, why),
            Ok(Ok(Found::Refuse { code, why, retry })) => {
                let finding = Finding::refuse(&self.name, &code, why);
                match retry {
                    Some(Passes::Later) => finding.later(),
                    Some(Passes::Never) | None => finding,
                }
            }
            Ok(Err(e)) => self.failed(&HostError::broken(format!("it gave what is no finding: {e}"))),
            Err(why) => {
                let finding = self.failed(&why);
                let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
                raised.push_back(why);
                if raised.len() > REMEMBERED {
                    raised.pop_front();
                }
                finding
            }
        }
    }
}
