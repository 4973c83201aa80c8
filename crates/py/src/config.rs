//! `Config`: the content of a `tagwarden.toml`.

use std::path::PathBuf;

use pyo3::prelude::*;
use tagwarden::{config, ledger};
use tagwarden_bind::convert::to;
use tagwarden_bind::settings;

use crate::error::Raises;
use crate::host::List;
use crate::ledger::OpenedLedger;
use crate::records::{EnvironmentConfig, OpenMode, Order, RegistryConfig};
use crate::run::{Awaited, Work, awaited, block};
use crate::settings::RetentionRule;
use crate::value::{Channel, Environment};

/// The content of a ``tagwarden.toml``: the ledger, the environments, the policy of each, and settings of registries.
///
/// ``Config.read`` and ``Config.find`` make one. docs/reference/configuration.md has every key.
#[pyclass(frozen, from_py_object, module = "tagwarden")]
#[derive(Clone)]
pub(crate) struct Config(pub(crate) config::Config);

#[pymethods]
impl Config {
    /// The content of this file. A relative ledger is in the directory of the file.
    ///
    /// InvalidValueError CONFIG_INVALID, with ``file:line:column``, if it is invalid, or if it cannot be read.
    #[staticmethod]
    fn read(file: PathBuf) -> Raises<Config> {
        Ok(Config(config::Config::read(&file)?))
    }

    /// The content of the first ``tagwarden.toml`` in ``directory``, which is absolute, or above it; empty, without a
    /// ``file``, if there is none.
    ///
    /// InvalidValueError CONFIG_INVALID, with ``file:line:column``, if the file is invalid, or if it cannot be read.
    #[staticmethod]
    fn find(directory: PathBuf) -> Raises<Config> {
        Ok(Config(config::Config::find(&directory)?))
    }

    /// The file that was read; None if there was none.
    #[getter]
    fn file(&self) -> Option<PathBuf> {
        self.0.file.clone()
    }

    /// The URL of the ledger without a password in it; None if the file names none. ``open_ledger`` opens it.
    #[getter]
    fn ledger(&self) -> Option<String> {
        self.0.ledger.as_ref().map(ToString::to_string)
    }

    /// The order of releases; None if the file does not say.
    #[getter]
    fn order(&self) -> Option<Order> {
        to(self.0.order)
    }

    /// The environments, in the order in which a release goes through them.
    #[getter]
    fn environments(&self) -> List<EnvironmentConfig> {
        to(self.0.environments.clone())
    }

    /// The rollback window, for ``retention_plan``.
    #[getter]
    fn retention(&self) -> RetentionRule {
        self.0.retention.into()
    }

    /// The settings of registries, by their host.
    #[getter]
    fn registries(&self) -> List<RegistryConfig> {
        to(Vec::from_iter(self.0.registries.clone()))
    }

    /// The channel of the environment with this name; None if the file has no such environment.
    fn channel(&self, environment: Environment) -> Option<Channel> {
        self.0.channel(environment.0.as_str()).cloned().map(Channel)
    }

    /// Opens the ledger that the file names, as the function ``open_ledger`` does.
    ///
    /// InvalidValueError CONFIG_INVALID if it names none.
    #[pyo3(signature = (*, access = None))]
    fn open_ledger(&self, py: Python<'_>, access: Option<OpenMode>) -> Raises<OpenedLedger> {
        block(py, self.opening(access)?)
    }

    /// ``open_ledger``, awaited. Cancelling the task aborts it.
    #[pyo3(signature = (*, access = None))]
    fn open_ledger_async(&self, py: Python<'_>, access: Option<OpenMode>) -> Raises<Awaited<OpenedLedger>> {
        let work = self.opening(access)?;
        awaited(py, |_| Ok(work))
    }

    fn __repr__(&self) -> String {
        let file = self.0.file.as_ref().map_or_else(|| "no file".to_owned(), |file| file.display().to_string());
        format!("Config({file})")
    }
}

impl Config {
    fn opening(&self, access: Option<OpenMode>) -> Raises<Work<OpenedLedger>> {
        let (url, access) = (settings::ledger(&self.0)?, access.map_or(ledger::OpenMode::Write, Into::into));
        Ok(Box::pin(async move { Ok(OpenedLedger::of(url.open(access).await?)) }))
    }
}
