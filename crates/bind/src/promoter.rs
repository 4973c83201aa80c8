//! The promoter, called by method name.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tagwarden::ledger::Ledger;
use tagwarden::log::Unhold;
use tagwarden::policy::{Guardrail, Policy};
use tagwarden::promotion::{AuditLooks, AuditOptions};
use tagwarden::registry::Registry;
use tagwarden::{
    AsWritten, Channel, Environment, Error, ErrorKind, MoveOptions, Operation, Pipeline, Repository, Result, Stage,
};

use crate::error::Failure;
use crate::fields::Fields;
use crate::guard::Guard;
use crate::plan::{ApprovedPlan, Plan};
use crate::terms::{hold, mode, operation, rule, terms, times};
use crate::value::built;

/// The result of a call: JSON text, or an object that stays in Rust.
#[derive(Debug)]
pub enum Given {
    /// The core's own JSON.
    Json(String),
    /// A plan, for approval.
    Plan(Box<Plan>),
}

impl Given {
    /// The JSON text of a value.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Given> {
        let text = serde_json::to_string(value);
        text.map(Given::Json).map_err(|e| Error::new(ErrorKind::InternalFault, "a result has no JSON").with_source(e))
    }
}

/// A promoter, with the guardrails of the other language in its policy.
#[derive(Clone, Debug)]
pub struct Promoter {
    core: tagwarden::Promoter,
    guards: Guards,
}

impl Promoter {
    /// A promoter with `{pipeline?, times?, policy?}`. These guardrails are added after those of the standard policy.
    pub fn over(
        registry: Arc<dyn Registry>,
        ledger: Arc<dyn Ledger>,
        mut asked: Fields,
        guards: Vec<Guard>,
    ) -> Result<Promoter> {
        let mut core = tagwarden::Promoter::builder().registry(registry).ledger(ledger);
        if let Some(stages) = asked.take::<Vec<WrittenStage>>("pipeline")? {
            let pipeline = Pipeline::new(stages.into_iter().map(Stage::from).collect());
            core = core.pipeline(pipeline.map_err(|e| asked.wrong("pipeline", e))?);
        }
        if let Some(times) = times(&mut asked)? {
            core = core.times(times);
        }
        let guards = Guards(guards.into_iter().map(Arc::new).collect());
        match asked.text("policy")? {
            Some(name) => {
                let own = guards.0.iter().map(|guard| Arc::clone(guard) as Arc<dyn Guardrail>);
                let all = Policy::standard().guardrails().iter().cloned().chain(own).collect();
                core = core.policy(Policy::new(name, all)?);
            }
            None if guards.0.is_empty() => {}
            None => {
                return Err(
                    asked.wrong("policy", "it is missing: guardrails of your own make another policy, so name it")
                );
            }
        }
        asked.end()?;
        Ok(Promoter { core: core.build()?, guards })
    }

    /// Calls the method of this name, in snake case: every method of the core's promoter but `execute`.
    pub async fn call(&self, method: &str, asked: Fields) -> std::result::Result<Given, Failure> {
        self.given(method, asked).await.map_err(|error| self.guards.blame(error.into()))
    }

    /// Executes an approved plan. Each plan can be executed once.
    pub async fn execute(&self, approved: &ApprovedPlan) -> std::result::Result<Given, Failure> {
        let approved = approved.take()?;
        let receipt = self.core.execute(approved).await;
        receipt.and_then(|receipt| Given::json(&receipt)).map_err(|error| self.guards.blame(error.into()))
    }

