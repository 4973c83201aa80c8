//! `OverrideRule`: the guardrails that may be overridden by name, and the people who may.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::value::{ActorName, Line, joined};

/// The guardrails that may be overridden, and the actors who may. By default every guardrail that can be overridden at
/// all may be, by everyone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OverrideRule {
    /// The only guardrails that may be overridden; none restricts nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<BTreeSet<Line>>,
    /// The only actors who may override; none restricts nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<BTreeSet<ActorName>>,
}

impl OverrideRule {
    /// The reason why this actor may not override the guardrail; none if the actor may.
    pub(super) fn forbids(&self, guardrail: &Line, actor: &ActorName) -> Option<String> {
        if let Some(allowed) = self.allowed.as_ref().filter(|allowed| !allowed.contains(guardrail)) {
            return Some(match allowed.is_empty() {
                true => "the policy lets no guardrail be overridden".to_owned(),
                false => format!("the policy does not let it be overridden, only {}", joined(allowed, ", ")),
            });
        }
        let by = self.by.as_ref().filter(|by| !by.contains(actor))?;
        Some(format!("{actor} may not override it, only {}", joined(by, ", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forbids(allowed: Option<&[&str]>, by: Option<&[&str]>, guardrail: &str, actor: &str) -> Option<String> {
        let rule = OverrideRule {
            allowed: allowed.map(|all| all.iter().map(|name| name.parse().unwrap()).collect()),
            by: by.map(|all| all.iter().map(|name| name.parse().unwrap()).collect()),
        };
        rule.forbids(&guardrail.parse().unwrap(), &actor.parse().unwrap())
    }

    #[test]
    fn override_is_limited_by_guardrail_and_by_actor() {
        let (parts, grace) = (Some(&["parts-present"][..]), Some(&["github-actions:grace"][..]));
        assert_eq!(forbids(None, None, "ledger-complete", "manual:ada"), None);
        assert_eq!(forbids(parts, None, "parts-present", "manual:ada"), None);
        assert_eq!(forbids(parts, grace, "parts-present", "github-actions:grace"), None);
        assert_eq!(
            forbids(parts, None, "ledger-complete", "manual:ada").unwrap(),
            "the policy does not let it be overridden, only parts-present"
        );
        assert_eq!(
            forbids(Some(&[]), None, "parts-present", "manual:ada").unwrap(),
            "the policy lets no guardrail be overridden"
        );
        for actor in ["manual:grace", "github-actions:ada"] {
            let why = forbids(parts, grace, "parts-present", actor).unwrap();
            assert_eq!(why, format!("{actor} may not override it, only github-actions:grace"));
        }
    }
}
