//! A guardrail that is written in the other language.

use std::fmt;

use serde::Deserialize;
use serde_json::{Value, json};
use tagwarden::judge::{Expect, Facts, Finding, Guardrail};

use crate::host::HostError;

/// The code of a finding whose guardrail raised an exception, or gave what is no finding.
pub const GUARDRAIL_FAILED: &str = "GUARDRAIL_FAILED";

/// An object of the other language that judges facts, which are JSON.
pub trait Judge: fmt::Debug + Send + Sync + 'static {
    /// Its finding: `{verdict, code?, why}`.
    fn judge(&self, facts: Value) -> Result<Value, HostError>;
}

/// A guardrail of the other language. What it raises refuses the move.
#[derive(Debug)]
pub struct Guard<J> {
    /// Its name, in lower case with dashes; unique in a policy.
    pub name: String,
    /// What it is set to; it goes into the policy's digest.
    pub settings: Value,
    /// What judges.
    pub judge: J,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Found {
    verdict: String,
    code: Option<String>,
    why: String,
}

impl<J: Judge> Guardrail for Guard<J> {
    fn name(&self) -> &str {
        &self.name
    }

    fn settings(&self) -> Value {
        self.settings.clone()
    }

    fn judge(&self, facts: &Facts) -> Finding {
        let failed = |why: String| Finding::refuse(&self.name, GUARDRAIL_FAILED, why);
        let found = match self.judge.judge(facts_json(facts)).map(serde_json::from_value::<Found>) {
            Ok(Ok(found)) => found,
            Ok(Err(e)) => return failed(format!("it gave what is no finding: {e}")),
            Err(raised) => return failed(raised.message),
        };
        match (found.verdict.as_str(), found.code) {
            ("pass", None) => Finding::pass(&self.name, found.why),
            ("warn", Some(code)) => Finding::warn(&self.name, &code, found.why),
            ("refuse", Some(code)) => Finding::refuse(&self.name, &code, found.why),
            (verdict, _) => {
                failed(format!("it gave what is no finding: {verdict:?}; pass has no code, warn and refuse have one"))
            }
        }
    }
}

fn facts_json(facts: &Facts) -> Value {
    let upstream = facts.upstream.as_ref().map(|upstream| {
        json!({
            "environment": upstream.environment,
            "channel": upstream.channel,
            "live": upstream.live,
            "passage": upstream.passage,
        })
    });
    let expect = match facts.expect {
        Expect::Any => json!("any"),
        Expect::Absent => json!("absent"),
        Expect::At(digest) => json!(digest),
    };
    json!({
        "op": facts.op,
        "channel": facts.channel,
        "live": facts.live,
        "previous": facts.previous,
        "observed": facts.observed,
        "source": facts.source,
        "target": facts.target,
        "expect": expect,
        "provenance": facts.provenance,
        "hold": facts.hold,
        "upstream": upstream,
        "here": facts.here,
        "at": facts.at,
    })
}
