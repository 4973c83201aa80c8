//! The state that a typed command needs, so that it does what its sentence says, and the real names for the names of
//! examples in the documents.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tagwarden::ledger::FileLedger;
use tagwarden::log::{Block, Hold, HoldScope, Source};
use tagwarden::{Channel, MoveOptions, Promoter, Provenance};
use tagwarden_testing::HttpFault;

use crate::common::World;
use crate::documents::{blocks, read};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Releases in a registry, and a `tagwarden.toml` that names a ledger.
    New,
    /// `New`, without its `tagwarden.toml`.
    Bare,
    /// `New`, and the tag prod points at 1.4.1.
    Tagged,
    /// A git repository with a directory of manifests.
    Sources,
    /// The `tagwarden.toml` of docs/reference/cli.md. In preprod 1.4.0 to 1.4.2 were live, in prod 1.4.0 and then
    /// 1.4.1.
    Live,
    /// `Live`, but 1.4.2 was never live in preprod.
    Behind,
    /// `Live`, and then 1.4.2 was promoted to prod.
    Promoted,
    /// `Live`, and prod was pushed by hand.
    Drifted,
    /// `Live`, and the run of a promotion to 1.4.2 died before its put.
    Open,
    /// `Live`, and ada holds prod.
    Held,
    /// `Live`, and ada blocks 1.4.0 in preprod and in prod.
    Blocked,
    /// `Live`, and its logs were exported to `backup`, prod's to `prod.jsonl` as well.
    Exported,
}

use State::{Bare, Behind, Blocked, Drifted, Exported, Held, Live, New, Open, Promoted, Sources, Tagged};

/// The first words of a command, its state, and its output unless it is told not to move, to print JSON or to write into a
/// file.
const STATES: &[(&str, State, &str)] = &[
    ("--help", New, "Usage: tagwarden"),
    ("COMMAND --help", New, "Usage: tagwarden promote"),
    ("repair --help", New, "Usage: tagwarden repair"),
    ("adopt --help", New, "Usage: tagwarden adopt"),
    ("demo", Sources, "Done in "),
    ("init", Bare, "wrote "),
    ("config validate", Live, "valid "),
    ("artifact push", Sources, "pushed "),
    ("bootstrap", Tagged, "committed bootstrap "),
    ("promote", Live, "committed promote "),
    ("rollback", Promoted, "committed rollback "),
    ("repair", Drifted, "committed repair "),
    ("adopt", Drifted, "committed adopt "),
    ("recover", Open, " promote "),
    ("block", Live, "blocked "),
    ("unblock", Blocked, "unblocked "),
    ("holds", Held, "incident 7"),
    ("hold", Live, "held "),
    ("unhold", Held, "ended "),
    ("channels", Live, ":prod"),
    ("current", Live, "in sync"),
    ("previous", Live, "sha256:"),
    ("history", Live, "promote"),
    ("diff", Promoted, " .. "),
    ("at", Live, "by        promote of ada"),
    ("audit", Live, ":prod"),
    ("retention", Live, "keep"),
    ("verify --log", Exported, "sound"),
    ("verify", Live, "sound"),
    ("ledger init", New, "ready "),
    ("ledger migrate", Live, " in elsewhere now"),
    ("ledger export", Live, "an entry a line"),
    ("ledger import", Exported, "copied"),
    ("completions", New, "tagwarden"),
];

/// Ledgers that a test without a network does not have: a directory stands for them, so that the rest of the command is
/// tried all the same. tests/engines has tests of each kind.
pub const STAND_INS: &[(&str, &str)] = &[
    ("s3://acme-audit/shop", "needs a bucket"),
    ("s3://acme-audit/restored", "needs a bucket"),
    ("s3://acme-audit/releases", "needs a bucket"),
    ("git+https://github.com/acme/shop", "needs a repository"),
    ("postgres://owner@db.example.com/releases", "needs a PostgreSQL"),
    ("postgres://ci@db.example.com/releases", "needs a PostgreSQL"),
    ("postgres://tagwarden@db.example.com/audit", "needs a PostgreSQL"),
    ("postgres://ci@db.example.com/audit", "needs a PostgreSQL"),
];

/// The state of a command, and what it shows there.
pub fn of(command: &str) -> Option<(State, &'static str)> {
    let rest = command.strip_prefix("tagwarden ")?;
    let begins = |words: &str| rest.strip_prefix(words).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    STATES.iter().find(|(words, ..)| begins(words)).map(|(_, state, shows)| (*state, *shows))
}

pub fn prepare(state: State) -> World {
    let world = World::new();
    match state {
        New | Tagged => world.config("ledger = 'ledger'\n"),
        Bare => std::fs::remove_file(world.dir.path().join("tagwarden.toml")).unwrap(),
        Sources => sources(&world),
        Behind => live(&world, 1),
        _ => live(&world, 2),
    }
    let prod = world.channel("prod");
    match state {
        Promoted => moves(&world, &prod, &[2]),
        Tagged => drop(world.push_by_hand(1)),
        Drifted => drop(world.push_by_hand(8)),
        Open => open(&world),
        Held => drop(world.block_on(promoter(&world).hold(&prod, hold())).unwrap()),
        Blocked => {
            for stage in ["preprod", "prod"] {
                world.block_on(promoter(&world).block(&world.channel(stage), block(&world))).unwrap();
            }
        }
        Exported => {
            world.does(&["ledger", "export", "backup"], 0);
            std::fs::copy(world.log("prod"), world.dir.path().join("prod.jsonl")).unwrap();
        }
        New | Bare | Sources | Live | Behind => {}
    }
    // As minutes later, so that a typed command does not wait until reads are settled.
    world.server.date_offset_ms(6 * 60 * 1000);
    world
}

