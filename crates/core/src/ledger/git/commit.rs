//! `Commit`: an entry as people read it in `git log`. The entry itself is in the commit's file; nothing is read back
//! from the message.

use crate::log::{Body, Check, CheckVerdict, Entry, Intent, Observation, Outcome};
use crate::value::{ActorKind, Channel, Digest, Line, Provenance, Run};

/// Name and address of the committer. The address belongs to no account (RFC 2606, section 2), so that no host shows a
/// commit as the work of one of its accounts.
pub(super) const COMMITTER: (&str, &str) = ("tagwarden", ADDRESS);

const ADDRESS: &str = "tagwarden@localhost.invalid";

/// The author if Git would drop every character of the actor's name.
const UNKNOWN: &str = "unknown";

/// The message and the author of the commit that stores an entry. The same entry always gives the same commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Commit {
    /// Ends in a line feed.
    pub(super) message: String,
    /// The actor of the entry; the committer if the entry names none.
    pub(super) author: String,
    pub(super) email: String,
    /// The time of the entry, in seconds since 1970-01-01T00:00:00Z, which is also the earliest time.
    pub(super) seconds: i64,
}

impl Commit {
    pub(super) fn of(entry: &Entry) -> Commit {
        let mut lines = vec![subject(&entry.channel, &entry.body), String::new()];
        lines.push(format!("Channel: {} (entry {})", entry.channel, entry.seq));
        lines.extend(details(&entry.body));
        if let Some(provenance) = entry.body.provenance() {
            lines.push(format!("Run: {}", run(&provenance.pipeline)));
            lines.push(format!("Actor: {}", actor(provenance)));
        }
        lines.extend(reason(&entry.body).map(|reason| format!("Reason: {}", shown(reason))));
        // Without this line a hosted CI may start a pipeline for each entry.
        lines.extend([String::new(), "[skip ci]\n".to_owned()]);
        let name = entry.body.provenance().map(|provenance| provenance.actor.id.as_str());
        Commit {
            message: lines.join("\n"),
            author: name.map_or_else(|| COMMITTER.0.to_owned(), author),
            email: ADDRESS.to_owned(),
            // Git refuses a time before 1970.
            seconds: entry.at.unix_ms().div_euclid(1000).max(0),
        }
    }
}

/// The first line of the message: `promote acme/shop:prod to 1.4.2 (sha256:0aca8b7f1c2a)`.
fn subject(channel: &Channel, body: &Body) -> String {
    let name = format!("{}:{}", channel.repository().path(), channel.tag());
    match body {
        Body::Intent(intent) => format!("{} {name} to {}", intent.op.as_str(), release(channel, intent)),
        Body::Outcome(outcome) => format!("{} {name}{}", outcome.status.as_str(), observed(outcome)),
        Body::Takeover(_) => format!("takeover {name}"),
        Body::Observation(Observation { expected, observed, .. }) => {
            let digest = |digest: &Option<Digest>| digest.as_ref().map_or_else(|| "nothing".to_owned(), abbreviated);
            format!("observation {name}: {} instead of {}", digest(observed), digest(expected))
        }
        Body::Approval(approval) => {
            format!("approval {name}: {} to {}", approval.op.as_str(), abbreviated(&approval.target))
        }
        Body::Hold(hold) => format!("hold {name} ({})", hold.scope.as_str()),
        Body::Unhold(_) => format!("unhold {name}"),
        Body::Check(Check { name: check, verdict, digest, .. }) => {
            let verdict = match verdict {
                CheckVerdict::Pass => "pass",
                CheckVerdict::Fail => "fail",
            };
            format!("check {name}: {check} {verdict} ({})", abbreviated(digest))
        }
        Body::Block(block) => format!("block {name}: {}", abbreviated(&block.digest)),
        Body::Unblock(unblock) => format!("unblock {name}: {}", abbreviated(&unblock.digest)),
        Body::Policy(policy) => {
            let binding = if policy.binding { "binding, " } else { "" };
            format!("policy {name}: {} ({binding}{})", shown(&policy.name), abbreviated(&policy.digest))
        }
        Body::Deployment(deployment) => {
            let ready = if deployment.ready { "ready" } else { "not ready" };
            format!("deployment {name}: {} in {} ({ready})", shown(&deployment.revision), shown(&deployment.cluster))
        }
        Body::Migrated(migrated) => format!("migrated {name} to {}", shown(&migrated.ledger)),
    }
}

