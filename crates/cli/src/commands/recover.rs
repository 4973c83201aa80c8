//! Closes the open move of a dead run.

use std::sync::Arc;

use tagwarden::Result;
use tagwarden::promotion::RecoveryMode;

use super::moves::times;
use crate::args::RecoverArgs;
use crate::connect::{self, Setup};
use crate::interrupt::until_closed;
use crate::render::{self, Answer, Style};

pub(super) async fn recover(setup: &Setup, args: RecoverArgs, style: Style) -> Result<Answer> {
    let channel = super::channel(setup, &args.place)?;
    let provenance = crate::provenance::of(&args.who)?;
    let registry = connect::registry(&setup.config, &args.registry, [channel.repository().registry()])?;
    let (ledger, times) = (setup.ledger().await?, times(&args.times)?);
    let promoter = setup.promoter_of(&channel, Arc::new(registry), ledger, times)?;
    let mode = if args.abort { RecoveryMode::Abort } else { RecoveryMode::RollForward };
    let recovered = until_closed(&channel, promoter.recover(&channel, mode, provenance, args.timeout)).await?;
    render::recovered(&channel, &recovered, args.abort, style)
}
