//! The same calls through Python and Node compared with Rust: promotions, reads, imports.
//!
//! Run `cargo bench -p tagwarden-tests --bench bindings` after `.ci/release`, which builds the release packages and
//! installs the wheel in a separate environment. Each language is a separate process, Rust too, so that all of them use
//! the same server in this process. A process reads one command in each line of its input, runs it, and prints the
//! duration in microseconds.

#[path = "shared/paired.rs"]
mod paired;

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tagwarden::ledger::{FileLedger, MemoryLedger};
use tagwarden::log::Source;
use tagwarden::registry::oci::{OciOptions, OciRegistry};
use tagwarden::{Channel, MoveOptions, Promoter, Provenance};
use tagwarden_testing::RegistryServer;
use tokio::runtime::Runtime;

use crate::paired::paired;

/// The latency that the server adds to each request, like a near registry.
const REQUEST: Duration = Duration::from_millis(5);

/// The number of concurrent calls of `current`.
const AT_ONCE: usize = 100;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let given: Vec<String> = std::env::args().collect();
    if let Some(at) = given.iter().position(|arg| arg == "asked") {
        return asked(&runtime, &given[at + 1], Path::new(&given[at + 2]));
    }
    let logs = tempfile::tempdir().unwrap();
    let server = runtime.block_on(RegistryServer::start()).unwrap();
    runtime.block_on(prepare(&server, logs.path()));
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let bench = home.join("tests/benches/bindings");
    let python = home.join("target/tried/python/bin/python");
    let language = |name: &str| {
        let mut command = match name {
            "Rust" => Command::new(std::env::current_exe().unwrap()),
            "Python" => Command::new(&python),
            _ => Command::new("node"),
        };
        match name {
            "Rust" => command.arg("asked"),
            "Python" => command.arg(bench.join("measured.py")),
            _ => command.arg(bench.join("measured.mjs")),
        };
        Asked::start(command.arg(server.host()).arg(logs.path()))
    };
    let rust = language("Rust");
    for name in ["Python", "Node"] {
        let other = language(name);
        server.latency(REQUEST);
        let what = format!("{name}: a promotion, 5 ms a request");
        paired((&what, 1.05, 60), || other.ask("promote"), "Rust", || rust.ask("promote"));
        server.latency(Duration::ZERO);
        let what = format!("{name}: a promotion on loopback");
        paired((&what, 1.05, 200), || other.ask("promote"), "Rust", || rust.ask("promote"));
        for call in ["previous", "current"] {
            let what = format!("{name}: `{call}` of a ledger in memory, one of {AT_ONCE} in turn (goal: 20 us more)");
            let one = |of: &Asked| of.ask(call) / u32::try_from(AT_ONCE).unwrap();
            paired((&what, f64::INFINITY, 200), || one(&other), "Rust", || one(&rust));
        }
        let what = format!("{name}: {AT_ONCE} `current` at once, of logs on disk");
        paired((&what, f64::INFINITY, 60), || other.ask("currents"), "Rust", || rust.ask("currents"));
        let what = format!("{name}: the same one after the other");
        paired((&what, f64::INFINITY, 20), || other.ask("in_turn"), "Rust", || rust.ask("in_turn"));
        if name == "Python" {
            server.latency(REQUEST);
            // A Python thread counts: first alone, then while the main thread waits for promotions.
            let what = "Python: ten million counts in a thread, beside promotions (goal: 1 / 0.9)";
            paired((what, 1.11, 10), || other.ask("counts_beside"), "alone", || other.ask("counts"));
            server.latency(Duration::ZERO);
        }
    }
    drop(rust);
    let spawned = |command: &mut Command| {
        let begun = Instant::now();
        assert!(command.current_dir(home.join("crates/node")).status().unwrap().success(), "{command:?}");
        begun.elapsed()
    };
    let starts = |program: &Path, flag: &str, code: &str| spawned(Command::new(program).args([flag, code]));
    let what = "Python: import (goal: 30 ms more)";
    paired(
        (what, f64::INFINITY, 40),
        || starts(&python, "-c", "import tagwarden"),
        "bare",
        || starts(&python, "-c", ""),
    );
    let (node, what) = (Path::new("node"), "Node: require (goal: 30 ms more)");
    paired((what, f64::INFINITY, 40), || starts(node, "-e", "require('tagwarden')"), "bare", || starts(node, "-e", ""));
    runtime.block_on(server.stop()).unwrap();
}

