//! The registry and the ledger of the demonstration: a registry in this process or a real one, and a ledger in a
//! directory or of any other kind.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tagwarden::config::Config;
use tagwarden::ledger::{FileLedger, Ledger, LedgerUrl, OpenMode};
use tagwarden::registry::Registry;
use tagwarden::registry::oci::OciRegistry;
use tagwarden::{
    AsWritten, Channel, Clock, Error, ErrorKind, Pipeline, Promoter, Repository, Result, Stage, SystemClock, Times,
};
use tagwarden_testing::RegistryServer;
use tempfile::TempDir;

use crate::args::DemoArgs;
use crate::connect;

#[derive(Debug)]
pub(super) struct Place {
    pub(super) repository: Repository,
    pub(super) registry: OciRegistry,
    pub(super) promoter: Promoter,
    pub(super) stages: Vec<Stage>,
    /// The ledger of `--ledger`; none if the demonstration makes its own directory.
    pub(super) ledger: Option<LedgerUrl>,
    /// The directory for packing releases. It is removed when this value is dropped.
    pub(super) scratch: TempDir,
    server: Option<RegistryServer>,
    kept: Option<PathBuf>,
}

impl Place {
    pub(super) async fn open(args: &DemoArgs, ledger: Option<&str>) -> Result<Place> {
        let url: Option<LedgerUrl> = ledger.map(str::parse).transpose()?;
        if url.is_some() && args.keep.is_some() {
            let message = "--keep is for a directory of the demonstration's own; the one of --ledger stays anyway";
            return Err(Error::new(ErrorKind::ConfigInvalid, message));
        }
        let scratch = tempfile::tempdir().map_err(|e| fault("a temporary directory", &e))?;
        let (server, repository) = match &args.registry {
            Some(AsWritten(repository)) => (None, repository.clone()),
            None => {
                let server = RegistryServer::start().await.map_err(|e| fault("a registry on 127.0.0.1", &e))?;
                let repository = server.repository("demo/podinfo");
                (Some(server), repository)
            }
        };
        // A ledger that is kept has the channels of earlier runs.
        let repository = match url {
            Some(_) => fresh(&repository)?,
            None => repository,
        };
        let registry = connect::registry(&Config::default(), &args.access, [repository.registry()])?;
        let stages = stages(&repository)?;
        if server.is_none() {
            refuse_used(&registry, &stages).await?;
        }
        if let Some(dir) = &args.keep {
            keep(dir, &stages)?;
        }
        let home = args.keep.as_deref().unwrap_or(scratch.path());
        let ledger: Arc<dyn Ledger> = match &url {
            Some(url) => url.open(OpenMode::Write).await?,
            None => Arc::new(FileLedger::open(home.join("ledger"))?),
        };
        // Short times are safe: reads of the demonstration's registry do not lag.
        let second = Duration::from_secs(1);
        let times = Times::new(10 * second, 5 * second, second, second)?.with_settle(second)?;
        let promoter = Promoter::builder()
            .registry(Arc::new(registry.clone()))
            .ledger(ledger)
            .pipeline(Pipeline::new(stages.clone())?)
            .times(times)
            .build()?;
        let kept = args.keep.clone();
        Ok(Place { repository, registry, promoter, stages, ledger: url, scratch, server, kept })
    }

    /// The channel of an environment.
    pub(super) fn channel(&self, environment: &str) -> Result<&Channel> {
        let stage = self.stages.iter().find(|stage| stage.environment.as_str() == environment);
        let missing = || Error::new(ErrorKind::InternalFault, format!("{environment} is no environment of the demo"));
        Ok(&stage.ok_or_else(missing)?.channel)
    }

    pub(super) fn channels(&self) -> Vec<Channel> {
        self.stages.iter().map(|stage| stage.channel.clone()).collect()
    }

    /// True if the registry runs in this process.
    pub(super) fn embedded(&self) -> bool {
        self.server.is_some()
    }

    pub(super) fn kept(&self) -> Option<&Path> {
        self.kept.as_deref()
    }

    pub(super) async fn close(self) -> Result<()> {
        // Close the client's connections first: the server waits for open connections.
        drop((self.promoter, self.registry));
        match self.server {
            Some(server) => server.stop().await.map_err(|e| fault("the registry's end", &e)),
            None => Ok(()),
        }
    }
}

/// A repository next to this one that no other run uses.
fn fresh(repository: &Repository) -> Result<Repository> {
    let ms = SystemClock.now().unix_ms();
    format!("{repository}-{ms:x}-{:x}", std::process::id()).parse()
}

fn stages(repository: &Repository) -> Result<Vec<Stage>> {
    let stage = |name: &str| {
        let channel = Channel::new(repository.clone(), name.parse()?)?;
        Ok(Stage { environment: name.parse()?, channel })
    };
    ["dev", "preprod", "prod"].into_iter().map(stage).collect()
}

/// Refuses a repository that is in use: the demonstration must not change it.
async fn refuse_used(registry: &OciRegistry, stages: &[Stage]) -> Result<()> {
    for Stage { channel, .. } in stages {
        if registry.resolve(channel.repository(), channel.tag()).await?.is_some() {
            let message =
                format!("{channel} exists: the demonstration makes its own tags; name a repository without them");
            return Err(Error::new(ErrorKind::ChannelOccupied, message).with_context("channel", channel));
        }
    }
    Ok(())
}

/// Creates the directory, with a `tagwarden.toml` that names the channels.
fn keep(dir: &Path, stages: &[Stage]) -> Result<()> {
    let bad = |why: String| Error::new(ErrorKind::ConfigInvalid, format!("--keep {}: {why}", dir.display()));
    std::fs::create_dir_all(dir).map_err(|e| bad(e.to_string()))?;
    if std::fs::read_dir(dir).map_err(|e| bad(e.to_string()))?.next().is_some() {
        return Err(bad("the directory is not empty".to_owned()));
    }
    let mut text = "ledger = \"ledger\"\n".to_owned();
    for Stage { environment, channel } in stages {
        text.push_str(&format!("\n[[pipeline]]\nenvironment = \"{environment}\"\nchannel = \"{channel}\"\n"));
    }
    std::fs::write(dir.join("tagwarden.toml"), text).map_err(|e| bad(e.to_string()))
}

fn fault(what: &str, why: &std::io::Error) -> Error {
    Error::new(ErrorKind::SourceInvalid, format!("{what} cannot be had: {why}"))
}
