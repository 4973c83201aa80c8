//! The real binary against a registry on loopback and a ledger in a directory of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

pub mod cases;
pub mod git;
pub mod real_names;

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tagwarden::{Channel, Digest};
use tagwarden_testing::RegistryServer;
use tempfile::TempDir;

/// The actor and the run of a command outside a CI.
pub const WHO: [&str; 4] = ["--actor", "ada", "--run-id", "42"];

/// Times that let a test wait until reads are settled.
const SHORT: [&str; 4] = ["--quiet", "1s", "--put-timeout", "1s"];
const SETTLE: [&str; 2] = ["--settle", "1s"];

pub struct World {
    pub server: RegistryServer,
    pub dir: TempDir,
    /// More variables of the environment of the binary.
    pub environment: Vec<(&'static str, &'static str)>,
    runtime: tokio::runtime::Runtime,
}

/// The output and the exit code of a run of the binary.
#[derive(Debug)]
pub struct Said {
    pub exit: i32,
    pub out: String,
    pub err: String,
}

impl World {
    /// A registry with releases 1.4.0 to 1.4.9 of `acme/shop`, and a tagwarden.toml that names dev and prod.
    pub fn new() -> World {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(RegistryServer::start()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let repository = server.repository("acme/shop");
        for number in 0..10 {
            server.memory().push_image(&repository, &format!("1.4.{number}").parse().unwrap(), number);
        }
        let world = World { server, dir, environment: Vec::new(), runtime };
        let (dev, prod) = (world.channel("dev"), world.channel("prod"));
        world.config(&format!(
            "ledger = 'ledger'\n\
             [[pipeline]]\nenvironment = 'dev'\nchannel = '{dev}'\n\
             [[pipeline]]\nenvironment = 'prod'\nchannel = '{prod}'\n"
        ));
        world
    }

    /// The same, with releases live: `prod` alone, of which 1.4.0 is the first.
    pub fn with_prod() -> World {
        let world = World::new();
        let prod = world.channel("prod");
        world.config("ledger = 'ledger'\n");
        world.does(&["bootstrap", &prod.to_string(), "--source", "1.4.0"], 0);
        world
    }

    /// The end of a call of the library, in this process.
    pub fn block_on<T>(&self, call: impl Future<Output = T>) -> T {
        self.runtime.block_on(call)
    }

    pub fn config(&self, text: &str) {
        std::fs::write(self.dir.path().join("tagwarden.toml"), text).unwrap();
    }

    pub fn channel(&self, tag: &str) -> Channel {
        Channel::new(self.server.repository("acme/shop"), tag.parse().unwrap()).unwrap()
    }

    pub fn prod(&self) -> String {
        self.channel("prod").to_string()
    }

    /// The digest that a tag points at.
    pub fn digest(&self, tag: &str) -> Digest {
        self.server.memory().peek(&self.server.repository("acme/shop"), &tag.parse().unwrap()).unwrap()
    }

    /// A foreign write: points `prod` at a release.
    pub fn push_by_hand(&self, number: u64) -> Digest {
        let repository = self.server.repository("acme/shop");
        self.server.memory().push_image(&repository, &"prod".parse().unwrap(), number).digest()
    }

    /// As six minutes later, by the registry's clock: what was moved before is old, and reads of it are settled.
    pub fn later<T>(&self, then: impl FnOnce() -> T) -> T {
        self.server.date_offset_ms(6 * 60 * 1000);
        let done = then();
        self.server.date_offset_ms(0);
        done
    }

    /// The file of a channel's log.
    pub fn log(&self, tag: &str) -> PathBuf {
        let name = self.channel(tag).to_string().replace(':', "%3a").replace('/', "%2f");
        self.dir.path().join("ledger").join(format!("{name}.jsonl"))
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tagwarden"));
        command.args(args).current_dir(self.dir.path()).stdin(Stdio::null()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", self.dir.path());
        // A registry that does not answer is waited for no longer than a test should take.
        command.env("TAGWARDEN_RETRY_FOR", "2s");
        command.envs(self.environment.iter().copied());
        command
    }

    pub fn run(&self, args: &[&str]) -> Said {
        said(self.command(args).output().unwrap())
    }

    /// Runs it, with an actor and a run for what needs them and short times, and checks the exit code.
    pub fn does(&self, args: &[&str], exit: i32) -> Said {
        let moves = ["bootstrap", "promote", "rollback", "repair", "adopt", "recover"].contains(&args[0]);
        let writes = moves
            || ["block", "unblock", "hold", "unhold"].contains(&args[0])
            || args.starts_with(&["ledger", "migrate"]);
        let settles = (moves || ["audit", "current"].contains(&args[0]))
            && !["--settle", "--help", "--put-timeout", "--ttl"].iter().any(|arg| args.contains(arg))
            || args.contains(&"--quiet") && !args.contains(&"--settle");
        let mut all = args.to_vec();
        all.extend(WHO.iter().filter(|_| writes));
        all.extend(SETTLE.iter().filter(|_| settles));
        let timed = ["--quiet", "--put-timeout", "--ttl"].iter().any(|time| args.contains(time));
        all.extend(SHORT.iter().filter(|_| moves && settles && !timed));
        let said = self.run(&all);
        assert_eq!(said.exit, exit, "{args:?}\n{}\n{}", said.out, said.err);
        said
    }

    /// The same with `--json`: one object on standard output.
    pub fn json(&self, args: &[&str], exit: i32) -> Value {
        let said = self.does(&[args, &["--json"]].concat(), exit);
        serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{args:?}: {e}\n{}\n{}", said.out, said.err))
    }

    /// Begins it, with an actor and a run.
    pub fn begin(&self, args: &[&str]) -> Child {
        let mut command = self.command(&[args, &WHO].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The independent verifier is content with the channel's log.
    pub fn verify_independently(&self, tag: &str) {
        tagwarden_tests::verify_ledger(&self.log(tag)).unwrap();
    }
}

pub fn said(output: Output) -> Said {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { exit: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}
