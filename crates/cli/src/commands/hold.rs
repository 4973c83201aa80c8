//! Holds.

use std::sync::Arc;

use serde_json::json;
use tagwarden::{Clock, Result, SystemClock};

use crate::args::{HoldArgs, ReleaseArgs};
use crate::connect::Setup;
use crate::offline::Offline;
use crate::provenance;
use crate::render::Answer;

pub(super) async fn hold(setup: &Setup, args: HoldArgs) -> Result<Answer> {
    let channel = super::channel(setup, &args.place)?;
    let who = provenance::of(&args.who)?;
    let until = args.until.or(args.for_.map(|time| SystemClock.now().plus(time)));
    let promoter = setup.promoter(Arc::new(Offline), setup.ledger().await?);
    let seq = promoter.hold(&channel, args.reason, until, &who).await?;
    let ends = until.map_or("it is released".to_owned(), |until| until.to_string());
    let text = format!("held {channel} until {ends} (seq {seq})");
    let answer = Answer::done(&json!({ "channel": channel, "result": "held", "seq": seq }), text)?;
    match until {
        Some(until) => answer.with("until", &until),
        None => Ok(answer),
    }
}

pub(super) async fn release(setup: &Setup, args: ReleaseArgs) -> Result<Answer> {
    let channel = super::channel(setup, &args.place)?;
    let who = provenance::of(&args.who())?;
    let promoter = setup.promoter(Arc::new(Offline), setup.ledger().await?);
    match promoter.release(&channel, args.reason, &who).await? {
        Some(seq) => {
            let json = json!({ "channel": channel, "result": "released", "seq": seq });
            Answer::done(&json, format!("released {channel} (seq {seq})"))
        }
        None => {
            let json = json!({ "channel": channel, "result": "nothing" });
            Answer::done(&json, format!("nothing to do: no hold stands on {channel}"))
        }
    }
}
