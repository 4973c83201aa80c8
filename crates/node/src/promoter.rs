//! `Promoter`: the facade, one method for each of the core's.

use std::sync::Arc;

use napi::bindgen_prelude::{ClassInstance, Either4};
use napi_derive::napi;
use tagwarden::judge::{self, Policy};
use tagwarden::{Channel, Pipeline, Repository, Result, Terms};

use crate::call::Call;
use crate::error::thrown;
use crate::fields::Fields;
use crate::guardrail::Guardrail;
use crate::ledger::Ledger;
use crate::plan::{Approved, Plan};
use crate::registry::Registry;
use crate::terms::{how, operation, rule, terms, times};

/// A promoter over a registry and a ledger.
#[napi]
pub struct Promoter {
    core: tagwarden::Promoter,
}

#[napi]
impl Promoter {
    /// `options`: `{pipeline?, times?, policy?}`; `guardrails` judge after the built-in ones.
    #[napi(constructor, catch_unwind)]
    pub fn new(
        registry: &Registry,
        ledger: &Ledger,
        options: String,
        guardrails: Vec<ClassInstance<Guardrail>>,
    ) -> napi::Result<Promoter> {
        let core = tagwarden::Promoter::new(registry.port(), ledger.port());
        let guardrails = guardrails.iter().map(|guardrail| guardrail.rule()).collect();
        configured(core, &options, guardrails).map(|core| Promoter { core }).map_err(|error| thrown(&error))
    }

    /// `{channel, …, terms}`, where `op` says which operation.
    #[napi(catch_unwind)]
    pub fn plan(&self, op: String, request: String) -> Call {
        let promoter = self.core.clone();
        Call::start(async move {
            let (channel, operation, terms) = asked(&op, &request)?;
            let plan = promoter.plan(&channel, operation, terms).await?;
            Ok(Either4::B(Plan::from(plan)))
        })
    }

    /// Executes an approved plan.
    #[napi(catch_unwind)]
    pub fn execute(&self, approved: ClassInstance<Approved>) -> Call {
        let (promoter, approved) = (self.core.clone(), approved.take());
        Call::json(async move { promoter.execute(approved?).await })
    }

    /// Plans, approves and executes: `{channel, …, terms}`, where `op` says which operation.
    #[napi(catch_unwind)]
    pub fn run(&self, op: String, request: String) -> Call {
        let promoter = self.core.clone();
        Call::json(async move {
            let (channel, operation, terms) = asked(&op, &request)?;
            promoter.run(&channel, operation, terms).await
        })
    }

    /// `{channel, how?, patience?}`.
    #[napi(catch_unwind)]
    pub fn recover(&self, request: String) -> Call {
        let promoter = self.core.clone();
        Call::json(async move {
            let mut asked = Fields::parse("recover", &request)?;
            let channel: Channel = asked.need("channel")?;
            let (how, patience) = (how(&mut asked)?, asked.ms("patience")?);
            asked.end()?;
            promoter.recover(&channel, how, patience.unwrap_or(Terms::PATIENCE)).await
        })
    }

    /// `{channel, reason, provenance, until?}`.
    #[napi(catch_unwind)]
    pub fn hold(&self, request: String) -> Call {
        let promoter = self.core.clone();
        Call::json(async move {
            let mut asked = Fields::parse("hold", &request)?;
            let (channel, reason): (Channel, _) = (asked.need("channel")?, asked.need("reason")?);
            let (until, who) = (asked.take("until")?, asked.need("provenance")?);
            asked.end()?;
            promoter.hold(&channel, reason, until, &who).await
        })
    }

    /// `{channel, reason, provenance}`.
    #[napi(catch_unwind)]
    pub fn release(&self, request: String) -> Call {
        let promoter = self.core.clone();
        Call::json(async move {
            let mut asked = Fields::parse("release", &request)?;
            let (channel, reason): (Channel, _) = (asked.need("channel")?, asked.need("reason")?);
            let who = asked.need("provenance")?;
            asked.end()?;
            promoter.release(&channel, reason, &who).await
        })
    }

    #[napi(catch_unwind)]
    pub fn channels(&self) -> Call {
        let promoter = self.core.clone();
        Call::json(async move { promoter.channels().await })
    }

