//! Logins as they are stored on real machines: `tests/vectors/logins.json`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use super::known::{Found, Known};
use super::login::Credentials;
use super::lookup::{CredentialSource, Lookup, Machine};
use super::variables::Variables;
use crate::error::{ErrorKind, Result};

/// The text in every secret that must not be used, and in every output that must not be shown.
const CANARY: &str = "canary-9d41";

#[derive(Deserialize)]
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

#[derive(Default, Deserialize)]
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

/// A home directory with these files, and a machine with these variables.
fn machine(files: &BTreeMap<String, Value>, env: &BTreeMap<String, String>) -> (TempDir, Machine) {
    let home = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content.as_str().map_or_else(|| content.to_string(), str::to_owned)).unwrap();
    }
    let at = home.path().to_str().unwrap();
    let bin = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/bin");
    let mut variables = BTreeMap::from([
        ("HOME".to_owned(), at.to_owned()),
        ("PATH".to_owned(), format!("{}:{}", bin.display(), std::env::var("PATH").unwrap())),
    ]);
    variables.extend(env.iter().map(|(name, value)| (name.clone(), value.replace("$HOME", at))));
    let variables = variables.into_iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let containers = Some(home.path().join("run-containers"));
    (home, Machine { variables: Variables::new(variables), containers })
}

fn lookup(registry: &str) -> Lookup {
    let (source, registry) = (CredentialSource::EnvironmentThenDocker, registry.to_owned());
    Lookup { source, registry, login_registry: None, variables: None, file: None }
}

fn find(machine: &Machine, reference: &str) -> Result<Found> {
    let (registry, path) = reference.split_once('/').unwrap_or((reference, "acme/shop"));
    lookup(registry).find_on(machine, path)
}

#[test]
#[cfg(unix)]
fn every_case_has_its_login_or_says_what_is_wrong() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/logins.json");
    let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert!(cases.len() >= 70, "{}", cases.len());
    for Case { files, env, registry, expect, seen_with } in cases {
        let (_home, machine) = machine(&files, &env);
        let found = find(&machine, &registry);
        let want = match expect {
            Expect { user: Some(user), password: Some(password), .. } => Credentials::password(user, password),
            Expect { identity_token: Some(token), .. } => Credentials::IdentityToken(token.into()),
            Expect { registry_token: Some(token), .. } => Credentials::RegistryToken(token.into()),
            Expect { anonymous: true, ref denied_message_contains, .. } => {
                let mut known = Known::default();
                known.learn("acme/shop", found.as_ref().expect(&seen_with).clone());
                let looked = known.looked(&registry, "acme/shop").unwrap();
                for part in denied_message_contains {
                    assert!(looked.contains(part), "{seen_with}: {looked}");
                }
                assert!(!looked.contains(CANARY), "{seen_with}: {looked}");
                Credentials::Anonymous
            }
            Expect { error_contains, .. } => {
                assert!(!error_contains.is_empty(), "{seen_with}: nothing is expected");
                let error = found.expect_err(&seen_with);
                assert_eq!(error.kind(), ErrorKind::ConfigInvalid, "{seen_with}: {error}");
                for part in error_contains {
                    assert!(error.to_string().contains(&part), "{seen_with}: {error}");
                }
                assert!(!format!("{error} {error:?}").contains(CANARY), "{seen_with}: {error:?}");
                continue;
            }
        };
        assert_eq!(found.expect(&seen_with).credentials, want, "{seen_with}");
    }
}

fn json(text: &str) -> BTreeMap<String, Value> {
    serde_json::from_str(text).unwrap()
}

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn login_of_the_environment_is_for_the_only_registry_of_a_command() {
    let login = [("TAGWARDEN_USERNAME", "ci"), ("TAGWARDEN_PASSWORD", CANARY)];
    let check = |env: &[(&str, &str)], registries: &[&'static str]| {
        let (_home, machine) = machine(&BTreeMap::new(), &variables(env));
        lookup("").check_on(&machine, registries)
    };
    assert_eq!(check(&login, &["a.io", "a.io", "https://a.io"]).unwrap(), Some("a.io"));
    let error = check(&login, &["a.io", "b.io"]).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (
            ErrorKind::ConfigInvalid,
            "TAGWARDEN_USERNAME and TAGWARDEN_PASSWORD are for one registry, and the channels are on a.io and b.io: set \
             TAGWARDEN_REGISTRY to its host"
        )
    );
    let named = [login[0], login[1], ("TAGWARDEN_REGISTRY", "a.io")];
    assert_eq!(check(&named, &["a.io", "b.io"]).unwrap(), None, "the variable says it");
    assert_eq!(check(&[], &["a.io", "b.io"]).unwrap(), None);
    assert_eq!(check(&login[1..], &["a.io"]).unwrap_err().kind(), ErrorKind::ConfigInvalid);
}

