//! Logins by tokens: the access that commands ask for, token servers on other hosts, registries that hide repositories.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use common::World;
use tagwarden_testing::{Anonymous, AuthKind, AuthMode, Bearer, Login};

const CANARY: &str = "canary-51c9";

fn login() -> Login {
    Login::new("ci", CANARY)
}

/// A world with `prod`, and the login of the registry in the environment.
fn world() -> World {
    let mut world = World::with_prod();
    world.server.clear_requests();
    world.environment = vec![("TAGWARDEN_USERNAME", "ci"), ("TAGWARDEN_PASSWORD", CANARY)];
    world
}

/// The scopes of every token request since the last call.
fn scopes(world: &World) -> Vec<String> {
    let asked = world.server.token_requests();
    world.server.clear_requests();
    asked.into_iter().flat_map(|asked| asked.scopes).collect()
}

#[test]
fn reads_ask_for_pull_and_moves_for_push_in_one_token() {
    const PULL: &str = "repository:acme/shop:pull";
    const PUSH: &str = "repository:acme/shop:pull,push";
    let world = world();
    world.server.access(AuthMode::Bearer(Bearer::new(login())));
    let prod = world.prod();
    let repository = prod.strip_suffix(":prod").unwrap();
    std::fs::create_dir(world.dir.path().join("deploy")).unwrap();
    std::fs::write(world.dir.path().join("deploy/app.yaml"), "kind: ConfigMap\n").unwrap();
    let reference = format!("{repository}:2.0.0");
    let source = [
        "--source",
        "https://git.example.com/acme/shop",
        "--revision",
        "main@sha1:0123456789abcdef0123456789abcdef01234567",
    ];
    let push =
        [&["artifact", "push", &reference, "--path", "deploy", "--created", "2026-11-23T06:00:00Z"], &source[..]]
            .concat();
    let moved = || vec![PUSH.to_owned()];
    let read = || vec![PULL.to_owned()];
    for (args, want) in [
        (&["current", &prod][..], read()),
        (&["audit", "--parts"][..], read()),
        (&["retention", repository][..], read()),
        (&["diff", "1.4.0", "1.4.1", "--channel", &prod][..], read()),
        (&["promote", &prod, "--source", "1.4.1", "--dry-run"][..], read()),
        (&["promote", &prod, "--source", "1.4.1"][..], moved()),
        (&["rollback", &prod][..], moved()),
        // No move is open, so the registry is not asked.
        (&["recover", &prod][..], vec![]),
        (&push[..], moved()),
    ] {
        world.does(args, 0);
        assert_eq!(scopes(&world), want, "{args:?}");
    }
    world.push_by_hand(7);
    world.later(|| world.does(&["repair", &prod], 0));
    assert_eq!(scopes(&world), [PUSH]);
}

