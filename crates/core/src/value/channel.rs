//! Channels, and the order in which releases pass through them.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::name::{Reference, Repository, Tag, Target};
use super::{invalid, parse_name, serde_text, text_value};
use crate::error::{Error, Result};

/// The alias that an environment consumes: `registry/repository:tag`, such as `registry.example.com/acme/shop:prod`.
///
/// A channel's tag is never a pin (`tw-pin.…`): tagwarden alone writes pins.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Channel {
    repository: Repository,
    tag: Tag,
}

impl Channel {
    /// The channel of `tag` in `repository`. VALUE_INVALID if the tag is a pin.
    pub fn new(repository: Repository, tag: Tag) -> Result<Channel> {
        match tag.as_str().starts_with("tw-pin.") {
            true => Err(invalid("channel", "a pin (tw-pin.…) cannot be a channel", None)),
            false => Ok(Channel { repository, tag }),
        }
    }

    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The tag that moves.
    pub fn tag(&self) -> &Tag {
        &self.tag
    }

    /// The channel as a reference.
    pub fn reference(&self) -> Reference {
        self.repository.tag(self.tag.clone())
    }
}

impl FromStr for Channel {
    type Err = Error;

    fn from_str(text: &str) -> Result<Channel> {
        let reference: Reference = text.parse()?;
        match reference.target() {
            Target::Tag(tag) => Channel::new(reference.repository().clone(), tag.clone()),
            Target::Digest(_) => Err(invalid("channel", "a digest cannot move; a channel has a tag", None)),
        }
    }
}

impl Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repository, self.tag)
    }
}

serde_text!(Channel);

/// The name of an environment in a pipeline: `[a-z0-9][a-z0-9-]{0,62}`, such as `prod`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Environment(Box<str>);

impl FromStr for Environment {
    type Err = Error;

    fn from_str(text: &str) -> Result<Environment> {
        let flaw = |at, char| match char {
            'a'..='z' | '0'..='9' => None,
            '-' if at > 0 => None,
            _ => Some("not a-z, 0-9 or an inner '-'".to_owned()),
        };
        parse_name("environment", text, 63, flaw).map(Environment)
    }
}

text_value!(Environment);

/// One environment of a pipeline and its channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stage {
    /// The environment's name.
    pub environment: Environment,
    /// The channel that it consumes.
    pub channel: Channel,
}

/// The environments that a release passes through, in order. There is at least one; no name and no channel occurs
/// twice.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<Stage>")]
pub struct Pipeline(Vec<Stage>);

impl Pipeline {
    /// The pipeline of `stages`, first environment first. VALUE_INVALID if it is empty, or if an environment or a
    /// channel occurs in it twice.
    pub fn new(stages: Vec<Stage>) -> Result<Pipeline> {
        if stages.is_empty() {
            return Err(invalid("pipeline", "it has no environment", None));
        }
        let twice = |name: &dyn Display| Err(invalid("pipeline", format!("{name} stands in it twice"), None));
        for (at, Stage { environment, channel }) in stages.iter().enumerate() {
            for earlier in stages.iter().take(at) {
                if earlier.environment == *environment {
                    return twice(environment);
                }
                if earlier.channel == *channel {
                    return twice(channel);
                }
            }
        }
        Ok(Pipeline(stages))
    }

    /// The environments in order.
    pub fn stages(&self) -> &[Stage] {
        &self.0
    }

    /// The stage before the one of `channel`, if there is one.
    pub fn before(&self, channel: &Channel) -> Option<&Stage> {
        self.earlier(channel).last()
    }

    /// The stages before the one of `channel`, in order; none if the pipeline has no such channel.
    pub fn earlier(&self, channel: &Channel) -> &[Stage] {
        let at = self.0.iter().position(|stage| stage.channel == *channel).unwrap_or_default();
        self.0.get(..at).unwrap_or_default()
    }
}

impl TryFrom<Vec<Stage>> for Pipeline {
    type Error = Error;
    fn try_from(stages: Vec<Stage>) -> Result<Pipeline> {
        Pipeline::new(stages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(environment: &str, channel: &str) -> Stage {
        Stage { environment: environment.parse().unwrap(), channel: channel.parse().unwrap() }
    }

    #[test]
    fn a_channel_is_a_tag_that_is_no_pin() {
        let error = |text: &str| text.parse::<Channel>().unwrap_err().to_string();
        assert_eq!(error("reg.io/a:tw-pin.sha256.00"), "channel: a pin (tw-pin.…) cannot be a channel");
        let digest = super::super::Digest::of(b"");
        assert_eq!(error(&format!("reg.io/a@{digest}")), "channel: a digest cannot move; a channel has a tag");
        assert_eq!("reg.io/a:prod".parse::<Channel>().unwrap().to_string(), "reg.io/a:prod");
    }

    #[test]
    fn a_pipeline_is_ordered_and_names_each_thing_once() {
        let pipeline = Pipeline::new(vec![stage("dev", "reg.io/a:dev"), stage("prod", "reg.io/a:prod")]).unwrap();
        assert_eq!(pipeline.before(&"reg.io/a:prod".parse().unwrap()).unwrap().environment.as_str(), "dev");
        assert!(pipeline.before(&"reg.io/a:dev".parse().unwrap()).is_none());
        assert_eq!(pipeline.earlier(&"reg.io/a:prod".parse().unwrap()).len(), 1);
        assert_eq!(pipeline.earlier(&"reg.io/a:other".parse().unwrap()), []);
        let error = |stages| Pipeline::new(stages).unwrap_err().to_string();
        assert_eq!(error(vec![]), "pipeline: it has no environment");
        assert_eq!(
            error(vec![stage("a", "reg.io/a:x"), stage("b", "reg.io/a:x")]),
            "pipeline: reg.io/a:x stands in it twice"
        );
        assert_eq!(
            "Prod".parse::<Environment>().unwrap_err().to_string(),
            "environment: not a-z, 0-9 or an inner '-' at byte 0"
        );
    }
}
