//! Logins: from which place they come, to which registry they go, and what is said without one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use common::{Said, WHO, World, said};
use tagwarden_testing::{Anonymous, AuthKind, AuthMode, Login, RegistryServer};

const CANARY: &str = "canary-4f1c";
const OTHER: &str = "canary-77ab";

/// `ci:PASSWORD` in base64, as it is stored and sent.
const CANARY_SENT: &str = "Y2k6Y2FuYXJ5LTRmMWM=";
const OTHER_SENT: &str = "Y2k6Y2FuYXJ5LTc3YWI=";

/// Two registries, each with a channel in the ledger and a login of its own.
fn two_registries() -> (World, RegistryServer) {
    let world = World::with_prod();
    let other = world.block_on(RegistryServer::start()).unwrap();
    let repository = other.repository("acme/shop");
    other.memory().push_image(&repository, &"1.4.0".parse().unwrap(), 0);
    world.does(&["bootstrap", &format!("{repository}:prod"), "--source", "1.4.0"], 0);
    world.server.access(AuthMode::Basic(Login::new("ci", CANARY)));
    other.access(AuthMode::Basic(Login::new("ci", OTHER)));
    for server in [&world.server, &other] {
        server.clear_requests();
    }
    (world, other)
}

/// Runs it with more variables. No output shows a password.
fn with(world: &World, args: &[&str], variables: &[(&str, &str)]) -> Said {
    let said = said(world.command(args).envs(variables.iter().copied()).output().unwrap());
    for secret in [CANARY, OTHER, CANARY_SENT, OTHER_SENT] {
        assert!(!format!("{said:?}").contains(secret), "{args:?}: {said:?}");
    }
    said
}

/// The kinds of the credentials that a registry got. None of them was refused: a password for another one would be.
fn got(server: &RegistryServer) -> Vec<AuthKind> {
    let seen = server.requests();
    for request in &seen {
        assert!(request.auth == AuthKind::None || request.status == Some(200), "{request:?}");
    }
    seen.iter().map(|request| request.auth).collect()
}

