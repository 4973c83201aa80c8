//! Logins as they are stored on real machines (`tests/vectors/logins.json`), sent to the real names of registries.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use std::collections::BTreeMap;

use common::real_names::{BEARER, BYSTANDER, RealNames, Sent};
use common::{Said, WHO, said};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

/// The text in every secret that must not be used, and the forms of it and of the good login that must not be shown.
const NEVER_SHOWN: [&str; 4] = ["canary-9d41", "Y2FuYXJ5", "eDpjYW5hcnk", "YWRhOnNl"];

/// The one case whose login cannot be found from the command line: its directory is the machine's own,
/// `/run/containers/UID`, and no test may write there. The error shows that it was looked at.
const OF_ROOT: &str = "podman of root without a runtime directory";

/// The one case that is an error only where a command has channels on two registries: on one, the login is for that one.
const CLEAR_ON_ONE: &str = "tagwarden's variables, and it is not said for which registry";

#[derive(Clone, Debug, Deserialize)]
struct Case {
    /// Files in the home directory. A text is the file itself, everything else its JSON.
    files: BTreeMap<String, Value>,
    /// Variables; `$HOME` is the home directory.
    env: BTreeMap<String, String>,
    /// `HOST`, or `HOST/PATH`.
    registry: String,
    expect: Expect,
    seen_with: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Expect {
    user: Option<String>,
    password: Option<String>,
    identity_token: Option<String>,
    registry_token: Option<String>,
    anonymous: bool,
    error_contains: Vec<String>,
    denied_message_contains: Vec<String>,
}

impl Case {
    fn all() -> Vec<Case> {
        let mut cases: Vec<Case> = serde_json::from_str(include_str!("../../../tests/vectors/logins.json")).unwrap();
        assert!(cases.len() >= 110, "{}", cases.len());
        for case in cases.iter_mut().filter(|case| case.seen_with == OF_ROOT) {
            let place = if cfg!(target_os = "linux") { "/run/containers/" } else { "auth.json" };
            let denied_message_contains = vec![place.to_owned()];
            case.expect = Expect { anonymous: true, denied_message_contains, ..Expect::default() };
        }
        cases
    }

    /// The host of its channel, and the channel.
    fn channel(&self) -> (&str, String) {
        let (host, path) = self.registry.split_once('/').unwrap_or((&self.registry, "acme/shop"));
        (host, format!("{host}/{path}:prod"))
    }

    /// True if a login of the bystander may be in a store that is not installed, so that a command that uses it fails.
    fn hides_others(&self) -> bool {
        self.files.values().any(|file| file["credsStore"] == "missing")
    }
}

/// The home directory of a case, and its variables.
struct Home<'a> {
    names: &'a RealNames,
    dir: TempDir,
    case: &'a Case,
    /// The text in place of `secret`: a token that the registry takes.
    secret: String,
}

impl Home<'_> {
    /// Runs the binary in it. No output shows a secret.
    fn run(&self, args: &[&str]) -> Said {
        let mut command = self.names.command(self.dir.path(), args);
        if self.case.seen_with == OF_ROOT {
            command.env_remove("XDG_RUNTIME_DIR");
        }
        let at = self.dir.path().to_str().unwrap();
        for (name, value) in &self.case.env {
            command.env(name, value.replace("$HOME", at).replace("secret", &self.secret));
        }
        let said = said(command.output().unwrap());
        let token = Some(self.secret.as_str()).filter(|secret| *secret != "secret");
        for secret in NEVER_SHOWN.into_iter().chain(token) {
            assert!(!format!("{said:?}").contains(secret), "{}: {secret} in {said:?}", self.case.seen_with);
        }
        said
    }

    /// Writes the files, and an empty ledger.
    fn write(&self) {
        std::fs::create_dir(self.dir.path().join("ledger")).unwrap();
        for (name, content) in &self.case.files {
            let path = self.dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let text = content.as_str().map_or_else(|| content.to_string(), str::to_owned);
            std::fs::write(path, text.replace("secret", &self.secret)).unwrap();
        }
    }
}

/// Demands the login of a case. Returns the home directory, and every credential that may be sent.
fn prepare<'a>(names: &'a RealNames, case: &'a Case) -> (Home<'a>, Sent) {
    let (host, channel) = case.channel();
    let site = names.site(host);
    let path = channel.strip_prefix(host).unwrap().trim_matches('/').trim_end_matches(":prod");
    let mut secret = "secret".to_owned();
    let sent = match &case.expect {
        Expect { user: Some(user), password: Some(password), .. } => {
            site.demand(user, password);
            site.sent_with(&format!("Basic {user}:{password}"))
        }
        Expect { identity_token: Some(_), .. } => {
            secret = site.server.identity_token();
            site.demand("<token>", &secret);
            let is_basic = site.registry.realm.is_none();
            site.sent_with(&if is_basic {
                format!("Basic <token>:{secret}")
            } else {
                format!("refresh_token {secret}")
            })
        }
        Expect { registry_token: Some(_), .. } => {
            secret = site.server.registry_token(&format!("repository:{path}:pull"));
            site.demand("other", "nothing");
            [(site.registry.at.to_owned(), BEARER.to_owned())].into()
        }
        expect => {
            assert!(expect.anonymous || !expect.error_contains.is_empty(), "{}: nothing is expected", case.seen_with);
            site.demand("ada", "secret");
            Sent::new()
        }
    };
    let home = Home { names, dir: tempfile::tempdir().unwrap(), case, secret };
    home.write();
    (home, sent)
}

