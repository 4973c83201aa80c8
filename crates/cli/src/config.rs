//! `tagwarden.toml`: the ledger, the pipeline and its short names, the rollback window.

use std::num::NonZeroU32;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tagwarden::ledger::LedgerUrl;
use tagwarden::{AsWritten, Channel, Environment, Error, ErrorKind, Pipeline, Result, Stage, parse_duration};
use toml::Spanned;

/// The name of the file. It is searched for from the working directory upwards.
const NAME: &str = "tagwarden.toml";

/// The content of the file; empty if there is no file.
#[derive(Debug, Default)]
pub(crate) struct Config {
    /// The file that was read.
    pub(crate) file: Option<PathBuf>,
    pub(crate) ledger: Option<LedgerUrl>,
    pub(crate) pipeline: Option<Pipeline>,
    pub(crate) keep_last: Option<NonZeroU32>,
    pub(crate) keep_for: Option<Duration>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    ledger: Option<Spanned<String>>,
    #[serde(default)]
    pipeline: Vec<Spanned<WrittenStage>>,
    #[serde(default)]
    retention: WrittenRetention,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenStage {
    environment: Environment,
    channel: AsWritten<Channel>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WrittenRetention {
    keep_last: Option<NonZeroU32>,
    keep_for: Option<Lasting>,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Lasting(Duration);

impl TryFrom<String> for Lasting {
    type Error = Error;
    fn try_from(text: String) -> Result<Lasting> {
        parse_duration(&text).map(Lasting)
    }
}

impl Config {
    /// The first `tagwarden.toml` from `dir` upwards. CONFIG_INVALID, with line and column, if it is invalid.
    pub(crate) fn find(dir: &Path) -> Result<Config> {
        for dir in dir.ancestors() {
            let file = dir.join(NAME);
            match std::fs::read_to_string(&file) {
                Ok(text) => return Config::parse(&file, &text),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => return Err(Error::new(ErrorKind::ConfigInvalid, format!("{}: {e}", file.display()))),
            }
        }
        Ok(Config::default())
    }

    fn parse(file: &Path, text: &str) -> Result<Config> {
        let bad = |span: Option<Range<usize>>, why: &str| {
            let (line, column) = place(text, span.map_or(0, |span| span.start));
            // Some messages of the parser have several lines. The first line is enough.
            let why = why.lines().next().unwrap_or_default();
            let message = format!("{}:{line}:{column}: {why}", file.display());
            Error::new(ErrorKind::ConfigInvalid, message).with_context("line", line).with_context("column", column)
        };
        let written: Written = toml::from_str(text).map_err(|e| bad(e.span(), e.message()))?;
        let mut stages: Vec<Stage> = Vec::new();
        let mut pipeline = None;
        for stage in written.pipeline {
            let span = stage.span();
            let WrittenStage { environment, channel: AsWritten(channel) } = stage.into_inner();
            stages.push(Stage { environment, channel });
            pipeline = Some(Pipeline::new(stages.clone()).map_err(|e| bad(Some(span), &e.to_string()))?);
        }
        // Parse the URL outside of the TOML parser: its error messages may quote the value, and a URL may have a
        // password.
        let home = file.parent().unwrap_or(Path::new("."));
        let ledger = written.ledger.map(|ledger| match ledger.as_ref().parse::<LedgerUrl>() {
            Ok(url) => Ok(url.within(home)),
            Err(e) => Err(bad(Some(ledger.span()), e.message())),
        });
        let ledger = ledger.transpose()?;
        Ok(Config {
            file: Some(file.to_owned()),
            ledger,
            pipeline,
            keep_last: written.retention.keep_last,
            keep_for: written.retention.keep_for.map(|Lasting(time)| time),
        })
    }

    /// The channel of the environment with that name.
    pub(crate) fn channel(&self, environment: &str) -> Option<&Channel> {
        let mut stages = self.pipeline.iter().flat_map(Pipeline::stages);
        stages.find(|stage| stage.environment.as_str() == environment).map(|stage| &stage.channel)
    }

    /// The environment of a channel.
    pub(crate) fn environment(&self, channel: &Channel) -> Option<&Environment> {
        let mut stages = self.pipeline.iter().flat_map(Pipeline::stages);
        stages.find(|stage| stage.channel == *channel).map(|stage| &stage.environment)
    }

    /// The names of all environments, for an error message.
    pub(crate) fn environments(&self) -> Vec<&str> {
        self.pipeline.iter().flat_map(Pipeline::stages).map(|stage| stage.environment.as_str()).collect()
    }
}

/// Line and column, both from 1, counted in characters.
fn place(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before.get(line_start..).map_or(0, |line| line.chars().count()) + 1;
    (before.matches('\n').count() + 1, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Config::parse(Path::new("/x/tagwarden.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn a_whole_file_is_read() {
        let text = "ledger = 'audit'\n\
                    [[pipeline]]\nenvironment = 'dev'\nchannel = 'reg.io/a:dev'\n\
                    [[pipeline]]\nenvironment = 'prod'\nchannel = 'oci://reg.io/a:prod'\n\
                    [retention]\nkeep-last = 3\nkeep-for = '7d'\n";
        let config = Config::parse(Path::new("/x/tagwarden.toml"), text).unwrap();
        assert_eq!(config.ledger.as_ref().unwrap().to_string(), "/x/audit");
        assert_eq!(config.channel("prod").unwrap().to_string(), "reg.io/a:prod");
        assert_eq!(config.environments(), ["dev", "prod"]);
        assert_eq!((config.keep_last.map(NonZeroU32::get), config.keep_for.unwrap().as_secs()), (Some(3), 604_800));
    }

    #[test]
    fn errors_say_what_and_where() {
        for (text, want) in [
            (
                "ledger = 'a'\nleger = 'b'\n",
                "/x/tagwarden.toml:2:1: unknown field `leger`, expected one of `ledger`, `pipeline`, `retention`",
            ),
            (
                "[[pipeline]]\nenvironment = 'Prod'\nchannel = 'reg.io/a:x'\n",
                "/x/tagwarden.toml:2:15: environment: not a-z, 0-9 or an inner '-' at byte 0",
            ),
            (
                "[[pipeline]]\nenvironment = 'prod'\nchannel = 'reg.io/a:x'\nchanel = ''\n",
                "/x/tagwarden.toml:4:1: unknown field `chanel`, expected `environment` or `channel`",
            ),
            (
                "[retention]\nkeep-for = '30'\n",
                "/x/tagwarden.toml:2:12: duration: \"30\": no unit at byte 2; write 500ms, 60s, 5m, 1h or 30d",
            ),
            (
                "[[pipeline]]\nenvironment = 'a'\nchannel = 'reg.io/a:x'\n[[pipeline]]\nenvironment = 'b'\n\
                 channel = 'reg.io/a:x'\n",
                "/x/tagwarden.toml:4:1: pipeline: reg.io/a:x stands in it twice",
            ),
        ] {
            assert_eq!(error(text), want);
        }
        assert_eq!(
            error("ledger = 'redis://u:c4n4ry@h'\n"),
            "/x/tagwarden.toml:1:10: ledger: no ledger is kept in redis://; give a directory, file://, s3://, gs://, \
             az://, postgres://"
        );
        assert!(!error("ledger = 'postgres://u:c4n4ry@h\n").contains("c4n4ry"), "a quote that does not end");
        assert!(error("ledger = \n").starts_with("/x/tagwarden.toml:1:"), "{}", error("ledger = \n"));
        assert!(error("[retention]\nkeep-last = 0\n").starts_with("/x/tagwarden.toml:2:13: "));
    }
}