    async fn given(&self, method: &str, mut asked: Fields) -> Result<Given> {
        let promoter = &self.core;
        match method {
            "plan" => {
                let op: String = asked.need("op")?;
                let (channel, operation, terms) = a_move(&op, asked)?;
                let plan = promoter.plan(&channel, operation, terms).await?;
                Ok(Given::Plan(Box::new(Plan::new(plan, self.guards.clone()))))
            }
            "promote" | "rollback" | "bootstrap" | "repair" | "adopt" => {
                let (channel, operation, terms) = a_move(method, asked)?;
                Given::json(&promoter.run(&channel, operation, terms).await?)
            }
            "recover" => {
                let channel: Channel = asked.written("channel")?;
                let (mode, timeout) = (mode(&mut asked)?, asked.ms("timeout")?);
                let provenance = built(&mut asked)?;
                asked.end()?;
                let timeout = timeout.unwrap_or(MoveOptions::TIMEOUT);
                Given::json(&promoter.recover(&channel, mode, provenance, timeout).await?)
            }
            "hold" => {
                let channel: Channel = asked.written("channel")?;
                let hold = hold(asked)?;
                Given::json(&promoter.hold(&channel, hold).await?)
            }
            "unhold" => {
                let channel: Channel = asked.written("channel")?;
                let (hold, reason) = (asked.need("hold")?, asked.need_text("reason")?);
                let provenance = built(&mut asked)?;
                asked.end()?;
                Given::json(&promoter.unhold(&channel, Unhold { hold, reason, provenance }).await?)
            }
            "unhold_mine" => {
                let (channel, reason): (Channel, _) = (asked.written("channel")?, asked.need_text("reason")?);
                let provenance = built(&mut asked)?;
                asked.end()?;
                Given::json(&promoter.unhold_mine(&channel, reason, provenance).await?)
            }
            "holds" => Given::json(&promoter.holds(&one(asked)?).await?),
            "channels" => {
                asked.end()?;
                Given::json(&promoter.channels().await?)
            }
            "current" => Given::json(&promoter.current(&one(asked)?).await?),
            "previous" => Given::json(&promoter.previous(&one(asked)?).await?),
            "history" => {
                let channel: Channel = asked.written("channel")?;
                let (before, limit) = (asked.take("before")?, asked.need("limit")?);
                asked.end()?;
                Given::json(&promoter.history_page(&channel, before, limit).await?)
            }
            "at" => {
                let (channel, at): (Channel, _) = (asked.written("channel")?, asked.need("at")?);
                asked.end()?;
                Given::json(&promoter.at(&channel, at).await?)
            }
            "audit" => {
                let channels: Vec<AsWritten<Channel>> = asked.need("channels")?;
                let channels: Vec<Channel> = channels.into_iter().map(|AsWritten(channel)| channel).collect();
                let timeout = asked.ms("timeout")?.unwrap_or(MoveOptions::TIMEOUT);
                let settle: Option<bool> = asked.take("settle")?;
                let parts: Option<bool> = asked.take("parts")?;
                asked.end()?;
                let looks = if parts.unwrap_or(false) { AuditLooks::TagAndParts } else { AuditLooks::Tag };
                let options = AuditOptions::default().timeout(settle.unwrap_or(true).then_some(timeout)).looks(looks);
                Given::json(&promoter.audit_with(&channels, options).await?)
            }
            "verify" => Given::json(&promoter.verify(&one(asked)?).await?),
            "retention_plan" => {
                let (repository, rule): (Repository, _) = (asked.written("repository")?, rule(&mut asked)?);
                asked.end()?;
                Given::json(&promoter.retention_plan(&repository, &rule).await?)
            }
            "may_delete" => {
                let (repository, rule): (Repository, _) = (asked.written("repository")?, rule(&mut asked)?);
                let digest = asked.need("digest")?;
                asked.end()?;
                Given::json(&promoter.may_delete(&repository, &rule, &digest).await?)
            }
            other => Err(Error::new(ErrorKind::InternalFault, format!("a promoter has no method {other}"))),
        }
    }
}

/// The guardrails of the other language in a policy.
#[derive(Clone, Debug)]
pub(crate) struct Guards(Vec<Arc<Guard>>);

impl Guards {
    /// Adds the exception of a guardrail to a refusal as its cause.
    pub(crate) fn blame(&self, failure: Failure) -> Failure {
        let findings = failure.refusal().map_or(&[][..], |refusal| refusal.findings());
        let raised = findings.iter().find_map(|finding| self.0.iter().find_map(|guard| guard.blamed(finding)));
        failure.blaming(raised)
    }
}

/// A stage of a pipeline, as people write it.
#[derive(Deserialize)]
struct WrittenStage {
    environment: Environment,
    channel: AsWritten<Channel>,
}

impl From<WrittenStage> for Stage {
    fn from(WrittenStage { environment, channel: AsWritten(channel) }: WrittenStage) -> Stage {
        Stage { environment, channel }
    }
}

/// Reads a channel, an operation with its arguments, and the terms of the move.
fn a_move(op: &str, mut asked: Fields) -> Result<(Channel, Operation, MoveOptions)> {
    let channel = asked.written("channel")?;
    let (operation, tag) = operation(op, &mut asked)?;
    let mut terms = terms(asked)?;
    terms.tag = tag;
    Ok((channel, operation, terms))
}

/// Reads a channel, the only argument.
fn one(mut asked: Fields) -> Result<Channel> {
    let channel = asked.written("channel")?;
    asked.end()?;
    Ok(channel)
}
