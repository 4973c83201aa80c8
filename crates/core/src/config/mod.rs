//! `tagwarden.toml`: the ledger, the environments, the policy of each, and the settings of registries.
//!
//! The command line reads it, and so can every other program: [`Config::find`] searches for it, [`Config::read`] reads
//! it. Unknown keys, wrong values and contradictions are CONFIG_INVALID with `file:line:column`.
//! `docs/reference/configuration.md` has every key.
//!
//! ```
//! use std::path::Path;
//! use tagwarden::config::Config;
//!
//! let text = r#"
//!     ledger = "ledger"
//!     [[pipeline]]
//!     environment = "prod"
//!     channel = "registry.example.com/acme/shop:prod"
//!     policy = { promotion-order = "warn" }
//! "#;
//! let config = Config::parse(Path::new("/srv/tagwarden.toml"), text)?;
//! let prod = config.channel("prod").unwrap();
//! assert_eq!(prod.to_string(), "registry.example.com/acme/shop:prod");
//! assert_eq!(config.policy(prod).note().name.as_str(), "prod");
//! // A promoter that moves prod: `.ledger(…)` and `.build()` follow.
//! let builder = config.promoter(prod)?;
//! # Ok::<(), tagwarden::Error>(())
//! ```

mod draft;
mod environment;
mod keys;
mod nearest;
#[cfg(feature = "oci")]
mod oci;
mod registry;
mod schema;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

pub use self::draft::Draft;
pub use self::environment::EnvironmentConfig;
pub use self::registry::RegistryConfig;
pub use self::schema::schema;
use self::source::{Item, Source, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::LedgerUrl;
use crate::policy::{Order, OrderBy, Policy};
use crate::promotion::{AfterRollback, Promoter, PromoterBuilder, Times};
use crate::retention::RetentionRule;
use crate::value::{Channel, Pipeline, Stage, without_credentials};

/// The content of a `tagwarden.toml`. Empty, which is the default, if there is no file.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Config {
    /// The file that was read; none if there was none.
    pub file: Option<PathBuf>,
    /// The ledger. A directory is relative to the file.
    pub ledger: Option<LedgerUrl>,
    /// The order of releases.
    pub order: Option<Order>,
    /// The environments, in the order in which a release goes through them.
    pub environments: Vec<EnvironmentConfig>,
    /// The environments as a pipeline; none if the file has none.
    pub pipeline: Option<Pipeline>,
    /// The rollback window.
    pub retention: RetentionRule,
    /// The settings of registries, by `host[:port]`.
    pub registries: BTreeMap<String, RegistryConfig>,
}

impl Config {
    /// The name of the file.
    pub const FILE: &'static str = "tagwarden.toml";

    /// The first `tagwarden.toml` in this directory or above it; empty if there is none. The directory is absolute.
    /// CONFIG_INVALID, with line and column, if the file is invalid.
    pub fn find(dir: &Path) -> Result<Config> {
        for dir in dir.ancestors() {
            let file = dir.join(Config::FILE);
            match std::fs::read_to_string(&file) {
                Ok(text) => return Config::parse(&file, &text),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => return Err(unreadable(&file, &e)),
            }
        }
        Ok(Config::default())
    }

    /// The content of this file. CONFIG_INVALID, with line and column, if it is invalid, or if it cannot be read.
    pub fn read(file: &Path) -> Result<Config> {
        let text = std::fs::read_to_string(file).map_err(|e| unreadable(file, &e))?;
        Config::parse(file, &text)
    }

