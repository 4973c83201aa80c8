//! A `Guardrail` that is written in JavaScript.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use napi::Status;
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;
use serde::Deserialize;
use serde_json::Value;
use tagwarden::judge::{self, Facts, Finding};
use tagwarden::{Error, ErrorKind};

use crate::error::thrown;
use crate::host::Exception;

/// The code of a finding when the guardrail itself failed: what cannot be judged does not pass.
const FAILED: &str = "GUARDRAIL_FAILED";

/// How long JavaScript may be busy with other things before the guardrail counts as failed.
const TIME_OUT: Duration = Duration::from_secs(30);

/// A rule in JavaScript: a plain function of the facts.
#[napi]
pub struct Guardrail {
    rule: Arc<Rule>,
}

struct Rule {
    name: String,
    settings: Value,
    judge: ThreadsafeFunction<String, String, String, Status, false, true>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Given(Said),
    Thrown(Exception),
}

#[derive(Deserialize)]
#[serde(tag = "verdict", rename_all = "lowercase", deny_unknown_fields)]
enum Said {
    Pass { why: String },
    Warn { code: String, why: String },
    Refuse { code: String, why: String },
}

#[napi]
impl Guardrail {
    /// `settings` and what `judge` takes and gives are JSON text.
    #[napi(constructor, catch_unwind)]
    pub fn new(name: String, settings: String, judge: Function<String, String>) -> napi::Result<Guardrail> {
        let settings = serde_json::from_str(&settings)
            .map_err(|e| thrown(&Error::new(ErrorKind::ValueInvalid, format!("guardrail {name}: settings: {e}"))))?;
        let judge = judge.build_threadsafe_function().weak::<true>().build()?;
        Ok(Guardrail { rule: Arc::new(Rule { name, settings, judge }) })
    }
}

impl Guardrail {
    pub(crate) fn rule(&self) -> Arc<dyn judge::Guardrail> {
        Arc::clone(&self.rule) as Arc<dyn judge::Guardrail>
    }
}

impl Rule {
    /// What JavaScript answers, or why there is no answer.
    fn ask(&self, facts: &Facts) -> Result<String, String> {
        let facts = serde_json::to_string(facts).map_err(|e| e.to_string())?;
        let (tell, told) = sync_channel(1);
        let asked =
            self.judge.call_with_return_value(facts, ThreadsafeFunctionCallMode::NonBlocking, move |said, _| {
                // Whoever asked may have given up.
                drop(tell.try_send(said));
                Ok(())
            });
        if asked != Status::Ok {
            return Err("it cannot be asked any more".to_owned());
        }
        let said = tokio::task::block_in_place(|| told.recv_timeout(TIME_OUT));
        match said {
            Ok(said) => said.map_err(|e| e.reason.to_string()),
            Err(_) => Err(format!("it did not answer within {} s", TIME_OUT.as_secs())),
        }
    }
}

impl judge::Guardrail for Rule {
    fn name(&self) -> &str {
        &self.name
    }

    fn settings(&self) -> Value {
        self.settings.clone()
    }

    fn judge(&self, facts: &Facts) -> Finding {
        let said = self.ask(facts).and_then(|answer| match serde_json::from_str(&answer) {
            Ok(Answer::Given(said)) => Ok(said),
            Ok(Answer::Thrown(exception)) => Err(format!("it threw: {exception}")),
            Err(e) => Err(format!("it answered what it must not: {e}")),
        });
        match said {
            Ok(Said::Pass { why }) => Finding::pass(&self.name, why),
            Ok(Said::Warn { code, why }) => Finding::warn(&self.name, &code, why),
            Ok(Said::Refuse { code, why }) => Finding::refuse(&self.name, &code, why),
            Err(why) => Finding::refuse(&self.name, FAILED, why),
        }
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guardrail").field("name", &self.name).field("settings", &self.settings).finish_non_exhaustive()
    }
}