    /// `{channel}`.
    #[napi(catch_unwind)]
    pub fn current(&self, request: String) -> Call {
        let promoter = self.core.clone();
        Call::json(async move { promoter.current(&one("current", &request)?).await })
    }

    /// `{channel}`.
    #[napi(catch_unwind)]
    pub fn previous(&self, request: String) -> Call {
        let promoter = self.core.clone();
        Call::json(async move { promoter.previous(&one("previous", &request)?).await })
    }

    /// `{channel, before?, limit}`.
    #[napi(catch_unwind)]
    pub fn history(&self, request: String) -> Call {
        let promoter = self.core.clone();
        Call::json(async move {
            let mut asked = Fields::parse("history", &request)?;
            let channel: Channel = asked.need("channel")?;
            let (before, limit) = (asked.take("before")?, asked.need("limit")?);
            asked.end()?;
            promoter.history(&channel, before, limit).await
        })
    }

    /// `{channel, at}`.
    #[napi(catch_unwind)]
    pub fn at(&self, request: String) -> Call {
        let promoter = self.core.clone();
        Call::json(async move {
            let mut asked = Fields::parse("at", &request)?;
            let (channel, at): (Channel, _) = (asked.need("channel")?, asked.need("at")?);
            asked.end()?;
            promoter.at(&channel, at).await
        })
    }

    /// `{channels}`.
    #[napi(catch_unwind)]
    pub fn audit(&self, request: String) -> Call {
        let promoter = self.core.clone();
        Call::json(async move {
            let mut asked = Fields::parse("audit", &request)?;
            let channels: Vec<Channel> = asked.need("channels")?;
            asked.end()?;
            promoter.audit(&channels).await
        })
    }

    /// `{channel}`.
    #[napi(catch_unwind)]
    pub fn verify(&self, request: String) -> Call {
        let promoter = self.core.clone();
        Call::json(async move { promoter.verify(&one("verify", &request)?).await })
    }

    /// `{repository, rule?}`.
    #[napi(catch_unwind)]
    pub fn retention_plan(&self, request: String) -> Call {
        let promoter = self.core.clone();
        Call::json(async move {
            let mut asked = Fields::parse("retentionPlan", &request)?;
            let (repository, rule): (Repository, _) = (asked.need("repository")?, rule(&mut asked)?);
            asked.end()?;
            promoter.retention_plan(&repository, &rule).await
        })
    }

    /// `{repository, digest, rule?}`.
    #[napi(catch_unwind)]
    pub fn may_delete(&self, request: String) -> Call {
        let promoter = self.core.clone();
        Call::json(async move {
            let mut asked = Fields::parse("mayDelete", &request)?;
            let (repository, rule): (Repository, _) = (asked.need("repository")?, rule(&mut asked)?);
            let digest = asked.need("digest")?;
            asked.end()?;
            promoter.may_delete(&repository, &rule, &digest).await
        })
    }
}

fn configured(
    mut promoter: tagwarden::Promoter,
    options: &str,
    own: Vec<Arc<dyn judge::Guardrail>>,
) -> Result<tagwarden::Promoter> {
    let mut asked = Fields::parse("Promoter", options)?;
    if let Some(pipeline) = asked.take::<Pipeline>("pipeline")? {
        promoter = promoter.with_pipeline(pipeline);
    }
    match asked.take("policy")? {
        Some(name) => {
            let all = Policy::standard().guardrails().iter().cloned().chain(own).collect();
            promoter = promoter.with_policy(Policy::new(name, all)?);
        }
        None if own.is_empty() => {}
        None => {
            return Err(asked.wrong("policy", "it is missing: guardrails of your own make a policy of another name"));
        }
    }
    if let Some(times) = times(&mut asked)? {
        promoter = promoter.with_times(times);
    }
    asked.end()?;
    Ok(promoter)
}

/// A channel, an operation with its arguments, and the terms.
fn asked(op: &str, request: &str) -> Result<(Channel, tagwarden::Operation, Terms)> {
    let mut asked = Fields::parse(op, request)?;
    let channel = asked.need("channel")?;
    let operation = operation(op, &mut asked)?;
    Ok((channel, operation, terms(asked)?))
}

/// A channel and nothing else.
fn one(call: &str, request: &str) -> Result<Channel> {
    let mut asked = Fields::parse(call, request)?;
    let channel = asked.need("channel")?;
    asked.end()?;
    Ok(channel)
}
