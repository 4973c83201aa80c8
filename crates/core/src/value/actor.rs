//! `ActorName`: an actor as a policy names it.

use std::fmt;
use std::str::FromStr;

use super::{Line, Provenance, invalid, serde_text};
use crate::error::{Error, Result};

/// An actor with the provider that names it, `PROVIDER:ID`, such as `github-actions:ada`. The provider has no colon;
/// the id may have some. Provider and id are spelled as the log has them.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActorName {
    provider: Line,
    id: Line,
}

impl ActorName {
    /// The actor of a provenance.
    pub fn of(provenance: &Provenance) -> ActorName {
        ActorName { provider: provenance.pipeline.provider.clone(), id: provenance.actor.id.clone() }
    }
}

impl FromStr for ActorName {
    type Err = Error;

    fn from_str(text: &str) -> Result<ActorName> {
        let Some((provider, id)) = text.split_once(':') else {
            return Err(invalid("actor", "no ':' after the provider; write PROVIDER:ID", Some(text.len())));
        };
        let part = |what: &str, text: &str| text.parse::<Line>().map_err(|e| invalid(what, e, None));
        Ok(ActorName { provider: part("actor's provider", provider)?, id: part("actor's id", id)? })
    }
}

impl fmt::Display for ActorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.provider, self.id)
    }
}

serde_text!(ActorName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actor_is_a_provider_and_an_id() {
        let name = |text: &str| text.parse::<ActorName>();
        let ada = Provenance::new("github-actions", "42", "ada").unwrap();
        assert_eq!(name("github-actions:ada").unwrap(), ActorName::of(&ada));
        assert_eq!(name("gitlab-ci:a:b").unwrap().to_string(), "gitlab-ci:a:b");
        let two = Provenance::new("github-actions:ada", "42", "x").unwrap();
        assert_ne!(name("github-actions:ada:x").unwrap(), ActorName::of(&two), "a provider with a colon is no match");
        let error = |text: &str| name(text).unwrap_err().to_string();
        assert_eq!(error("ada"), "actor: no ':' after the provider; write PROVIDER:ID at byte 3");
        assert_eq!(error(":ada"), "actor's provider: text: it is empty at byte 0");
        assert_eq!(error("manual:"), "actor's id: text: it is empty at byte 0");
    }
}
