//! `NotBlocked`: the guardrail against releases that are declared unfit.

use super::facts::{BlockedOn, Facts};
use super::finding::Finding;
use super::guardrail::Guardrail;
use super::mode::{GuardrailInfo, Mode};
use crate::log::Op;
use crate::value::{Channel, Digest, joined};

/// The target is not blocked, here or in an earlier environment (TARGET_BLOCKED). It cannot be overridden: end the
/// block instead. An adoption, and a bootstrap of the tag as it is, warn: they record what is there.
#[derive(Clone, Copy, Debug, Default)]
pub struct NotBlocked;

impl NotBlocked {
    /// Its name.
    pub const NAME: &'static str = "not-blocked";

    /// The reason of a refusal: the blocks, and the commands that help.
    pub(crate) fn why(blocks: &[BlockedOn], help: &str) -> String {
        format!("{}; {help}", joined(blocks, "; "))
    }

    /// The option that names the channel whose log has a block; none for the pipeline's first, which is the default.
    pub(crate) fn only(channel: &Channel, first: Option<&Channel>) -> String {
        if first == Some(channel) { String::new() } else { format!(" --only {channel}") }
    }

    /// The commands that end every block of the target.
    fn ends(facts: &Facts) -> String {
        let commands = facts.blocks.iter().map(|BlockedOn { channel, block }| {
            let only = Self::only(channel, facts.first.as_ref());
            format!("tagwarden unblock {}{only} --reason …", block.digest)
        });
        joined(commands, " and ")
    }

    /// The warning of an audit about a live digest that is blocked while the tag points elsewhere.
    pub(crate) fn drifted(channel: &Channel, blocks: &[BlockedOn], instead: Option<Digest>) -> Finding {
        let help = format!("a repair to it is refused; {}", Self::way_out(channel, instead));
        Finding::warn(Self::NAME, "TARGET_BLOCKED", Self::why(blocks, &help))
    }

    /// The warning of an audit about a tag that points at a blocked digest while another one is live.
    pub(crate) fn observed(channel: &Channel, blocks: &[BlockedOn], instead: Option<Digest>) -> Finding {
        let out = Self::way_out(channel, instead);
        let help = format!("put back what is live: tagwarden repair {channel}; or {out}");
        Finding::warn(Self::NAME, "TARGET_BLOCKED", Self::why(blocks, &help))
    }

    /// The commands that lead away from a blocked digest under drift.
    pub(crate) fn way_out(channel: &Channel, instead: Option<Digest>) -> String {
        let back = Self::roll_back(channel, instead);
        format!("adopt what is there (tagwarden adopt {channel} --reason …), then {back}")
    }

    /// The command that leads away from a blocked digest.
    pub(crate) fn roll_back(channel: &Channel, instead: Option<Digest>) -> String {
        match instead {
            Some(digest) => format!("roll back: tagwarden rollback {channel} --to {digest}"),
            None => format!("promote another release: no earlier one of {channel} is unblocked"),
        }
    }
}

impl Guardrail for NotBlocked {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn info(&self) -> GuardrailInfo {
        // A block also stops a move that has its intent: in another mode the move would begin, and then be aborted.
        let (refuses_if, modes) = ("the target is blocked here or in an earlier environment", &[Mode::Refuse]);
        GuardrailInfo { refuses_if, modes, ..GuardrailInfo::default() }
    }

