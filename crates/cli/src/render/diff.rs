//! The changes from one release to another.

use std::time::Duration;

use tagwarden::diff::{Difference, FileChange, FileDiff, Layer, MovesBetween, ReleaseDiff, ReleaseFacts};
use tagwarden::{Line, Result};

use super::{Answer, Fields, Style, shown};

/// The changes that a planned move brings.
#[derive(Debug)]
pub(crate) enum Changes {
    /// It changes nothing.
    None,
    Known(Box<ReleaseDiff>),
    /// They could not be found out.
    Unknown(String),
}

/// The comparison of two releases.
pub(crate) fn diff(diff: &ReleaseDiff, style: Style) -> Result<Answer> {
    let title = format!("{} .. {}", diff.old.name, diff.new.name);
    let mut fields =
        Fields::under(style.bold(&shown(&title))).field("old", named(&diff.old)).field("new", named(&diff.new));
    for (name, side) in [("old", &diff.old), ("new", &diff.new)] {
        fields = fields.maybe(
            &format!("{name} live"),
            side.live.as_ref().map(|live| format!("seq {} of {}, {}", live.seq, live.channel, live.at)),
        );
    }
    if diff.old.digest == diff.new.digest {
        return Answer::done(diff, fields.line("both are the same digest".to_owned()).text());
    }
    fields = facts(fields, diff);
    if let Some(between) = &diff.between {
        fields = between.moves.iter().fold(fields, |fields, moved| {
            let release = moved.release.as_ref().map_or_else(|| moved.digest.short(), ToString::to_string);
            let text = format!("seq {} {} {release}, {}, {}", moved.seq, moved.op.as_str(), moved.actor, moved.at);
            fields.line(format!("    {}", shown(&text)))
        });
    }
    fields = parts(fields, diff, style);
    Answer::done(diff, fields.text())
}

/// The changes in a plan or a prompt.
pub(super) fn changes(fields: Fields, changes: &Changes, style: Style) -> Fields {
    match changes {
        Changes::None => fields,
        Changes::Known(diff) => parts(facts(releases(fields, diff), diff), diff, style),
        Changes::Unknown(why) => {
            fields.line(format!("  {}   {}", style.doubtful("changes"), shown(&format!("not known: {why}"))))
        }
    }
}

/// `6.14.1 sha256:…`
fn named(side: &ReleaseFacts) -> String {
    match side.release.as_ref().map(ToString::to_string).or_else(|| Some(side.annotations.get("version")?.to_string()))
    {
        Some(release) => format!("{release} {}", side.digest),
        None => side.digest.to_string(),
    }
}

/// The recorded names of both releases; nothing if neither has one.
fn releases(fields: Fields, diff: &ReleaseDiff) -> Fields {
    let [old, new] = [&diff.old, &diff.new].map(|side| side.release.as_ref().map(ToString::to_string));
    if old.is_none() && new.is_none() {
        return fields;
    }
    let word = |release: Option<String>| release.unwrap_or_else(|| "not known".to_owned());
    fields.field("release", format!("{} -> {}", word(old), word(new)))
}

/// Source, revision, version, time, and the moves between.
fn facts(mut fields: Fields, diff: &ReleaseDiff) -> Fields {
    let annotation = |side: &ReleaseFacts, name: &str| side.annotations.get(name).cloned();
    for name in ["source", "revision", "version", "created"] {
        let (old, new) = (annotation(&diff.old, name), annotation(&diff.new, name));
        let text = match (old, new) {
            (None, None) => continue,
            (Some(old), Some(new)) if old == new => new.to_string(),
            (old, new) => {
                let word = |side: Option<Line>| side.map_or("not known".to_owned(), |value| value.to_string());
                format!("{} -> {}", word(old), word(new))
            }
        };
        fields = fields.field(name, text);
    }
    fields.maybe("compare", diff.compare_url.as_ref()).maybe("between", diff.between.as_ref().map(between))
}

/// `2 moves of HOST/REPOSITORY:prod, 3h 20m apart`
fn between(between: &MovesBetween) -> String {
    let MovesBetween { channel, apart_ms, count, .. } = between;
    let moves = if *count == 1 { "1 move".to_owned() } else { format!("{count} moves") };
    let apart = apart(Duration::from_millis(apart_ms.unsigned_abs()));
    let back = if *apart_ms < 0 { ", back" } else { "" };
    format!("{moves} of {channel}, {apart} apart{back}")
}

/// A time for people, in its two largest units: `3h 20m`.
pub(super) fn apart(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// Platforms, layers, files and notes.
fn parts(mut fields: Fields, diff: &ReleaseDiff, style: Style) -> Fields {
    if let Some(platforms) = &diff.platforms {
        fields = difference(fields, "platforms", platforms, style, ToString::to_string);
    }
    if let Some(layers) = &diff.layers {
        fields = difference(fields, "layers", layers, style, layer);
    }
    if let Some(files) = &diff.files {
        let of = |change| files.iter().filter(|file| file.change == change).count();
        let (changed, added, gone) = (of(FileChange::Changed), of(FileChange::Added), of(FileChange::Gone));
        fields = fields.field("files", format!("{changed} changed, {added} added, {gone} gone"));
        fields = files.iter().fold(fields, |fields, file| file_lines(fields, file, style));
    }
    diff.notes
        .iter()
        .fold(fields, |fields, note| fields.line(format!("  {}      {}", style.doubtful("note"), shown(note.as_str()))))
}

fn difference<T>(
    mut fields: Fields,
    name: &str,
    difference: &Difference<T>,
    style: Style,
    text: impl Fn(&T) -> String,
) -> Fields {
    let Difference { added, gone, same, .. } = difference;
    fields = fields.field(name, format!("{} added, {} gone, {same} the same", added.len(), gone.len()));
    let line = |sign: String, one: &T| format!("    {sign} {}", shown(&text(one)));
    fields = added.iter().fold(fields, |fields, one| fields.line(line(style.good("+"), one)));
    gone.iter().fold(fields, |fields, one| fields.line(line(style.bad("-"), one)))
}

fn layer(layer: &Layer) -> String {
    let platform = layer.platform.as_ref().map(|platform| format!(", {platform}")).unwrap_or_default();
    format!("{} ({} bytes{platform})", layer.digest, layer.size)
}

fn file_lines(fields: Fields, file: &FileDiff, style: Style) -> Fields {
    let word = match file.change {
        FileChange::Added => style.good("+"),
        FileChange::Gone => style.bad("-"),
        FileChange::Changed => style.doubtful("~"),
    };
    let note = file.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
    let fields = fields.line(format!("    {word} {}", shown(&format!("{}{note}", file.path))));
    file.unified.iter().flat_map(|unified| unified.lines()).fold(fields, |fields, line| {
        let text = format!("      {}", shown(line));
        fields.line(match line.chars().next() {
            Some('+') => style.good(&text),
            Some('-') => style.bad(&text),
            _ => text,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_between_is_in_its_two_largest_units() {
        for (seconds, want) in [(5, "5s"), (65, "1m 5s"), (12_000, "3h 20m"), (200_000, "2d 7h")] {
            assert_eq!(apart(Duration::from_secs(seconds)), want);
        }
    }
}
