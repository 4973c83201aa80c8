//! A token reaches its server in the environment of Git, and reaches nothing else.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

const CANARY: &str = "canary-7f3a91";

fn basic(user: &str) -> String {
    STANDARD.encode(format!("{user}:{CANARY}"))
}

/// All texts that would show the token.
fn forms() -> Vec<String> {
    let users = ["x-access-token", "ada", "gitlab-ci-token"];
    let mut forms = vec![CANARY.to_owned()];
    // The first letters of the encoded text are those of the user.
    forms.extend(users.map(|user| basic(user).trim_end_matches('=')[user.len() * 4 / 3 + 2..].to_owned()));
    forms
}

fn assert_hidden(what: &str, text: &str) {
    for form in forms() {
        let at = text.find(&form).map(|at| text[at.saturating_sub(200)..at].to_owned());
        assert_eq!(at, None, "{what}: {form} is shown after this");
    }
}

/// Every name and every byte below a directory.
fn every_byte(directory: &Path, into: &mut String) {
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        into.push_str(&path.display().to_string());
        match path.is_dir() {
            true => every_byte(&path, into),
            false => into.push_str(&String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_default())),
        }
    }
}

/// The command lines of all processes with this text in their environment, until `done`. Every process that the ledger
/// starts has the environment of the process that it was started from.
fn command_lines(mark: &str, done: &AtomicBool) -> BTreeSet<String> {
    let text = |process: &std::fs::DirEntry, name: &str| {
        std::fs::read(process.path().join(name)).map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "))
    };
    let mut seen = BTreeSet::new();
    while !done.load(Ordering::SeqCst) {
        for process in std::fs::read_dir("/proc").unwrap().flatten() {
            if let Ok(line) = text(&process, "cmdline")
                && !seen.contains(&line)
                && text(&process, "environ").is_ok_and(|environment| environment.contains(mark))
            {
                seen.insert(line);
            }
        }
    }
    seen
}