    fn judge(&self, facts: &Facts) -> Finding {
        let Facts { op, channel, blocks, instead, .. } = facts;
        if blocks.is_empty() {
            return Finding::pass(self.name(), "neither this channel nor an earlier environment blocks it");
        }
        let back = Self::roll_back(channel, *instead);
        let (takes, help) = match op {
            Op::Adopt => (true, format!("it is recorded as it is; next, {back}")),
            Op::Bootstrap if facts.source.is_none() => {
                (true, "it is recorded as it is; next, promote another".to_owned())
            }
            Op::Promote | Op::Bootstrap => {
                (false, format!("promote another release, or end the block: {}", Self::ends(facts)))
            }
            Op::Rollback => (false, format!("instead, {back}")),
            Op::Repair => (false, Self::way_out(channel, *instead)),
        };
        let finding = if takes { Finding::warn } else { Finding::refuse };
        finding(self.name(), "TARGET_BLOCKED", Self::why(blocks, &help))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{ActiveBlock, ChannelState, Source, Verdict};
    use crate::value::{Line, Provenance};

    fn facts(op: Op) -> Facts {
        let state = ChannelState::empty("reg.io/acme/shop:prod".parse().unwrap());
        let ada = Provenance::new("manual", "42", "ada").unwrap();
        let mut facts = Facts::new(op, &state, ada.clone(), "2026-11-23T06:00:00Z".parse().unwrap());
        let (reason, url) = (Line::lossy("it loses orders"), None);
        let block = ActiveBlock { seq: 12, digest: Digest::of(b"next"), reason, provenance: ada, url };
        facts.first = Some("reg.io/acme/shop:dev".parse().unwrap());
        facts.blocks = vec![BlockedOn { channel: "reg.io/acme/shop:dev".parse().unwrap(), block }];
        facts
    }

    fn said(facts: &Facts) -> (Verdict, String) {
        let finding = NotBlocked.judge(facts);
        assert_eq!(finding.code(), Some("TARGET_BLOCKED"));
        let by = format!("{} blocked by ada (seq 12): it loses orders, on reg.io/acme/shop:dev; ", Digest::of(b"next"));
        (finding.verdict, finding.why.as_str().strip_prefix(&by).unwrap().to_owned())
    }

    #[test]
    fn every_refusal_names_the_commands_that_help() {
        let (prod, good) = ("reg.io/acme/shop:prod", Digest::of(b"good"));
        let end =
            format!("promote another release, or end the block: tagwarden unblock {} --reason …", Digest::of(b"next"));
        assert_eq!(said(&facts(Op::Promote)), (Verdict::Refuse, end));
        let none = format!("instead, promote another release: no earlier one of {prod} is unblocked");
        assert_eq!(said(&facts(Op::Rollback)), (Verdict::Refuse, none));
        let with = |op| Facts { instead: Some(good), ..facts(op) };
        let back = format!("roll back: tagwarden rollback {prod} --to {good}");
        assert_eq!(said(&with(Op::Rollback)), (Verdict::Refuse, format!("instead, {back}")));
        let out = format!("adopt what is there (tagwarden adopt {prod} --reason …), then {back}");
        assert_eq!(said(&with(Op::Repair)), (Verdict::Refuse, out));
        assert_eq!(said(&with(Op::Adopt)), (Verdict::Warn, format!("it is recorded as it is; next, {back}")));
    }

    #[test]
    fn command_that_ends_a_block_names_the_channel_unless_it_is_the_first() {
        let mut facts = facts(Op::Promote);
        let end = |only: &str| format!("tagwarden unblock {}{only} --reason …", Digest::of(b"next"));
        let (dev, qa) = (end(""), end(" --only reg.io/acme/shop:qa"));
        let mut later = facts.blocks[0].clone();
        later.channel = "reg.io/acme/shop:qa".parse().unwrap();
        facts.blocks.push(later);
        let why = NotBlocked.judge(&facts).why.to_string();
        assert!(why.ends_with(&format!("end the block: {dev} and {qa}")), "{why}");
        facts.blocks.remove(0);
        facts.first = None;
        let why = NotBlocked.judge(&facts).why.to_string();
        assert!(why.ends_with(&format!("end the block: {qa}")), "{why}");
    }

    #[test]
    fn bootstrap_of_the_tag_as_it_is_warns_and_one_of_a_release_is_refused() {
        let mut facts = facts(Op::Bootstrap);
        assert_eq!(said(&facts).0, Verdict::Warn);
        facts.source = Some(Source::Reference("reg.io/acme/shop:1.4.2".parse().unwrap()));
        assert_eq!(said(&facts).0, Verdict::Refuse);
        facts.blocks.clear();
        assert_eq!(NotBlocked.judge(&facts).verdict, Verdict::Pass);
    }
}
