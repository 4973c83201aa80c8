//! The demonstration against a real registry, and another tool's word for what it left there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use std::io::Write;
use std::process::{Command, Stdio};

use common::{World, said};
use tagwarden::Digest;
use tagwarden_tests::docker_registry::{Access, DockerRegistry, PASSWORD, Transport, USER};

/// The digest of what `prod` is, as skopeo fetches it. None, said on standard error, if skopeo is not installed.
fn seen_by_skopeo(reference: &str) -> Option<Digest> {
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["inspect", "--raw", "--tls-verify=false", "--creds", &format!("{USER}:{PASSWORD}")]);
    match skopeo.arg(format!("docker://{reference}")).output() {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Some(Digest::of(&output.stdout))
        }
        Err(e) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "skopeo: {e}");
            eprintln!("SKIPPED the look with skopeo: {e}");
            None
        }
    }
}

#[test]
fn the_demonstration_runs_on_a_real_registry_that_asks_for_a_password() {
    let test = "the_demonstration_runs_on_a_real_registry_that_asks_for_a_password";
    let Some(registry) = DockerRegistry::start(test, Access::Htpasswd, Transport::Http) else { return };
    let world = World::new();
    let repository = format!("{}/acme/demo", registry.host());
    let flags = ["demo", "--registry", &repository, "--keep", "kept", "--username", USER, "--password-stdin"];
    let mut child =
        world.command(&flags).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
    let said = said(child.wait_with_output().unwrap());
    assert_eq!(said.exit, 0, "{}{}", said.out, said.err);
    assert!(said.out.contains("3 logs: every entry holds."), "{}", said.out);

    let mut current = world.command(&["current", "prod", "--json"]);
    current.current_dir(world.dir.path().join("kept"));
    current.env("TAGWARDEN_USERNAME", USER).env("TAGWARDEN_PASSWORD", PASSWORD);
    let current = common::said(current.output().unwrap());
    assert_eq!(current.exit, 0, "{}{}", current.out, current.err);
    let current: serde_json::Value = serde_json::from_str(&current.out).unwrap();
    if let Some(seen) = seen_by_skopeo(&format!("{repository}:prod")) {
        assert_eq!(current["live"], seen.to_string());
    }
}
