//! `Config`: the content of a `tagwarden.toml`.

use std::path::Path;

use napi::bindgen_prelude::{Either, Unknown};
use napi::{Env, JsValue as _};
use napi_derive::napi;
use tagwarden::{config, ledger};
use tagwarden_bind::convert::to;
use tagwarden_bind::settings;

use crate::args::{Options, Wrong, class};
use crate::call::{Promise, run, sync};
use crate::given::{FilePath, Text};
use crate::host::{Count, List, Nullable, defined};
use crate::ledger::{OpenOptions, OpenedLedger};
use crate::records::{EnvironmentConfig, Order, RegistryConfig};

record! {
    /// How far back a channel can be rolled back, as a `tagwarden.toml` says.
    pub struct RetentionSettings {
        /// Digests kept for rollback on each channel, the live one included.
        pub keep_last: u32,
        /// How long a digest is kept after it stopped being live, in milliseconds.
        pub keep_for_ms: Count,
    }
}

/// The content of a `tagwarden.toml`: the ledger, the environments, the policy of each, and settings of registries.
/// docs/reference/configuration.md has every key.
#[napi]
pub struct Config {
    core: config::Config,
}

#[napi]
impl Config {
    /// The content of this file. A relative ledger is in the directory of the file. CONFIG_INVALID, with
    /// `file:line:column`, if it is invalid, or if it cannot be read.
    #[napi(catch_unwind, writable, configurable)]
    pub fn read(#[napi(ts_arg_type = "string")] file: FilePath) -> napi::Result<Config> {
        Ok(Config { core: sync(config::Config::read(Path::new(&file.0)))? })
    }

    /// The content of the first `tagwarden.toml` in `directory`, which is absolute, or above it; empty, without a
    /// `file`, if there is none. CONFIG_INVALID, with `file:line:column`, if the file is invalid, or if it cannot be
    /// read.
    #[napi(catch_unwind, writable, configurable)]
    pub fn find(#[napi(ts_arg_type = "string")] directory: FilePath) -> napi::Result<Config> {
        Ok(Config { core: sync(config::Config::find(Path::new(&directory.0)))? })
    }

    /// The file that was read; undefined if there was none.
    #[napi(getter, catch_unwind)]
    pub fn file(&self) -> Either<String, ()> {
        defined(self.core.file.as_ref().map(|file| file.display().to_string()))
    }

    /// The URL of the ledger without a password in it; undefined if the file names none. `openLedger` opens it.
    #[napi(getter, catch_unwind)]
    pub fn ledger(&self) -> Either<String, ()> {
        defined(self.core.ledger.as_ref().map(ToString::to_string))
    }

    /// The order of releases; undefined if the file does not say.
    #[napi(getter, catch_unwind)]
    pub fn order(&self) -> Either<Order, ()> {
        defined(to(self.core.order))
    }

    /// The environments, in the order in which a release goes through them.
    #[napi(getter, catch_unwind)]
    pub fn environments(&self) -> List<EnvironmentConfig> {
        to(self.core.environments.clone())
    }

    /// The rollback window, for `retentionPlan`.
    #[napi(getter, catch_unwind)]
    pub fn retention(&self) -> RetentionSettings {
        let tagwarden::retention::RetentionRule { keep_last, keep_for } = self.core.retention;
        let keep_for_ms = u64::try_from(keep_for.as_millis()).unwrap_or(u64::MAX);
        RetentionSettings { keep_last: keep_last.get(), keep_for_ms: to(keep_for_ms) }
    }

    /// The settings of registries, by their host.
    #[napi(getter, catch_unwind)]
    pub fn registries(&self) -> List<RegistryConfig> {
        to(Vec::from_iter(self.core.registries.clone()))
    }

    /// The channel of the environment with this name; null if the file has no such environment.
    #[napi(catch_unwind)]
    pub fn channel(&self, environment: Text<tagwarden::Environment>) -> Nullable<String> {
        to(self.core.channel(environment.as_str()).cloned())
    }

    /// Opens the ledger that the file names, as the function `openLedger` does. CONFIG_INVALID if it names none.
    #[napi(catch_unwind)]
    pub fn open_ledger(&self, options: Option<Options<OpenOptions>>) -> napi::Result<Promise<OpenedLedger>> {
        let Options { rest: OpenOptions { access }, abort } = options.unwrap_or_default();
        let url = sync(settings::ledger(&self.core))?;
        let access = access.map_or(ledger::OpenMode::Write, Into::into);
        Ok(run(abort, async move { Ok(OpenedLedger { core: url.open(access).await? }) }))
    }
}

/// The `config` of these options.
pub fn own_config(options: &Unknown<'_>) -> napi::Result<Option<config::Config>> {
    let env = Env::from_raw(options.value().env);
    let given = options.coerce_to_object()?.get::<Unknown<'_>>("config");
    match given.map_err(|error| Wrong::from(error).thrown(&env))? {
        Some(given) => Ok(Some(class::<Config>(&given, "config: a Config is needed")?.core.clone())),
        None => Ok(None),
    }
}
