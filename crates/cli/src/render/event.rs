//! A move in words: its release, who made it, when and why.

use tagwarden::log::{Intent, MoveRecord, MoveStatus, Source};
use tagwarden::policy::Finding;
use tagwarden::{ActorKind, Digest, Target};

use super::{Fields, Style, shown};

/// The release of a move: its name and its source revision.
pub(super) fn release(fields: Fields, event: &MoveRecord) -> Fields {
    fields.field("release", source(event)).maybe("revision", revision(&event.intent))
}

/// The name of the release; for a source that is only a digest, its first digits.
pub(super) fn source(event: &MoveRecord) -> String {
    let unnamed = || match &event.intent.source {
        Source::Reference(reference) => match reference.target() {
            Target::Digest(digest) => digest.short(),
            Target::Tag(_) => "-".to_owned(),
        },
        Source::Channel(_) => "-".to_owned(),
    };
    event.intent.release_name(&event.channel).unwrap_or_else(unnamed)
}

/// The source revision of the release: its annotation, else the commit of the run.
pub(super) fn revision(intent: &Intent) -> Option<String> {
    let commit = || intent.provenance.commit.as_ref().map(ToString::to_string);
    intent.target.annotation("revision").map(ToString::to_string).or_else(commit)
}

/// The actor and the run of a move: `ada (human), manual run 42`.
pub(super) fn who(event: &MoveRecord) -> String {
    let actor = &event.intent.provenance.actor;
    let kind = match actor.kind {
        ActorKind::Human => "a person",
        ActorKind::Workload => "a workload",
        _ => "of another kind",
    };
    format!("{} ({kind})", actor.id)
}

pub(super) fn run(event: &MoveRecord) -> String {
    let run = &event.intent.provenance.pipeline;
    match run.attempt {
        Some(attempt) => format!("{} {}/{attempt}", run.provider, run.run_id),
        None => format!("{} {}", run.provider, run.run_id),
    }
}

/// The actor, time, run, commit and reason of a move.
pub(super) fn told(fields: Fields, event: &MoveRecord) -> Fields {
    told_rest(fields.field("by", who(event)), event)
}

pub(super) fn told_rest(fields: Fields, event: &MoveRecord) -> Fields {
    let provenance = &event.intent.provenance;
    let seq = match &event.outcome {
        Some(closing) => format!("seq {} to {}", event.seq, closing.seq),
        None => format!("seq {}", event.seq),
    };
    fields
        .field("when", event.outcome.as_ref().map_or(event.at, |closing| closing.at))
        .field("run", run(event))
        .maybe("workflow", provenance.pipeline.workflow.as_ref())
        .maybe("job", provenance.pipeline.job.as_ref().map(|job| job.name.as_ref().unwrap_or(&job.id)))
        .maybe("url", provenance.pipeline.url.as_ref())
        .maybe("commit", provenance.commit.as_ref())
        .maybe("reason", event.intent.reason.as_ref())
        .maybe("replaced", event.intent.replaced)
        .field("recorded", seq)
}

pub(super) fn status(status: MoveStatus, style: Style) -> String {
    match status {
        MoveStatus::Committed => style.good(status.as_str()),
        MoveStatus::Open => style.doubtful(status.as_str()),
        MoveStatus::Failed | MoveStatus::Aborted => style.bad(status.as_str()),
    }
}

pub(super) fn at_digest(digest: Option<Digest>) -> String {
    digest.map_or("nothing".to_owned(), |digest| digest.to_string())
}

/// Warnings from steps beside the move itself.
pub(super) fn warnings(fields: Fields, warnings: &[Finding], style: Style) -> Fields {
    warnings.iter().fold(fields, |fields, warning| {
        fields.line(format!("  {}      {}", style.doubtful("warn"), shown(&warning.to_string())))
    })
}