/// Pushes two releases into one repository for each language, and into the repository whose logs `current` reads.
async fn prepare(server: &RegistryServer, logs: &Path) {
    for name in ["rust", "python", "node", "logs"] {
        for number in [1, 2] {
            let release = format!("{}/{name}:{number}", server.host()).parse::<Channel>().unwrap();
            server.memory().push_image(release.repository(), release.tag(), number);
        }
    }
    let promoter = Promoter::new(Arc::new(server.memory().clone()), Arc::new(FileLedger::open(logs).unwrap()));
    for number in 0..AT_ONCE {
        bootstrap(&promoter, &format!("{}/logs", server.host()), &format!("at-{number}")).await;
    }
}

async fn bootstrap(promoter: &Promoter, repository: &str, tag: &str) -> Channel {
    let channel: Channel = format!("{repository}:{tag}").parse().unwrap();
    let from = Source::Reference(format!("{repository}:1").parse().unwrap());
    promoter.bootstrap(&channel).source(from).options(terms()).await.unwrap();
    channel
}

fn terms() -> MoveOptions {
    MoveOptions::new(Provenance::new("manual", "bench", "bench").unwrap())
}

/// A process that runs commands.
struct Asked {
    child: Child,
    pipes: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Asked {
    fn start(command: &mut Command) -> Asked {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let pipes = RefCell::new((child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap())));
        Asked { child, pipes }
    }

    fn ask(&self, what: &str) -> Duration {
        let (ask, answer) = &mut *self.pipes.borrow_mut();
        writeln!(ask, "{what}").unwrap();
        let mut line = String::new();
        answer.read_line(&mut line).unwrap();
        Duration::from_secs_f64(line.trim().parse::<f64>().unwrap_or_else(|_| panic!("{what}: {line:?}")) / 1e6)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The process of Rust.
fn asked(runtime: &Runtime, host: &str, logs: &Path) {
    let registry = Arc::new(OciRegistry::new(OciOptions::new()).unwrap());
    let repository = format!("{host}/rust");
    let moves = Promoter::new(registry.clone(), Arc::new(MemoryLedger::new()));
    let reads = Promoter::new(registry, Arc::new(FileLedger::open(logs).unwrap()));
    let channel = runtime.block_on(bootstrap(&moves, &repository, "prod"));
    let on_disk: Vec<Channel> =
        (0..AT_ONCE).map(|number| format!("{host}/logs:at-{number}").parse().unwrap()).collect();
    let mut live = 1;
    for line in std::io::stdin().lines() {
        let begun = Instant::now();
        runtime.block_on(async {
            match line.unwrap().as_str() {
                "promote" => {
                    live = 3 - live;
                    let from = Source::Reference(format!("{repository}:{live}").parse().unwrap());
                    moves.promote(&channel, from).options(terms()).await.unwrap();
                }
                "previous" => {
                    for _ in 0..AT_ONCE {
                        moves.previous(&channel).await.unwrap();
                    }
                }
                "current" => {
                    for _ in 0..AT_ONCE {
                        moves.current(&channel).await.unwrap();
                    }
                }
                "currents" => {
                    let calls: Vec<_> = (on_disk.iter().cloned())
                        .map(|channel| {
                            let reads = reads.clone();
                            tokio::spawn(async move { reads.current(&channel).await.unwrap() })
                        })
                        .collect();
                    for call in calls {
                        call.await.unwrap();
                    }
                }
                "in_turn" => {
                    for channel in &on_disk {
                        reads.current(channel).await.unwrap();
                    }
                }
                other => panic!("{other} is not known"),
            }
        });
        println!("{}", begun.elapsed().as_secs_f64() * 1e6);
    }
}
