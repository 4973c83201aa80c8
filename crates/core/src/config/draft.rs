//! `Draft`: a first `tagwarden.toml` for a directory, made from its git repository and its CI's files.

mod seen;

use std::path::Path;

use self::seen::Seen;
use crate::ledger::LedgerUrl;
use crate::value::Environment;

/// A first `tagwarden.toml` for a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Draft {
    /// The text of the file, with comments.
    pub text: String,
    /// Where each name comes from, and the names that a person must change.
    pub notes: Vec<String>,
}

impl Draft {
    /// Looks at git's remote `origin` and at the CI's files in `dir`, and writes what they say. Nothing is asked over
    /// the network. Without a ledger it is a directory beside the file.
    pub fn of(dir: &Path, ledger: Option<&LedgerUrl>) -> Draft {
        Draft::of_seen(Seen::in_dir(dir), ledger)
    }

    fn of_seen(seen: Seen, ledger: Option<&LedgerUrl>) -> Draft {
        let repository = seen.repository.map(|(repository, from)| (repository.to_string(), from));
        let environments = seen.environments.map(|(environments, from)| {
            let names: Vec<_> = environments.iter().map(Environment::to_string).collect();
            (names, from)
        });
        let mut notes = vec![
            match &repository {
                Some((repository, from)) => format!("repository {repository}: from {from}"),
                None => format!("repository: neither git nor a CI's file names one; change {PLACEHOLDER}"),
            },
            match &environments {
                Some((names, from)) => format!("environments {}: from {from}", names.join(", ")),
                None => "environments: no CI's file names one; preprod and prod are a suggestion".to_owned(),
            },
        ];
        match (ledger, &seen.ci) {
            (Some(_), _) => {}
            (None, Some(file)) => {
                let otherwise = "if they share none: ledger = \"git\"";
                notes.push(format!(
                    "ledger: a directory is for one host; do the runners of {file} share it? {otherwise}"
                ));
            }
            (None, None) => notes.push("ledger: a directory of this host".to_owned()),
        }
        let ledger = ledger.map_or("ledger".to_owned(), ToString::to_string);
        let repository = repository.map_or(PLACEHOLDER.to_owned(), |(repository, _)| repository);
        let environments = environments.map_or(["preprod", "prod"].map(str::to_owned).into(), |(names, _)| names);
        Draft { text: text(&ledger, &repository, &environments), notes }
    }
}

/// The repository of a draft that does not know one.
const PLACEHOLDER: &str = "registry.example.com/acme/shop";

fn text(ledger: &str, repository: &str, environments: &[String]) -> String {
    let mut text = HEAD.replace("LEDGER", &quoted(ledger));
    for (at, environment) in environments.iter().enumerate() {
        let channel = quoted(&format!("{repository}:{environment}"));
        text.push_str(&format!("\n[[pipeline]]\nenvironment = {}\nchannel = {channel}\n", quoted(environment)));
        if at + 1 == environments.len() {
            text.push_str(POLICY);
        }
    }
    text + TAIL
}

/// A TOML string. A JSON string is one.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

const HEAD: &str = r#"# The configuration of tagwarden. docs/reference/configuration.md explains every key;
# `tagwarden config validate` says what this file means.

# The record of all moves: a directory relative to this file, for one host. Runners that share no disk need
# "git" (a branch of the job's own repository), s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or
# postgres://USER@HOST/DATABASE. No password belongs here.
ledger = LEDGER

# The value that says which of two releases is newer: semver, created, build-number, or none.
[order]
by = "semver"

# The environments in their order: a release that is live in one may be promoted to the next.
"#;

const POLICY: &str = r#"
  # Each guardrail is "off", "warn" or "refuse". Those that are not named here keep their default.
  [pipeline.policy]
  forward-only = "refuse"       # no older release, by [order]
"#;

const TAIL: &str = r#"
# The rollback window: a digest inside either limit is kept.
[retention]
keep-last = 10
keep-for = "30d"
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn seen(repository: Option<&str>, environments: &[&str]) -> Seen {
        let names = environments.iter().map(|name| name.parse().unwrap()).collect::<Vec<_>>();
        Seen {
            repository: repository.map(|name| (name.parse().unwrap(), "git's remote origin".to_owned())),
            environments: (!names.is_empty()).then(|| (names, "release.yml".to_owned())),
            ci: None,
        }
    }

    #[test]
    fn draft_is_valid_and_says_where_its_names_come_from() {
        let draft = Draft::of_seen(seen(Some("ghcr.io/acme/shop"), &["dev", "staging", "prod"]), None);
        let config = Config::parse(Path::new("/x/tagwarden.toml"), &draft.text).unwrap();
        assert_eq!(config.ledger.as_ref().unwrap().to_string(), "/x/ledger");
        assert_eq!(config.channel("staging").unwrap().to_string(), "ghcr.io/acme/shop:staging");
        let configured: Vec<_> = config.environments.iter().map(|one| one.guardrails.len()).collect();
        assert_eq!(configured, [0, 0, 1], "the last environment has a policy of its own");
        assert_eq!(config.retention, Default::default());
        assert_eq!(
            draft.notes,
            [
                "repository ghcr.io/acme/shop: from git's remote origin",
                "environments dev, staging, prod: from release.yml",
                "ledger: a directory of this host"
            ]
        );
    }

    #[test]
    fn draft_of_nothing_is_valid_and_says_what_to_change() {
        let url: LedgerUrl = "postgres://ci:c4n4ry@db.example.com/audit".parse().unwrap();
        let draft = Draft::of_seen(seen(None, &[]), Some(&url));
        let config = Config::parse(Path::new("/x/tagwarden.toml"), &draft.text).unwrap();
        assert_eq!(config.ledger.unwrap().to_string(), "postgres://ci@db.example.com/audit");
        assert!(!draft.text.contains("c4n4ry"));
        let names: Vec<_> = config.environments.iter().map(|one| one.channel.to_string()).collect();
        assert_eq!(names, ["registry.example.com/acme/shop:preprod", "registry.example.com/acme/shop:prod"]);
        assert!(draft.notes[0].ends_with("change registry.example.com/acme/shop"), "{:?}", draft.notes);
        assert_eq!(draft.notes.len(), 2, "{:?}", draft.notes);
    }
}