/// The lines that name other entries, and the error.
fn details(body: &Body) -> Vec<String> {
    let of_move = |seq: u64| format!("Move: entry {seq}");
    match body {
        Body::Outcome(outcome) => {
            let error = outcome.error.as_ref();
            let error = error.map(|error| format!("Error: {}: {}", shown(&error.code), shown(&error.text)));
            [of_move(outcome.intent_seq)].into_iter().chain(error).collect()
        }
        Body::Takeover(takeover) => vec![of_move(takeover.intent_seq)],
        Body::Unhold(unhold) => vec![format!("Hold: entry {}", unhold.hold)],
        _ => Vec::new(),
    }
}

/// The reason that the caller gave.
fn reason(body: &Body) -> Option<&Line> {
    match body {
        Body::Intent(intent) => intent.reason.as_ref(),
        Body::Approval(approval) => approval.comment.as_ref(),
        Body::Hold(hold) => Some(&hold.reason),
        Body::Unhold(unhold) => Some(&unhold.reason),
        Body::Block(block) => Some(&block.reason),
        Body::Unblock(unblock) => Some(&unblock.reason),
        Body::Migrated(migrated) => migrated.reason.as_ref(),
        Body::Outcome(_) | Body::Takeover(_) | Body::Observation(_) => None,
        Body::Check(_) | Body::Policy(_) | Body::Deployment(_) => None,
    }
}

/// `1.4.2 (sha256:0aca8b7f1c2a)`, or the digest alone.
fn release(channel: &Channel, intent: &Intent) -> String {
    let digest = abbreviated(&intent.target.digest);
    match intent.release_name(channel) {
        Some(name) => format!("{} ({digest})", Line::lossy(name)),
        None => digest,
    }
}

fn observed(outcome: &Outcome) -> String {
    outcome.observed.as_ref().map_or_else(String::new, |digest| format!(" at {}", abbreviated(digest)))
}

/// `sha256:` and the first 12 digits.
fn abbreviated(digest: &Digest) -> String {
    format!("{}:{}", digest.algorithm().as_str(), digest.short())
}

/// `github-actions 1234567 (attempt 2) https://github.com/acme/shop/actions/runs/1234567`.
fn run(run: &Run) -> String {
    let attempt = run.attempt.map(|attempt| format!(" (attempt {attempt})"));
    let url = run.url.as_ref().map(|url| format!(" {}", shown(url)));
    [attempt, url].into_iter().flatten().fold(format!("{} {}", shown(&run.provider), shown(&run.run_id)), |a, b| a + &b)
}

fn actor(provenance: &Provenance) -> String {
    let kind = match provenance.actor.kind {
        ActorKind::Human => " (human)",
        ActorKind::Workload => " (workload)",
        ActorKind::Other => "",
    };
    format!("{}{kind}", shown(&provenance.actor.id))
}

/// A line of a log without invisible characters, which older entries may have.
fn shown(line: &Line) -> Line {
    Line::lossy(line.as_str())
}

/// The name of an author as Git writes it: Git drops `<` and `>`, and certain characters at both ends
/// (`ident.c`, *strbuf_addstr_without_crud*).
fn author(name: &str) -> String {
    let name: String = Line::lossy(name).as_str().chars().filter(|char| !matches!(char, '<' | '>')).collect();
    let is_dropped = |char| matches!(char, ' ' | '.' | ',' | ':' | ';' | '"' | '\\' | '\'');
    match name.trim_matches(is_dropped) {
        "" => UNKNOWN.to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests;
