use std::path::Path;

use super::keys::{Key, Shape, guardrails, root};
use super::*;
use crate::log::Op;
use crate::policy::{GuardrailUse, Mode};
use crate::value::Digest;

fn parse(text: &str) -> Result<Config> {
    Config::parse(Path::new("/x/tagwarden.toml"), text)
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

/// `dev` and `prod`, with these lines in the policy of `prod`.
fn prod(policy: &str) -> Config {
    let text = format!(
        "[[pipeline]]\nenvironment = 'dev'\nchannel = 'reg.io/a:dev'\n[[pipeline]]\nenvironment = 'prod'\n\
         channel = 'reg.io/a:prod'\n{policy}"
    );
    parse(&text).unwrap()
}

#[test]
fn file_with_every_section_is_read() {
    let text = "ledger = 'audit'\norder = { by = 'created', required = true }\n\
                [[pipeline]]\nenvironment = 'dev'\nchannel = 'reg.io/a:dev'\n\
                [[pipeline]]\nenvironment = 'prod'\nchannel = 'oci://reg.io/a:prod'\n\
                [pipeline.policy]\nafter-rollback = 'hold'\n\
                [retention]\nkeep-last = 3\nkeep-for = '7d'\n[registry.'reg.io']\nsettle = '90s'\n\
                ca-file = 'certs/ca.pem'\nretry-for = '2m'\ntls = true\n";
    let config = parse(text).unwrap();
    assert_eq!(config.ledger.as_ref().unwrap().to_string(), "/x/audit", "relative to the file");
    assert_eq!(config.order, Order::new(OrderBy::Created, true).ok());
    let (dev, prod) = (config.channel("dev").unwrap(), config.channel("prod").unwrap());
    assert_eq!(prod.to_string(), "reg.io/a:prod");
    assert_eq!(config.environment(dev).unwrap().after_rollback, AfterRollback::Nothing);
    assert_eq!(config.environment(prod).unwrap().after_rollback, AfterRollback::Hold);
    assert_eq!(config.pipeline.as_ref().unwrap().before(prod).unwrap().channel, *dev);
    assert_eq!((config.retention.keep_last.get(), config.retention.keep_for.as_secs()), (3, 604_800));
    let registry = &config.registries["reg.io"];
    assert_eq!(registry.ca_file.as_deref(), Some(Path::new("/x/certs/ca.pem")), "relative to the file");
    assert_eq!((registry.retry_for, registry.tls), (Some(std::time::Duration::from_secs(120)), Some(true)));
    let times = config.times(Times::default()).unwrap();
    assert_eq!((times.settle("reg.io").as_secs(), times.settle("ghcr.io").as_secs()), (90, 600));
}

#[derive(serde::Deserialize)]
struct Case {
    name: String,
    text: String,
    error: Option<String>,
}

#[test]
fn every_case_is_read_or_refused_at_its_place() {
    let text = std::fs::read_to_string(file("tests/vectors/config.toml")).unwrap();
    let mut cases: BTreeMap<String, Vec<Case>> = toml::from_str(&text).unwrap();
    let cases = cases.remove("case").unwrap();
    assert!(cases.len() >= 35, "{}", cases.len());
    for Case { name, text, error } in cases {
        let said = parse(&text).err().map(|error| {
            assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
            assert!(error.context().any(|(name, _)| name == "line"), "{name}");
            error.to_string()
        });
        assert_eq!(said, error.map(|error| format!("/x/tagwarden.toml:{error}")), "{name}");
        assert!(!said.unwrap_or_default().contains("c4n4ry"), "{name}");
    }
}

#[test]
fn syntax_error_has_its_place_and_shows_no_url() {
    let twice = "ledger = 'a'\nledger = 'postgres://u:c4n4ry@h'\n";
    for text in ["ledger = \n", "ledger = 'postgres://u:c4n4ry@h\n", twice] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.starts_with("/x/tagwarden.toml:") && !error.contains("c4n4ry"), "{error}");
    }
}

/// A value that no key takes.
const WRONG: &str = "1979-05-27";

/// The bodies of tables in which one key has a wrong value, each with the path of the key.
fn wrong(keys: &[Key]) -> Vec<(String, String)> {
    let needed: Vec<String> = keys.iter().filter(|key| key.needed).map(sample).collect();
    let body = |name: &str, value: &str| {
        let others = needed.iter().filter(|other| !other.starts_with(&format!("{name} ")));
        others.cloned().chain([format!("{name} = {value}")]).collect::<Vec<_>>().join(", ")
    };
    let mut all = Vec::new();
    for key in keys {
        all.push((key.name.clone(), body(&key.name, WRONG)));
        let (inner, open, close) = match &key.shape {
            Shape::Table(keys) => (keys, "{ ", " }"),
            Shape::Named(_, keys) => (keys, "{ 'reg.io' = { ", " } }"),
            Shape::List(item) => match &**item {
                Shape::Table(keys) => (keys, "[{ ", " }]"),
                _ => {
                    all.push((format!("{}[]", key.name), body(&key.name, &format!("[{WRONG}]"))));
                    continue;
                }
            },
            Shape::Either(_, other) => match &**other {
                Shape::Table(keys) => (keys, "{ ", " }"),
                _ => continue,
            },
            _ => continue,
        };
        for (path, value) in wrong(inner) {
            all.push((format!("{}.{path}", key.name), body(&key.name, &format!("{open}{value}{close}"))));
        }
    }
    all
}

