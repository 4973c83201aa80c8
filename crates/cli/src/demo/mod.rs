//! `tagwarden demo`: the main job, from releases to a verified record, told step by step.

mod narrator;
mod place;
mod release;
mod steps;

use std::time::Instant;

use serde_json::json;
use tagwarden::Result;

use self::narrator::Narrator;
use self::place::Place;
use self::steps::Demo;
use crate::args::DemoArgs;
use crate::render::{Answer, Style};

/// Runs it to its end. With `json`, nothing is printed on the way.
pub(crate) async fn run(args: DemoArgs, json: bool, style: Style) -> Result<Answer> {
    let began = Instant::now();
    let place = Place::open(&args).await?;
    let mut narrator = if json { Narrator::silent() } else { Narrator::speaking(style) };
    Demo { place: &place, source: args.source.as_deref(), style }.run(&mut narrator).await?;
    let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let kept = place.kept();
    let mut text = format!("Done in {elapsed_ms} ms.");
    if let Some(dir) = kept {
        text.push_str(&format!(
            " The ledger is in {0}/ledger, its names in {0}/tagwarden.toml. There: tagwarden history prod",
            dir.display()
        ));
    } else {
        text.push_str(" Nothing of it is kept; --keep DIR keeps the ledger. Next: tagwarden --help");
    }
    let json = json!({
        "repository": place.repository,
        "elapsed_ms": elapsed_ms,
        "kept": kept.map(|dir| dir.display().to_string()),
        "steps": narrator.steps(),
    });
    place.close().await?;
    Answer::done(&json, text)
}