    /// The content of this text. `file` is its name in errors, and relative paths begin at its directory.
    pub fn parse(file: &Path, text: &str) -> Result<Config> {
        let source = Source { file, text };
        let parsed = DeTable::parse(text);
        let parsed = parsed.map_err(|e| source.bad(e.span().map_or(0, |span| span.start), e.message()))?;
        let root = Table::new(source, 0, parsed.get_ref(), &keys::root())?;
        let home = file.parent().unwrap_or(Path::new("."));
        let ledger = |item: Item<'_>| {
            let url = item.secret().and_then(|text| item.with(text.parse::<LedgerUrl>()));
            url.map(|url| url.within(home))
        };
        let order = root.get("order").map(order).transpose()?;
        let (environments, pipeline) = match root.get("pipeline") {
            Some(stages) => environments(stages, order)?,
            None => (Vec::new(), None),
        };
        Ok(Config {
            file: Some(file.to_owned()),
            ledger: root.get("ledger").map(ledger).transpose()?,
            order,
            environments,
            pipeline,
            retention: root.get("retention").map(retention).transpose()?.unwrap_or_default(),
            registries: root
                .get("registry")
                .map(|item| RegistryConfig::all(item, home))
                .transpose()?
                .unwrap_or_default(),
        })
    }

    /// The channel of the environment with this name.
    pub fn channel(&self, environment: &str) -> Option<&Channel> {
        let mut all = self.environments.iter();
        all.find(|known| known.environment.as_str() == environment).map(|known| &known.channel)
    }

    /// The environment of a channel.
    pub fn environment(&self, channel: &Channel) -> Option<&EnvironmentConfig> {
        self.environments.iter().find(|known| known.channel == *channel)
    }

    /// The policy of a channel's moves. For a channel that is not in the file it is the standard policy, with the
    /// pipeline and the order of the file.
    pub fn policy(&self, channel: &Channel) -> Policy {
        match self.environment(channel) {
            Some(environment) => environment.policy.clone(),
            None => Policy::standard().with_order(self.order).with_pipeline(self.pipeline.clone()),
        }
    }

    /// The step of a channel's rollbacks; none for a channel that is not in the file.
    pub fn after_rollback(&self, channel: &Channel) -> AfterRollback {
        self.environment(channel).map_or(AfterRollback::Nothing, |environment| environment.after_rollback)
    }

    /// A promoter that moves this channel, to be built with a registry and a ledger: it has the channel's policy and
    /// its step after a rollback, the pipeline, and the settle times of registries.
    pub fn promoter(&self, channel: &Channel) -> Result<PromoterBuilder> {
        let builder = Promoter::builder().policy(self.policy(channel)).times(self.times(Times::default())?);
        let builder = builder.after_rollback(self.after_rollback(channel));
        Ok(match &self.pipeline {
            Some(pipeline) => builder.pipeline(pipeline.clone()),
            None => builder,
        })
    }

    /// These times, with the settle time of each registry.
    pub fn times(&self, times: Times) -> Result<Times> {
        let mut settles = self.registries.iter().filter_map(|(host, registry)| Some((host, registry.settle?)));
        settles.try_fold(times, |times, (host, settle)| times.with_settle_on(host, settle))
    }
}

fn unreadable(file: &Path, why: &std::io::Error) -> Error {
    let file = without_credentials(&file.to_string_lossy());
    Error::new(ErrorKind::ConfigInvalid, format!("{file}: {why}"))
}

fn order(item: Item<'_>) -> Result<Order> {
    let table = item.table(&keys::order())?;
    let by = table.needed("by")?.word(OrderBy::ALL, OrderBy::as_str)?;
    let required = table.get("required").map_or(Ok(false), Item::truth)?;
    item.with(Order::new(by, required))
}

/// The environments, each with its whole policy, and their pipeline.
fn environments(item: Item<'_>, order: Option<Order>) -> Result<(Vec<EnvironmentConfig>, Option<Pipeline>)> {
    let (mut environments, mut stages, mut pipeline) = (Vec::new(), Vec::new(), None);
    for item in item.list()? {
        let environment = EnvironmentConfig::read(item, order)?;
        let EnvironmentConfig { environment: name, channel, .. } = &environment;
        stages.push(Stage { environment: name.clone(), channel: channel.clone() });
        // Made again for each environment, so that an error has the place of the second one of two.
        pipeline = Some(item.with(Pipeline::new(stages.clone()))?);
        environments.push(environment);
    }
    let whole = |one: EnvironmentConfig| {
        let policy = one.policy.with_order(order).with_pipeline(pipeline.clone());
        EnvironmentConfig { policy, ..one }
    };
    let environments = environments.into_iter().map(whole).collect();
    Ok((environments, pipeline))
}

fn retention(item: Item<'_>) -> Result<RetentionRule> {
    let table = item.table(&keys::retention())?;
    let default = RetentionRule::default();
    Ok(RetentionRule {
        keep_last: table.get("keep-last").map_or(Ok(default.keep_last), Item::number)?,
        keep_for: table.get("keep-for").map_or(Ok(default.keep_for), Item::duration)?,
    })
}