/// Runs as a child of the test below: appends and reads with the token of its environment, also where it fails.
#[tokio::test]
#[ignore = "a child of token_is_nowhere_but_at_its_server"]
async fn child_with_a_token() {
    let ledger = GitLedger::open(&variable("LEDGER"), OpenMode::Write).await.unwrap().cache(variable("CACHE"));
    let mut log = fill(&ledger, &prod(), 2).await;
    assert_eq!(whole(&ledger, &prod()).await, log);
    let (control, asked) = (PathBuf::from(variable("CONTROL")), PathBuf::from(variable("ASKED")));
    for step in ["echo", "unauthorized", "redirect"] {
        std::fs::write(&asked, step).unwrap();
        while std::fs::read_to_string(&control).unwrap_or_default() != step {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let error = append(&ledger, &prod(), &mut log).await.unwrap_err();
        println!("{step}: {error} {error:?} {ledger:?}");
        let error = ledger.size(&prod()).await;
        println!("{step}: {error:?}");
        assert_eq!(error.is_ok(), step == "echo", "pushes alone are refused: {error:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn token_is_nowhere_but_at_its_server() {
    let (world, other) = (World::new(), GitServer::start());
    let expected = format!("Basic {}", basic("x-access-token"));
    world.server.expect(&expected);
    // Git is seen while the server thinks.
    world.server.hook("pre-receive", "sleep 0.2");
    let file = |name: &str| world.machines.path().join(name).display().to_string();
    let set = [
        ("LEDGER", world.server.ledger()),
        ("CACHE", file("cache")),
        ("CONTROL", file("control")),
        ("ASKED", file("asked")),
        ("TAGWARDEN_GIT_TOKEN", CANARY.to_owned()),
        ("GIT_TRACE", file("trace")),
        ("GIT_TRACE_CURL", file("trace-curl")),
        ("GIT_TRACE2_EVENT", file("trace2")),
        ("GIT_CURL_VERBOSE", "1".to_owned()),
    ];
    let set: Vec<(&str, &str)> = set.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (mark, done) = (format!("CACHE={}", file("cache")), AtomicBool::new(false));
    let (seen, text) = std::thread::scope(|scope| {
        let watch = scope.spawn(|| command_lines(&mark, &done));
        scope.spawn(|| {
            for step in ["echo", "unauthorized", "redirect"] {
                while std::fs::read_to_string(file("asked")).unwrap_or_default() != step {
                    if done.load(Ordering::SeqCst) {
                        return;
                    }
                    std::thread::sleep(std::time::Duration::from_millis(10));
                }
                world.server.calm();
                match step {
                    "echo" => {
                        let words = format!("you sent {CANARY} in {expected}\n");
                        world.server.answer_pushes(403, &words, usize::MAX);
                    }
                    "unauthorized" => world.server.expect("Basic eDp5"),
                    _ => world.server.redirect_to(&format!("http://{}", other.host())),
                }
                std::fs::write(file("control"), step).unwrap();
            }
        });
        let text = std::panic::catch_unwind(|| child("secrets::child_with_a_token", world.machines.path(), &set));
        done.store(true, Ordering::SeqCst);
        (watch.join().unwrap(), text)
    });
    let text = text.unwrap();
    assert!(text.contains("you sent *** in"), "the server's words are shown without the token: {text}");
    assert_hidden("errors", &text);
    for call in [" fetch ", " push ", "git-remote-http"] {
        assert!(seen.iter().any(|line| line.contains(call)), "{call} was seen: {seen:?}");
    }
    assert_hidden("arguments", &seen.into_iter().collect::<Vec<_>>().join("\n"));
    let mut kept = String::new();
    every_byte(world.machines.path(), &mut kept);
    assert!(kept.contains("registry.example.com"), "the cache was read");
    assert_hidden("cache and traces", &kept);
    assert_hidden("commits", &world.server.git(&["log", "-p", "--format=raw", "tagwarden"]));
    let sent = world.server.requests();
    assert!(sent.iter().any(|seen| seen.authorization == [expected.clone()]), "the token was sent");
    assert_eq!(other.requests(), [], "nothing follows a redirect");
    assert_eq!(world.commits(), 2);
}

/// Runs as a child of the tests below: appends and reads.
#[tokio::test]
#[ignore = "a child of the tests of sources"]
async fn child_with_a_login() {
    let ledger = GitLedger::open(&variable("LEDGER"), OpenMode::Write).await.unwrap().cache(variable("CACHE"));
    let log = fill(&ledger, &prod(), 1).await;
    assert_eq!(whole(&ledger, &prod()).await, log);
}

/// A child in a repository with this configuration, and another one in the home directory.
fn with_login(world: &World, url: &str, here: &str, home: &str, set: &[(&str, &str)]) {
    let directory = world.machines.path().join("working");
    std::fs::create_dir_all(&directory).unwrap();
    let run = Command::new("git").args(["init", "--quiet"]).current_dir(&directory).status().unwrap();
    assert!(run.success());
    let config = directory.join(".git/config");
    std::fs::write(&config, std::fs::read_to_string(&config).unwrap() + here).unwrap();
    std::fs::write(world.machines.path().join(".gitconfig"), home).unwrap();
    let own = world.machines.path().display().to_string();
    let cache = world.cache("cache").display().to_string();
    let fixed = [("LEDGER", url), ("CACHE", cache.as_str()), ("HOME", own.as_str())];
    let before = std::fs::read(&config).unwrap();
    child("secrets::child_with_a_login", &directory, &[&fixed, set].concat());
    assert_eq!(std::fs::read(&config).unwrap(), before, "the user's configuration is the same");
}

#[test]
fn job_after_a_checkout_needs_no_token() {
    let world = World::new();
    world.server.expect(&format!("basic {}", basic("x-access-token")));
    let header = format!("extraheader = AUTHORIZATION: basic {}", basic("x-access-token"));
    let here = format!("[http \"http://{}/\"]\n{header}\n", world.server.host());
    with_login(&world, &world.server.ledger(), &here, "", &[]);
    assert_eq!(world.commits(), 1);
}

/// A server refuses two headers. That of the user is for a longer part of the URL than the host.
#[test]
fn given_token_replaces_a_header_of_the_user() {
    let world = World::new();
    world.server.expect(&format!("Basic {}", basic("x-access-token")));
    let header = "extraheader = AUTHORIZATION: basic eDp5";
    let home = format!("[http \"{}\"]\n{header}\n[http]\n{header}\n", world.server.url());
    with_login(&world, &world.server.ledger(), "", &home, &[("TAGWARDEN_GIT_TOKEN", CANARY)]);
    assert_eq!(world.commits(), 1);
}

#[test]
fn password_of_the_url_is_sent_and_no_argument() {
    let world = World::new();
    world.server.expect(&format!("Basic {}", basic("ada")));
    let url = world.server.ledger().replace("http://", &format!("http://ada:{CANARY}@"));
    with_login(&world, &url, "", "", &[]);
    let mut kept = String::new();
    every_byte(&world.cache("cache"), &mut kept);
    assert_hidden("cache", &kept);
    assert_eq!(world.commits(), 1);
}

#[test]
fn user_of_the_url_is_for_the_users_own_helper() {
    let world = World::new();
    world.server.expect(&format!("Basic {}", basic("ada")));
    let url = world.server.ledger().replace("http://", "http://ada@");
    let home = format!("[credential]\nhelper = \"!f() {{ grep -q username=ada && echo password={CANARY}; }}; f\"\n");
    with_login(&world, &url, "", &home, &[]);
    assert_eq!(world.commits(), 1);
}

#[test]
fn job_token_is_sent_to_its_own_server() {
    let world = World::new();
    world.server.expect(&format!("Basic {}", basic("gitlab-ci-token")));
    let port = world.server.host().rsplit_once(':').unwrap().1.to_owned();
    let set = [("CI_JOB_TOKEN", CANARY), ("CI_SERVER_HOST", "127.0.0.1"), ("CI_SERVER_PORT", port.as_str())];
    with_login(&world, &world.server.ledger(), "", "", &set);
    assert_eq!(world.commits(), 1);
}
