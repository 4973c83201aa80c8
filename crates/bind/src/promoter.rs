//! The facade, by name.

use std::sync::Arc;

use serde::Serialize;
use tagwarden::judge::{Guardrail, Policy};
use tagwarden::{Channel, Error, ErrorKind, Operation, Pipeline, Promoter, Repository, Result, Terms};

use crate::fields::Fields;
use crate::plan::Plan;
use crate::terms::{how, operation, rule, terms, times};

/// What a call gives: JSON text, or something that stays on this side.
#[derive(Debug)]
pub enum Given {
    /// The core's own JSON.
    Json(String),
    /// A plan, to be approved.
    Plan(Box<Plan>),
}

impl Given {
    /// The JSON text of a value.
    pub fn json<T: Serialize>(value: &T) -> Result<Given> {
        let text = serde_json::to_string(value);
        text.map(Given::Json).map_err(|e| Error::new(ErrorKind::InternalFault, "a result has no JSON").because(e))
    }
}

/// A promoter with `{pipeline?, times?}`, and the standard policy with these guardrails behind its own.
pub fn with_options(promoter: Promoter, mut asked: Fields, guardrails: Vec<Arc<dyn Guardrail>>) -> Result<Promoter> {
    let mut promoter = promoter;
    if let Some(pipeline) = asked.take::<Pipeline>("pipeline")? {
        promoter = promoter.with_pipeline(pipeline);
    }
    if let Some(times) = times(&mut asked)? {
        promoter = promoter.with_times(times);
    }
    asked.end()?;
    if !guardrails.is_empty() {
        let standard = Policy::standard();
        let all = standard.guardrails().iter().cloned().chain(guardrails).collect();
        promoter = promoter.with_policy(Policy::new("custom".parse()?, all)?);
    }
    Ok(promoter)
}

/// Calls the promoter's method of this name, which is in snake case: one for each of the core's but `execute`.
pub async fn promoter(promoter: Promoter, method: &str, mut asked: Fields) -> Result<Given> {
    match method {
        "plan" => {
            let op: String = asked.need("op")?;
            let (channel, operation, terms) = a_move(&op, asked)?;
            Ok(Given::Plan(Box::new(Plan::of(promoter.plan(&channel, operation, terms).await?))))
        }
        "promote" | "rollback" | "bootstrap" | "repair" | "adopt" => {
            let (channel, operation, terms) = a_move(method, asked)?;
            Given::json(&promoter.run(&channel, operation, terms).await?)
        }
        "recover" => {
            let channel: Channel = asked.need("channel")?;
            let (how, patience) = (how(&mut asked)?, asked.ms("patience")?);
            asked.end()?;
            Given::json(&promoter.recover(&channel, how, patience.unwrap_or(Terms::PATIENCE)).await?)
        }
        "hold" => {
            let (channel, reason): (Channel, _) = (asked.need("channel")?, asked.need("reason")?);
            let (until, who) = (asked.take("until")?, asked.need("provenance")?);
            asked.end()?;
            Given::json(&promoter.hold(&channel, reason, until, &who).await?)
        }
        "release" => {
            let (channel, reason): (Channel, _) = (asked.need("channel")?, asked.need("reason")?);
            let who = asked.need("provenance")?;
            asked.end()?;
            Given::json(&promoter.release(&channel, reason, &who).await?)
        }
        "channels" => {
            asked.end()?;
            Given::json(&promoter.channels().await?)
        }
        "current" => Given::json(&promoter.current(&one(asked)?).await?),
        "previous" => Given::json(&promoter.previous(&one(asked)?).await?),
        "history" => {
            let channel: Channel = asked.need("channel")?;
            let (before, limit) = (asked.take("before")?, asked.need("limit")?);
            asked.end()?;
            Given::json(&promoter.history(&channel, before, limit).await?)
        }
        "at" => {
            let (channel, at): (Channel, _) = (asked.need("channel")?, asked.need("at")?);
            asked.end()?;
            Given::json(&promoter.at(&channel, at).await?)
        }
        "audit" => {
            let channels: Vec<Channel> = asked.need("channels")?;
            asked.end()?;
            Given::json(&promoter.audit(&channels).await?)
        }
        "verify" => Given::json(&promoter.verify(&one(asked)?).await?),
        "retention_plan" => {
            let (repository, rule): (Repository, _) = (asked.need("repository")?, rule(&mut asked)?);
            asked.end()?;
            Given::json(&promoter.retention_plan(&repository, &rule).await?)
        }
        "may_delete" => {
            let (repository, rule): (Repository, _) = (asked.need("repository")?, rule(&mut asked)?);
            let digest = asked.need("digest")?;
            asked.end()?;
            Given::json(&promoter.may_delete(&repository, &rule, &digest).await?)
        }
        other => Err(Error::new(ErrorKind::InternalFault, format!("a promoter has no method {other}"))),
    }
}

/// A channel, an operation with its arguments, and the terms.
fn a_move(op: &str, mut asked: Fields) -> Result<(Channel, Operation, Terms)> {
    let channel = asked.need("channel")?;
    let operation = operation(op, &mut asked)?;
    Ok((channel, operation, terms(asked)?))
}

/// A channel and nothing else.
fn one(mut asked: Fields) -> Result<Channel> {
    let channel = asked.need("channel")?;
    asked.end()?;
    Ok(channel)
}
