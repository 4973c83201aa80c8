//! `dev registry` serves until it is interrupted, and what it prints leads to a promotion.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use common::World;
use serde_json::Value;

/// A registry that was begun, and what it printed so far.
struct Dev {
    child: Child,
    out: Box<dyn BufRead>,
    begun: String,
}

impl Dev {
    /// Begins it, and waits for the text about its address: on standard error with `--json`, else on standard output.
    fn begin(world: &World, args: &[&str]) -> Dev {
        let mut command = world.command(&[&["dev", "registry", "--port", "0"], args].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let mut out: Box<dyn BufRead> = Box::new(BufReader::new(out));
        let mut err: Box<dyn BufRead> = Box::new(BufReader::new(err));
        let from = if args.contains(&"--json") { &mut err } else { &mut out };
        let mut begun = String::new();
        while !begun.contains("Then:") {
            assert!(from.read_line(&mut begun).unwrap() > 0, "it ended: {begun}");
        }
        Dev { child, out, begun }
    }

    fn host(&self) -> String {
        let (_, rest) = self.begun.split_once("http://").unwrap();
        rest.split(',').next().unwrap().to_owned()
    }

    /// Interrupts it, as Ctrl-C does. What it printed since.
    fn interrupt(mut self) -> String {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{rest}");
        rest
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_it_prints_leads_to_a_promotion() {
    let mut world = World::new();
    let args = ["--vendor", "quay", "--login", "--immutable", "*", "--excluding", "prod"];
    let dev = Dev::begin(&world, &args);
    let host = dev.host();
    for want in [
        format!("A registry like quay on http://{host}, until Ctrl-C."),
        format!("docker login {host} "),
        format!("tagwarden artifact push {host}/acme/shop:1.4.2 --path ./deploy"),
        format!("tagwarden bootstrap {host}/acme/shop:prod --source 1.4.2"),
    ] {
        assert!(dev.begun.contains(&want), "{want}: {}", dev.begun);
    }

    let deploy = world.dir.path().join("deploy");
    std::fs::create_dir(&deploy).unwrap();
    std::fs::write(deploy.join("app.yaml"), "kind: ConfigMap\n").unwrap();
    world.config("ledger = 'ledger'\n");
    let registry: &'static str = Box::leak(host.clone().into_boxed_str());
    world.environment =
        vec![("TAGWARDEN_REGISTRY", registry), ("TAGWARDEN_USERNAME", "ci"), ("TAGWARDEN_PASSWORD", "ci")];
    let revision = format!("main@sha1:{}", "0".repeat(40));
    for (version, created) in [("1.4.2", "2026-11-23T06:00:00Z"), ("1.4.3", "2026-11-24T06:00:00Z")] {
        let reference = format!("{host}/acme/shop:{version}");
        let source = "https://git.example.com/acme/shop";
        let push = ["artifact", "push", &reference, "--path", "./deploy", "--source", source];
        world.does(&[&push[..], &["--revision", &revision, "--created", created]].concat(), 0);
    }
    let prod = format!("{host}/acme/shop:prod");
    world.does(&["bootstrap", &prod, "--source", "1.4.2"], 0);
    world.does(&["promote", &prod, "--source", "1.4.3"], 0);
    assert!(dev.interrupt().contains("Ended after "));
}

#[test]
fn json_is_one_object_at_the_end() {
    let world = World::new();
    let dev = Dev::begin(&world, &["--vendor", "ecr", "--repository", "acme/shop", "--lag", "1s", "--json"]);
    let host = dev.host();
    let json: Value = serde_json::from_str(&dev.interrupt()).unwrap();
    assert_eq!(json, serde_json::json!({ "address": host, "vendor": "ecr", "requests": 0 }));
}

#[test]
fn wrong_values_are_refused_before_anything_is_served() {
    let world = World::new();
    let refused = world.run(&["dev", "registry", "--vendor", "nexus"]);
    assert_eq!(refused.exit, 2, "{}", refused.err);
    assert!(refused.err.contains("\"nexus\" is none of ghcr, ecr, quay, harbor, acr"), "{}", refused.err);
    let port = world.server.addr().port().to_string();
    let refused = world.run(&["dev", "registry", "--port", &port]);
    assert_eq!(refused.exit, 2, "{}", refused.err);
    assert!(refused.err.contains("--port 0 takes a free one [CONFIG_INVALID]"), "{}", refused.err);
    let refused = world.run(&["dev", "registry", "--port", "0", "--repository", "Acme"]);
    assert_eq!(refused.exit, 2, "{}", refused.err);
}
