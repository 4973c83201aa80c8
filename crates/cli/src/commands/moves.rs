//! The moves: bootstrap, promote, rollback, repair, adopt.

use std::sync::Arc;

use tagwarden::ledger::Ledger;
use tagwarden::policy::Finding;
use tagwarden::promotion::BootstrapOptions;
use tagwarden::promotion::OnConflict;
use tagwarden::{Channel, Error, ErrorKind, MoveOptions, Operation, Promoter, ReleaseExpression, Result, Times};

use super::diff;
use crate::args::{
    AdoptArgs, BootstrapArgs, MoveArgs, OnConflictArg, PromoteArgs, RepairArgs, RollbackArgs, TermsArgs, TimesArgs,
    WhoArgs,
};
use crate::connect::{self, Setup};
use crate::interrupt::until_closed;
use crate::render::{self, Answer, Style};
use crate::{confirm, provenance};

pub(super) async fn bootstrap(setup: &Setup, args: BootstrapArgs, style: Style) -> Result<Answer> {
    let mut asked = Asked::new(setup, args.common).await?;
    asked.terms.order = args.order;
    let source = args.source.map(ReleaseExpression::try_from).transpose()?;
    asked.run(Operation::Bootstrap(BootstrapOptions { source, ..BootstrapOptions::default() }), style).await
}

pub(super) async fn promote(setup: &Setup, args: PromoteArgs, style: Style) -> Result<Answer> {
    let mut asked = Asked::new(setup, args.common).await?;
    asked.terms.order = args.order;
    asked.run(Operation::Promote(args.source.parse()?), style).await
}

pub(super) async fn rollback(setup: &Setup, args: RollbackArgs, style: Style) -> Result<Answer> {
    let asks = !args.yes && !args.common.dry_run && !setup.json && provenance::is_person_in_terminal();
    let asked = Asked::new(setup, args.common).await?;
    let operation = Operation::Rollback(args.to);
    if asks { asked.run_if_confirmed(operation, style).await } else { asked.run(operation, style).await }
}

pub(super) async fn repair(setup: &Setup, args: RepairArgs, style: Style) -> Result<Answer> {
    Asked::new(setup, args.common).await?.run(Operation::Repair, style).await
}

pub(super) async fn adopt(setup: &Setup, args: AdoptArgs, style: Style) -> Result<Answer> {
    Asked::new(setup, args.common).await?.run(Operation::Adopt, style).await
}

/// The arguments of a move, checked before anything is created or sent.
struct Asked<'s> {
    setup: &'s Setup,
    channel: Channel,
    terms: MoveOptions,
    times: Times,
    args: MoveArgs,
    ledger: Arc<dyn Ledger>,
}

impl<'s> Asked<'s> {
    async fn new(setup: &'s Setup, args: MoveArgs) -> Result<Asked<'s>> {
        let channel = super::channel(setup, &args.place)?;
        let (terms, times) = (terms(&args.who, &args.terms)?, times(&args.times)?);
        Ok(Asked { setup, channel, terms, times, args, ledger: setup.ledger().await? })
    }

    fn promoter(&self) -> Result<Promoter> {
        let (config, host) = (&self.setup.config, self.channel.repository().registry());
        let registry = connect::registry(config, &self.args.registry, [host])?;
        self.setup.promoter_of(&self.channel, Arc::new(registry), Arc::clone(&self.ledger), self.times.clone())
    }

    /// Moves the channel, or shows the plan in a dry run.
    async fn run(self, operation: Operation, style: Style) -> Result<Answer> {
        let promoter = self.promoter()?;
        let Asked { channel, terms, args, .. } = self;
        if args.dry_run {
            let op = operation.op();
            let plan = promoter.plan(&channel, operation, terms).await?;
            let changes = diff::changes(&promoter, &channel, &plan).await;
            return render::dry_run(&channel, op, plan, &changes, style);
        }
        let moving = async { render::receipt(&promoter.run(&channel, operation, terms).await?, style) };
        until_closed(&channel, moving).await
    }
}

impl Asked<'_> {
    /// Shows the plan to the person at the terminal, and moves the channel if they agree. The move that runs is the one
    /// that they saw. They are not asked where there is nothing to agree to: a refusal, or a move that changes nothing.
    async fn run_if_confirmed(self, operation: Operation, style: Style) -> Result<Answer> {
        let promoter = self.promoter()?;
        let channel = &self.channel;
        let plan = match promoter.plan(channel, operation.clone(), self.terms.clone()).await {
            // A plan does not record the drift. The move does, and is refused.
            Err(error) if error.kind() == ErrorKind::ChannelDrifted => return self.run(operation, style).await,
            plan => plan?,
        };
        if plan.settled().is_none() && !plan.findings().iter().any(Finding::refuses) {
            let changes = diff::changes(&promoter, channel, &plan).await;
            let text = render::asked(channel, &plan, &changes, Style::of(&std::io::stderr()));
            if !confirm::agreed(&text)? {
                return render::declined(channel);
            }
        }
        let approved = plan.approve()?;
        let moving = async { render::receipt(&promoter.execute(approved).await?, style) };
        until_closed(channel, moving).await
    }
}

fn terms(who: &WhoArgs, args: &TermsArgs) -> Result<MoveOptions> {
    let mut terms = MoveOptions::new(provenance::of(who)?);
    terms.on_conflict = match args.on_conflict {
        OnConflictArg::Wait => OnConflict::Wait,
        OnConflictArg::Requeue => OnConflict::Requeue,
        OnConflictArg::Fail => OnConflict::Fail,
    };
    match (args.timeout, args.on_conflict) {
        (Some(_), OnConflictArg::Fail) => {
            let message = "--timeout: --on-conflict fail does not wait; give one of them";
            return Err(Error::new(ErrorKind::ConfigInvalid, message));
        }
        (Some(timeout), _) => terms.timeout = timeout,
        (None, _) => {}
    }
    terms.idempotency_key.clone_from(&args.idempotency_key);
    terms.reason.clone_from(&args.reason);
    terms.expected = args.expected.unwrap_or_default();
    terms.overrides.extend(args.overrides.iter().cloned());
    Ok(terms)
}

pub(super) fn times(args: &TimesArgs) -> Result<Times> {
    args.settle.with(Times::new(args.ttl, args.grace, args.quiet, args.put_timeout)?)
}
