//! `EnvironmentConfig`: one environment of the pipeline, with the policy of its moves.

use std::collections::{BTreeMap, BTreeSet};

use super::keys;
use super::source::Item;
use crate::error::Result;
use crate::log::Op;
use crate::policy::{ForwardOnly, GuardrailInfo, GuardrailUse, Mode, Order, OrderBy, OverrideRule, Policy};
use crate::promotion::AfterRollback;
use crate::value::{AsWritten, Channel, Environment, Line, joined};

/// One environment of the pipeline: its channel, and the policy of its moves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EnvironmentConfig {
    /// The environment's name.
    pub environment: Environment,
    /// The channel that it consumes.
    pub channel: Channel,
    /// The policy of its moves, with the pipeline and the order of releases. It has the environment's name if the file
    /// has a `[pipeline.policy]` for it; otherwise it is the standard policy.
    pub policy: Policy,
    /// The guardrails that the file configures, by name.
    pub guardrails: BTreeMap<String, GuardrailUse>,
    /// The step that each rollback takes before it moves the channel.
    pub after_rollback: AfterRollback,
}

impl EnvironmentConfig {
    /// Reads one `[[pipeline]]`. Its policy has no pipeline and no order yet; `order` is that of the file.
    pub(super) fn read(item: Item<'_>, order: Option<Order>) -> Result<EnvironmentConfig> {
        let table = item.table(&keys::stage())?;
        let environment: Environment = table.needed("environment")?.parsed()?;
        let AsWritten(channel) = table.needed("channel")?.parsed()?;
        let standard = Policy::standard();
        let Some(settings) = table.get("policy") else {
            let (guardrails, after_rollback) = (BTreeMap::new(), AfterRollback::Nothing);
            return Ok(EnvironmentConfig { environment, channel, policy: standard, guardrails, after_rollback });
        };
        let table = settings.table(&keys::policy())?;
        let mut policy = Policy::new(Line::lossy(environment.as_str()), standard.guardrails().to_vec())?;
        let mut guardrails = BTreeMap::new();
        let ordered = order.is_some_and(|order| order.by() != OrderBy::Unordered);
        for (name, info) in keys::guardrails() {
            let Some(item) = table.get(&name) else { continue };
            let used = used(item, &name, &info)?;
            // Without an order it would pass every release, and the file would promise what does not hold.
            if name == ForwardOnly::NAME && used.mode != Some(Mode::Off) && !ordered {
                return Err(item.bad("forward-only needs `[order]`"));
            }
            policy = item.with(policy.with_use(&name, used.clone()))?;
            guardrails.insert(name, used);
        }
        let after_rollback = match table.get("after-rollback") {
            Some(after) => after.word(AfterRollback::ALL, AfterRollback::as_str)?,
            None => AfterRollback::Nothing,
        };
        if let Some(limits) = table.get("override") {
            policy = policy.with_overrides(overrides(limits)?);
        }
        Ok(EnvironmentConfig { environment, channel, policy, guardrails, after_rollback })
    }
}

/// Reads the use of a guardrail: a mode, or `{ mode = "warn", ops = ["promote"] }`.
fn used(item: Item<'_>, name: &str, info: &GuardrailInfo) -> Result<GuardrailUse> {
    let mode = |item: Item<'_>| match item.word(Mode::ALL, Mode::as_str)? {
        mode if info.modes.contains(&mode) => Ok(mode),
        mode => {
            let modes = joined(info.modes.iter().map(|mode| format!("`{}`", mode.as_str())), " or ");
            Err(item.bad(format!("{name} cannot be `{}`, only {modes}", mode.as_str())))
        }
    };
    if !item.is_table() {
        return Ok(GuardrailUse { mode: Some(mode(item)?), ops: BTreeSet::new() });
    }
    let table = item.table(&keys::guardrail(info))?;
    // A guardrail that is configured refuses, unless its mode says otherwise.
    let mode = table.get("mode").map_or(Ok(Mode::Refuse), mode)?;
    let ops = match table.get("ops") {
        Some(ops) if mode == Mode::Off => return Err(ops.bad("a guardrail that is off judges no operation")),
        Some(ops) => ops.set(|op| op.word(Op::ALL, Op::as_str))?,
        None => BTreeSet::new(),
    };
    Ok(GuardrailUse { mode: Some(mode), ops })
}

/// Reads `{ allowed = ["parts-present"], by = ["github-actions:grace"] }`.
fn overrides(item: Item<'_>) -> Result<OverrideRule> {
    let table = item.table(&keys::overrides())?;
    let overridable = keys::overridable();
    let names: Vec<&str> = overridable.iter().map(String::as_str).collect();
    let name = |item: Item<'_>| item.word(&names, |name| name).map(Line::lossy);
    let (allowed, by) = (table.get("allowed"), table.get("by"));
    let rule = OverrideRule {
        allowed: allowed.map(|allowed| allowed.set(name)).transpose()?,
        by: by.map(|by| by.set(Item::parsed)).transpose()?,
    };
    match (&rule.allowed, &rule.by, by) {
        (None, None, _) => Err(item.bad("`override` needs `allowed`, `by` or both")),
        (Some(allowed), Some(_), Some(by)) if allowed.is_empty() => {
            Err(by.bad("`allowed` lets no guardrail be overridden, so there is no actor who may"))
        }
        (_, Some(actors), Some(by)) if actors.is_empty() => {
            Err(by.bad("no actor may override; write `allowed = []` instead"))
        }
        _ => Ok(rule),
    }
}
