//! Holds: make a hold, list the holds of a channel, end a hold.

use std::sync::Arc;

use serde_json::json;
use tagwarden::log::{Hold, Unhold};
use tagwarden::{Clock, Result, SystemClock, Times};

use crate::args::{HoldArgs, HoldsArgs, UnholdArgs};
use crate::connect::{self, Setup};
use crate::offline::Offline;
use crate::provenance;
use crate::render::{self, Answer, Style};

pub(super) async fn hold(setup: &Setup, args: HoldArgs) -> Result<Answer> {
    let channel = super::channel(setup, &args.place)?;
    let provenance = provenance::of(&args.who)?;
    let until = args.until.or(args.for_.map(|time| SystemClock.now().plus(time)));
    let registry = connect::registry(&args.registry, channel.repository().registry())?;
    let promoter = setup.promoter(Arc::new(registry), setup.ledger().await?, Times::default())?;
    let scope = args.scope.into();
    let id = promoter.hold(&channel, Hold { scope, reason: args.reason, provenance, until }).await?;
    render::held(&channel, id, scope, until)
}

pub(super) async fn holds(setup: &Setup, args: &HoldsArgs, style: Style) -> Result<Answer> {
    let channel = super::channel(setup, &args.place)?;
    render::holds(&channel, &setup.reader().await?.holds(&channel).await?, style)
}

pub(super) async fn unhold(setup: &Setup, args: UnholdArgs) -> Result<Answer> {
    let channel = super::channel(setup, &args.place)?;
    let provenance = provenance::of(&args.who)?;
    let promoter = setup.promoter(Arc::new(Offline), setup.ledger().await?, Times::default())?;
    let reason = args.reason;
    let ended = match args.id {
        Some(hold) => {
            promoter.unhold(&channel, Unhold { hold, reason, provenance }).await?;
            vec![hold]
        }
        None => promoter.unhold_mine(&channel, reason, provenance).await?,
    };
    let left = promoter.holds(&channel).await?;
    let mut text: Vec<_> = ended.iter().map(|id| format!("ended hold {id} of {channel}")).collect();
    if ended.is_empty() {
        text.push(format!("nothing to do: no hold of {channel} is yours"));
    }
    text.extend(left.iter().map(|hold| format!("still {hold}")));
    let result = if ended.is_empty() { "nothing" } else { "ended" };
    let json = json!({ "channel": channel, "result": result, "ended": ended, "holds": left });
    Answer::done(&json, text.join("\n"))
}
