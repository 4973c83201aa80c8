//! `tagwarden demo`: the main workflow, from releases to a verified log, step by step with explanations.

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
use crate::args::{DemoArgs, Global};
use crate::render::{Answer, Style};

/// Runs the demonstration. With JSON output, the steps are not printed.
pub(crate) async fn run(args: DemoArgs, global: &Global, style: Style) -> Result<Answer> {
    let began = Instant::now();
    let place = Place::open(&args, global.ledger.as_deref()).await?;
    let mut narrator = if global.json { Narrator::silent() } else { Narrator::speaking(style) };
    Demo { place: &place, source: args.source.as_deref(), style }.run(&mut narrator).await?;
    let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let kept = place.kept();
    let mut text = format!("Done in {elapsed_ms} ms.");
    if let Some(dir) = kept {
        text.push_str(&format!(
            " The ledger is in {0}/ledger, its names in {0}/tagwarden.toml. There: tagwarden history prod",
            dir.display()
        ));
    } else if let Some(ledger) = &place.ledger {
        text.push_str(&format!(" The ledger keeps it: tagwarden history {} --ledger {ledger}", place.channel("prod")?));
    } else {
        text.push_str(" Nothing of it is kept; --keep DIR keeps the ledger. Next: tagwarden --help");
    }
    let json = json!({ "repository": place.repository, "elapsed_ms": elapsed_ms, "steps": narrator.steps() });
    let mut answer = Answer::done(&json, text)?;
    if let Some(dir) = kept {
        answer = answer.with("kept", &dir)?;
    }
    if let Some(ledger) = &place.ledger {
        answer = answer.with("ledger", ledger)?;
    }
    place.close().await?;
    Ok(answer)
}
