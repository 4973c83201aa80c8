//! The configuration: a first file, the meaning of a file, and the policy of each environment.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use std::process::Command;

use common::World;

/// `dev` and `prod`, with these lines in the policy of `prod`.
fn configure(world: &World, policy: &str) {
    let (dev, prod) = (world.channel("dev"), world.channel("prod"));
    world.config(&format!(
        "ledger = 'ledger'\n\
         [[pipeline]]\nenvironment = 'dev'\nchannel = '{dev}'\n\
         [[pipeline]]\nenvironment = 'prod'\nchannel = '{prod}'\n[pipeline.policy]\n{policy}\n"
    ));
}

fn git(world: &World, args: &[&str]) {
    let mut git = Command::new("git");
    git.arg("-C").arg(world.dir.path()).args(args);
    git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    assert!(git.status().unwrap().success(), "{args:?}");
}

#[test]
fn first_file_is_made_from_git_and_the_ci_and_is_never_overwritten() {
    let world = World::new();
    let file = world.dir.path().join("tagwarden.toml");
    let before = std::fs::read_to_string(&file).unwrap();
    let said = world.does(&["init"], 2);
    let want = "tagwarden.toml is there already, and is not overwritten [CONFIG_INVALID]\n";
    assert!(said.err.ends_with(want), "{}", said.err);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);

    std::fs::remove_file(&file).unwrap();
    git(&world, &["init", "--quiet"]);
    git(&world, &["remote", "add", "origin", "git@github.com:acme/shop.git"]);
    std::fs::create_dir_all(world.dir.path().join(".github/workflows")).unwrap();
    let workflow = "jobs:\n  prod:\n    environment: production\n  first:\n    environment:\n      name: staging\n";
    std::fs::write(world.dir.path().join(".github/workflows/ship.yml"), workflow).unwrap();
    let json = world.json(&["init", "--ledger", "postgres://ci:canary-4f1c@db.example.com/audit"], 0);
    assert_eq!((&json["result"], &json["notes"].as_array().unwrap().len()), (&"written".into(), &2));
    let text = std::fs::read_to_string(&file).unwrap();
    for part in [
        "ledger = \"postgres://ci@db.example.com/audit\"",
        "channel = \"ghcr.io/acme/shop:staging\"",
        "channel = \"ghcr.io/acme/shop:production\"",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains("canary-4f1c"), "{text}");
    let json = world.json(&["config", "validate"], 0);
    assert_eq!((&json["result"], &json["environments"][1]["environment"]), (&"valid".into(), &"production".into()));

    // Below it a new file would count instead.
    let below = world.dir.path().join("below");
    std::fs::create_dir(&below).unwrap();
    let said = common::said(world.command(&["init"]).current_dir(&below).output().unwrap());
    assert!(said.exit == 0 && said.out.contains("tagwarden.toml: not used any more from here"), "{said:?}");
}

