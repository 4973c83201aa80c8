//! `Mode`: the strongest verdict that a guardrail may give; and the facts about a guardrail for policies and people.

use std::collections::BTreeSet;

use crate::log::Op;

crate::error::words! {
    /// The strongest verdict that a guardrail may give.
    pub enum Mode {
        /// The guardrail does not judge.
        Off => "off",
        /// Its refusals count as warnings.
        Warn => "warn",
        /// Its refusals stop the move.
        Refuse => "refuse",
    }
}

/// The facts about a guardrail that do not depend on a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardrailInfo {
    /// The condition under which it refuses, to be read after "refuses if". Empty if the guardrail names none.
    pub refuses_if: &'static str,
    /// Its mode, unless the policy sets another one.
    pub mode: Mode,
    /// The modes that a policy may set.
    pub modes: &'static [Mode],
    /// The operations that it is meant for. It judges no other, unless the policy adds one.
    pub ops: &'static [Op],
    /// The operations in which its refusal can be overridden by name. If there are any, the refusal can also be
    /// overridden in the operations that a policy adds.
    pub overridable: &'static [Op],
}

impl GuardrailInfo {
    /// As the default, with the condition under which it refuses.
    pub(super) fn refusing_if(refuses_if: &'static str) -> GuardrailInfo {
        GuardrailInfo { refuses_if, ..GuardrailInfo::default() }
    }
}

impl Default for GuardrailInfo {
    /// It refuses, may have any mode, judges every operation, and cannot be overridden.
    fn default() -> GuardrailInfo {
        GuardrailInfo { refuses_if: "", mode: Mode::Refuse, modes: Mode::ALL, ops: Op::ALL, overridable: &[] }
    }
}

/// The use that a policy makes of one of its guardrails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardrailUse {
    /// Its mode; by default the mode in the guardrail's info.
    pub mode: Option<Mode>,
    /// The operations that the policy adds to those that it is meant for; none by default.
    pub ops: BTreeSet<Op>,
}