#[test]
fn login_of_the_environment_goes_to_its_registry_alone() {
    let (_home, machine) =
        machine(&BTreeMap::new(), &variables(&[("TAGWARDEN_USERNAME", "ci"), ("TAGWARDEN_PASSWORD", CANARY)]));
    let on = |registry: &str| {
        Lookup { login_registry: Some("a.io".to_owned()), ..lookup(registry) }.find_on(&machine, "x").unwrap()
    };
    assert_eq!(on("a.io").credentials, Credentials::password("ci", CANARY));
    let other = on("b.io");
    assert_eq!(other.credentials, Credentials::Anonymous);
    assert_eq!(other.looked[0], "TAGWARDEN_USERNAME and TAGWARDEN_PASSWORD (for a.io alone)");
}

#[test]
fn variables_of_the_configuration_come_before_stored_logins() {
    let files = json(r#"{".docker/config.json":{"auths":{"reg.io":{"auth":"YWRhOnNlY3JldA=="}}}}"#);
    let on = |env: &[(&str, &str)]| {
        let (_home, machine) = machine(&files, &variables(env));
        let named = Some(("REG_USER".to_owned(), "REG_PASSWORD".to_owned()));
        Lookup { variables: named, ..lookup("reg.io") }.find_on(&machine, "x").map(|found| found.credentials)
    };
    assert_eq!(on(&[("REG_USER", "ci"), ("REG_PASSWORD", "p")]).unwrap(), Credentials::password("ci", "p"));
    assert_eq!(on(&[]).unwrap(), Credentials::password("ada", "secret"), "where they are not set, the next place");
    let error = on(&[("REG_PASSWORD", CANARY)]).unwrap_err().to_string();
    assert_eq!(error, "the login of reg.io: REG_USER and REG_PASSWORD must be set together");
}

#[test]
fn only_file_is_the_one_that_is_named() {
    let files = json(
        r#"{".docker/config.json":{"auths":{"reg.io":{"auth":"YWRhOnNlY3JldA=="}}},"b.json":{"auths":{"b.io":{"auth":"Yjpi"}}}}"#,
    );
    let (home, machine) = machine(&files, &BTreeMap::new());
    let on = |registry, name: &str| {
        Lookup { file: Some(home.path().join(name)), ..lookup(registry) }.find_on(&machine, "x").unwrap().credentials
    };
    assert_eq!(on("b.io", "b.json"), Credentials::password("b", "b"));
    assert_eq!(on("reg.io", "b.json"), Credentials::Anonymous);
    assert_eq!(on("reg.io", "none.json"), Credentials::Anonymous);
    let nowhere = Lookup { source: CredentialSource::Nowhere, ..lookup("reg.io") }.find_on(&machine, "x").unwrap();
    assert_eq!((nowhere.credentials, nowhere.looked), (Credentials::Anonymous, Vec::new()));
}

#[test]
fn look_up_is_kept_for_the_registry_unless_a_key_has_a_path() {
    let files = json(
        r#"{".docker/config.json":{"auths":{"quay.io/acme":{"auth":"YWRhOnNlY3JldA=="},"quay.io":{"auth":"b3RoZXI6eA=="},
        "reg.io":{"auth":"cjpy"}}}}"#,
    );
    let (_home, machine) = machine(&files, &BTreeMap::new());
    let mut known = Known::default();
    for (path, user) in [("acme/shop", "ada"), ("other/shop", "other")] {
        assert_eq!(known.get(path), None, "{path}");
        known.learn(path, lookup("quay.io").find_on(&machine, path).unwrap());
        let (credentials, _) = known.get(path).unwrap();
        assert!(matches!(&credentials, Credentials::Password { user: its, .. } if its == user), "{credentials:?}");
    }
    let mut known = Known::default();
    known.learn("acme/shop", lookup("reg.io").find_on(&machine, "acme/shop").unwrap());
    assert!(known.get("other/shop").is_some());
}

#[test]
fn broken_file_is_found_before_anything_is_sent() {
    for (text, registry, want) in [
        ("{\"auths\": canary-9d41", "reg.io", "config.json: line 1, column 11: this is not the JSON of a docker login"),
        (
            r#"{"auths":{"https://reg.io":{"auth":"canary-9d41"}}}"#,
            "reg.io",
            "the login of \"https://reg.io\": its \"auth\"",
        ),
    ] {
        let files = BTreeMap::from([(".docker/config.json".to_owned(), Value::from(text))]);
        let (_home, machine) = machine(&files, &BTreeMap::new());
        let error = lookup("").check_on(&machine, &[registry]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
        assert!(error.to_string().contains(want) && !error.to_string().contains(CANARY), "{error}");
    }
    let unreadable = PathBuf::from(".docker/config.json");
    let (home, machine) = machine(&BTreeMap::new(), &BTreeMap::new());
    std::fs::create_dir_all(home.path().join(unreadable)).unwrap();
    let error = lookup("").check_on(&machine, &["reg.io"]).unwrap_err();
    assert!(error.to_string().contains("config.json: it cannot be read: "), "{error}");
}
