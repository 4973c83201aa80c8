//! A governed promotion from the command line, including the start of the process, compared with commands that move a
//! tag without governance.
//!
//! `tests/bench commands` builds the program, or `TAGWARDEN_CLI` names it. `crane` and `skopeo` are the references, if
//! they are installed. `TAGWARDEN_DOCKER_REGISTRY` names a registry program to use instead of docker-registry.

#[path = "shared/paired.rs"]
mod paired;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tagwarden::Repository;
use tagwarden::registry::oci::{CredentialSource, OciOptions, OciRegistry};
use tagwarden::registry::{Put, Registry};
use tagwarden_testing::TestImage;
use tagwarden_tests::docker_registry::{Access, DockerRegistry, Transport};

use crate::paired::paired;

const ROUNDS: usize = 40;

fn main() {
    let Some(server) = DockerRegistry::start("bench", Access::Open, Transport::Http) else { return };
    let repository: Repository = format!("{}/acme/shop", server.host()).parse().unwrap();
    let ledger = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/dist/tagwarden");
    let program = std::env::var_os("TAGWARDEN_CLI").map_or_else(built, PathBuf::from);
    assert!(program.exists(), "{}: cargo build --profile dist -p tagwarden-cli makes it", program.display());

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Each promotion moves a new release, so that it also puts a pin.
    let pushed = Cell::new(0);
    let release = || {
        pushed.set(pushed.get() + 1);
        runtime.block_on(push(&repository, pushed.get()))
    };
    let tagwarden = |verb: &str, tag: &str| {
        let mut command = Command::new(&program);
        command.args([verb, &format!("{repository}:prod"), "--source", &format!("{repository}:{tag}")]);
        command.args(["--provider", "manual", "--run-id", "bench", "--actor", "ada", "--ledger"]).arg(ledger.path());
        command
    };
    timed(tagwarden("bootstrap", &release()));

    let promotion = || timed(tagwarden("promote", &release()));
    let crane = || {
        let mut command = Command::new("crane");
        command.args(["tag", "--insecure", &format!("{repository}:{}", release()), "moved"]);
        timed(command)
    };
    let skopeo = || {
        let [from, to] = [release(), "copied".to_owned()].map(|tag| format!("docker://{repository}:{tag}"));
        let mut command = Command::new("skopeo");
        command.args(["copy", "--src-tls-verify=false", "--dest-tls-verify=false", &from, &to]);
        timed(command)
    };
    if installed("crane", "version") {
        paired(("a promotion", 0.8, ROUNDS), promotion, "crane tag", crane);
    }
    if installed("skopeo", "--version") {
        paired(("a promotion", 0.4, ROUNDS), promotion, "skopeo copy", skopeo);
    }
}

/// Pushes a small image and returns its tag.
async fn push(repository: &Repository, number: u64) -> String {
    let registry = OciRegistry::new(OciOptions::new().lookup(CredentialSource::Nowhere)).unwrap();
    let sample = TestImage::image(number);
    for blob in &sample.blobs {
        registry.push_blob(repository, blob.clone()).await.unwrap();
    }
    let tag = format!("1.{number}");
    let put = registry.put(repository, &tag.parse().unwrap(), &sample.manifest, Duration::from_secs(15)).await;
    assert!(matches!(put, Put::Applied), "{put:?}");
    tag
}

fn timed(mut command: Command) -> Duration {
    let start = Instant::now();
    let run = command.stdin(Stdio::null()).output().unwrap();
    let took = start.elapsed();
    assert!(run.status.success(), "{command:?}: {}", String::from_utf8_lossy(&run.stderr));
    took
}

fn installed(program: &str, version: &str) -> bool {
    let found = Command::new(program).arg(version).output().is_ok();
    if !found {
        println!("skipped: the comparison with {program} ({program} is missing)");
    }
    found
}