/// Stores the first login for this host, as docker does.
fn stored(world: &World, host: &str) {
    std::fs::create_dir_all(world.dir.path().join(".docker")).unwrap();
    let text = format!(r#"{{"auths":{{"https://{host}/v2/":{{"auth":"{CANARY_SENT}"}}}}}}"#);
    std::fs::write(world.dir.path().join(".docker/config.json"), text).unwrap();
}

#[test]
fn login_of_the_environment_goes_to_one_registry_alone() {
    let (world, other) = two_registries();
    let login = [("TAGWARDEN_USERNAME", "ci"), ("TAGWARDEN_PASSWORD", CANARY)];
    let audit = ["audit", "--no-settle"];

    let unclear = with(&world, &audit, &login);
    assert_eq!(unclear.exit, 2, "{unclear:?}");
    assert!(unclear.err.contains("set TAGWARDEN_REGISTRY to its host [CONFIG_INVALID]"), "{}", unclear.err);
    assert!(world.server.requests().is_empty() && other.requests().is_empty(), "nothing was sent");

    let host = world.server.host().to_owned();
    let named = [login[0], login[1], ("TAGWARDEN_REGISTRY", host.as_str())];
    let half = with(&world, &audit, &named);
    assert_eq!(half.exit, 6, "the other registry could not be read: {half:?}");
    assert!(got(&world.server).contains(&AuthKind::Basic));
    assert!(got(&other).iter().all(|auth| *auth == AuthKind::None), "{:?}", other.requests());
    assert!(
        half.out.contains(&format!("TAGWARDEN_USERNAME and TAGWARDEN_PASSWORD (for {host} alone)")),
        "{}",
        half.out
    );

    // A login for each: one in the variables of tagwarden, one in those that the configuration names.
    let table = format!("[registry.\"{}\"]\nuser-env = 'OTHER_USER'\npassword-env = 'OTHER_PASSWORD'\n", other.host());
    world.config(&format!("ledger = 'ledger'\n{table}"));
    let both = [&named[..], &[("OTHER_USER", "ci"), ("OTHER_PASSWORD", OTHER)]].concat();
    let whole = with(&world, &audit, &both);
    assert_eq!(whole.exit, 0, "{whole:?}");
    assert!(got(&world.server).contains(&AuthKind::Basic) && got(&other).contains(&AuthKind::Basic));

    // A command on one registry needs no TAGWARDEN_REGISTRY, and no log has a password.
    let prod = world.prod();
    let moved = with(&world, &[&["promote", &prod, "--source", "1.4.1"], &WHO[..]].concat(), &login);
    assert_eq!(moved.exit, 0, "{moved:?}");
    assert!(!std::fs::read_to_string(world.log("prod")).unwrap().contains("canary"));
}

#[test]
fn stored_login_is_used_and_without_one_the_error_says_where_it_was_looked_for() {
    let world = World::with_prod();
    world.server.access(AuthMode::Basic(Login::new("ci", CANARY)));
    let prod = world.prod();
    let promote = [&["promote", prod.as_str(), "--source", "1.4.1"], &WHO[..]].concat();

    let denied = with(&world, &promote, &[]);
    assert_eq!(denied.exit, 1, "{denied:?}");
    let (host, home) = (world.server.host(), world.dir.path().display());
    for part in [
        format!(
            "the request was anonymous: there is no login of {host} in TAGWARDEN_USERNAME and TAGWARDEN_PASSWORD (not set), "
        ),
        format!("{home}/.config/containers/auth.json (no such file), {home}/.docker/config.json (no such file)"),
        "[REGISTRY_DENIED]".to_owned(),
    ] {
        assert!(denied.err.contains(&part), "{part}\n{}", denied.err);
    }

    stored(&world, host);
    let moved = with(&world, &promote, &[]);
    assert_eq!(moved.exit, 0, "{moved:?}");
    let wrong = with(&world, &["audit", "--no-settle"], &[("DOCKER_CONFIG", "/nowhere")]);
    assert_eq!(wrong.exit, 6, "{wrong:?}");
    assert!(wrong.out.contains("/nowhere/config.json (no such file)"), "{}", wrong.out);
}

#[test]
fn broken_login_file_is_a_configuration_error_of_every_command() {
    let world = World::with_prod();
    world.server.access(AuthMode::Basic(Login::new("ci", CANARY)));
    let (prod, repository) = (world.prod(), world.server.repository("acme/shop").to_string());
    let reads: [&[&str]; 5] = [
        &["audit", "--no-settle"],
        &["current", &prod],
        &["retention", &repository],
        &["diff", "1.4.0", "1.4.1", "--channel", &prod],
        &["promote", &prod, "--source", "1.4.1", WHO[0], WHO[1], WHO[2], WHO[3]],
    ];
    std::fs::create_dir(world.dir.path().join(".docker")).unwrap();
    let file = world.dir.path().join(".docker/config.json");
    for (text, want) in [
        ("{\"auths\": canary-4f1c".to_owned(), ".docker/config.json: line 1, column "),
        (
            format!(r#"{{"auths":{{"{}":{{"auth":"canary-4f1c"}}}}}}"#, world.server.host()),
            "is not base64 of user:password",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        world.server.clear_requests();
        for args in reads {
            let said = with(&world, args, &[]);
            assert_eq!(said.exit, 2, "{args:?}: {said:?}");
            assert!(said.err.contains(want) && said.err.contains("[CONFIG_INVALID]"), "{args:?}: {}", said.err);
        }
        assert!(world.server.requests().is_empty(), "nothing was sent");
    }
    std::fs::write(&file, r#"{"credsStore":"missing"}"#).unwrap();
    for args in &reads[..1] {
        let said = with(&world, args, &[]);
        assert_eq!(said.exit, 2, "{args:?}: {said:?}");
        assert!(said.err.contains("docker-credential-missing, which is not installed"), "{}", said.err);
    }
}

#[test]
fn missing_helper_that_only_a_put_needs_is_a_configuration_error() {
    let world = World::with_prod();
    world.server.access(AuthMode::Basic(Login::new("ci", CANARY)));
    world.server.anonymous(Anonymous::MayRead);
    std::fs::create_dir(world.dir.path().join(".docker")).unwrap();
    std::fs::write(world.dir.path().join(".docker/config.json"), r#"{"credsStore":"missing"}"#).unwrap();
    let prod = world.prod();
    let said = with(&world, &[&["promote", &prod, "--source", "1.4.1"], &WHO[..]].concat(), &[]);
    assert_eq!(said.exit, 2, "{said:?}");
    let want = "docker-credential-missing, which is not installed";
    assert!(said.err.contains(want) && said.err.contains("[CONFIG_INVALID]"), "{}", said.err);
    assert_eq!(world.digest("prod"), world.digest("1.4.0"));

    std::fs::remove_file(world.dir.path().join(".docker/config.json")).unwrap();
    stored(&world, world.server.host());
    let moved = with(&world, &[&["promote", &prod, "--source", "1.4.1"], &WHO[..]].concat(), &[]);
    assert_eq!(moved.exit, 0, "the channel is not open: {moved:?}");
}

#[test]
fn login_that_is_refused_is_named_by_its_place() {
    let world = World::with_prod();
    world.server.access(AuthMode::Basic(Login::new("ci", OTHER)));
    let prod = world.prod();
    let promote = [&["promote", prod.as_str(), "--source", "1.4.1"], &WHO[..]].concat();
    let login = [("TAGWARDEN_USERNAME", "ci"), ("TAGWARDEN_PASSWORD", CANARY)];
    let denied = with(&world, &promote, &login);
    let want = "(the login is from TAGWARDEN_USERNAME and TAGWARDEN_PASSWORD)";
    assert!(denied.exit == 1 && denied.err.contains(want), "{denied:?}");

    stored(&world, world.server.host());
    let denied = with(&world, &promote, &[]);
    let want = format!("(the login is from {}/.docker/config.json)", world.dir.path().display());
    assert!(denied.exit == 1 && denied.err.contains(&want), "{denied:?}");
}
