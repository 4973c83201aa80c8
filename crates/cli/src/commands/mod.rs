//! The commands, one file for each noun. Each takes arguments and returns an answer.

mod artifact;
mod block;
mod config;
mod dev;
mod diff;
mod hold;
mod ledger;
mod look;
mod moves;
mod recover;
mod report;
mod shell;

use tagwarden::{Error, ErrorKind, Result};

use crate::args::{ArtifactCommand, Cli, Command, ConfigCommand, DevCommand, LedgerCommand};
use crate::connect::Setup;
use crate::progress::say;
use crate::render::{self, Answer, Style};
use crate::{demo, names};

pub(crate) use artifact::{pack, say_left_out};

/// Runs a command.
pub(crate) async fn run(cli: Cli, style: Style) -> Result<Answer> {
    // These commands need no configuration, or look at one themselves, so an invalid one must not stop them.
    let command = match cli.command {
        Command::Completions(args) => return shell::completions(&args),
        Command::Demo(args) => return demo::run(args, &cli.global, style).await,
        Command::Dev(args) => match args.command {
            DevCommand::Registry(args) => return dev::registry(args, &cli.global).await,
        },
        Command::Init(_) => return config::init(&cli.global),
        Command::Config(args) => match args.command {
            ConfigCommand::Validate(args) => return config::validate(&args, style),
        },
        command => command,
    };
    let setup = Setup::new(&cli.global)?;
    let is_digest_alone = matches!(command, Command::Previous(_));
    let answer = with_ledger(&setup, command, style).await;
    setup.say_repairs();
    let Some(as_of) = setup.copy_of() else { return answer };
    match answer {
        Ok(answer) if !is_digest_alone => answer.of_copy(as_of, style),
        // Standard output is a digest for scripts, or empty.
        answer => {
            say(&render::copy(as_of));
            answer.and_then(|answer| answer.with("as_of", &as_of)).map_err(|e| e.with_context("as_of", as_of))
        }
    }
}

/// Runs a command that works with the configuration, and mostly with its ledger.
async fn with_ledger(setup: &Setup, command: Command, style: Style) -> Result<Answer> {
    match command {
        Command::Artifact(args) => match args.command {
            ArtifactCommand::Push(args) => artifact::push(setup, &args).await,
        },
        Command::Bootstrap(args) => moves::bootstrap(setup, args, style).await,
        Command::Promote(args) => moves::promote(setup, args, style).await,
        Command::Rollback(args) => moves::rollback(setup, args, style).await,
        Command::Repair(args) => moves::repair(setup, args, style).await,
        Command::Adopt(args) => moves::adopt(setup, args, style).await,
        Command::Recover(args) => recover::recover(setup, args, style).await,
        Command::Block(args) => block::block(setup, args).await,
        Command::Unblock(args) => block::unblock(setup, args).await,
        Command::Hold(args) => hold::hold(setup, args).await,
        Command::Unhold(args) => hold::unhold(setup, args).await,
        Command::Holds(args) => hold::holds(setup, &args, style).await,
        Command::Channels(args) => look::channels(setup, &args, style).await,
        Command::Current(args) => look::current(setup, &args, style).await,
        Command::Previous(args) => look::previous(setup, &args).await,
        Command::History(args) => look::history(setup, &args, style).await,
        Command::Diff(args) => diff::diff(setup, &args, style).await,
        Command::At(args) => look::at(setup, &args, style).await,
        Command::Audit(args) => report::audit(setup, &args, style).await,
        Command::Retention(args) => report::retention(setup, &args, style).await,
        Command::Verify(args) => report::verify(setup, &args, style).await,
        Command::Ledger(args) => match args.command {
            LedgerCommand::Init(args) => ledger::init(setup, &args, style).await,
            LedgerCommand::Migrate(args) => ledger::migrate(setup, &args, style).await,
            LedgerCommand::Export(args) => ledger::export(setup, &args, style).await,
            LedgerCommand::Import(args) => ledger::import(setup, &args, style).await,
        },
        Command::Completions(_) | Command::Demo(_) | Command::Dev(_) | Command::Init(_) | Command::Config(_) => {
            Err(Error::new(ErrorKind::InternalFault, "a command was asked for twice"))
        }
    }
}

/// The channel of a command's arguments.
fn channel(setup: &Setup, place: &crate::args::PlaceArgs) -> Result<tagwarden::Channel> {
    names::channel(&setup.config, &place.channel)
}
