//! `diff`, against golden files. `TAGWARDEN_BLESS=1` writes them anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it is a test")]

mod common;

use std::path::{Path, PathBuf};

use common::World;
use tagwarden::registry::Manifest;
use tagwarden::{Digest, Repository};
use tagwarden_testing::TestImage;

/// The releases of podinfo, with revisions of this test.
const RELEASES: [(&str, &str, &str); 3] = [
    ("6.3.4", "6.3.4@sha1:0634063406340634063406340634063406340634", "2023-02-10T12:00:00Z"),
    ("6.14.0", "6.14.0@sha1:6140614061406140614061406140614061406140", "2026-06-01T12:00:00Z"),
    ("6.14.1", "6.14.1@sha1:6141614161416141614161416141614161416141", "2026-06-18T12:00:00Z"),
];

/// A registry with the three releases as Flux artifacts, of which prod had each, in their order.
fn podinfo() -> World {
    let world = World::new();
    let prod = repository(&world).tag("prod".parse().unwrap());
    world.config(&format!("ledger = 'ledger'\n[[pipeline]]\nenvironment = 'prod'\nchannel = '{prod}'\n"));
    for (release, revision, created) in RELEASES {
        let reference = format!("{}:{release}", repository(&world));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/podinfo").join(release);
        let source = "https://github.com/stefanprodan/podinfo";
        let flags =
            ["--path", path.to_str().unwrap(), "--source", source, "--revision", revision, "--created", created];
        world.does(&[&["artifact", "push", &reference], &flags[..]].concat(), 0);
        let verb = if release == "6.3.4" { "bootstrap" } else { "promote" };
        world.does(&[verb, "prod", "--source", release], 0);
    }
    world
}

fn repository(world: &World) -> Repository {
    world.server.repository("stefanprodan/podinfo")
}

fn digest_of(world: &World, tag: &str) -> Digest {
    world.server.memory().peek(&repository(world), &tag.parse().unwrap()).unwrap()
}

/// Replaces what differs from run to run: the port, and the times of this run.
fn stable(world: &World, text: &str) -> String {
    let history = world.json(&["history", "prod", "--all"], 0);
    let times = history["events"].as_array().unwrap().iter().map(|event| event["outcome"]["at"].as_str().unwrap());
    let text = times.fold(text.replace(world.server.host(), "REGISTRY"), |text, at| text.replace(at, "TIME"));
    let lines = text.lines().map(|line| match line.split_once(", ").filter(|_| line.starts_with("  between ")) {
        Some((moves, apart)) => format!("{moves}, … apart{}\n", if apart.ends_with(", back") { ", back" } else { "" }),
        None => format!("{line}\n"),
    });
    lines.collect()
}

fn golden(name: &str, found: &str) {
    let file: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("TAGWARDEN_BLESS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, found).unwrap();
    }
    let want = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    assert_eq!(found, want, "{name}");
}

fn text(world: &World, name: &str, args: &[&str]) {
    golden(name, &stable(world, &world.does(&[&["diff"], args].concat(), 0).out));
}

fn json(world: &World, name: &str, args: &[&str]) {
    let mut json = world.json(&[&["diff"], args].concat(), 0);
    if let Some(apart) = json["between"].get_mut("apart_ms") {
        *apart = i64::signum(apart.as_i64().unwrap()).into();
    }
    golden(name, &stable(world, &serde_json::to_string_pretty(&json).unwrap()));
}

#[test]
fn releases_of_podinfo_differ_as_in_the_golden_files() {
    let world = podinfo();
    text(&world, "podinfo-6.3.4-6.14.0.txt", &["6.3.4..6.14.0", "--unified"]);
    text(&world, "podinfo-6.14.0-6.14.1.txt", &["prod~1", "prod", "--unified"]);
    json(&world, "podinfo-6.14.0-6.14.1.json", &["prod~1..prod", "--unified"]);
    text(&world, "podinfo-back.txt", &["prod", "prod#1"]);
    let same = world.does(&["diff", "prod", "6.14.1"], 0).out;
    assert!(same.ends_with("both are the same digest\n"), "{same}");
}

#[test]
fn release_that_is_gone_from_the_registry_is_compared_by_its_record() {
    let world = podinfo();
    let (gone, repository) = (digest_of(&world, "6.3.4"), repository(&world));
    world.server.memory().delete_manifest(&repository, &gone);
    text(&world, "podinfo-gone.txt", &["6.3.4", "prod", "--unified"]);
    json(&world, "podinfo-gone.json", &["prod~2", "prod"]);
    // By a digest of which there is neither a manifest nor a record, nothing is known.
    let none = Digest::of(b"none").to_string();
    let said = world.does(&["diff", &none, "prod"], 1);
    assert!(
        said.err.contains(&format!("neither the registry nor the record has {none} [RELEASE_UNKNOWN]")),
        "{}",
        said.err
    );
    let said = world.does(&["diff", "9.9", "prod"], 1);
    assert!(said.err.contains(&format!("the record has {repository}:9.9 [RELEASE_UNKNOWN]")), "{}", said.err);
}