fn live(world: &World, newest: u64) {
    let (_, config) = blocks(&read("docs/reference/cli.md"), "toml").remove(0);
    world.config(&config.replace("registry.example.com", world.server.host()));
    let all: Vec<u64> = (0..=newest).collect();
    moves(world, &world.channel("preprod"), &all);
    moves(world, &world.channel("prod"), &[0, 1]);
}

/// Brings these releases to a channel, which is bootstrapped with the first one if it has no log.
fn moves(world: &World, channel: &Channel, releases: &[u64]) {
    let promoter = promoter(world);
    for number in releases {
        let tag = format!("1.4.{number}").parse().unwrap();
        let (source, terms) = (Source::Reference(channel.repository().tag(tag)), MoveOptions::new(ada()));
        world
            .block_on(async {
                match promoter.state(channel).await?.live {
                    None => promoter.bootstrap(channel).source(source).options(terms).await,
                    Some(_) => promoter.promote(channel, source).options(terms).await,
                }
            })
            .unwrap();
    }
}

/// Moves in this process, which is quicker than a process for each.
fn promoter(world: &World) -> Promoter {
    let ledger = FileLedger::open(world.dir.path().join("ledger")).unwrap();
    Promoter::new(Arc::new(world.server.memory().clone()), Arc::new(ledger))
}

fn ada() -> Provenance {
    Provenance::new("manual", "42", "ada").unwrap()
}

fn hold() -> Hold {
    Hold { scope: HoldScope::Promotions, reason: "incident 7".parse().unwrap(), provenance: ada(), until: None }
}

fn block(world: &World) -> Block {
    let (digest, reason) = (world.digest("1.4.0"), "it loses orders".parse().unwrap());
    Block { digest, reason, provenance: ada(), url: None }
}

fn sources(world: &World) {
    let dir = world.dir.path();
    std::fs::create_dir(dir.join("deploy")).unwrap();
    std::fs::write(dir.join("deploy/shop.yaml"), "kind: ConfigMap\nmetadata:\n  name: shop\n").unwrap();
    let steps: [&[&str]; 4] = [
        &["init", "--quiet", "--initial-branch=main"],
        &["remote", "add", "origin", "https://git.example.com/acme/shop.git"],
        &["add", "deploy"],
        &["-c", "user.name=ada", "-c", "user.email=ada@example.com", "commit", "--quiet", "--message=shop"],
    ];
    for step in steps {
        let mut git = Command::new("git");
        git.arg("-C").arg(dir).args(step).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        assert!(git.status().unwrap().success(), "{step:?}");
    }
}

/// A promotion that is killed while its put is on its way.
fn open(world: &World) {
    world.server.always(|seen| seen.is("PUT", "/manifests/prod"), HttpFault::Silent);
    let times = ["--ttl", "300ms", "--grace", "200ms", "--quiet", "200ms", "--put-timeout", "200ms"];
    let mut run = world.begin(&[&["promote", "prod", "--source", "1.4.2"][..], &times].concat());
    let deadline = Instant::now() + Duration::from_secs(20);
    while !world.server.requests().iter().any(|seen| seen.is("PUT", "/manifests/prod")) {
        assert!(Instant::now() < deadline, "no put came");
        std::thread::sleep(Duration::from_millis(5));
    }
    run.kill().unwrap();
    run.wait().unwrap();
    world.server.calm();
}

/// The names in the documents, and the real ones here.
pub fn names(world: &World, state: State, command: &str) -> Vec<(String, String)> {
    let has = |words: &str| command.contains(words);
    let mut names: Vec<(&str, String)> = vec![
        ("tagwarden COMMAND", "tagwarden promote".to_owned()),
        ("--expected sha256:…", format!("--expected {}", world.digest("1.4.1"))),
        ("sha256:…", world.digest("1.4.0").to_string()),
        (
            "registry.example.com%2facme%2fshop%3aprod.jsonl",
            world.log("prod").file_name().unwrap().display().to_string(),
        ),
        // A version tag never moves, and 1.4.2 is there.
        ("artifact push registry.example.com/acme/shop", format!("artifact push {}/acme/packed", world.server.host())),
        ("registry.example.com", world.server.host().to_owned()),
        ("127.0.0.1:5000", world.server.host().to_owned()),
        ("/var/lib/tagwarden", "ledger".to_owned()),
        ("/mnt/ledger/acme-shop", "ledger".to_owned()),
        ("/etc/bash_completion.d/tagwarden", "completion".to_owned()),
    ];
    let new = ["ledger init", "ledger migrate", "ledger import"].into_iter().any(has);
    names.extend(STAND_INS.iter().map(|(url, _)| (*url, if new { "elsewhere" } else { "ledger" }.to_owned())));
    if has("prod#42") {
        let page = world.block_on(promoter(world).history_page(&world.channel("prod"), None, 9)).unwrap();
        names.push(("prod#42", format!("prod#{}", page.events.last().unwrap().seq)));
    }
    if state == Held {
        let holds = world.block_on(promoter(world).holds(&world.channel("prod"))).unwrap();
        names.push(("prod 17", format!("prod {}", holds[0].seq)));
    }
    if has("@{2026-") {
        names.push(("2026-11-23T06:00:00Z", "2999-01-01T00:00:00Z".to_owned()));
    }
    if has("tagwarden at ") {
        let time = command.split_whitespace().nth(3).unwrap();
        names.push((time, "2999-01-01T00:00:00Z".to_owned()));
    }
    names.into_iter().map(|(written, here)| (written.to_owned(), here)).collect()
}