#[test]
fn token_server_on_another_host_is_asked_once_it_is_named() {
    let world = world();
    let elsewhere = world.block_on(world.server.listen()).unwrap();
    let host = format!("localhost:{}", elsewhere.port());
    let realm = Some(format!("http://{host}/token"));
    world.server.access(AuthMode::Bearer(Bearer { realm, ..Bearer::new(login()) }));
    let (prod, registry) = (world.prod(), world.server.host().to_owned());

    let said = world.does(&["promote", &prod, "--source", "1.4.1"], 1);
    let line = format!(
        "allow it with `--token-server {host}`, or in tagwarden.toml, in [registry.\"{registry}\"], with `token-servers = \
         [\"{host}\"]`"
    );
    assert!(said.err.contains(&line) && !format!("{said:?}").contains(CANARY), "{}", said.err);
    assert!(said.err.ends_with("[REGISTRY_DENIED]\n"), "the line is the hint: {}", said.err);
    let json = world.json(&["promote", &prod, "--source", "1.4.1"], 1);
    assert_eq!(json["error"]["context"]["token_server"], host, "{json}");
    assert_eq!(world.server.token_requests(), []);

    world.does(&["promote", &prod, "--source", "1.4.1", "--token-server", &host], 0);
    let asked = world.server.token_requests();
    assert!(asked.len() == 1 && asked[0].host == host && asked[0].auth == AuthKind::Basic, "{asked:?}");

    let named = format!("auth.example.com, {host}");
    let current = |name: &str, value: &str| {
        common::said(world.command(&["current", &prod, "--settle", "1s"]).env(name, value).output().unwrap())
    };
    let said = current("TAGWARDEN_TOKEN_SERVERS", &named);
    assert_eq!(said.exit, 0, "{said:?}");
    world.config(&format!("ledger = 'ledger'\n[registry.\"{registry}\"]\ntoken-servers = [\"{host}\"]\n"));
    world.does(&["current", &prod], 0);
    world.config(&format!("ledger = 'ledger'\n[registry.'other.example.com']\ntoken-servers = [\"{host}\"]\n"));
    world.does(&["current", &prod], 6);
    let said = current("TAGWARDEN_TOKEN_SERVERS", "auth.example.com/token");
    assert_eq!(said.exit, 2, "{said:?}");
    assert!(said.err.contains("HOST:PORT, such as auth.example.com [CONFIG_INVALID]"), "{said:?}");
}

#[test]
fn named_token_server_is_asked_over_tls_through_the_proxy() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let connects = std::thread::spawn(move || {
        let (mut client, _) = proxy.accept().unwrap();
        let mut line = String::new();
        BufReader::new(&client).read_line(&mut line).unwrap();
        client.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
        line
    });
    let world = world();
    let realm = Some("https://auth.example.com/token".to_owned());
    world.server.access(AuthMode::Bearer(Bearer { realm, ..Bearer::new(login()) }));
    let mut command = world.command(&["current", &world.prod(), "--token-server", "auth.example.com"]);
    let said = common::said(command.env("https_proxy", url).output().unwrap());
    assert_eq!(said.exit, 6, "{said:?}");
    assert!(
        format!("{said:?}").contains("no token from auth.example.com") && !format!("{said:?}").contains(CANARY),
        "{said:?}"
    );
    assert_eq!(connects.join().unwrap(), "CONNECT auth.example.com:443 HTTP/1.1\r\n");
}

#[test]
fn channel_of_a_registry_that_hides_repositories_is_moved_with_the_login() {
    for access in [AuthMode::Basic(login()), AuthMode::Bearer(Bearer::new(login()))] {
        let mut world = world();
        world.server.access(access);
        for (anonymous, release) in [(Anonymous::Hidden, "1.4.1"), (Anonymous::Forbidden, "1.4.2")] {
            world.server.anonymous(anonymous);
            world.does(&["promote", &world.prod(), "--source", release], 0);
            assert_eq!(world.digest("prod"), world.digest(release));
            let json = world.json(&["current", &world.prod()], 0);
            assert_eq!(json["registry"]["state"], "in_sync", "{json}");
        }
        // Without a login, the registry's word is that there is no such tag, and a move is refused before it begins.
        world.environment.clear();
        world.server.anonymous(Anonymous::Hidden);
        let said = world.does(&["promote", &world.prod(), "--source", "1.4.3"], 3);
        assert!(said.err.contains("TARGET_ABSENT"), "{}", said.err);
    }
}

#[test]
fn identity_token_logs_in_by_token_and_by_basic() {
    let mut world = world();
    world.server.access(AuthMode::Bearer(Bearer::new(login())));
    let token: &'static str = world.server.identity_token().leak();
    world.environment = vec![("TAGWARDEN_IDENTITY_TOKEN", token)];
    world.does(&["promote", &world.prod(), "--source", "1.4.1"], 0);
    let asked = world.server.token_requests();
    assert!(asked.len() == 1 && asked[0].grant_type.as_deref() == Some("refresh_token"), "{asked:?}");
    world.server.access(AuthMode::Basic(Login::new("<token>", token)));
    world.does(&["promote", &world.prod(), "--source", "1.4.2"], 0);
}