#[test]
fn dry_run_shows_what_a_move_brings() {
    let world = podinfo();
    let said = world.does(&["rollback", "prod", "--to", "prod~2", "--dry-run"], 0);
    for want in [
        "  release   6.14.1 -> 6.3.4\n",
        "  revision  6.14.1@sha1:6141614161416141614161416141614161416141 -> 6.3.4@sha1:",
        "  compare   https://github.com/stefanprodan/podinfo/compare/6141614161416141614161416141614161416141...0634",
        "  files     2 changed, 0 added, 0 gone\n    ~ deployment.yaml\n",
    ] {
        assert!(said.out.contains(want), "{want}: {}", said.out);
    }
    let json = world.json(&["promote", "prod", "--source", "prod~1", "--dry-run"], 0);
    assert_eq!(json["diff"]["files"][0]["path"], "deployment.yaml");
    assert_eq!(json["diff"]["new"]["digest"], json["digest"]);
}

#[test]
fn platforms_and_layers_of_an_index_are_compared() {
    let world = World::with_prod();
    let (prod, repository) = (world.prod(), world.server.repository("acme/shop"));
    for (tag, numbers) in [("multi-1", &[11, 12][..]), ("multi-2", &[12, 13])] {
        let index = TestImage::index(numbers.iter().map(|number| TestImage::image(*number)));
        world.server.memory().store(&repository, &index);
        world.server.memory().push(&repository, &tag.parse().unwrap(), &index.manifest);
        world.does(&["promote", &prod, "--source", tag], 0);
    }
    let json = world.json(&["diff", &format!("{prod}~1..{prod}")], 0);
    let count = |field: &str, which: &str| json[field][which].as_array().unwrap().len();
    assert_eq!((count("layers", "added"), count("layers", "gone"), &json["layers"]["same"]), (1, 1, &1.into()));
    assert_eq!(json["layers"]["added"][0]["platform"], "linux/amd64");
    assert_eq!((count("platforms", "added"), count("platforms", "gone")), (0, 0));
    assert!(json.get("files").is_none(), "{json}");
    let said = world.does(&["diff", "1.4.0", "multi-1", "--channel", &prod], 0);
    assert!(said.out.contains("  layers    2 added, 1 gone, 0 the same\n"), "{}", said.out);
}

#[test]
fn address_in_an_annotation_is_shown_and_recorded_without_its_credentials() {
    let world = World::with_prod();
    let (prod, repository) = (world.prod(), world.server.repository("acme/shop"));
    let image = TestImage::image(11);
    let mut json: serde_json::Value = serde_json::from_slice(image.manifest.bytes()).unwrap();
    json["annotations"] = serde_json::json!({
        "org.opencontainers.image.source": "ssh://git:c4n4ry@github.com/acme/shop",
        "org.opencontainers.image.url": "https://u:c4n4ry@shop.example.com/?page=1&access_token=c4n4ry",
    });
    let manifest = Manifest::new(json.to_string(), image.manifest.media_type().as_str()).unwrap();
    world.server.memory().store(&repository, &image);
    world.server.memory().push(&repository, &"2.0.0".parse().unwrap(), &manifest);
    let diff = world.does(&["diff", "1.4.0", "2.0.0", "--channel", &prod, "--json"], 0).out;
    world.does(&["promote", &prod, "--source", "2.0.0"], 0);
    let log = std::fs::read_to_string(world.log("prod")).unwrap();
    for text in [diff, log] {
        for url in ["\"ssh://github.com/acme/shop\"", "\"https://shop.example.com/?page=1\""] {
            assert!(text.contains(url), "{text}");
        }
        assert!(!text.contains("c4n4ry"), "{text}");
    }
}

#[test]
fn range_and_names_are_needed() {
    let world = World::with_prod();
    let said = world.does(&["diff", "1.4.1"], 2);
    assert!(said.err.contains("range: \"1.4.1\" is not OLD..NEW, such as preprod..prod"), "{}", said.err);
    let said = world.does(&["diff", "1.4.0", "1.4.1"], 2);
    assert!(said.err.contains("name the channel that it is about, or write it as HOST/REPOSITORY:TAG"), "{}", said.err);
    let said = world.does(&["diff", "~1", &format!("{}:1.4.0", world.server.repository("acme/shop"))], 2);
    assert!(said.err.contains("a step without a name, such as ~1, needs a channel"), "{}", said.err);
    let said = world.does(&["diff", "~1", "~0", "--channel", &world.prod()], 1);
    assert!(said.err.contains("had no other live digest 1 changes ago [RELEASE_UNKNOWN]"), "{}", said.err);
}