fn contains(said: &Said, words: &[String], case: &Case) {
    for part in words {
        assert!(said.err.contains(part), "{}: {part:?} is not in\n{}", case.seen_with, said.err);
    }
}

/// A preview of a move: the login reaches the registry and its token server, and the exit code and the words say why not.
fn check_alone(names: &RealNames, case: &Case) {
    let ((host, channel), (home, mut wanted)) = (case.channel(), prepare(names, case));
    let registry = names.site(host).registry;
    let before = names.asked().len();
    let said = home.run(&[&["bootstrap", &channel, "--source", "1.4.0", "--dry-run"], &WHO[..]].concat());
    let (exit, words) = match &case.expect {
        _ if case.seen_with == CLEAR_ON_ONE => {
            wanted = names.site(host).sent_with("Basic ada:secret");
            (0, vec![])
        }
        Expect { anonymous: true, denied_message_contains, .. } => {
            let words = [format!("there is no login of {host} in "), "[REGISTRY_DENIED]".to_owned()];
            (1, [&words[..], denied_message_contains].concat())
        }
        Expect { error_contains, .. } if !error_contains.is_empty() => {
            (2, [&["[CONFIG_INVALID]".to_owned()], &error_contains[..]].concat())
        }
        _ => (0, vec![]),
    };
    assert_eq!(said.exit, exit, "{}: {said:?}", case.seen_with);
    contains(&said, &words, case);
    assert_eq!(names.sent(), wanted, "{}", case.seen_with);
    for at in &names.asked()[before..] {
        assert!(*at == registry.at || Some(at) == registry.token_server().as_ref(), "{}: {at}", case.seen_with);
    }
}

/// A look at two registries: the other one, which asks for a login, too, gets nothing.
fn check_with_another(names: &RealNames, case: &Case) {
    let ((_, channel), (home, wanted)) = (case.channel(), prepare(names, case));
    let bystander = names.site(BYSTANDER);
    bystander.demand("ada", "secret");
    bystander.server.clear_requests();
    let said = home.run(&["audit", &channel, &format!("{BYSTANDER}/acme/shop:prod"), "--no-settle"]);
    let sent = names.sent();
    if case.expect.error_contains.is_empty() {
        let exit = if case.hides_others() { 2 } else { 6 };
        assert_eq!(said.exit, exit, "{}: {said:?}", case.seen_with);
        assert!(!bystander.server.requests().is_empty(), "{}: it was asked", case.seen_with);
    } else {
        assert_eq!(said.exit, 2, "{}: {said:?}", case.seen_with);
        contains(&said, &case.expect.error_contains, case);
    }
    // Where a command fails for the bystander, the other registry may not have been asked.
    assert!(sent == wanted || case.hides_others() && sent.is_subset(&wanted), "{}: {sent:?}", case.seen_with);
}

#[test]
fn every_login_reaches_its_registry_or_the_error_says_what_is_wrong() {
    let names = RealNames::start();
    Case::all().iter().for_each(|case| check_alone(&names, case));
}

#[test]
fn no_login_reaches_another_registry_of_the_command() {
    let names = RealNames::start();
    Case::all().iter().for_each(|case| check_with_another(&names, case));
}

#[test]
fn each_registry_of_a_command_gets_its_own_login() {
    let case = r#"{"files": {".docker/config.json": {"auths": {
            "https://index.docker.io/v1/": {"username": "ada", "password": "of-docker"},
            "ghcr.io": {"username": "bob", "password": "of-github"},
            "quay.io": {"username": "eve", "password": "canary-9d41"}}}},
        "env": {"TAGWARDEN_USERNAME": "ci", "TAGWARDEN_PASSWORD": "of-amazon", "TAGWARDEN_REGISTRY": "AMAZON"},
        "registry": "docker.io", "expect": {"user": "ada", "password": "of-docker"}, "seen_with": "three logins"}"#;
    let case: Case = serde_json::from_str(&case.replace("AMAZON", BYSTANDER)).unwrap();
    let names = RealNames::start();
    let (home, mut wanted) = prepare(&names, &case);
    for (host, user, password) in [("ghcr.io", "bob", "of-github"), (BYSTANDER, "ci", "of-amazon")] {
        names.site(host).demand(user, password);
        wanted.extend(names.site(host).sent_with(&format!("Basic {user}:{password}")));
    }
    let channels = ["docker.io", "ghcr.io", BYSTANDER].map(|host| format!("{host}/acme/shop:prod"));
    let said = home.run(&[&["audit", "--no-settle"], &channels.each_ref().map(String::as_str)[..]].concat());
    assert_eq!(names.sent(), wanted, "{said:?}");
    assert_eq!(said.exit, 0, "{said:?}");
    assert!(!format!("{said:?}").contains("of-"), "{said:?}");
}
