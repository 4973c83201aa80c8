//! Guardrails that are objects of JavaScript.

use std::fmt;

use async_trait::async_trait;
use napi::bindgen_prelude::{Object, Unknown};
use napi::{Env, JsValue as _};
use serde::Deserialize;
use serde_json::Value;
use tagwarden::policy::Facts;
use tagwarden_bind::convert::to;
use tagwarden_bind::foreign::{Answer, ForeignGuardrail, Guardrails, Judgement};

use crate::args::Wrong;
use crate::backend::{Host, Method};
use crate::call::sync;
use crate::js::Js;
use crate::records::{self, Retry, Verdict};

struct JsGuardrail {
    name: String,
    judge: Method<records::Facts, PolicyEvaluation>,
}

/// A guardrail's result. `types.d.ts` describes it.
#[derive(Deserialize)]
struct PolicyEvaluation {
    verdict: Verdict,
    code: Option<String>,
    why: String,
    retry: Option<Retry>,
}

/// The `guardrails` of these options: objects `{name, settings?, judge, timeoutMs?}`.
pub fn own_guardrails(options: &Unknown<'_>) -> napi::Result<Guardrails> {
    let env = Env::from_raw(options.value().env);
    let own = options.coerce_to_object()?.get::<Vec<Object<'_>>>("guardrails");
    let own = own.map_err(|_| Wrong::odd("guardrails: an array of objects is needed").thrown(&env))?;
    let mut guardrails = Guardrails::default();
    for object in own.unwrap_or_default() {
        let (name, settings) = described(&object).map_err(|wrong| wrong.thrown(&env))?;
        let host = Host::of(&format!("guardrail {name}"), &object.to_unknown(), &["judge"])?;
        let judge = JsGuardrail { judge: host.method("judge", "what is no finding")?, name: name.clone() };
        sync(guardrails.add(name, settings, judge, host.timeout))?;
    }
    Ok(guardrails)
}

/// The name and the settings of a guardrail.
fn described(guardrail: &Object<'_>) -> Result<(String, Value), Wrong> {
    let name = guardrail.get("name")?.and_then(|name| String::deserialize(Js(name)).ok());
    let settings = guardrail.get("settings")?.map(|settings| Value::deserialize(Js(settings))).transpose()?;
    Ok((name.ok_or_else(|| Wrong::odd("guardrail: it has no name"))?, settings.unwrap_or_default()))
}

#[async_trait]
impl ForeignGuardrail for JsGuardrail {
    async fn judge(&self, facts: &Facts) -> Answer<Judgement> {
        let PolicyEvaluation { verdict, code, why, retry } = self.judge.ask(to(facts.clone())).await?;
        Ok(Judgement { verdict: verdict.into(), code, why, retry: retry.map(Into::into) })
    }
}

impl fmt::Debug for JsGuardrail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
