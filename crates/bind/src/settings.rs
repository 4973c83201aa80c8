//! The settings of a promoter, and what a `tagwarden.toml` says about them.

use tagwarden::config::Config;
use tagwarden::ledger::LedgerUrl;
use tagwarden::policy::Policy;
use tagwarden::promotion::PromoterBuilder;
use tagwarden::{Channel, Error, ErrorKind, Pipeline, Promoter, Result, Times};

use crate::args::{TimesArgs, wrong};
use crate::foreign::{Guardrails, policy};

/// The settings of a promoter. What is none has its default.
#[derive(Clone, Debug, Default)]
pub struct PromoterArgs {
    /// A `tagwarden.toml`, and the channel that the promoter moves: the policy of its environment judges.
    pub config: Option<Config>,
    /// See `config`.
    pub channel: Option<Channel>,
    /// The environments in their order.
    pub pipeline: Option<Pipeline>,
    /// The times.
    pub times: Option<TimesArgs>,
    /// The name of the policy.
    pub policy: Option<String>,
}

impl PromoterArgs {
    /// The promoter with these settings and guardrails, to be built with a registry and a ledger. VALUE_INVALID if only
    /// one of config and channel is given, or a pipeline besides that of the config.
    pub fn builder(self, guardrails: &Guardrails) -> Result<PromoterBuilder> {
        let PromoterArgs { config, channel, pipeline, times, policy: name } = self;
        let times = times.map_or_else(|| Ok(Times::default()), TimesArgs::times)?;
        let (builder, base) = match (config, channel) {
            (Some(config), Some(channel)) => {
                if pipeline.is_some() {
                    return Err(wrong("pipeline", "the config says it"));
                }
                (config.promoter(&channel)?.times(config.times(times)?), config.policy(&channel))
            }
            (None, None) => (Promoter::builder().times(times), Policy::standard()),
            (Some(_), None) => return Err(wrong("channel", "with a config, name the channel that is moved")),
            (None, Some(_)) => {
                return Err(wrong("channel", "it says which policy of a config judges, and there is none"));
            }
        };
        let builder = builder.policy(policy(base, name, guardrails)?);
        Ok(match pipeline {
            Some(pipeline) => builder.pipeline(pipeline),
            None => builder,
        })
    }
}

/// The ledger that a `tagwarden.toml` names. CONFIG_INVALID if it names none.
pub fn ledger(config: &Config) -> Result<LedgerUrl> {
    let none = || Error::new(ErrorKind::ConfigInvalid, "the configuration names no ledger");
    config.ledger.clone().ok_or_else(none)
}