#[test]
fn meaning_of_a_file_is_said_for_each_environment() {
    let world = World::new();
    configure(
        &world,
        "promotion-order = 'warn'\nparts-present = 'off'\n\
         override = { allowed = ['ledger-complete'], by = ['manual:ada'] }\n\
         [registry.'reg.io']\nsettle = '90s'\nuser-env = 'REG_USER'\npassword-env = 'REG_PASSWORD'\n\
         token-servers = ['auth.io', 'b.io:5001']\n\
         tls = true\nca-file = '/etc/ca.pem'\nclient-cert = '/etc/c.pem'\nclient-key = '/etc/c.key'\nretry-for = '2m'\n[order]\nby = 'semver'",
    );
    let said = world.does(&["config", "validate"], 0);
    let json = world.json(&["config", "validate", "tagwarden.toml"], 0);
    let (dev, prod) = (&json["environments"][0], &json["environments"][1]);
    for line in [
        "  order     by semver".to_owned(),
        "  retention 10 digests, and what was live in the last 30d".to_owned(),
        "  registry  reg.io may answer an older value of a tag for 90s".to_owned(),
        "  login     reg.io by the variables REG_USER and REG_PASSWORD".to_owned(),
        "  tokens    reg.io by auth.io, b.io:5001".to_owned(),
        "  tls       reg.io speaks TLS".to_owned(),
        "  trust     reg.io by /etc/ca.pem".to_owned(),
        "  client    reg.io gets /etc/c.pem".to_owned(),
        "  retries   reg.io is asked again for 2m".to_owned(),
        format!("dev {}", world.channel("dev")),
        format!("  policy    standard {}", dev["policy"]["digest"].as_str().unwrap()),
        "  after     nothing: it is the first environment".to_owned(),
        format!("prod {}", world.prod()),
        format!("  policy    prod {}", prod["policy"]["digest"].as_str().unwrap()),
        "  after     dev".to_owned(),
        "  refuses   no-hold: if a hold in force covers the move".to_owned(),
        "  warns     promotion-order: if the target was never live in the environment before".to_owned(),
        "  override  ledger-complete alone, by manual:ada alone".to_owned(),
    ] {
        assert!(said.out.lines().any(|shown| shown == line), "{line}\n{}", said.out);
    }
    assert!(said.out.contains("  off       parts-present: would refuse if "), "{}", said.out);
    assert_eq!(json["registries"]["reg.io"]["settle_ms"], 90_000);
    assert_eq!(json["registries"]["reg.io"]["password_env"], "REG_PASSWORD");
    assert_eq!(json["registries"]["reg.io"]["token_servers"], serde_json::json!(["auth.io", "b.io:5001"]));
    assert_eq!(json["registries"]["reg.io"]["retry_for_ms"], 120_000);

    std::fs::remove_file(world.dir.path().join("tagwarden.toml")).unwrap();
    let said = world.does(&["config", "validate"], 2);
    assert!(said.err.contains("`tagwarden init` writes one [CONFIG_INVALID]"), "{}", said.err);
    std::fs::write(world.dir.path().join("other.toml"), "leger = 'x'\n").unwrap();
    let said = world.does(&["config", "validate", "other.toml"], 2);
    let want = "error: other.toml:1:1: unknown key `leger`; did you mean `ledger`? [CONFIG_INVALID]\n";
    assert_eq!(said.err, want);
}

#[test]
fn policy_of_an_environment_judges_its_moves_and_is_recorded() {
    let world = World::new();
    for stage in ["dev", "prod"] {
        world.does(&["bootstrap", stage, "--source", "1.4.0"], 0);
    }
    let promote = ["promote", "prod", "--source", "1.4.1"];
    assert!(world.does(&promote, 3).err.contains("promotion-order STAGE_SKIPPED: "));
    configure(&world, "promotion-order = 'warn'\nparts-present = 'off'");
    let json = world.json(&promote, 0);
    let decision = &json["move"]["intent"]["decision"];
    let meaning = world.json(&["config", "validate"], 0);
    assert_eq!(decision["policy"], meaning["environments"][1]["policy"]);
    let finding = |name: &str| {
        let all = decision["findings"].as_array().unwrap();
        all.iter().find(|finding| finding["guardrail"] == name).unwrap()
    };
    let order = finding("promotion-order");
    assert_eq!((&order["verdict"], &order["code"]), (&"warn".into(), &"STAGE_SKIPPED".into()));
    assert!(order["why"].as_str().unwrap().ends_with(" (the policy only warns)"), "{order}");
    assert_eq!(finding("parts-present")["why"], "not judged: the policy turns it off");
    assert!(!world.does(&["current", "prod", "--offline"], 0).out.contains("  policy "));
    configure(&world, "promotion-order = 'warn'");
    let said = world.does(&["current", "prod", "--offline"], 0);
    assert!(said.out.contains(") judged this move; prod ("), "{}", said.out);
    world.verify_independently("prod");
}

#[test]
fn override_is_limited_to_the_guardrails_and_the_people_of_the_file() {
    let world = World::with_prod();
    let known = ["bootstrap", "prod", "--ledger", "other", "--override", "ledger-complete", "--reason", "it is lost"];
    configure(&world, "override = { by = ['manual:grace'] }");
    let said = world.does(&known, 3);
    let want = "ledger-complete OVERRIDE_NOT_ALLOWED: manual:ada may not override it, only manual:grace\n";
    assert!(said.err.contains(want), "{}", said.err);
    configure(&world, "override = { allowed = ['parts-present'] }");
    let json = world.json(&known, 3);
    let finding = &json["error"]["findings"][0];
    assert_eq!((&finding["code"], &finding["guardrail"]), (&"OVERRIDE_NOT_ALLOWED".into(), &"ledger-complete".into()));
    configure(&world, "override = { allowed = ['ledger-complete'], by = ['manual:ada'] }");
    world.does(&known, 0);
}