/// A key that must be there, with a valid value.
fn sample(key: &Key) -> String {
    let value = match (key.name.as_str(), &key.shape) {
        ("channel", _) => "reg.io/a:x",
        ("environment", _) => "prod",
        (_, Shape::Word(words)) => &words[0],
        other => panic!("{other:?}"),
    };
    format!("{} = '{value}'", key.name)
}

#[test]
fn every_key_is_read() {
    let all = wrong(&root());
    assert!(all.len() >= 40, "{}", all.len());
    for (path, text) in all {
        let error = parse(&text).expect_err(&path).to_string();
        assert!(error.ends_with(", got a datetime"), "{path}: {error}");
    }
}

#[test]
fn reference_page_has_every_key_and_its_examples_are_valid() {
    let page = std::fs::read_to_string(file("docs/reference/configuration.md")).unwrap();
    fn check(page: &str, keys: &[Key]) {
        for key in keys {
            assert!(page.contains(&format!("`{}`", key.name)), "{}", key.name);
            match &key.shape {
                Shape::Table(keys) | Shape::Named(_, keys) => check(page, keys),
                Shape::List(item) | Shape::Either(_, item) => {
                    if let Shape::Table(keys) = &**item {
                        check(page, keys);
                    }
                }
                _ => {}
            }
        }
    }
    check(&page, &root());
    for (name, info) in guardrails() {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{name}` | `{}`", info.mode.as_str())));
        assert!(row.is_some_and(|row| row.contains(info.refuses_if)), "{name}: {row:?}");
    }
    let cli = std::fs::read_to_string(file("docs/reference/cli.md")).unwrap();
    for page in [&page, &cli] {
        let blocks: Vec<_> = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(!blocks.is_empty());
        blocks.into_iter().for_each(|block| drop(parse(block).unwrap_or_else(|error| panic!("{error}\n{block}"))));
    }
}

/// `TAGWARDEN_WRITE=1 just test schema_is_current` writes the file.
#[test]
fn schema_is_current() {
    let path = file("docs/reference/tagwarden.schema.json");
    let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("TAGWARDEN_WRITE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert!(std::fs::read_to_string(&path).unwrap_or_default() == text, "write it with TAGWARDEN_WRITE=1");
}

#[test]
fn environment_without_a_policy_has_the_standard_one() {
    let config = prod("[pipeline.policy]\npromotion-order = 'warn'\n");
    let standard = Policy::standard().with_pipeline(config.pipeline.clone());
    let (dev, prod) = (config.channel("dev").unwrap(), config.channel("prod").unwrap());
    assert_eq!(config.policy(dev).note(), standard.note());
    assert_eq!(config.policy(&"reg.io/other:x".parse().unwrap()).note(), standard.note());
    let text = config.policy(prod).text();
    for part in [r#"{"mode":"warn","name":"promotion-order"}"#, r#""name":"prod""#] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(config.policy(prod).note().digest, Digest::of(text.as_bytes()));
}

#[test]
fn order_and_pipeline_are_part_of_every_policy() {
    let text = "[[pipeline]]\nenvironment = 'prod'\nchannel = 'reg.io/a:prod'\n";
    let plain = parse(text).unwrap();
    let ordered = parse(&format!("order.by = 'semver'\n{text}")).unwrap();
    let channel = plain.channel("prod").unwrap();
    let text = ordered.policy(channel).text();
    assert!(text.contains(r#""order":{"by":"semver"}"#) && text.contains(r#""pipeline":[{"#), "{text}");
    assert_ne!(ordered.policy(channel).note().digest, plain.policy(channel).note().digest);
}

#[test]
fn configured_guardrail_refuses_unless_its_mode_says_otherwise() {
    let config = prod(
        "[pipeline.policy]\npromotion-order = { ops = ['repair'] }\nparts-present = 'off'\n\
         target-readable = { mode = 'warn' }\n",
    );
    let guardrails = &config.environment(config.channel("prod").unwrap()).unwrap().guardrails;
    let used = |mode, ops: &[Op]| Some(GuardrailUse { mode: Some(mode), ops: ops.iter().copied().collect() });
    assert_eq!(guardrails.get("promotion-order").cloned(), used(Mode::Refuse, &[Op::Repair]));
    assert_eq!(guardrails.get("parts-present").cloned(), used(Mode::Off, &[]));
    assert_eq!(guardrails.get("target-readable").cloned(), used(Mode::Warn, &[]));
    assert_eq!(guardrails.get("no-hold"), None);
}

#[test]
fn file_is_found_upwards_and_read_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let below = dir.path().join("a/b");
    std::fs::create_dir_all(&below).unwrap();
    let file = dir.path().join(Config::FILE);
    std::fs::write(&file, "ledger = 'audit'\n").unwrap();
    let config = Config::find(&below).unwrap();
    assert_eq!(config.file.as_deref(), Some(file.as_path()));
    assert_eq!(config.ledger.unwrap().to_string(), dir.path().join("audit").display().to_string());
    assert_eq!(Config::read(&file).unwrap().file, Some(file));
    let error = Config::read(&below.join("none.toml")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
    assert!(error.to_string().contains("none.toml: "), "{error}");
}
