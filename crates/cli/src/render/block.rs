//! Blocks.

use serde_json::json;
use tagwarden::log::ActiveBlock;
use tagwarden::policy::BlockedOn;
use tagwarden::promotion::BlockResult;
use tagwarden::{Channel, Digest, Repository, Result};

use super::current::roll_back;
use super::{Answer, shown};

/// The channels in which the block counts, those where the digest is live, each with the digest to roll back to, and the
/// way to end it. `elsewhere` is the repository that the release was named by, if no channel of the block is in it.
pub(crate) fn blocked(
    channel: &Channel,
    reached: &[Channel],
    digest: Digest,
    result: &BlockResult,
    live: &[(Channel, Option<Digest>)],
    elsewhere: Option<&Repository>,
) -> Result<Answer> {
    let names: Vec<_> = reached.iter().map(Channel::to_string).collect();
    let mut lines = vec![match result {
        BlockResult::Recorded(id) => format!("blocked {digest} on {} (block {id})", names.join(", ")),
        BlockResult::Already(known) => {
            let ActiveBlock { seq, reason, provenance, url, .. } = &**known;
            let url = url.as_ref().map(|url| format!(", {url}")).unwrap_or_default();
            let by = format!("{} (seq {seq}): {reason}{url}", provenance.actor.id);
            shown(&format!("{digest} is blocked already by {by}; yours is not recorded"))
        }
    }];
    let advice = |(channel, instead): &(Channel, Option<Digest>)| {
        format!("it is live on {channel}: {}", roll_back(channel, *instead))
    };
    lines.extend(live.iter().map(advice));
    if let Some(named) = elsewhere {
        lines.push(format!(
            "it counts only for moves of {} to this digest; a channel in {named} is not covered: block it there with --only",
            names.join(", ")
        ));
    }
    lines.push(format!("to end it: tagwarden unblock {digest} --only {channel} --reason …"));
    let live: Vec<_> = live.iter().map(|(channel, _)| channel).collect();
    let json = json!({
        "channel": channel,
        "result": "blocked",
        "digest": digest,
        "block": result.seq(),
        "reached": reached,
        "live": live,
    });
    let answer = Answer::done(&json, lines.join("\n"))?;
    match result {
        BlockResult::Recorded(_) => Ok(answer),
        BlockResult::Already(_) => answer.with("already", &true),
    }
}

/// A block that was ended, and those of the same digest that are still in force.
pub(crate) fn unblocked(channel: &Channel, digest: Digest, left: &[BlockedOn]) -> Result<Answer> {
    let mut lines = vec![format!("unblocked {digest} on {channel}")];
    lines.extend(left.iter().map(|blocked| shown(&format!("still {blocked}"))));
    let json = json!({ "channel": channel, "result": "unblocked", "digest": digest, "blocks": left });
    Answer::done(&json, lines.join("\n"))
}
