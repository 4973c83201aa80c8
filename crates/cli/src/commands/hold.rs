//! Holds: make a hold, list the holds of a channel, end a hold; of one channel, or of the whole pipeline.

use std::sync::Arc;

use tagwarden::log::{Hold, Unhold};
use tagwarden::{Channel, Clock, Error, ErrorKind, Line, Promoter, Provenance, Result, SystemClock, Times};

use crate::args::{HoldArgs, HoldsArgs, ReachArgs, UnholdArgs};
use crate::connect::{self, Setup};
use crate::offline::Offline;
use crate::render::{self, Answer, Style};
use crate::{names, provenance};

pub(super) async fn hold(setup: &Setup, args: HoldArgs) -> Result<Answer> {
    let reach = Reach::of(setup, &args.reach)?;
    let provenance = provenance::of(&args.who)?;
    let until = args.until.or(args.for_.map(|time| SystemClock.now().plus(time)));
    let scope = args.scope.into();
    let hold = Hold { scope, reason: args.reason, provenance, until };
    match reach {
        Reach::One(channel) => {
            let registry = connect::registry(&setup.config, &args.registry, [channel.repository().registry()])?;
            let promoter = setup.promoter(Arc::new(registry), setup.ledger().await?, Times::default())?;
            let id = promoter.hold(&channel, hold).await?;
            render::held(&channel, id, scope, until)
        }
        Reach::Pipeline(_) => {
            let promoter = setup.promoter(Arc::new(Offline), setup.ledger().await?, Times::default())?;
            render::held_all(&promoter.hold_pipeline(hold).await?, scope, until)
        }
    }
}

pub(super) async fn holds(setup: &Setup, args: &HoldsArgs, style: Style) -> Result<Answer> {
    let (reach, reader) = (Reach::of(setup, &args.reach)?, setup.reader(args.read).await?);
    match reach {
        Reach::One(channel) => render::holds(&channel, &reader.holds(&channel).await?, style),
        Reach::Pipeline(channels) => {
            let mut all = Vec::new();
            for channel in channels {
                let holds = reader.holds(&channel).await?;
                all.push((channel, holds));
            }
            render::holds_all(&all, style)
        }
    }
}

pub(super) async fn unhold(setup: &Setup, args: UnholdArgs) -> Result<Answer> {
    let reach = Reach::of(setup, &args.reach)?;
    let provenance = provenance::of(&args.who)?;
    let promoter = setup.promoter(Arc::new(Offline), setup.ledger().await?, Times::default())?;
    match (reach, args.id) {
        (Reach::One(channel), id) => ended(&promoter, &channel, id, &args.reason, &provenance).await,
        (Reach::Pipeline(_), Some(_)) => {
            let message = "--pipeline: an id names a hold of one channel; --mine ends your holds on every channel";
            Err(Error::new(ErrorKind::ConfigInvalid, message))
        }
        (Reach::Pipeline(channels), None) => {
            let (mut answers, mut failed) = (Vec::new(), Vec::new());
            for channel in channels {
                match ended(&promoter, &channel, None, &args.reason, &provenance).await {
                    Ok(answer) => answers.push(answer),
                    Err(error) => failed.push((channel, error)),
                }
            }
            render::unheld_all(answers)?.but("its holds are not ended", &failed)
        }
    }
}

/// Ends one hold of a channel, or every hold of this person on the channel.
async fn ended(
    promoter: &Promoter,
    channel: &Channel,
    id: Option<u64>,
    reason: &Line,
    provenance: &Provenance,
) -> Result<Answer> {
    let (reason, provenance) = (reason.clone(), provenance.clone());
    let ended = match id {
        Some(hold) => {
            promoter.unhold(channel, Unhold { hold, reason, provenance }).await?;
            vec![hold]
        }
        None => promoter.unhold_mine(channel, reason, provenance).await?,
    };
    match promoter.holds(channel).await {
        Ok(left) => render::unheld(channel, &ended, &left),
        Err(error) => render::unheld(channel, &ended, &[])?
            .but("it is not known which holds are left", &[(channel.clone(), error)]),
    }
}

/// The channels that a command is about.
enum Reach {
    One(Channel),
    /// Every environment, in order.
    Pipeline(Vec<Channel>),
}

impl Reach {
    fn of(setup: &Setup, args: &ReachArgs) -> Result<Reach> {
        match &args.channel {
            Some(text) => names::channel(&setup.config, text).map(Reach::One),
            None if setup.config.environments.is_empty() => {
                let message = "--pipeline: no [[pipeline]] of a tagwarden.toml names an environment";
                Err(Error::new(ErrorKind::ConfigInvalid, message))
            }
            None => Ok(Reach::Pipeline(setup.config.environments.iter().map(|stage| stage.channel.clone()).collect())),
        }
    }
}
